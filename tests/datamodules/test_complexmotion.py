"""ComplexMotion: any videos, what clips.csv says of them, and what it may not say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamodules import complexmotion
from datamodules.complexmotion import ComplexMotion, hold_out, read_table
from datamodules.miniatures.complexmotion import Take, write
from datamodules.native import MINIATURE
from motioncopy.batch import MotionBatch
from motioncopy.errors import DataError, VideoError
from motioncopy.request import DataRequest

REQUEST = DataRequest(2, (64, 64), window=3)
HEADER = "clip,person,split\n"


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """A folder with files that only look like videos, which nobody opens before they are prepared."""
    for name in ("jump.mp4", "kick.mp4", "spin.MOV", "notes.txt", ".hidden.mp4"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def recordings(root: Path, **options: Any) -> dict[str, tuple[str, str]]:
    data = ComplexMotion(str(root), prepared=str(root / "prepared"), **options)
    return {r.id: (r.person, r.split) for r in data.recordings.values()}


def test_without_a_table_every_video_is_a_person_and_a_fifth_is_tested(videos: Path) -> None:
    found = recordings(videos)
    assert {name: person for name, (person, _) in found.items()} == {n: n for n in ("jump", "kick", "spin")}
    assert sorted(split for _, split in found.values()) == ["test", "test", "train"]
    for count, tested in ((1, 1), (2, 2), (10, 2), (20, 4), (122, 24)):
        rows = hold_out(f"{n}.mp4" for n in range(count))
        assert sum(row.split == "test" for row in rows.values()) == tested


def test_a_general_model_needs_people_that_are_not_tested(videos: Path) -> None:
    (videos / "spin.MOV").unlink()
    assert set(recordings(videos)) == {"jump", "kick"}
    with pytest.raises(DataError, match=r"no videos to train a general model on.*2 to test on"):
        recordings(videos, regime="general")


def test_the_rule_neither_changes_nor_depends_on_the_order() -> None:
    names = [f"{n}.mp4" for n in range(10)]
    assert hold_out(names) == hold_out(reversed(names))
    assert {name for name, row in hold_out(names).items() if row.split == "test"} == {"7.mp4", "8.mp4"}


def test_the_table_says_who_is_in_which_video(videos: Path) -> None:
    # Names with and without suffix, further columns, and the mark that spreadsheets put in front.
    (videos / "clips.csv").write_text(
        "\ufeffsplit,clip,note,person\ntest,jump,,ann\ntest,kick.mp4,dark,ann\ntrain,spin,,bob\n", encoding="utf-8"
    )
    assert recordings(videos) == {"jump": ("ann", "test"), "kick": ("ann", "test"), "spin": ("bob", "train")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + "jump,ann,test\nfall,bob,train\n", r"line 3 names a video that is not there.*'fall'"),
        (HEADER + "jump,ann,test\njump.mp4,ann,test\n", r"line 3 names jump.mp4 a second time"),
        (HEADER + "../jump.mp4,ann,test\n", r"line 2 points out of the folder.*\.\./jump.mp4"),
        (HEADER + "/etc/passwd,ann,test\n", r"line 2 points out of the folder"),
        (HEADER + "notes.txt,ann,test\n", r"line 2 names a video that is not there"),
        (HEADER + "jump,ann,val\n", r"line 2 names an unknown split.*train or test.*'val'"),
        (HEADER + "jump,ann\n", r"line 2 names an unknown split.*''"),
        (HEADER + "jump,,test\n", r"line 2 names no person"),
        (HEADER + "jump,ann,test\nkick,ann,train\n", r"line 3 puts ann into both splits"),
        ("clip,person\njump,ann\n", r"line 1 lacks the column split"),
        ("", r"line 1 lacks the column clip, person, split.*an empty file"),
        (HEADER + "jump,ann,test\n", r"lacks videos of its folder.*none for kick.mp4, spin.MOV"),
        (HEADER + '"jump,ann,test\n', r"clips.csv is damaged"),
        (HEADER + "jump,\xff,test\n", r"clips.csv cannot be read.*no UTF-8.*0xff"),
    ],
)
def test_a_wrong_table_is_refused_with_the_line(videos: Path, text: str, message: str) -> None:
    (videos / "clips.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=message):
        recordings(videos)


def test_without_data_the_message_says_that_there_is_none_to_be_had(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"(?s)never released.*sample complexmotion"):
        ComplexMotion(None)
    with pytest.raises(DataError, match="holds no videos"):
        recordings(tmp_path)


def test_two_videos_of_one_name_and_an_empty_one_are_refused(videos: Path) -> None:
    with pytest.raises(VideoError, match=r"(jump|kick|spin)\.(mp4|MOV)"):
        ComplexMotion(str(videos), prepared=str(videos / "prepared")).prepare_data()
    assert not list((videos / "prepared").rglob("manifest.json"))
    (videos / "jump.avi").write_bytes(b"")
    with pytest.raises(DataError, match="two recordings of one name"):
        recordings(videos)


@pytest.fixture(scope="module")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("complexmotion") / "root"
    root.mkdir()
    takes = [
        Take("a", "dan", "boxing", "train", (160, 160)),
        Take("b", "hugo", "kicks", "test", (160, 160)),
        Take("c", "ines", "jumping_jacks", "test", (160, 200), 30.0),
    ]
    write(root, takes, frames=13)
    (root / MINIATURE).write_text('{"data": "complexmotion"}')
    return root


def test_both_regimes_get_windows_and_trials_of_what_mediapipe_saw(miniature: Path) -> None:
    general, personal = (
        ComplexMotion(str(miniature), prepared=str(miniature.parent / "prepared"), regime=regime)
        for regime in ("general", "personal")
    )
    general.prepare_data()
    for data, trained in ((general, "a"), (personal, "b")):
        windows = data.train_windows(REQUEST)
        batch = MotionBatch.collate([windows[0], windows[1]]).as_float()
        assert batch.clip == (trained, trained)
        assert batch.images.shape == (2, 3, 3, 64, 64)
        assert 0.02 < batch.mask.mean().item() < 0.5
    assert general.trials(REQUEST, "test").ids == ["b-own", "hugo-as-ines", "c-own", "ines-as-hugo"]
    assert personal.trials(REQUEST, "test").ids == ["b-own", "hugo-as-ines"]
    assert general.protocol == "complexmotion-miniature@1"
    clip = general.clip("c")
    assert (clip.fps, clip.size) == (30, (160, 200))
    assert np.mean(clip.joints[..., 2].max(axis=1) > 0) == 1


def test_it_says_that_the_data_set_is_not_public() -> None:
    assert complexmotion.ComplexMotion.__doc__
    assert "data_public: no" in complexmotion.ComplexMotion.__doc__
    assert "data_public: no" in ComplexMotion.origin


@pytest.mark.parametrize("person", ["../bob", "a/b", "..", "c:x", "\x1b[2J", "x" * 300])
def test_a_person_becomes_a_files_name(tmp_path: Path, person: str) -> None:
    path = tmp_path / "clips.csv"
    path.write_text(f"clip,person,split\njump,{person},test\n")
    with pytest.raises(DataError, match=r"clips\.csv, line 2 names nobody"):
        read_table(path, ["jump.mp4"])


@pytest.mark.parametrize(
    ("content", "found"),
    [(b"\0" * 9, "NUL"), (b"\xff\xfec\0", "no UTF-8"), (b"clip,person,split\n" + b"x" * 200_000, "damaged.*131072")],
)
def test_a_table_that_is_none(tmp_path: Path, content: bytes, found: str) -> None:
    (tmp_path / "clips.csv").write_bytes(content)
    with pytest.raises(DataError, match=rf"clips\.csv.*{found}"):
        read_table(tmp_path / "clips.csv", ("jump.mp4", "kick.mp4"))
