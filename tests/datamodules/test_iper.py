"""iPER: every rule of its layouts, and what methods get of a miniature in it."""

from __future__ import annotations

import logging
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamodules.iper import IPER, Video, check_names, read_list
from datamodules.miniatures.iper import Take, write
from datamodules.native import MINIATURE
from datamodules.protocols import protocol
from datamodules.puppets.rendering import Frame, Performance, render
from motioncopy.batch import MotionBatch
from motioncopy.errors import DataError
from motioncopy.footage.video import VideoWriter
from motioncopy.request import DataRequest
from motioncopy.skeletons import BODY25
from tests.datamodules.iper_files import FEET, put, put_pickle

TRAIN = [f"{actor:03d}/{outfit}/{action}" for actor in range(31, 72) for outfit in (1, 2) for action in (1, 2)]
VAL = sorted({trial.recording.replace("_", "/") for trial in protocol("iper").trials})


def data_of(root: Path, **options: Any) -> IPER:
    return IPER(str(root), prepared=str(root.parent / "prepared"), **options)


# -- the lists ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All 206 videos by name; what stands for their frames is not looked at before it is prepared."""
    root = tmp_path_factory.mktemp("iper") / "root"
    for name in (*TRAIN, *VAL):
        (root / "images" / name).mkdir(parents=True)
        (root / "images" / name / "000.jpg").touch()
        (root / "smpls" / name).mkdir(parents=True)
        (root / "smpls" / name / "kps.pkl").touch()
    (root / "train.txt").write_text("".join(f"{name}\n" for name in TRAIN))
    (root / "val.txt").write_text("".join(f"{name}\r\n" for name in VAL) + "\n")
    return root


@pytest.fixture
def whole(pristine: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    shutil.copytree(pristine, tmp_path / "root")
    return tmp_path / "root"


def test_the_whole_data_set_is_found(pristine: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = data_of(pristine)
    assert len(data.recordings) == 206
    found = data.recordings["001_9_1"]
    assert (found.person, found.split) == ("001_9", "test")
    assert (len(data.people()), data.person, data.protocol) == (21, "001_11", "iper@1")
    assert sorted(data._needed()) == ["001_11_1", "001_11_2", "004_1_2"]
    assert len(data_of(pristine, regime="general")._needed()) == 206
    assert caplog.records == []


def test_another_test_split_than_the_authors_is_refused(whole: Path) -> None:
    (whole / "val.txt").write_text("\n".join(["031/3/1", *VAL[2:]]))
    with pytest.raises(
        DataError, match=r"val\.txt does not list.*42 videos.*lacks 001/11/1, 001/11/2; has besides 031"
    ):
        _ = data_of(whole).recordings


@pytest.mark.parametrize("name", ["train.txt", "val.txt"])
def test_both_lists_must_be_there(whole: Path, name: str) -> None:
    (whole / name).unlink()
    with pytest.raises(DataError, match=rf"there is no .*{name}"):
        _ = data_of(whole).recordings


def test_half_a_data_set_is_refused(whole: Path) -> None:
    shutil.rmtree(whole / "images/031")
    (whole / "images/001/9/1/000.jpg").unlink()
    with pytest.raises(DataError, match=r"lacks the frames of 5 of 206.*images/001/9/1 or iPER_256.*none of 031/1/1, "):
        _ = data_of(whole).recordings
    shutil.rmtree(whole / "images")
    with pytest.raises(DataError, match=r"lacks the frames of 206 of 206 videos.*images_HD/001/9/1"):
        _ = data_of(whole).recordings


def test_a_list_that_is_cut_short_is_refused(whole: Path) -> None:
    (whole / "train.txt").write_text("\n".join(TRAIN[:100]))
    with pytest.raises(DataError, match=r"not the whole data set iper.*164 recordings of the train split.*Found: 100"):
        _ = data_of(whole).recordings


def test_a_person_in_both_lists_is_refused(whole: Path) -> None:
    (whole / "train.txt").write_text("\n".join([*TRAIN, "001/9/3"]))
    with pytest.raises(DataError, match=r"share people.*Found: 001/9\."):
        _ = data_of(whole).recordings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("001/9/1\n../../1\n", r"line 2 names no video.*'\.\./\.\./1'"),
        ("/etc/9/1\n", "line 1 names no video"),
        ("001/9/../1\n", "line 1 names no video"),
        ("001/9\n", "line 1 names no video"),
        ("001_9_1\n", "line 1 names no video"),
        ("001/9/1/0\n", "line 1 names no video"),
        ("٠٠١/9/1\n", "line 1 names no video"),
        ("001/9/1\n\n001/9/1\n", "line 3 names 001/9/1 a second time"),
        ("\n", "is empty"),
    ],
)
def test_lines_that_name_no_video_below_the_root_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "val.txt").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_list(tmp_path / "val.txt")


def test_a_list_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "val.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read"):
        read_list(tmp_path / "val.txt")


