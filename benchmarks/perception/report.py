"""Keeps measurements of perception as JSON, and shows them as one table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.perception.evaluate import PartScores
from motioncopy.errors import RecordError
from motioncopy.files.documents import read_json
from motioncopy.files.schema import validated
from motioncopy.files.writing import write_whole
from motioncopy.records.provenance import code, device, packages

#: Where measurements are kept.
RESULTS = Path(__file__).with_name("results")

#: Each score: what it means, how it is written.
SCORES = {
    "pck@0.1": ("share of seen joints within 0.1 of the body's longer side", "{:.3f}"),
    "error_px": ("mean distance of the found joints, pixels", "{:.2f} px"),
    "error_share": ("the same as a share of the body's longer side", "{:.3f}"),
    "found": ("share of seen joints that were found at all", "{:.3f}"),
    "iou": ("intersection over union of the mask, pooled over pixels", "{:.3f}"),
    "miou": ("mean IoU over the classes, the background among them", "{:.3f}"),
    "person": ("share of the person's pixels with the right label", "{:.3f}"),
    "epe_person": ("end-point error on the person, pixels", "{:.2f} px"),
    "epe_frame": ("end-point error over the frame, pixels", "{:.2f} px"),
    "epe_zero": ("end-point error on the person of a flow of zero", "{:.2f} px"),
    "psnr_db": ("PSNR of the background, mean over clips", "{:.1f} dB"),
}
_GIVEN = {"": "frames", "found": "what was found", "truth": "the truth"}


@dataclass(frozen=True)
class Measurement:
    """One call of ``python -m benchmarks.perception``.

    Attributes:
        name: Of its file.
        command: The call.
        data: What was seen.
        rows: What came out.
        commit: Of the code; ``None`` where it is not stated, as without a checkout.
        dirty: Whether the code differed from it.
        cpu: Of the machine.
        packages: Their versions.
    """

    name: str
    command: str
    data: str
    rows: tuple[PartScores, ...]
    commit: str | None = None
    dirty: bool | None = None
    cpu: str = "not stated"
    packages: dict[str, str] = field(default_factory=dict)

    @classmethod
    def made_here(cls, name: str, command: str, data: str, rows: tuple[PartScores, ...]) -> Measurement:
        """With this checkout, machine and packages."""
        found = code()
        return cls(name, command, data, rows, found.commit, found.dirty, device().cpu, packages())


def write(measurement: Measurement, folder: Path) -> Path:
    """Keeps a measurement; an older one of the same name is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{measurement.name}.json"
    write_whole(path, json.dumps(asdict(measurement), indent=1) + "\n")
    return path


def read(folder: Path) -> list[Measurement]:
    """All kept measurements, by name.

    Raises:
        RecordError: If there is none, or a file is damaged.
    """
    found = []
    for path in sorted(folder.glob("*.json")):
        what, content = f"{path} is damaged", read_json(path, error=RecordError, remedy="measure again")
        measured = validated(Measurement, content, error=RecordError, what=what, remedy="measure again")
        for row in measured.rows:
            if row.given not in _GIVEN or not row.scores.keys() <= SCORES.keys():
                raise RecordError(f"{what}: a row is none", found=repr(row)[:200], remedy="measure again")
        found.append(measured)
    if not found:
        raise RecordError(f"{folder} holds no measurement", remedy="python -m benchmarks.perception people")
    return found


def markdown(measurements: Iterable[Measurement]) -> str:
    """Tables with one row a backend and task, each under its command; and what the scores mean."""
    chosen = list(measurements)
    parts = ["\n".join([f"**{m.data}**, `{m.command}`", "", *_table(m.rows)]) for m in chosen]
    used = {name for m in chosen for row in m.rows for name in row.scores}
    meaning = [f"- `{name}`: {text}" for name, (text, _) in SCORES.items() if name in used]
    return "\n\n".join([*parts, "\n".join(meaning)])


def _table(rows: Sequence[PartScores]) -> list[str]:
    lines = ["| part | backend | given | frames | frames/s | scores |", "|---|---|---|---|---|---|"]
    for row in rows:
        scores = ", ".join(f"{name} {SCORES[name][1].format(value)}" for name, value in row.scores.items())
        speed = "-" if row.fps is None else f"{row.fps:.0f}"
        backend = " ".join(filter(None, (row.backend, row.version)))
        what = scores or f"not measured: {row.reason}"
        lines.append(f"| {row.part} | {backend} | {_GIVEN[row.given]} | {row.frames} | {speed} | {what} |")
    return lines
