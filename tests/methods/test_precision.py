"""Half precision: what it is used for, what it is kept from, how far its frames are from those of full precision."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from benchmarks.bench.config_stack import ConfigStack, merge
from benchmarks.cli import main
from motioncopy.losses import gromov_wasserstein
from motioncopy.training import checkpoint, precision
from tests.methods.tiny import TINY
from tests.toys import ToyData, write_clip

#: In 8-bit levels of 255, between bfloat16 and float32 with the same weights: the mean, and the largest. REMOT draws
#: each frame from the one before, and what is rounded adds up.
_LEVELS = {("fakemotion", "paper"): (0.5, 6), ("fakemotion", "released"): (1, 10), ("remot", "paper"): (6, 70)}


def config(method: str, variant: str, clips: Path, **trainer: Any) -> dict[str, Any]:
    if not clips.exists():
        for name in ("ann", "bob"):
            write_clip(clips, name, frames=24, parsed=method == "remot")
    tiny = {"model": {"init_args": TINY[method][variant, "quick"]}}
    content = merge(ConfigStack(method, "folder", variant).resolve(tiny), {"data": None})
    regime = "general" if method == "remot" else "personal"
    content["data"] = {"class_path": "tests.toys.ToyData", "init_args": {"root": str(clips), "regime": regime}}
    content["trainer"] = {"accelerator": "cpu", "logger": False} | trainer
    return content


@pytest.mark.parametrize(("method", "variant"), list(_LEVELS))
def test_every_stage_trains_in_bfloat16(
    method: str, variant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans: list[torch.dtype] = []
    inner = gromov_wasserstein.entropic_gromov_wasserstein

    def watched(real: torch.Tensor, generated: torch.Tensor, **options: Any) -> Any:
        loss, plan = inner(real, generated, **options)
        plans.extend((real.dtype, generated.dtype, loss.dtype))
        return loss, plan

    monkeypatch.setattr(gromov_wasserstein, "entropic_gromov_wasserstein", watched)
    path, run = tmp_path / "config.yaml", tmp_path / "run"
    path.write_text(yaml.safe_dump(config(method, variant, tmp_path / "clips", precision="bf16-mixed")))
    # A loss that is not finite would raise.
    assert main(["fit", "--config", str(path), "--run", str(run)]) == 0
    stages = json.loads((run / "fit.json").read_text())["stages"]
    assert stages
    assert {stage["training"]["precision"] for stage in stages} == {"bf16-mixed"}
    assert set(plans) == ({torch.float32} if (method, variant) == ("fakemotion", "paper") else set())
    for last in run.glob("stages/*/last.ckpt"):
        kept = torch.load(last, weights_only=True)
        assert {v.dtype for v in kept["state_dict"].values() if v.is_floating_point()} == {torch.float32}
        moments = [
            v for o in kept["optimizer_states"] for s in o["state"].values() for k, v in s.items() if k != "step"
        ]
        assert {v.dtype for v in moments} == {torch.float32}

    fitted = checkpoint.load(run / "method.ckpt")
    data = ToyData(str(tmp_path / "clips"), regime="general" if method == "remot" else "personal")
    trial = data.trials(fitted.request, "test")[0]
    frames = torch.cat(list(fitted.generate(trial.appearance, trial.motion)))
    with torch.autocast("cpu", torch.bfloat16):
        rounded = torch.cat(list(fitted.generate(trial.appearance, trial.motion)))
    assert rounded.dtype == frames.dtype == torch.float32
    apart = (rounded - frames).abs() * 127.5
    assert 0 < apart.mean() < _LEVELS[method, variant][0], "not at all would mean that autocast did nothing"
    assert apart.max() < _LEVELS[method, variant][1]


def test_scores_do_not_come_from_half_precision(tmp_path: Path) -> None:
    run, clips = tmp_path / "run", tmp_path / "clips"
    summaries: list[list[Any]] = []
    for name in ("32-true", "bf16-mixed"):
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(config("fakemotion", "paper", clips, precision=name)))
        if not summaries:
            assert main(["fit", "--config", str(path), "--run", str(run)]) == 0
        assert main(["test", "--config", str(path), "--run", str(run), "--metrics", "[ssim,psnr]"]) == 0
        (summary,) = run.glob("outputs/*/summary.json")
        summaries.append([trial["scores"] for trial in json.loads(summary.read_text())["trials"]])
    assert summaries[0] == summaries[1]


def test_a_precision_that_a_cpu_has_not_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config("fakemotion", "paper", tmp_path / "clips", precision="16-mixed")))
    assert main(["fit", "--config", str(path), "--run", str(tmp_path / "run")]) == 1
    assert "16-mixed" in capsys.readouterr().err


def test_at_least_float32() -> None:
    for given, wanted in ((torch.bfloat16, torch.float32), (torch.float32, torch.float32)):
        assert precision.at_least_float32(torch.ones(2, dtype=given)).dtype == wanted
    assert precision.at_least_float32(torch.ones(2, dtype=torch.float64)).dtype == torch.float64
