"""SoloDance: every rule of its layout, on drawn discs, and what methods get of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from datamodules.miniatures.solodance import Take, write
from datamodules.native import MINIATURE
from datamodules.protocols import draw_pairs
from datamodules.puppets.rendering import Performance, render
from datamodules.solodance import SIZE, find_videos, framing, video_name
from motioncopy.batch import MotionBatch
from motioncopy.errors import DataError
from motioncopy.request import DataRequest
from motioncopy.skeletons import BODY25
from tests.datamodules.solodance_discs import (
    FRAMES,
    GREY,
    TALL,
    WIDE,
    Disc,
    data_of,
    prepared,
    put,
    tree_of,
    two,
    write_discs,
)

# -- framing ------------------------------------------------------------------------------------------------------


def test_wide_frames_become_the_middle_of_448x256_and_others_192x256_as_a_whole() -> None:
    wide = framing((1080, 1920))
    assert (wide.resized, wide.corner, wide.size) == ((256, 448), (0, 128), (256, 192))
    assert framing((360, 641)).resized == (256, 448)
    for size in ((512, 384), (300, 300), (256, 192)):
        assert (framing(size).resized, framing(size).corner) == ((256, 192), (0, 0))


@pytest.mark.parametrize(
    ("size", "seen"),
    [
        ((90, 160), None),  # joints in pixels of the stored frames
        ((90, 160), (1080, 1920)),  # stored smaller than annotated
        ((1080, 1920), None),
        ((256, 192), None),
        ((512, 300), None),  # stretched
        ((80, 80), None),  # neither wide nor high
    ],
)
def test_joints_labels_mask_and_frames_are_framed_alike(
    tmp_path: Path, size: tuple[int, int], seen: tuple[int, int] | None
) -> None:
    root = write_discs(tmp_path / "root", Disc("train", "video_1"), Disc("test", "video_2", size, seen, frames=4))
    clip = prepared(root)
    assert clip.size == SIZE
    assert clip.fps == 30
    for i in range(4):
        body = clip.joints[i]
        for part in (clip.mask([i])[0] > 127, clip.images([i])[0].min(axis=-1) > 170, clip.parsing([i])[0] == 2):
            rows, columns = np.nonzero(part)
            assert body[:, 0] == pytest.approx(columns.mean(), abs=0.6)
            assert body[:, 1].mean() == pytest.approx(rows.mean(), abs=0.6)
            assert np.ptp(body[:, 1]) == pytest.approx(0.3 * 256, rel=0.01)
            assert np.ptp(rows) == pytest.approx(0.4 * 256, rel=0.06)
        assert clip.face is not None
        assert clip.hand_right is not None
        assert clip.face[i, 33] == pytest.approx(body[0])
        assert clip.hand_right[i, 20] == pytest.approx(body[7])
    assert clip.background == pytest.approx(np.full((*SIZE, 3), GREY), abs=1)


def test_annotations_can_be_of_another_resolution_than_the_frames_but_not_of_another_shape(tmp_path: Path) -> None:
    root = two(tmp_path / "root", size=WIDE)
    expected = prepared(root).mask([0])
    for file in (tree_of(root, "test", "parsing") / "video_2/sparsing").iterdir():
        enlarged = cv2.resize(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE), None, fx=2, fy=2, interpolation=0)
        cv2.imwrite(str(file), enlarged)
    assert (np.abs(prepared(root).mask([0]).astype(int) - expected) > 127).mean() < 0.01
    for file in (tree_of(root, "test", "parsing") / "video_2/sparsing").iterdir():
        cv2.imwrite(str(file), np.zeros((256, 192), np.uint8))
    with pytest.raises(DataError, match="another shape"):
        prepared(root)


@pytest.mark.parametrize(("size", "seen"), [(TALL, (1080, 1920)), (WIDE, (2160, 3840))])
def test_joints_beyond_the_frames_are_refused(tmp_path: Path, size: tuple[int, int], seen: tuple[int, int]) -> None:
    with pytest.raises(DataError, match="beyond the frames"):
        prepared(two(tmp_path / "root", size=size, seen=seen))


# -- who is what --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("video_001/timg", "video_001"),
        ("pop/video12/part_2/simg", "video12/part_2"),
        ("video/video_3/spose/a", "video_3"),
        ("video_001", "video_001"),
        ("dance_7/timg", ""),
    ],
)
def test_a_video_is_named_by_its_path(folder: str, name: str) -> None:
    assert video_name(folder) == name


def test_every_video_is_a_person_of_its_phase(tmp_path: Path) -> None:
    # Both phases may count from 1.
    root = write_discs(tmp_path / "root", Disc("train", "video_1"), Disc("test", "video_1"), Disc("test", "video_2"))
    recordings = data_of(root).recordings
    assert {r.id: (r.person, r.split) for r in recordings.values()} == {
        "train-video_1": ("train-video_1", "train"),
        "test-video_1": ("test-video_1", "test"),
        "test-video_2": ("test-video_2", "test"),
    }
    assert data_of(root).people() == ["test-video_1", "test-video_2"]


def test_two_sequences_of_one_video_are_oneperson_of(tmp_path: Path) -> None:
    root = write_discs(
        tmp_path / "root",
        Disc("train", "video_1"),
        *(Disc("test", "video_2", folder=f"video_2/simg/{part}") for part in "ab"),
    )
    recordings = data_of(root).recordings
    assert {r.id: r.person for r in recordings.values() if r.split == "test"} == {
        "test-video_2-1": "test-video_2",
        "test-video_2-2": "test-video_2",
    }


def test_where_a_source_path_does_not_name_its_video_the_target_does(tmp_path: Path) -> None:
    root = write_discs(
        tmp_path / "root", *(Disc("test", f"video_{n}", folder=f"{part}/simg") for n, part in ((7, "a"), (8, "b")))
    )
    videos = find_videos(root / "test", "test")
    assert [(v.name, v.frames.parent.name) for v in videos] == [("video_7", "a"), ("video_8", "b")]
    assert [v.background and v.background.name for v in videos] == ["video_7.jpg", "video_8.jpg"]
    shutil.rmtree(tree_of(root, "test", "img", "target"))
    videos = find_videos(root / "test", "test")
    assert [(v.name, v.background) for v in videos] == [("a/simg", None), ("b/simg", None)]


def test_the_trees_belong_together_by_the_order_of_their_folders(tmp_path: Path) -> None:
    root = write_discs(tmp_path / "root", Disc("test", "video_10"), Disc("test", "video_2"))
    for k, folder in enumerate(sorted(tree_of(root, "test", "pose").iterdir())):
        folder.rename(folder.with_name(f"sequence_{k}"))
    videos = find_videos(root / "test", "test")
    assert [(v.name, v.pose and v.pose.parent.name) for v in videos] == [
        ("video_10", "sequence_0"),
        ("video_2", "sequence_1"),
    ]


# -- what is there, and what is made up for -----------------------------------------------------------------------


def test_foregrounds_are_the_frames_where_there_are_no_images(tmp_path: Path) -> None:
    root = two(tmp_path / "root")
    shutil.rmtree(root / "test" / "test_img")
    clip = prepared(root)
    assert clip.images([0]).max() == 255
    # The place that foregrounds show is black, whatever the video's own place is.
    assert clip.background.max() == 0


def test_backgrounds_are_taken_or_made(tmp_path: Path) -> None:
    root = two(tmp_path / "root")
    put(root / "test" / "test_bg", "video_2", np.full(TALL, 200, np.uint8), ".jpg")
    assert prepared(root).background == pytest.approx(np.full((*SIZE, 3), 200), abs=1)
    shutil.rmtree(root / "test" / "test_bg")
    assert np.median(prepared(root).background) == GREY


def test_masks_come_from_labels_else_from_foregrounds_else_from_perception(tmp_path: Path) -> None:
    root = two(tmp_path / "root")
    (video,) = find_videos(root / "test", "test")
    makers = video.backends().makers(("parsing",))
    assert [makers[part].name for part in ("joints", "mask", "parsing", "background")] == [
        "openpose-json",
        "lip-labels-mask",
        "lip-labels",
        "given-background",
    ]
    by_labels = prepared(root).mask([0])
    shutil.rmtree(root / "test" / "test_parsing")
    by_foreground = prepared(root)
    assert (by_foreground.mask([0]) > 127).sum() == pytest.approx((by_labels > 127).sum(), rel=0.02)
    assert by_foreground.manifest.parts["parsing"].backend != makers["parsing"]
    shutil.rmtree(root / "test" / "test_fg")
    (video,) = find_videos(root / "test", "test")
    assert video.backends().makers(())["mask"].name == "mediapipe-mask"
    shutil.rmtree(root / "test" / "test_pose")
    (video,) = find_videos(root / "test", "test")
    makers = video.backends().makers(())
    assert (makers["joints"].name, makers["mask"].name) == ("mediapipe-pose", "pose-mask")


@pytest.mark.parametrize("gone", [("parsing", "fg"), ("parsing", "fg", "pose", "bg")])
def test_perception_stands_in_for_what_did_not_come(tmp_path: Path, gone: tuple[str, ...]) -> None:
    root = tmp_path / "root"
    write(root, {"train": [Take("ana", "disco", 1, SIZE)], "test": [Take("ben", "groove", 2, SIZE)]}, frames=4)
    (root / MINIATURE).write_text('{"data": "solodance"}')
    for tree in gone:
        shutil.rmtree(root / "test" / f"test_{tree}")
    clip = prepared(root, name="video_002")
    true = render(Performance("ben", "groove", 2, 4, 30.0, SIZE), 3)
    seen = clip.mask([3])[0] > 127
    assert (seen & (true.mask > 0)).sum() / (seen | (true.mask > 0)).sum() > 0.85
    knees = [BODY25.index("left_knee"), BODY25.index("right_knee")]
    assert clip.joints[3, knees, :2] == pytest.approx(true.joints[knees, :2], abs=0.01 if "pose" not in gone else 12)
    assert set(np.unique(clip.parsing([3]))) == set(range(6))


# -- what methods get ---------------------------------------------------------------------------------------------

REQUEST = DataRequest(2, (64, 48), window=3, appearance="random", parts=("parsing",))


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos to train on and three to test on, wide and high."""
    return write_discs(
        tmp_path_factory.mktemp("discs") / "root",
        *(Disc("train", f"video_{n}", size) for n, size in ((1, WIDE), (2, TALL))),
        *(Disc("test", f"video_{n}", size) for n, size in ((3, WIDE), (4, TALL), (5, WIDE))),
    )


