"""Pickles from strangers: NumPy arrays and plain containers, and nothing that runs.

A pickle is a program that may call whatever it can import. Here it can import a handful of names, and even those are
not NumPy's own, whose constructors trust what a pickle tells them (raw bytes as pointers to objects would crash,
or worse): arrays, types and scalars are read into plain records first, then checked, then built.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from motioncopy.errors import DataError

#: Larger files are refused: what data sets keep in pickles is numbers, not frames.
LIMIT = 1024**3
# Byte order; truth values, integers, floats, complex numbers, and text and bytes of a stated width.
_TYPE = re.compile(r"[<>=|](b1|[iu][1248]|f[248]|c8|c16|[SU]\d{1,6})")


def load(path: str | Path) -> Any:
    """Reads a pickle, of Python 2 or 3, that holds arrays, numbers, text, lists, tuples, dicts and sets.

    Text of Python 2 is read as Latin-1; an ``OrderedDict`` comes out as a dict.

    Raises:
        DataError: If the file is missing, too large, truncated or damaged, or asks for anything else; the message then
            names what it asked for. Nothing of it is run.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"there is no file {path}", remedy="unpack or download the rest of the data set")
    if path.stat().st_size > LIMIT:
        raise DataError(f"{path} is too large", expected=f"at most {LIMIT} bytes", found=path.stat().st_size)
    try:
        content = path.read_bytes()
        _check_memo(content)
        return _built(_Reader(io.BytesIO(content), encoding="latin1").load(), {})
    except _Refused as error:
        raise DataError(
            f"the pickle {path} asks for more than arrays and plain containers",
            found=error,
            remedy="open it with nothing else, unless you trust whoever made it",
        ) from None
    except Exception as error:
        raise DataError(
            f"the pickle {path} is truncated or damaged", found=repr(error), remedy="unpack or download it again"
        ) from error


def _check_memo(content: bytes) -> None:
    """Refuses places in the memo that no honest pickle needs: room is made for all places up to the largest."""
    for opcode, place, _ in pickletools.genops(content):
        if opcode.name in ("PUT", "LONG_BINPUT") and place is not None and place > len(content):
            raise _Refused(f"place {place} of its memo")


class _Refused(Exception):
    """The pickle asks for what it may not have."""


class _Type:
    """A NumPy type as a pickle describes it."""

    def __init__(self, code: str) -> None:
        self.code, self.order = code, "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, self.order, *structure = state[:5]
        if structure != [None, None, None]:
            raise _Refused("a structured NumPy type")

    def build(self) -> np.dtype[Any]:
        name = f"{self.order}{self.code}"
        if not _TYPE.fullmatch(name):
            raise _Refused(f"the NumPy type {name!r}")
        return np.dtype(name)


class _Array:
    """A NumPy array or scalar as a pickle describes it."""

    def __init__(self, state: tuple[Any, ...] = (), *, scalar: bool = False) -> None:
        self.state, self.scalar = state, scalar

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state[1:]

    def build(self) -> Any:
        shape, kind, fortran, data = self.state
        dtype = kind.build()
        content = bytearray(data.encode("latin1") if isinstance(data, str) else memoryview(data))
        if len(content) != prod(shape) * dtype.itemsize:
            raise ValueError(f"{len(content)} bytes for an array {shape} of {dtype}")
        array: Any = np.ndarray(shape, dtype, content, order="F" if fortran else "C")
        return array[()] if self.scalar else array


class _Reader(pickle.Unpickler):
    """Gives a pickle stand-ins for the names that it may use, and no others."""

    def find_class(self, module: str, name: str) -> Any:
        # Bound methods: a pickle can set attributes of what it gets, and these have none that could be set.
        home = module.replace("numpy.core", "numpy._core").replace("__builtin__", "builtins")
        match f"{home}.{name}":
            case "numpy._core.multiarray._reconstruct":
                return self._reconstruct
            case "numpy._core.multiarray.scalar":
                return self._scalar
            case "numpy._core.numeric._frombuffer":
                return self._frombuffer
            case "numpy.dtype":
                return self._dtype
            case "numpy.ndarray":
                return "ndarray"  # only handed on, to _reconstruct
            case "_codecs.encode":
                return self._encode
            case "builtins.bytes":
                return self._no_bytes
            case "builtins.set":
                return set
            case "builtins.frozenset":
                return frozenset
            case "collections.OrderedDict":
                return dict
        raise _Refused(f"{module}.{name}")

    def _reconstruct(self, kind: str, shape: tuple[int, ...], code: object) -> _Array:
        return _Array()

    def _frombuffer(self, data: Any, dtype: _Type, shape: tuple[int, ...], order: str) -> _Array:
        return _Array((shape, dtype, order == "F", data))

    def _scalar(self, dtype: _Type, data: Any) -> _Array:
        return _Array(((), dtype, False, data), scalar=True)

    def _dtype(self, code: str, align: object = False, copy: object = True) -> _Type:
        return _Type(code)

    def _encode(self, text: str, encoding: str) -> bytes:
        return text.encode("latin1")  # how Python 3 writes bytes so that Python 2 can read them

    def _no_bytes(self) -> bytes:
        return b""  # likewise, where there are none


def _built(value: Any, done: dict[int, Any]) -> Any:
    """The value with its arrays built; what is met twice, or holds itself, is built once."""
    if id(value) in done:
        return done[id(value)]
    if isinstance(value, list):
        done[id(value)] = new = []
        new += [_built(v, done) for v in value]
        return new
    if isinstance(value, dict):
        table: dict[Any, Any] = {}
        done[id(value)] = table
        table |= {_built(k, done): _built(v, done) for k, v in value.items()}
        return table
    if isinstance(value, (tuple, set, frozenset)):
        done[id(value)] = type(value)(_built(v, done) for v in value)
    elif isinstance(value, _Array):
        done[id(value)] = value.build()
    elif not isinstance(value, (str, bytes, bytearray, int, float, complex, type(None))):
        raise _Refused(f"{value!r} as a value")
    else:
        return value
    return done[id(value)]
