"""Clips of run folders: which panels are written, kept and missing, and what their files say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks import bench
from benchmarks.jobs import Job
from benchmarks.report import clips
from benchmarks.report.build import build
from benchmarks.report.curves import decode
from benchmarks.report.runs import find
from benchmarks.report.videos import Panels, sized
from benchmarks.stack import Stack
from motioncopy.video import VideoReader, read_metadata
from tests.benchmarks.in_process import Started
from tests.benchmarks.report.made import PSNR, SSIM, record, run_folder
from tests.benchmarks.report.test_build import read
from tests.toys import write_clip


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of two baselines' runs on two people, one of whom imitates the other (which has no truth)."""
    for name in ("ann", "bob"):
        write_clip(tmp_path / "clips", name, frames=24)
    monkeypatch.setattr(bench, "subprocess", SimpleNamespace(run=Started()))
    overrides = {"model": {"init_args": {"image_size": [32, 32]}}, "trainer": {"accelerator": "cpu", "logger": False}}
    for method in ("static", "nearest"):
        stack = Stack(method, "folder", "trivial", "")
        given: dict[str, Any] = {"runs": tmp_path / "runs", "data_root": str(tmp_path / "clips")}
        bench.run(Job(stack, overrides=overrides, metrics=("ssim", "psnr"), **given))
    return tmp_path / "runs"


