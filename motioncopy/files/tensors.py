"""Files of tensors that ``torch.save`` wrote, from anywhere.

``torch.load`` with ``weights_only=True`` runs nothing of a stranger's, and still takes what a few bytes claim:
compressed entries that unpack to gigabytes, tensors and storages of any size, nested values that overflow the stack
when they are hashed. So a file is looked through before torch reads it.
"""

from __future__ import annotations

import pickletools
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from motioncopy.errors import MotionCopyError
from motioncopy.files.documents import LFS_REMEDY, git_lfs_pointer

# More than a hundred thousand tensors' worth of names and shapes.
_PICKLE_BYTES = 64 * 2**20
_ENTRIES = 200_000
_TUPLE_VALUES = 10_000
_TUPLE_DEPTH = 32
#: What the values of a file may be made by, besides tensors.
_MAKERS = frozenset({"collections OrderedDict", "torch Size"})
_TENSORS = frozenset({"torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter"})
_STORAGE = re.compile(r"torch \w+Storage|torch\.storage UntypedStorage")


def load_tensors(path: Path, *, error: type[MotionCopyError], remedy: str) -> Any:
    """The content of a file: tensors on the CPU, plain values, dicts, lists and tuples.

    Args:
        path: Written by ``torch.save`` as it writes since torch 1.6.
        error: What is raised if it cannot be read.
        remedy: What messages advise.

    Raises:
        MotionCopyError: Of class ``error``: if the file is missing, a git-lfs pointer, damaged, mentions anything else,
            or claims more than it holds. Nothing of it is run.
    """
    check_tensors(path, error=error, remedy=remedy)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        _check_claims(content)
    except MotionCopyError:
        raise
    except Exception as caught:
        raise error(f"cannot read {path}", found=first_line(caught), remedy=remedy) from caught
    return content


def check_tensors(path: Path, *, error: type[MotionCopyError], remedy: str) -> None:
    """Looks a file through before whoever else loads it; see :func:`load_tensors`."""
    if not path.is_file():
        raise error(f"there is no file {path}", remedy=remedy)
    if (pointer := git_lfs_pointer(path)) is not None:
        raise error(f"{path} is not the file itself", found=pointer, remedy=LFS_REMEDY)
    try:
        _check_pickle(_pickle_of(path))
    except Exception as caught:
        raise error(f"cannot read {path}", found=first_line(caught), remedy=remedy) from caught


def first_line(error: Exception) -> str:
    """The first sentence of a message: torch's and Lightning's go on with how to switch the checks off."""
    text = str(error).strip()
    return re.split(r"\n|\. ", text, maxsplit=1)[0][:300] if text else type(error).__name__


class _Refused(Exception):
    """What stands in a file is more than its reader takes."""


def _pickle_of(path: Path) -> bytes:
    """The program that puts the content together."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if len(entries) > _ENTRIES:
            raise _Refused(f"{len(entries)} entries")
        # Torch stores entries as they are: whatever unpacks to more, or lies over another, is no work of torch's.
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise _Refused("compressed entries")
        if sum(entry.file_size for entry in entries) > path.stat().st_size:
            raise _Refused("entries that are larger together than the file")
        pickles = [entry for entry in entries if entry.filename.rpartition("/")[2] == "data.pkl"]
        if len(pickles) != 1 or pickles[0].file_size > _PICKLE_BYTES:
            raise _Refused("no data.pkl, or several, or a gigantic one")
        return archive.read(pickles[0])


def _check_pickle(content: bytes) -> None:
    """Walks through a pickle without running it, and refuses what is too deep, too large, or made by something else."""
    stack: list[_Value | None] = []  # None is a mark
    memo: dict[int, _Value] = {}
    plain = _Value()
    for opcode, argument, _ in pickletools.genops(content):
        match opcode.name:
            case "PROTO" | "STOP":
                pass
            case "MARK":
                stack.append(None)
            case "GLOBAL":
                stack.append(_Value(name=_known(str(argument))))
            case "BINPUT" | "LONG_BINPUT":
                memo[int(argument or 0)] = _top(stack[-1])
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[int(argument or 0)])
            case "TUPLE":
                stack.append(_tuple(_from_mark(stack)))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(opcode.name[-1])
                items = [_top(stack.pop()) for _ in range(count)]
                stack.append(_tuple(items))
            case "APPENDS" | "SETITEMS":
                _from_mark(stack)
            case "APPEND" | "BUILD":
                stack.pop()
            case "SETITEM":
                del stack[-2:]
            case "REDUCE" | "NEWOBJ":
                stack.pop()
                made = _top(stack.pop()).name
                if made is None or _STORAGE.fullmatch(made):
                    raise _Refused(f"a call of {made or 'what is no name'}")
                stack.append(plain)
            case "BINPERSID":
                stack.pop()
                stack.append(plain)
            case "NONE" | "NEWTRUE" | "NEWFALSE" | "EMPTY_TUPLE" | "EMPTY_LIST" | "EMPTY_DICT" | "EMPTY_SET":
                stack.append(plain)
            case "BININT" | "BININT1" | "BININT2" | "BINFLOAT" | "LONG1" | "BINUNICODE" | "SHORT_BINSTRING":
                stack.append(plain)
            case other:
                raise _Refused(f"the instruction {other}")


class _Value:
    """What is known of a value: of a tuple its size and depth, of a name the name."""

    __slots__ = ("depth", "name", "values")

    def __init__(self, values: int = 1, depth: int = 0, name: str | None = None) -> None:
        self.values, self.depth, self.name = values, depth, name


def _top(value: _Value | None) -> _Value:
    if value is None:
        raise _Refused("a mark in the place of a value")
    return value


def _from_mark(stack: list[_Value | None]) -> list[_Value]:
    items: list[_Value] = []
    while (value := stack.pop()) is not None:
        items.append(value)
    return items


def _tuple(items: list[_Value]) -> _Value:
    made = _Value(1 + sum(item.values for item in items), 1 + max((item.depth for item in items), default=0))
    if made.values > _TUPLE_VALUES or made.depth > _TUPLE_DEPTH:
        raise _Refused("a tuple of too many values, or nested too deeply")
    return made


def _known(name: str) -> str:
    if name in _MAKERS or name in _TENSORS or _STORAGE.fullmatch(name):
        return name
    raise _Refused(f"{name.replace(' ', '.')}, which is neither a tensor nor a plain value")


def _check_claims(content: Any) -> None:
    """Refuses tensors whose shape claims more than their storage holds, and other layouts."""
    for tensor in tensors_in(content):
        if tensor.layout is not torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
            raise _Refused(f"a tensor of the kind {tensor.layout} on {tensor.device}")
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise _Refused(f"a tensor {tuple(tensor.shape)} of which less is stored")


def tensors_in(content: Any) -> Iterator[Tensor]:
    """All tensors of nested dicts, lists and tuples; each container once."""
    waiting, seen = [content], set[int]()
    while waiting:
        value = waiting.pop()
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, Mapping | list | tuple | set) and id(value) not in seen:
            seen.add(id(value))
            waiting += value.values() if isinstance(value, Mapping) else value
