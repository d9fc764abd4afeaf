"""TCM: hand-made flows, known changes, and what shuffling, freezing, noise and blur do to it."""

from __future__ import annotations

import math
import pickle

import pytest
import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from motioncopy.metrics.catalogue import DEFAULTS, METRICS
from motioncopy.metrics.clip import Chunk, Seen
from motioncopy.metrics.evaluator import Evaluator
from motioncopy.metrics.metric import ClipMetric
from motioncopy.metrics.tcm import STILL, TCM_DEFAULTS, TCM_METRICS, TCM_RATIOS, change
from tests.motioncopy.metrics.scenes import frozen, mostly_still, moving, noisy

DIS = [key for key in METRICS if key.startswith("tcm") and "_dis@" in key]
BOUNDED = [key for key in DIS if key.startswith("tcm/")]
SHUFFLED = torch.tensor([4, 0, 7, 2, 8, 5, 1, 6, 3])


def values(generated: Tensor, truth: Tensor, keys: list[str], chunk: int = 4) -> dict[str, float | None]:
    clip = Evaluator(keys).clip("a")
    for g, t in zip(generated.split(chunk), truth.split(chunk), strict=True):
        clip.update(g, t, driving=t)
    return {key: found.value for key, found in clip.compute().scores.items()}


def score(scores: dict[str, float | None], key: str) -> float:
    value = scores[key]
    assert value is not None, key
    return value


def test_change_is_the_mean_square_over_visible_pixels() -> None:
    now, before = torch.zeros(3, 2, 3, dtype=torch.uint8), torch.zeros(3, 2, 3, dtype=torch.uint8)
    now[:, 0, 2], before[:, 0, 1] = 51, 102
    flow, visible = torch.zeros(2, 2, 3), torch.ones(1, 2, 3, dtype=torch.bool)
    flow[0, 0, 2] = -1  # one pixel to the left in the frame before
    expected = ((0.4 - 0.2) ** 2 + 0.4**2) / 6  # at (0, 2) through the flow, at (0, 1) straight; four are 0
    assert change(now, before, flow, visible) == pytest.approx(expected)
    visible[0, 0, 2] = False
    assert change(now, before, flow, visible) == pytest.approx(0.4**2 / 5)
    assert math.isnan(change(now, before, flow, torch.zeros_like(visible)))


def test_a_flow_of_half_the_size_counts_double() -> None:
    now = torch.zeros(3, 8, 8, dtype=torch.uint8)
    before = torch.zeros(3, 8, 8, dtype=torch.uint8)
    now[:, 2:6, 4:8], before[:, 2:6, 2:6] = 200, 200
    flow = torch.zeros(2, 4, 4)
    flow[0] = -1  # two pixels of the larger frame
    visible = torch.ones(1, 4, 4, dtype=torch.bool)
    assert change(now, before, flow, visible) == pytest.approx(0, abs=1e-9)


def stub(metric: type[ClipMetric], n: int, size: tuple[int, int] = (4, 4), shift: float = 0.0) -> dict[Seen, Tensor]:
    """All that the metric asks for: the same flow everywhere, and all of it visible."""
    backward = torch.zeros(n, 2, *size)
    backward[:, 0] = shift
    rows = {"backward": backward, "visible": torch.ones(n, 1, *size, dtype=torch.bool)}
    return {seen: rows[seen.output.name] for seen in metric.sees}


def brightness(*levels: int) -> Tensor:
    return torch.tensor(levels, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 4, 4).contiguous()


@pytest.mark.parametrize("metric", [*TCM_METRICS, *TCM_RATIOS], ids=lambda m: m.definition.key)
def test_the_value_is_the_bounded_ratio(metric: type[ClipMetric]) -> None:
    generated, real = brightness(0, 20, 0), brightness(0, 10, 0)
    expected = math.exp(-3) if metric in TCM_METRICS else 4.0  # changes of 20 against 10, squared
    first = Chunk(generated[:1], real[:1], driving=real[:1], found=stub(metric, 1))
    later = Chunk(generated[1:], real[1:], driving=real[1:], previous=first, found=stub(metric, 2))
    assert metric().per_frame(first).isnan().tolist() == [True]
    assert metric().per_frame(later).tolist() == pytest.approx([expected] * 2)


