"""Clips of run folders: which panels are written, kept and missing, and what their files say."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.bench import processes, runner
from benchmarks.bench.config_stack import ConfigStack
from benchmarks.bench.jobs import Job
from benchmarks.report import clips
from benchmarks.report.build import build
from benchmarks.report.runs import Run, find
from benchmarks.report.videos import Panels, sized
from motioncopy.footage.video import VideoReader, read_metadata
from tests.benchmarks.in_process import Started
from tests.benchmarks.report.made import PSNR, SSIM, decoded, record, run_folder
from tests.benchmarks.report.test_build import read
from tests.toys import write_clip


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two baselines' runs on two people, one of whom imitates the other (which has no truth)."""
    folder = tmp_path_factory.mktemp("ran")
    for name in ("ann", "bob"):
        write_clip(folder / "clips", name, frames=24)
    overrides = {"model": {"init_args": {"image_size": [32, 32]}}, "trainer": {"accelerator": "cpu", "logger": False}}
    given: dict[str, Any] = {"runs": folder / "runs", "data_root": str(folder / "clips"), "metrics": ("ssim", "psnr")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "subprocess", SimpleNamespace(run=Started()))
        for method in ("static", "nearest"):
            runner.run(Job(ConfigStack(method, "folder", "trivial", ""), overrides=overrides, **given))
    return folder / "runs"


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
    assert decoded(given[2][static][SSIM]) == pytest.approx(list(run.trials["ann-own"].scores.values[SSIM]), abs=1e-4)
    place = [r["id"] for r in group["runs"]].index(static)
    assert group["values"][PSNR][place][0] == pytest.approx(run.trials["ann-own"].scores.scores[PSNR].value, rel=1e-4)


