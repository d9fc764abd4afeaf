"""REMOT learns: people whom it never saw are shown better than by moving the source about."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from benchmarks.bench.config_stack import ConfigStack
from benchmarks.cli import main

SIZE = [64, 48]


def run(folder: Path, stack: ConfigStack, *overrides: dict[str, Any]) -> Path:
    data = {"size": SIZE, "max_frames": 10, "regime": "general", "flow": True, "cache": str(folder.parent / "puppets")}
    small = {"model": {"init_args": {"image_size": SIZE}}, "data": {"init_args": data}, "seed_everything": 0}
    folder.mkdir()
    config = folder / "stack.yaml"
    config.write_text(yaml.safe_dump(stack.resolve(small, *overrides)))
    for command in ("fit", "test"):
        assert main([command, "--config", str(config), "--run", str(folder), "--metrics", "[mask_psnr,mask_ssim]"]) == 0
    return folder


def score(folder: Path, metric: str) -> float:
    """The mean over the trials of unseen people."""
    (summary,) = folder.glob("outputs/*/summary.json")
    trials = json.loads(summary.read_text())["trials"]
    found = [np.mean(v) for t in trials for k, v in t["scores"]["values"].items() if k.startswith(metric)]
    assert len(found) == len(trials) == 24, "three people, eight trials each"
    return float(np.mean(found))


@pytest.mark.slow
def test_unseen_people_are_shown_better_than_by_the_trivial_baselines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Layout and region: what the third network is for, its own records tell."""
    length = {"epochs": 1, "batch_size": 4, "frames": 2, "chunk": 2, "decay_epochs": 0, "learning_rate": 2e-3}
    stages = {"layout": {"schedule": length | {"batches": 140}}, "region": {"schedule": length | {"batches": 3}}}
    quick = ConfigStack("remot", "puppets", overlays=("rgn",))
    learnt = run(tmp_path / "remot", quick, {"model": {"init_args": stages}})
    losses = [float(found) for found in re.findall(r"negative_log_likelihood ([\d.]+)", capsys.readouterr().out)]
    assert losses[-1] < 0.4 * losses[0], f"negative log-likelihood of the true layout: {losses}"
    for name in ("static", "aligned"):
        trivial = run(tmp_path / name, ConfigStack.asked_for(name, "puppets", "", ""))
        for metric, margin in (("mask_psnr/inside", 0.3), ("mask_ssim/zero_filled", 0.004)):
            assert score(learnt, metric) > score(trivial, metric) + margin, f"{metric}, against {name}"
