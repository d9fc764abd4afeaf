"""Thick segments on a canvas: anti-aliased polygons by OpenCV on a CPU, distances in torch elsewhere.

Both backends follow one convention: a stroke covers a pixel by how deep the pixel's centre lies inside the
stroke's outline, softened over about one pixel. OpenCV's anti-aliased polygons are half covered 0.66 px beyond
the outline that they are given (measured with OpenCV 5.0), so they are given one that much smaller; torch uses
the logistic curve that fits OpenCV's edge. The backends then differ on edge pixels only; the drawings that are
built on them state by how much.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motioncopy.errors import BatchError, ConfigError
from motioncopy.skeletons import Skeleton

#: ``auto`` is OpenCV for tensors on a CPU and torch for all others.
Backend = Literal["auto", "opencv", "torch"]
Size = tuple[int, int]

_SHIFT = 4  # fractional bits of OpenCV's coordinates
_SOFT_REACH = 0.66  # px by which OpenCV's anti-aliased polygons exceed their outline (half coverage)
_HARD_REACH = 0.5  # the same for polygons without anti-aliasing
_SHARPNESS = 5.4  # of the logistic edge, per px; fits OpenCV's profile
_FAR = 2.0**15  # px; joints farther out than that are moved to there, so that fixed-point numbers hold them
_THINNEST = 1.0  # px of half width: OpenCV draws both edges of a thinner polygon over one another
_CAP_POINTS = 7  # of a round end
_ELLIPSE_POINTS = 24
_CHUNK = 2**25  # elements of the largest temporary of the torch backend (128 MiB)


def default_width(size: Size) -> int:
    """Stick width in pixels: 3 at a longer side of 256 (as C2F-FWN draws), in proportion, at least 2.

    Example:
        >>> from motioncopy.poses.raster import default_width
        >>> default_width((256, 256)), default_width((512, 384))
        (3, 6)
    """
    return max(2, round(3 * max(size) / 256))


def check_joints(joints: Tensor, skeleton: Skeleton) -> None:
    """Raises ``BatchError`` unless the joints are floating point of shape ``(..., J, 3)`` of the skeleton.

    Example:
        >>> import torch
        >>> from motioncopy.poses.raster import check_joints
        >>> from motioncopy.skeletons import BODY25
        >>> check_joints(torch.zeros(4, 25, 3), BODY25)
    """
    if joints.shape[-2:] != (len(skeleton), 3) or not joints.dtype.is_floating_point:
        raise BatchError(
            f"joints do not fit skeleton {skeleton.name}",
            expected=f"floating point (..., {len(skeleton)}, 3)",
            found=f"{joints.dtype} {tuple(joints.shape)}",
        )


@dataclass(frozen=True)
class Strokes:
    """S strokes in each of N figures, to be drawn in their order.

    Attributes:
        start: ``(N, S, 2)``, pixels.
        end: ``(N, S, 2)``, pixels.
        visible: ``(N, S)`` bool.
        half_width: ``(S,)``, pixels; less than 1 is drawn as 1.
        ellipse: Whether a stroke is the ellipse with the segment as its long axis, instead of all points within
            ``half_width`` of the segment.

    Example:
        >>> import torch
        >>> from motioncopy.poses.raster import Strokes
        >>> joints = torch.tensor([[[1.0, 4.0, 1.0], [6.0, 4.0, 1.0]]])
        >>> strokes = Strokes.between(joints, [(0, 1)], half_width=1.0)
        >>> len(strokes), strokes.visible
        (1, tensor([[True]]))
    """

    start: Tensor
    end: Tensor
    visible: Tensor
    half_width: Tensor
    ellipse: bool = False

    @classmethod
    def between(
        cls, joints: Tensor, limbs: Sequence[tuple[int, int]], half_width: float, *, ellipse: bool = False
    ) -> Strokes:
        """Strokes along limbs; one is visible where both its joints are there.

        Args:
            joints: ``(N, J, 3)``, any floating type and device.
            limbs: Pairs of joint indices; twice the same index is a dot.
            half_width: Pixels.
            ellipse: See the class.
        """
        joints = joints.detach().float()
        first, second = torch.tensor(limbs, dtype=torch.int64, device=joints.device).reshape(-1, 2).unbind(dim=1)
        present = (joints[..., 2] > 0) & joints.isfinite().all(dim=-1)
        points = joints[..., :2].nan_to_num().clamp(-_FAR, _FAR)
        return cls(
            start=points[:, first],
            end=points[:, second],
            visible=present[:, first] & present[:, second],
            half_width=torch.full((len(limbs),), float(half_width), device=joints.device),
            ellipse=ellipse,
        )

    @classmethod
    def join(cls, parts: Sequence[Strokes]) -> Strokes:
        """All strokes of several parts, drawn one part after the other; all of one kind."""
        return cls(
            torch.cat([p.start for p in parts], dim=1),
            torch.cat([p.end for p in parts], dim=1),
            torch.cat([p.visible for p in parts], dim=1),
            torch.cat([p.half_width for p in parts]),
            parts[0].ellipse,
        )

    def __len__(self) -> int:
        """Number of figures N."""
        return int(self.start.shape[0])

    def chunks(self, size: Size) -> list[Strokes]:
        """Parts of so few figures that ``(n, S, H, W)`` stays within the memory bound."""
        per_figure = max(1, self.start.shape[1] * size[0] * size[1])
        step = max(1, _CHUNK // per_figure)
        return [
            Strokes(self.start[i : i + step], self.end[i : i + step], self.visible[i : i + step], self.half_width,
                    self.ellipse)
            for i in range(0, len(self), step)
        ]  # fmt: skip


def uses_opencv(strokes: Strokes, backend: Backend) -> bool:
    """Whether this backend draws these strokes with OpenCV.

    Raises:
        ConfigError: If the backend is unknown, or is OpenCV and the joints are not on a CPU.

    Example:
        >>> import torch
        >>> from motioncopy.poses.raster import Strokes, uses_opencv
        >>> strokes = Strokes.between(torch.zeros(1, 2, 3), [(0, 1)], half_width=1.0)
        >>> uses_opencv(strokes, "auto"), uses_opencv(strokes, "torch")
        (True, False)
    """
    on_cpu = strokes.start.device.type == "cpu"
    if backend not in ("auto", "opencv", "torch"):
        raise ConfigError(f"unknown drawing backend {backend!r}", expected="auto, opencv or torch")
    if backend == "opencv" and not on_cpu:
        raise ConfigError("OpenCV draws on a CPU only", found=strokes.start.device, remedy='use backend="auto"')
    return backend != "torch" and on_cpu


def paint(strokes: Strokes, colours: Tensor, size: Size, *, background: int, backend: Backend = "auto") -> Tensor:
    """Paints strokes over one another.

    Args:
        strokes: Of N figures.
        colours: ``(S, 3)`` uint8, RGB.
        size: (height, width).
        background: Grey value in [0, 255].
        backend: See :data:`Backend`.

    Returns:
        ``(N, 3, H, W)`` float32 in [-1, 1].

    Example:
        >>> import torch
        >>> from motioncopy.poses.raster import Strokes, paint
        >>> joints = torch.tensor([[[1.0, 4.0, 1.0], [6.0, 4.0, 1.0]]])
        >>> strokes = Strokes.between(joints, [(0, 1)], half_width=1.0)
        >>> picture = paint(strokes, torch.tensor([[255, 0, 0]], dtype=torch.uint8), (8, 8), background=0)
        >>> picture[0, :, 4, 4], picture[0, :, 0, 0]  # red, black
        (tensor([ 0.9451, -1.0000, -1.0000]), tensor([-1., -1., -1.]))
    """
    if not uses_opencv(strokes, backend):
        parts = [_blend(_coverage(part, size), colours, background) for part in strokes.chunks(size)]
        return torch.cat(parts) if parts else strokes.start.new_zeros(0, 3, *size)
    canvases = np.full((len(strokes), *size, 3), background, np.uint8)
    tuples = [tuple(colour) for colour in colours.tolist()]
    for canvas, outlines, numbers in _figures(strokes, size, _SOFT_REACH, canvases):
        for s in numbers:
            cv2.fillConvexPoly(canvas, outlines[s], tuples[s], cv2.LINE_AA, _SHIFT)
    return torch.from_numpy(canvases).permute(0, 3, 1, 2).contiguous().float().div_(127.5).sub_(1.0)


def masks(strokes: Strokes, size: Size, *, backend: Backend = "auto") -> Tensor:
    """How far each stroke covers each pixel, a channel a stroke.

    Returns:
        ``(N, S, H, W)`` float32 in [0, 1].

    Example:
        >>> import torch
        >>> from motioncopy.poses.raster import Strokes, masks
        >>> joints = torch.tensor([[[1.0, 4.0, 1.0], [6.0, 4.0, 1.0]]])
        >>> masks(Strokes.between(joints, [(0, 1)], half_width=1.0), (8, 8))[0, 0, ::4, 4]
        tensor([0.0000, 0.9725])
    """
    if not uses_opencv(strokes, backend):
        parts = [_coverage(part, size) for part in strokes.chunks(size)]
        return torch.cat(parts) if parts else strokes.start.new_zeros(0, strokes.start.shape[1], *size)
    canvases = np.zeros((len(strokes), strokes.start.shape[1], *size), np.uint8)
    for canvas, outlines, numbers in _figures(strokes, size, _SOFT_REACH, canvases):
        for s in numbers:
            cv2.fillConvexPoly(canvas[s], outlines[s], 255, cv2.LINE_AA, _SHIFT)
    return torch.from_numpy(canvases).float().div_(255.0)


def labels(strokes: Strokes, size: Size, *, backend: Backend = "auto") -> Tensor:
    """Which stroke lies on top of each pixel, with hard edges.

    Returns:
        ``(N, H, W)`` int64: 0 where there is none, s + 1 for stroke s.

    Example:
        >>> import torch
        >>> from motioncopy.poses.raster import Strokes, labels
        >>> joints = torch.tensor([[[1.0, 4.0, 1.0], [6.0, 4.0, 1.0]]])
        >>> labels(Strokes.between(joints, [(0, 1)], half_width=1.0), (8, 8))[0, ::4, 4]
        tensor([0, 1])
    """
    if not uses_opencv(strokes, backend):
        number = torch.arange(1, strokes.start.shape[1] + 1, device=strokes.start.device)[:, None, None]
        parts = [(number * _inside(part, size)).amax(dim=1) for part in strokes.chunks(size)]
        return torch.cat(parts) if parts else torch.zeros(0, *size, dtype=torch.int64, device=strokes.start.device)
    canvases = np.zeros((len(strokes), *size), np.uint8)
    for canvas, outlines, numbers in _figures(strokes, size, _HARD_REACH, canvases):
        for s in numbers:
            cv2.fillConvexPoly(canvas, outlines[s], int(s) + 1, cv2.LINE_8, _SHIFT)
    return torch.from_numpy(canvases).long()


def _axes(strokes: Strokes) -> tuple[Tensor, Tensor, Tensor]:
    """Middle (N, S, 2), half length (N, S) and direction (N, S, 2) of each stroke."""
    along = (strokes.end - strokes.start) / 2
    half = torch.linalg.vector_norm(along, dim=-1)
    # A dot has no direction; any will do.
    direction = torch.where(half[..., None] > 0, along / half.clamp_min(1e-6)[..., None], along.new_tensor([1.0, 0.0]))
    return (strokes.start + strokes.end) / 2, half, direction


def _figures(
    strokes: Strokes, size: Size, reach: float, canvases: NDArray[np.uint8]
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.intp]]]:
    """For each figure: its canvas, its outlines (S, K, 2) in OpenCV's fixed point, the strokes to draw in order."""
    middle, half, direction = _axes(strokes)
    radius = strokes.half_width.clamp_min(_THINNEST) - reach
    if strokes.ellipse:
        angle = torch.linspace(0, 2 * torch.pi, _ELLIPSE_POINTS + 1)[:-1]
        x = (half.clamp_min(_THINNEST) - reach)[..., None] * angle.cos()
    else:
        right = torch.linspace(-torch.pi / 2, torch.pi / 2, _CAP_POINTS)
        angle = torch.cat([right, right + torch.pi])
        side = torch.tensor([1.0, -1.0]).repeat_interleave(_CAP_POINTS)
        x = half[..., None] * side + radius[:, None] * angle.cos()
    y = (radius[:, None] * angle.sin()).expand_as(x)
    along, across = direction, torch.stack([-direction[..., 1], direction[..., 0]], dim=-1)
    outline = middle[..., None, :] + x[..., None] * along[..., None, :] + y[..., None] * across[..., None, :]
    limit = outline.new_tensor([size[1], size[0]])
    inside = (outline.amax(dim=-2) > -2) & (outline.amin(dim=-2) < limit + 2)
    drawn = (strokes.visible & inside.all(dim=-1)).numpy()
    fixed = (outline * 2**_SHIFT).round().int().numpy()
    for n in range(len(strokes)):
        yield canvases[n], fixed[n], np.flatnonzero(drawn[n])