# -- frames -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "digits"), [(4, 1), (12, 2), (1000, 4)])
def test_names_are_padded_to_the_digits_of_their_count(tmp_path: Path, count: int, digits: int) -> None:
    put(tmp_path / "images/001/9/1", *(f"{k:0{digits}}.jpg" for k in range(count)))
    with Video(tmp_path, "001/9/1", hd=False).open() as film:
        assert (len(film), film.fps) == (count, 30)
        assert film.frames([3])[0, 0, 0].tolist() == [30] * 3


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([f"{k:04d}.jpg" for k in range(12)], r"0000\.jpg is not the name of frame 0 of 12.*00\.jpg: numbers from 0"),
        ([f"{k}.jpg" for k in range(12)], r"0\.jpg is not the name of frame 0 of 12"),
        ([f"{k:02d}.jpg" for k in range(1, 13)], r"01\.jpg is not the name of frame 0 of 12.*from 0"),
        ([f"frame_{k:02d}.jpg" for k in range(12)], r"frame_00\.jpg is not the name of frame 0"),
        (["00.jpg", "01.jpg", "03.jpg"], r"frames are missing in the middle.*no 2"),
    ],
)
def test_other_names_and_missing_frames_are_refused(tmp_path: Path, names: list[str], message: str) -> None:
    put(tmp_path / "images/001/9/1", *names)
    with pytest.raises(DataError, match=message):
        Video(tmp_path, "001/9/1", hd=False).open()


def test_one_frame_is_named_like_ten(tmp_path: Path) -> None:
    check_names([Path("0.jpg")])
    check_names([Path(f"{k:02d}.png") for k in range(10)])
    with pytest.raises(DataError):
        check_names([Path(f"{k}.jpg") for k in range(10)])


def test_a_video_is_the_fallback_of_images_that_are_not_unpacked(tmp_path: Path) -> None:
    video = Video(tmp_path, "001/9/1", hd=False)
    assert video.frames is None
    with pytest.raises(DataError, match="no frames of 001/9/1"):
        video.open()
    (tmp_path / "iPER_256_video_release").mkdir()
    with VideoWriter(tmp_path / "iPER_256_video_release/001_9_1.mp4", 24.0, (16, 16)) as writer:
        writer.write(np.zeros((5, 16, 16, 3), np.uint8))
    (tmp_path / "images/001/9/1").mkdir(parents=True)
    with video.open() as film:
        assert (len(film), film.fps) == (5, 24)
    put(tmp_path / "images/001/9/1", "0.jpg", "1.jpg")
    with video.open() as film:
        assert len(film) == 2


def test_images_of_the_hd_release_count_by_their_order(tmp_path: Path) -> None:
    put(tmp_path / "images_HD/001/9/1", *(f"frame_{k:08d}.png" for k in range(1, 4)))
    assert Video(tmp_path, "001/9/1", hd=False).frames is None
    with Video(tmp_path, "001/9/1", hd=True).open() as film:
        assert film.frames([0, 1, 2])[:, 0, 0, 0].tolist() == [0, 10, 20]


# -- joints -----------------------------------------------------------------------------------------------------------


def test_videos_without_joints_of_their_own_are_named(whole: Path, caplog: pytest.LogCaptureFixture) -> None:
    (whole / "smpls/001/9/1/kps.pkl").unlink()
    put_pickle(whole / "primitives/001/9/2/processed/vid_info.pkl", {})
    (whole / "smpls/001/9/2/kps.pkl").unlink()
    with caplog.at_level(logging.WARNING):
        assert len(data_of(whole).recordings) == 206
    assert caplog.messages == ["1 of 206 videos have no kps.pkl: their joints will be MediaPipe's (001/9/1)"]


def test_joints_of_more_frames_than_there_are_are_refused(whole: Path) -> None:
    put(whole / "images/001/11/1", *(f"{k}.jpg" for k in range(4)))
    (whole / "images/001/11/1/000.jpg").unlink()
    put_pickle(whole / "smpls/001/11/1/kps.pkl", {"kps": np.zeros((5, 19, 2), np.float32)})
    with pytest.raises(DataError, match=r"iper-kps do not belong to .*001/11/1.*joints of 4 frames. Found: 5"):
        data_of(whole).clip("001_11_1")


# -- a miniature --------------------------------------------------------------------------------------------------

SIDE, FRAMES = 160, 13
TAKES = (
    Take("002/1/1", "finn", "groove", 31, "train", FRAMES, "jpg"),
    Take("001/9/1", "jon", "turn_round", 22, "val", FRAMES),
    Take("001/9/2", "jon", "kicks", 33, "val", FRAMES, "jpg"),
    Take("007/1/2", "nora", "disco", 35, "val", FRAMES, "mp4"),
)
REQUEST = DataRequest(2, (64, 64), window=3, appearance="random", parts=("parsing",))


@pytest.fixture(scope="module")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("miniature") / "root"
    root.mkdir()
    write(root, TAKES, size=SIDE)
    (root / MINIATURE).write_text('{"data": "iper"}')
    return root


