"""``motioncopy evaluate`` on real files: every form, every fault, processes, protocols, and going on after a kill."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from benchmarks.cli import main
from motioncopy.records import Record, read_all, write
from tests.benchmarks.evaluation.videos import Frames, array, gif, images, moving, mp4

METRICS = "ssim/gaussian,psnr/frame,mask_psnr/inside,tcm/truth_dis"
SSIM, PSNR, MASK, TCM = "ssim/gaussian@1", "psnr/frame@1", "mask_psnr/inside@1", "tcm/truth_dis@1"


def evaluate(folder: Path, *options: str, metrics: str = METRICS) -> tuple[int, Record | None]:
    """Exit status, and the record if there is one."""
    out = folder / "out"
    before = {r.id for r in read_all(out / "records")} if (out / "records").is_dir() else set()
    arguments = ["--generated", str(folder / "generated"), "--out", str(out), "--metrics", metrics]
    if "--protocol" not in options:
        arguments += ["--truth", str(folder / "truth")]
    status = main(["evaluate", *arguments, *options])
    new = [r for r in read_all(out / "records") if r.id not in before] if (out / "records").is_dir() else []
    return status, new[0] if new else None


def value(record: Record | None, key: str) -> float:
    assert record is not None
    return record.results.aggregates["reconstruction"][key].value


def spoilt(frames: Frames, amount: float = 8) -> Frames:
    noise = np.random.default_rng(1).normal(0, amount, frames.shape)
    return np.clip(frames + noise, 0, 255).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three clips in three forms, a little spoilt, against their truth in other forms."""
    for k, name in enumerate(("a", "b/c", "d")):
        mp4(tmp_path / f"truth/{name}.mp4", moving(k))
    mp4(tmp_path / "generated/a.mp4", spoilt(moving(0)))
    images(tmp_path / "generated/b/c", spoilt(moving(1)))
    array(tmp_path / "generated/d.npy", spoilt(moving(2)))
    return tmp_path


