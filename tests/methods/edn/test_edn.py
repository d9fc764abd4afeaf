"""EDN: the sizes of its networks, what its generators and discriminators see, and its losses against the paper's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmarks.bench.config_stack import ConfigStack
from methods.edn.method import EDN, FaceStage, SequenceStage
from motioncopy.batch import Motion, MotionBatch
from motioncopy.errors import ConfigError
from motioncopy.nets.parts import FaceRefiner
from motioncopy.poses.parts import crop, part_centres
from motioncopy.poses.sticks import draw_motion_sticks
from motioncopy.skeletons import BODY25
from motioncopy.training import checkpoint
from motioncopy.training.gan import Chunk, weighted
from tests.methods.tiny import SIZE, tiny
from tests.motioncopy.poses.people import SIZE as PEOPLE
from tests.motioncopy.poses.people import moving, placed
from tests.toys import ToyData, write_clip


def millions(module: nn.Module) -> float:
    return sum(p.numel() for p in module.parameters()) / 1e6


def build(*overlays: str, **init_args: Any) -> EDN:
    model = tiny("edn", "paper", *overlays, **init_args)
    method = checkpoint.build(model["class_path"], model["init_args"])
    assert isinstance(method, EDN)
    return method


def stages(method: EDN) -> tuple[SequenceStage, FaceStage]:
    sequence, face = method.stages
    assert isinstance(sequence, SequenceStage)
    assert isinstance(face, FaceStage)
    return sequence, face


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ToyData:
    folder = tmp_path_factory.mktemp("clips")
    write_clip(folder, "ann", size=SIZE)
    return ToyData(str(folder))


def batch_of(data: ToyData, stage: SequenceStage | FaceStage) -> MotionBatch:
    windows = data.train_windows(stage.request)
    return MotionBatch.collate([windows[0], windows[5]]).as_float()


def faceless(motion: Motion) -> Motion:
    """The same motion without nose, eyes and ears."""
    joints = motion.joints.clone()
    for name in ("nose", "left_eye", "right_eye", "left_ear", "right_ear"):
        joints[..., BODY25.index(name), :] = 0
    return replace(motion, joints=joints, face=None)


def visible(refiner: FaceRefiner) -> None:
    """A face generator begins with a residual of zero; this one does not."""
    nn.init.normal_(refiner.refiner.network.get_submodule("output").get_parameter("weight"))


def test_the_full_size_is_that_of_the_official_code() -> None:
    no_vgg = {"losses": {"perceptual": 0.0}}  # its weights are not on every machine, and are not counted
    changes = {"perceptual": None, "frame": no_vgg, "face": no_vgg}
    model = ConfigStack("edn", "pair", preset="full").resolve({"model": {"init_args": changes}})["model"]
    with torch.device("meta"):
        sequence, face = checkpoint.build(model["class_path"], model["init_args"]).stages
    assert isinstance(sequence, SequenceStage)
    assert isinstance(face, FaceStage)
    assert millions(sequence.generator) == pytest.approx(182.5, rel=0.001)
    assert millions(sequence.discriminators) == pytest.approx(5.5, rel=0.01)
    assert millions(face.generator) == pytest.approx(26.7, rel=0.005)
    assert millions(face.discriminators) == pytest.approx(5.5 / 2, rel=0.01)
    assert (sequence.request.window, face.request.window) == (2, 2)
    assert face.generator.size == 128


def test_the_first_frame_is_drawn_from_zeros_and_the_second_from_the_first(data: ToyData) -> None:
    stage, _ = stages(build())
    batch = batch_of(data, stage)
    state = stage.init_state(batch)
    for t in range(2):
        stage.generate(state, t)
    sticks = draw_motion_sticks(batch.motion)
    first = stage.generator(torch.cat((sticks[:, 0], torch.zeros_like(sticks[:, 0])), dim=1))
    torch.testing.assert_close(state.generated, [first, stage.generator(torch.cat((sticks[:, 1], first), dim=1))])
    (slope,) = torch.autograd.grad(state.generated[1].sum(), state.generated[0])
    assert slope.abs().sum() > 0  # the second frame teaches how to draw the first


def test_losses_are_those_of_the_official_code(data: ToyData) -> None:
    """LSGAN summed over scales on two poses and their frames; VGG as the mean of both frames, weighted by 10."""
    paper = {"losses": {"l1": 0.0}}
    stage, _ = stages(build(frame={"discriminator": {"init_args": {"num_scales": 2}}, **paper}))
    batch = batch_of(data, stage)
    state = stage.init_state(batch)
    for t in range(2):
        stage.generate(state, t)
    chunk = Chunk(state, 0, 2)
    (comparison,) = comparisons = stage.comparisons(chunk)
    sticks, real, generated = draw_motion_sticks(batch.motion), batch.images, torch.stack(state.generated, dim=1)
    seen = [torch.cat((sticks[:, 0], sticks[:, 1], x[:, 0], x[:, 1]), dim=1) for x in (real, generated)]
    logits = [[scale[-1] for scale in stage.discriminators(x)] for x in seen]
    halves = [((r - 1).square().mean() + f.square().mean()) / 2 for r, f in zip(*logits, strict=True)]
    assert len(halves) == 2
    torch.testing.assert_close(stage.discriminator_losses(chunk, comparisons), {"adversarial": sum(halves)})
    found = stage.generator_terms(chunk, comparisons)
    torch.testing.assert_close(found["adversarial"], (1.0, sum((f - 1).square().mean() for f in logits[1])))
    perceptual = [stage.fixed["perceptual"](generated[:, t], real[:, t]) for t in range(2)]
    torch.testing.assert_close(found["perceptual"], (10.0, sum(perceptual) / 2))
    assert {name: weight for name, (weight, _) in found.items()} == {
        "adversarial": 1.0, "feature_matching": 10.0, "perceptual": 10.0
    }  # fmt: skip
    assert comparison.condition is not None


def test_pairs_reach_over_a_cut_and_the_gradient_does_not(data: ToyData) -> None:
    stage, _ = stages(build(frame={"schedule": {"frames": 4, "chunk": 2}}))
    state = stage.init_state(batch_of(data, stage))
    for t in range(2):
        stage.generate(state, t)
    state.detach()
    for t in (2, 3):
        stage.generate(state, t)
    (comparison,) = stage.comparisons(Chunk(state, 2, 4))
    pairs = comparison.generated.unflatten(0, (2, 2)).unflatten(2, (2, 3))  # pair, sample, frame of the pair
    torch.testing.assert_close(pairs[0, :, 0], state.generated[1])
    torch.testing.assert_close(pairs[1, :, 0], state.generated[2])
    assert not state.generated[1].requires_grad
    assert comparison.generated.requires_grad


def test_the_face_generator_adds_to_the_face_alone(data: ToyData) -> None:
    _, stage = stages(build())
    motion = batch_of(data, stage).motion.frames(0, 1)
    frames, sticks = torch.rand(2, 3, *SIZE) - 0.5, draw_motion_sticks(motion)[:, 0]
    torch.testing.assert_close(stage.generator(frames, sticks, motion), frames)  # training sets out from the frame
    visible(stage.generator)
    changed = (stage.generator(frames, sticks, motion) != frames).any(dim=1, keepdim=True).float()
    size = stage.generator.size
    centres, seen = part_centres(motion, size)
    assert seen[:, 0, 0].all()
    assert crop(changed, centres[:, 0, 0], size).mean() > 0.9
    assert changed.sum() <= 2 * size**2
    torch.testing.assert_close(stage.generator(frames, sticks, faceless(motion)), frames)


def test_faces_are_trained_and_the_rest_stays(data: ToyData) -> None:
    _, stage = stages(build(face={"losses": {"l1": 0.0}}))
    visible(stage.generator)
    batch = batch_of(data, stage)
    pair = stage.generate(batch)
    size = stage.generator.size
    assert pair.generated.shape == pair.real.shape == pair.sticks.shape == (4, 3, size, size)  # two frames of two
    centres, _ = part_centres(batch.motion, size)
    torch.testing.assert_close(pair.real[:2], crop(batch.images[:, 0], centres[:, 0, 0], size))
    terms = stage.generator_terms(pair, stage.comparisons(pair))
    assert {name: weight for name, (weight, _) in terms.items()} == {"adversarial": 1.0, "perceptual": 10.0}
    weighted(terms).backward()
    assert all(p.grad is not None for p in stage.generator.parameters())
    assert not any(p.grad is not None for network in stage.upstream for p in network.parameters())


def test_an_absent_face_teaches_nothing(data: ToyData) -> None:
    _, stage = stages(build())
    visible(stage.generator)
    batch = batch_of(data, stage)
    pair = stage.generate(replace(batch, motion=faceless(batch.motion)))
    assert not pair.real.any()
    assert not pair.generated.any()
    weighted(stage.generator_terms(pair, stage.comparisons(pair))).backward()  # every process takes the step
    assert not any(p.grad is None or p.grad.any() for p in stage.generator.parameters())


def test_each_frame_is_generated_from_the_refined_one_before(data: ToyData) -> None:
    method = build().eval()
    method.prepare(data)
    assert method.face is not None
    visible(method.face)
    trial = data.trials(method.request, "test")[0]
    motion = trial.motion.frames(0, 3)
    frames = torch.cat(list(method.generate(trial.appearance, motion, chunk=2)))
    previous = torch.zeros(1, 3, *SIZE)
    for t in range(3):
        now = motion.frames(t, t + 1)
        sticks = draw_motion_sticks(now)[:, 0]
        previous = method.face(method.generator(torch.cat((sticks, previous), dim=1)), sticks, now)
        torch.testing.assert_close(frames[t], previous[0])


def test_another_body_is_brought_to_the_persons_place_and_height(data: ToyData) -> None:
    """The driver performs the person's own motion, half as tall and elsewhere in depth."""
    method = build()
    own: Tensor = moving(20)
    method.reference = Motion(own[None], "body25", PEOPLE)
    driver = Motion(placed(own, 0.5, 127 / 4, 20.0)[None], "body25", PEOPLE)
    windows = data.train_windows(method.request)
    moved = method.adapt(driver, windows[0].appearance)
    expected = method.adapt(Motion(own[None], "body25", PEOPLE), windows[0].appearance)
    torch.testing.assert_close(moved.joints, expected.joints, atol=1e-2, rtol=0)


def test_sizes_and_lengths_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"EDN cannot.*multiples of 4, at least 8.*Found: 30x32.*use 28x32 or 32x32"):
        build(image_size=[30, 32])
    with pytest.raises(ConfigError, match=r"EDN's face generator.*Found: 15x15"):
        build(face={"size": 15})
    with pytest.raises(ConfigError, match=r"sees two frames.*schedule\.frames >= 2.*Found: 1"):
        assert build(frame={"schedule": {"frames": 1}}).stages
    with pytest.raises(ConfigError, match=r"face\.size is larger than the image"):
        build(face={"size": 4 * SIZE[0]})


def test_no_face_leaves_the_generator_of_whole_frames() -> None:
    method = build("no_face")
    assert method.face is None
    assert [stage.name for stage in method.stages] == ["frame"]
