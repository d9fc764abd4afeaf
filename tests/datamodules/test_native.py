"""Data sets on disk: what becomes of the recordings that one finds, in both regimes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import cv2
import numpy as np
import pytest

from datamodules import miniatures, native
from datamodules.native import MINIATURE, NativeData, NativeRecording
from datamodules.protocols import OfficialTrial, Protocol
from datamodules.views import Excerpt
from motioncopy.batch import MotionBatch
from motioncopy.errors import DataError
from motioncopy.footage import Footage, ImageFolder
from motioncopy.footage.perception.backends import Images, Masks, Poses
from motioncopy.footage.perception.precomputed import KnownPoses
from motioncopy.footage.prepare import Backends
from motioncopy.request import DataRequest

SIDE, FRAMES, PLACE, DISC = 48, 20, 40, 240
TAKES = ("train/zoe_1", "train/yan_1", "test/ann_1", "test/ann_2", "test/bob_1", "test/cid_1")
REQUEST = DataRequest(2, (24, 24), window=3, appearance="first")


class Bright:
    """The mask is where it is bright."""

    name, version = "bright", "1"

    def start(self, footage: Footage) -> None: ...

    def __call__(self, images: Images, poses: Poses) -> Masks:
        return np.where(images[..., 0] > (PLACE + DISC) // 2, 255, 0).astype(np.uint8)


class Discs(NativeData):
    """``root/<split>/<person>_<n>/``: a folder of images; all joints lie on the disc."""

    data_set: ClassVar[str] = "discs"
    origin: ClassVar[str] = "Draw them yourself."
    parts: tuple[str, ...] = ("mask",)
    opened: ClassVar[list[str]] = []

    @classmethod
    def layout(cls) -> str:
        return "train and test"

    def find(self) -> Iterable[NativeRecording]:
        for split in ("train", "test"):
            for folder in sorted(self.root.glob(f"{split}/*")):
                person = folder.name.partition("_")[0]
                yield NativeRecording(folder.name, person, split, partial(self.open, folder), partial(backends, folder))

    @classmethod
    def open(cls, folder: Path) -> Footage:
        cls.opened.append(folder.name)
        return ImageFolder(folder)


class Last(Discs):
    """The last recording of a person drives."""

    def driving(self, person: str) -> str:
        return self._people("test")[person][-1]


def backends(folder: Path) -> Backends:
    joints = np.ones((len(list(folder.iterdir())), 25, 3), np.float32)
    joints[..., :2] = 20
    return Backends(KnownPoses(joints, name="discs", version="1", skeleton="body25"), Bright())


def draw(root: Path, takes: Sequence[str] = TAKES, *, radius: int = 5, frames: int = FRAMES) -> Path:
    for take in takes:
        (root / take).mkdir(parents=True)
        for number in range(frames):
            image = np.full((SIDE, SIDE), PLACE, np.uint8)
            cv2.circle(image, (20, 20), radius, DISC, -1)
            image[0, 0] = number
            cv2.imwrite(str(root / take / f"{number:02d}.png"), image)
    return root


@dataclass
class House:
    """Where the data set lies, and its rules."""

    root: Path
    rules: Protocol

    def data(self, kind: type[Discs] = Discs, **options: Any) -> Discs:
        return kind(str(self.root), prepared=str(self.root.parent / "prepared"), **options)

    def mark(self, text: str = '{"data": "discs"}') -> None:
        (self.root / MINIATURE).write_text(text)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    house = House(draw(tmp_path / "root"), Protocol("discs", 3, "Here.", {"train": 2, "test": 4}))
    monkeypatch.setattr(native, "protocol", lambda name: house.rules)
    monkeypatch.setattr(Discs, "opened", [])
    return house


def trial(kind: Literal["reconstruction", "imitation"], driver: str, start: int, stop: int) -> OfficialTrial:
    return OfficialTrial(f"ann_1-{driver}", kind, "ann_1", (7, 3), driver, start, stop)


# -- is it there, and whole ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("root", [None, "nowhere"])
def test_without_the_data_the_message_says_how_to_get_it_and_how_to_go_without(house: House, root: str | None) -> None:
    with pytest.raises(DataError, match=r"(?s)discs is not here.*train and test.*Draw them.*DATA_ROOT.*sample discs"):
        Discs(root)


def test_half_a_data_set_is_refused(house: House) -> None:
    (house.root / "test/cid_1").rename(house.root.parent / "cid_1")
    with pytest.raises(DataError, match=r"not the whole data set discs.*4 recordings of the test split.*Found: 3"):
        _ = house.data().recordings


def test_two_recordings_of_one_name_are_refused(house: House) -> None:
    (house.root / "train/zoe_1").rename(house.root / "train/ann_1")
    with pytest.raises(DataError, match=r"two recordings of one name. Found: ann_1\."):
        _ = house.data().recordings


def test_a_miniature_is_named_and_need_not_be_whole(house: House) -> None:
    assert house.data().protocol == "discs@3"
    house.mark()
    (house.root / "test/cid_1").rename(house.root.parent / "cid_1")
    assert house.data().protocol == "discs-miniature@3"
    assert len(house.data().recordings) == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [('{"data": "fish"}', "another data set. Expected: discs. Found: fish"), ("{", "no JSON"), ("[]", "damaged")],
)
def test_a_miniature_of_another_data_set_is_refused(house: House, text: str, message: str) -> None:
    house.mark(text)
    with pytest.raises(DataError, match=message):
        _ = house.data().protocol


def test_there_is_no_validation_split(house: House) -> None:
    with pytest.raises(DataError, match="no validation split"):
        house.data().trial_specs("val")


# -- preparing ----------------------------------------------------------------------------------------------------


def test_a_personal_run_prepares_its_person_and_driver_once(house: House) -> None:
    house.rules = Protocol("discs", 3, "Here.", pairs={3: ((0, 2), (1, 0), (2, 1))})
    data = house.data()
    data.prepare_data()
    assert sorted(p.name for p in data.prepared.glob("[!.]*")) == ["ann_1", "ann_2", "cid_1"]
    looked_at = list(Discs.opened)
    _ = data.train_windows(REQUEST), data.trials(REQUEST, "test")
    data.prepare_data()
    assert Discs.opened == looked_at


def test_changed_recordings_are_noticed_by_the_next_run_and_two_roots_never_share_clips(house: House) -> None:
    old = house.data().clip("ann_1")
    cv2.imwrite(str(house.root / "test/ann_1/03.png"), np.full((SIDE, SIDE), DISC, np.uint8))
    new = house.data().clip("ann_1")
    assert (old.path, int(new.images([3])[0].min())) == (new.path, DISC)
    other = Discs(str(draw(house.root.parent / "other", TAKES[:1])), prepared=str(house.root.parent / "prepared"))
    assert other.prepared.parent == house.data().prepared.parent
    assert other.prepared != house.data().prepared != house.data(max_size=32).prepared


def test_a_recording_that_fails_stops_the_run_and_leaves_nothing_half(house: House) -> None:
    (house.root / "test/ann_2/05.png").write_bytes(b"no image")
    data = house.data()
    with pytest.raises(DataError, match=r"ann_2.05\.png is damaged"):
        data.prepare_data()
    assert not (data.prepared / "ann_2").exists()


# -- the regimes --------------------------------------------------------------------------------------------------


def test_a_personal_model_trains_on_the_first_part_of_all_clips_of_its_person(house: House) -> None:
    house.rules = Protocol("discs", 3, "Here.", pairs={3: ((0, 1), (1, 0), (2, 1))})
    data = house.data()
    assert (data.people(), data.person) == (["ann", "bob", "cid"], "ann")
    assert [(e.clip.id, e.start, e.stop) for e in data.train_excerpts()] == [("ann_1", 0, 14), ("ann_2", 0, 14)]
    specs = data.trial_specs("test")
    assert [s.id for s in specs] == ["ann_1-own", "ann_2-own", "ann-as-bob"]
    assert [(s.motion.clip.id, s.motion.start, s.motion.stop) for s in specs] == [
        ("ann_1", 16, 20), ("ann_2", 16, 20), ("bob_1", 16, 20),
    ]  # fmt: skip
    assert [s.truth is s.motion for s in specs] == [True, True, False]
    with pytest.raises(DataError, match=r"no person 'zoe'.*ann, bob, cid"):
        _ = house.data(person="zoe").person


def test_a_data_set_can_say_which_of_a_drivers_recordings_drives(house: House) -> None:
    house.rules = Protocol("discs", 3, "Here.", pairs={3: ((0, 1), (1, 0), (2, 1))})
    for kind, drives in ((Discs, "ann_1"), (Last, "ann_2")):
        data = house.data(kind, person="bob")
        assert data.trial_specs("test")[-1].motion.clip.id == drives
        assert data._needed() == ["bob_1", drives]
        assert house.data(kind, regime="general").trial_specs("test")[-3].motion.clip.id == drives


def test_a_general_model_trains_on_other_people_than_it_is_tested_on(house: House) -> None:
    data = house.data(regime="general")
    data.prepare_data()
    assert [(e.clip.id, len(e)) for e in data.train_excerpts()] == [("yan_1", FRAMES), ("zoe_1", FRAMES)]
    trials = data.trials(REQUEST, "test")
    owns = [t for t in trials if t.kind == "reconstruction"]
    assert [t.id for t in owns] == ["ann_1-own", "ann_2-own", "bob_1-own", "cid_1-own"]
    assert all(len(t) == FRAMES and t.truth is not None for t in owns)
    imitations = [t for t in trials if t.kind == "imitation"]
    assert sorted(t.appearance.person[0] for t in imitations) == ["ann", "bob", "cid"]
    assert sorted(t.driver for t in imitations) == ["ann", "bob", "cid"]
    windows = data.train_windows(REQUEST)
    batch = MotionBatch.collate([windows[0], windows[len(windows) - 1]]).as_float()
    assert batch.clip == ("yan_1", "zoe_1")
    assert batch.images.shape == (2, 3, 3, 24, 24)


def test_the_authors_trials_go_before_the_rule(house: House) -> None:
    official = (trial("reconstruction", "ann_1", 0, 20), trial("imitation", "cid_1", 4, 9))
    house.rules = Protocol("discs", 3, "Here.", trials=official)
    data = house.data(regime="general")
    own, other = data.trial_specs("test")
    assert (own.id, own.truth is own.motion, other.truth) == ("ann_1-ann_1", True, None)
    assert [(s.appearance.start, s.appearance.stop) for s in (own, other)] == [(7, 8), (7, 8)]
    assert (other.motion.clip.id, other.motion.start, other.motion.stop) == ("cid_1", 4, 9)
    assert (own.real, other.real) == (None, None)
    shown = data.trials(REQUEST, "test")[1]
    assert (shown.protocol, shown.driver, len(shown), shown.appearance.images.shape[1]) == ("discs@3", "cid", 5, 1)


def test_flagged_frames_are_the_real_ones_as_far_as_they_reach(house: House) -> None:
    asked = OfficialTrial("x", "imitation", "ann_1", (7, 3), "cid_1", 4, 9, flag=(12, 99))
    house.rules = Protocol("discs", 3, "Here.", trials=(asked,))
    (spec,) = house.data(regime="general").trial_specs("test")
    assert spec.real is not None
    assert (spec.real.clip.id, spec.real.start, spec.real.stop) == ("ann_1", 12, FRAMES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stop": 21}, r"cid_1 is too short for trial ann_1-cid_1 of discs@3.*at least 21 frames. Found: 20"),
        ({"sources": (20,)}, r"ann_1 is too short for trial ann_1-cid_1 of discs@3.*at least 21 frames. Found: 20"),
    ],
)
def test_a_trial_that_asks_for_more_frames_than_there_are_is_refused(
    house: House, change: dict[str, Any], message: str
) -> None:
    asked = OfficialTrial(**{**vars(trial("imitation", "cid_1", 4, 9)), **change})
    house.rules = Protocol("discs", 3, "Here.", trials=(asked,))
    with pytest.raises(DataError, match=message):
        house.data(regime="general").trial_specs("test")


def test_a_miniature_follows_the_rule_instead_of_the_authors_trials(house: House) -> None:
    house.rules = Protocol("discs", 3, "Here.", trials=(trial("imitation", "cid_1", 4, 900),))
    house.mark()
    assert len(house.data(regime="general").trial_specs("test")) == 7


# -- the crop of one frame ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("radius", "share"), [(5, 1.6), (16, 1.36), (22, 1.12)])
def test_around_one_frame_goes_as_much_room_as_the_frame_has(house: House, radius: int, share: float) -> None:
    house.root = draw(house.root.parent / "other", ["test/ann_1"], radius=radius, frames=4)
    house.mark()
    data = house.data()
    clip = data.clip("ann_1")
    square, wide = (DataRequest(1, size, crop="person") for size in ((24, 24), (24, 48)))
    box = data.box(Excerpt(clip, 0, 1), square)
    assert box is not None
    left, top, right, bottom = box
    covered = np.ptp(np.flatnonzero((clip.mask([0])[0] > 127).any(axis=0))) + 1
    assert right - left == bottom - top == pytest.approx(share * covered, abs=1)
    assert 0 <= min(left, top) <= max(right, bottom) <= SIDE
    assert data.box(Excerpt(clip, 0, 4), square) is None
    assert data.box(Excerpt(clip, 0, 1), REQUEST) is None
    assert (data.box(Excerpt(clip, 0, 1), wide) is None) == (radius > 5)


def test_a_damaged_miniature_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / MINIATURE).write_text("[" * 100_000)
    with pytest.raises(DataError, match=r"miniature\.json cannot be read.*remove"):
        miniatures.write("iper", tmp_path)
