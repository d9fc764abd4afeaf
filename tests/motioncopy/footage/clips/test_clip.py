from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motioncopy.errors import ClipError
from motioncopy.footage.clips import Backend, Clip, Source, find_clips, stale
from tests.motioncopy.footage.clips.making import BACKENDS, SIZE, arrays, background, new_writer, write_clip


def edit_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads((folder / "manifest.json").read_text())
    change(content)
    (folder / "manifest.json").write_text(json.dumps(content))


def test_round_trip_of_every_part(tmp_path: Path) -> None:
    given = arrays(7, every_part=True)
    with new_writer(tmp_path / "dance", parts=("mask", "parsing", "flow")) as writer:
        writer.append(**{name: array[:3] for name, array in given.items()})
        writer.append(**{name: array[3:3] for name, array in given.items()})
        writer.append(**{name: array[3:] for name, array in given.items()})
        writer.set_background(background())
    clip = Clip.open(tmp_path / "dance")
    assert (len(clip), clip.id, clip.person, clip.fps, clip.size) == (7, "dance", "ada", 25.0, SIZE)
    assert clip.skeleton == "body25"
    assert clip.parts == {"mask", "parsing", "flow"}
    order = [6, 0, 3, 3, 4]
    for name in ("images", "mask", "parsing"):
        found = getattr(clip, name)(order)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, given[name][order])
    assert clip.flow(order).dtype == np.float32
    np.testing.assert_allclose(clip.flow(order), given["flow"][order], atol=1 / 64)
    for name in ("joints", "hand_left", "hand_right", "face"):
        found = getattr(clip, name)
        assert found.dtype == np.float32
        assert not found.flags.writeable
        np.testing.assert_array_equal(found, given[name].astype(np.float32))
    np.testing.assert_array_equal(clip.background, background())
    assert not clip.background.flags.writeable
    clip.verify()
    assert clip.manifest.source == Source("dance.mp4", "abc")
    assert clip.manifest.parts["joints"].backend == BACKENDS["joints"]
    assert clip.manifest.parts["images"].backend is None
    assert clip.manifest.created_by.startswith("motioncopy ")


def test_frames_are_copies_and_stay_within_the_clip(tmp_path: Path) -> None:
    clip = Clip.open(write_clip(tmp_path / "dance"))
    first = clip.images([0])
    first[:] = 0
    np.testing.assert_array_equal(clip.images(np.array([0])), arrays(7)["images"][:1])
    assert clip.images([]).shape == (0, *SIZE, 3)
    assert clip.images(range(2, 5)).shape == (3, *SIZE, 3)
    for wrong in ([7], [-1]):
        with pytest.raises(IndexError, match="frames 0 to 6"):
            clip.mask(wrong)


def test_absent_parts(tmp_path: Path) -> None:
    clip = Clip.open(write_clip(tmp_path / "dance"))
    assert clip.parts == {"mask"}
    assert clip.hand_left is clip.hand_right is clip.face is None
    for read in (clip.parsing, clip.flow):
        with pytest.raises(ClipError, match=r"prepared without \w+.*--force"):
            read([0])


def test_pickles_small_and_reopens(tmp_path: Path) -> None:
    clip = Clip.open(write_clip(tmp_path / "dance"))
    images = clip.images([2])
    _ = clip.joints
    content = pickle.dumps(clip)
    assert len(content) < 4000
    np.testing.assert_array_equal(pickle.loads(content).images([2]), images)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "manifest.json").unlink(), "not a prepared clip, or was left half written.*motioncopy prepare"),
        (lambda f: (f / "manifest.json").write_text("{"), r"manifest\.json cannot be read"),
        (lambda f: (f / "manifest.json").write_text("[]"), r"manifest\.json is damaged.*an object"),
        (
            lambda f: edit_manifest(f, lambda m: m.update(schema=99)),
            "another layout.*Expected: schema 1.*Found: 99.*--force",
        ),
        (lambda f: edit_manifest(f, lambda m: m.pop("fps")), r"manifest\.json is damaged.*fps"),
        (lambda f: edit_manifest(f, lambda m: m.update(size=[1])), r"manifest\.json is damaged"),
        (lambda f: edit_manifest(f, lambda m: m["parts"].pop("mask")), "lacks mask"),
        (lambda f: (f / "mask.npy").unlink(), r"mask\.npy is missing"),
        (lambda f: (f / "images.npy").write_bytes((f / "images.npy").read_bytes()[:-1]), r"images\.npy is truncated"),
    ],
)
def test_damage_that_is_noticed_at_open(tmp_path: Path, damage: Callable[[Path], object], message: str) -> None:
    folder = write_clip(tmp_path / "dance")
    damage(folder)
    with pytest.raises(ClipError, match=message) as caught:
        Clip.open(folder)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("name", ["../images.npy", "/etc/passwd", "a/b.npy", "..", "", "a\\b.npy", "C:x"])