def test_panels_are_written_once(ran: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    video = Panels.video

    def noted(self: Panels, name: str, *rest: Any) -> None:
        written.append(name)
        video(self, name, *rest)

    monkeypatch.setattr(Panels, "video", noted)
    out, runs = tmp_path / "report", tmp_path / "runs"
    shutil.copytree(ran, runs)
    build([], out, runs=runs)
    assert len(written) == 2 * 2 + 2 + 1, "two runs of two trials, two motions, one truth"
    before = {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    written.clear()
    monkeypatch.setattr(Run, "data", lambda _: pytest.fail("nothing is read again either"))
    build([], out, runs=runs)
    assert written == []
    assert {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()} == before

    frames = next(runs.glob("static*/outputs/*/ann-own.npy"))
    np.save(frames, np.load(frames) // 2)
    build([], out, runs=runs)
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
    runs = tmp_path / "runs"
    whole = run_folder(runs, record())
    faults = {
        "record.json": "{}", "stack.yaml": "a: &a [*a]", "outputs/puppets@1-test/summary.json": '{"trials": [[]]}',
        "data.sha256": "ü" * 40,
    }  # fmt: skip
    damaged = {}
    for seed, (name, content) in enumerate(faults.items(), 1):
        folder = run_folder(runs, record(seed=seed))
        (folder / name).write_text(content)
        damaged[folder.name] = name
    pipe = run_folder(runs, record(seed=9))
    (pipe / "stack.yaml").unlink()
    os.mkfifo(pipe / "stack.yaml")
    unreadable = runs / os.fsdecode(b"\xff\x1b[2J")
    unreadable.mkdir()
    (unreadable / "record.json").symlink_to("nowhere")
    found, aside = find(runs)
    assert [run.folder for run in found] == [whole]
    assert {name for name, _ in aside} == {*damaged, pipe.name, "\\udcff\\x1b[2J"}
    build([], tmp_path / "report", runs=runs)
    texts = " ".join(read(tmp_path / "report").texts)
    assert all(name in texts for name, _ in aside)


def test_frames_that_are_gone_or_damaged_cost_their_own_panel(tmp_path: Path) -> None:
    runs, trials = tmp_path / "runs", [f"t{k}" for k in range(5)]
    folder = run_folder(runs, record(trials=trials))
    outputs = folder / "outputs/puppets@1-test"
    (outputs / "t0.npy").unlink()
    whole = (outputs / "t1.npy").read_bytes()
    (outputs / "t1.npy").write_bytes(whole[:-1])
    (outputs / "t2.npy").write_bytes(whole.replace(b"(4, 16, 16, 3)", b"(4, 16, 12, 4)"))
    np.save(outputs / "t3.npy", np.zeros((4, 8, 16, 3), np.uint8))
    (run,), aside = find(runs)
    assert run.unseen.keys() == {"t0", "t1", "t2", "t3"}
    assert [name for name, _ in aside] == [folder.name]
    assert "the frames of 4 of 5 trials, such as t0: there is no footage" in aside[0][1]
    build([], tmp_path / "report", runs=runs)
    (group,) = read(tmp_path / "report").known["clips"]
    clips_folder = tmp_path / "report/clips/puppets-general"
    assert [p.parent.name for p in clips_folder.glob(f"*/{run.id}.mp4")] == ["t4"]
    missing = group["missing"]
    assert {key for key in missing if key.endswith(run.id)} == {f"t{k}/{run.view}/{run.id}" for k in range(4)}
    assert "cut off" in missing[f"t1/{run.view}/{run.id}"]
    assert "holds other frames" in missing[f"t3/{run.view}/{run.id}"]
    assert str(tmp_path) not in json.dumps(group)


def test_nothing_outside_of_the_runs_is_read(tmp_path: Path) -> None:
    elsewhere, runs = tmp_path / "private", tmp_path / "runs"
    outside = run_folder(elsewhere, record(trials=["secret"]))
    frames = outside / "outputs/puppets@1-test/secret.npy"
    linked = run_folder(runs, record(seed=1, trials=["secret"]))
    (linked / "outputs/puppets@1-test/secret.npy").unlink()
    (linked / "outputs/puppets@1-test/secret.npy").symlink_to(frames)
    named = run_folder(runs, record(seed=2, trials=["secret"]))
    summary = named / "outputs/puppets@1-test/summary.json"
    climbing = "../../../../private/" + str(frames.relative_to(elsewhere).with_suffix(""))
    summary.write_text(summary.read_text().replace('"secret"', json.dumps(climbing)))
    (runs / "whole").symlink_to(outside)
    protocol = "../../../private/" + str(outside.relative_to(elsewhere)) + "/outputs/puppets@1"
    climbed = record(seed=3, trials=["secret"])
    folder = run_folder(runs, climbed)
    (folder / "record.json").write_text(json.dumps(replace(climbed, protocol=protocol).to_dict()))
    found, aside = find(runs)
    assert found == []
    assert {name for name, _ in aside} == {linked.name, named.name, "whole", folder.name}
    assert all("leads out of" in reason for _, reason in aside), aside


def test_a_data_set_that_breaks_while_it_is_read_costs_its_own_panels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_folder(tmp_path / "runs", record())

    class Broken:
        ids = ("walk",)

        def __getitem__(self, index: int) -> None:
            raise AttributeError("of a library's inside")

    monkeypatch.setattr(Run, "data", lambda _: SimpleNamespace(trials=lambda *_: Broken()))
    built = build([], tmp_path / "report", runs=tmp_path / "runs")
    assert built.aside == [("puppets, trial walk", "AttributeError: of a library's inside")]
    (group,) = read(tmp_path / "report").known["clips"]
    view = group["runs"][0]["view"]
    assert group["missing"][f"walk/{view}/motion"] == "AttributeError: of a library's inside"
    assert group["missing"][f"jump/{view}/motion"] == "the data set's present protocol has no such trial"


def test_names_as_long_as_file_systems_take_have_panels(tmp_path: Path) -> None:
    long = "x" * 251
    its = record(trials=[long], id="r" * 240)
    run_folder(tmp_path / "runs", its)
    built = build([its], tmp_path / "report", runs=tmp_path / "runs")
    assert built.aside == []
    (group,) = read(tmp_path / "report").known["clips"]
    (panel,) = (tmp_path / "report/clips/puppets-general").glob("*/*.mp4")
    assert panel.parent.name == group["clips"][0][1]
    assert panel.stem == group["runs"][0]["id"]


def test_a_damaged_index_of_the_older_report_is_no_hindrance(tmp_path: Path) -> None:
    run_folder(tmp_path / "runs", record())
    build([], tmp_path / "report", runs=tmp_path / "runs")
    (tmp_path / "report/clips/made.json").write_text("{half")
    assert build([], tmp_path / "report", runs=tmp_path / "runs").clips == 2


def test_only_chosen_data_sets_are_shown(tmp_path: Path) -> None:
    run_folder(tmp_path / "runs", record())
    run_folder(tmp_path / "runs", record("static", data="iper", protocol="iper@1"))
    build([], tmp_path / "report", runs=tmp_path / "runs", data=["iper"])
    assert [g["id"] for g in read(tmp_path / "report").known["clips"]] == ["iper-general"]


def test_images_are_brought_to_a_size_that_can_be_seen() -> None:
    assert sized(np.zeros((96, 72, 3), np.uint8)).shape == (192, 144, 3)
    assert sized(np.zeros((256, 192, 3), np.uint8)).shape == (256, 192, 3)
    assert sized(np.zeros((1024, 512, 3), np.uint8)).shape == (512, 256, 3)
    assert sized(np.zeros((2, 100_000, 3), np.uint8)).shape == (1, 2048, 3)
    assert sized(np.zeros((2, 1500, 3), np.uint8)).shape == (2, 1500, 3)


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
