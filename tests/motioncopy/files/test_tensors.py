"""Files of tensors from anywhere: read whole, or refused before room is made for what they claim."""

from __future__ import annotations

import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch

from motioncopy.errors import CheckpointError
from motioncopy.files.tensors import check_tensors, load_tensors


def load(path: Path) -> Any:
    return load_tensors(path, error=CheckpointError, remedy="fit again")


def archive(path: Path, program: bytes, *, how: int = zipfile.ZIP_STORED, **further: bytes) -> Path:
    with zipfile.ZipFile(path, "w", how) as file:
        file.writestr("a/data.pkl", program)
        file.writestr("a/version", "3\n")
        file.writestr("a/byteorder", "little")
        for name, content in further.items():
            file.writestr(f"a/data/{name}", content)
    return path


def test_what_training_keeps_is_read_back(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.randn(4, 3)).sum().backward()
    optimizer.step()
    content: dict[str, Any] = {
        "state": network.state_dict(), "optimizer": optimizer.state_dict(), "shape": (1, (2, 3)), "none": None,
        "view": torch.arange(12).reshape(3, 4).T, "half": torch.ones(2).bfloat16(), "list": [1, "a", 2.5, True],
        "ordered": OrderedDict(a=1), "parameters": list(network.parameters()),
    }  # fmt: skip
    torch.save(content, tmp_path / "x.ckpt")
    found = load(tmp_path / "x.ckpt")
    assert found["shape"] == content["shape"]
    assert found["list"] == content["list"]
    assert torch.equal(found["view"], content["view"])
    assert found["optimizer"]["state"][0].keys() == content["optimizer"]["state"][0].keys()
    torch.testing.assert_close(found["state"], content["state"])


class _Runs:
    def __reduce__(self) -> Any:
        return os.system, ("touch run",)


@pytest.mark.parametrize(
    "value",
    [
        _Runs(),
        torch.zeros(1).expand(10**12),
        torch.zeros(2, device="meta"),
        torch.zeros(3).to_sparse(),
        torch.quantize_per_tensor(torch.zeros(3), 1.0, 0, torch.qint8),
        print,
        Path("x"),
    ],
)
def test_what_is_neither_a_tensor_nor_a_plain_value_is_refused(
    value: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"a": value}, "x.ckpt")
    with pytest.raises(CheckpointError) as refusal:
        load(tmp_path / "x.ckpt")
    assert "weights_only" not in str(refusal.value)
    assert not (tmp_path / "run").exists()


def _nested_pairs() -> bytes:
    """A key of 2^60 values: a dict would be filled long after the universe has ended."""
    body = b"}(" + b"K\x01K\x02\x86" + b"q\x00h\x00\x86" * 60
    return b"\x80\x02" + body + b"K\x01u."


@pytest.mark.parametrize(
    ("program", "found"),
    [
        (b"\x80\x02}(" + b"K\x01" + b"\x85" * 1_000_000 + b"K\x01u.", "tuple"),
        (_nested_pairs(), "tuple"),
        (b"\x80\x02ctorch\nFloatStorage\nJ\xff\xff\xff\x7f\x85R.", "FloatStorage"),
        (b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00id\x85R.", r"os\.system"),
        (b"\x80\x02R.", "cannot read"),
        (b"\x80\x02h\x07.", "cannot read"),
        (b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.", "cannot read"),
        (b"", "cannot read"),
        (b"\x80\x02" + pickle.BINUNICODE + struct.pack("<I", 2**32 - 1) + b"a.", "cannot read"),
    ],
    ids=["deep", "shared", "storage", "system", "reduce", "memo", "frame", "empty", "text"],
)
def test_a_program_that_overflows_or_calls_is_refused(program: bytes, found: str, tmp_path: Path) -> None:
    path = archive(tmp_path / "x.ckpt", program)
    with pytest.raises(CheckpointError, match=found):
        load(path)


def test_entries_that_unpack_to_more_than_the_file_are_refused(tmp_path: Path) -> None:
    program = b"\x80\x02}."
    bomb = archive(tmp_path / "bomb.ckpt", program, how=zipfile.ZIP_DEFLATED, **{"0": bytes(10**7)})
    assert bomb.stat().st_size < 10**5
    with pytest.raises(CheckpointError, match="compressed"):
        load(bomb)
    for name, content in {"text": b"hello", "zip": b"PK\x03\x04 cut off", "none": b""}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CheckpointError, match="cannot read"):
            load(tmp_path / name)


def test_a_git_lfs_pointer_is_named_as_one(tmp_path: Path) -> None:
    path = tmp_path / "method.ckpt"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n")
    with pytest.raises(CheckpointError, match=rf"a git-lfs pointer of {path.stat().st_size} bytes.*git lfs pull"):
        check_tensors(path, error=CheckpointError, remedy="")
