"""What stays in full precision when the networks compute in half of it."""

from __future__ import annotations

import torch
from torch import Tensor


def at_least_float32(values: Tensor) -> Tensor:
    """The values as float32 where they are less; float64 stays."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
