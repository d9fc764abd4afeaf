"""Documents of data sets from strangers: refused by name, or read; never anything else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules import protocols
from datamodules.complexmotion import read_table
from datamodules.iper import read_list
from datamodules.iper_protocol import convert
from datamodules.miniatures import write
from datamodules.native import MINIATURE
from datamodules.projection import Camera
from datamodules.puppets import protocol as puppets
from datamodules.solodance import find_videos
from motioncopy.errors import DataError
from motioncopy.files.documents import read_json
from tests.datamodules.test_iper_protocol import PUBLIC
from tests.motioncopy.files.hostile import SEEDED, check, documents

_PROTOCOL = {
    "id": "x", "version": 2, "origin": "Nowhere.", "recordings": {"train": 3, "test": 2}, "pairs": {"2": [[0, 1]]},
    "chronological": {"test_share": 0.2, "gap": 2}, "held_out": [1],
    "trials": [{"id": "a-as-b", "kind": "imitation", "recording": "a", "sources": [3, 1], "driver": "b", "start": 0,
                "stop": 9, "flag": [1, 2]}],
}  # fmt: skip
_PUPPETS = json.loads(puppets.text(puppets.protocol()))
_PUPPETS |= {name: _PUPPETS[name][:2] for name in ("train", "val", "reconstruction", "imitation")}
_TABLE = b"clip,person,split\njump,ann,test\nkick.mp4,bob,train\n"
_VIDEOS = ("jump.mp4", "kick.mp4")


@SEEDED
@given(data=documents(_PROTOCOL))
def test_protocols(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(data)

    def read() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(protocols, "_FOLDER", tmp_path)
            rules = protocols.protocol.__wrapped__("x")
        assert rules.drivers(["ann", "bob"]).keys() == {"ann", "bob"}
        assert rules.name.startswith(f"{rules.id}@")

    check(read, path)


@SEEDED
@given(data=documents(_PUPPETS))
def test_the_puppets_protocol(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "puppets.json"
    path.write_bytes(data)
    check(lambda: puppets.parse(read_json(path, error=DataError, what=puppets._WHAT)), "protocol")


@SEEDED
@given(data=documents(PUBLIC))
def test_ipers_public_protocol(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "iPER_protocol.json"
    path.write_bytes(data)
    check(lambda: convert(read_json(path, error=DataError)), "protocol")


@SEEDED
@given(data=documents({"fx": -600, "fy": 600.5, "cx": 31, "cy": 23}))
def test_cameras(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "camera.json"
    path.write_bytes(data)

    def read() -> None:
        assert np.isfinite(Camera.read(path)(np.array([[1.0, 2, 3]]))).all()

    check(read, path)


@SEEDED
@given(data=documents(_TABLE) | st.text().map(lambda line: _TABLE + line.encode("utf-16", "surrogatepass")))
def test_tables(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "clips.csv"
    path.write_bytes(data)
    check(lambda: read_table(path, _VIDEOS), path)


@SEEDED
@given(data=documents(b"001/9/1\n001/9/2\n030/12/1\n"))
def test_lists(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "train.txt"
    path.write_bytes(data)
    check(lambda: read_list(path), path)


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
        read_table(tmp_path / "clips.csv", _VIDEOS)


def test_a_list_with_many_lines_takes_no_time(tmp_path: Path) -> None:
    names = [f"{a:03d}/{b}/{c}" for a in range(50) for b in range(40) for c in range(10)]
    (tmp_path / "train.txt").write_text("\n".join(names))
    assert read_list(tmp_path / "train.txt") == names


def test_links_in_a_circle_have_an_end(tmp_path: Path) -> None:
    video = tmp_path / "train_img/source/video01"
    video.mkdir(parents=True)
    (video / "0.png").touch()
    for name in ("up", "further_up"):
        (video / name).symlink_to("..")
    with pytest.raises(DataError, match=r"video01/(further_)?up is .*source once more"):
        find_videos(tmp_path, "train")


def test_a_damaged_miniature_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / MINIATURE).write_text("[" * 100_000)
    with pytest.raises(DataError, match=r"miniature\.json cannot be read.*remove"):
        write("iper", tmp_path)
