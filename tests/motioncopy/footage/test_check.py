from pathlib import Path

import cv2
import numpy as np
import pytest

from motioncopy.errors import VideoError
from motioncopy.footage.check import Finding, check
from motioncopy.footage.perception.backends import Poses
from motioncopy.footage.video import VideoWriter
from motioncopy.skeletons import BODY25
from tests.motioncopy.footage.perception.figures import draw_figure, figure_joints

FRAMES, SIZE = 70, (360, 480)


class ColourPose:
    """Finds people by their shirt's colour, the widest first: enough for drawn figures, and fast."""

    name, version, skeleton = "colour", "1", BODY25.name
    groups: tuple[str, ...] = ()

    def start(self, footage: object) -> None:
        pass

    def __call__(self, images: np.ndarray) -> Poses:
        joints, masks = np.zeros((len(images), 25, 3), np.float32), np.zeros(images.shape[:3], np.uint8)
        for i, image in enumerate(images.astype(int)):
            brightest = max(image.max(), 1)
            shirt = ((image[..., 0] - image[..., 1]) / brightest > 0.45) & (image[..., 2] < 0.4 * brightest)
            count, _, stats, _ = cv2.connectedComponentsWithStats(shirt.astype(np.uint8))
            sizes = stats[1:, cv2.CC_STAT_AREA]
            if count == 1 or sizes.max() < 200:
                continue
            x, y, width = stats[1 + sizes.argmax(), :3]
            # The shirt reaches from 0.2 to 0.5 of the body's height, and from elbow to elbow.
            tall = width / 0.45
            joints[i] = figure_joints(x + width / 2, y - 0.17 * tall, tall)
            _, masks[i] = draw_figure(np.zeros_like(images[i]), joints[i])
        return Poses(joints, masks)


