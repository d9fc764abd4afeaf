"""What travels from the data to a method: ``Appearance``, ``Motion`` and ``MotionBatch``.

Shapes, ranges and units are stated here and nowhere else. B is the batch, T the frames of a window, N the
appearance frames, J the joints of a skeleton.

- Images are RGB ``(B, T, 3, H, W)``: ``uint8`` in [0, 255] while they travel, ``float32`` in [-1, 1] after
  :meth:`MotionBatch.as_float`, which a :class:`motioncopy.method.Stage` calls on its device.
- Masks are ``(B, T, 1, H, W)``: ``uint8`` in [0, 255] while they travel, ``float32`` in [0, 1] afterwards.
- Parsing is ``(B, T, 1, H, W)`` ``uint8`` labels of :data:`PARSING_CLASSES`.
- Joints are ``(B, T, J, 3)`` ``float32``: x and y in pixels of the images, confidence in [0, 1] (0: absent).
- Flow is ``(B, T, 2, H, W)`` ``float32`` pixels (x, y): ``flow[:, t]`` maps frame t onto frame t-1 (where the
  pixel was); the first of a clip is zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import torch
from torch import Tensor

from motioncopy.errors import BatchError
from motioncopy.skeletons import skeleton

#: REMOT's six human parsing classes (section 3.2); the index is the label.
PARSING_CLASSES = ("background", "head", "top", "bottom", "shoes", "limbs")
#: Groups of joints beside the body's, which data may lack.
GROUPS = ("hand_left", "hand_right", "face")


def _check_shape(owner: str, name: str, value: Tensor, expected: tuple[int | str, ...]) -> None:
    wrong = value.ndim != len(expected) or any(
        isinstance(e, int) and e != n for e, n in zip(expected, value.shape, strict=True)
    )
    if wrong:
        raise BatchError(
            f"{owner}.{name} has the wrong shape",
            expected="(" + ", ".join(map(str, expected)) + ")",
            found=tuple(value.shape),
        )


def _check_range(owner: str, name: str, value: Tensor, low: float, high: float) -> None:
    # Reading a value back from a GPU would make the host wait at every batch: values are checked where they
    # are made, which is on the CPU.
    if value.device.type != "cpu" or value.numel() == 0:
        return
    least, most = value.aminmax()
    if not (least >= low - 1e-4 and most <= high + 1e-4):  # written so that NaN is refused
        raise BatchError(
            f"{owner}.{name} has values out of range",
            expected=f"[{low:g}, {high:g}]",
            found=f"[{least.item():g}, {most.item():g}]",
        )


def _check_image(owner: str, name: str, value: Tensor, expected: tuple[int | str, ...], low: float) -> None:
    _check_shape(owner, name, value, expected)
    if value.dtype == torch.uint8:
        return
    if not value.dtype.is_floating_point:
        raise BatchError(f"{owner}.{name} has the wrong type", expected="uint8 or floating point", found=value.dtype)
    _check_range(owner, name, value, low, 1.0)


def _check_joints(owner: str, name: str, value: Tensor, expected: tuple[int | str, ...]) -> None:
    _check_shape(owner, name, value, expected)
    if not value.dtype.is_floating_point:
        raise BatchError(f"{owner}.{name} has the wrong type", expected="floating point", found=value.dtype)
    _check_range(owner, f"{name}[..., 2] (confidence)", value[..., 2], 0.0, 1.0)
    if value.device.type == "cpu" and not torch.isfinite(value[..., :2]).all():
        raise BatchError(f"{owner}.{name} has coordinates that are not finite", remedy="set confidence and x, y to 0")


@dataclass(frozen=True)
class Tensors:
    """Moves, pins and joins dataclasses whose fields are tensors, such dataclasses, or plain values."""

    def map(self, change: Any) -> Self:
        """Every tensor changed, by a function of tensors that leaves the rest of them in order: nothing is checked."""
        new: dict[str, Any] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, Tensor):
                new[f.name] = change(value)
            elif isinstance(value, Tensors):
                new[f.name] = value.map(change)
        # Values were checked when they were made; moving them changes neither shape nor range.
        moved = object.__new__(type(self))
        for f in fields(self):
            object.__setattr__(moved, f.name, new.get(f.name, getattr(self, f.name)))
        return moved

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Moves every tensor, with the arguments of ``Tensor.to`` (a dtype would also change the uint8 fields)."""
        return self.map(lambda t: t.to(*args, **kwargs))

    def samples(self, start: int, stop: int) -> Self:
        """The samples ``start`` to ``stop`` (exclusive) of a batch; their tensors are views."""
        part = object.__new__(type(self))
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, Tensor) or f.metadata.get("per_sample"):
                value = value[start:stop]
            elif isinstance(value, Tensors):
                value = value.samples(start, stop)
            object.__setattr__(part, f.name, value)
        return part

    def pin_memory(self) -> Self:
        """Copies every tensor to page-locked memory."""
        return self.map(lambda t: t.pin_memory())

    @classmethod
    def collate(cls, samples: Sequence[Self]) -> Self:
        """Joins samples along the batch dimension.

        Raises:
            BatchError: If there is no sample, or a field is present in some only, or differs where it must not.
        """
        if not samples:
            raise BatchError(f"cannot collate an empty list of {cls.__name__}")
        new: dict[str, Any] = {}
        for f in fields(cls):
            values = [getattr(s, f.name) for s in samples]
            first = values[0]
            if any((v is None) != (first is None) for v in values):
                raise BatchError(
                    f"{cls.__name__}.{f.name} is present in some samples only",
                    remedy="batch clips that were prepared with the same parts",
                )
            if isinstance(first, Tensor):
                if len({v.shape[1:] for v in values}) > 1:
                    raise BatchError(
                        f"{cls.__name__}.{f.name} differs in shape between samples",
                        expected=tuple(first.shape[1:]),
                        found=sorted({tuple(v.shape[1:]) for v in values}),
                    )
                new[f.name] = torch.cat(values)
            elif isinstance(first, Tensors):
                new[f.name] = type(first).collate(values)
            elif f.metadata.get("per_sample"):
                new[f.name] = tuple(x for v in values for x in v)
            else:
                if any(v != first for v in values):
                    raise BatchError(f"{cls.__name__}.{f.name} differs between samples", found=values)
                new[f.name] = first
        return cls(**new)


