"""Prepared clips as a request sees them: excerpts, crops and sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from motioncopy.batch import GROUPS, Appearance, Motion
from motioncopy.crops import window_size, windows
from motioncopy.errors import DataError
from motioncopy.footage.clips.clip import Clip
from motioncopy.request import DataRequest, Follow
from motioncopy.skeletons import skeleton

Box = tuple[int, int, int, int]
_KEPT_PIXELS = 30_000_000  # 120 MB of images and masks a view


@dataclass(frozen=True)
class Excerpt:
    """Frames ``start`` to ``stop`` (exclusive) of a prepared clip.

    Attributes:
        clip: The clip.
        start: First frame.
        stop: One past the last frame.
        background: ``(H, W, 3)`` uint8 if the clip's own must not be used (it can have seen test frames).
    """

    clip: Clip
    start: int
    stop: int
    background: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        """Number of frames."""
        return self.stop - self.start

    @property
    def place(self) -> NDArray[np.uint8]:
        """The background without the person, ``(H, W, 3)`` uint8."""
        return self.clip.background if self.background is None else self.background


def person_box(excerpts: Sequence[Excerpt], image_size: tuple[int, int], *, margin: float = 0.12) -> Box:
    """The smallest box of the image's aspect ratio around all that the person covers.

    Args:
        excerpts: Training frames of one camera: test frames must not move the crop.
        image_size: (height, width); gives the aspect ratio.
        margin: Added on every side, as a share of the covered height: held-out motion can reach further.

    Returns:
        (left, top, right, bottom) in pixels; it can reach beyond the frame.

    Raises:
        DataError: If no frame shows a person.
    """
    total = sum(len(e) for e in excerpts)
    step = max(1, total // 120)
    masks = np.concatenate([e.clip.mask(range(e.start, e.stop, step)) for e in excerpts])
    # A pixel that belongs to the person in one frame of two hundred is noise of the segmentation.
    often = (masks > 127).mean(axis=0) > 0.005
    rows, columns = np.flatnonzero(often.any(axis=1)), np.flatnonzero(often.any(axis=0))
    if len(rows) == 0:
        names = ", ".join(e.clip.id for e in excerpts)
        raise DataError(f"clip {names} shows no person", remedy="check it with `motioncopy check`")
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    pad = margin * (bottom - top)
    height, width = bottom - top + 2 * pad, right - left + 2 * pad
    aspect = image_size[1] / image_size[0]
    height, width = max(height, width / aspect), max(width, height * aspect)
    full_height, full_width = excerpts[0].clip.size
    y0 = _inside((top + bottom) / 2 - height / 2, height, full_height)
    x0 = _inside((left + right) / 2 - width / 2, width, full_width)
    return round(x0), round(y0), round(x0) + max(1, round(width)), round(y0) + max(1, round(height))


def person_window(excerpts: Sequence[Excerpt], follow: Follow, image_size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of the window that follows a person through these frames of one camera, in pixels."""
    joints = np.concatenate([e.clip.joints[e.start : e.stop] for e in excerpts]).astype(np.float32)
    body = skeleton(excerpts[0].clip.skeleton)
    return window_size(torch.from_numpy(joints), body, follow, image_size[1] / image_size[0])


def _inside(start: float, length: float, full: int) -> float:
    if length >= full:
        return (full - length) / 2
    return min(max(start, 0.0), full - length)


