"""What has been submitted: a small file beside the runs, so that nothing is submitted twice."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import Field

from motioncopy.errors import ClusterError
from motioncopy.files.documents import read_json
from motioncopy.files.schema import Size, Text, validated
from motioncopy.files.writing import write_whole


@dataclass(frozen=True)
class Submission:
    """A submission.

    Attributes:
        queue_id: The cluster's number of it.
        submitted: When, in UTC.
        tries: How often this job has been submitted by one call.
    """

    queue_id: Annotated[str, Field(pattern=r"^\d{1,20}$")]  # an argument of squeue and sacct
    submitted: Text
    tries: Size = 1


class Submissions:
    """The submissions of all jobs below one ``runs`` folder, by job id; every change is on disk at once.

    Args:
        folder: Where ``jobs.json`` lies.

    Raises:
        ClusterError: If the file is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "jobs.json"
        self._entries: dict[str, Submission] = {}
        if self._path.is_file():
            remedy = "cancel what `squeue --me` shows of these runs, then delete the file"
            content = read_json(self._path, error=ClusterError, remedy=remedy)
            what = f"{self._path} is damaged"
            self._entries = validated(dict[Text, Submission], content, error=ClusterError, what=what, remedy=remedy)

    def get(self, job_id: str) -> Submission | None:
        """The last submission of a job."""
        return self._entries.get(job_id)

    def add(self, job_id: str, queue_id: str, tries: int) -> None:
        """Notes a submission."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._entries[job_id] = Submission(queue_id, now, tries)
        write_whole(self._path, json.dumps({k: asdict(v) for k, v in self._entries.items()}, indent=1))
