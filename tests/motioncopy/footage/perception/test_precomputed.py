from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from motioncopy.errors import DataError, SkeletonError
from motioncopy.footage import Framing
from motioncopy.footage.perception.backends import Poses
from motioncopy.footage.perception.precomputed import ForegroundFolder, GivenBackground, KnownPoses, MaskFolder
from tests.motioncopy.footage.perception.annotated import blank, footage, save

SIZE = (12, 10)
POSES = Poses(np.zeros((1, 25, 3), np.float32))
FRAMING = Framing(native=(24, 40), resized=(12, 20), corner=(0, 5), size=SIZE)


def _joints(frames: int, count: int = 25) -> np.ndarray:
    joints = np.random.default_rng(0).uniform(1, 9, (frames, count, 3)).astype(np.float32)
    joints[..., 2] = 0.5
    return joints


def test_known_joints_come_frame_by_frame(tmp_path: Path) -> None:
    joints, face = _joints(5), _joints(5, 70)
    known = KnownPoses(joints, name="smpl", version="3", skeleton="body25", groups={"face": face})
    assert (known.name, known.skeleton, known.groups) == ("smpl", "body25", ("face",))
    for _ in range(2):
        known.start(footage(tmp_path / "images", 5, SIZE))
        parts = [known(blank(n, SIZE)) for n in (2, 3)]
        assert np.array_equal(np.concatenate([p.joints for p in parts]), joints)
        assert np.array_equal(np.concatenate([p.face for p in parts if p.face is not None]), face)
        assert parts[0].hand_left is None


def test_known_joints_follow_the_images_size(tmp_path: Path) -> None:
    joints = _joints(1)
    joints[0, 0] = (4.5, 2.5, 1)
    known = KnownPoses(joints, name="smpl", version="3", skeleton="body25")
    known.start(footage(tmp_path / "images", 1, SIZE))
    assert known(blank(1, (24, 20))).joints[0, 0].tolist() == [9.5, 5.5, 1]


def test_known_joints_are_cleaned() -> None:
    joints = _joints(1, 5)
    joints[0, :2] = [(3, 4, 0), (5, 6, 1.5)]
    known = KnownPoses(joints, name="text", version="1", skeleton="mouse5")
    assert known(blank(1, (1, 1))).joints[0, :2].tolist() == [[0, 0, 0], [5, 6, 1]]
    assert joints[0, 0, 0] == 3  # the caller's stay


def test_the_version_of_known_joints_follows_them() -> None:
    joints = _joints(2)
    versions = {
        KnownPoses(j, name="smpl", version=v, skeleton="body25").version
        for j, v in ((joints, "1"), (joints, "2"), (joints + 1, "1"), (joints, "1"))
    }
    assert len(versions) == 3
    assert KnownPoses(joints, name="smpl", version="1", skeleton="body25").version.startswith("1+")


def test_known_joints_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"smpl \(joints\) do not fit.*\(2, 25, 3\).*\(2, 24, 3\)"):
        KnownPoses(_joints(2, 24), name="smpl", version="1", skeleton="body25")
    with pytest.raises(DataError, match=r"smpl \(face\) do not fit"):
        KnownPoses(_joints(2), name="smpl", version="1", skeleton="body25", groups={"face": _joints(3, 70)})
    with pytest.raises(DataError, match="unknown joint groups"):
        KnownPoses(_joints(2), name="smpl", version="1", skeleton="body25", groups={"feet": _joints(2, 6)})
    with pytest.raises(SkeletonError):
        KnownPoses(_joints(2), name="smpl", version="1", skeleton="body99")
    broken = _joints(2)
    broken[1, 3, 0] = np.nan
    with pytest.raises(DataError, match="not finite"):
        KnownPoses(broken, name="smpl", version="1", skeleton="body25")
    known = KnownPoses(_joints(2), name="smpl", version="1", skeleton="body25")
    with pytest.raises(DataError, match="joints of 3 frames"):
        known.start(footage(tmp_path / "images", 3, SIZE))


