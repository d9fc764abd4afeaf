"""A drawn person, and a pose estimator that knows them, for tests."""

import cv2
import numpy as np

from motioncopy.footage.perception.backends import Poses
from motioncopy.skeletons import BODY25

# In units of the figure's height, from the top of the head, x to the image's right; frontal, so left is on the right.
_PLACES = {
    "nose": (0, 0.10), "neck": (0, 0.19), "mid_hip": (0, 0.50),
    "left_eye": (0.02, 0.08), "left_ear": (0.05, 0.09),
    "left_shoulder": (0.11, 0.20), "left_elbow": (0.19, 0.34), "left_wrist": (0.24, 0.47),
    "left_hip": (0.06, 0.50), "left_knee": (0.08, 0.72), "left_ankle": (0.09, 0.93),
    "left_heel": (0.09, 0.96), "left_big_toe": (0.13, 0.99),
}  # fmt: skip


def figure_joints(x: float, top: float, height: float) -> np.ndarray:
    """``(25, 3)`` joints of a standing person, seen from the front, in pixels."""
    joints = np.zeros((len(BODY25), 3), np.float32)
    for name, (dx, dy) in _PLACES.items():
        for joint, sign in ((name, 1), (name.replace("left", "right"), -1)):
            joints[BODY25.index(joint)] = (x + sign * dx * height, top + dy * height, 1)
    return joints


def draw_figure(image: np.ndarray, joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draws the person on a copy of an ``(H, W, 3)`` image; also gives the ``(H, W)`` mask in {0, 255}."""
    image = image.copy()
    mask: np.ndarray = np.zeros(image.shape[:2], np.uint8)
    height = float(np.ptp(joints[joints[:, 2] > 0, 1]))
    at = {name: tuple(int(v) for v in joints[BODY25.index(name), :2].round()) for name in BODY25.joints}
    torso = np.array([at[n] for n in ("left_shoulder", "right_shoulder", "right_hip", "left_hip")])
    for canvas, colours in ((image, ((40, 40, 120), (200, 60, 60), (220, 170, 140), (30, 20, 10))), (mask, (255,) * 4)):
        trousers, shirt, skin, dark = colours
        for side in ("left", "right"):
            for a, b, width, colour in (
                ("hip", "knee", 0.10, trousers), ("knee", "ankle", 0.08, trousers), ("ankle", "big_toe", 0.05, dark),
                ("shoulder", "elbow", 0.07, shirt), ("elbow", "wrist", 0.05, skin),
            ):  # fmt: skip
                cv2.line(canvas, at[f"{side}_{a}"], at[f"{side}_{b}"], colour, max(1, round(width * height)))
        cv2.fillPoly(canvas, [torso], shirt)
        cv2.line(canvas, at["neck"], at["nose"], skin, max(1, round(0.05 * height)))
        centre = (at["nose"][0], round(at["nose"][1] - 0.02 * height))
        cv2.ellipse(canvas, centre, (round(0.06 * height), round(0.08 * height)), 0, 0, 360, dark, -1)
        cv2.ellipse(canvas, at["nose"], (round(0.045 * height), round(0.06 * height)), 0, 0, 360, skin, -1)
        for eye in ("left_eye", "right_eye"):
            cv2.circle(canvas, at[eye], max(1, round(0.008 * height)), dark, -1)
    return image, mask


def walk(frames: int, size: tuple[int, int], place: np.ndarray | None = None) -> tuple[np.ndarray, ...]:
    """A person who walks from left to right: images ``(n, H, W, 3)``, joints ``(n, 25, 3)``, masks ``(n, H, W)``."""
    height, width = size
    place = np.full((height, width, 3), (120, 150, 180), np.uint8) if place is None else place
    joints = np.stack(
        [figure_joints(x, 0.08 * height, 0.85 * height) for x in np.linspace(0.25 * width, 0.75 * width, frames)]
    )
    drawn = [draw_figure(place, points) for points in joints]
    return np.stack([image for image, _ in drawn]), joints, np.stack([mask for _, mask in drawn])


class KnownPose:
    """A pose estimator that is told the truth, and notes what it was shown."""

    skeleton = BODY25.name
    groups: tuple[str, ...] = ()

    def __init__(self, joints: np.ndarray, masks: np.ndarray, version: str = "1") -> None:
        self.name, self.version = "known", version
        self.joints, self.masks = joints, masks
        self.next, self.shown = 0, list[tuple[int, ...]]()

    def start(self, footage: object) -> None:
        self.next = 0

    def __call__(self, images: np.ndarray) -> Poses:
        self.shown.append(images.shape)
        rows = slice(self.next, self.next + len(images))
        self.next += len(images)
        height, width = images.shape[1:3]
        poses = Poses(self.joints[rows]).scaled(width / self.masks.shape[2], height / self.masks.shape[1])
        masks = [cv2.resize(m, (width, height), interpolation=cv2.INTER_AREA) for m in self.masks[rows]]
        return Poses(poses.joints, np.stack(masks))
