"""FakeMotion's pipeline: from poses to frames, chunk by chunk, with the faces of the person it was trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from methods.fakemotion.method import FakeMotion
from motioncopy.batch import Motion, MotionBatch
from motioncopy.errors import BatchError, CheckpointError, ConfigError
from motioncopy.poses.parts import crop, part_centres
from motioncopy.request import Trial
from motioncopy.training import checkpoint
from tests.methods.tiny import SIZE, tiny
from tests.toys import ToyData, write_clip

VARIANTS = ("paper", "released")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ToyData:
    folder = tmp_path_factory.mktemp("clips")
    for name in ("ann", "bob"):
        write_clip(folder, name, size=SIZE)
    return ToyData(str(folder))


def build(variant: str, *overlays: str, **init_args: Any) -> FakeMotion:
    model = tiny("fakemotion", variant, *overlays, **init_args)
    method = checkpoint.build(model["class_path"], model["init_args"])
    assert isinstance(method, FakeMotion)
    return method.eval()


def prepared(data: ToyData, variant: str, *overlays: str, **init_args: Any) -> FakeMotion:
    """With a gallery, and with refiners that do something although they were not trained."""
    method = build(variant, *overlays, **init_args)
    method.prepare(data)
    for painter in (method.local, method.face_refiner):
        for refiner in painter.refiners if painter is not None else ():
            nn.init.normal_(refiner.get_submodule("network.output").get_parameter("weight"), 0, 0.1)
    return method


@pytest.fixture(scope="module")
def trial(data: ToyData) -> Trial:
    """Bob's motion, with joints that come and go."""
    found: Trial = data.trials(build("paper").request, "test")[1]
    joints = found.motion.joints.clone()
    joints[:, 0, 3] = 0  # missing from the start on
    joints[:, 2:7, 4] = 0  # for longer than a window
    joints[:, 5:, 0] = 0  # to the end
    return replace(found, motion=replace(found.motion, joints=joints))


def frames(method: FakeMotion, trial: Trial, chunk: int = 100) -> Tensor:
    return torch.cat(list(method.generate(trial.appearance, trial.motion, chunk=chunk)))


# -- generation -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", VARIANTS)
def test_frames_do_not_depend_on_the_chunks(data: ToyData, trial: Trial, variant: str) -> None:
    method = prepared(data, variant)
    whole = frames(method, trial)
    assert len(whole) == len(trial)
    assert (whole - whole[:1]).abs().max() > 0.01, "the poses should make a difference"
    for chunk in (1, 2, 3, 5):
        torch.testing.assert_close(frames(method, trial, chunk), whole, atol=1e-4, rtol=0)


def test_a_joint_that_is_missing_for_long_is_drawn_where_it_was_seen_last(data: ToyData, trial: Trial) -> None:
    """What the chunks before have seen must not be forgotten."""
    method = prepared(data, "released", "no_face", "no_local")
    seen: list[Tensor] = []
    method.generator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][:, 65:]))
    frames(method, trial, chunk=1)
    filled = method.pose.fill(trial.motion)
    assert torch.equal(torch.cat(seen), method.pose.draw(filled)[0])
    assert not torch.equal(torch.cat(seen), method.pose.draw(trial.motion)[0])


