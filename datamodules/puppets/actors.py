"""Actors: a person's surfaces and joints made ready to be posed, filmed and rendered; made once and kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from datamodules.puppets.bodies import BONE, Floats, Rig, body25_rest, carry, hand21_rest, make_rig
from datamodules.puppets.faces import face70_rest, face_plan, head_joints_rest
from datamodules.puppets.figures import make_figure
from datamodules.puppets.mesh import Ints, Part
from datamodules.puppets.people import person
from datamodules.puppets.raster import Hits
from datamodules.puppets.scenes import Camera, frame_unit, make_camera, paint_background
from datamodules.puppets.wardrobe import Atlas, make_atlas
from motioncopy.skeletons import BODY25

# How deep below the surface that shows it a joint may lie and still count as seen, in shares of the body's height.
_REACH = {
    "neck": 0.06, "shoulder": 0.055, "elbow": 0.035, "wrist": 0.03, "mid_hip": 0.09, "hip": 0.08, "knee": 0.045,
    "ankle": 0.035, "big_toe": 0.03, "small_toe": 0.03, "heel": 0.035, "nose": 0.02, "eye": 0.02, "ear": 0.03,
}  # fmt: skip
_HAND_REACH, _FACE_REACH = 0.03, 0.02


@dataclass(frozen=True)
class Landmarks:
    """A group of joints.

    Attributes:
        bones: ``(n,)`` the bone that carries each.
        points: ``(n, 3)`` rest positions in metres.
        reach: ``(n,)`` metres below the surface at which a joint still counts as seen.
        outward: ``(n, 3)`` direction in which a point of the head looks at rest; zero for joints inside the body.
    """

    bones: Ints
    points: Floats
    reach: Floats
    outward: Floats


@dataclass(frozen=True)
class Actor:
    """A person at rest.

    Attributes:
        rig: The kinematic tree.
        parts: The surfaces; the arrays below are theirs, one after another.
        points: ``(p, 3)`` rest positions.
        normals: ``(p, 3)`` rest normals.
        weights: ``(p, bones)``.
        triangles: ``(f, 3)``.
        two_sided: ``(f,)``.
        camera: The camera of the person's place.
        landmarks: ``joints`` (25), ``hand_left`` (21), ``hand_right`` (21) and ``face`` (70).
    """

    rig: Rig
    parts: tuple[Part, ...]
    points: Floats
    normals: Floats
    weights: Floats
    triangles: Ints
    two_sided: NDArray[np.bool_]
    camera: Camera
    landmarks: dict[str, Landmarks]

    def pose(self, transforms: Floats) -> tuple[Floats, Floats]:
        """Linear blend skinning.

        Args:
            transforms: ``(bones, 3, 4)``.

        Returns:
            Posed points and normals, ``(p, 3)`` each; the normals are close to unit length.
        """
        blended = (self.weights @ transforms.reshape(-1, 12)).reshape(-1, 3, 4)
        points = np.einsum("pij,pj->pi", blended[..., :3], self.points) + blended[..., 3]
        return points, np.einsum("pij,pj->pi", blended[..., :3], self.normals)

    def joints(self, group: str, transforms: Floats, hits: Hits, size: tuple[int, int]) -> NDArray[np.float32]:
        """Joints of a frame with their visibility.

        Args:
            group: A key of :attr:`landmarks`.
            transforms: ``(bones, 3, 4)`` of the frame.
            hits: What is seen in the frame, two samples a pixel.
            size: (height, width) of the image.

        Returns:
            ``(n, 3)``: x, y in pixels; confidence 1 seen, 0.5 hidden by another part of the body, 0 outside the image
            or on the side of the head that is turned away. The position is the true one in each case.
        """
        marks = self.landmarks[group]
        world = carry(transforms, marks.bones, marks.points)
        pixels, nearness = self.camera.project(world, size)
        column, row = np.round(2 * pixels).astype(np.int64).T
        inside = (pixels > -0.5).all(axis=1) & (pixels[:, 0] < size[1] - 0.5) & (pixels[:, 1] < size[0] - 0.5)
        surface = hits.nearness[row.clip(0, 2 * size[0] - 1), column.clip(0, 2 * size[1] - 1)]
        covered = 1 / nearness - 1 / np.maximum(surface, 1e-6) > marks.reach
        towards = np.array([0, self.camera.eye, self.camera.distance]) - world
        outward = np.einsum("nij,nj->ni", transforms[marks.bones, :, :3], marks.outward)
        away = (outward * towards).sum(axis=1) < 0
        seen = np.where(away | ~inside, 0.0, np.where((surface > 0) & covered, 0.5, 1.0))
        return np.column_stack([pixels, seen]).astype(np.float32)


@dataclass(frozen=True)
class Look:
    """An actor's pictures for one image size.

    Attributes:
        background: ``(H, W, 3)`` uint8, not writable.
        atlas: The textures, smoothed for this size.
        texels: ``(p, 2)`` texture coordinates of the actor's points.
    """

    background: NDArray[np.uint8]
    atlas: Atlas
    texels: Floats


@lru_cache(maxsize=32)
def actor(name: str) -> Actor:
    """The person of this name, made ready."""
    who = person(name)
    rig = make_rig(who.body)
    parts = make_figure(rig, who.outfit, who.hair)
    starts = np.cumsum([0, *(part.points.shape[0] * part.points.shape[1] for part in parts)])
    camera = make_camera(who.place, who.body.height)
    return Actor(
        rig=rig,
        parts=parts,
        points=np.concatenate([part.points.reshape(-1, 3) for part in parts]),
        normals=np.concatenate([part.normals.reshape(-1, 3) for part in parts]),
        weights=np.concatenate([part.weights.reshape(starts[i + 1] - starts[i], -1) for i, part in enumerate(parts)]),
        triangles=np.concatenate([part.faces + start for part, start in zip(parts, starts, strict=False)]),
        two_sided=np.concatenate([np.full(len(part.faces), part.two_sided) for part in parts]),
        camera=camera,
        landmarks=_landmarks(name, rig),
    )


@lru_cache(maxsize=64)
def look(name: str, size: tuple[int, int]) -> Look:
    """The pictures of the person of this name at this (height, width)."""
    who, ready = person(name), actor(name)
    metres = ready.camera.distance / (ready.camera.focal * frame_unit(size))  # a pixel at the person's place
    atlas = make_atlas(who, ready.parts, texel=metres / 2)
    background = paint_background(who.place, ready.camera, size)
    background.setflags(write=False)
    return Look(background, atlas, np.concatenate([atlas.texels(part) for part in ready.parts]))


def _landmarks(name: str, rig: Rig) -> dict[str, Landmarks]:
    face, h = person(name).face, rig.body.height
    bones, points = body25_rest(rig, head_joints_rest(rig, face))
    outward = np.zeros((25, 3))
    for joint, azimuth in (
        ("nose", 0.0),
        ("right_eye", -0.42),
        ("left_eye", 0.42),
        ("right_ear", -1.75),
        ("left_ear", 1.75),
    ):
        outward[BODY25.index(joint)] = np.sin(azimuth), 0, np.cos(azimuth)
    reach = [_REACH[joint.removeprefix("left_").removeprefix("right_")] * h for joint in BODY25.joints]
    groups = {"joints": Landmarks(bones, points, np.array(reach), outward)}
    for group, side in (("hand_left", "l"), ("hand_right", "r")):
        hand = np.full(21, BONE[f"{side}_hand"])
        groups[group] = Landmarks(hand, hand21_rest(rig, side), np.full(21, _HAND_REACH * h), np.zeros((21, 3)))
    turned = np.radians(face_plan(face)[:, 0])
    forward = np.stack([np.sin(turned), np.zeros(70), np.cos(turned)], axis=1)
    on_head = np.full(70, BONE["head"])
    groups["face"] = Landmarks(on_head, face70_rest(rig, face), np.full(70, _FACE_REACH * h), forward)
    return groups
