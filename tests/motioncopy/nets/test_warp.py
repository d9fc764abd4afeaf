"""Warping by flow: what stands at p is what the other frame shows at p + flow(p)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from motioncopy.errors import BatchError
from motioncopy.nets.warp import warp


def bilinear(image: np.ndarray, x: float, y: float) -> float:
    """One value of ``(H, W)``; the border repeats."""
    height, width = image.shape
    x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
    left, top = int(x), int(y)
    right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
    a, b = x - left, y - top
    upper, lower = (image[r, left] * (1 - a) + image[r, right] * a for r in (top, bottom))
    return float(upper * (1 - b) + lower * b)


def test_no_flow_changes_nothing() -> None:
    images = torch.rand(2, 3, 7, 9)
    torch.testing.assert_close(warp(images, torch.zeros(2, 2, 7, 9)), images, atol=1e-6, rtol=0)


def test_it_is_bilinear_and_repeats_the_border() -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, 1, 6, 8, generator=generator)
    flow = 6 * torch.rand(1, 2, 6, 8, generator=generator) - 3
    found = warp(image, flow)
    expected = [
        [bilinear(image[0, 0].numpy(), x + flow[0, 0, y, x].item(), y + flow[0, 1, y, x].item()) for x in range(8)]
        for y in range(6)
    ]
    np.testing.assert_allclose(found[0, 0].numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("flow", [torch.zeros(1, 2, 7, 8), torch.zeros(2, 2, 7, 9), torch.zeros(1, 3, 7, 9)])
def test_a_flow_of_another_shape_is_refused(flow: Tensor) -> None:
    with pytest.raises(BatchError, match="flow does not fit"):
        warp(torch.zeros(1, 3, 7, 9), flow)


def test_half_precision_keeps_the_place() -> None:
    images, flow = torch.rand(1, 3, 8, 300), torch.full((1, 2, 8, 300), 0.25)
    flow[:, 1] = 0
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = warp(images, flow)
    torch.testing.assert_close(found, warp(images, flow))


def test_what_generated_can_be_trained_on() -> None:
    """Of a size that no other test has: what is kept between calls is made in the first one."""
    images, flow = torch.rand(1, 3, 11, 23), torch.zeros(1, 2, 11, 23)
    with torch.inference_mode():
        warp(images, flow)
    moving = flow.clone().requires_grad_()
    warp(images, moving).square().sum().backward()
    assert moving.grad is not None
    assert moving.grad.abs().sum() > 0
