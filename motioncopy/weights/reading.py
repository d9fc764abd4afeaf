"""State dicts from files of weights, in either of torch's formats or in Keras' HDF5, of which nothing is run.

Publishers' files are often in the older format, and hold logs of the training beside the tensors.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from io import BufferedReader
from pathlib import Path
from typing import Any

import h5py
import torch
from torch import Tensor
from torch.nn import Parameter

from motioncopy.errors import WeightsError

# Torch stores tensors as they are, so that unpacked entries and tensors are about as large as the file; some share
# their memory.
_SPREAD = 4
_HDF5 = b"\x89HDF\r\n\x1a\n"


def read_state(
    path: Path, file: BufferedReader, *, within: str | None, ignored: Sequence[str], remedy: str
) -> dict[str, Tensor]:
    """The state dict in a file, on the CPU.

    Args:
        path: The file's, for messages.
        file: The file, open.
        within: The key under which it lies; ``None`` where the file is the state dict.
        ignored: Dotted names that the file may mention; see :func:`motioncopy.weights.load`.
        remedy: What messages advise.

    Raises:
        WeightsError: If the file is damaged, mentions anything else, holds no tensors by name, or claims more than it
            holds.
    """
    try:
        size = _checked_size(file)
        if file.read(len(_HDF5)) == _HDF5:
            file.seek(0)
            return _arrays(file, size)
        file.seek(0)
        with torch.serialization.safe_globals([(_Ignored, dotted) for dotted in ignored]):
            content = torch.load(file, map_location="cpu", weights_only=True)
        state = content if within is None else _within(content, within)
        _check_state(state, size)
    except Exception as error:
        # Torch's messages are long, and explain how to switch the check off.
        if mentioned := re.search(r"GLOBAL (\S+)", str(error)):
            raise WeightsError(
                f"{path} holds more than weights, and it was not loaded",
                expected="tensors" + "".join(f", {dotted}" for dotted in ignored),
                found=mentioned[1],
                remedy=remedy,
            ) from error
        raise WeightsError(f"{path} cannot be read as weights", found=_told(error), remedy=remedy) from error
    return dict(state)


def _arrays(file: BufferedReader, size: int) -> dict[str, Tensor]:
    """The arrays of an HDF5 file by their paths; links to other places are not followed."""
    found: dict[str, Any] = {}
    with h5py.File(file, "r") as tree:
        tree.visititems(lambda name, item: found.update({name: item} if isinstance(item, h5py.Dataset) else {}))
        total = sum(array.size * array.dtype.itemsize for array in found.values())
        if any(array.dtype.kind != "f" for array in found.values()) or total > _SPREAD * size:
            raise _Refused(f"arrays that are not all of floating point, or claim {total} bytes in a file of {size}")
        return {name: torch.from_numpy(array[()]) for name, array in found.items()}


class _Ignored:
    """Stands for an object that a file holds beside its weights: takes everything, does nothing."""

    def __init__(self, *_: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...


class _Refused(Exception):
    """What a file holds is no state dict."""


def _checked_size(file: BufferedReader) -> int:
    """Bytes of a file that unpacks to no more: a megabyte can hold a gigabyte, or one entry a thousand times."""
    zipped, size = file.read(4) == b"PK\x03\x04", file.seek(0, 2)
    if zipped:
        with zipfile.ZipFile(file) as archive:
            if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                raise _Refused("a TorchScript archive, which holds a program")
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > _SPREAD * size:
            raise _Refused(f"entries of {unpacked} bytes in a file of {size}")
    file.seek(0)
    return size


def _within(content: Any, key: str) -> Any:
    if not isinstance(content, dict) or key not in content:
        keys = ", ".join(map(str, content))[:200] if isinstance(content, dict) else type(content).__name__
        raise _Refused(f"it has no {key!r}, but {keys}")
    return content[key]


def _check_state(state: Any, size: int) -> None:
    if not isinstance(state, dict):
        raise _Refused(f"{type(state).__name__} in the place of tensors by name")
    total = 0
    for name, value in state.items():
        if not isinstance(name, str) or type(value) not in (Tensor, Parameter):
            raise _Refused(f"{str(name)[:80]!r} is no tensor's name, or what it names is {type(value).__name__}")
        if value.layout is not torch.strided or value.device.type != "cpu" or value.is_quantized:
            raise _Refused(f"{name[:80]!r} is of the kind {value.layout} on {value.device}")
        total += value.numel() * value.element_size()
    if total > _SPREAD * size:
        raise _Refused(f"tensors that claim {total} bytes in a file of {size}")


def _told(error: Exception) -> str:
    """What went wrong, without torch's advice."""
    if isinstance(error, _Refused):
        return str(error)
    cause = re.search(r"WeightsUnpickler error: ([^\n]*)", str(error))
    told = re.split(r"\n|\. ", (cause[1] if cause else str(error)).strip(), maxsplit=1)[0][:200]
    if "weights_only" in told:
        return "a kind of file that holds more than tensors"
    return told or type(error).__name__
