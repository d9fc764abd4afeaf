"""Inception-v3 as FID, KID and IS look through it: the network of FID's authors, and torchvision's."""

from __future__ import annotations

import io
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar

import torch
import torchvision
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from motioncopy.errors import WeightsError
from motioncopy.metrics.clip import Extractor, Provider, Stream, published

#: Names of the weights in :mod:`motioncopy.weights`.
TF_WEIGHTS, TORCHVISION_WEIGHTS = "inception-fid", "inception-v3"
#: Height and width of what both networks see.
SIDE = 299
#: Numbers that the last average pooling gives.
POOL_SIZE = 2048
#: Outputs of the network of 2015: the 1000 classes, and eight that stand for none.
LOGITS_SIZE = 1008
# Frames that go through the network together: enough to keep it busy, few enough for any memory.
_TOGETHER = 32


def load_tf(state: Mapping[str, Tensor]) -> nn.Module:
    """The Inception of December 2015 that FID was defined with, as torch-fidelity writes it.

    Its average poolings leave the border out, its last block pools by maximum, and it resizes as TensorFlow 1 did.

    Args:
        state: State dict in the names of torch-fidelity and pytorch-fid, which are the same.

    Returns:
        A frozen module in evaluation mode, from ``(n, 3, H, W)`` uint8 RGB of any size to a tuple of one tensor
        ``(n, 2048)``; its classifier is ``fc``.

    Raises:
        WeightsError: If the state dict is of another network.

    >>> load_tf({"fc.weight": torch.zeros(1)})
    Traceback (most recent call last):
    ...
    motioncopy.errors.WeightsError: these are no weights of this Inception-v3...
    """
    # The class takes weights from a file or the net, and unpickles whatever stands there: it gets a file in memory
    # that holds the given tensors and nothing else.
    file = io.BytesIO()
    torch.save({name: tensor.detach() for name, tensor in state.items()}, file)
    file.seek(0)
    with torch.random.fork_rng(devices=[]):  # initial weights are drawn, which must not move the draws of others
        try:
            network: nn.Module = FeatureExtractorInceptionV3(
                "inception-v3-compat", [str(POOL_SIZE)], feature_extractor_weights_path=file
            )
        except RuntimeError as error:
            raise _not_inception(error) from error
    return network


def load_torchvision(state: Mapping[str, Tensor]) -> nn.Module:
    """The Inception-v3 of torchvision without its classifiers.

    Args:
        state: State dict of torchvision's ``inception_v3``; the auxiliary classifier may be missing.

    Returns:
        A frozen module in evaluation mode: ``(n, 3, 299, 299)`` RGB in [-1, 1] to ``(n, 2048)``.

    Raises:
        WeightsError: If the state dict is of another network.

    >>> state = torchvision.models.inception_v3(init_weights=False).state_dict()  # random
    >>> load_torchvision(state).training
    False
    """
    with torch.random.fork_rng(devices=[]):
        network: nn.Module = torchvision.models.inception_v3(
            weights=None, init_weights=False, aux_logits=False, transform_input=False
        )
    try:
        network.load_state_dict({k: v for k, v in state.items() if not k.startswith("AuxLogits.")})
    except RuntimeError as error:
        raise _not_inception(error) from error
    network.fc = nn.Identity()
    return network.requires_grad_(False).eval()


def _not_inception(error: RuntimeError) -> WeightsError:
    found = str(error).splitlines()
    return WeightsError("these are no weights of this Inception-v3", found=" ".join(found[:2])[:200])


@contextmanager
def exact(device: torch.device) -> Iterator[None]:
    """Convolutions without gradients, autocast and TF32: features of one machine are those of another.

    >>> with exact(torch.device("cpu")):
    ...     torch.ones(1, requires_grad=True).sum().requires_grad
    False
    """
    with (
        torch.no_grad(),
        torch.autocast(device.type, enabled=False),
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
    ):
        yield


class _Inception(Extractor):
    """One row a frame; a stream keeps nothing, so that it is the extractor itself."""

    sizes: ClassVar[Mapping[str, int]]

    def start(self) -> Stream:
        """See :meth:`Extractor.start`."""
        return self

    def update(self, frames: Tensor) -> Mapping[str, Tensor]:
        """See :meth:`Stream.update`."""
        with exact(frames.device):
            parts = [self._look(part) for part in frames.split(_TOGETHER) if len(part)]
        wanted = [name for name in self.outputs if name in self.wanted]
        empty = {name: torch.empty(0, self.sizes[name], device=frames.device) for name in wanted}
        return {name: torch.cat([none, *(part[name] for part in parts)]) for name, none in empty.items()}

    @abstractmethod
    def _look(self, frames: Tensor) -> Mapping[str, Tensor]:
        """The rows of a few frames, at least one."""


class InceptionTF(_Inception):
    """The Inception of FID's authors; see :func:`load_tf`.

    Its outputs are ``pool``, 2048 numbers, and ``logits``, 1008 without their bias.

    >>> InceptionTF.name, InceptionTF.sizes
    ('inception_tf', {'pool': 2048, 'logits': 1008})
    """

    name = "inception_tf"
    outputs = ("pool", "logits")
    sizes: ClassVar[Mapping[str, int]] = {"pool": POOL_SIZE, "logits": LOGITS_SIZE}

    def __init__(self, networks: Provider = published, *, wanted: frozenset[str] = frozenset()) -> None:
        super().__init__(networks, wanted=wanted)
        weights = networks(TF_WEIGHTS)
        self.identities = {TF_WEIGHTS: weights.identity}
        self._network = load_tf(weights.state)
        self._classes = self._network.get_parameter("fc.weight").double().T

    def _look(self, frames: Tensor) -> Mapping[str, Tensor]:
        (pool,) = self._network.to(frames.device)(frames)
        # TF32 does not touch float64, and this product takes no time beside the network.
        return {"pool": pool, "logits": (pool.double() @ self._classes.to(frames.device)).float()}


class InceptionTorchvision(_Inception):
    """The Inception-v3 of torchvision as the evaluator of Liquid Warping GAN uses it; see :func:`load_torchvision`.

    Frames in [-1, 1] are resized to 299x299 bilinearly, half pixels counted, without a filter against aliasing. Its
    output is ``pool``, 2048 numbers.

    >>> InceptionTorchvision.name, InceptionTorchvision.sizes
    ('inception_torchvision', {'pool': 2048})
    """

    name = "inception_torchvision"
    outputs = ("pool",)
    sizes: ClassVar[Mapping[str, int]] = {"pool": POOL_SIZE}

    def __init__(self, networks: Provider = published, *, wanted: frozenset[str] = frozenset()) -> None:
        super().__init__(networks, wanted=wanted)
        weights = networks(TORCHVISION_WEIGHTS)
        self.identities = {TORCHVISION_WEIGHTS: weights.identity}
        self._network = load_torchvision(weights.state)

    def _look(self, frames: Tensor) -> Mapping[str, Tensor]:
        scaled = frames.float() / 127.5 - 1
        seen = interpolate(scaled, (SIDE, SIDE), mode="bilinear", align_corners=False)
        return {"pool": self._network.to(frames.device)(seen)}
