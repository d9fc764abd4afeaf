"""Errors of joints, masks, labels, flow and backgrounds, over all frames at once: each pixel or joint counts once.

The definitions stand in the docstrings; the table repeats them. All give scores by name, and none where there was
nothing to measure.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from motioncopy.batch import PARSING_CLASSES
from motioncopy.metrics.psnr import CAP

Floats = NDArray[np.floating]
Bytes = NDArray[np.uint8]

#: PCK counts a joint that lies within this share of the person's size.
PCK_SHARE = 0.1


def joint_errors(found: Floats, truth: Floats) -> dict[str, float]:
    """Distances between ``(n, J, 3)`` found and true joints, in pixels; confidence 0 where none was found.

    A joint counts if its truth is *seen* (confidence 1: neither hidden nor outside the image) and the backend fills it
    at all. The person's size is the longer side of the box around all true joints of the frame.

    Returns:
        ``found`` and ``pck@0.1``, shares of all that count; ``error_px`` and ``error_share`` of the found ones.
    """
    placed = truth[..., 2:] > 0
    low, high = (
        way(np.where(placed, truth[..., :2], outside), axis=1) for way, outside in ((np.min, np.inf), (np.max, -np.inf))
    )
    size = np.maximum((high - low).max(axis=1), 1)
    filled = found[..., 2] > 0
    counts = (truth[..., 2] >= 1) & filled.any(axis=0)
    if not counts.any():
        return {}
    there = counts & filled
    pixels = np.linalg.norm(found[..., :2] - truth[..., :2], axis=-1)
    shares = (pixels / size[:, None])[there]
    scores = {"found": len(shares) / counts.sum(), "pck@0.1": (shares <= PCK_SHARE).sum() / counts.sum()}
    if len(shares):
        scores |= {"error_px": pixels[there].mean(), "error_share": shares.mean()}
    return {name: float(score) for name, score in scores.items()}


def overlap(found: Bytes, truth: Bytes) -> dict[str, float]:
    """``iou``, the intersection over union of ``(n, H, W)`` masks; a pixel belongs to the person from 128 on."""
    f, t = found >= 128, truth >= 128
    either = (f | t).sum()
    return {"iou": float((f & t).sum() / either)} if either else {}


def label_errors(found: Bytes, truth: Bytes) -> dict[str, float]:
    """Scores of ``(n, H, W)`` label images.

    Returns:
        ``miou``, the mean over the classes that occur of the IoU of each, the background among them; and ``person``,
        the share of the true person's pixels with the right label.
    """
    classes = len(PARSING_CLASSES)
    cells = truth.astype(np.int64).ravel() * classes + found.ravel()
    confusion = np.bincount(cells, minlength=classes**2).reshape(classes, classes)
    right = np.diag(confusion)
    either = confusion.sum(axis=0) + confusion.sum(axis=1) - right
    if not either.any():
        return {}
    person = confusion[1:].sum()
    scores = {"miou": float((right[either > 0] / either[either > 0]).mean())}
    return scores | ({"person": float(right[1:].sum() / person)} if person else {})


def end_point_errors(found: Floats, truth: Floats, mask: Bytes) -> dict[str, float]:
    """The mean length of the difference of ``(n, H, W, 2)`` flows, in pixels, with the true ``(n, H, W)`` mask.

    Returns:
        ``epe_person``, ``epe_frame``, and ``epe_zero``: the error on the person of saying that nothing moves.
    """
    on = mask >= 128
    if not on.any():
        return {}
    error = np.linalg.norm(found.astype(np.float64) - truth, axis=-1)
    still = np.linalg.norm(truth, axis=-1)[on].mean(dtype=np.float64)
    return {"epe_person": float(error[on].mean()), "epe_frame": float(error.mean()), "epe_zero": float(still)}


def background_errors(found: Bytes, truth: Bytes) -> dict[str, float]:
    """``psnr_db``, the mean over clips of the PSNR of ``(clips, H, W, 3)``, in dB, peak 255, at most 100."""
    return {"psnr_db": float(np.mean([min(CAP, cv2.PSNR(f, t)) for f, t in zip(found, truth, strict=True)]))}
