"""Which files are clips, and which belong together."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.evaluation.clips import ONLY, find, match
from motioncopy.errors import DataError


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_clips_are_named_after_their_place_without_the_suffix(tmp_path: Path) -> None:
    touch(tmp_path / "a.mp4", tmp_path / "b/c.GIF", tmp_path / "d/0001.png", tmp_path / "d/0002.png")
    touch(tmp_path / "e.npy", tmp_path / "notes.txt", tmp_path / ".hidden.mp4", tmp_path / "f/g/h.avi")
    found, twice = find(tmp_path)
    assert {name: p.relative_to(tmp_path).as_posix() for name, p in found.items()} == {
        "a": "a.mp4", "b/c": "b/c.GIF", "d": "d", "e": "e.npy", "f/g/h": "f/g/h.avi",
    }  # fmt: skip
    assert twice == {}


def test_a_folder_of_images_is_one_clip(tmp_path: Path) -> None:
    touch(tmp_path / "1.png", tmp_path / "2.png", tmp_path / "notes.txt")
    assert find(tmp_path) == ({ONLY: tmp_path}, {})


def test_a_thumbnail_does_not_hide_the_videos_beside_it(tmp_path: Path) -> None:
    touch(tmp_path / "poster.png", tmp_path / "a.mp4", tmp_path / "b.mp4")
    with pytest.raises(DataError, match=r"one clip or many.*images beside a\.mp4, b\.mp4"):
        find(tmp_path)


def test_links_in_a_circle_are_followed_once(tmp_path: Path) -> None:
    touch(tmp_path / "a.mp4", tmp_path / "sub/b.mp4")
    (tmp_path / "sub/back").symlink_to(tmp_path)
    assert list(find(tmp_path)[0]) == ["a", "sub/b"]


def test_two_files_of_one_name_are_told(tmp_path: Path) -> None:
    touch(tmp_path / "a.mp4", tmp_path / "a.gif", tmp_path / "b.mp4")
    found, twice = find(tmp_path)
    assert list(found) == ["b"]
    assert twice == {"a": "has two clips of this name: a.gif, a.mp4"}


def test_names_that_no_terminal_should_see_are_written_out(tmp_path: Path) -> None:
    touch(tmp_path / "\x1b[31mred.mp4", tmp_path / "two\nlines.mp4", tmp_path / "\u202eback.mp4", tmp_path / "舞 ü.mp4")
    touch(Path(os.fsdecode(os.fsencode(tmp_path) + b"/latin-\xfc.mp4")))
    names = list(find(tmp_path)[0])
    assert sorted(names) == sorted(["\\x1b[31mred", "two\\nlines", "\\u202eback", "舞 ü", "latin-\\udcfc"])
    "".join(names).encode()


def test_what_is_no_file_or_no_name_is_told(tmp_path: Path) -> None:
    touch(tmp_path / "a.mp4", tmp_path / "~/home/me.mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "gone.mp4").symlink_to(tmp_path / "nowhere")
    (tmp_path / "round.mp4").symlink_to(tmp_path / "round.mp4")
    found, unusable = find(tmp_path)
    assert list(found) == ["a", "gone", "round"], "which their readers refuse"
    assert unusable == {
        "pipe": "has no regular file of this name",
        "~/home/me": "has a clip whose name reads like a path of a machine. Remedy: rename it",
    }


def test_a_folder_that_cannot_be_listed_does_not_hide_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "a.mp4", tmp_path / "closed/b.mp4")
    listed = Path.iterdir

    def refusing(folder: Path) -> Iterator[Path]:
        if folder.name == "closed":  # as for all but root
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", refusing)
    found, unusable = find(tmp_path)
    assert list(found) == ["a"]
    assert unusable == {"closed": "has a folder of this name that cannot be listed (Permission denied)"}
    with pytest.raises(DataError, match=r"closed cannot be read\. Found: Permission denied"):
        find(tmp_path / "closed")


@pytest.mark.parametrize(("folder", "message"), [("nowhere", "no folder"), ("empty", "holds no clip")])
def test_nothing_to_score_is_refused(tmp_path: Path, folder: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=message):
        find(tmp_path / folder)


def test_clips_without_a_partner_are_named_on_either_side(tmp_path: Path) -> None:
    g, t, m = (tmp_path / n for n in "gtm")
    touch(g / "a.mp4", g / "b.mp4", g / "d.mp4", t / "a.avi", t / "c.mp4", t / "d.mp4", m / "a.mp4")
    cases, failures = match(g, t, masks=m)
    assert [(c.name, c.files) for c in cases] == [
        ("a", {"generated": g / "a.mp4", "truth": t / "a.avi", "mask": m / "a.mp4"})
    ]
    assert failures == {
        "b": "there is no truth and no mask clip of this name",
        "c": "there is no generated and no mask clip of this name",
        "d": "there is no mask clip of this name",
    }


def test_a_reconstruction_without_truth_is_none_and_an_imitation_without_truth_has_no_mask(tmp_path: Path) -> None:
    g, t, m = (tmp_path / n for n in "gtm")
    touch(g / "own.mp4", g / "as.mp4", g / "whole.mp4", t / "whole.mp4", m / "whole.mp4")
    kinds = {"own": "reconstruction", "as": "imitation", "whole": "reconstruction"}
    cases, failures = match(g, t, masks=m, kinds=kinds)  # type: ignore[arg-type]
    assert [c.name for c in cases] == ["as", "whole"]
    assert failures == {"own": "there is no truth and no mask clip of this name"}


def test_a_protocol_wants_all_of_its_trials_and_no_other(tmp_path: Path) -> None:
    g, t = tmp_path / "g", tmp_path / "t"
    touch(g / "own.mp4", g / "other.mp4", g / "as.mp4", t / "own.mp4", t / "gone.mp4")
    cases, failures = match(g, t, kinds={"own": "reconstruction", "as": "imitation", "gone": "reconstruction"})
    assert [(c.name, c.kind, c.truth is None) for c in cases] == [
        ("as", "imitation", True), ("own", "reconstruction", False),
    ]  # fmt: skip
    assert failures == {
        "other": "the protocol has no trial of this name",
        "gone": "there is no generated clip of this name",
    }