class View:
    """An excerpt as one request sees it: cropped and resized.

    Args:
        excerpt: The frames.
        request: Size and crop.
        box: The crop, or ``None`` to take the request's rule on this excerpt.
        window: (height, width) in the clip's pixels of the window that follows the person; by default from this
            excerpt alone.
    """

    def __init__(
        self,
        excerpt: Excerpt,
        request: DataRequest,
        box: Box | None = None,
        *,
        window: tuple[int, int] | None = None,
    ) -> None:
        self.excerpt, self.clip, self.size = excerpt, excerpt.clip, request.image_size
        height, width = self.clip.size
        if box is None:
            box = person_box([excerpt], self.size) if request.crop == "person" else (0, 0, width, height)
        self.box = box
        self.request, self._window = request, window
        self._kept: dict[tuple[str, int], NDArray[np.uint8]] = {}

    def through(self, frame: int, *, jitter: np.random.Generator | None = None) -> View:
        """The excerpt through the window that follows the person, as it lies in a frame; itself for other crops.

        Args:
            frame: Of the clip.
            jitter: Moves the window at random.
        """
        if (follow := self.request.follow) is None:
            return self
        left, top, right, bottom = self._boxes[frame - self.excerpt.start].tolist()
        if jitter is not None:
            by = jitter.uniform(-follow.jitter, follow.jitter, 2) * (right - left, bottom - top)
            x, y = (round(v) for v in by.tolist())
            left, top, right, bottom = left + x, top + y, right + x, bottom + y
        return View(self.excerpt, replace(self.request, crop="frame"), (left, top, right, bottom))

    @cached_property
    def _boxes(self) -> torch.Tensor:
        """Where the window lies in each frame of the excerpt."""
        follow = self.request.follow
        assert follow is not None
        joints = torch.from_numpy(self.clip.joints[self.excerpt.start : self.excerpt.stop].astype(np.float32))
        window = self._window or person_window([self.excerpt], follow, self.size)
        return windows(joints, window, follow)

    def _resize(self, images: NDArray[Any], *, nearest: bool = False) -> NDArray[Any]:
        left, top, right, bottom = self.box
        height, width = self.clip.size
        pads = max(0, -top), max(0, bottom - height), max(0, -left), max(0, right - width)
        out = []
        for image in images:
            part = image[max(0, top) : bottom, max(0, left) : right]
            if any(pads):
                part = cv2.copyMakeBorder(part, *pads, cv2.BORDER_REPLICATE)
            if part.shape[:2] != self.size:
                shrinks = part.shape[0] >= self.size[0]
                way = cv2.INTER_NEAREST if nearest else cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
                part = cv2.resize(part, self.size[::-1], interpolation=way)
            out.append(part)
        return np.stack(out)

    def chunk(self, start: int, stop: int) -> range:
        """Frames of the clip, given as counted from the excerpt's first."""
        return range(self.excerpt.start + start, min(self.excerpt.start + stop, self.excerpt.stop))

    def images(self, indices: Sequence[int]) -> torch.Tensor:
        """``(n, 3, H, W)`` uint8."""
        return torch.from_numpy(self._frames("images", indices).transpose(0, 3, 1, 2).copy())

    def mask(self, indices: Sequence[int]) -> torch.Tensor:
        """``(n, 1, H, W)`` uint8."""
        return torch.from_numpy(self._frames("mask", indices)[:, None])

    def _frames(self, part: str, indices: Sequence[int]) -> NDArray[np.uint8]:
        """Resized frames; kept, where the whole excerpt is small: resizing would cost more than reading."""
        if len(self.excerpt) * self.size[0] * self.size[1] > _KEPT_PIXELS:
            return self._resize(getattr(self.clip, part)(indices))
        missing = [i for i in dict.fromkeys(indices) if (part, i) not in self._kept]
        if missing:
            for i, frame in zip(missing, self._resize(getattr(self.clip, part)(missing)), strict=True):
                self._kept[part, i] = frame
        return np.stack([self._kept[part, i] for i in indices])

    def parsing(self, indices: Sequence[int]) -> torch.Tensor:
        """``(n, 1, H, W)`` uint8 labels."""
        return torch.from_numpy(self._resize(self.clip.parsing(indices), nearest=True)[:, None])

    def flow(self, indices: Sequence[int]) -> torch.Tensor:
        """``(n, 2, H, W)`` float32, in pixels of the resized image."""
        flow = self._resize(self.clip.flow(indices)) * np.asarray(self._scale, np.float32)
        return torch.from_numpy(flow.transpose(0, 3, 1, 2).copy())

    @cached_property
    def background(self) -> torch.Tensor:
        """``(3, H, W)`` uint8."""
        return torch.from_numpy(self._resize(self.excerpt.place[None])[0].transpose(2, 0, 1).copy())

    @property
    def _scale(self) -> tuple[float, float]:
        left, top, right, bottom = self.box
        return self.size[1] / (right - left), self.size[0] / (bottom - top)

    def motion(self, indices: Sequence[int] | NDArray[np.int64]) -> Motion:
        """B = 1 motion in pixels of the resized image."""
        indices = np.asarray(indices)
        groups = {g: self._place(a[indices]) for g in GROUPS if (a := getattr(self.clip, g)) is not None}
        return Motion(self._place(self.clip.joints[indices]), self.clip.skeleton, self.size, **groups)

    def _place(self, joints: NDArray[np.float32]) -> torch.Tensor:
        placed = joints.astype(np.float32, copy=True)
        # Pixel centres: x + 0.5 is where a pixel's middle lies in the frame.
        placed[..., :2] = (placed[..., :2] + 0.5 - self.box[:2]) * self._scale - 0.5
        placed[placed[..., 2] <= 0] = 0
        return torch.from_numpy(placed)[None]

    def appearance(self, indices: Sequence[int], person: str, *, parsing: bool = False) -> Appearance:
        """B = 1 appearance from these frames, with their parsing if asked for."""
        return Appearance(
            self.images(indices)[None],
            self.mask(indices)[None],
            self.motion(indices),
            self.background[None],
            parsing=self.parsing(indices)[None] if parsing else None,
            person=(person,),
        )

    @cached_property
    def confident(self) -> int:
        """The frame with the highest summed joint confidence (CPF-Net's rule), the earliest of several."""
        e = self.excerpt
        return e.start + int(self.clip.joints[e.start : e.stop, :, 2].sum(axis=1).argmax())
