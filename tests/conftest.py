"""What holds for every test: the same random numbers in every run, and no way out to the network."""

from __future__ import annotations

import os
import random
import socket
from pathlib import Path

import numpy as np
import pytest
import torch

if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):  # side by side, they share the cores
    threads = max(1, (os.cpu_count() or 1) // int(workers))
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))  # for the processes that tests start
    torch.set_num_threads(threads)
# Read when the libraries are imported, and inherited by the processes that tests start.
os.environ.setdefault("WANDB_MODE", "offline")
os.environ.setdefault("MPLBACKEND", "Agg")
# The commands start Python without the working directory on its path, and configs of tests name classes of tests.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")]))
os.environ["MOTIONCOPY_TRUSTED_PACKAGES"] = "tests"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Side by side, a file's tests stay together, as do all that start several processes: these want the cores."""
    for item in items:
        several = item.get_closest_marker("ddp") is not None
        item.add_marker(pytest.mark.xdist_group("several processes" if several else item.nodeid.partition("::")[0]))


@pytest.fixture(autouse=True)
def _same_random_numbers() -> None:
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 (what the code under test uses is its own affair)
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuses connections to other machines; processes on this one may talk (gloo does)."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        local = self.family == socket.AF_UNIX or (
            isinstance(address, tuple) and address[0] in ("localhost", "127.0.0.1", "::1", socket.gethostname())
        )
        assert local, f"this test tried to reach {address}: tests run without a network"
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)
