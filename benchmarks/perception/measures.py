"""Errors of joints, masks, labels, flow and backgrounds, summed over frames before they are divided.

Every measure is kept as sums, so that frames and clips of any number can be added up and each pixel or joint counts
once. The definitions stand in the docstrings; the table repeats them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from motioncopy.metrics.psnr import CAP

Floats = NDArray[np.floating]
Bytes = NDArray[np.uint8]

#: PCK counts a joint that lies within this share of the person's size.
PCK_SHARE = 0.1


@dataclass
class JointErrors:
    """Distances between found and true joints.

    A joint counts if its truth is *seen* (confidence 1: neither hidden nor outside the image) and the backend fills it
    at all. The person's size is the longer side of the box around all true joints of the frame.

    Attributes:
        pixels: Distances of the joints that were found.
        sizes: The person's size for each of them.
        missed: Joints that count and were not found.
        names: Which joints count.
    """

    pixels: list[float] = field(default_factory=list)
    sizes: list[float] = field(default_factory=list)
    missed: int = 0
    names: set[str] = field(default_factory=set)

    def add(self, found: Floats, truth: Floats, names: tuple[str, ...], fills: NDArray[np.bool_]) -> None:
        """Adds frames.

        Args:
            found: ``(n, J, 3)`` joints; confidence 0 where none was found.
            truth: ``(n, J, 3)`` true joints, in the same pixels.
            names: J names.
            fills: ``(J,)``: which joints the backend can find.
        """
        placed = truth[..., 2] > 0
        low = np.where(placed[..., None], truth[..., :2], np.inf).min(axis=1)
        high = np.where(placed[..., None], truth[..., :2], -np.inf).max(axis=1)
        size = np.maximum((high - low).max(axis=1), 1)
        counts = (truth[..., 2] >= 1) & fills
        there = counts & (found[..., 2] > 0)
        distance = np.linalg.norm(found[..., :2] - truth[..., :2], axis=-1)
        self.pixels += distance[there].tolist()
        self.sizes += np.broadcast_to(size[:, None], there.shape)[there].tolist()
        self.missed += int(counts.sum() - there.sum())
        self.names |= {names[j] for j in np.flatnonzero(counts.any(axis=0))}

    @property
    def count(self) -> int:
        """How many joints count."""
        return len(self.pixels) + self.missed

    def scores(self) -> dict[str, float]:
        """``pck@0.1`` (missed joints are wrong), ``error_px`` and ``error_share`` (of the found ones), ``found``."""
        if not self.count:
            return {}
        pixels, sizes = np.array(self.pixels), np.array(self.sizes)
        found = {"found": len(pixels) / self.count, "pck@0.1": float((pixels <= PCK_SHARE * sizes).sum() / self.count)}
        if len(pixels):
            found |= {"error_px": float(pixels.mean()), "error_share": float((pixels / sizes).mean())}
        return found


@dataclass
class Overlap:
    """Intersection over union of masks, pooled over all pixels; a pixel belongs to the person from 128 on."""

    both: int = 0
    either: int = 0

    def add(self, found: Bytes, truth: Bytes) -> None:
        """Adds ``(n, H, W)`` masks."""
        f, t = found >= 128, truth >= 128
        self.both, self.either = self.both + int((f & t).sum()), self.either + int((f | t).sum())

    def scores(self) -> dict[str, float]:
        """``iou``; nothing where there was nothing."""
        return {"iou": self.both / self.either} if self.either else {}


@dataclass
class Labels:
    """Mean over the classes that occur of the IoU of each, pooled over all pixels, the background among them.

    Args:
        classes: How many labels there are.
    """

    classes: int
    confusion: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.confusion = np.zeros((self.classes, self.classes), np.int64)

    def add(self, found: Bytes, truth: Bytes) -> None:
        """Adds ``(n, H, W)`` label images."""
        cells = truth.astype(np.int64).ravel() * self.classes + found.ravel()
        self.confusion += np.bincount(cells, minlength=self.classes**2).reshape(self.classes, self.classes)

    def scores(self) -> dict[str, float]:
        """``miou``, and ``person``: the share of the true person's pixels with the right label."""
        right = np.diag(self.confusion)
        either = self.confusion.sum(axis=0) + self.confusion.sum(axis=1) - right
        if not either.any():
            return {}
        person = self.confusion[1:].sum()
        scores = {"miou": float((right[either > 0] / either[either > 0]).mean())}
        return scores | ({"person": float(right[1:].sum() / person)} if person else {})


@dataclass
class EndPoints:
    """End-point error of flow: the mean length of the difference, on the person and over the frame, in pixels."""

    person: float = 0.0
    person_pixels: int = 0
    frame: float = 0.0
    pixels: int = 0
    still: float = 0.0

    def add(self, found: Floats, truth: Floats, mask: Bytes) -> None:
        """Adds ``(n, H, W, 2)`` flows with the true ``(n, H, W)`` mask."""
        error = np.linalg.norm(found.astype(np.float64) - truth, axis=-1)
        on = mask >= 128
        self.person, self.person_pixels = self.person + float(error[on].sum()), self.person_pixels + int(on.sum())
        self.frame, self.pixels = self.frame + float(error.sum()), self.pixels + error.size
        self.still += float(np.linalg.norm(truth, axis=-1)[on].sum())

    def scores(self) -> dict[str, float]:
        """``epe_person``, ``epe_frame``, and ``epe_zero``: the error on the person of saying that nothing moves."""
        if not self.person_pixels:
            return {}
        n = self.person_pixels
        return {"epe_person": self.person / n, "epe_frame": self.frame / self.pixels, "epe_zero": self.still / n}


@dataclass
class Backgrounds:
    """Mean over clips of the PSNR of the background, in dB, peak 255, over all pixels, at most 100."""

    values: list[float] = field(default_factory=list)

    def add(self, found: Bytes, truth: Bytes) -> None:
        """Adds one ``(H, W, 3)`` background."""
        error = float(((found.astype(np.float64) - truth) ** 2).mean())
        self.values.append(min(CAP, 10 * np.log10(255**2 / error)) if error else CAP)

    def scores(self) -> dict[str, float]:
        """``psnr_db``."""
        return {"psnr_db": float(np.mean(self.values))} if self.values else {}
