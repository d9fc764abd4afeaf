"""Makes a report of records and run folders: written aside and put in place whole, or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.report import clips, page, provenance, tables
from benchmarks.report import groups as grouping
from benchmarks.report.runs import find
from motioncopy.errors import RecordError
from motioncopy.files.names import printable
from motioncopy.files.writing import aside as beside
from motioncopy.files.writing import unwritable
from motioncopy.records import Record
from motioncopy.records.provenance import redacted

_PAGE = "index.html"


@dataclass(frozen=True)
class Built:
    """What was made.

    Attributes:
        page: The file to open.
        tables: Number of tables.
        clips: Number of clips.
        aside: Run folders and trials whose clips are not shown, and why.
        failures: Tables that could not be made, and why.
    """

    page: Path
    tables: int
    clips: int
    aside: Sequence[tuple[str, str]]
    failures: Sequence[tuple[str, str]]


def build(
    records: Sequence[Record],
    out: Path,
    *,
    runs: Path | None = None,
    title: str = "motioncopy",
    data: Collection[str] | None = None,
) -> Built:
    """Writes a report; one that lies there already is replaced once the new one is whole.

    Args:
        records: For the tables; those of papers are left aside.
        out: The report's folder.
        runs: Where run folders lie, for the clips; ``None`` leaves the clips out.
        title: The page's heading.
        data: Only clips of these data sets; ``None``: of all.

    Raises:
        RecordError: If there is nothing to report, records cannot stand in one table, or the folder cannot be written.
    """
    measurements = [r for r in records if r.kind != "paper"]
    found, aside = find(runs) if runs is not None else ([], [])
    found = [run for run in found if data is None or run.record.data in data]
    if not measurements and not found:
        why = "; ".join(f"{name}: {reason}" for name, reason in aside[:3]) or None
        raise RecordError("there is nothing to report", found=why, remedy="run `motioncopy bench` first")
    groups, failures = grouping.groups(measurements)
    with _replaced(out) as folder:
        shown: list[dict[str, Any]] = []
        if found:
            shown, unseen = clips.write(found, groups, folder / "clips", out / "clips" if out.is_dir() else None)
            aside = [*aside, *unseen]
        worths = [tables.worths(group) for group in groups]
        known = provenance.content(groups)
        known["clips"] = shown
        known["metrics"] |= provenance.metrics([key for group in shown for key in group["metrics"]])
        text = page.render(
            known,
            title=title,
            results=[(group, *tables.results(group)) for group in groups],
            ablations=[ablation for found, _ in worths for ablation in found],
            hindered=[hindrance for _, hindrance in worths if hindrance],
            papers=tables.beside_papers(groups) if groups else [],
            aside=[(printable(name), redacted(printable(reason), {})) for name, reason in [*aside, *failures]],
        )
        (folder / _PAGE).write_text(text, encoding="utf-8")
    return Built(out / _PAGE, len(groups), sum(len(group["clips"]) for group in shown), aside, failures)


def _is_report(folder: Path) -> bool:
    """Whether a folder holds a report, and so may be replaced by a newer one."""
    file = folder / _PAGE
    start = file.read_text(encoding="utf-8", errors="replace")[:2000] if file.is_file() else ""
    return f'content="{page.GENERATOR}"' in start


@contextmanager
def _replaced(out: Path) -> Iterator[Path]:
    """A new folder to write into, which takes the name ``out`` when the block ends without an exception."""
    new, old = beside(out.absolute()), beside(out.absolute())  # which has a name, even of `.`
    try:
        if (out.exists() or out.is_symlink()) and not _is_report(out) and not (out.is_dir() and not any(out.iterdir())):
            raise RecordError(f"{out} is there, and is no report", remedy="choose another folder with --out")
        new.mkdir(parents=True)
        try:
            yield new
            if out.exists():
                out.rename(old)
            try:
                new.rename(out)
            except OSError:
                if old.exists():
                    old.rename(out)
                raise
        finally:
            shutil.rmtree(new, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise unwritable(out, error, RecordError) from error