class Half(nn.Module):
    """Paints the person red, and everything left of the middle as person."""

    def forward(self, labels: Tensor) -> Tensor:
        red = labels.new_tensor([1.0, -1, -1])[None, :, None, None].expand(len(labels), 3, *labels.shape[2:])
        mask = torch.full_like(red[:, :1], -100)
        mask[..., : mask.shape[-1] // 2] = 100
        return torch.cat((red, mask), dim=1)


def test_the_foreground_lies_over_the_background_by_its_mask(data: ToyData, trial: Trial) -> None:
    method = prepared(data, "paper", "no_face", "no_local")
    method.generator = Half()
    found = frames(method, trial)
    background = trial.appearance.as_float().background
    half = SIZE[1] // 2
    assert (found[:, 0, :, :half] == 1).all()
    assert (found[:, 1:, :, :half] == -1).all()
    torch.testing.assert_close(found[..., half:], background[..., half:].expand(len(found), -1, -1, -1))


@pytest.mark.parametrize("variant", VARIANTS)
def test_local_generators_change_their_crops_and_nothing_else(data: ToyData, trial: Trial, variant: str) -> None:
    method = prepared(data, variant)
    with_them = frames(method, trial)
    assert method.local is not None
    size, method.local = method.local.size, None
    changed = (with_them - frames(method, trial)).abs().amax(dim=1) > 1e-6
    centres, valid = part_centres(method.pose.fill(trial.motion), size)
    rows, columns = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")
    inside = torch.zeros_like(changed)
    for t in range(len(trial)):
        for centre, seen in zip(centres[0, t], valid[0, t], strict=True):
            near = ((columns - centre[0]).abs() < size / 2) & ((rows - centre[1]).abs() < size / 2)
            inside[t] |= near & seen
    assert changed.any()
    assert not (changed & ~inside).any()


# -- faces ------------------------------------------------------------------------------------------------------------


def test_the_gallery_holds_the_faces_of_the_training_frames_on_nothing(data: ToyData) -> None:
    method = prepared(data, "paper")
    assert method.face is not None
    gallery = method.face.gallery
    assert gallery is not None
    assert len(gallery) == 20
    assert gallery.frames.tolist() == list(range(20))
    assert gallery.clips == ("ann",)
    window = data.train_windows(method.request)[7].as_float()
    centres, _ = part_centres(window.motion, method.face.size)
    face = crop((window.images * window.mask)[:, 0], centres[:, 0, 0], method.face.size)
    torch.testing.assert_close(gallery.images(torch.tensor([7])), face, atol=0.01, rtol=0)


def test_a_training_frame_does_not_find_itself(data: ToyData) -> None:
    """With only itself and its neighbours in the gallery, nothing is blended in while it trains."""
    method = build("paper", face={"enhancer": {"init_args": {"alpha": 1.0, "neighbours": 30}}})
    method.prepare(data)
    plain = build("paper", "no_face")
    plain.generator = method.generator
    request = method.stages[1].request
    batch = MotionBatch.collate([data.train_windows(request)[k] for k in (2, 9)]).as_float()
    with torch.no_grad():
        torch.testing.assert_close(method._render_parts(batch)[0], plain._render_parts(batch)[0])
        inputs = replace(method._inputs(batch), exclude=None)
        found, _ = method._foreground(inputs)
        bare, _ = plain._foreground(inputs)
    assert not torch.allclose(found, bare), "it would have been found"


def test_the_gallery_goes_through_the_checkpoint(data: ToyData, trial: Trial, tmp_path: Path) -> None:
    method = prepared(data, "paper", "image_feature")
    checkpoint.save(method, tmp_path / "method.ckpt", hashes={})
    loaded = checkpoint.load(tmp_path / "method.ckpt")
    assert isinstance(loaded, FakeMotion)
    assert torch.equal(frames(loaded, trial), frames(method, trial))
    assert loaded.face is not None
    loaded.face.gallery = None
    assert not torch.equal(frames(loaded, trial), frames(method, trial)), "the faces should make a difference"


def test_a_gallery_needs_a_face_enhancement(data: ToyData) -> None:
    context = prepared(data, "paper").context()
    with pytest.raises(CheckpointError, match=r"FakeMotion keeps no context.*gallery"):
        build("paper", "no_face").load_context(context)
    with pytest.raises(CheckpointError, match=r"not the context of a face enhancement.*faces"):
        build("paper").load_context({"faces": 1})
    build("paper", "no_face").load_context({})
    build("paper").load_context({})


def test_without_a_face_in_the_training_frames_nothing_is_enhanced(data: ToyData, trial: Trial) -> None:
    method = prepared(data, "paper")
    assert method.face is not None
    method.face.gallery = None
    without = frames(method, trial)
    method.face = None
    assert torch.equal(frames(method, trial), without)


# -- what does not fit ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variant", "arguments", "message"),
    [
        ("paper", {"features": None}, r"gromov_wasserstein has a weight.*layer relu3_2\. Found: no feature network"),
        ("paper", {"foreground": {"gromov_wasserstein": {"layer": "conv5_4"}}}, r"layer conv5_4\. Found: relu3_2"),
        *(
            ("released", {gan: {"wasserstein": {"layer": "conv1_1"}}}, rf"^{gan}\.losses\.wasserstein has a weight")
            for gan in ("foreground", "local", "fusion", "face_gan")
        ),
        ("paper", {"local": {"losses": {"perceptual": 1.0}}}, "perceptual loss of crops has a weight and no network"),
        (
            "paper",
            {"features": None, "foreground": {"losses": {"gromov_wasserstein": 0.0}}, "face": {"by_image": True}},
            "face search by image features needs features",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused(variant: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(variant, **arguments)


def test_an_image_that_the_generator_cannot_halve_is_refused(data: ToyData) -> None:
    method = build("paper", image_size=[30, 30])
    method.subject = "ann"
    trial = data.trials(method.request, "test")[0]
    with pytest.raises(ConfigError, match=r"DenseUNet cannot work at this image size.*28x28 or 32x32"):
        frames(method, trial)


# -- stages -----------------------------------------------------------------------------------------------------------


def test_a_stage_takes_all_that_it_uses_to_its_device() -> None:
    """``upstream`` is what moves with a stage besides its own networks; the rest would stay behind on a GPU."""
    for variant in VARIANTS:
        method = build(variant)
        painters = [("generator", method.generator), ("face", method.face_refiner), ("fusion", method.fusion)]
        for number, stage in enumerate(method.stages):
            used = {name for name, network in painters if network is not None and list(network.parameters())}
            used -= {s.name for s in method.stages[number:]} | (set() if number else {"generator"})
            upstream = {name for name, network in painters if any(network is u for u in stage.upstream)}
            assert upstream == used, f"{variant}: stage {stage.name}"
            assert any(method._shared["features"] is u for u in stage.upstream), f"{variant}: stage {stage.name}"


def test_stages_train_on_what_earlier_ones_paint_and_depend_on_them() -> None:
    assert [(s.name, s.depends) for s in build("released").stages] == [
        ("foreground", ()),
        ("face", ("foreground",)),
        ("fusion", ("foreground", "face")),
        ("local", ("foreground", "face", "fusion")),
    ]


def test_what_a_later_stage_says_does_not_refit_an_earlier_one() -> None:
    keys = {s.name: set(s.config_keys) for s in build("released").stages}
    assert not keys["foreground"] & {"face", "face_gan", "fusion", "local", "normalisation"}
    assert not keys["face"] & {"fusion", "local", "foreground"}
    assert not keys["fusion"] & {"local"}
    assert {"pose", "foreground", "gan", "features"} <= keys["foreground"]
    assert all({name, "face"} <= keys[stage] for stage, name in (("face", "face_gan"), ("local", "local")))


def test_a_motion_of_another_skeleton_is_refused(data: ToyData, trial: Trial) -> None:
    method = prepared(data, "paper")
    state = method.start(trial.appearance.as_float())
    _, state = method.step(state, trial.motion)
    other = Motion(torch.ones(1, 2, 18, 3), "coco18", SIZE)
    with pytest.raises(BatchError, match="different skeletons"):
        method.step(state, other)
