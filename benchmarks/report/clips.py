"""The clip browser's content: which clips there are, their curves, and their panels."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks import left_out
from benchmarks.progress import Reporter
from benchmarks.report.groups import RecordGroup, slug
from benchmarks.report.provenance import rounded
from benchmarks.report.runs import Run
from benchmarks.report.videos import GENERATED, SHOWN, Image, Panels
from datamodules.base import Trials
from motioncopy.errors import RecordError
from motioncopy.files.names import printable
from motioncopy.files.writing import check_writable
from motioncopy.metrics.catalogue import METRICS
from motioncopy.poses.sticks import draw_motion_sticks
from motioncopy.records.provenance import redacted
from motioncopy.request import Trial

_CHUNK = 32  # true frames that are read at once
#: Of curves: digits, steps between the least and the greatest value, and a frame without one.
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
STEPS, NOTHING = 4095, ".."


def write(
    runs: Sequence[Run], groups: Sequence[RecordGroup], folder: Path, before: Path | None
) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """Writes the panels and curves of all clips of all runs.

    Args:
        runs: The runs to show.
        groups: The tables, whose rows the runs belong to if their records are there.
        folder: Where clips go; made by this.
        before: The same folder of the report that is to be replaced.

    Returns:
        What the page must know of them, a mapping for each data set and regime (:func:`_described`), and what could
        not be shown, and why.

    Raises:
        RecordError: If the folder cannot be written.
    """
    by_group: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_group[run.group].append(run)
    panels = Panels(folder, before)
    found, failures, done = [], [], 0
    with closing(Reporter("Clips", sum(len(run.trials) for run in runs))) as reporter:
        for name, members in by_group.items():
            shown = _Shown(panels, name)
            for run in members:
                for trial in run.trials:
                    shown.generated(run, trial)
                    shown.add(run, trial)
                    done += 1
                    reporter.update(done, f"{panels.written} files written, {panels.kept} kept")
            found.append(_described(name, members, groups, shown))
            failures += shown.failures
            _curves(folder / name, name, members)
        panels.close()
    return found, failures


class _Shown:
    """The panels of one group. The data set is read only if a panel of truth, motion or appearance is not there.

    Attributes:
        missing: For each ``<clip>/<view>/<panel>`` that is not there, the reason.
        failures: What could not be made, and why.
    """

    def __init__(self, panels: Panels, group: str) -> None:
        self.panels, self.group = panels, group
        self.missing: dict[str, str] = {}
        self.failures: list[tuple[str, str]] = []
        self._trials: dict[str, Trials | str] = {}
        self._done: set[tuple[str, str]] = set()

    def generated(self, run: Run, trial: str) -> None:
        """Makes the panel of what a run made of a trial."""
        place, fps = f"{slug(trial)}/{run.view}/{run.id}", run.trials[trial].fps
        if trial in run.unseen:
            self.missing[place] = redacted(printable(run.unseen[trial]), {})
            return
        name = f"{self.group}/{slug(trial)}/{run.id}.mp4"
        try:
            with run.footage(trial) as footage:
                state = footage.path.stat()
                source = [run.record.id, state.st_size, state.st_mtime_ns, fps]
                if not self.panels.has(name, source):
                    frames = itertools.chain.from_iterable(footage.chunks(_CHUNK))
                    self.panels.video(name, source, frames, fps, f"{GENERATED} ({run.record.method}, trial {trial})")
        except Exception as error:  # noqa: BLE001 -- whatever is wrong with its frames, the others are shown
            self._failed(error, f"{run.folder.name}, trial {trial}", place)

    def add(self, run: Run, trial: str) -> None:
        """Makes the panels that runs of one view share: truth, motion, appearance; or says why not."""
        if (trial, run.view) in self._done:
            return
        self._done.add((trial, run.view))
        start, key = f"{self.group}/{slug(trial)}", f"{slug(trial)}/{run.view}"
        motion, truth = f"{start}/motion-{run.view}.mp4", f"{start}/truth-{run.view}.mp4"
        still = f"{start}/appearance-{run.view}.webp"
        if not all(self.panels.has(name, run.view) for name in (motion, truth, still)):
            places = tuple(f"{key}/{what}" for what in ("appearance", "motion", "truth"))
            try:
                found = self._read(run, trial)
                if isinstance(found, str):
                    self.missing |= dict.fromkeys(places, found)
                    return
                self.panels.video(motion, run.view, _sticks(found), found.fps, SHOWN)
                self.panels.still(still, run.view, found.appearance.images[0, 0].permute(1, 2, 0).numpy())
                if found.truth is None:
                    self.panels.nothing(truth, run.view)
                else:
                    self.panels.video(truth, run.view, _truth(found), found.fps, SHOWN)
            except Exception as error:  # noqa: BLE001 -- whatever is wrong with its data, the others are shown
                self._failed(error, f"{run.record.data}, trial {trial}", *places)
                return
        if not (self.panels.folder / truth).is_file():
            self.missing[f"{key}/truth"] = "the data set has no true frames of this trial"

    def _failed(self, error: Exception, what: str, *places: str) -> None:
        check_writable(self.panels.folder, error=RecordError)  # a full disk is no clip's fault
        reason = printable(left_out.reason(error))
        self.failures.append((what, reason))
        self.missing |= dict.fromkeys(places, redacted(reason, {}))

    def _read(self, run: Run, trial: str) -> Trial | str:
        if run.view not in self._trials:
            try:
                self._trials[run.view] = run.data().trials(run.request, "test")
            except Exception as error:  # noqa: BLE001 -- a run's config builds it, whatever that holds
                self._trials[run.view] = redacted(printable(f"the data are not here: {left_out.reason(error)}"), {})
        trials = self._trials[run.view]
        if isinstance(trials, str):
            return trials
        if trial not in trials.ids:
            return "the data set's present protocol has no such trial"
        found: Trial = trials[trials.ids.index(trial)]
        return found


def _described(name: str, runs: Sequence[Run], groups: Sequence[RecordGroup], shown: _Shown) -> dict[str, Any]:
    """What the page must know of the clips of one group: clips, runs, values, and where panels are not there."""
    group = next((g for g in groups if g.id == name), None)
    rows = {r.id: row for row in (group.rows if group else ()) for r in row.records}
    trials = {t.id: t for run in runs for t in run.trials.values()}
    keys = {key for run in runs for trial in run.trials for key in run.trials[trial].scores.values}
    metrics = [key for key in METRICS if key in keys]
    one = runs[0].record
    means = [{trial: run.trials[trial].scores.scores for trial in run.trials} for run in runs]
    values = {key: [[_mean(found.get(trial, {}).get(key)) for trial in trials] for found in means] for key in metrics}
    return {
        "id": name,
        "data": one.data,
        "protocol": one.protocol,
        "regime": one.regime,
        "clips": [[t.id, slug(t.id), t.kind, rounded(t.fps), t.frames, t.person, t.driver] for t in trials.values()],
        "runs": [
            {
                "id": run.id,
                "method": run.record.method,
                "ablation": run.record.ablation,
                "subject": run.record.subject,
                "seed": run.record.seed,
                "row": rows[run.record.id].id if run.record.id in rows else None,
                "record": run.record.id,
                "view": run.view,
                "size": list(run.request.image_size),
            }
            for run in runs
        ],
        "metrics": metrics,
        "values": values,
        "missing": shown.missing,
    }


def _mean(score: Any) -> float | int | None:
    return rounded(score.value, 5) if score is not None else None


def _curves(folder: Path, group: str, runs: Sequence[Run]) -> None:
    """One script for each clip, which the page loads when the clip is looked at: ``fetch`` cannot read from disk."""
    found: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for run in runs:
        for trial in run.trials:
            curves = {key: encoded(values) for key, values in run.trials[trial].scores.values.items()}
            found[trial][run.id] = {key: curve for key, curve in curves.items() if curve is not None}
    folder.mkdir(parents=True, exist_ok=True)
    for trial, by_run in found.items():
        arguments = ",".join(json.dumps(x, separators=(",", ":")) for x in (group, slug(trial), by_run))
        (folder / f"{slug(trial)}.js").write_text(f"motioncopyClip({arguments});\n", encoding="utf-8")


def encoded(values: Sequence[float | None]) -> tuple[float, float, str] | None:
    """A curve of frames, small: (least, greatest, text); ``None`` where no frame has a value.

    A value stands as one of 4095 steps between the least and the greatest of its curve, written with two of 64
    characters. That is a tenth of what a pixel of the drawing shows, and a fifth of the size of plain numbers.
    """
    known = [v for v in values if v is not None]
    if not known:
        return None
    low, high = min(known), max(known)
    # Of a curve so flat that its ends are one number to six digits, all is that number.
    flat = high - low <= 1e-9 * max(abs(low), abs(high), 1e-9)
    scale = 0.0 if flat else STEPS / (high - low)
    steps = (None if v is None else round((v - low) * scale) for v in values)
    text = "".join(NOTHING if k is None else ALPHABET[k >> 6] + ALPHABET[k & 63] for k in steps)
    return float(f"{low:.6g}"), float(f"{high:.6g}"), text


def _sticks(trial: Trial) -> Iterator[Image]:
    drawn = draw_motion_sticks(trial.motion)[0].permute(0, 2, 3, 1)
    yield from ((drawn + 1) * 127.5).round().byte().numpy()


def _truth(trial: Trial) -> Iterator[Image]:
    assert trial.truth is not None
    for first in range(0, len(trial), _CHUNK):
        images, _ = trial.truth(first, min(first + _CHUNK, len(trial)))
        yield from images.permute(0, 2, 3, 1).numpy()
