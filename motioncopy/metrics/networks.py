"""Where the pretrained networks of metrics come from.

Metrics and extractors ask a :data:`Provider` for a state dict by its name in :mod:`motioncopy.weights`. The audit and
the tests hand in another provider, whose weights are random; its identity says so wherever values are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from torch import Tensor

from motioncopy import weights


@dataclass(frozen=True)
class Network:
    """A state dict as published, and what it is.

    Attributes:
        state: On the CPU, not to be changed.
        identity: SHA-256 of the file, or words such as ``random, seed 0``.
    """

    state: Mapping[str, Tensor]
    identity: str


#: Gives the network of a name in :mod:`motioncopy.weights`; raises a ``WeightsError`` where it is not to be had.
Provider = Callable[[str], Network]


def published(name: str) -> Network:
    """The published weights, from this machine.

    Raises:
        WeightsError: If they are not here (the message says how to get them), or are not what their hash promises.
    """
    return _loaded(name, weights.identity(name).rpartition(":")[2])


@lru_cache(maxsize=4)  # extractors of several outputs and metrics of several variants share one file
def _loaded(name: str, sha256: str) -> Network:
    return Network(weights.load(name), sha256)
