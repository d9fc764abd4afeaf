from __future__ import annotations

import colorsys
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from motioncopy.errors import BatchError, ConfigError, SkeletonError
from motioncopy.poses.heatmaps import draw_heatmaps
from motioncopy.poses.limbs import draw_limbs, draw_onehot, onehot_channels
from motioncopy.poses.raster import Backend, default_width
from motioncopy.poses.sticks import body_colours, draw_motion_sticks, draw_sticks, limb_colours
from motioncopy.skeletons import BODY25, COCO18, FISH21, MOUSE5, Skeleton, view
from motioncopy.skeletons import SKELETONS as BY_NAME
from tests.motioncopy.poses.people import SIZE, hide, motion, moving, person

SKELETONS = list(BY_NAME.values())
BACKENDS: list[Backend] = ["opencv", "torch"]


def scattered(skeleton: Skeleton, count: int, size: tuple[int, int]) -> Tensor:
    """Joints all over the image and somewhat beyond it, a sixth of them missing."""
    joints = torch.rand(count, len(skeleton), 3, generator=torch.Generator().manual_seed(1))
    joints[..., 0] = (joints[..., 0] * 1.2 - 0.1) * size[1]
    joints[..., 1] = (joints[..., 1] * 1.2 - 0.1) * size[0]
    joints[..., 2] = (joints[..., 2] > 1 / 6).float()
    return joints


def differ(a: Tensor, b: Tensor) -> tuple[float, float]:
    away = (a - b).abs()
    return away.mean().item(), (away > 0.25).float().mean().item()


@pytest.mark.parametrize("skeleton", SKELETONS, ids=lambda s: s.name)
@pytest.mark.parametrize("size", [(128, 128), (256, 192)])
def test_backends_draw_alike(skeleton: Skeleton, size: tuple[int, int]) -> None:
    joints = scattered(skeleton, 4, size)
    sticks = [draw_sticks(joints, skeleton, size, backend=b) for b in BACKENDS]
    mean, off = differ(*sticks)
    assert mean < 0.01
    assert off < 0.01
    assert (sticks[0].amax(dim=1) > -0.5).float().mean() > 0.005  # something is drawn
    if not skeleton.limbs:
        return
    limbs = [draw_limbs(joints, skeleton, size, backend=b) for b in BACKENDS]
    mean, off = differ(*limbs)
    assert mean < 0.002
    assert off < 0.005


@pytest.mark.parametrize("width", [1, 2, 3, 4.5, 8])
def test_backends_agree_at_any_width(width: float) -> None:
    joints = moving(4)
    mean, off = differ(*(draw_sticks(joints, BODY25, SIZE, width=width, backend=b) for b in BACKENDS))
    assert mean < 0.01
    assert off < 0.01


def test_backends_agree_on_hands_and_face() -> None:
    drawings = [draw_motion_sticks(motion(), backend=b) for b in BACKENDS]
    mean, off = differ(*drawings)
    assert mean < 0.01
    assert off < 0.01
    labels = [draw_onehot(motion(), backend=b).argmax(dim=2) for b in BACKENDS]
    assert (labels[0] != labels[1]).float().mean() < 0.01


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_stick_has_its_colour_and_width(backend: Backend) -> None:
    joints = torch.tensor([[[10.0, 32, 1], [50, 32, 1], [0, 0, 0], [0, 0, 0], [0, 0, 0]]])
    drawing = draw_sticks(joints, MOUSE5, (64, 64), width=6, backend=backend)
    colour = torch.tensor(body_colours(MOUSE5)[0]) / 127.5 - 1
    torch.testing.assert_close(drawing[0, :, 32, 30], colour)
    inked = (drawing[0].amax(dim=0) > 0).float()
    assert inked[:, 30].sum() == pytest.approx(6, abs=1)
    assert inked[32].sum() == pytest.approx(46, abs=2)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("background", "value"), [("black", -1.0), ("white", 1.0)])