def _place(seed: int = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A grey place with enough in it to be followed."""
    noise = np.random.default_rng(seed).integers(120, 220, (size[0] // 12, size[1] // 12), np.uint8)
    return np.repeat(cv2.resize(noise, size[::-1], interpolation=cv2.INTER_CUBIC)[..., None], 3, 2)


def _scene(place: np.ndarray, *, frames: int = FRAMES, x: float = 240, height: float = 300) -> np.ndarray:
    top = (place.shape[0] - height) / 2
    return np.stack([draw_figure(place, figure_joints(x + 30 * np.sin(t / 8), top, height))[0] for t in range(frames)])


def _check(tmp_path: Path, images: np.ndarray, fps: float = 25) -> dict[str, Finding]:
    path = tmp_path / "video.mp4"
    with VideoWriter(path, fps, images.shape[1:3]) as writer:
        writer.write(images)
    return {finding.topic: finding for finding in check(path, pose=ColourPose(), samples=12)}


def _bad(findings: dict[str, Finding]) -> dict[str, str]:
    return {topic: finding.level for topic, finding in findings.items() if finding.level != "ok"}


def test_a_good_video_has_nothing_to_mend(tmp_path: Path) -> None:
    findings = _check(tmp_path, _scene(_place()))
    assert _bad(findings) == {}
    assert all(not finding.remedy for finding in findings.values())
    assert findings["person"].measured == "found in 12 of 12 frames"
    assert findings["camera"].measured == "the background stands still"


def test_nobody(tmp_path: Path) -> None:
    findings = _check(tmp_path, np.stack([_place()] * FRAMES))
    assert _bad(findings) == {"person": "problem"}
    assert findings["person"].measured == "found in 0 of 12 frames"
    assert "film one whole person" in findings["person"].remedy


def test_somebody_who_leaves(tmp_path: Path) -> None:
    images = _scene(_place())
    images[52:] = _place()
    findings = _check(tmp_path, images)
    assert findings["person"].level == "warning"
    assert "found in 9 of 12 frames (not at" in findings["person"].measured


def test_two_people(tmp_path: Path) -> None:
    place = _place()
    both = np.stack([draw_figure(image, figure_joints(380, 60, 220))[0] for image in _scene(place, x=130)])
    findings = _check(tmp_path, both)
    assert findings["other people"].level == "problem"
    assert "one person" in findings["other people"].remedy


def test_a_cut_is_found_and_placed(tmp_path: Path) -> None:
    images = np.concatenate([_scene(_place(0), frames=30), _scene(255 - _place(1), frames=40)])
    findings = _check(tmp_path, images)
    assert findings["cuts"].level == "problem"
    assert findings["cuts"].measured == f"1, at {30 / 25:.1f} s"


def test_fast_motion_is_no_cut(tmp_path: Path) -> None:
    place = _place()
    images = np.stack([draw_figure(place, figure_joints(100 + 280 * (t % 2), 10, 340))[0] for t in range(FRAMES)])
    assert _check(tmp_path, images)["cuts"].level == "ok"


@pytest.mark.parametrize(("speed", "level"), [(0.05, "warning"), (1.0, "problem")])
def test_a_camera_that_pans(tmp_path: Path, speed: float, level: str) -> None:
    wide = _place(size=(SIZE[0], SIZE[1] + 200))
    images = []
    for t in range(FRAMES):
        shift = np.array([[1, 0, -speed * t], [0, 1, 0]], np.float32)
        view = cv2.warpAffine(wide, shift, SIZE[::-1], flags=cv2.INTER_LINEAR)
        images.append(draw_figure(view, figure_joints(240, 30, 300))[0])
    findings = _check(tmp_path, np.stack(images))
    assert findings["camera"].level == level
    assert float(findings["camera"].measured.split("by ")[1].split("%")[0]) == pytest.approx(
        100 * speed * (FRAMES - 1) / SIZE[1], rel=0.15
    )


def test_a_blank_background_is_not_said_to_stand_still(tmp_path: Path) -> None:
    findings = _check(tmp_path, _scene(np.full((*SIZE, 3), 180, np.uint8)))
    assert findings["camera"].level == "warning"
    assert "cannot be told" in findings["camera"].measured


@pytest.mark.parametrize(("share", "level"), [(0.25, "warning"), (1.0, "problem")])
def test_feet_out_of_the_frame(tmp_path: Path, share: float, level: str) -> None:
    images = _scene(_place())
    close = round(share * FRAMES)
    images[:close] = np.stack([draw_figure(_place(), figure_joints(240, 20, 450))[0]] * close)
    finding = _check(tmp_path, images)["limbs"]
    assert finding.level == level
    assert "out of it: feet (at 0.0" in finding.measured


def test_too_dark(tmp_path: Path) -> None:
    findings = _check(tmp_path, (_scene(_place()) * 0.12).astype(np.uint8))
    assert findings["light"].level == "problem"


@pytest.mark.parametrize(
    ("frames", "fps", "expected"),
    [
        (10, 25, {"length": "problem"}),
        (40, 25, {"length": "warning"}),
        (70, 5, {"frame rate": "warning"}),
        (70, 1, {"frame rate": "problem"}),
        (70, 120, {"frame rate": "warning"}),
    ],
)
def test_length_and_rate(tmp_path: Path, frames: int, fps: float, expected: dict[str, str]) -> None:
    assert _bad(_check(tmp_path, _scene(_place(), frames=frames), fps)) == expected


def test_resolution_and_size_of_the_person(tmp_path: Path) -> None:
    small = np.stack([cv2.resize(image, (160, 120), interpolation=cv2.INTER_AREA) for image in _scene(_place())])
    findings = _check(tmp_path, small)
    assert findings["resolution"].level == "problem"
    assert findings["resolution"].measured == "160x120 pixels"
    assert findings["person's size"].level == "warning"


def test_large_frames_are_measured_in_their_own_pixels(tmp_path: Path) -> None:
    size = (720, 960)
    findings = _check(tmp_path, _scene(_place(size=size), x=480, height=600, frames=60))
    height = float(findings["person's size"].measured.split()[0])
    assert height == pytest.approx(600, rel=0.1)


def test_not_a_video(tmp_path: Path) -> None:
    path = tmp_path / "text.mp4"
    path.write_text("no video")
    with pytest.raises(VideoError, match=r"text.mp4"):
        check(path, pose=ColourPose())


@pytest.mark.filterwarnings(r"ignore:label\(\) is deprecated:DeprecationWarning")
def test_with_mediapipe(tmp_path: Path) -> None:
    pytest.importorskip("mediapipe")
    path = tmp_path / "video.mp4"
    images = np.stack([draw_figure(i, figure_joints(390, 50, 250))[0] for i in _scene(_place(), x=130)])
    with VideoWriter(path, 25, SIZE) as writer:
        writer.write(images)
    findings = {finding.topic: finding for finding in check(path, samples=6)}
    assert _bad(findings) == {"other people": "problem"}
