"""The audit: it passes what is right, fails what is wrong, and its page tells what the code defines."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmarks.audit import checks
from benchmarks.audit.checks import audit
from benchmarks.audit.processes import difference, share_frames
from benchmarks.audit.references import references
from benchmarks.audit.report import definitions, row
from benchmarks.cli import main
from motioncopy.metrics.catalogue import METRICS
from motioncopy.metrics.features import SetMetric
from motioncopy.metrics.metric import FrameMetric
from motioncopy.metrics.psnr import PSNR

PAGE = Path(__file__).parents[3] / "docs/metrics.md"


def test_differences_are_relative_and_absences_must_agree() -> None:
    assert difference([1.0, 2.0], [1.0, 2.0]) == 0
    assert difference([1.1], [1.0]) == pytest.approx(0.1)
    assert difference([1e-5], [0.0]) == pytest.approx(1e-2)
    assert difference([math.nan, 1], [math.nan, 1]) == 0
    assert difference([math.nan, 1], [1, 1]) == math.inf


def test_every_metric_of_frames_and_sets_has_a_reference() -> None:
    wanted = {key for key, kind in METRICS.items() if issubclass(kind, FrameMetric | SetMetric)}
    assert wanted == set(references())


@pytest.mark.parametrize("key", [k for k in METRICS if k.startswith(("ssim", "ms_ssim", "psnr", "mask", "sd"))])
def test_pixel_metrics_pass(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "frames_of_two", lambda: {key: float(share_frames((key,), 0, 1))})
    found = audit(key)
    assert found.passed, [c for c in found.checks if c.passed is False]
    assert {"reference", "2 processes", "batch 1", "batch 3", "batch 8", "float", "more blur"} <= {
        c.name for c in found.checks
    }
    assert found.reference


@pytest.mark.parametrize("fault", ["value", "batch", "order"])
def test_a_wrong_metric_fails(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = PSNR.frames

    def wrong(self: PSNR, generated: Tensor, truth: Tensor, mask: Tensor | None = None) -> Tensor:
        values = right(self, generated, truth, mask)
        if fault == "value":
            return values * 1.0001
        return values + len(generated) * 1e-2 if fault == "batch" else -values

    monkeypatch.setattr(PSNR, "frames", wrong)
    monkeypatch.setattr(checks, "frames_of_two", lambda: {"psnr/frame@1": math.nan})
    failed = {c.name for c in audit("psnr/frame@1").checks if c.passed is False}
    assert {"value": "reference", "batch": "batch 1", "order": "more noise"}[fault] in failed
    assert "✗" in " ".join(row(audit("psnr/frame@1")))


def test_a_metric_without_a_reference_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "references", dict)
    found = audit("ssim/gaussian@1")
    assert not found.passed
    assert "references.py" in found.checks[0].note


def test_tcm_is_held_against_plain_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "values_of_two", lambda: 0.0)  # the slow test starts two processes
    found = audit("tcm/own_driving_dis@1")
    by_name = {c.name: c for c in found.checks}
    assert found.passed
    assert by_name["reference"].value is not None
    assert by_name["reference"].value < 1e-4
    assert by_name["frozen"].value == pytest.approx(math.exp(-1), rel=1e-3)


@pytest.mark.slow
def test_networks_pass_with_random_weights_in_the_published_format() -> None:
    for key in ("lpips/alex@1", "fvd/i3d_16@1", "is/logits@1"):
        found = audit(key)
        assert found.passed, [c for c in found.checks if c.passed is False]
        assert found.weights in ("random", "real")
    assert audit("tcm/truth_dis@1").passed, "and so do two processes that share the values of clips"


def test_the_command_prints_and_fails_for_unknown_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "psnr/frame@2"]) == 1
    assert "unknown metric" in capsys.readouterr().err


def test_the_committed_page_has_the_definitions_of_the_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page.endswith(definitions().rstrip() + "\n"), "run `motioncopy audit --markdown docs/metrics.md`"
    for key in METRICS:
        assert f"| {key} | " in page, f"{key} is not in the audit's table"
    assert "✗" not in page


def test_random_networks_do_not_touch_the_seeded_draws() -> None:
    from benchmarks.audit.networks import network

    before = torch.get_rng_state()
    network.cache_clear()
    network("alexnet")
    assert torch.equal(torch.get_rng_state(), before)