def truth(take: Take) -> list[Frame]:
    return [
        render(Performance(take.person, take.motion, take.seed, FRAMES, 30.0, (SIDE, SIDE)), i) for i in range(FRAMES)
    ]


def test_the_miniature_lies_there_as_iper_does(miniature: Path) -> None:
    assert (miniature / "val.txt").read_text().split() == ["001/9/1", "001/9/2", "007/1/2"]
    png, jpg = (miniature / f"images/001/9/{k}/00.jpg" for k in (1, 2))
    assert (png.read_bytes()[1:4], jpg.read_bytes()[:2]) == (b"PNG", b"\xff\xd8")
    assert not (miniature / "images/007").exists()
    assert (miniature / "iPER_256_video_release/007_1_2.mp4").is_file()
    shapes = pickle.loads((miniature / "smpls/001/9/1/pose_shape.pkl").read_bytes())
    assert {key: value.shape for key, value in shapes.items()} == {"cams": (13, 3), "pose": (13, 72), "shape": (13, 10)}


@pytest.mark.parametrize("take", TAKES[1:], ids=lambda take: str(take.form))
def test_prepared_frames_joints_and_masks_lie_on_the_truth(miniature: Path, take: Take) -> None:
    clip = data_of(miniature).clip(take.name.replace("/", "_"))
    film = truth(take)
    apart = np.abs(clip.images(range(FRAMES)).astype(int) - np.stack([f.image for f in film]))
    assert apart.max() == 0 if take.form == "png" else apart.mean() < 4
    true = np.stack([f.joints for f in film])
    body = [i for i, name in enumerate(BODY25.joints) if i not in FEET and name != "mid_hip"]
    assert clip.joints[:, body, :2] == pytest.approx(true[:, body, :2], abs=1e-3)
    assert not clip.joints[:, FEET].any()
    seen, shown = clip.mask(range(FRAMES)) > 127, np.stack([f.mask for f in film]) > 127
    assert (seen & shown).sum() / (seen | shown).sum() > 0.85
    assert (clip.fps, clip.person) == (30, take.name[:5].replace("/", "_"))


def test_both_regimes_get_windows_and_trials(miniature: Path) -> None:
    general, personal = (data_of(miniature, regime=regime) for regime in ("general", "personal"))
    for data, clips in ((general, ("002_1_1", "002_1_1")), (personal, ("001_9_1", "001_9_2"))):
        data.prepare_data()
        windows = data.train_windows(REQUEST)
        batch = MotionBatch.collate([windows[0], windows[len(windows) - 1]]).as_float()
        assert batch.clip == clips
        assert batch.images.shape == (2, 3, 3, 64, 64)
        assert batch.parsing is not None
        # SMPL's joints have no feet, by which shoes (4) would be known.
        assert set(batch.parsing.unique().tolist()) == {0, 1, 2, 3, 5}
        assert 0.02 < batch.mask.mean().item() < 0.5
        assert isinstance(next(iter(data.for_request(REQUEST, 0).train_dataloader())), MotionBatch)
    assert personal.trials(REQUEST, "test").ids == ["001_9_1-own", "001_9_2-own", "001_9-as-007_1"]
    trials = general.trials(REQUEST, "test")
    assert trials.protocol == "iper-miniature@1"
    assert trials.ids == [
        "001_9_1-own", "001_9_2-own", "001_9-as-007_1", "007_1_2-own", "007_1-as-001_9",
    ]  # fmt: skip
    own, other = trials[0], trials[4]
    assert (len(own), own.box, other.truth) == (FRAMES, (0, 0, SIDE, SIDE), None)
    assert own.truth is not None
    assert own.truth(3, 8)[0].shape == (5, 3, 64, 64)
    # Others move as somebody does in the second video, not as in the turning one.
    assert general.trial_specs("test")[4].motion.clip.id == "001_9_2"
    close = general.trials(DataRequest(1, (64, 64), crop="person"), "test")[0]
    assert 0 <= min(close.box) <= max(close.box) <= SIDE


def test_the_authors_trials_ask_for_whole_clips(pristine: Path, miniature: Path, tmp_path: Path) -> None:
    """Real lists, but every video is one of a few frames."""
    root = tmp_path / "root"
    for tree in ("images", "smpls"):
        for name in (*TRAIN, *VAL):
            (root / tree / name).parent.mkdir(parents=True, exist_ok=True)
            (root / tree / name).symlink_to(miniature / tree / "001/9/1", target_is_directory=True)
    for name in ("train.txt", "val.txt"):
        shutil.copy(pristine / name, root / name)
    with pytest.raises(DataError, match=r"001_9_1 is too short for trial 001_9_1-own of iper@1.*least 301 .*Found: 13"):
        data_of(root, regime="general").trials(REQUEST, "test")


def test_a_list_with_many_lines_takes_no_time(tmp_path: Path) -> None:
    names = [f"{a:03d}/{b}/{c}" for a in range(50) for b in range(40) for c in range(10)]
    (tmp_path / "train.txt").write_text("\n".join(names))
    assert read_list(tmp_path / "train.txt") == names