def test_a_general_model_trains_on_the_training_videos_and_is_tested_on_the_others(discs: Path) -> None:
    data = data_of(discs, regime="general")
    data.prepare_data()
    windows = data.train_windows(REQUEST)
    batch = MotionBatch.collate([windows[0], windows[len(windows) - 1]]).as_float()
    assert batch.clip == ("train-video_1", "train-video_2")
    assert batch.images.shape == (2, 3, 3, 64, 48)
    assert batch.parsing is not None
    assert batch.parsing.unique().tolist() == [0, 2]
    assert batch.motion.face is not None
    trials = data.trials(REQUEST, "test")
    rank = {n: f"test-video_{n + 3}" for n in range(3)}
    assert trials.ids == sorted(
        [f"{name}-own" for name in rank.values()] + [f"{rank[a]}-as-{rank[b]}" for a, b in draw_pairs(3)],
        key=lambda name: (name[:12], "-as-" in name),
    )
    own, other = trials[0], trials[1]
    assert own.truth is not None
    assert own.truth(0, FRAMES)[0].shape == (FRAMES, 3, 64, 48)
    assert (len(own), other.truth, other.driver) == (FRAMES, None, other.id.partition("-as-")[2])


def test_a_personal_model_trains_and_is_tested_on_parts_of_one_video(discs: Path) -> None:
    data = data_of(discs, person="test-video_4")
    windows = data.train_windows(REQUEST)
    batch = MotionBatch.collate([windows[0], windows[1]])
    assert set(batch.clip) == {"test-video_4"}
    last = max(int(windows[k].frames.max()) for k in range(len(windows)))
    own, other = data.trials(REQUEST, "test")
    assert last + 2 < FRAMES - len(own)
    assert (own.kind, other.kind, other.driver) == ("reconstruction", "imitation", "test-video_3")


def test_the_miniature_has_both_kinds_of_frames_and_comes_out_the_same_twice(tmp_path: Path) -> None:
    takes = {"train": [Take("ana", "disco", 1, (72, 128), shrunk=True)], "test": [Take("ben", "groove", 2, TALL)]}
    for copy in ("a", "b"):
        write(tmp_path / copy, takes, frames=2)
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert len(files) == 2 * (4 * (2 + 1) + 1)
    assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files)
    (first, second) = (
        json.loads((tree_of(tmp_path / "a", *where) / "00001_keypoints.json").read_text())
        for where in (("train", "pose", "source/video_001/spose"), ("test", "pose", "source/video_002/spose"))
    )
    assert max(first["people"][0]["pose_keypoints_2d"]) > 128
    assert max(second["people"][0]["pose_keypoints_2d"]) < 128


def test_links_in_a_circle_have_an_end(tmp_path: Path) -> None:
    video = tmp_path / "train_img/source/video01"
    video.mkdir(parents=True)
    (video / "0.png").touch()
    for name in ("up", "further_up"):
        (video / name).symlink_to("..")
    with pytest.raises(DataError, match=r"video01/(further_)?up is .*source once more"):
        find_videos(tmp_path, "train")
