from __future__ import annotations

import pytest
import torch

from motioncopy.losses.pixels import masked_l1


def test_masked_l1_is_a_mean_over_the_mask() -> None:
    found, wanted, mask = torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4), torch.zeros(1, 1, 4, 4)
    mask[..., 0, :2] = 1
    wanted[..., 0, 0], wanted[..., 2, :] = 3, 99
    assert masked_l1(found, wanted, mask).item() == pytest.approx(2)
    assert masked_l1(found, wanted, 0 * mask).item() == 0
