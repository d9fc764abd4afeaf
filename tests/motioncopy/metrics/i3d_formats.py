"""I3D with random weights, in the names of the two published conversions."""

from __future__ import annotations

import re
from functools import cache

import torch
from torch import Tensor

from motioncopy.metrics.clip import Network
from motioncopy.metrics.i3d import I3D

_SIZES = {"1a": "7x7", "2b": "1x1", "2c": "3x3"}


@cache
def network() -> I3D:
    """Weights of a size that neither dies out nor explodes over 27 layers; statistics that do something."""
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        made = I3D()
    for name, value in made.state_dict().items():
        if name.endswith("conv.weight") or name == "logits.weight":
            value.copy_(torch.randn(value.shape, generator=generator) * (2 / value[0].numel()) ** 0.5)
        elif name.endswith(("weight", "running_var")):
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
        elif value.is_floating_point():
            value.copy_(torch.randn(value.shape, generator=generator) * 0.1)
    return made.eval()


def piergiaj(name: str) -> str:
    """A name of ours as piergiaj/pytorch-i3d writes it."""
    name = re.sub(r"^conv_(..)\.", lambda m: f"Conv3d_{m[1]}_{_SIZES[m[1]]}.", name)
    name = re.sub(r"^mixed\.(..)\.", r"Mixed_\1.", name)
    name = re.sub(r"\.b([12])\.0\.", r".b\1a.", name)
    name = re.sub(r"\.b([12])\.1\.", r".b\1b.", name)
    name = name.replace(".b3.", ".b3b.").replace(".norm.", ".bn.").replace(".conv.", ".conv3d.")
    return re.sub(r"^logits\.", "logits.conv3d.", name)


def hassony2(name: str) -> str:
    """A name of ours as hassony2/kinetics_i3d_pytorch writes it."""
    name = re.sub(r"^conv_(..)\.", lambda m: f"conv3d_{m[1]}_{_SIZES[m[1]]}.", name)
    name = re.sub(r"^mixed\.(..)\.", r"mixed_\1.", name)
    name = re.sub(r"\.b([012])\.", r".branch_\1.", name)
    name = name.replace(".b3.", ".branch_3.1.").replace(".norm.", ".batch3d.").replace(".conv.", ".conv3d.")
    return re.sub(r"^logits\.", "conv3d_0c_1x1.conv3d.", name)


def published(style: str = "piergiaj") -> dict[str, Tensor]:
    """The state dict in the names of one of the two, which keep no counters of batches."""
    rename = {"piergiaj": piergiaj, "hassony2": hassony2}[style]
    return {rename(k): v for k, v in network().state_dict().items() if not k.endswith("num_batches_tracked")}


def provider(name: str) -> Network:
    """Random weights under the name of the real ones."""
    assert name == "i3d-kinetics-400"
    return Network(published(), "random, seed 0")
