"""FakeMotion's own networks: the released generator, temporal discriminators."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from methods.fakemotion.networks import (
    DilatedDiscriminator,
    PairDiscriminator,
    ReleasedGenerator,
    TemporalDiscriminator,
)
from motioncopy.errors import ConfigError
from motioncopy.nets.blocks import GlobalGenerator

SIZE = (32, 32)


def small(dense_skips: bool = True, out_channels: int = 3, downs: int = 3) -> ReleasedGenerator:
    return ReleasedGenerator(9, out_channels, width=4, downs=downs, blocks=1, dense_skips=dense_skips)


@pytest.mark.parametrize(
    ("build", "millions"),
    [(lambda: ReleasedGenerator(130), 261.8), (lambda: ReleasedGenerator(130, dense_skips=False), 220.6)],
)
def test_the_released_generator_has_as_many_parameters_as_the_code(
    build: Callable[[], nn.Module], millions: float
) -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in build().parameters()) == pytest.approx(millions * 1e6, rel=0.01)


def test_the_released_generator_gives_an_image_and_logits() -> None:
    out = small(out_channels=4)(torch.randn(2, 9, 24, 40) * 5)
    assert out.shape == (2, 4, 24, 40)
    assert out[:, :3].abs().max() <= 1
    with pytest.raises(ConfigError, match="16x16 or 24x24"):
        small()(torch.zeros(1, 9, 23, 17))


def test_every_parameter_of_the_released_generator_has_a_gradient() -> None:
    network = small()
    network(torch.randn(2, 9, 16, 16)).square().sum().backward()
    assert not [name for name, p in network.named_parameters() if p.grad is None]


def test_dense_skips_leave_out_the_first_level_and_nothing_behind() -> None:
    kernels = [[p.kernel_size[0] for p in skip.project] for skip in small(downs=4).skips]  # type: ignore[union-attr]
    assert kernels == [[2], [4, 2], [8, 4, 2]]
    plain = small(False)
    assert not [name for name, _ in plain.named_parameters() if name.startswith("skips")]
    pix2pixhd = GlobalGenerator(9, width=4, downs=3, blocks=1)
    pix2pixhd.load_state_dict(plain.state_dict())
    x = torch.randn(1, 9, 16, 16)
    torch.testing.assert_close(plain(x), pix2pixhd(x))


@pytest.mark.parametrize(
    "network",
    [DilatedDiscriminator(3, branch_width=2, ndf=4, n_layers=1), PairDiscriminator(2)],
    ids=["dilated", "pair"],
)
def test_a_temporal_discriminator_sees_all_frames_in_their_order(network: TemporalDiscriminator) -> None:
    network = network.eval()  # spectral norm: the same at every call
    poses = torch.rand(2, 3 * network.frames if network.conditional else 0, *SIZE)
    images = torch.rand(2, network.frames, 3, *SIZE, requires_grad=True)

    def logits(images: Tensor) -> Tensor:
        found: Tensor = network(torch.cat((poses, images.flatten(1, 2)), dim=1))[0][-1]
        return found

    found = logits(images)
    assert found.shape[:2] == (2, 1)
    found.sum().backward()
    assert images.grad is not None
    assert all(images.grad[:, k].any() for k in range(network.frames)), "every frame counts"
    assert not torch.equal(logits(images.flip(1)), found), "and so does their order"


def shapes(maps: list[Tensor]) -> list[tuple[int, ...]]:
    return [tuple(x.shape[1:]) for x in maps]


def test_the_papers_takes_three_poses_and_frames_through_four_dilations() -> None:
    network = DilatedDiscriminator()
    branches = [branch for branch in network.branches if isinstance(branch, nn.Conv2d)]
    assert [branch.dilation for branch in branches] == [(d, d) for d in (1, 2, 4, 8)]
    assert {tuple(branch.weight.shape) for branch in branches} == {(32, 18, 3, 3)}
    (maps,) = network(torch.randn(1, 18, 64, 64))
    assert shapes(maps) == [(64, 33, 33), (128, 17, 17), (256, 9, 9), (512, 10, 10), (1, 11, 11)]


def test_the_papers_sees_eight_pixels_farther_and_all_frames() -> None:
    network = DilatedDiscriminator(3, branch_width=2, ndf=4, norm="none")
    clip = torch.randn(1, 18, 200, 200, requires_grad=True)
    network(clip)[0][-1][0, 0, 13, 13].backward()
    assert clip.grad is not None
    touched = clip.grad[0].abs().sum((0, 1)).nonzero()
    assert int(touched[-1] - touched[0]) + 1 == 70 + 2 * 8
    assert (clip.grad[0].abs().sum((1, 2)) > 0).all()
