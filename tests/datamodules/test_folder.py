"""The user's own videos: split by time, and nothing of the test frames is known to training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datamodules.folder import Folder
from motioncopy.errors import DataError
from motioncopy.footage.clips import Clip
from motioncopy.footage.prepare import Backends
from motioncopy.footage.video import VideoWriter
from motioncopy.request import DataRequest
from tests.datamodules.making import PLACE, still, write_discs
from tests.motioncopy.footage.perception.figures import KnownPose, walk

SIZE = (24, 32)
WHOLE = DataRequest(1, SIZE)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Ann and Bob, forty frames each; Ann lies on one side while she is trained on, and on the other afterwards."""
    centres = still(8, 12, 40)
    centres[30:, 0] = 24
    write_discs(tmp_path / "root" / "ann", centres, size=SIZE)
    write_discs(tmp_path / "root" / "bob", still(16, 12, 40), size=SIZE, person="bob")
    return tmp_path / "root"


def test_training_first_then_a_gap_then_the_test(root: Path) -> None:
    data = Folder(str(root), test_share=0.25, gap=3)
    (train,) = data.train_excerpts()
    assert (train.clip.person, train.start, train.stop) == ("ann", 0, 27)
    own, other = data.trial_specs("test")
    assert (own.motion.start, own.motion.stop) == (other.motion.start, other.motion.stop) == (30, 40)
    assert own.truth is own.motion


def test_no_training_frame_is_a_test_frame(root: Path) -> None:
    for share, gap in ((0.2, 0), (0.5, 2), (0.05, 5)):
        data = Folder(str(root), test_share=share, gap=gap)
        windows = data.train_windows(DataRequest(1, SIZE, window=3, pad=2, appearance="random"))
        trained = {f for w in windows for f in w.frames[0].tolist()}
        trained |= {int(windows[k, draw].appearance.images[0, 0, 0, 0, 0]) for k in (0, 5) for draw in range(60)}
        tested = {f for s in data.trial_specs("test") for f in range(s.motion.start, s.motion.stop)}
        assert max(trained) + gap < min(tested)
        shown = {int(t.appearance.images[0, 0, 0, 0, 0]) for t in data.trials(WHOLE, "test")}
        assert shown <= trained


