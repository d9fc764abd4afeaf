"""Published weights where they are on this machine, else random ones in the published format."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import torch
from torch import Tensor, nn
from torchvision import models

from motioncopy.errors import WeightsError
from motioncopy.metrics.clip import Network, published
from motioncopy.metrics.facenet import FaceNet
from motioncopy.metrics.i3d import I3D

#: The identity of weights that were drawn.
RANDOM = "random, seed 0"


@cache
def network(name: str) -> Network:
    """The network of this name in :mod:`motioncopy.weights`.

    Raises:
        WeightsError: If it is not here and is none that an audit draws.
    """
    try:
        return published(name)
    except WeightsError:
        if name not in _MAKERS:
            raise
        return Network(_drawn(_MAKERS[name]), RANDOM)


def _drawn(make: Callable[[], nn.Module]) -> dict[str, Tensor]:
    """He's initialisation for kernels, and batch norms that do something: features neither vanish nor explode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        state = make().state_dict()
    generator = torch.Generator().manual_seed(0)
    for name, value in state.items():
        if value.ndim > 1:
            value.copy_(torch.randn(value.shape, generator=generator) * (2 / value[0].numel()) ** 0.5)
        elif name.endswith(("running_var", "weight")):
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
        elif value.is_floating_point():
            value.copy_(torch.randn(value.shape, generator=generator) * 0.1)
    return state


_MAKERS: dict[str, Callable[[], nn.Module]] = {
    "alexnet": lambda: nn.ModuleDict({"features": models.alexnet().features}),
    "vgg16": lambda: nn.ModuleDict({"features": models.vgg16().features}),
    # FID's network has the same layers under the same names, and 1008 classes.
    "inception-v3": partial(models.inception_v3, init_weights=False, aux_logits=False, num_classes=1000),
    "inception-fid": partial(models.inception_v3, init_weights=False, aux_logits=False, num_classes=1008),
    "raft-large": models.optical_flow.raft_large,
    "i3d-kinetics-400": I3D,
    "facenet-vggface2": FaceNet,
}
