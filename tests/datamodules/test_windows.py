"""Training windows and the order in which they come: which frames, which appearance, and where a loader goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from datamodules.views import Excerpt
from datamodules.windows import RequestedData, ResumableBatches, ResumableLoader, Windows
from motioncopy.batch import MotionBatch
from motioncopy.errors import ConfigError, DataError
from motioncopy.request import DataRequest
from tests.datamodules.making import still, write_discs

SIZE = (16, 16)
REQUEST = DataRequest(4, SIZE, batches=5)


@pytest.fixture
def two(tmp_path: Path) -> list[Excerpt]:
    """Frames 2 to 9 of one clip of ann, and 0 to 5 of another."""
    clips = [write_discs(tmp_path / name, still(8, 8, 12), size=SIZE) for name in ("a", "b")]
    return [Excerpt(clips[0], 2, 9), Excerpt(clips[1], 0, 5)]


def frames(windows: Windows) -> list[list[int]]:
    return [windows[k].frames[0].tolist() for k in range(len(windows))]


# -- windows ----------------------------------------------------------------------------------------------------------


def test_windows_lie_within_their_excerpts(two: list[Excerpt]) -> None:
    windows = Windows(two, replace(REQUEST, window=3))
    assert [w.clip[0] for w in windows] == ["a"] * 5 + ["b"] * 3
    assert frames(windows) == [*([k, k + 1, k + 2] for k in range(2, 7)), *([k, k + 1, k + 2] for k in range(3))]
    assert windows[0].sample == ("a/2",)


def test_images_masks_and_joints_are_those_of_the_frames(two: list[Excerpt]) -> None:
    window = Windows(two, replace(REQUEST, window=3))[6]
    assert window.images[0, :, 0, 0, 0].tolist() == [1, 2, 3]  # every frame bears its number
    assert window.images.dtype == window.mask.dtype == torch.uint8
    assert window.images.shape == (1, 3, 3, *SIZE)
    assert window.motion.joints[0, :, 0].tolist() == [[8, 8, 1]] * 3
    assert window.parsing is None


def test_stride_and_dilation(two: list[Excerpt]) -> None:
    windows = Windows(two, replace(REQUEST, window=2, stride=2, dilation=3))
    assert frames(windows) == [[2, 5], [4, 7], [0, 3]]


def test_padding_repeats_the_ends_of_the_excerpt_and_not_the_clip(two: list[Excerpt]) -> None:
    windows = Windows(two[:1], replace(REQUEST, window=3, pad=1))
    assert frames(windows) == [[2, 2, 3], [2, 3, 4], [3, 4, 5], [4, 5, 6], [5, 6, 7], [6, 7, 8], [7, 8, 8]]
    assert len({w.sample for w in windows}) == 7


def test_parts_come_if_asked_for(tmp_path: Path) -> None:
    centres = np.stack([4.0 + np.arange(6), np.full(6, 8.0)], axis=1)
    clip = write_discs(tmp_path / "a", centres, size=SIZE, every_part=True)
    windows = Windows([Excerpt(clip, 0, 6)], replace(REQUEST, window=2, pad=1, parts=("parsing", "flow")))
    first, second, last = windows[0], windows[1], windows[6]
    assert second.parsing is not None
    assert second.parsing.shape == (1, 2, 1, *SIZE)
    assert last.frames.tolist() == [[5, 5]]
    for window, expected in ((first, 0), (second, -1), (last, 0)):  # a repeated frame has not moved
        assert window.flow is not None
        assert window.flow[0, 1, 0].unique().tolist() == [expected]


def test_a_clip_too_short_is_refused(two: list[Excerpt]) -> None:
    with pytest.raises(DataError, match=r"at least 8 frames.*2 clips of at most 7 frames"):
        Windows(two, replace(REQUEST, window=8))
    assert len(Windows(two, replace(REQUEST, window=7))) == 1
    with pytest.raises(DataError, match="0 clips"):
        Windows([], REQUEST)


def test_flow_skips_no_frame() -> None:
    with pytest.raises(ConfigError, match="neighbouring frames only"):
        replace(REQUEST, dilation=2, parts=("flow",))


# -- appearance -------------------------------------------------------------------------------------------------------


@pytest.fixture
def people(tmp_path: Path) -> list[Excerpt]:
    confidence = np.full(10, 0.5)
    confidence[3] = 0.9
    return [
        Excerpt(write_discs(tmp_path / name, still(8, 8), size=SIZE, person=person, confidence=confidence), 2, 8)
        for name, person in (("a1", "ann"), ("a2", "ann"), ("b", "bob"))
    ]


def shown(window: MotionBatch) -> int:
    return int(window.appearance.images[0, 0, 0, 0, 0])


def test_fixed_appearances(people: list[Excerpt]) -> None:
    assert {shown(w) for w in Windows(people, replace(REQUEST, appearance="first"))} == {2}
    assert {shown(w) for w in Windows(people, replace(REQUEST, appearance="confident"))} == {3}


def test_an_earlier_frame_of_the_window_s_own_clip(people: list[Excerpt]) -> None:
    windows = Windows(people, replace(REQUEST, window=2, appearance="random_earlier"))
    draws = [(int(w.frames[0, 0]), shown(w)) for w in (windows[3, draw] for draw in range(200))]
    assert {first for first, _ in draws} == {5}
    assert {seen for _, seen in draws} == {2, 3, 4, 5}


def test_any_training_frame_of_the_same_person(people: list[Excerpt]) -> None:
    windows = Windows(people, replace(REQUEST, appearance="random"))
    for index, person in ((0, "ann"), (12, "bob")):
        drawn = [windows[index, draw] for draw in range(200)]
        assert {w.appearance.person for w in drawn} == {(person,)}
        assert {shown(w) for w in drawn} == set(range(2, 8)), "training frames only"


def test_the_place_is_the_window_s_own_whatever_clip_shows_the_person(people: list[Excerpt]) -> None:
    places = [np.full((*SIZE, 3), shade, np.uint8) for shade in (50, 100, 150)]
    clips = [replace(e, background=place) for e, place in zip(people, places, strict=True)]
    windows = Windows(clips, replace(REQUEST, appearance="random"))
    assert {int(windows[0, draw].appearance.background[0, 0, 4, 4]) for draw in range(40)} == {50}
    assert {int(windows[8, draw].appearance.background[0, 0, 4, 4]) for draw in range(40)} == {100}


def test_random_appearances_are_a_function_of_window_and_draw(people: list[Excerpt]) -> None:
    one, other = (Windows(people, replace(REQUEST, appearance="random")) for _ in range(2))
    drawn = [shown(one[4, draw]) for draw in range(20)]
    assert drawn == [shown(other[4, draw]) for draw in range(20)]
    assert len(set(drawn)) > 1


# -- order ------------------------------------------------------------------------------------------------------------


def order(seed: int = 0, epoch: int = 0, rank: int = 0, world: int = 1, windows: int = 13, **changes: Any) -> list[Any]:
    batches = ResumableBatches(windows, replace(REQUEST, **changes), seed, rank, world)
    batches.set_epoch(epoch)
    return list(batches)


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    assert order(epoch=3) == order(epoch=3)
    assert order(epoch=3) != order(epoch=4)
    assert order(seed=1) != order(seed=2)
    batches = ResumableBatches(13, REQUEST, 0, 0, 1)
    list(batches)
    batches.set_epoch(3)
    assert list(batches) == order(epoch=3), "what was drawn before must not matter"


def test_epochs_are_a_budget_over_endless_passes() -> None:
    windows = [w for epoch in range(13) for batch in order(epoch=epoch) for w, _ in batch]
    assert len(windows) == 13 * 5 * 4
    laps = [windows[k : k + 13] for k in range(0, len(windows), 13)]
    assert all(sorted(lap) == list(range(13)) for lap in laps)
    assert laps[0] != laps[1]


def test_every_draw_is_another_one() -> None:
    draws = [d for epoch in range(5) for batch in order(epoch=epoch) for _, d in batch]
    assert len(set(draws)) == len(draws)
    assert not set(draws) & {d for batch in order(seed=1) for _, d in batch}


def test_without_shuffling_windows_come_in_their_own_order() -> None:
    assert [w for batch in order(shuffle=False) for w, _ in batch] == [*range(13), *range(7)]


def test_one_pass_drops_the_incomplete_batch_but_never_all() -> None:
    assert [len(batch) for batch in order(batches=None)] == [4, 4, 4]
    (batch,) = order(batches=None, windows=3)
    assert {w for w, _ in batch} == {0, 1, 2}


@pytest.mark.parametrize("world", [2, 4])
def test_processes_share_each_batch(world: int) -> None:
    shares = [order(epoch=2, rank=rank, world=world) for rank in range(world)]
    for whole, *parts in zip(order(epoch=2), *shares, strict=True):
        assert sorted(whole) == sorted(sample for part in parts for sample in part)
        assert {len(part) for part in parts} == {4 // world}


def test_of_a_batch_that_does_not_divide_one_process_has_a_window_more() -> None:
    whole = order()
    for together, *parts in zip(whole, *(order(rank=rank, world=3) for rank in range(3)), strict=True):
        assert sorted(together) == sorted(sample for part in parts for sample in part)
        assert [len(part) for part in parts] == [2, 1, 1]


def test_a_batch_that_leaves_a_process_without_a_window_is_refused() -> None:
    with pytest.raises(DataError, match=r"at least 5 windows.*Found: 4"):
        order(world=5)


# -- going on ---------------------------------------------------------------------------------------------------------


def loader(excerpts: list[Excerpt], workers: int = 0, rank: int = 0, world: int = 1) -> ResumableLoader:
    data = RequestedData(Windows(excerpts, REQUEST), REQUEST, 0, workers)
    data.trainer = SimpleNamespace(global_rank=rank, world_size=world)  # type: ignore[assignment]
    return data.train_dataloader()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_goes_on_in_the_middle_of_an_epoch(two: list[Excerpt], workers: int) -> None:
    whole = [batch.sample for batch in loader(two)]
    stopped = loader(two, workers)
    seen = []
    for batch in stopped:
        seen.append(batch.sample)
        if len(seen) == 2:
            break
    state = stopped.state_dict()
    assert state == {"handed_out": 2}, "batches that workers have made ahead do not count"
    fresh = loader(two, workers)
    fresh.load_state_dict(state)
    assert seen + [batch.sample for batch in fresh] == whole
    assert fresh.state_dict() == {"handed_out": 0}, "a finished epoch starts anew"
    assert [batch.sample for batch in fresh] == whole, "the next epoch is whole"


def test_a_loader_is_counted_in_batches_and_gives_each_process_its_share(two: list[Excerpt]) -> None:
    assert len(loader(two)) == 5
    whole = [batch.sample for batch in loader(two)]
    shares = [[batch.sample for batch in loader(two, rank=rank, world=2)] for rank in (0, 1)]
    for together, left, right in zip(whole, *shares, strict=True):
        assert sorted(together) == sorted(left + right)
        assert len(left) == len(right) == 2
