"""Published weights where they are on this machine, else random ones in the published format."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn

from motioncopy.errors import WeightsError
from motioncopy.metrics.clip import Network, published
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


def _features(name: str) -> nn.Module:
    from torchvision import models

    features: nn.Module = models.get_model(name).get_submodule("features")
    return nn.ModuleDict({"features": features})


def _inception(classes: int) -> nn.Module:
    from torchvision.models import inception_v3

    # FID's network has the same layers under the same names, and 1008 classes.
    made: nn.Module = inception_v3(init_weights=False, aux_logits=False, num_classes=classes)
    return made


def _raft() -> nn.Module:
    from torchvision.models.optical_flow import raft_large

    made: nn.Module = raft_large()
    return made


def _facenet() -> nn.Module:
    from motioncopy.metrics.facenet import FaceNet

    return FaceNet()


_MAKERS: dict[str, Callable[[], nn.Module]] = {
    "alexnet": lambda: _features("alexnet"),
    "vgg16": lambda: _features("vgg16"),
    "inception-v3": lambda: _inception(1000),
    "inception-fid": lambda: _inception(1008),
    "raft-large": _raft,
    "i3d-kinetics-400": I3D,
    "facenet-vggface2": _facenet,
}