def _placing(boxes: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Corner of each window and pixels seen through it per pixel of the frame, ``(B, T, 1, 2)`` (x, y)."""
    corner = boxes[..., :2].float()
    sides = boxes[..., 2:].float() - corner
    return corner[:, :, None], (sides.new_tensor(size[::-1]) / sides)[:, :, None]


def _per_sample() -> Any:
    return field(default=(), metadata={"per_sample": True})


@dataclass(frozen=True)
class Motion(Tensors):
    """The joints that drive the frames of a window.

    Attributes:
        joints: ``(B, T, J, 3)``, of the skeleton named ``skeleton``.
        skeleton: A name of :mod:`motioncopy.skeletons`.
        size: (height, width) of the images whose pixels the joints are given in.
        hand_left: ``(B, T, 21, 3)``, OpenPose order, or ``None`` where the data has no hands at all.
        hand_right: The same for the right hand.
        face: ``(B, T, 70, 3)``, OpenPose order, or ``None``.
        boxes: ``(B, T, 4)``: where in the frame the images lie whose pixels these are, if they follow the person; see
            :mod:`motioncopy.crops`.
    """

    joints: Tensor
    skeleton: str
    size: tuple[int, int]
    hand_left: Tensor | None = None
    hand_right: Tensor | None = None
    face: Tensor | None = None
    boxes: Tensor | None = None

    def __post_init__(self) -> None:
        batch, frames = (*self.joints.shape[:2], "T")[:2] if self.joints.ndim >= 2 else ("B", "T")
        _check_joints("Motion", "joints", self.joints, ("B", "T", len(skeleton(self.skeleton)), 3))
        for name, count in (("hand_left", 21), ("hand_right", 21), ("face", 70)):
            value = getattr(self, name)
            if value is not None:
                _check_joints("Motion", name, value, (batch, frames, count, 3))
        if self.boxes is not None:
            _check_shape("Motion", "boxes", self.boxes, (batch, frames, 4))

    def __len__(self) -> int:
        """Number of frames T."""
        return int(self.joints.shape[1])

    def frames(self, start: int, stop: int) -> Motion:
        """The frames ``start`` to ``stop`` (exclusive), as views."""
        return self.map(lambda t: t[:, start:stop])

    def through(self, boxes: Tensor, size: tuple[int, int]) -> Motion:
        """The same joints as windows on the frame show them.

        Args:
            boxes: ``(B, T, 4)``; see :mod:`motioncopy.crops`.
            size: (height, width) of what is seen through each.
        """
        corner, scale = _placing(boxes, size)
        if self.boxes is not None:
            own_corner, own_scale = _placing(self.boxes, self.size)
            corner, scale = (corner - own_corner) * own_scale, scale / own_scale

        def seen(joints: Tensor | None) -> Tensor | None:
            if joints is None:
                return None
            places = (joints[..., :2] + 0.5 - corner) * scale - 0.5  # + 0.5: a pixel's middle
            return torch.cat([places.where(joints[..., 2:] > 0, places.new_zeros(())), joints[..., 2:]], dim=-1)

        groups = {name: seen(getattr(self, name)) for name in ("joints", *GROUPS)}
        return replace(self, **groups, size=size, boxes=boxes)  # type: ignore[arg-type]

    def flatten(self) -> Motion:
        """Every frame as a sample of its own: B * T samples of one frame."""
        return self.map(lambda t: t.flatten(0, 1)[:, None])

    def then(self, other: Motion) -> Motion:
        """The frames of ``other`` behind these; hands and face only where both have them.

        Raises:
            BatchError: If the two are of different skeletons or sizes.
        """
        if (self.skeleton, self.size) != (other.skeleton, other.size):
            raise BatchError(
                "motions of different skeletons or image sizes cannot follow one another",
                expected=(self.skeleton, self.size),
                found=(other.skeleton, other.size),
            )
        joined = {
            name: torch.cat((mine, theirs), dim=1)
            for name in ("joints", *GROUPS, "boxes")
            if (mine := getattr(self, name)) is not None and (theirs := getattr(other, name)) is not None
        }
        return Motion(skeleton=self.skeleton, size=self.size, **joined)


@dataclass(frozen=True)
class Appearance(Tensors):
    """Who is shown: one or more frames of the person, where they stand in them, and the place without them.

    Attributes:
        images: ``(B, N, 3, H, W)``.
        mask: ``(B, N, 1, H, W)``, 1 on the person.
        motion: Joints of those N frames.
        background: ``(B, 3, H, W)``, the person removed.
        parsing: ``(B, N, 1, H, W)`` labels, or ``None``.
        person: Who it is, one name a sample.
        place: ``(B, 3, H', W')``: the background of the whole frame, where images show a window on it.
    """

    images: Tensor
    mask: Tensor
    motion: Motion
    background: Tensor
    parsing: Tensor | None = None
    person: tuple[str, ...] = _per_sample()
    place: Tensor | None = None

    def __post_init__(self) -> None:
        _check_image("Appearance", "images", self.images, ("B", "N", 3, "H", "W"), -1.0)
        b, n, _, h, w = self.images.shape
        _check_image("Appearance", "mask", self.mask, (b, n, 1, h, w), 0.0)
        _check_image("Appearance", "background", self.background, (b, 3, h, w), -1.0)
        _check_shape("Appearance", "motion.joints", self.motion.joints, (b, n, "J", 3))
        if self.motion.size != (h, w):
            raise BatchError("Appearance.motion.size differs from the images", expected=(h, w), found=self.motion.size)
        if self.parsing is not None:
            _check_shape("Appearance", "parsing", self.parsing, (b, n, 1, h, w))
        if len(self.person) != b:
            raise BatchError("Appearance.person must name every sample", expected=f"{b} names", found=self.person)

    def as_float(self) -> Appearance:
        """Images and background to float32 in [-1, 1], the mask to float32 in [0, 1]."""
        place = None if self.place is None else _signed(self.place)
        return replace(
            self, images=_signed(self.images), background=_signed(self.background), mask=_unit(self.mask), place=place
        )


@dataclass(frozen=True)
class MotionBatch(Tensors):
    """One training or validation batch: whom to show, what to do, and the true frames.

    Attributes:
        appearance: See :class:`Appearance`.
        motion: T driving frames.
        images: ``(B, T, 3, H, W)``, the true frames.
        mask: ``(B, T, 1, H, W)``, 1 on the person.
        frames: ``(B, T)`` int64, the frame numbers within the clip (repeated where a window is padded).
        clip: The clip's id, one a sample.
        sample: ``"<clip>/<first>"`` or alike, one a sample: names the window for logs and for resuming.
        parsing: ``(B, T, 1, H, W)`` labels, or ``None``.
        flow: ``(B, T, 2, H, W)``, or ``None``.
    """

    appearance: Appearance
    motion: Motion
    images: Tensor
    mask: Tensor
    frames: Tensor
    clip: tuple[str, ...] = _per_sample()
    sample: tuple[str, ...] = _per_sample()
    parsing: Tensor | None = None
    flow: Tensor | None = None

    def __post_init__(self) -> None:
        _check_image("MotionBatch", "images", self.images, ("B", "T", 3, "H", "W"), -1.0)
        b, t, _, h, w = self.images.shape
        _check_image("MotionBatch", "mask", self.mask, (b, t, 1, h, w), 0.0)
        _check_shape("MotionBatch", "motion.joints", self.motion.joints, (b, t, "J", 3))
        _check_shape("MotionBatch", "frames", self.frames, (b, t))
        _check_shape("MotionBatch", "appearance.images", self.appearance.images, (b, "N", 3, h, w))
        if self.motion.size != (h, w):
            raise BatchError("MotionBatch.motion.size differs from the images", expected=(h, w), found=self.motion.size)
        if self.parsing is not None:
            _check_shape("MotionBatch", "parsing", self.parsing, (b, t, 1, h, w))
        if self.flow is not None:
            _check_shape("MotionBatch", "flow", self.flow, (b, t, 2, h, w))
        for name in ("clip", "sample"):
            if len(getattr(self, name)) != b:
                raise BatchError(f"MotionBatch.{name} must name every sample", expected=f"{b} names")

    def __len__(self) -> int:
        """Number of samples B."""
        return int(self.images.shape[0])

    def as_float(self) -> MotionBatch:
        """Images to float32 in [-1, 1], masks to float32 in [0, 1]; does nothing where that is done already."""
        return replace(
            self,
            appearance=self.appearance.as_float(),
            images=_signed(self.images),
            mask=_unit(self.mask),
        )


def _signed(image: Tensor) -> Tensor:
    return image.float().div_(127.5).sub_(1.0) if image.dtype == torch.uint8 else image


def _unit(mask: Tensor) -> Tensor:
    return mask.float().div_(255.0) if mask.dtype == torch.uint8 else mask


def to_uint8(images: Tensor) -> Tensor:
    """Rounds images in [-1, 1] to what a video file would hold.

    Args:
        images: Any shape, floating point; values beyond [-1, 1] are clipped.

    Returns:
        The same shape, uint8 in [0, 255].
    """
    return images.float().add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
