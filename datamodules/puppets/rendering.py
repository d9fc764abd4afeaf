"""Puppets on film: images and their exact truth, for any person, motion, seed and image size.

Camera and place belong to the person, angles and path to the motion and its seed: ``Performance(A, motion, seed)`` is
therefore the true imitation by A of what ``Performance(B, motion, seed)`` shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.puppets.actors import Actor, Look, actor, look
from datamodules.puppets.bodies import Floats, stand
from datamodules.puppets.choreography import choreograph
from datamodules.puppets.motions import MOTIONS
from datamodules.puppets.people import PEOPLE
from datamodules.puppets.raster import Hits, rasterise
from motioncopy.errors import DataError
from motioncopy.footage.perception.labels import LIP_TO_PARSING

_AMBIENT, _DIFFUSE, _FRONTAL = 0.56, 0.42, 0.14
_TOLERANCE = 0.02  # metres between a point and the surface seen in its direction for the point to count as seen
VISIBLE, INVISIBLE, BACKGROUND = 0, 1, 2


@dataclass(frozen=True)
class Performance:
    """A clip: a person performs a motion.

    Attributes:
        person: One of :data:`datamodules.puppets.people.PEOPLE`.
        motion: One of :data:`datamodules.puppets.motions.MOTIONS`.
        seed: Chooses tempo, amplitude, phase, facing and handedness of the motion.
        frames: Number of frames.
        fps: Frames per second.
        size: (height, width) of the images.
    """

    person: str
    motion: str
    seed: int
    frames: int
    fps: float = 25.0
    size: tuple[int, int] = (128, 128)

    def __post_init__(self) -> None:
        for kind, value, known in (("person", self.person, PEOPLE), ("motion", self.motion, MOTIONS)):
            if value not in known:
                raise DataError(f"unknown {kind} {value!r}", expected=f"one of {', '.join(known)}")
        if self.seed < 0 or self.frames < 1 or self.fps <= 0:
            raise DataError("a performance needs seed >= 0, frames >= 1 and fps > 0", found=self)
        if min(self.size) < 16 or max(self.size) > 2048:
            raise DataError("puppets are rendered at 16 to 2048 pixels a side", found=self.size)


@dataclass(frozen=True)
class Frame:
    """One frame and its truth; coordinates are pixels, the centre of the top left pixel is (0, 0).

    Attributes:
        image: ``(H, W, 3)`` uint8 RGB, anti-aliased.
        mask: ``(H, W)`` uint8, 255 where the pixel's centre lies on the person.
        joints: ``(25, 3)`` float32, body25. Confidence 1: seen; 0.5: hidden by another part of the body; 0: outside
            the image, or a point of the face on the side that is turned away. Positions are true in each case.
        hand_left: ``(21, 3)`` float32, OpenPose's hand, the person's left.
        hand_right: ``(21, 3)`` float32.
        face: ``(70, 3)`` float32, OpenPose's face.
        parsing: ``(H, W)`` uint8, :data:`motioncopy.batch.PARSING_CLASSES`; 0 exactly where the mask is 0.
        lip: ``(H, W)`` uint8, LIP's twenty classes.
        flow: ``(H, W, 2)`` float32 (x, y): frame t -> t - 1, where each surface point was; zero on the background
            and in the first frame. ``None`` where it was not asked for.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    joints: NDArray[np.float32]
    hand_left: NDArray[np.float32]
    hand_right: NDArray[np.float32]
    face: NDArray[np.float32]
    parsing: NDArray[np.uint8]
    lip: NDArray[np.uint8]
    flow: NDArray[np.float32] | None


