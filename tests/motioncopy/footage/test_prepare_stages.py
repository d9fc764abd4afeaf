"""Stages at the same time give what stages in turn give, stop when one fails, and hold little."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from motioncopy.errors import ConfigError, DataError, MotionCopyError, PerceptionError
from motioncopy.footage import Footage
from motioncopy.footage.clips import Clip
from motioncopy.footage.perception.backends import Poses
from motioncopy.footage.perception.background import BackgroundSample
from motioncopy.footage.prepare import Backends, Recording, prepare, prepare_each, prepare_recordings
from motioncopy.footage.prepare.job import ahead
from motioncopy.footage.video import VideoWriter
from tests.motioncopy.footage.perception.figures import KnownPose, walk

FRAMES, SIZE = 50, (48, 64)


@pytest.fixture(scope="module")
def truth() -> tuple[np.ndarray, ...]:
    return walk(FRAMES, SIZE)


@pytest.fixture
def pose(truth: tuple[np.ndarray, ...]) -> KnownPose:
    return KnownPose(truth[1], truth[2])


@pytest.fixture
def video(tmp_path: Path, truth: tuple[np.ndarray, ...]) -> Path:
    with VideoWriter(tmp_path / "ann.mp4", 25, SIZE) as writer:
        writer.write(truth[0])
    return tmp_path / "ann.mp4"


def hashes(clip: Path) -> dict[str, str]:
    return {name: part.sha256 for name, part in Clip.open(clip).manifest.parts.items()}


def test_threads_change_nothing(video: Path, pose: KnownPose) -> None:
    made = []
    for overlap in (True, False):
        options = {"parts": ("parsing", "flow"), "max_size": 40, "backends": Backends(pose)}
        (result,) = prepare([video], video.parent / str(overlap), overlap=overlap, **options)
        made.append((hashes(result.clip), result.found, list(result.seconds)))
    assert made[0][:2] == made[1][:2]
    assert set(made[0][2]) == set(made[1][2])


class Failing(KnownPose):
    def __call__(self, images: np.ndarray) -> Poses:
        if self.next:
            raise PerceptionError("the network broke")
        return super().__call__(images)


def test_a_failure_in_the_middle_ends_all_threads_and_leaves_nothing(
    video: Path, truth: tuple[np.ndarray, ...]
) -> None:
    (result,) = prepare_each([video], video.parent / "clips", backends=Backends(Failing(truth[1], truth[2])))
    assert isinstance(result.error, PerceptionError)
    assert "the network broke" in result.reason
    assert working() == []
    assert list((video.parent / "clips").iterdir()) == []


def working() -> list[str]:
    """The stages' threads that still run; other tests leave threads of their own."""
    return [t.name for t in threading.enumerate() if t.name.startswith("ThreadPoolExecutor")]


def count(to: int, made: list[int], closed: list[bool]) -> Generator[int, None, None]:
    try:
        for i in range(to):
            made.append(i)
            yield i
    finally:
        closed.append(True)


def test_ahead_keeps_the_order_and_stays_bounded() -> None:
    made: list[int] = []
    items = ahead(count(20, made, []))
    for expected, item in enumerate(items):
        assert item == expected
        time.sleep(0.002)
        assert len(made) <= item + 2  # one that is ready, or in the making
    assert made == list(range(20))


def test_ahead_works_while_its_taker_works() -> None:
    here = threading.Event()

    def items() -> Generator[int, None, None]:
        yield 0
        here.set()
        yield 1

    taken = ahead(items())
    assert next(taken) == 0
    assert here.wait(5)
    taken.close()


def test_closing_the_last_stage_closes_the_first() -> None:
    closed: list[bool] = []
    last = ahead(item for item in ahead(count(1000, [], closed)))
    assert next(last) == 0
    last.close()
    assert closed == [True]
    assert working() == []


def test_backends_start_once_a_recording(video: Path, pose: KnownPose) -> None:
    class Starts(KnownPose):
        started = 0

        def start(self, footage: object) -> None:
            super().start(footage)
            self.started += 1

    counting = Starts(pose.joints, pose.masks)
    prepare([video], video.parent / "clips", backends=Backends(counting))
    assert counting.started == 1


