"""Pictures of what a prepared clip holds, to be looked at: joints, mask, labels, flow and background on the frames."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.pictures.sheets import contact_sheet, evenly_spaced, write_png
from motioncopy.footage.clips import Clip
from motioncopy.footage.video import VideoWriter
from motioncopy.skeletons import FACE70, HAND21, Skeleton, skeleton

Image = NDArray[np.uint8]

#: Longest side of a panel in pixels: clips of all sizes are drawn alike.
PANEL = 320
#: The colours of :data:`motioncopy.batch.PARSING_CLASSES`; the background stays as it is.
PALETTE = np.array([(0, 0, 0), (230, 60, 60), (60, 160, 240), (60, 200, 90), (240, 200, 40), (230, 120, 220)], np.uint8)
_LINE = (40, 255, 60)
_CHUNK = 16
# Drawing with a fraction of a pixel: OpenCV takes integers in units of 1/16.
_SHIFT = 4


def write_clip_pictures(clip: Clip, folder: Path, *, video: bool = False) -> list[Path]:
    """Writes ``folder/<clip's id>.png``, a sheet of evenly spaced frames, and on request an MP4 of all frames.

    Args:
        clip: Of any skeleton; parts that it lacks are left out.
        folder: Made if it is not there.
        video: Whether the video is made too.

    Returns:
        The files.

    Raises:
        ClipError: If the clip is damaged.
        RecordError: If the sheet cannot be written.
        VideoError: If the video cannot be written.
    """
    files = [write_png(clip_sheet(clip), folder / f"{clip.id}.png")]
    if video:
        files.append(folder / f"{clip.id}.mp4")
        frames = _frames(clip)
        first = next(frames)
        with VideoWriter(files[-1], clip.fps, first.shape[:2]) as writer:
            writer.write(first[None])
            for frame in frames:
                writer.write(frame[None])
    return files


def clip_sheet(clip: Clip, columns: int = 8) -> Image:
    """A contact sheet: a row for each part, a column for each of evenly spaced frames, and the background."""
    indices = evenly_spaced(len(clip), columns)
    rows: dict[str, Sequence[Image]] = dict(clip_panels(clip, indices))
    rows["background"] = [_panel(clip.background)]
    return contact_sheet(rows, columns=columns, numbers=indices)


def clip_panels(clip: Clip, indices: Sequence[int]) -> dict[str, list[Image]]:
    """For each part of a clip, its frames with that part drawn on them: RGB, :data:`PANEL` pixels long."""
    images = clip.images(indices)
    drawn = {
        "joints": [_with_joints(clip, image, i) for image, i in zip(images, indices, strict=True)],
        "mask": _each(_with_mask, images, clip.mask(indices)),
    }
    if "parsing" in clip.parts:
        drawn["parsing"] = _each(_with_labels, images, clip.parsing(indices))
    if "flow" in clip.parts:
        full = _fast(clip)
        drawn[f"flow ({full:.0f} px)"] = [_panel(flow_colours(f, full)) for f in clip.flow(indices)]
    return drawn


def flow_colours(flow: NDArray[np.float32], full: float) -> Image:
    """Flow ``(H, W, 2)`` as ``(H, W, 3)`` colours: the hue is its direction; at ``full`` pixels it is brightest."""
    length, angle = cv2.cartToPolar(flow[..., 0], flow[..., 1])
    hue = angle * (180 / (2 * np.pi))  # OpenCV's hues end at 180
    value = (length / full * 255).clip(0, 255)
    hsv = np.stack([hue.clip(0, 179), np.full_like(hue, 255), value], axis=-1).astype(np.uint8)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)


def _fast(clip: Clip) -> float:
    """The length of a clip's fastest flow in pixels, but for outliers, which would leave all the rest dark."""
    lengths = np.linalg.norm(clip.flow(evenly_spaced(len(clip), 8)), axis=-1)
    return max(1.0, float(np.percentile(lengths, 99.5)))


def _frames(clip: Clip) -> Iterator[Image]:
    """All frames of a clip, each with its panels side by side, of even width."""
    for start in range(0, len(clip), _CHUNK):
        drawn = clip_panels(clip, range(start, min(start + _CHUNK, len(clip))))
        for row in zip(*drawn.values(), strict=True):
            frame = np.concatenate(row, axis=1)
            yield frame[:, : frame.shape[1] // 2 * 2]


def _each(draw: Callable[[Image, Image], Image], images: Image, parts: Image) -> list[Image]:
    return [draw(image, part) for image, part in zip(images, parts, strict=True)]


def _with_joints(clip: Clip, image: Image, index: int) -> Image:
    panel = _panel(image)
    groups = [
        (skeleton(clip.skeleton), clip.joints, 2),
        (HAND21, clip.hand_left, 1),
        (HAND21, clip.hand_right, 1),
        (FACE70, clip.face, 1),
    ]
    for bones, joints, radius in groups:
        if joints is not None:
            _draw_joints(panel, bones, joints[index], PANEL / max(image.shape[:2]), radius)
    return panel


def _draw_joints(panel: Image, bones: Skeleton, joints: NDArray[np.float32], scale: float, radius: int) -> None:
    """Draws limbs in a colour each and joints in white; the less confident, the more transparent."""
    places = (((joints[:, :2] + 0.5) * scale - 0.5) * 2**_SHIFT).round().astype(int)
    places = places.clip(-(2**20), 2**20)  # far away is out of the picture, but an integer
    before = panel.copy()
    for k, (a, b) in enumerate(bones.limbs):
        confidence = float(min(joints[a, 2], joints[b, 2]))
        if confidence > 0:
            colour = tuple(int(255 * c) for c in colorsys.hsv_to_rgb(k / len(bones.limbs), 1, 1))
            cv2.line(panel, places[a].tolist(), places[b].tolist(), colour, radius, cv2.LINE_AA, _SHIFT)
            cv2.addWeighted(panel, confidence, before, 1 - confidence, 0, panel)
            before = panel.copy()
    for place, confidence in zip(places, joints[:, 2], strict=True):
        if confidence > 0:
            cv2.circle(panel, place.tolist(), radius << _SHIFT, (255, 255, 255), -1, cv2.LINE_AA, _SHIFT)
            cv2.addWeighted(panel, float(confidence), before, 1 - float(confidence), 0, panel)
            before = panel.copy()


def _with_mask(image: Image, mask: Image) -> Image:
    """The frame, dimmed off the person, and the person's outline."""
    dimmed = (image * (0.35 + 0.65 / 255 * mask[..., None])).astype(np.uint8)
    panel = _panel(dimmed)
    large = cv2.resize(mask, panel.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    outlines, _ = cv2.findContours((large > 127).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(panel, outlines, -1, _LINE, 1)
    return panel


def _with_labels(image: Image, labels: Image) -> Image:
    blend = np.where(labels[..., None] > 0, image * 0.35 + PALETTE[labels] * 0.65, image)
    return _panel(blend.astype(np.uint8))


def _panel(image: Image) -> Image:
    height, width = image.shape[:2]
    scale = PANEL / max(height, width)
    # Videos have even heights.
    size = max(1, round(width * scale)), max(2, round(height * scale / 2) * 2)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=way), np.uint8)
