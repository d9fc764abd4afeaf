"""Runs a method on trials: generates, keeps the 8-bit frames, scores them, and gathers what all processes did.

Each trial leaves ``<folder>/<trial id>.npy`` (``(T, H, W, 3)`` uint8), and the features that metrics over sets are made
from, wherever the evaluator keeps them. Values lie in the states of the metrics, by clip, until they are gathered: so
scores cannot depend on how the trials were split.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from motioncopy.batch import to_uint8
from motioncopy.errors import MotionCopyError, TrainingError
from motioncopy.files.writing import whole_file
from motioncopy.method import Method
from motioncopy.metrics.evaluator import ClipScores, Evaluator
from motioncopy.request import Trial
from motioncopy.training.processes import from_all


class TrialRunner:
    """Generates and scores trials into a folder.

    Args:
        folder: Where outputs and scores go.
        evaluator: Scores 8-bit frames against the truth.
        chunk: Driving frames a step.
    """

    def __init__(self, folder: Path, evaluator: Evaluator, *, chunk: int = 16) -> None:
        self.folder, self.evaluator, self.chunk = folder, evaluator, chunk
        self._done: list[tuple[dict[str, Any], ClipScores]] = []

    def run(self, method: Method[Any], trial: Trial) -> None:
        """One trial, from its driving joints to its scores.

        Raises:
            TrainingError: If the method gives frames that are not finite, or of another number or shape than was
                asked for.
        """
        # A precision is one of training: frames and scores come from full precision.
        with torch.autocast(method.device.type, enabled=False):
            self._run(method, trial)

    def _run(self, method: Method[Any], trial: Trial) -> None:
        (person,) = trial.appearance.person
        motion = trial.motion if trial.own else method.adapt(trial.motion, trial.appearance)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{trial.id}.npy"
        clip = self.evaluator.clip(trial.id, real_apart=trial.real is not None)
        timer = _Timer(method.device)
        done = 0
        size = trial.appearance.motion.size  # of whole frames, whatever window a method works in
        with _frames_file(path, len(trial), size) as file:
            for frames in timer.chunks(method.generate(trial.appearance, motion, chunk=self.chunk)):
                _check(frames, trial, done, size)
                images = to_uint8(frames).cpu()
                file.write(images.permute(0, 2, 3, 1).contiguous().numpy().tobytes())
                stop = done + len(images)
                truth, mask = trial.truth(done, stop) if trial.truth is not None else (None, None)
                clip.update(
                    images,
                    truth,
                    mask,
                    driving=trial.driving(done, stop) if trial.driving is not None else None,
                    joints=motion.joints[0, done:stop],
                    skeleton=motion.skeleton,
                )
                done = stop
            if done != len(trial):
                raise TrainingError(f"trial {trial.id} has too few frames", expected=len(trial), found=done)
        if trial.real is not None:
            for start in itertools.count(0, self.chunk):
                if not len(real := trial.real(start, start + self.chunk)):
                    break
                clip.update_real(real)
        summary = {
            "id": trial.id,
            "protocol": trial.protocol,
            "kind": trial.kind,
            "person": person,
            "driver": trial.driver,
            "fps": trial.fps,
            "frames": done,
            "generation_fps": timer.frames_per_second,
            "report": method.report(),
        }
        self._done.append((summary, clip.compute()))

    def gathered(self, expected: Sequence[str]) -> list[dict[str, Any]]:
        """What was done and scored of all trials, in the order of ``expected``, whoever ran them. Every process asks.

        Raises:
            MotionCopyError: If a trial was run by none.
        """
        scores = self.evaluator.gathered([scores for _, scores in self._done])
        done = {summary["id"]: summary for part in from_all([summary for summary, _ in self._done]) for summary in part}
        if missing := [name for name in expected if name not in done]:
            raise MotionCopyError(
                f"{len(missing)} of {len(expected)} trials have no scores",
                found=", ".join(missing[:5]),
                remedy="run `motioncopy test` again",
            )
        return [{**done[name], "scores": scores[name].to_dict()} for name in expected]


def scores_of(summary: dict[str, Any]) -> ClipScores:
    """The scores in a trial's summary."""
    return ClipScores.from_dict(summary["scores"])


@contextmanager
def _frames_file(path: Path, frames: int, size: tuple[int, int]) -> Iterator[BinaryIO]:
    """An ``.npy`` file of ``(frames, H, W, 3)`` uint8, written frame by frame; whole under its name, or not there.

    Written, not mapped: a full disk is then an error and no bus error.
    """
    with whole_file(path, error=TrainingError) as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (frames, *size, 3)}
        np.lib.format.write_array_header_1_0(file, header)
        yield file


def _check(frames: Tensor, trial: Trial, done: int, size: tuple[int, int]) -> None:
    if frames.shape[1:] != (3, *size):
        raise TrainingError(
            f"trial {trial.id} has frames of another shape", expected=(3, *size), found=tuple(frames.shape[1:])
        )
    if done + len(frames) > len(trial):
        raise TrainingError(f"trial {trial.id} has too many frames", expected=len(trial), found=done + len(frames))
    if not torch.isfinite(frames).all():
        raise TrainingError(
            f"trial {trial.id} has frames that are not finite, from frame {done} on",
            remedy="the model has diverged: fit it again with a lower learning rate",
        )


class _Timer:
    """Frames a second of generation alone; the first chunk warms up and does not count unless it is the only one."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.laps: list[tuple[int, float]] = []

    def chunks(self, generator: Iterator[Tensor]) -> Iterator[Tensor]:
        while True:
            start = time.perf_counter()
            try:
                frames = next(generator)
            except StopIteration:
                return
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            self.laps.append((len(frames), time.perf_counter() - start))
            yield frames

    @property
    def frames_per_second(self) -> float | None:
        laps = self.laps[1:] or self.laps
        seconds = sum(s for _, s in laps)
        return sum(n for n, _ in laps) / seconds if seconds > 0 else None