def test_all_forms_are_scored_and_recorded(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, record = evaluate(folder)
    assert status == 0
    assert record is not None
    assert (record.kind, record.method, record.data) == ("external", "generated", "files")
    assert record.protocol.startswith("files@")
    assert set(record.results.trials) == {"a", "b/c", "d"}
    aggregate = record.results.aggregates["reconstruction"][PSNR]
    assert (aggregate.clips, aggregate.frames) == (3, 30)
    assert 25 < aggregate.value < 35
    assert record.results.aggregates["reconstruction"][TCM].frames == 27
    assert record.results.missing[MASK] == "the clip has no masks"
    assert str(folder) not in json.dumps(record.to_dict())
    text = capsys.readouterr().out
    assert "PSNR ↑ (dB)" in text
    assert "without a value: Mask-PSNR: the clip has no masks" in text
    assert "3 clips scored, 0 not." in text
    frames = pd.read_csv(folder / "out/frames.csv")
    assert frames[frames.metric == PSNR].value.mean() == pytest.approx(aggregate.value)


def test_a_video_scores_perfectly_against_itself_and_a_gif_nearly(tmp_path: Path) -> None:
    for k, name in enumerate("ab"):
        mp4(tmp_path / f"truth/{name}.mp4", moving(k))
    mp4(tmp_path / "generated/a.mp4", moving(0))
    gif(tmp_path / "generated/b.gif", moving(1))
    status, record = evaluate(tmp_path)
    assert status == 0
    assert record is not None
    assert record.results.trials["a"].scores[SSIM].value == pytest.approx(1, abs=1e-12)
    assert record.results.trials["a"].scores[TCM].value == 1
    assert 0.8 < (record.results.trials["b"].scores[SSIM].value or 0) < 1


def test_masks_restrict_masked_metrics_to_the_person(folder: Path) -> None:
    for name in ("a", "b/c", "d"):
        mask = np.zeros((10, 64, 64, 3), np.uint8)
        mask[:, 16:40, 20:30] = 255
        mp4(folder / f"masks/{name}.mp4", mask)
    _, record = evaluate(folder, "--masks", str(folder / "masks"))
    assert value(record, MASK) == pytest.approx(value(record, PSNR), abs=1.5)


def test_scores_stand_in_the_expected_order(tmp_path: Path) -> None:
    truth = {name: moving(k) for k, name in enumerate("ab")}
    changes: dict[str, Callable[[Frames], Frames]] = {
        "same": lambda v: v,
        "blurred": lambda v: np.stack([gaussian_filter(f, (1, 1, 0)) for f in v]),
        "more_blurred": lambda v: np.stack([gaussian_filter(f, (3, 3, 0)) for f in v]),
        "shifted": lambda v: np.roll(v, 4, axis=2),
        "shuffled": lambda v: v[[4, 0, 7, 2, 8, 5, 1, 6, 3, 9]],
        "frozen": lambda v: np.repeat(v[:1], len(v), axis=0),
    }
    found = {}
    for kind, change in changes.items():
        for name, frames in truth.items():
            mp4(tmp_path / kind / f"truth/{name}.mp4", frames)
            mp4(tmp_path / kind / f"generated/{name}.mp4", change(frames))
        _, found[kind] = evaluate(tmp_path / kind)
    for key in (SSIM, PSNR):
        assert value(found["same"], key) > value(found["blurred"], key) > value(found["more_blurred"], key)
    assert value(found["same"], TCM) == 1
    assert value(found["blurred"], TCM) < 0.6
    for kind in ("shifted", "shuffled", "frozen"):
        assert value(found[kind], SSIM) < value(found["blurred"], SSIM)
    assert value(found["shuffled"], TCM) < 0.3


# -- faults: one clip's failure is its own ----------------------------------------------------------------------------


def broken(folder: Path, fault: str) -> str:
    """Breaks clip ``a``; returns what the message must hold."""
    path = folder / "generated/a.mp4"
    path.unlink()
    if fault == "length":
        mp4(path, moving(0, 9))
        return "differ in length. Expected: 10 frames. Found: 9 frames. Remedy: cut or resample"
    if fault == "size":
        mp4(path, moving(0, side=48))
        return "differ in size. Expected: 64x64. Found: 48x48. Remedy: resize"
    if fault == "rate":
        mp4(path, moving(0), fps=30)
        return "differ in frame rate. Expected: 25 frames a second. Found: 30"
    if fault == "corrupt":
        mp4(path, moving(0))
        content = bytearray(path.read_bytes())
        content[len(content) // 3 :] = bytes(len(content) - len(content) // 3)
        path.write_bytes(content)
        return "a.mp4"
    if fault == "no video":
        path.write_bytes(b"not a video")
        return "a.mp4"
    if fault == "mixed sizes":
        images(folder / "generated/a", moving(0))
        images(folder / "other", moving(0, side=48))
        (folder / "other/0005.png").replace(folder / "generated/a/0005.png")
        return "0005.png is of another size"
    if fault == "not 8-bit":
        np.save(folder / "generated/a.npy", np.full((10, 64, 64, 3), np.nan))
        return "a.npy holds no frames. Expected: (T, H, W, 3) uint8. Found: (10, 64, 64, 3) float64"
    assert fault == "missing"
    return "there is no generated clip of this name"


@pytest.mark.parametrize(
    "fault", ["length", "size", "rate", "corrupt", "no video", "mixed sizes", "not 8-bit", "missing"]
)
def test_a_fault_is_reported_and_the_others_are_scored(
    folder: Path, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    message = broken(folder, fault)
    status, record = evaluate(folder, metrics="psnr/frame")
    text = capsys.readouterr().out
    assert status == 3
    assert record is not None
    assert set(record.results.trials) == {"b/c", "d"}
    assert list(record.config["not_scored"]) == ["a"]
    (line,) = [line for line in text.splitlines() if line.startswith("not scored: a: ")]
    assert message in line
    assert "2 clips scored, 1 not." in text


def test_one_frame_still_frames_and_empty_masks_have_no_value_where_there_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    still = np.repeat(moving(0)[:1], 5, axis=0)
    clips = {"one": moving(1)[:1], "still": still}
    for name, frames in clips.items():
        array(tmp_path / f"truth/{name}.npy", frames)
        array(tmp_path / f"generated/{name}.npy", spoilt(frames))
        array(tmp_path / f"masks/{name}.npy", np.zeros_like(frames))
    status, record = evaluate(tmp_path, "--masks", str(tmp_path / "masks"))
    assert status == 3  # not everything that was asked for has a value
    assert "no frame with a value: Mask-PSNR: one, still" in capsys.readouterr().out
    assert record is not None
    for trial in record.results.trials.values():
        assert trial.scores[PSNR].value is not None
        assert trial.scores[TCM].value is None
        assert trial.scores[MASK].value is None
        assert trial.scores[MASK].skipped in (1, 5)


def test_nothing_scored_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    array(tmp_path / "truth/a.npy", moving())
    array(tmp_path / "generated/b.npy", moving())
    assert evaluate(tmp_path) == (1, None)
    assert "0 clips scored, 2 not." in capsys.readouterr().out


def test_unknown_metrics_and_missing_folders_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--generated", str(folder / "generated")]) == 1
    assert "--truth or --protocol" in capsys.readouterr().err
    assert evaluate(folder, metrics="sim")[0] == 1
    assert "unknown metric 'sim'" in capsys.readouterr().err


def test_metrics_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--list-metrics"]) == 0
    text = capsys.readouterr().out
    assert "ssim/gaussian@1 (default): SSIM ↑" in text
    assert "mask_psnr/zero_filled@1: Mask-PSNR (zero-filled) ↑ dB" in text


@pytest.mark.parametrize("option", [("--processes", "0"), ("--fps", "0"), ("--fps", "nan")])
def test_impossible_numbers_are_refused(
    folder: Path, option: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(folder, *option) == (1, None)
    assert option[0] in capsys.readouterr().err


def test_a_name_is_printed_as_it_is_and_names_one_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "ours [bold]v2[/x]"
    assert evaluate(folder, "--name", name, metrics="psnr/frame, ssim/gaussian")[0] == 0
    assert name in capsys.readouterr().out
    arguments = ["--generated", str(folder / "generated"), "--truth", str(folder / "truth")]
    assert main(["evaluate", *arguments, "--name", "../elsewhere"]) == 1
    assert "no name of a folder" in capsys.readouterr().err


def test_a_rate_that_no_file_states_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate(folder, metrics="psnr/frame")
    assert "not compared (--fps states it): b/c, d" in capsys.readouterr().out
    with h5py.File(folder / "generated/e.h5", "w") as file:
        file["frames"] = moving(4)
    mp4(folder / "truth/e.mp4", moving(4), fps=30)
    status, _ = evaluate(folder, metrics="psnr/frame")
    assert status == 0
    assert evaluate(folder, "--fps", "25", metrics="psnr/frame")[0] == 3


def test_any_name_that_a_file_can_have_is_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [b"x" * 251, "舞".encode() * 83, b"latin-\xfc", b"\x1b]0;owned\x07", b"a\nb", b"%2F", b"'\"<b>"]
    for side in ("truth", "generated"):
        for k, name in enumerate(names):
            array(Path(os.fsdecode(os.fsencode(tmp_path / side) + b"/" + name + b".npy")), moving(k))
    status, record = evaluate(tmp_path, metrics="psnr/frame")
    said = capsys.readouterr().out
    assert status == 0
    assert record is not None
    assert len(record.results.trials) == len(names)
    assert {"latin-\\udcfc", "\\x1b]0;owned\\x07", "a\\nb", "舞" * 83} <= record.results.trials.keys()
    said.encode()
    assert "\x1b" not in said
    kept = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "out/clips").iterdir()}
    assert evaluate(tmp_path, metrics="psnr/frame")[0] == 0
    assert {p.name: p.stat().st_mtime_ns for p in (tmp_path / "out/clips").iterdir()} == kept


def test_what_fails_is_said_without_commanding_the_terminal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = Path(os.fsdecode(os.fsencode(folder) + b"/generated/\x1b[2J\xff.mp4"))
    bad.write_bytes(b"no video")
    bad.with_name("pipe.mp4").symlink_to("/dev/zero")
    status, record = evaluate(folder, metrics="psnr/frame")
    said = capsys.readouterr().out
    assert status == 3
    assert record is not None
    assert record.config["not_scored"].keys() == {"\\x1b[2J\\udcff", "pipe"}
    said.encode()
    assert "\x1b" not in said
    assert "not scored: \\x1b[2J\\udcff: there is no truth clip of this name" in said


def limited(folder: Path, limit: str) -> subprocess.CompletedProcess[str]:
    """The command under a limit of the shell's ``ulimit``."""
    command = [
        sys.executable, "-m", "benchmarks.cli", "evaluate", "--generated", str(folder / "generated"),
        "--truth", str(folder / "truth"), "--out", str(folder / "out"), "--metrics", "psnr/frame",
    ]  # fmt: skip
    shell = ["sh", "-c", f'ulimit {limit}; exec "$@"', "sh", *command]
    return subprocess.run(shell, capture_output=True, text=True, check=False)


def test_a_full_disk_leaves_nothing_partial_and_the_same_command_goes_on(folder: Path) -> None:
    done = limited(folder, "-f 1")  # no file of more than 512 bytes or 1 KB
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "cannot be written. Found: File too large. Remedy: free some disk space" in done.stderr
    assert [p.name for p in (folder / "out").rglob("*") if p.is_file() and p.suffix != ".json"] == []
    assert not list((folder / "out").rglob("*.partial"))
    status, record = evaluate(folder, metrics="psnr/frame")
    assert status == 0
    assert record is not None
    assert len(record.results.trials) == 3


@pytest.mark.slow
def test_descriptors_do_not_grow_with_the_clips(tmp_path: Path) -> None:
    for k in range(100):
        for side in ("truth", "generated"):
            array(tmp_path / side / f"{k:03}.npy", moving(k, frames=2, side=16))
    done = limited(tmp_path, "-n 64")
    assert done.returncode == 0, done.stderr
    assert "100 clips scored, 0 not." in done.stdout


# -- processes, resuming, protocols -----------------------------------------------------------------------------------


@pytest.mark.ddp
@pytest.mark.parametrize("processes", [pytest.param(2, marks=pytest.mark.slow), 3])
def test_processes_change_no_value(folder: Path, processes: int) -> None:
    _, alone = evaluate(folder, metrics="ssim,psnr,tcm/truth_dis")
    _, together = evaluate(folder, "--fresh", "--processes", str(processes), metrics="ssim,psnr,tcm/truth_dis")
    assert alone is not None
    assert together is not None
    for key, expected in alone.results.aggregates["reconstruction"].items():
        assert value(together, key) == pytest.approx(expected.value, rel=1e-6), key
    assert together.results.trials.keys() == alone.results.trials.keys()


def test_what_is_scored_is_not_scored_again_unless_it_changed(folder: Path) -> None:
    evaluate(folder)
    scores = {p.name: p.stat().st_mtime_ns for p in (folder / "out/clips").iterdir()}
    array(folder / "generated/d.npy", spoilt(moving(2), 30))
    _, record = evaluate(folder)
    changed = {p.name for p in (folder / "out/clips").iterdir() if p.stat().st_mtime_ns != scores[p.name]}
    assert changed == {"d.json"}
    assert record is not None
    assert (record.results.trials["d"].scores[PSNR].value or 99) < 20


@pytest.mark.slow
def test_a_killed_evaluation_goes_on(tmp_path: Path) -> None:
    for k in range(30):
        array(tmp_path / f"truth/{k:02}.npy", moving(k, 20))
        array(tmp_path / f"generated/{k:02}.npy", spoilt(moving(k, 20)))
    out = tmp_path / "out"
    arguments = ["--generated", str(tmp_path / "generated"), "--truth", str(tmp_path / "truth"), "--out", str(out)]
    command = [sys.executable, "-m", "benchmarks.cli", "evaluate", *arguments, "--metrics", METRICS]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list((out / "clips").glob("*.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = {p.name: p.stat().st_mtime_ns for p in (out / "clips").glob("*.json")}
    assert 0 < len(kept) < 30
    status, record = evaluate(tmp_path)
    assert status == 0
    assert record is not None
    assert len(record.results.trials) == 30
    assert all((out / "clips" / name).stat().st_mtime_ns == written for name, written in kept.items())


@pytest.mark.slow
def test_kept_outputs_of_a_method_score_as_they_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By a protocol's name alone: what ``motioncopy test`` kept, against the trials of the data set."""
    runs = tmp_path / "runs"
    assert (
        main(["bench", "--method", "static", "--data", "puppets", "--runs", str(runs), "--metrics", "ssim,psnr"]) == 0
    )
    (own,) = [r for r in read_all(runs / "records") if r.method == "static"]
    (outputs,) = runs.glob("static-*/outputs/*-test")
    out = tmp_path / "out"
    arguments = [
        "evaluate", "--generated", str(outputs), "--protocol", own.protocol, "--crop", "person", "--out", str(out),
        "--metrics", "ssim,psnr", "--name", "again",
    ]  # fmt: skip
    assert main(arguments) == 0
    (again,) = read_all(out / "records")
    assert (again.protocol, again.kind) == (own.protocol, "external")
    kept = {p: p.stat().st_mtime_ns for p in (out / "clips").iterdir()}
    assert main(arguments) == 0
    assert {p: p.stat().st_mtime_ns for p in kept} == kept  # the trials' true frames were not written anew
    assert again.results.aggregates.keys() == own.results.aggregates.keys()
    for kind, aggregates in own.results.aggregates.items():
        for key, expected in aggregates.items():
            assert again.results.aggregates[kind][key].value == pytest.approx(expected.value, rel=1e-9)
    write(again, runs / "records")  # and both can stand in one table
    capsys.readouterr()
    assert main(["table", "--results", str(runs / "records"), "--format", "csv"]) == 0
    assert {"again", "static (trivial)"} <= set(pd.read_csv(io.StringIO(capsys.readouterr().out)).label)
