"""What stands in one table of the report: its frame, and which records are behind each of its rows."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import left_out
from benchmarks.tables.results import results
from benchmarks.tables.selection import BASELINES, KINDS, in_order, rows_of
from benchmarks.tables.table import Table
from motioncopy.records import Record

#: Of a name in links and files: several stand in one path, and file systems take 255 bytes.
_LONGEST = 60


@dataclass(frozen=True)
class ReportRow:
    """One row of a table.

    Attributes:
        id: Unique in its table; stands in links, and stays the same when the report is made again.
        label: As the table calls it.
        details: Variant, preset, overlays, and the digits that tell rows of one name apart; may be empty.
        records: One a seed: those that count.
    """

    id: str
    label: str
    details: str
    records: tuple[Record, ...]

    @property
    def one(self) -> Record:
        """A record, of which all but seed and values is the row's."""
        return self.records[0]

    @property
    def baseline(self) -> bool:
        """Whether it is one of the trivial ones."""
        return self.one.method in BASELINES


@dataclass(frozen=True)
class RecordGroup:
    """Records of one data set, protocol and regime.

    Attributes:
        id: Unique in the report; stands in links and in file names.
        records: All of them.
        table: What :func:`benchmarks.tables.results.results` made of them, with intervals.
        rows: In the table's order.
    """

    id: str
    records: tuple[Record, ...]
    table: Table
    rows: tuple[ReportRow, ...]

    @property
    def one(self) -> Record:
        """A record, of which data set, protocol and regime are the group's."""
        return self.records[0]

    @property
    def trials(self) -> dict[str, str]:
        """For each trial its kind."""
        found = [(trial.kind, name) for r in self.records for name, trial in r.results.trials.items()]
        return {name: kind for kind, name in sorted(found, key=lambda trial: KINDS.index(trial[0]))}

    def row(self, line: Mapping[Any, Any]) -> ReportRow:
        """The row of a line of the table's frame."""
        subject = line["subject"] if isinstance(line["subject"], str) else None
        return next(r for r in self.rows if (r.label, r.one.subject) == (line["label"], subject))


def slug(text: str) -> str:
    """A text as a part of a link or of a file's name; what was changed or cut leaves digits that keep it unique."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-").lower() or "x"
    if plain == text and len(plain) <= _LONGEST:
        return plain
    digits = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{plain[:_LONGEST]}-{digits[: 4 if len(plain) <= _LONGEST else 12]}"


def groups(records: Iterable[Record]) -> tuple[list[RecordGroup], list[tuple[str, str]]]:
    """The tables of the report, one for each data set, protocol and regime; records of papers are left aside.

    Returns:
        The groups, and for each whose records cannot stand in one table its name and the reason.
    """
    parts: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for r in records:
        if r.kind != "paper":
            parts[r.data, r.protocol, r.regime].append(r)
    made, failures = [], []
    for key, found in sorted(parts.items(), key=lambda part: part[0]):
        try:
            table = results(found, intervals=True)
            made.append(RecordGroup(group_id(*key), tuple(found), table, tuple(_rows(found))))
        except Exception as error:  # noqa: BLE001 -- a record may hold numbers of which no mean can be taken
            failures.append((f"the table of {', '.join(key)}", left_out.reason(error)))
    return made, failures


def group_id(data: str, protocol: str, regime: str) -> str:
    """The id of the group of this data set, protocol and regime."""
    plain = protocol.partition("@")[0] == data
    return slug(f"{data}-{regime}" if plain else f"{protocol.partition('@')[0]}-{regime}") + (
        "" if protocol.endswith("@1") else "-v" + slug(protocol.partition("@")[2])
    )


def _rows(records: Sequence[Record]) -> Iterable[ReportRow]:
    taken: set[str] = set()
    for label, runs in rows_of(in_order(records)):
        one = runs[0]
        digits = re.search(r" (#[0-9a-f]{6})$", label)
        parts = [one.variant, one.preset, ", ".join(one.overlays), digits[1] if digits else None]
        unique = name = slug("-".join(filter(None, [one.subject, one.method, *parts, one.ablation])))
        number = 1
        while unique in taken:
            unique = f"{name}-{(number := number + 1)}"
        taken.add(unique)
        by_seed = sorted(runs, key=lambda r: (r.seed is None, r.seed))
        yield ReportRow(unique, label, ", ".join(filter(None, parts)), tuple(by_seed))