def test_masks_soft_and_hard(tmp_path: Path) -> None:
    soft = np.arange(120, dtype=np.uint8).reshape(SIZE)
    hard = (soft > 60).astype(np.uint8)
    folder = save(tmp_path / "masks", [soft, hard, hard > 0, np.zeros_like(soft)])
    palette = Image.fromarray(hard).convert("P")
    palette.putpalette([0, 0, 0, 90, 9, 9])
    palette.save(folder / "004.png")
    segmenter = MaskFolder(folder)
    for _ in range(2):
        segmenter.start(footage(tmp_path / "images", 5, SIZE))
        masks = np.concatenate([segmenter(blank(n, SIZE), POSES) for n in (2, 3)])
        assert np.array_equal(masks, [soft, hard * 255, hard * 255, soft * 0, hard * 255])


def test_masks_are_framed_and_resized(tmp_path: Path) -> None:
    mask = np.zeros((24, 40), np.uint8)
    mask[:, 20:] = 255
    segmenter = MaskFolder(save(tmp_path / "masks", [mask]), FRAMING)
    segmenter.start(footage(tmp_path / "images", 1, SIZE))
    shrunk = segmenter(blank(1, (6, 4)), POSES)
    assert shrunk.shape == (1, 6, 4)
    assert shrunk[0, 0].tolist() == [0, 0, 255, 255]


def test_masks_that_do_not_fit(tmp_path: Path) -> None:
    folder = save(tmp_path / "masks", [np.zeros((4, 5), np.uint8)])
    segmenter = MaskFolder(folder)
    segmenter.start(footage(tmp_path / "images", 1, SIZE))
    with pytest.raises(DataError, match=r"000\.png is of another size"):
        segmenter(blank(1, SIZE), POSES)
    with pytest.raises(DataError, match="does not belong"):
        segmenter.start(footage(tmp_path / "images", 2, SIZE))


def test_the_person_of_a_foreground_is_what_is_not_black(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 12, (*SIZE, 3), np.uint8)  # black, as compression leaves it
    image[3:9, 2:7] = (10, 60, 20)
    image[5, 4] = 0  # a speck
    image[0, 0] = 255
    expected = np.zeros(SIZE, np.uint8)
    expected[3:9, 2:7] = 255
    for corner in ((3, 2), (3, 6), (8, 2), (8, 6)):
        expected[corner] = 0  # the median rounds corners
    segmenter = ForegroundFolder(save(tmp_path / "fg", [image]))
    segmenter.start(footage(tmp_path / "images", 1, SIZE))
    assert np.array_equal(segmenter(blank(1, SIZE), POSES)[0], expected)


def test_backgrounds_take_the_frames_size(tmp_path: Path) -> None:
    image = np.zeros((48, 80, 3), np.uint8)
    image[:, 40:] = (200, 100, 50)
    Image.fromarray(image).save(tmp_path / "bg.png")
    model = GivenBackground(tmp_path / "bg.png", FRAMING)
    model.start(footage(tmp_path / "images", 1, SIZE))
    for size in (SIZE, (6, 4)):
        background, unseen = model(blank(1, size), blank(1, size)[..., 0])
        assert background.shape == (*size, 3)
        assert background[0, 0].tolist() == [0, 0, 0]
        assert background[0, -1].tolist() == [200, 100, 50]
        assert unseen == 0


def test_backgrounds_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no background .*bg\.png"):
        GivenBackground(tmp_path / "bg.png")
    Image.new("RGB", (30, 10)).save(tmp_path / "bg.png")
    model = GivenBackground(tmp_path / "bg.png")
    with pytest.raises(DataError, match=r"another shape.*10x12.*30x10"):
        model.start(footage(tmp_path / "images", 1, SIZE))
    (tmp_path / "bg.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"bg\.png is empty"):
        model.start(footage(tmp_path / "images", 1, SIZE))


def test_versions_follow_the_content(tmp_path: Path) -> None:
    folder = save(tmp_path / "masks", [np.zeros(SIZE, np.uint8)])
    made: tuple[Callable[[Path], Any], ...] = (
        MaskFolder,
        ForegroundFolder,
        lambda path: GivenBackground(path / "000.png"),
    )
    before = [make(folder).version for make in made]
    assert [make(folder).version for make in made] == before
    save(folder, [np.ones(SIZE, np.uint8)])
    assert all(make(folder).version != version for make, version in zip(made, before, strict=True))