def test_files_outside_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    folder = write_clip(tmp_path / "dance")
    edit_manifest(folder, lambda m: m["parts"]["images"].update(file=name))
    with pytest.raises(ClipError, match="points outside"):
        Clip.open(folder)


def test_missing_clip(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="absent is not a prepared clip"):
        Clip.open(tmp_path / "absent")


def test_arrays_that_are_not_what_the_manifest_says(tmp_path: Path) -> None:
    folder = write_clip(tmp_path / "dance")
    size = (folder / "mask.npy").stat().st_size
    np.save(folder / "mask.npy", arrays(7)["mask"].reshape(7, 10, 12))
    assert (folder / "mask.npy").stat().st_size == size
    with pytest.raises(ClipError, match=r"mask\.npy is another array"):
        Clip.open(folder).mask([0])
    size = (folder / "images.npy").stat().st_size
    (folder / "images.npy").write_bytes(b"x" * size)
    with pytest.raises(ClipError, match=r"images\.npy cannot be read"):
        Clip.open(folder).images([0])


def test_verify_names_a_changed_file(tmp_path: Path) -> None:
    clip = Clip.open(write_clip(tmp_path / "dance"))
    content = bytearray((clip.path / "mask.npy").read_bytes())
    content[-1] ^= 1
    (clip.path / "mask.npy").write_bytes(content)
    Clip.open(clip.path)  # a changed bit is too small for a look at the sizes
    with pytest.raises(ClipError, match=r"mask\.npy is damaged"):
        clip.verify()


def test_stale(tmp_path: Path) -> None:
    manifest = Clip.open(write_clip(tmp_path / "dance")).manifest
    assert stale(manifest, "abc", BACKENDS) is None
    assert stale(manifest, "abd", BACKENDS) == "its source has changed"
    assert stale(manifest, None, BACKENDS) == "its source has changed"
    newer = BACKENDS | {"joints": Backend("seer", "2")}
    assert stale(manifest, "abc", newer) == "its joints was made by seer 1, now it would be seer 2"
    assert stale(manifest, "abc", BACKENDS | {"flow": Backend("dis", "1")}) == "it has no flow"
    assert "nothing that is known" in str(stale(manifest, "abc", {"images": Backend("x", "1")}))
    rendered = Clip.open(write_clip(tmp_path / "puppet", source=None)).manifest
    assert stale(rendered, None, BACKENDS) is None


def test_find_clips_passes_over_what_is_not_finished(tmp_path: Path) -> None:
    folders = [write_clip(tmp_path / name) for name in ("b", "a")]
    (tmp_path / "other").mkdir()
    write_clip(tmp_path / ".c.partial-1")
    assert find_clips(tmp_path) == sorted(folders)


@pytest.mark.parametrize(
    "array",
    [np.full((3, 25, 3), np.nan, "f4"), np.full((3, 25, 3), 2, "f4"), np.zeros((3, 25, 3), ">f4"),
     np.zeros((3, 25, 3), "i4")],
    ids=["nan", "confidence", "byte order", "type"],
)  # fmt: skip
def test_joints_that_are_none(tmp_path: Path, array: np.ndarray) -> None:
    clip = write_clip(tmp_path / "dance", 3)
    np.save(clip / "joints.npy", array)
    with pytest.raises(ClipError, match="joints"):
        _ = Clip.open(clip).joints


def test_a_claim_to_much_is_refused_before_there_is_room_for_it(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "dance", 3)
    path = clip / "manifest.json"
    content = json.loads(path.read_text())
    claims = (
        {"size": [10**6, 10**6]}, {"frames": 10**12}, {"fps": 1e300}, {"frames": -1}, {"size": [0, 10]}, {"fps": "25"},
        {"person": "../ada"}, {"id": "a/b"}, {"id": "a" * 300}, {"person": "\x1b"}, {"schema": True}, {"more": 1},
    )  # fmt: skip
    for claim in claims:
        path.write_text(json.dumps(content | claim))
        with pytest.raises(ClipError, match=r"dance"):
            Clip.open(clip)
    for change in ({"dtype": "object"}, {"shape": [10**9, 12, 10, 3]}, {"shape": [3, 12, 10, 3], "bytes": 5}):
        parts = content["parts"] | {"images": content["parts"]["images"] | change}
        path.write_text(json.dumps(content | {"parts": parts}))
        with pytest.raises(ClipError, match=r"manifest\.json.*images"):
            Clip.open(clip)
