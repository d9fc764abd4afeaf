from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from motioncopy.errors import ClipError, ConfigError, DataError, PerceptionError, VideoError
from motioncopy.footage.clips import Clip
from motioncopy.footage.perception.backends import Poses
from motioncopy.footage.prepare import Backends, Prepared, prepare, prepare_each, stored_size
from motioncopy.footage.video import VideoWriter
from tests.motioncopy.footage.perception.figures import KnownPose, walk

FRAMES, SIZE = 40, (96, 128)


@pytest.fixture(scope="module")
def truth() -> tuple[np.ndarray, ...]:
    return walk(FRAMES, SIZE)


@pytest.fixture
def video(tmp_path: Path, truth: tuple[np.ndarray, ...]) -> Path:
    return _write(tmp_path / "ann.mp4", truth[0])


@pytest.fixture
def pose(truth: tuple[np.ndarray, ...]) -> KnownPose:
    return KnownPose(truth[1], truth[2])


def _write(path: Path, images: np.ndarray) -> Path:
    with VideoWriter(path, 25, images.shape[1:3]) as writer:
        writer.write(images)
    return path


def _one(video: Path, pose: KnownPose, **options: object) -> Prepared:
    (result,) = prepare([video], video.parent / "clips", backends=Backends(pose), **options)
    return result


def test_makes_a_whole_clip(video: Path, pose: KnownPose, truth: tuple[np.ndarray, ...]) -> None:
    images, joints, masks = truth
    result = _one(video, pose, parts=("parsing", "flow"))
    assert (result.outcome, result.reason, result.frames, result.found) == ("made", "new", FRAMES, FRAMES)
    assert result.unseen == 0
    assert set(result.seconds) >= {"decode", "pose", "mask", "parsing", "flow", "background", "store"}
    clip = Clip.open(video.parent / "clips" / "ann")
    clip.verify()
    assert (clip.person, clip.fps, clip.size, clip.skeleton, len(clip)) == ("ann", 25, SIZE, "body25", FRAMES)
    assert clip.parts == {"mask", "parsing", "flow"}
    every = range(FRAMES)
    assert np.abs(clip.images(every).astype(int) - images).mean() < 6
    np.testing.assert_allclose(clip.joints, joints, atol=1e-4)
    np.testing.assert_array_equal(clip.mask(every) > 127, masks > 127)
    # The place is one colour, and was seen everywhere at some time.
    assert np.abs(clip.background.astype(int) - (120, 150, 180)).max() < 12
    labels = clip.parsing(every)
    np.testing.assert_array_equal(labels > 0, masks > 127)
    assert set(np.unique(labels)) == set(range(6))
    flow = clip.flow(every)
    assert not flow[0].any()
    on_body = flow[20][masks[20] > 127]
    np.testing.assert_allclose(on_body.mean(axis=0), [-(0.5 * SIZE[1]) / (FRAMES - 1), 0], atol=0.6)


def test_a_second_time_does_nothing(video: Path, pose: KnownPose) -> None:
    _one(video, pose)
    pose.shown.clear()
    before = (video.parent / "clips" / "ann" / "manifest.json").stat()
    assert _one(video, pose).outcome == "up to date"
    assert pose.shown == []
    assert (video.parent / "clips" / "ann" / "manifest.json").stat().st_mtime_ns == before.st_mtime_ns


def test_what_changes_is_noticed(video: Path, pose: KnownPose, truth: tuple[np.ndarray, ...]) -> None:
    _one(video, pose, person="Ann")
    newer = KnownPose(truth[1], truth[2], version="2")
    for options, use, expected in (
        ({}, newer, "joints was made by known 1, now it would be known 2"),
        ({"max_size": 64}, newer, "its frames are 128x96, now they would be 64x48"),
        ({"max_size": 64, "parts": ("parsing",)}, newer, "it has no parsing"),
        ({"max_size": 64, "person": "Bea"}, newer, "its person is called Ann"),
        ({"max_size": 64, "force": True}, newer, "asked for"),
    ):
        result = _one(video, use, **options)
        assert result.outcome == "made"
        assert expected in result.reason
        assert _one(video, use, **{**options, "force": False}).outcome == "up to date"
    clip = Clip.open(result.clip)
    # What was there and not spoken of stays.
    assert clip.person == "Bea"
    assert "parsing" in clip.parts
    _write(video, truth[0][::-1])
    assert "source has changed" in _one(video, newer, max_size=64).reason


def test_a_damaged_clip_is_made_anew(video: Path, pose: KnownPose) -> None:
    clip = _one(video, pose).clip
    (clip / "mask.npy").write_bytes(b"short")
    result = _one(video, pose)
    assert result.outcome == "made"
    assert "mask.npy" in result.reason
    Clip.open(clip).verify()


