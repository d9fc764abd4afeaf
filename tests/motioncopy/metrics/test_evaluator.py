"""The evaluator: chunks, skipped frames, missing metrics, errors, means over clips."""

from __future__ import annotations

import json

import pytest
import torch
from torch import Tensor

from motioncopy.errors import BatchError, ConfigError, RecordError, WeightsError
from motioncopy.metrics.catalogue import METRICS, definition
from motioncopy.metrics.definition import Definition, split_key
from motioncopy.metrics.evaluator import ClipScores, Evaluator, aggregate
from motioncopy.metrics.psnr import psnr

KEYS = ("ssim/gaussian@1", "psnr/frame@1", "mask_ssim/zero_filled@1", "mask_psnr/inside@1")


def frames(count: int = 10) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(count)
    x, y = (torch.randint(0, 256, (count, 3, 20, 17), generator=generator).to(torch.uint8) for _ in range(2))
    mask = torch.full((count, 1, 20, 17), 255, dtype=torch.uint8)
    mask[2] = 0
    return x, y, mask


def scored(chunks: list[int]) -> ClipScores:
    clip = Evaluator(KEYS).clip("a")
    for parts in zip(*(torch.split(t, chunks) for t in frames(sum(chunks))), strict=True):
        clip.update(*parts)
    return clip.compute()


@pytest.mark.parametrize("chunks", [[1] * 10, [3, 3, 3, 1], [4, 0, 6]])
def test_any_chunking_gives_the_same_values(chunks: list[int]) -> None:
    assert scored(chunks) == scored([10])


def test_means_count_the_frames_that_have_a_value() -> None:
    clip = scored([10])
    x, y, _ = frames(10)
    assert clip.frames == 10
    score = clip.scores["psnr/frame@1"]
    assert (score.frames, score.skipped) == (10, 0)
    assert score.value == pytest.approx(psnr(x, y).mean().item(), rel=1e-12)
    masked = clip.scores["mask_psnr/inside@1"]
    assert (masked.frames, masked.skipped) == (9, 1)
    assert clip.values["mask_psnr/inside@1"][2] is None
    assert masked.value == pytest.approx(psnr(x, y)[[0, 1, *range(3, 10)]].mean().item(), rel=1e-12)


def test_a_clip_whose_masks_are_all_empty_has_no_masked_mean() -> None:
    x, y, mask = frames(4)
    clip = Evaluator(KEYS).clip("a")
    clip.update(x, y, mask * 0)
    score = clip.compute().scores["mask_ssim/zero_filled@1"]
    assert (score.value, score.frames, score.skipped) == (None, 0, 4)


def test_without_masks_the_masked_metrics_are_missing_with_a_reason() -> None:
    clip = Evaluator(KEYS).clip("a")
    clip.update(*frames()[:2])
    scores = clip.compute()
    assert set(scores.values) == set(KEYS[:2])
    assert scores.missing == dict.fromkeys(KEYS[2:], "the clip has no masks")


def test_a_metric_without_its_weights_is_missing_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise WeightsError(f"weights {name} are not here", remedy="put the file there")

    monkeypatch.setattr("motioncopy.weights._found", absent)
    evaluator = Evaluator([*KEYS, "lpips/alex@1"])
    assert "put the file there" in evaluator.missing["lpips/alex@1"]
    clip = evaluator.clip("a")
    clip.update(*frames())
    assert set(clip.compute().values) == set(KEYS)
    assert clip.compute().missing == evaluator.missing


def test_clips_may_be_scored_side_by_side() -> None:
    evaluator = Evaluator(KEYS)
    one, other = evaluator.clip("one"), evaluator.clip("other")
    x, y, mask = frames()
    for i in range(10):
        one.update(x[i : i + 1], y[i : i + 1], mask[i : i + 1])
        other.update(y[i : i + 1], y[i : i + 1], mask[i : i + 1])
    assert one.compute().values == scored([10]).values
    assert other.compute().scores["ssim/gaussian@1"].value == 1.0


