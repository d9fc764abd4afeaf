"""Scores one clip from files, after it was checked that they go together. Nothing is resized, resampled or cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.evaluation.clips import Case
from motioncopy.errors import DataError
from motioncopy.footage import Footage, HDF5File, ImageFolder, open_footage
from motioncopy.footage.array import ArrayFile
from motioncopy.metrics.evaluator import ClipScores, Evaluator

#: Frames that are read and scored together.
CHUNK = 16
#: Frame rates that differ by less than this share are the same: 29.97 and 30 are not.
_RATE = 5e-4

#: From true frames ``(n, H, W, 3)`` uint8 to masks ``(n, H, W)`` uint8.
Segment = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


def score(
    case: Case,
    evaluator: Evaluator,
    *,
    fps: float | None = None,
    segment: Segment | None = None,
    seen: Callable[[int], None] = lambda _: None,
) -> ClipScores:
    """Scores a clip, some frames at a time.

    Args:
        case: Its files.
        evaluator: Computes the metrics.
        fps: Frames per second of files that do not know.
        segment: Makes masks of the true frames where there are no mask files.
        seen: Is told how many frames have been scored since it was told last.

    Raises:
        MotionCopyError: If a file cannot be read, or the files do not go together; nothing of the clip is kept then.
    """
    clip = evaluator.clip(case.name, real_apart=case.real is not None)
    try:
        with ExitStack() as stack:
            footage = {role: stack.enter_context(open_footage(path, fps=fps)) for role, path in case.files.items()}
            real = footage.pop("real", None)
            _check(footage, timed=fps is not None)
            chunks = {role: f.chunks(CHUNK) for role, f in footage.items()}
            for generated in chunks["generated"]:
                beside = {
                    role: _next(case, role, chunks[role], len(generated)) for role in footage if role != "generated"
                }
                truth, mask = beside.get("truth"), beside.get("mask")
                if mask is not None:
                    mask = mask.max(axis=3)
                elif segment is not None and truth is not None:
                    mask = segment(truth)
                clip.update(
                    _tensor(generated),
                    _tensor(truth) if truth is not None else None,
                    torch.from_numpy(np.ascontiguousarray(mask))[:, None] if mask is not None else None,
                    driving=_tensor(beside["driving"]) if "driving" in beside else None,
                )
                seen(len(generated))
            for images in real.chunks(CHUNK) if real is not None else ():
                clip.update_real(_tensor(images))
            return clip.compute()
    except BaseException:
        clip.discard()
        raise


def _next(case: Case, role: str, chunks: Iterator[NDArray[np.uint8]], count: int) -> NDArray[np.uint8]:
    images = next(chunks, None)
    if images is None or len(images) != count:
        raise DataError(
            f"{case.files[role]} has fewer frames than it says", remedy="write it again; it may have been cut short"
        )
    return images


def _tensor(images: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


def _check(footage: dict[str, Footage], *, timed: bool) -> None:
    """Refuses files that do not go together, and says what would have to be done.

    Raises:
        DataError: If frame counts, sizes or rates differ.
    """
    generated = footage["generated"]
    if not len(generated):
        raise DataError(f"{generated.path} has no frame")
    for role, other in footage.items():
        if len(other) != len(generated):
            raise DataError(
                f"{generated.path} and {other.path} ({role}) differ in length",
                expected=f"{len(other)} frames",
                found=f"{len(generated)} frames",
                remedy="cut or resample one of them, saying how: no frame is dropped or repeated here",
            )
        if role != "driving" and other.size != generated.size:
            raise DataError(
                f"{generated.path} and {other.path} ({role}) differ in size",
                expected=_size(other),
                found=_size(generated),
                remedy=f"resize one of them, saying with which filter, or compare at {_size(other)}: it changes scores",
            )
        known = timed or (states_rate(other) and states_rate(generated))
        if known and abs(other.fps - generated.fps) > _RATE * other.fps:
            raise DataError(
                f"{generated.path} and {other.path} ({role}) differ in frame rate",
                expected=f"{other.fps:g} frames a second",
                found=f"{generated.fps:g}",
                remedy="write both at one rate: frames of the same number show other moments otherwise",
            )


def states_rate(footage: Footage) -> bool:
    """Whether the file itself says how many frames it shows a second."""
    return footage.states_fps if isinstance(footage, HDF5File) else not isinstance(footage, ImageFolder | ArrayFile)


def _size(footage: Footage) -> str:
    return f"{footage.size[1]}x{footage.size[0]}"