@pytest.mark.parametrize("metric", TCM_RATIOS[:2], ids=lambda m: m.definition.key)
def test_a_texture_that_follows_the_flow_does_not_change(metric: type[ClipMetric]) -> None:
    picture = torch.randint(0, 256, (3, 8, 12), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    follows = torch.stack([picture.roll(2 * t, dims=2) for t in range(3)])  # two pixels a frame to the right
    real = follows.clone()
    real[1] //= 2
    found = stub(metric, 3, (8, 12), shift=-2.0)
    for seen, rows in found.items():
        if seen.output.name == "visible":
            rows[..., :2] = False  # comes into view
    ratio = metric().per_frame(Chunk(follows, real, driving=real, found=found))
    assert ratio[1:].tolist() == pytest.approx([0, 0], abs=1e-9)


def test_each_frame_is_held_against_the_one_before_it() -> None:
    generated, real = brightness(0, 20, 50), brightness(0, 10, 20)
    ratio = TCM_RATIOS[0]().per_frame(Chunk(generated, real, found=stub(TCM_RATIOS[0], 3)))
    assert ratio[1:].tolist() == pytest.approx([4, 9])


def test_the_mean_of_two_chunks_counts_frames_and_not_chunks() -> None:
    generated, real = brightness(0, 10, 30, 60), brightness(0, 10, 20, 30)  # ratios 1, 4, 9
    metric, kind = TCM_RATIOS[0](), TCM_RATIOS[0]
    first = Chunk(generated[:3], real[:3], found=stub(kind, 3))
    metric.update(first)
    metric.update(Chunk(generated[3:], real[3:], previous=first.last(), found=stub(kind, 1)))
    assert metric.compute().item() == pytest.approx((1 + 4 + 9) / 3)
    assert metric.of("clip")[0] is None
    assert metric.of("clip")[1:] == pytest.approx((1, 4, 9))


def test_frames_in_which_the_real_video_stands_still_are_skipped() -> None:
    real, generated = brightness(99, 99, 100, 100), brightness(0, 200, 0, 200)
    values = TCM_METRICS[0]().per_frame(Chunk(generated, real, found=stub(TCM_METRICS[0], 4)))
    assert values.isnan().tolist() == [True, True, False, True]
    assert STILL < (1 / 255) ** 2  # one grey level is a change


def test_frames_in_which_nothing_is_visible_are_skipped() -> None:
    for metric in TCM_METRICS:
        found = stub(metric, 2)
        for seen, rows in found.items():
            if seen.output.name == "visible":
                rows.zero_()
        real = brightness(0, 10)
        assert metric().per_frame(Chunk(real, real, driving=real, found=found)).isnan().all()


def test_any_change_however_large_has_a_finite_value() -> None:
    generated, real = brightness(0, 255), brightness(0, 1)
    for metric in (*TCM_METRICS, *TCM_RATIOS):
        value = metric().per_frame(Chunk(generated, real, driving=real, found=stub(metric, 2)))[1]
        assert value.isfinite()


# -- whole videos -----------------------------------------------------------------------------------------------------


def test_one_frame_has_no_value() -> None:
    assert set(values(moving(1), moving(1), DIS).values()) == {None}


def test_constant_videos_have_no_value() -> None:
    assert set(values(frozen(moving()), frozen(moving()), DIS).values()) == {None}


@pytest.mark.parametrize("chunk", [1, 3, 8])
def test_chunks_change_nothing(chunk: int) -> None:
    whole, parts = (values(noisy(moving(), 20), moving(), DIS, size) for size in (9, chunk))
    assert parts == whole


def test_a_video_is_exactly_as_steady_as_itself() -> None:
    scores = values(moving(), moving(), DIS)
    assert len(scores) == 8
    assert set(scores.values()) == {1.0}


def test_flicker_costs_and_more_costs_more() -> None:
    found = [values(noisy(moving(), level), moving(), DIS) for level in (0, 2, 6, 20)]
    for key in DIS:
        series = [score(f, key) for f in found]
        assert series == sorted(series, reverse=key in BOUNDED), key
        assert len(set(series)) == 4


def test_blur_is_steadier_than_the_real_video_and_costs() -> None:
    scores = values(gaussian_blur(moving(), [7, 7], [1.5, 1.5]), moving(), DIS)
    for key in DIS:
        assert score(scores, key) < 0.8, key


def test_shuffling_frames_costs_all_under_the_true_motion() -> None:
    for video in (moving(), mostly_still()):
        scores = values(video[SHUFFLED], video, DIS)
        assert score(scores, "tcm/truth_dis@1") < 0.1
        assert all(score(scores, key) < 1 for key in BOUNDED)


def test_own_motion_explains_shuffling_away_where_everything_moves_alike_and_its_caution_says_so() -> None:
    scores = values(moving()[SHUFFLED], moving(), DIS)
    for whose in ("own_truth", "own_driving"):
        assert score(scores, f"tcm/{whose}_dis@1") == pytest.approx(0.84, abs=0.02)
        assert "0.84" in METRICS[f"tcm/{whose}_dis@1"].definition.caution


def test_a_frozen_video_has_the_value_that_its_caution_states() -> None:
    for video in (moving(), mostly_still()):
        scores = values(frozen(video), video, DIS)
        for whose in ("own_truth", "own_driving"):
            assert score(scores, f"tcm_ratio/{whose}_dis@1") == pytest.approx(0, abs=1e-9)
            assert score(scores, f"tcm/{whose}_dis@1") == pytest.approx(math.exp(-1))
    assert score(values(frozen(moving()), moving(), DIS), "tcm/truth_dis@1") < 0.1  # everything should have moved


def test_freezing_is_rewarded_where_little_moves_and_every_caution_warns_of_it() -> None:
    video = mostly_still()
    still, flickering = (values(v, video, DIS) for v in (frozen(video), noisy(video, 5)))
    for key in BOUNDED:
        assert score(still, key) > score(flickering, key), key
    for key in METRICS:
        if key.startswith("tcm"):
            caution = METRICS[key].definition.caution.lower()
            assert "frozen" in caution or "freezing" in caution, key


def test_an_empty_video_is_not_worth_nothing() -> None:
    scores = values(torch.zeros_like(moving()), moving(), DIS)
    assert [score(scores, key) for key in BOUNDED] == pytest.approx([math.exp(-1)] * 4)


def test_a_driving_video_of_another_size_serves() -> None:
    video = moving()
    small = torch.nn.functional.avg_pool2d(video.float(), 2).to(torch.uint8)
    clip = Evaluator(DIS).clip("a")
    clip.update(video, driving=small)
    scores = clip.compute()
    assert set(scores.values) == {key for key in DIS if "driving" in key}
    assert scores.missing["tcm/truth_dis@1"] == "the clip has no true frames"
    assert (scores.scores["tcm/driving_dis@1"].value or 0) > 0.3


# -- the catalogue ----------------------------------------------------------------------------------------------------


def test_there_is_one_default_with_a_truth_and_one_without_and_none_needs_weights() -> None:
    assert set(TCM_DEFAULTS) <= set(DEFAULTS)
    assert [METRICS[key].inputs for key in TCM_DEFAULTS] == [{"truth"}, {"driving"}]

    def networks(name: str) -> None:
        raise AssertionError(name)

    assert not Evaluator(TCM_DEFAULTS, networks=networks).missing  # type: ignore[arg-type]


def test_metrics_survive_pickling() -> None:
    for metric in (*TCM_METRICS, *TCM_RATIOS):
        assert type(pickle.loads(pickle.dumps(metric()))) is metric