def test_missing_joints_leave_the_background(backend: Backend, background: str, value: float) -> None:
    joints = person()[None].clone()
    joints[..., 2] = 0
    joints[0, 0, :2] = float("nan")
    drawing = draw_sticks(joints, BODY25, SIZE, background=background, backend=backend)  # type: ignore[arg-type]
    assert (drawing == value).all()
    assert (draw_limbs(joints, BODY25, SIZE, backend=backend) == 0).all()
    assert (draw_heatmaps(joints, SIZE) == 0).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_missing_joint_takes_only_its_limbs(backend: Backend) -> None:
    whole = draw_limbs(person(), BODY25, SIZE, backend=backend)
    without = draw_limbs(hide(person(), "left_wrist"), BODY25, SIZE, backend=backend)
    gone = BODY25.limbs.index((6, 7))
    assert whole[gone].max() > 0.9
    assert without[gone].max() == 0
    kept = [i for i in range(len(BODY25.limbs)) if i != gone]
    torch.testing.assert_close(without[kept], whole[kept])


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_lies_outside_is_cut_off(backend: Backend) -> None:
    """A drawing of a part of the image is that part of the drawing of the whole."""
    joints = moving(2)
    whole = draw_sticks(joints, BODY25, SIZE, width=3, backend=backend)
    shifted = joints - torch.tensor([40.0, 24.0, 0.0])
    part = draw_sticks(shifted, BODY25, (64, 48), width=3, backend=backend)
    mean, off = differ(part, whole[..., 24:88, 40:88])
    assert mean < 0.002
    assert off < 0.001
    assert (part.amax(dim=1) > 0).any()
    away = joints + torch.tensor([1e9, -1e9, 0.0])
    assert (draw_sticks(away, BODY25, SIZE, backend=backend) == -1).all()


@pytest.mark.parametrize("skeleton", SKELETONS, ids=lambda s: s.name)
def test_leading_dimensions_and_empty_batches(skeleton: Skeleton) -> None:
    joints = scattered(skeleton, 6, (32, 48)).reshape(2, 3, len(skeleton), 3)
    for backend in BACKENDS:
        sticks = draw_sticks(joints, skeleton, (32, 48), backend=backend)
        assert sticks.shape == (2, 3, 3, 32, 48)
        assert sticks.dtype == torch.float32
        assert sticks.is_contiguous()
        assert sticks.min() >= -1
        assert sticks.max() <= 1
        single = draw_sticks(joints[1, 2], skeleton, (32, 48), backend=backend)
        torch.testing.assert_close(single, sticks[1, 2], rtol=0, atol=1e-5)
        limbs = draw_limbs(joints, skeleton, (32, 48), backend=backend)
        assert limbs.shape == (2, 3, len(skeleton.limbs), 32, 48)
        assert ((limbs >= 0) & (limbs <= 1)).all()
        assert draw_sticks(joints[:0], skeleton, (32, 48), backend=backend).shape == (0, 3, 3, 32, 48)
        assert draw_limbs(joints[:0], skeleton, (32, 48), backend=backend).shape[0] == 0
    assert draw_heatmaps(joints, (32, 48)).shape == (2, 3, len(skeleton), 32, 48)


def test_torch_draws_in_chunks_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    joints = moving(5)
    at_once = draw_sticks(joints, BODY25, SIZE, backend="torch")
    monkeypatch.setattr("motioncopy.poses.raster._CHUNK", 2 * len(BODY25.limbs) * 128 * 128)
    torch.testing.assert_close(draw_sticks(joints, BODY25, SIZE, backend="torch"), at_once)


def test_autocast_does_not_coarsen_a_drawing() -> None:
    plain = draw_sticks(moving(2), BODY25, SIZE, backend="torch")
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(draw_sticks(moving(2), BODY25, SIZE, backend="torch"), plain)


def test_body25_shown_as_coco18() -> None:
    joints = moving(2)
    shown = draw_sticks(joints, BODY25, SIZE, show_as=COCO18)
    torch.testing.assert_close(shown, draw_sticks(view(joints, BODY25, COCO18), COCO18, SIZE))
    assert not torch.equal(shown, draw_sticks(joints, BODY25, SIZE))
    with pytest.raises(SkeletonError):
        draw_sticks(joints, BODY25, SIZE, show_as=FISH21)


def test_later_limbs_lie_on_top() -> None:
    cross = torch.tensor([[10.0, 32, 1], [54, 32, 1], [32, 54, 1], [32, 10, 1], [32, 5, 1]])
    for backend in BACKENDS:
        middle = draw_sticks(cross, MOUSE5, (64, 64), width=4, backend=backend)[:, 32, 32]
        torch.testing.assert_close(middle, torch.tensor(body_colours(MOUSE5)[2]) / 127.5 - 1, atol=1e-3, rtol=0)