def test_the_background_needs_frames_with_the_person_only() -> None:
    images = np.arange(200, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    found = np.zeros(200, bool)
    found[[1, 2, 120]] = True
    sample = BackgroundSample(200, (2, 2))
    for start in range(0, 200, 7):
        part = slice(start, start + 7)
        sample.add(images[part], images[part, ..., 0], found[part])
    taken, masks = sample.taken
    assert taken[:, 0, 0, 0].tolist() == [1, 120]
    assert masks[:, 0, 0].tolist() == [1, 120]


def test_a_person_who_is_in_no_sampled_frame(video: Path, pose: KnownPose, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("motioncopy.footage.perception.background.sample_frames", lambda *_: {0, 20})
    pose.joints = pose.joints.copy()
    pose.joints[:5] = 0
    pose.joints[18:25] = 0
    (result,) = prepare([video], video.parent / "clips", backends=Backends(pose))
    assert (result.outcome, result.found) == ("made", FRAMES - 12)
    clip = Clip.open(result.clip)
    assert not clip.joints[:5].any()
    assert not clip.mask(range(5)).any()
    # Frames 5 and 25: the person is masked in both, so nothing of theirs is in the background.
    # Compression leaves a faint seam; their clothes would differ by more than 100.
    assert np.abs(clip.background.astype(int) - (120, 150, 180)).max() < 70


class Fish(KnownPose):
    skeleton = "fish21"


def test_a_parser_that_cannot_label_this_body_says_so_first(video: Path, truth: tuple[np.ndarray, ...]) -> None:
    fish = Fish(truth[1][:, :21], truth[2])
    with pytest.raises(PerceptionError, match=r"nearest-limb cannot label this body.*body25.*fish21"):
        prepare([video], video.parent / "clips", parts=("parsing",), backends=Backends(fish))
    assert fish.shown == []
    own = Recording("ann", lambda: _never(), backends=lambda: Backends(fish))
    (result,) = prepare_recordings([own], video.parent / "clips")
    assert result.outcome == "failed"
    (result,) = prepare([video], video.parent / "clips", backends=Backends(fish))
    assert Clip.open(result.clip).skeleton == "fish21"


def _never() -> Footage:
    raise DataError("it was opened")


def test_an_animal_that_is_never_seen_is_no_person(video: Path, truth: tuple[np.ndarray, ...]) -> None:
    fish = Fish(np.zeros((FRAMES, 21, 3), np.float32), truth[2])
    with pytest.raises(PerceptionError, match="no animal was found"):
        prepare([video], video.parent / "clips", backends=Backends(fish))


def test_images_and_stacks_become_the_same_clip(tmp_path: Path, truth: tuple[np.ndarray, ...]) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for i, image in enumerate(truth[0]):
        cv2.imwrite(str(folder / f"{i}.png"), image[..., ::-1])
    with h5py.File(tmp_path / "stack.h5", "w") as file:
        file["frames"] = truth[0]
    backends = Backends(KnownPose(truth[1], truth[2]))
    results = prepare([folder, tmp_path / "stack.h5"], tmp_path / "clips", fps=10, backends=backends)
    assert [(r.name, r.outcome) for r in results] == [("images", "made"), ("stack", "made")]
    assert hashes(results[0].clip) == hashes(results[1].clip)
    assert {Clip.open(r.clip).fps for r in results} == {10}
    np.testing.assert_array_equal(Clip.open(results[0].clip).images(range(FRAMES)), truth[0])


def _empty_file(folder: Path) -> Path:
    (folder / "empty.mp4").touch()
    return folder / "empty.mp4"


def _empty_folder(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def _empty_stack(folder: Path) -> Path:
    with h5py.File(folder / "empty.h5", "w") as file:
        file["frames"] = np.zeros((0, *SIZE), np.uint8)
    return folder / "empty.h5"


@pytest.mark.parametrize("make", [_empty_file, _empty_folder, _empty_stack])
def test_footage_of_zero_length(tmp_path: Path, pose: KnownPose, make: object) -> None:
    assert callable(make)
    path = make(tmp_path)
    with pytest.raises(MotionCopyError, match="empty"):
        prepare([path], tmp_path / "clips", backends=Backends(pose))
    assert not (tmp_path / "clips").exists()


def test_several_recordings_of_one_id(pose: KnownPose, tmp_path: Path) -> None:
    twice = [Recording("ann", _never), Recording("bea", _never), Recording("ann", _never)]
    with pytest.raises(ConfigError, match=r"several.*one clip.*ann"):
        list(prepare_recordings(twice, tmp_path, backends=Backends(pose)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a/b", "..", "", ".hidden", "\x1b[2J", "\udcff"])
def test_ids_stay_within_the_folder(pose: KnownPose, tmp_path: Path, name: str) -> None:
    (result,) = prepare_recordings([Recording(name, _never)], tmp_path, backends=Backends(pose))
    assert result.outcome == "failed"
    assert "no name for a clip" in result.reason
    assert result.reason.isprintable()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_named_however_it_is_pointed_at(
    tmp_path: Path, truth: tuple[np.ndarray, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run.1"
    folder.mkdir()
    for i, image in enumerate(truth[0]):
        cv2.imwrite(str(folder / f"{i}.png"), image[..., ::-1])
    monkeypatch.chdir(folder)
    backends = Backends(KnownPose(truth[1], truth[2]))
    (result,) = prepare(["."], tmp_path / "clips", backends=backends)
    assert result.name == "run.1"


def test_a_writer_that_cannot_write_says_so(video: Path, pose: KnownPose) -> None:
    (video.parent / "clips").write_text("a file is in the way")
    (result,) = prepare_each([video], video.parent / "clips", backends=Backends(pose))
    assert result.outcome == "failed"
    assert "ann cannot be written" in result.reason


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert working() == []