def test_stored_small_but_seen_large(video: Path, pose: KnownPose, truth: tuple[np.ndarray, ...]) -> None:
    clip = Clip.open(_one(video, pose, max_size=32).clip)
    assert clip.size == (24, 32)
    assert {shape[1:3] for shape in pose.shown} == {SIZE}
    expected = Poses(truth[1]).scaled(0.25, 0.25).joints
    np.testing.assert_allclose(clip.joints, expected, atol=1e-4)
    assert clip.mask([0]).max() == 255


def test_size_is_bounded_and_never_enlarged() -> None:
    assert stored_size((1080, 1920), 512) == (288, 512)
    assert stored_size((720, 406), 512) == (512, 289)
    assert stored_size((96, 128), 512) == (96, 128)


def test_goes_in_chunks(tmp_path: Path) -> None:
    images, joints, masks = walk(100, (48, 48))
    pose = KnownPose(joints, masks)
    _one(_write(tmp_path / "long.mp4", images), pose)
    assert max(shape[0] for shape in pose.shown) <= 32
    assert sum(shape[0] for shape in pose.shown) == 100


def test_nobody_leaves_nothing(video: Path, pose: KnownPose) -> None:
    pose.joints = np.zeros_like(pose.joints)
    with pytest.raises(PerceptionError, match=r"no person was found in .*ann.mp4"):
        _one(video, pose)
    assert list((video.parent / "clips").iterdir()) == []


def test_somebody_too_rarely(video: Path, pose: KnownPose) -> None:
    pose.joints = pose.joints.copy()
    pose.joints[10:] = 0
    with pytest.raises(PerceptionError, match=r"too few frames.*10 of 40"):
        _one(video, pose)


def test_frames_without_the_person_have_no_confidence_and_no_mask(video: Path, pose: KnownPose) -> None:
    pose.joints = pose.joints.copy()
    pose.joints[5:15] = 0
    result = _one(video, pose)
    clip = Clip.open(result.clip)
    assert result.found == FRAMES - 10
    assert not clip.joints[5:15].any()
    assert not clip.mask(range(5, 15)).any()
    # The person of those frames does not get into the background.
    assert np.abs(clip.background.astype(int) - (120, 150, 180)).max() < 12


def test_a_failure_keeps_the_old_clip(video: Path, pose: KnownPose) -> None:
    clip = _one(video, pose).clip
    pose.version, pose.joints = "2", np.zeros_like(pose.joints)
    with pytest.raises(PerceptionError):
        _one(video, pose)
    assert Clip.open(clip).joints.any()


def test_one_failure_does_not_stop_the_others(video: Path, pose: KnownPose) -> None:
    text, missing = video.parent / "text.mp4", video.parent / "missing.mp4"
    text.write_text("no video")
    out, backends = video.parent / "clips", Backends(pose)
    results = list(prepare_each([text, missing, video], out, backends=backends))
    assert [r.outcome for r in results] == ["failed", "failed", "made"]
    assert "text.mp4" in results[0].reason
    assert isinstance(results[1].error, DataError)
    with pytest.raises(VideoError, match=r"text.mp4"):
        prepare([text, video], out, backends=backends)


def test_too_short(tmp_path: Path, pose: KnownPose, truth: tuple[np.ndarray, ...]) -> None:
    with pytest.raises(DataError, match="too short"):
        _one(_write(tmp_path / "short.mp4", truth[0][:2]), pose)


def test_one_clip_is_one_video(video: Path, pose: KnownPose, truth: tuple[np.ndarray, ...]) -> None:
    other = _write(video.with_suffix(".mkv"), truth[0])
    with pytest.raises(ConfigError, match="several videos would become one clip"):
        prepare([video, other], video.parent / "clips", backends=Backends(pose))
    assert not (video.parent / "clips").exists()
    _one(video, pose)
    with pytest.raises(ClipError, match="another recording's clip"):
        _one(other, pose)


@pytest.mark.parametrize("options", [{"parts": ("depth",)}, {"max_size": 3}])
def test_wrong_arguments(video: Path, pose: KnownPose, options: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        _one(video, pose, **options)


def test_backends_are_named_in_the_manifest(video: Path, pose: KnownPose) -> None:
    clip = Clip.open(_one(video, pose).clip)
    backends = {name: part.backend.name for name, part in clip.manifest.parts.items() if part.backend}
    assert backends == {"joints": "known", "mask": "pose-mask", "background": "median-inpaint"}
    assert clip.manifest.source is not None
    assert clip.manifest.source.file == "ann.mp4"


def test_a_backend_can_be_replaced(video: Path, pose: KnownPose) -> None:
    class Everything:
        name, version = "everything", "1"

        def start(self, footage: object) -> None:
            pass

        def __call__(self, images: np.ndarray, poses: Poses) -> np.ndarray:
            return np.full(images.shape[:3], 255, np.uint8)

    backends = replace(Backends(pose), mask=Everything())
    (result,) = prepare([video], video.parent / "clips", backends=backends)
    assert result.unseen == 1
    assert Clip.open(result.clip).mask([0]).min() == 255
