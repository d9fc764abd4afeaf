"""State dicts from files in both of torch's formats; damaged and hostile ones are refused by name."""

from __future__ import annotations

import os
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from motioncopy import weights
from motioncopy.errors import WeightsError
from motioncopy.nets.features import FeatureNetwork
from motioncopy.weights import WEIGHTS
from tests.motioncopy.weights.publisher import FILE, change, digest_of, put


def test_load_gives_the_state_dict(published: Path, tmp_path: Path) -> None:
    put(published, tmp_path / "given")
    state = weights.load("resnet18")
    assert list(state) == ["fc.bias"]
    assert state["fc.bias"].tolist() == [0, 1, 2]


def put_content(content: object, folder: Path, monkeypatch: pytest.MonkeyPatch, *, zipped: bool = True) -> Path:
    """Makes a file of this content the published one."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path, _use_new_zipfile_serialization=zipped)
    change(monkeypatch, sha256=digest_of(path))
    return path


class Command:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("exit 1",)


class Mentioned:
    def __init__(self) -> None:
        raise AssertionError("made")

    def __reduce__(self) -> tuple[object, tuple[()], dict[str, int]]:
        return Mentioned, (), {"state": 1}


@pytest.mark.parametrize("zipped", [True, False])
def test_load_runs_no_code(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zipped: bool) -> None:
    path = put_content({"fc.bias": Command()}, tmp_path / "given", monkeypatch, zipped=zipped)
    with pytest.raises(WeightsError, match=r"more than weights.*Found: posix\.system") as caught:
        weights.load("resnet18")
    assert str(path) in str(caught.value)


def test_what_is_ignored_is_not_made(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = {"state_dict": {"fc.bias": torch.ones(2)}, "log": [object.__new__(Mentioned)]}
    put_content(content, tmp_path / "given", monkeypatch)
    with pytest.raises(WeightsError, match="Mentioned"):
        weights.load("resnet18", within="state_dict")
    ignored = [f"{__name__}.Mentioned"]
    assert weights.load("resnet18", within="state_dict", ignored=ignored)["fc.bias"].tolist() == [1, 1]
    with pytest.raises(WeightsError, match=r"'state_dict' .* is dict"):
        weights.load("resnet18", ignored=ignored)
    with pytest.raises(WeightsError, match=r"has no 'model'.*state_dict, log"):
        weights.load("resnet18", within="model", ignored=ignored)
    with pytest.raises(WeightsError, match="Mentioned"):  # it was allowed for one file only
        weights.load("resnet18", within="state_dict")


def bomb(folder: Path) -> bytes:
    """Tensors as torch saves them, but compressed: a thousandth of what is unpacked."""
    torch.save({"fc.bias": torch.zeros(2**20)}, folder / "plain.pth")
    with zipfile.ZipFile(folder / "plain.pth") as plain, zipfile.ZipFile(folder / "bomb.pth", "w") as packed:
        for entry in plain.infolist():
            packed.writestr(entry.filename, plain.read(entry), zipfile.ZIP_DEFLATED)
    return (folder / "bomb.pth").read_bytes()


def script(folder: Path) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), folder / "script.pt")
    return (folder / "script.pt").read_bytes()


def saved(content: object, *, zipped: bool = True) -> Callable[[Path], bytes]:
    def save(folder: Path) -> bytes:
        torch.save(content, folder / "saved.pth", _use_new_zipfile_serialization=zipped)
        return (folder / "saved.pth").read_bytes()

    return save


HOSTILE: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "empty": (lambda _: b"", ""),
    "text": (lambda _: b"not found", ""),
    "cut short": (lambda folder: saved({"a": torch.ones(9)})(folder)[:-300], ""),
    "cut short, older": (lambda folder: saved({"a": torch.ones(9)}, zipped=False)(folder)[:-20], ""),
    "a zip of nothing": (lambda _: b"PK\x03\x04" + bytes(100), ""),
    "a bomb": (bomb, r"entries of \d+ bytes in a file of \d+"),
    "a script": (script, "TorchScript"),
    "a claim": (saved({"a": torch.zeros(1).expand(10**12)}), r"claim 4000000000000 bytes in a file of \d+"),
    "a claim, older": (saved({"a": torch.zeros(1).expand(10**12)}, zipped=False), "claim 4000000000000 bytes"),
    "a list": (saved([torch.ones(1)]), "list in the place of tensors by name"),
    "a number": (saved({"a": 1}), "'a' .* is int"),
    "a number as name": (saved({1: torch.ones(1)}), "'1' is no tensor's name"),
    "no memory": (saved({"a": torch.ones(1, device="meta")}), "meta"),
    "sparse": (saved({"a": torch.ones(1).to_sparse()}), "sparse"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_damaged_or_hostile_file_is_refused_by_name(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    make, found = HOSTILE[case]
    path = put_content(make(tmp_path), tmp_path / "given", monkeypatch)
    with pytest.raises(
        WeightsError, match=rf"cannot be read as weights\. Found: .*{found}.* Remedy: delete it"
    ) as caught:
        weights.load("resnet18")
    assert str(path) in str(caught.value)
    for advice in ("weights_only", "safe_globals"):
        assert advice not in str(caught.value)


@pytest.mark.parametrize("zipped", [True, False])
def test_parameters_and_tensors_that_share_memory_are_read(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zipped: bool
) -> None:
    shared = torch.rand(1000, dtype=torch.float16)
    content = OrderedDict(a=shared, b=shared, c=torch.nn.Parameter(torch.ones(2)), n=torch.tensor(3))
    put_content(content, tmp_path / "given", monkeypatch, zipped=zipped)
    state = weights.load("resnet18")
    assert list(state) == ["a", "b", "c", "n"]
    assert torch.equal(state["b"], shared)


@pytest.mark.parametrize("content", [{}, {"features.0.weight": torch.ones(1)}])
def test_weights_of_another_network_are_refused_by_a_feature_network(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: dict[str, torch.Tensor]
) -> None:
    path = put_content(content, tmp_path / "given", monkeypatch)
    monkeypatch.setitem(WEIGHTS, "vgg16", replace(WEIGHTS["vgg16"], file=FILE, sha256=digest_of(path)))
    with pytest.raises(WeightsError, match="the weights vgg16 do not fit their network"):
        FeatureNetwork("vgg16", ["relu1_1"])
    with pytest.raises(WeightsError, match="the weights resnet18 do not fit their network"):
        FeatureNetwork("resnet18_logits", ["logits"])
