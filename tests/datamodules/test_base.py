"""Trials as protocols ask for them, and how processes share them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules.base import ClipDataModule, Split, Trials, TrialSpec, _share
from datamodules.views import Excerpt, person_box
from motioncopy.errors import DataError
from motioncopy.footage.clips import Clip
from motioncopy.request import DataRequest, Trial
from tests.datamodules.making import PLACE, still, write_discs

REQUEST = DataRequest(1, (16, 24))


class Discs(ClipDataModule):
    """Ann is filmed twice by one camera, Bob once; the first ten frames are trained on."""

    def __init__(self, clips: dict[str, Clip], *, camera: bool = False, **arguments: object) -> None:
        super().__init__(**arguments)  # type: ignore[arg-type]
        self.clips, self.camera = clips, camera

    @property
    def protocol(self) -> str:
        return "discs@1"

    def people(self) -> list[str]:
        return ["ann", "bob"]

    def train_excerpts(self) -> list[Excerpt]:
        return [Excerpt(c, 0, 10) for c in self.clips.values() if self.person in (None, c.person)]

    def one_camera(self, person: str) -> list[Excerpt]:
        return [Excerpt(c, 0, 10) for c in self.clips.values() if self.camera and c.person == person]

    def trial_specs(self, split: Split) -> list[TrialSpec]:
        shown, own = Excerpt(self.clips["a1"], 0, 10), Excerpt(self.clips["a1"], 10, 15)
        other, truth = Excerpt(self.clips["b"], 10, 15), Excerpt(self.clips["a2"], 10, 15)
        return [
            TrialSpec("own", "reconstruction", shown, own, own),
            TrialSpec("free", "imitation", shown, other, None, real=Excerpt(self.clips["a1"], 3, 8)),
            TrialSpec("filmed", "imitation", shown, other, truth),
        ]


@pytest.fixture
def clips(tmp_path: Path) -> dict[str, Clip]:
    place = {"a1": ("ann", 20, 20), "a2": ("ann", 60, 20), "b": ("bob", 40, 40)}
    return {
        name: write_discs(tmp_path / name, still(x, y, 15), size=(64, 96), person=person)
        for name, (person, x, y) in place.items()
    }


# -- people -----------------------------------------------------------------------------------------------------------


def test_the_person_is_the_first_unless_another_is_named(clips: dict[str, Clip]) -> None:
    assert Discs(clips).person == "ann"
    assert Discs(clips, person="bob").person == "bob"
    assert Discs(clips, regime="general", person="bob").person is None
    with pytest.raises(DataError, match=r"no person .cid.*one of ann, bob"):
        _ = Discs(clips, person="cid").person


def test_flow_counts_for_those_alone_who_ask_for_it(tmp_path: Path) -> None:
    """Another method that has a folder's clips prepared with flow must not make this one's results look stale."""
    found = {}
    for parts in (False, True):
        clip = write_discs(tmp_path / str(parts) / "a1", still(20, 20, 15), size=(64, 96), every_part=parts)
        for flow in (False, True):
            found[parts, flow] = Discs({"a1": clip}, flow=flow).fingerprint()["excerpts"][0][1]
    assert "flow" in found[True, True]
    assert "flow" not in found[True, False]


def test_the_fingerprint_names_what_is_trained_on(clips: dict[str, Clip], tmp_path: Path) -> None:
    ann = Discs(clips).fingerprint()
    assert ann == Discs(clips).fingerprint()
    assert ann != Discs(clips, person="bob").fingerprint()
    write_discs(tmp_path / "other" / "a2", still(61, 20, 15), size=(64, 96))
    assert ann != Discs(clips | {"a2": Clip.open(tmp_path / "other" / "a2")}).fingerprint()


def test_the_training_motion_is_that_of_all_training_frames(clips: dict[str, Clip]) -> None:
    motion = Discs(clips).train_motion(DataRequest(1, (64, 96)))
    assert len(motion) == 20
    assert motion.joints[0, :, 0, 0].tolist() == [20] * 10 + [60] * 10
    assert motion.face is None


# -- crops ------------------------------------------------------------------------------------------------------------


def test_each_clip_has_its_crop_unless_one_camera_took_them_all(clips: dict[str, Clip]) -> None:
    request = replace(REQUEST, crop="person")
    own = [v.box for v in Discs(clips).train_windows(request).views]
    assert own == [person_box([Excerpt(clips[n], 0, 10)], REQUEST.image_size) for n in ("a1", "a2")]
    data = Discs(clips, camera=True)
    (box,) = {v.box for v in data.train_windows(request).views}
    assert box == person_box([Excerpt(clips[n], 0, 10) for n in ("a1", "a2")], REQUEST.image_size)
    assert data.trials(request, "test")[0].box == box
    assert {v.box for v in data.train_windows(REQUEST).views} == {(0, 0, 96, 64)}


def test_the_person_s_frames_lie_in_the_crop_of_training_and_the_driver_s_in_their_own(clips: dict[str, Clip]) -> None:
    request = replace(REQUEST, crop="person")
    trials = Discs(clips).trials(request, "test")
    own, free, filmed = (trials[k] for k in range(3))
    train = person_box([Excerpt(clips["a1"], 0, 10)], REQUEST.image_size)
    assert own.box == free.box == filmed.box == train
    middle = torch.tensor([(24 - 1) / 2, (16 - 1) / 2])
    for trial in (own, free, filmed):  # each stands in the middle of the crop made for them
        torch.testing.assert_close(trial.motion.joints[0, 0, 0, :2], middle, atol=1.0, rtol=0)
    assert filmed.truth is not None
    _, mask = filmed.truth(0, 1)
    assert not mask.any(), "the true frames are cut out where training was, and ann stands elsewhere in them"


# -- trials -----------------------------------------------------------------------------------------------------------


def test_a_trial_shows_a_training_frame_and_asks_for_held_out_motion(clips: dict[str, Clip]) -> None:
    trials = Discs(clips).trials(DataRequest(1, (64, 96)), "test")
    assert (trials.ids, len(trials), trials.protocol) == (["own", "free", "filmed"], 3, "discs@1")
    own: Trial = trials[0]
    assert (own.id, own.kind, own.driver, own.fps, len(own)) == ("own", "reconstruction", "ann", 25, 5)
    assert own.appearance.person == ("ann",)
    assert own.appearance.images[0, 0, 0, 0, 0] < 10
    assert own.appearance.images.dtype == torch.uint8
    assert (own.appearance.background == PLACE).all()
    assert (trials[1].driver, trials[1].truth) == ("bob", None)


def test_the_truth_is_read_in_chunks(clips: dict[str, Clip]) -> None:
    own: Trial = Discs(clips).trials(DataRequest(1, (64, 96)), "test")[0]
    assert own.truth is not None
    images, mask = own.truth(1, 4)
    assert images.shape == (3, 3, 64, 96)
    assert images[:, 0, 0, 0].tolist() == [11, 12, 13]
    assert mask.shape == (3, 1, 64, 96)
    assert mask[0, 0, 20, 20] == 255
    assert own.truth(3, 99)[0][:, 0, 0, 0].tolist() == [13, 14], "never beyond the motion"


def test_the_driving_video_and_real_frames_can_be_seen_too(clips: dict[str, Clip]) -> None:
    own, free, _ = (Discs(clips).trials(DataRequest(1, (64, 96)), "test")[k] for k in range(3))
    assert own.real is None
    assert free.real is not None
    assert free.real(0, 3)[:, 0, 0, 0].tolist() == [3, 4, 5]
    assert free.real(3, 9)[:, 0, 0, 0].tolist() == [6, 7]
    assert free.real(5, 9).shape == (0, 3, 64, 96)
    assert free.driving is not None
    assert free.driving(1, 3)[:, 0, 0, 0].tolist() == [11, 12]


def test_the_first_frame_where_that_is_the_rule(tmp_path: Path) -> None:
    confidence = np.linspace(0.1, 1, 15)
    clip = write_discs(tmp_path / "a", still(20, 20, 15), size=(64, 96), confidence=confidence)
    spec = TrialSpec("own", "reconstruction", Excerpt(clip, 2, 10), Excerpt(clip, 10, 15), None)
    whole = DataRequest(1, (64, 96))
    assert Trials([spec], "p@1", whole, [None])[0].appearance.images[0, 0, 0, 0, 0] == 9  # the most confident
    first = Trials([spec], "p@1", replace(whole, appearance="first"), [None])
    assert first[0].appearance.images[0, 0, 0, 0, 0] == 2


def test_two_trials_of_one_name_are_refused(clips: dict[str, Clip]) -> None:
    specs = Discs(clips).trial_specs("test")
    with pytest.raises(DataError, match="discs@1 names a trial twice"):
        Trials([*specs, specs[0]], "discs@1", REQUEST, [])


# -- sharing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("world", [1, 2, 3, 8])
@pytest.mark.parametrize("trials", [0, 1, 2, 7, 8])
def test_each_trial_is_given_once_and_shares_are_equally_long(trials: int, world: int) -> None:
    shares = [_share(trials, rank, world) for rank in range(world)]
    assert len({len(s) for s in shares}) == 1
    given = [index for share in shares for index in share]
    assert sorted(index for index in given if index >= 0) == list(range(trials))
    assert all(index >= -1 for index in given)
    assert given.count(-1) < world


def test_who_has_run_out_of_trials_gets_none(clips: dict[str, Clip]) -> None:
    data = Discs(clips).for_trials(REQUEST, "test")
    assert [t.id for t in data.test_dataloader()] == ["own", "free", "filmed"]
    assert data.trials[-1] is None
