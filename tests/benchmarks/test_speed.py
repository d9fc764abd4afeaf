"""The speed benchmarks still run; how fast they are is nobody's condition for anything."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest
import torch

from tests.toys import write_clip

RUNS = {
    "clip_store": ["--frames", "20", "--rounds", "1", "--seconds", "0.02"],
    "frechet": ["--size", "32", "--rounds", "1"],
    "metrics": ["--size", "64", "--batch", "1", "--rounds", "1"],
    "poses": ["--sizes", "48"],
    "puppets": ["--people", "1", "--frames", "4"],
}


def run(name: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    threads = torch.get_num_threads()
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    try:
        runpy.run_module(f"benchmarks.speed.{name}", run_name="__main__", alter_sys=False)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("name", sorted(RUNS))
def test_it_runs_and_prints_figures(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(name, RUNS[name], monkeypatch)
    assert any(character.isdigit() for character in capsys.readouterr().out)


@pytest.mark.slow
def test_gromov_wasserstein_runs_beside_pot(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run("gromov_wasserstein", ["--rounds", "1", "--dimensions", "1024"], monkeypatch)
    assert "POT" in capsys.readouterr().out


@pytest.mark.slow
def test_prepare_at_two_lengths(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run("prepare", ["--lengths", "6", "9", "--size", "128", "--max-size", "64"], monkeypatch)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["6", "6", "9"]
    assert all("pose" in line for line in lines[1:])


@pytest.mark.slow
def test_precisions_beside_one_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_clip(tmp_path, "ann", frames=24)
    small = ["--steps", "1", "--warm-up", "1", "--rounds", "1", "--data", "folder", "--data-root", str(tmp_path)]
    run("precision", ["--cpu", "--stage", "foreground", *small], monkeypatch)
    lines = capsys.readouterr().out.splitlines()
    assert "NOT a measurement of a GPU" in lines[0]
    assert [line.split()[0] for line in lines[2:]] == ["fp32", "tf32", "bf16"]
    assert "0.0e+00 in the first step" in lines[2]
    assert "0.0e+00" not in lines[4], "bfloat16 rounds"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_precisions_are_not_compared_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="no GPU here"):
        run("precision", [], monkeypatch)
