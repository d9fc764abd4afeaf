"""The protocol of files that follow none."""

from __future__ import annotations

from pathlib import Path

from benchmarks.evaluation import digest
from benchmarks.evaluation.run import Plan, workers_of
from tests.benchmarks.evaluation.videos import array, images, moving, mp4


def protocol_of(truth: dict[str, Path]) -> str:
    with workers_of(Plan((), Path()), 1) as workers:
        return digest.protocol_of(truth, workers)


def test_frames_count_and_not_the_file_that_holds_them(tmp_path: Path) -> None:
    array(tmp_path / "a.npy", moving())
    images(tmp_path / "a", moving())
    assert protocol_of({"a": tmp_path / "a.npy"}) == protocol_of({"a": tmp_path / "a"})


def test_other_names_frames_and_lengths_are_another_protocol(tmp_path: Path) -> None:
    for name, frames in {"a": moving(0), "b": moving(1), "short": moving(0)[:9]}.items():
        array(tmp_path / f"{name}.npy", frames)
    found = {
        protocol_of(truth)
        for truth in (
            {"a": tmp_path / "a.npy"},
            {"other": tmp_path / "a.npy"},
            {"a": tmp_path / "b.npy"},
            {"a": tmp_path / "short.npy"},
            {"a": tmp_path / "a.npy", "b": tmp_path / "b.npy"},
        )
    }
    assert len(found) == 5
    assert all(name.startswith("files@") and len(name) == 14 for name in found)


def test_what_cannot_be_decoded_does_not_stop_it(tmp_path: Path) -> None:
    mp4(tmp_path / "a.mp4", moving())
    (tmp_path / "b.mp4").write_bytes(b"no video")
    assert protocol_of({"a": tmp_path / "a.mp4", "b": tmp_path / "b.mp4"}).startswith("files@")
