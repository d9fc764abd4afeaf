"""Files of weights as OpenMMLab publishes them, but random: what the tests of the networks load."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from motioncopy.footage.perception.openmmlab import Network
from motioncopy.weights import WEIGHTS


def enter(name: str, path: Path, patch: pytest.MonkeyPatch) -> None:
    """Makes the file the published one of these weights."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    patch.setitem(WEIGHTS, name, replace(WEIGHTS[name], sha256=digest, file=path.name))
    patch.setenv("MOTIONCOPY_WEIGHTS", str(path.parent))


def checkpoint(state: dict[str, torch.Tensor]) -> dict[str, Any]:
    """What mmengine's runner saves after a training, cut down to what a model zoo keeps."""
    from mmengine.logging import HistoryBuffer

    return {
        "meta": {
            "epoch": 300,
            "cfg": "model = dict(type='Detector')",
            "dataset_meta": {"CLASSES": ("person",), "PALETTE": [(220, 20, 60)], "sigmas": np.ones(17, np.float32)},
        },
        "state_dict": OrderedDict(state),
        "message_hub": {
            "log_scalars": OrderedDict({"train/loss": HistoryBuffer([0.5, 0.25], [1, 1])}),
            "runtime_info": OrderedDict(iter=375000, best=np.float64(0.5)),
            "resumed_keys": OrderedDict(iter=True),
        },
    }


def publish(
    network: Network, folder: Path, patch: pytest.MonkeyPatch, change: Callable[[Any], None] = lambda _: None
) -> None:
    """Saves the network with random weights, after a ``change``, in place of the published file."""
    torch.manual_seed(0)
    built = network.build(trained=False)
    with torch.no_grad():
        change(built)
    path = folder / WEIGHTS[network.weights].file
    # The tools that publish models write the older of torch's two formats.
    torch.save(checkpoint(built.state_dict()), path, _use_new_zipfile_serialization=False)
    enter(network.weights, path, patch)