def test_hues_run_along_a_chain_and_leap_elsewhere() -> None:
    assert body_colours(BODY25) == limb_colours(len(BODY25.limbs))
    hues = [colorsys.rgb_to_hsv(*colour)[0] for colour in body_colours(FISH21)]
    steps = [b - a for a, b in pairwise(hues)]
    assert (hues[0], hues[-1]) == pytest.approx((0, 0.8), abs=0.01)
    assert min(steps) > 0.02
    assert max(steps) < 0.06


def test_default_width_grows_with_the_image() -> None:
    assert [default_width(s) for s in ((64, 64), (256, 192), (512, 512))] == [2, 3, 6]
    inked = [
        (draw_sticks(person() * torch.tensor([f, f, 1.0]), BODY25, (128 * f, 128 * f)).amax(dim=0) > 0).float().mean()
        for f in (2, 4)
    ]
    assert inked[0] == pytest.approx(inked[1].item(), rel=0.1)


def test_motion_sticks_show_all_groups() -> None:
    added = (draw_motion_sticks(motion()) - draw_motion_sticks(motion(groups=False))).abs().amax(dim=2)[0, 0] > 0.2
    assert added[20:36, 88:104].any()  # left hand
    assert added[50:66, 30:46].any()  # right hand
    assert added[8:32, 56:72].any()  # face


def test_heatmaps_peak_at_the_joints() -> None:
    joints = torch.tensor([[20.0, 10, 1], [5.5, 30.25, 0.7], [-3, 12, 1]])
    maps = draw_heatmaps(joints, (40, 32), sigma=2)
    assert maps[0, 10, 20] == 1
    y, x = torch.meshgrid(torch.arange(40.0), torch.arange(32.0), indexing="ij")
    expected = torch.exp(-((x - 5.5) ** 2 + (y - 30.25) ** 2) / 8)
    torch.testing.assert_close(maps[1], expected, atol=1e-7, rtol=1e-4)
    assert maps[2].argmax() == 12 * 32  # the nearest pixel of the border
    assert maps.min() >= 0
    assert maps.max() <= 1


def test_onehot_is_fakemotions_label() -> None:
    label = draw_onehot(motion())
    assert label.shape == (1, 3, 65, 128, 128)
    assert set(label.unique().tolist()) == {0.0, 1.0}
    assert (label.sum(dim=2) == 1).all()
    per_channel = label.sum(dim=(1, 3, 4))[0]
    assert (per_channel[25:65] > 0).sum() > 30  # both hands
    assert label[0, 0, 0, 0, 0] == 1
    # The left hand has channels 25 to 44.
    assert label[0, 0, 25:45, 18:42, 88:104].sum() == label[0, 0, 25:45].sum() > 0


def test_onehot_without_hands_leaves_their_channels_empty() -> None:
    label = draw_onehot(motion(groups=False))
    assert label.shape[2] == 65
    assert label[:, :, 25:].sum() == 0
    assert (label[:, :, 1:25].sum(dim=(0, 1, 3, 4)) > 0).sum() >= 22


def test_onehot_channels_of_other_bodies() -> None:
    assert [onehot_channels(s) for s in (BODY25, COCO18, FISH21, MOUSE5)] == [65, 58, 21, 5]


def test_wrong_input_is_refused() -> None:
    joints = person()
    with pytest.raises(BatchError, match="coco18"):
        draw_sticks(joints, COCO18, SIZE)
    with pytest.raises(BatchError):
        draw_limbs(joints.long(), BODY25, SIZE)
    with pytest.raises(ConfigError, match="background"):
        draw_sticks(joints, BODY25, SIZE, background="green")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="backend"):
        draw_sticks(joints, BODY25, SIZE, backend="cairo")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="CPU"):
        draw_sticks(joints.to("meta"), BODY25, SIZE, backend="opencv")
    with pytest.raises(BatchError):
        draw_heatmaps(joints[..., :2], SIZE)
    with pytest.raises(ConfigError):
        draw_heatmaps(joints, SIZE, sigma=0)


def test_no_gradient_flows() -> None:
    joints = person().requires_grad_()
    for backend in BACKENDS:
        assert not draw_sticks(joints, BODY25, SIZE, backend=backend).requires_grad
    assert not draw_heatmaps(joints, SIZE).requires_grad
