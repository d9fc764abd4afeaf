"""What a run leaves behind: its record, where its numbers come from, and what it cost."""

from motioncopy.records.record import (
    OVERRIDES,
    Costs,
    Kind,
    PaperRow,
    Record,
    Results,
    StageTraining,
    content_digest,
    new_id,
    now,
    parse,
    read,
    read_all,
    write,
)

__all__ = [
    "OVERRIDES",
    "Costs",
    "Kind",
    "PaperRow",
    "Record",
    "Results",
    "StageTraining",
    "content_digest",
    "new_id",
    "now",
    "parse",
    "read",
    "read_all",
    "write",
]