def test_clips_of_real_runs(ran: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs, aside = find(ran)
    assert not aside
    out = tmp_path / "report"
    built = build([run.record for run in runs], out, runs=ran)
    assert built.clips == 2
    (group,) = read(out).known["clips"]
    assert [c[0] for c in group["clips"]] == ["ann-own", "ann-as-bob"]
    assert {run["method"] for run in group["runs"]} == {"static", "nearest"}
    assert len({run["view"] for run in group["runs"]}) == 1, "both see the same frames"
    assert all(run["row"] for run in group["runs"]), "each belongs to a row of the table"
    view = group["runs"][0]["view"]
    assert group["missing"] == {f"ann-as-bob/{view}/truth": "the data set has no true frames of this trial"}
    folder = out / "clips" / group["id"]
    expected = {
        f"motion-{view}.mp4",
        f"truth-{view}.mp4",
        f"appearance-{view}.webp",
        *(f"{r['id']}.mp4" for r in group["runs"]),
    }
    assert {p.name for p in (folder / "ann-own").iterdir()} == expected
    assert {p.name for p in (folder / "ann-as-bob").iterdir()} == expected - {f"truth-{view}.mp4"}

    # Every panel of a clip has the clip's frames; what was generated says so, and the rest does not.
    (static,) = [r["id"] for r in group["runs"] if r["method"] == "static"]
    for name in (f"{static}.mp4", f"motion-{view}.mp4", f"truth-{view}.mp4"):
        path = folder / "ann-own" / name
        assert len(VideoReader(path)) == group["clips"][0][4]
        assert read_metadata(path)["comment"].startswith("synthetic") == (name == f"{static}.mp4")
    truth = VideoReader(folder / "ann-own" / f"truth-{view}.mp4").frames([0, 3]).astype(float)
    made = VideoReader(folder / "ann-own" / f"{static}.mp4").frames([0, 3]).astype(float)
    frames = np.load(next(ran.glob("static*/outputs/*/ann-own.npy")))[[0, 3]]
    assert np.abs(made - np.stack([sized(f) for f in frames])).mean() < 4
    assert np.abs(made - truth).mean() > np.abs(made - np.stack([sized(f) for f in frames])).mean()
    assert "Clips: 4/4" in capsys.readouterr().out

    # The curves are those of the summaries.
    script = (folder / "ann-own.js").read_text()
    given = json.loads("[" + script.removeprefix("motioncopyClip(").removesuffix(");\n") + "]")
    assert given[:2] == [group["id"], "ann-own"]
    (run,) = [r for r in runs if r.id == static]
    assert decode(given[2][static][SSIM]) == pytest.approx(list(run.scores("ann-own").values[SSIM]), abs=1e-4)
    place = [r["id"] for r in group["runs"]].index(static)
    assert group["values"][PSNR][place][0] == pytest.approx(run.scores("ann-own").scores[PSNR].value, rel=1e-4)


def test_panels_are_written_once(ran: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    video = Panels.video

    def noted(self: Panels, name: str, *rest: Any) -> None:
        written.append(name)
        video(self, name, *rest)

    monkeypatch.setattr(Panels, "video", noted)
    out = tmp_path / "report"
    build([], out, runs=ran)
    assert len(written) == 2 * 2 + 2 + 1, "two runs of two trials, two motions, one truth"
    before = {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    written.clear()
    shutil.rmtree(tmp_path / "clips")  # nothing is read again either
    build([], out, runs=ran)
    assert written == []
    assert {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()} == before

    frames = next(ran.glob("static*/outputs/*/ann-own.npy"))
    np.save(frames, np.load(frames) // 2)
    build([], out, runs=ran)
    assert [Path(name).parent.name for name in written] == ["ann-own"], "only what has changed"


def test_without_the_data_the_generated_frames_are_shown(tmp_path: Path) -> None:
    run_folder(tmp_path / "runs", record())
    build([], tmp_path / "report", runs=tmp_path / "runs")
    (group,) = read(tmp_path / "report").known["clips"]
    view = group["runs"][0]["view"]
    assert "the data are not here" in group["missing"][f"walk/{view}/motion"]
    assert str(tmp_path) not in json.dumps(group), "no folder of this machine"
    assert (tmp_path / "report" / "clips" / "puppets-general" / "walk" / f"{group['runs'][0]['id']}.mp4").is_file()


def test_a_damaged_run_is_left_aside_with_its_reason(tmp_path: Path) -> None:
    whole = run_folder(tmp_path / "runs", record())
    gone = run_folder(tmp_path / "runs", record(seed=1))
    next(gone.glob("outputs/*/walk.npy")).unlink()
    damaged = run_folder(tmp_path / "runs", record(seed=2))
    (damaged / "record.json").write_text("{}")
    runs, aside = find(tmp_path / "runs")
    assert [run.folder for run in runs] == [whole]
    assert [name for name, _ in aside] == [gone.name, damaged.name]
    build([], tmp_path / "report", runs=tmp_path / "runs")
    texts = " ".join(read(tmp_path / "report").texts)
    assert "the frames of 1 of 2 trials are gone" in texts
    assert damaged.name in texts


def test_only_chosen_data_sets_are_shown(tmp_path: Path) -> None:
    run_folder(tmp_path / "runs", record())
    run_folder(tmp_path / "runs", record("static", data="iper", protocol="iper@1"))
    build([], tmp_path / "report", runs=tmp_path / "runs", data=["iper"])
    assert [g["id"] for g in read(tmp_path / "report").known["clips"]] == ["iper-general"]


def test_images_are_brought_to_a_size_that_can_be_seen() -> None:
    assert sized(np.zeros((96, 72, 3), np.uint8)).shape == (192, 144, 3)
    assert sized(np.zeros((256, 192, 3), np.uint8)).shape == (256, 192, 3)
    assert sized(np.zeros((1024, 512, 3), np.uint8)).shape == (512, 256, 3)


def test_an_interrupted_report_leaves_the_old_clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_folder(tmp_path / "runs", record())
    out = tmp_path / "report"
    build([], out, runs=tmp_path / "runs")
    before = sorted(p for p in out.rglob("*"))

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(clips, "_described", stop)
    with pytest.raises(KeyboardInterrupt):
        build([], out, runs=tmp_path / "runs")
    assert sorted(p for p in out.rglob("*")) == before
    assert {p.name for p in tmp_path.iterdir()} == {"runs", "report"}