def render(performance: Performance, frame: int, *, flow: bool = False) -> Frame:
    """Renders a frame of a performance.

    Args:
        performance: The clip.
        frame: Its number, from 0.
        flow: Whether to compute the optical flow too.

    Raises:
        DataError: If the frame lies outside the clip.
    """
    who, seen_at = actor(performance.person), look(performance.person, performance.size)
    points, normals, transforms = _pose(performance, frame)
    hits = _film(who, points, performance.size)
    shade = _AMBIENT + _DIFFUSE * np.maximum(normals @ who.camera.light, 0) + _FRONTAL * np.maximum(normals[:, 2], 0)
    surface = hits.blend(np.column_stack([seen_at.texels, shade]), who.triangles)
    image = _compose(hits, _colours(seen_at, surface), seen_at.background)
    centres = np.flatnonzero((hits.rows | hits.columns) & 1 == 0)
    lip = np.zeros(performance.size, np.uint8)
    column, row = np.round(surface[centres, :2]).astype(np.int64).T
    lip[hits.rows[centres] // 2, hits.columns[centres] // 2] = seen_at.atlas.labels[row, column]
    moved = None
    if flow:
        moved = np.zeros((*performance.size, 2), np.float32)
        if frame > 0:
            moved = _flow(who, _at_pixels(hits), _pose(performance, frame - 1)[0], performance.size)[0]
    groups = {group: who.joints(group, transforms, hits, performance.size) for group in who.landmarks}
    return Frame(
        image=image,
        mask=np.where(lip > 0, 255, 0).astype(np.uint8),
        parsing=LIP_TO_PARSING[lip],
        lip=lip,
        flow=moved,
        **groups,
    )


def background(person: str, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The person's place without the person, ``(H, W, 3)`` uint8 RGB, for a (height, width)."""
    return look(person, size).background.copy()


def appearance_flow(
    source: Performance, source_frame: int, target: Performance, target_frame: int
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Where every pixel of the target frame is found in the source frame.

    Sampling the source image at ``pixel + flow`` shows the target's pose in the source's colours (backward warping).

    Args:
        source: The clip that shows the appearance.
        source_frame: Its frame.
        target: A clip of the same person and size.
        target_frame: Its frame.

    Returns:
        The flow ``(H, W, 2)`` float32 (x, y) in pixels, zero on the background; and the visibility ``(H, W)`` uint8:
        0 the surface point is seen in the source, 1 it is hidden or outside there (the flow still leads to its place),
        2 background.

    Raises:
        DataError: If the clips show two people or differ in size, or a frame lies outside its clip.
    """
    if (source.person, source.size) != (target.person, target.size):
        raise DataError(
            "appearance flow joins two frames of one person at one size",
            expected=f"{source.person} at {source.size}",
            found=f"{target.person} at {target.size}",
        )
    who, size = actor(target.person), target.size
    triangles = who.triangles
    hits = _at_pixels(_film(who, *_pose(target, target_frame)[:1], size))
    points = _pose(source, source_frame)[0]
    seen = _film(who, points, size)
    flow, places, distance = _flow(who, hits, points, size)
    corners, _ = who.camera.project(points, size)
    a, b, c = (corners[triangles[hits.faces, i]] for i in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    facing = (area > 0) | who.two_sided[hits.faces]
    column, row = np.round(2 * places).astype(np.int64).T
    inside = (column >= 0) & (row >= 0) & (column < 2 * size[1]) & (row < 2 * size[0])
    # The farthest surface next to the point's place: at grazing angles depth changes within a sample.
    near = np.where(seen.nearness > 0, seen.nearness, np.float32(1e3))
    farthest = (
        1 / cv2.erode(near, np.ones((3, 3), np.uint8))[row.clip(0, 2 * size[0] - 1), column.clip(0, 2 * size[1] - 1)]
    )
    visible = facing & inside & (distance < farthest + _TOLERANCE)
    visibility = np.full(size, BACKGROUND, np.uint8)
    visibility[hits.rows, hits.columns] = np.where(visible, VISIBLE, INVISIBLE)
    return flow, visibility


@lru_cache(maxsize=128)
def _transforms(person: str, motion: str, seed: int, frames: int, fps: float) -> Floats:
    """``(T, bones, 3, 4)`` of a performance."""
    return stand(actor(person).rig, choreograph(motion, seed, frames, fps))


def _pose(clip: Performance, frame: int) -> tuple[Floats, Floats, Floats]:
    """Points and normals of a frame's surfaces, ``(p, 3)`` each, and its transforms ``(bones, 3, 4)``."""
    if not 0 <= frame < clip.frames:
        raise DataError(f"frame {frame} lies outside the clip", expected=f"0 to {clip.frames - 1}")
    transforms = _transforms(clip.person, clip.motion, clip.seed, clip.frames, clip.fps)[frame]
    return *actor(clip.person).pose(transforms), transforms


def _film(who: Actor, points: Floats, size: tuple[int, int]) -> Hits:
    """What the camera sees, at two samples a pixel: sample (2r, 2c) is the centre of pixel (r, c)."""
    pixels, nearness = who.camera.project(points, size)
    return rasterise(2 * pixels, nearness, who.triangles, who.two_sided, (2 * size[0], 2 * size[1]))


def _at_pixels(hits: Hits) -> Hits:
    """Only the samples at the pixels' centres, with rows and columns in pixels."""
    chosen = np.flatnonzero((hits.rows | hits.columns) & 1 == 0)
    return Hits(
        hits.nearness[::2, ::2],
        hits.rows[chosen] // 2,
        hits.columns[chosen] // 2,
        hits.faces[chosen],
        hits.shares[chosen],
    )


def _colours(seen_at: Look, surface: Floats) -> NDArray[np.uint8]:
    """Shaded colours ``(n, 3)`` of surface points given as ``(n, 3)``: texel x, y and brightness."""
    width = 256  # cv2.remap wants a picture, and sides below 32768
    padded = np.zeros((-(-len(surface) // width) * width, 2), np.float32)
    padded[: len(surface)] = surface[:, :2]
    places = padded.reshape(-1, width, 2)
    rgb = cv2.remap(seen_at.atlas.colours, places, None, cv2.INTER_LINEAR).reshape(-1, 3)[: len(surface)]
    return np.asarray(np.minimum(rgb * surface[:, 2:].astype(np.float32) + 0.5, 255), np.uint8)


def _compose(hits: Hits, colours: NDArray[np.uint8], place: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lays the person over the background; a pixel is the 1-2-1 weighted mean of the samples around its centre."""
    if len(colours) == 0:
        return place.copy()
    layer = np.zeros((*hits.nearness.shape, 4), np.uint8)
    layer[hits.rows, hits.columns, :3] = colours
    layer[hits.rows, hits.columns, 3] = 255
    smooth = cv2.GaussianBlur(layer, (3, 3), 0, borderType=cv2.BORDER_REPLICATE)[::2, ::2]
    clear = 255 - smooth[..., 3:].astype(np.uint16)
    return np.asarray(smooth[..., :3] + (place * clear + 127) // 255, np.uint8)


def _flow(who: Actor, hits: Hits, points: Floats, size: tuple[int, int]) -> tuple[NDArray[np.float32], Floats, Floats]:
    """The flow from seen pixels to the same surface points in another pose.

    Args:
        who: Whose surface.
        hits: What is seen, at the pixels' centres.
        points: ``(p, 3)`` of the other pose.
        size: (height, width).

    Returns:
        The flow ``(H, W, 2)``, the places ``(n, 2)`` to which it leads, and their distance ``(n,)`` in metres.
    """
    places, nearness = who.camera.project(hits.blend(points, who.triangles), size)
    flow = np.zeros((*size, 2), np.float32)
    flow[hits.rows, hits.columns] = places - np.stack([hits.columns, hits.rows], axis=1)
    return flow, places, 1 / nearness
