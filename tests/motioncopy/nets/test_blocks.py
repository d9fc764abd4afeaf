from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from motioncopy.errors import ConfigError
from motioncopy.nets.blocks import Decoder, DenseUNet, Encoder, GlobalGenerator, Refiner, norm_layer


def parameters(build: Callable[[], nn.Module]) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in build().parameters())


def small_unet(dense_skips: bool = True, out_channels: int = 3, levels: int = 3) -> DenseUNet:
    return DenseUNet(9, out_channels, levels=levels, width=8, max_width=32, skip_width=4, dense_skips=dense_skips)


def small_global(out_channels: int = 3) -> GlobalGenerator:
    return GlobalGenerator(9, out_channels, width=4, downs=3, blocks=1)


@pytest.mark.parametrize(
    ("build", "millions"),
    [
        # pix2pixHD's and Everybody Dance Now's public code.
        (lambda: GlobalGenerator(3), 182.4),
        (lambda: GlobalGenerator(6), 182.5),
        (lambda: Refiner(GlobalGenerator(3, downs=2, blocks=6, norm="batch")), 7.85),
        # Ours, as the docstring says.
        (lambda: DenseUNet(9), 47.5),
        (lambda: DenseUNet(9, dense_skips=False), 43.4),
        (lambda: Refiner(DenseUNet(3, levels=4)), 7.57),
    ],
)
def test_number_of_parameters(build: Callable[[], nn.Module], millions: float) -> None:
    assert parameters(build) == pytest.approx(millions * 1e6, rel=0.01)


@pytest.mark.parametrize("small", [small_unet, small_global])
@pytest.mark.parametrize("size", [(16, 16), (32, 16), (24, 40)])
def test_output_is_an_image_of_the_same_size(small: Callable[..., nn.Module], size: tuple[int, int]) -> None:
    out = small()(torch.randn(2, 9, *size) * 5)
    assert out.shape == (2, 3, *size)
    assert out.abs().max() <= 1


@pytest.mark.parametrize("small", [small_unet, small_global])
def test_further_channels_are_logits(small: Callable[..., nn.Module]) -> None:
    network = small(out_channels=4)
    nn.init.constant_(network.get_submodule("output").get_parameter("bias"), 5.0)
    out = network(torch.zeros(1, 9, 16, 16))
    assert out[:, :3].max() <= 1
    assert out[:, 3].min() > 1, "the logit must not be squashed"


def test_removed_dense_skips_leave_nothing_behind() -> None:
    dense, plain = small_unet(True), small_unet(False)
    assert not [name for name, _ in plain.named_parameters() if name.startswith("dense")]
    assert sum(p.numel() for p in plain.parameters()) < sum(p.numel() for p in dense.parameters())
    assert plain(torch.zeros(1, 9, 16, 16)).shape == (1, 3, 16, 16)


@pytest.mark.parametrize("small", [small_unet, small_global])
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


@pytest.mark.parametrize("small", [small_unet, small_global])
def test_a_size_that_does_not_divide_is_refused_with_those_that_do(small: Callable[..., nn.Module]) -> None:
    network = small()
    stride = network.stride if isinstance(network, DenseUNet) else 8
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
        lambda: DenseUNet(norm="group"),  # type: ignore[arg-type]
        lambda: GlobalGenerator(3, downs=0),
        lambda: GlobalGenerator(0),
    ],
)
def test_impossible_networks_are_refused(wrong: Callable[[], nn.Module]) -> None:
    with torch.device("meta"), pytest.raises(ConfigError):
        wrong()


def test_instance_norm_is_instance_norm() -> None:
    x = torch.randn(3, 5, 6, 7) * 4 + 2
    for norm in ("instance", "affine_instance"):
        torch.testing.assert_close(norm_layer(norm, 5)(x), nn.InstanceNorm2d(5)(x))
    assert not list(norm_layer("instance", 5).parameters())
    assert len(list(norm_layer("affine_instance", 5).parameters())) == 2


def test_layer_norm_remembers_which_channel_is_brighter() -> None:
    x = torch.ones(2, 3, 4, 4) * torch.tensor([1.0, 2, 3])[:, None, None]
    found = norm_layer("layer", 3)(x)
    assert (found[:, 0] < found[:, 1]).all()
    assert (found[:, 1] < found[:, 2]).all()


def test_an_encoder_gives_its_levels_and_a_decoder_leads_back() -> None:
    encoder = Encoder(5, width=4, downs=2, blocks=1)
    levels = encoder.features(torch.randn(2, 5, 24, 16))
    assert [tuple(x.shape[1:]) for x in levels] == [(4, 24, 16), (8, 12, 8), (16, 6, 4), (16, 6, 4)]
    assert (encoder.out_channels, encoder.stride) == (16, 4)
    decoder = Decoder(16, ups=2, blocks=1)
    assert decoder(levels[-1]).shape == (2, decoder.out_channels, 24, 16)
    with pytest.raises(ConfigError, match=r"Encoder cannot work at this image size.*24x16 or 24x20"):
        encoder(torch.randn(1, 5, 24, 18))


def small_refiners() -> list[Refiner]:
    unet = DenseUNet(3, levels=3, width=8, max_width=32, skip_width=4, convs=1)
    return [Refiner(unet, 2.0), Refiner(GlobalGenerator(3, width=8, downs=2, blocks=1, norm="batch"))]


@pytest.mark.parametrize("number", [0, 1])
def test_a_refiner_starts_without_a_residual_and_learns_one(number: int) -> None:
    torch.manual_seed(0)
    refiner, crops = small_refiners()[number], torch.rand(2, 3, 16, 16) * 2 - 1
    wanted = torch.rand(2, 3, 1, 1).expand_as(crops) - 0.5
    assert refiner(crops).abs().max() == 0
    assert refiner(crops).shape == crops.shape
    optimizer = torch.optim.Adam(refiner.parameters(), lr=1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        loss = (refiner(crops) - wanted).abs().mean()
        loss.backward()
        optimizer.step()
    assert loss < 0.6 * wanted.abs().mean()


def test_a_residual_can_span_the_difference_of_two_images() -> None:
    refiner = small_refiners()[0]
    nn.init.constant_(refiner.network.get_submodule("output").get_parameter("bias"), 10.0)
    assert refiner(torch.zeros(1, 3, 16, 16)).max().item() == pytest.approx(2.0, abs=1e-4)


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
