"""Optical flow with RAFT (Teed and Deng, RAFT: Recurrent All-Pairs Field Transforms for Optical Flow, ECCV 2020).

The network and its weights are torchvision's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
import torch
import torchvision
from numpy.typing import NDArray
from torch import Tensor
from torchvision.models import optical_flow

from motioncopy import weights
from motioncopy.errors import PerceptionError, WeightsError
from motioncopy.footage import Footage
from motioncopy.footage.perception.backends import Images
from motioncopy.footage.perception.device import device as device_named

_NETWORKS = {"large": optical_flow.raft_large, "small": optical_flow.raft_small}
# Features are an eighth of the frame's size, and the coarsest of four levels of their correlation needs two a side.
_STRIDE, _LEAST_SIDE = 8, 128
_CORRELATION_BYTES = 512 * 1024**2


class RAFTFlow:
    """Flow from each frame to the one before it.

    Args:
        model: ``large`` is the paper's network, ``small`` its faster sibling; with torchvision's default weights.
        device: ``auto`` (the GPU where there is one), or a device of torch.
    """

    def __init__(self, model: Literal["large", "small"] = "large", *, device: str = "auto") -> None:
        if model not in _NETWORKS:
            raise PerceptionError(f"unknown RAFT {model!r}", expected=", ".join(_NETWORKS))
        self.model, self.name, self.device = model, f"raft-{model}", device_named(device)
        self._network: Callable[[Tensor, Tensor], list[Tensor]] | None = None

    @property
    def version(self) -> str:
        """Changes with torchvision and with the weights.

        Raises:
            WeightsError: If the weights are not on this machine.
        """
        # The second number counts changes of this file that change what it returns.
        return f"{torchvision.__version__}+1 {weights.identity(self.name)}"

    def start(self, footage: Footage) -> None:
        """Nothing to do: every pair of frames is seen for itself."""

    def __call__(self, images: Images, previous: Images) -> NDArray[np.float32]:
        """See :class:`motioncopy.footage.perception.backends.FlowEstimator`.

        Raises:
            WeightsError: If the weights are not on this machine.
        """
        if self._network is None:
            self._network = build(self.model, weights.load(self.name)).to(self.device)
        return flow_between(self._network, images, previous, self.device)


def build(model: Literal["large", "small"], state: Mapping[str, Tensor]) -> torch.nn.Module:
    """The network with these weights, frozen, on the CPU.

    Args:
        model: See :class:`RAFTFlow`.
        state: State dict of torchvision's ``raft_large`` or ``raft_small``.

    Raises:
        WeightsError: If it is of another network.
    """
    with torch.random.fork_rng(devices=[]):  # initial weights are drawn, which must not move the draws of others
        network: torch.nn.Module = _NETWORKS[model](weights=None)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(f"the weights raft-{model} do not fit torchvision's network", found=error) from error
    return network.requires_grad_(False).eval()


def flow_between(
    network: Callable[[Tensor, Tensor], list[Tensor]], images: Images, previous: Images, device: torch.device
) -> NDArray[np.float32]:
    """Flow from frames to those before; as many pairs at a time as memory allows.

    Args:
        network: From :func:`build`, on ``device``.
        images: ``(n, H, W, 3)`` uint8 RGB.
        previous: The same, the frames before.
        device: Where to compute.

    Returns:
        ``(n, H, W, 2)`` pixels (x, y).
    """
    n, height, width = images.shape[:3]
    flow = np.empty((n, height, width, 2), np.float32)
    step = _pairs_at_once(height, width)
    for i in range(0, n, step):
        now, before = (_padded(frames[i : i + step], device) for frames in (images, previous))
        with torch.inference_mode():
            refined = network(now, before)[-1]
        flow[i : i + step] = refined[..., :height, :width].movedim(1, -1).cpu().numpy()
    return flow


def _padded(frames: Images, device: torch.device) -> Tensor:
    """``(n, 3, H', W')`` in [-1, 1], with the border repeated below and to the right as far as RAFT needs."""
    height, width = frames.shape[1:3]
    tensor = torch.from_numpy(np.ascontiguousarray(frames)).to(device).movedim(-1, 1)
    missing = (0, _side(width) - width, 0, _side(height) - height)
    return torch.nn.functional.pad(tensor.float() / 127.5 - 1, missing, mode="replicate")


def _side(length: int) -> int:
    """The next length that RAFT takes."""
    return max(_LEAST_SIDE, -(-length // _STRIDE) * _STRIDE)


def _pairs_at_once(height: int, width: int) -> int:
    """As many as whose correlation volumes, of all pairs of positions and a third more for the levels, fit."""
    positions = _side(height) * _side(width) // _STRIDE**2
    return max(1, int(_CORRELATION_BYTES // (4 / 3 * 4 * positions**2)))