def test_the_background_comes_from_training_frames_alone(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    images = Clip.images

    def watched(self: Clip, indices: object) -> object:
        if self.person == "ann":
            seen.extend(np.asarray(indices).tolist())
        return images(self, indices)  # type: ignore[arg-type]

    monkeypatch.setattr(Clip, "images", watched)
    (train,) = Folder(str(root)).train_excerpts()
    assert seen
    assert max(seen) < train.stop
    assert train.background is not None
    # Where Ann always was there is nothing to see: it is made up from what lies around it. Elsewhere it is the place.
    np.testing.assert_allclose(train.background[1:].astype(int), PLACE, atol=2)


def test_the_crop_comes_from_training_frames_alone(root: Path) -> None:
    request = DataRequest(1, (16, 16), crop="person")
    (view,) = Folder(str(root)).train_windows(request).views
    assert view.box[2] < 24, "Ann stands at 24 in the test frames only"
    own = Folder(str(root)).trials(request, "test")[0]
    assert own.box == view.box


def test_own_held_out_frames_and_the_next_person_s_motion(root: Path) -> None:
    for person, other in (("ann", "bob"), ("bob", "ann")):
        specs = Folder(str(root), person=person).trial_specs("test")
        assert [(s.id, s.kind, s.truth is None) for s in specs] == [
            (f"{person}-own", "reconstruction", False),
            (f"{person}-as-{other}", "imitation", True),
        ]
        assert specs[1].motion.clip.person == other
        assert {s.appearance.clip.person for s in specs} == {person}


def test_one_clip_alone_has_only_own_frames(tmp_path: Path) -> None:
    write_discs(tmp_path / "root" / "ann", still(8, 12, 40), size=SIZE)
    data = Folder(str(tmp_path / "root"))
    assert [s.id for s in data.trial_specs("test")] == ["ann-own"]
    assert data.protocol == "folder-chronological@1"
    assert data.fingerprint()["regime"] == "personal"


def test_a_general_model_sees_everybody_but_the_one_who_is_tested(root: Path, tmp_path: Path) -> None:
    write_discs(root / "cid", still(20, 12, 40), size=SIZE, person="cid")
    for person, others, nearby in (("ann", ["bob", "cid"], "bob"), ("cid", ["ann", "bob"], "ann")):
        data = Folder(str(root), regime="general", person=person, test_share=0.25, gap=3)
        assert [(e.clip.person, e.start, e.stop) for e in data.train_excerpts()] == [(n, 0, 27) for n in others]
        assert (data.person, data.tested) == (None, person)
        own, other = data.trial_specs("test")
        assert (own.id, other.id) == (f"{person}-own", f"{person}-as-{nearby}")
        assert (other.motion.start, other.motion.stop) == (30, 40), "nor does it see the motion that is asked for"
    assert Folder(str(root), regime="general").tested == "ann", "the first one by default"
    write_discs(tmp_path / "one" / "ann", still(8, 12, 40), size=SIZE)
    with pytest.raises(DataError, match=r"nobody to train a general model on.*ann alone"):
        Folder(str(tmp_path / "one"), regime="general").train_excerpts()


def test_videos_are_prepared_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images, joints, masks = walk(30, (48, 64))
    pose = KnownPose(joints, masks)
    monkeypatch.setattr(Backends, "default", lambda **_: Backends(pose))
    root = tmp_path / "videos"
    root.mkdir()
    with VideoWriter(root / "ann.mp4", 25, (48, 64)) as writer:
        writer.write(images)
    data = Folder(str(root), prepared=str(tmp_path / "prepared"), max_size=32)
    data.prepare_data()
    assert data.people() == ["ann"]
    (train,) = data.train_excerpts()
    assert train.clip.parts == {"mask", "parsing"}
    assert train.clip.size == (24, 32)
    assert tmp_path / "prepared" in train.clip.path.parents
    assert list(root.iterdir()) == [root / "ann.mp4"], "nothing is written beside the user's videos"
    pose.shown.clear()
    Folder(str(root), prepared=str(tmp_path / "prepared"), max_size=32).prepare_data()
    assert pose.shown == []
    data = Folder(str(root), prepared=str(tmp_path / "prepared"), max_size=32, flow=True)
    assert data.train_excerpts()[0].clip.parts == {"mask", "parsing", "flow"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"root": None}, "needs a folder.*DATA_ROOT"),
        ({"test_share": 1.0}, "split by time is wrong"),
        ({"test_share": 0.0}, "split by time is wrong"),
        ({"gap": -1}, "split by time is wrong"),
    ],
)
def test_wrong_arguments_are_refused(root: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Folder(**{"root": str(root), **options})  # type: ignore[arg-type]


def test_a_folder_that_does_not_serve_is_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder"):
        Folder(str(tmp_path / "nowhere")).prepare_data()
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"neither videos nor prepared clips.*\.mp4"):
        Folder(str(tmp_path / "empty")).prepare_data()
    with pytest.raises(DataError, match="no validation split"):
        Folder(str(root)).trial_specs("val")
    write_discs(root / "ann2", still(8, 12, 40), size=SIZE)
    with pytest.raises(DataError, match=r"two clips .* same person"):
        Folder(str(root)).prepare_data()


def test_a_clip_too_short_is_refused(tmp_path: Path) -> None:
    write_discs(tmp_path / "root" / "ann", still(8, 12, 11), size=SIZE)
    with pytest.raises(DataError, match=r"clip ann is too short.*11 frames: 7 and 2, 2 between"):
        Folder(str(tmp_path / "root")).train_excerpts()
    assert len(Folder(str(tmp_path / "root"), gap=1).train_excerpts()[0]) == 8