def _distance(strokes: Strokes, size: Size) -> Tensor:
    """Signed distance of every pixel's centre to every outline, (N, S, H, W); negative inside."""
    middle, half, direction = (t[..., None, None] for t in _axes(strokes))
    device = strokes.start.device
    x = torch.arange(size[1], device=device, dtype=torch.float32) - middle[:, :, 0]
    y = torch.arange(size[0], device=device, dtype=torch.float32)[:, None] - middle[:, :, 1]
    along = x * direction[:, :, 0] + y * direction[:, :, 1]
    across = y * direction[:, :, 0] - x * direction[:, :, 1]
    width = strokes.half_width.clamp_min(_THINNEST)[:, None, None]
    if not strokes.ellipse:
        return torch.hypot((along.abs() - half).clamp_min(0.0), across) - width
    length = half.clamp_min(_THINNEST)
    # First order: f / |f'| with f = |(along / length, across / width)| - 1, bounded where f' vanishes.
    level = torch.hypot(along / length, across / width)
    slope = torch.hypot(along / length**2, across / width**2) / level.clamp_min(1e-6)
    return (level - 1) / slope.maximum(1 / torch.maximum(length, width))


def _coverage(strokes: Strokes, size: Size) -> Tensor:
    soft = torch.sigmoid(_distance(strokes, size).mul_(-_SHARPNESS))
    return soft * strokes.visible[..., None, None]


def _inside(strokes: Strokes, size: Size) -> Tensor:
    return (_distance(strokes, size) <= 0) & strokes.visible[..., None, None]


def _blend(coverage: Tensor, colours: Tensor, background: int) -> Tensor:
    """Lays strokes over one another: the share of stroke s is what it covers times what later ones leave open."""
    open_from = torch.flip(torch.cumprod(torch.flip(1 - coverage, [1]), dim=1), [1])
    open_after = torch.cat([open_from[:, 1:], torch.ones_like(open_from[:, :1])], dim=1)
    palette = colours.to(coverage.device, torch.float32) / 127.5 - 1.0
    share = coverage * open_after
    # Sums and not a matrix product: that would be rounded under autocast or TF32.
    painted = torch.stack([(share * shade[:, None, None]).sum(dim=1) for shade in palette.unbind(dim=1)], dim=1)
    return painted.add_(open_from[:, :1] * (background / 127.5 - 1.0)).clamp_(-1.0, 1.0)
