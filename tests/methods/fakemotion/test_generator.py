from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from methods.fakemotion.generator import DenseUNet, ReleasedGenerator, norm_layer
from motioncopy.errors import ConfigError


def parameters(build: Callable[[], nn.Module]) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in build().parameters())


def small_unet(dense_skips: bool = True, out_channels: int = 3, levels: int = 3) -> DenseUNet:
    return DenseUNet(9, out_channels, levels=levels, width=8, max_width=32, skip_width=4, dense_skips=dense_skips)


def small_released(dense_skips: bool = True, out_channels: int = 3, downs: int = 3) -> ReleasedGenerator:
    return ReleasedGenerator(9, out_channels, width=4, downs=downs, blocks=1, dense_skips=dense_skips)


@pytest.mark.parametrize(
    ("build", "millions"),
    [
        # Counts of the authors' public code, with its 130 input channels.
        (lambda: ReleasedGenerator(130), 261.8),
        (lambda: ReleasedGenerator(130, dense_skips=False), 220.6),
        # Ours, as the docstring says.
        (lambda: DenseUNet(9), 47.5),
        (lambda: DenseUNet(9, dense_skips=False), 43.4),
    ],
)
def test_number_of_parameters(build: Callable[[], nn.Module], millions: float) -> None:
    assert parameters(build) == pytest.approx(millions * 1e6, rel=0.01)


@pytest.mark.parametrize("small", [small_unet, small_released])
@pytest.mark.parametrize("size", [(16, 16), (32, 16), (24, 40)])
def test_output_is_an_image_of_the_same_size(small: Callable[..., nn.Module], size: tuple[int, int]) -> None:
    out = small()(torch.randn(2, 9, *size) * 5)
    assert out.shape == (2, 3, *size)
    assert out.abs().max() <= 1


@pytest.mark.parametrize("small", [small_unet, small_released])
def test_further_channels_are_logits(small: Callable[..., nn.Module]) -> None:
    network = small(out_channels=4)
    nn.init.constant_(network.get_submodule("head").get_parameter("bias"), 5.0)
    out = network(torch.zeros(1, 9, 16, 16))
    assert out[:, :3].max() <= 1
    assert out[:, 3].min() > 1, "the logit must not be squashed"


@pytest.mark.parametrize("small", [small_unet, small_released])
def test_removed_dense_skips_leave_nothing_behind(small: Callable[..., nn.Module]) -> None:
    dense, plain = small(True), small(False)
    names = {name.split(".")[0] for name, _ in plain.named_parameters()}
    assert not names & {"dense", "fusion"}
    assert sum(p.numel() for p in plain.parameters()) < sum(p.numel() for p in dense.parameters())
    assert plain(torch.zeros(1, 9, 16, 16)).shape == (1, 3, 16, 16)


@pytest.mark.parametrize("small", [small_unet, small_released])
def test_every_parameter_has_a_gradient(small: Callable[..., nn.Module]) -> None:
    network = small()
    network(torch.randn(2, 9, 16, 16)).square().sum().backward()
    assert not [name for name, p in network.named_parameters() if p.grad is None]


def test_a_decoder_level_sees_all_shallower_encoder_levels() -> None:
    network = small_unet(levels=4)
    assert network.dense is not None
    seen: list[torch.Tensor] = []
    # The deepest decoder level, whose input is the level below, its own skip (32) and levels 1 and 2 (4 each).
    network.decoder[2].register_forward_pre_hook(lambda _, args: seen.append(args[0].detach()))
    x = torch.randn(1, 9, 32, 32)
    network(x)
    with torch.no_grad():
        network.dense[2][0].weight.mul_(2.0)  # type: ignore[index]
    network(x)
    changed = (seen[0] != seen[1]).flatten(2).any(dim=2)[0].nonzero().flatten().tolist()
    assert seen[0].shape[1] == 2 * 32 + 2 * 4
    assert changed == [64, 65, 66, 67], "exactly the channels of encoder level 1"


def test_shallower_levels_arrive_as_block_averages() -> None:
    network = small_unet(levels=4)
    skips = [torch.randn(1, c, s, s) for c, s in ((8, 32), (16, 16), (32, 8), (32, 4))]
    assert network.dense is not None
    reduced = network._shallower(skips)
    assert [len(r) for r in reduced] == [0, 1, 2]
    expected = network.dense[2][0](nn.functional.avg_pool2d(skips[0], 4))  # type: ignore[index]
    torch.testing.assert_close(reduced[2][0], expected)


def test_released_fusion_leaves_out_the_first_level() -> None:
    network = small_released(downs=4)
    assert network.fusion is not None
    kernels = [[p.kernel_size[0] for p in f.project] for f in network.fusion]  # type: ignore[union-attr]
    assert kernels == [[2], [4, 2], [8, 4, 2]]


@pytest.mark.parametrize("small", [small_unet, small_released])
def test_a_size_that_does_not_divide_is_refused_with_those_that_do(small: Callable[..., nn.Module]) -> None:
    network = small()
    stride = network.stride
    assert isinstance(stride, int)
    with pytest.raises(ConfigError, match=f"{2 * stride}x{2 * stride} or {3 * stride}x{3 * stride}"):
        network(torch.zeros(1, 9, 3 * stride - 1, 2 * stride + 1))


def test_a_size_too_small_to_normalise_is_refused() -> None:
    with pytest.raises(ConfigError, match="use 8x8"):
        small_unet()(torch.zeros(1, 9, 4, 4))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: DenseUNet(levels=1),
        lambda: DenseUNet(out_channels=1),
        lambda: DenseUNet(norm="layer"),  # type: ignore[arg-type]
        lambda: ReleasedGenerator(downs=0),
        lambda: ReleasedGenerator(in_channels=0),
    ],
)
def test_impossible_networks_are_refused(wrong: Callable[[], nn.Module]) -> None:
    with torch.device("meta"), pytest.raises(ConfigError):
        wrong()


def test_instance_norm_is_instance_norm() -> None:
    x = torch.randn(3, 5, 6, 7) * 4 + 2
    torch.testing.assert_close(norm_layer("instance", 5)(x), nn.InstanceNorm2d(5)(x))


def test_frames_of_a_batch_do_not_see_each_other() -> None:
    network, x = small_unet().eval(), torch.randn(4, 9, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(network(x), torch.cat([network(one[None]) for one in x]), atol=1e-5, rtol=1e-5)


def test_learns_four_images() -> None:
    torch.manual_seed(0)
    network = DenseUNet(9, 3, levels=4, width=16, max_width=96, skip_width=8, convs=1)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    poses = torch.randn(4, 9, 32, 32)
    images = nn.functional.interpolate(torch.rand(4, 3, 8, 8) * 2 - 1, size=32, mode="bilinear")
    losses = []
    for _ in range(80):
        loss = (network(poses) - images).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.4 * losses[0]
