"""Generation: what the source alone determines is done once, and odd sources and motions are handled or refused."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from methods.remot import REMOT
from methods.remot.layouts import BLACK, Source, join_regions, keep_masked, last_two, one_hot, region_masks
from methods.remot.networks import LayoutGenerator
from motioncopy.batch import Appearance, Motion
from motioncopy.errors import BatchError
from motioncopy.request import Trial
from tests.methods.remot.test_networks import build
from tests.methods.tiny import SIZE, tiny
from tests.toys import ToyData, write_clip


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    folder = tmp_path_factory.mktemp("clips")
    for name in ("ann", "bob"):
        write_clip(folder, name, frames=24, parsed=True)
    method = build(tiny("remot", "paper"))
    found: Trial = ToyData(str(folder), regime="general").trials(method.request, "test")[1]
    return found


@pytest.fixture(scope="module")
def method() -> REMOT:
    torch.manual_seed(0)
    return build(tiny("remot", "paper")).eval()


def generate(method: REMOT, appearance: Appearance, motion: Motion) -> Tensor:
    frames = torch.cat(list(method.generate(appearance, motion, chunk=2)))
    assert frames.shape == (len(motion), 3, *SIZE)
    assert torch.isfinite(frames).all()
    return frames


def test_the_source_is_encoded_once(method: REMOT, trial: Trial) -> None:
    with (
        patch.object(LayoutGenerator, "encode", autospec=True, side_effect=LayoutGenerator.encode) as encode,
        patch.object(Source, "of", side_effect=Source.of) as cut_out,
    ):
        generate(method, trial.appearance, trial.motion)
    assert encode.call_count == cut_out.call_count == 1


def test_the_whole_is_judged_beside_its_layout_and_pose(method: REMOT, trial: Trial) -> None:
    state = method.regions.init_state(Source.of(trial.appearance.as_float()))
    *_, pose = poses = method.regions.poses(trial.motion.frames(0, 3))
    output = [method.regions.generate(state, p) for p in poses][-1]
    assert output.condition.shape == (1, 9, *SIZE)
    torch.testing.assert_close(output.condition[:, :6], output.layout)
    torch.testing.assert_close(output.condition[:, 6:], pose)


def test_a_training_frame_without_a_person_stops_no_training(method: REMOT, trial: Trial) -> None:
    shown = trial.appearance.as_float()
    assert shown.parsing is not None
    nobody = replace(shown, mask=torch.zeros_like(shown.mask), parsing=torch.zeros_like(shown.parsing))
    state = method.regions.init_state(Source.of(nobody))
    output = method.regions.generate(state, method.regions.poses(trial.motion.frames(0, 1))[0])
    assert torch.isfinite(output.foreground).all()
    assert (output.source == BLACK).all()


def test_a_pose_sequence_with_gaps_still_gives_frames(method: REMOT, trial: Trial) -> None:
    joints = trial.motion.joints.clone()
    joints[:, 2:4] = 0
    whole = generate(method, trial.appearance, trial.motion)
    gaps = generate(method, trial.appearance, replace(trial.motion, joints=joints))
    torch.testing.assert_close(gaps[:2], whole[:2])  # what comes before a gap does not know of it
    assert not torch.equal(gaps[2], whole[2])


def test_a_source_without_some_class_still_gives_frames(method: REMOT, trial: Trial) -> None:
    assert trial.appearance.parsing is not None
    parsing = trial.appearance.parsing.clone()
    parsing[parsing == 1] = 2  # nobody has a head
    generate(method, replace(trial.appearance, parsing=parsing), trial.motion)


def test_a_source_without_a_person_or_a_parsing_is_refused(method: REMOT, trial: Trial) -> None:
    assert trial.appearance.parsing is not None
    empty = replace(trial.appearance, parsing=torch.zeros_like(trial.appearance.parsing))
    with pytest.raises(BatchError, match=r"shows no person.*ann.*frames that show the person"):
        generate(method, empty, trial.motion)
    with pytest.raises(BatchError, match=r"no parsing.*--parts parsing"):
        generate(method, replace(trial.appearance, parsing=None), trial.motion)


def test_regions_are_cut_and_joined_without_loss() -> None:
    labels = torch.randint(0, 6, (2, 1, 8, 6)).to(torch.uint8)
    image, layout = torch.rand(2, 3, 8, 6) * 2 - 1, one_hot(labels)
    assert layout.shape == (2, 6, 8, 6)
    joined = join_regions(keep_masked(image.repeat_interleave(5, dim=0), region_masks(layout)))
    torch.testing.assert_close(joined, torch.where(labels > 0, image, BLACK))
    with pytest.raises(BatchError, match="no class"):
        one_hot(labels + 1)


def test_the_last_two_frames_follow_blank_ones() -> None:
    blank, *frames = (torch.full((1, 1, 2, 2), float(t)) for t in range(4))
    seen = [last_two(frames[:t], blank, frames[2])[0, :, 0, 0].tolist() for t in range(4)]
    assert seen == [[0, 0, 3], [0, 1, 3], [1, 2, 3], [2, 3, 3]]