@pytest.mark.parametrize(
    ("generated", "truth", "message"),
    [
        (torch.zeros(1, 3, 20, 20), torch.zeros(1, 3, 20, 20), "8-bit"),
        (torch.full((1, 3, 20, 20), torch.nan), torch.zeros(1, 3, 20, 20), "8-bit"),
        (torch.zeros(1, 3, 20, 20, dtype=torch.uint8), torch.zeros(1, 3, 20, 22, dtype=torch.uint8), "shape"),
        (torch.zeros(1, 20, 20, 3, dtype=torch.uint8), torch.zeros(1, 20, 20, 3, dtype=torch.uint8), "shape"),
    ],
)
def test_wrong_frames_are_refused_naming_clip_and_frame(generated: Tensor, truth: Tensor, message: str) -> None:
    clip = Evaluator(KEYS).clip("walk")
    with pytest.raises(BatchError, match=rf"clip walk, from frame 0 on: .*{message}"):
        clip.update(generated, truth)


def test_a_refused_chunk_leaves_nothing_behind() -> None:
    x, y, mask = frames()
    clip = Evaluator(KEYS).clip("walk")
    clip.update(x, y, mask)
    for wrong in ((x[..., :16], y[..., :16], mask[..., :16]), (x, y, None), (x, y, mask.float())):
        with pytest.raises(BatchError, match="from frame 10 on"):
            clip.update(*wrong)
    assert clip.compute().values == scored([10]).values


def test_a_clip_without_frames_is_refused() -> None:
    with pytest.raises(BatchError, match="no frame"):
        Evaluator(KEYS).clip("a").compute()


def test_an_unknown_metric_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"ssim/other@1.*ssim/gaussian@1"):
        Evaluator(["ssim/other@1"])


def test_scores_survive_json() -> None:
    clip = scored([10])
    assert ClipScores.from_dict(json.loads(json.dumps(clip.to_dict()))) == clip


@pytest.mark.parametrize("change", [{"frames": 3}, {"values": [1]}, {"frames": None}, {"other": 1}])
def test_malformed_scores_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(RecordError, match="scores of"):
        ClipScores.from_dict(scored([4]).to_dict() | change)


def clip_of(name: str, *values: float | None) -> ClipScores:
    return ClipScores(name, len(values), {"psnr/frame@1": values})


def test_a_mean_over_clips_weighs_every_clip_alike() -> None:
    found = aggregate([clip_of("a", 10.0, 20.0, None), clip_of("b", 30.0), clip_of("c", None)])["psnr/frame@1"]
    assert (found.value, found.clips, found.frames) == (22.5, 2, 3)


def test_the_interval_is_seeded_holds_the_mean_and_ignores_the_order() -> None:
    clips = [clip_of(str(i), float(i * i % 17)) for i in range(20)]
    first = aggregate(clips, seed=1)["psnr/frame@1"]
    assert first == aggregate(clips[::-1], seed=1)["psnr/frame@1"]
    assert first != aggregate(clips, seed=2)["psnr/frame@1"]
    assert first.low is not None
    assert first.high is not None
    # The bootstrap's interval is close to mean ± 1.96 standard errors.
    values = torch.tensor([float(i * i % 17) for i in range(20)])
    error = 1.96 * values.std(correction=0).item() / 20**0.5
    assert first.low == pytest.approx(values.mean().item() - error, rel=0.1)
    assert first.high == pytest.approx(values.mean().item() + error, rel=0.1)


def test_one_clip_has_no_interval_and_none_has_no_mean() -> None:
    alone = aggregate([clip_of("a", 1.0)])["psnr/frame@1"]
    assert (alone.value, alone.low, alone.high) == (1.0, None, None)
    assert aggregate([clip_of("a", None)]) == {}
    assert aggregate([]) == {}


def test_a_clip_scored_twice_is_refused() -> None:
    with pytest.raises(RecordError, match="a was scored twice"):
        aggregate([clip_of("a", 1.0), clip_of("a", 1.0)])


def test_every_metric_has_a_definition_under_its_own_key() -> None:
    for key, metric in METRICS.items():
        assert metric.definition.key == key
        assert definition(key).text
        assert definition(key).source
    assert definition("lpips/alex@1").arrow == "↓"
    assert split_key("mask_psnr/inside@12") == ("mask_psnr", "inside", 12)


@pytest.mark.parametrize("key", ["ssim", "ssim/gaussian", "ssim@1", "ssim/gaussian@0", "SSIM/gaussian@1"])
def test_malformed_keys_are_refused(key: str) -> None:
    with pytest.raises(ConfigError, match="malformed"):
        Definition(key, "", "higher", "", "", "")
