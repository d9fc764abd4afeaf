"""Pickles from strangers: arrays of numbers in dicts, lists and tuples, and nothing that runs.

A pickle is a program that may call whatever it can import. The ones that data sets bring are short of it: iPER's
(``write_pickle_file`` of svip-lab/impersonator and of iPERDance/iPERCore: protocol 2) hold text, numbers and arrays.
So this reads the opcodes and names that such files consist of, and no others, in two steps:

1. The program is followed, opcode by opcode, without doing what it says. What it would build is refused if it asks for
   another opcode or name, nests or repeats too much, has keys that are no text, or changes what it has used already.
2. ``pickle.Unpickler`` runs it, with stand-ins for the names. They check what NumPy's own constructors would trust (raw
   bytes as pointers to objects would crash, or worse), and cannot be written to.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from motioncopy.errors import DataError
from motioncopy.files.documents import LFS_REMEDY, git_lfs_pointer
from motioncopy.files.limits import check_limit, limits
from motioncopy.files.reading import reading

# What Python writes for such values in protocols 2 to 4 (fewer than 4 GiB of them), and for text of Python 2. Objects,
# sets, persistent ids, extensions and the lines of protocol 0 are not among them.
_OPCODES = frozenset({
    "PROTO", "FRAME", "STOP", "MARK", "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1",
    "BINFLOAT", "SHORT_BINSTRING", "BINSTRING", "SHORT_BINUNICODE", "BINUNICODE", "SHORT_BINBYTES", "BINBYTES",
    "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_LIST", "APPEND", "APPENDS",
    "EMPTY_DICT", "SETITEM", "SETITEMS", "BINPUT", "LONG_BINPUT", "MEMOIZE", "BINGET", "LONG_BINGET",
    "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD",
})  # fmt: skip
_WRITES = frozenset(("APPEND", "APPENDS", "SETITEM", "SETITEMS", "BUILD"))
_TEXT = (pickletools.pyunicode, pickletools.pybytes_or_str)
_FRAME_BYTES = 9
_LONGEST_NAME = 80
# Byte order; truth values, integers and floats.
_TYPE = re.compile(r"[<>=|](b1|[iu][1248]|f[248])")
_MOST_AXES = 16


def load(path: str | Path) -> Any:
    """Reads a pickle that holds numbers, text, bytes, arrays of numbers, lists, tuples, and dicts with text as keys.

    Text of Python 2 is read as Latin-1. What the file holds in two places comes out as two equal lists or dicts, and as
    one array.

    The limits are those of documents, where an opcode counts as two values: 3,000 frames with all that iPERCore keeps
    of each are 12 MB in 420,000 opcodes.

    Raises:
        DataError: If the file is missing, too large, truncated or damaged, or asks for anything else; the message then
            names what it asked for. Nothing of it is run.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"there is no file {path}", remedy="unpack or download the rest of the data set")
    if pointer := git_lfs_pointer(path):
        raise DataError(f"{path} is no pickle", found=pointer, remedy=LFS_REMEDY)
    what, kinds = f"the pickle {path}", "numbers, text, lists, tuples, dicts and arrays of numbers"
    with reading(path, DataError, "is a truncated or damaged pickle", expected=kinds, remedy="download it again"):
        check_limit("document_bytes", path.stat().st_size, what, error=DataError)
        try:
            return _built(_Reader(_Program(what).checked(path.read_bytes())).load())
        except _Refused as error:
            raise DataError(
                f"{what} asks for more than arrays and plain containers",
                expected=f"{kinds}, in pickle protocol 2, 3 or 4",
                found=error,
                remedy="get it again from where the data set comes from, and open it with nothing else unless you "
                "trust whoever made it; if you did, write it again as expected",
            ) from None


class _Refused(Exception):
    """The pickle asks for what it may not have."""


class _Item:
    """What a pickle would have on its stack.

    Attributes:
        kind: What it is, in the words of ``pickletools``.
        text: The text itself, if it is one and short enough for a name.
        depth: Containers within it, one in another.
        values: How many values it consists of, repeated ones counted each time.
        used: Whether something holds it already, so that both must stay as they were counted.
    """

    __slots__ = ("depth", "kind", "text", "used", "values")

    def __init__(self, kind: pickletools.StackObject, text: str = "", *, used: bool = False) -> None:
        self.kind, self.text, self.used = kind, text, used
        self.depth, self.values = 0, 1

    def hold(self, parts: list[_Item]) -> None:
        for part in parts:
            part.used = True
            self.depth = max(self.depth, part.depth + 1)
            self.values += part.values


class _Program:
    """Follows a pickle's opcodes, keeping of each value no more than its measures."""

    def __init__(self, what: str) -> None:
        self.what, self.limits = what, limits()
        self.stack: list[_Item] = []
        self.marks: list[int] = []
        self.memo: dict[int, _Item] = {}

    def checked(self, content: bytes) -> bytes:
        """The pickle without its frames, unless something in it is refused.

        What a frame claims to hold would change which bytes the unpickler takes for opcodes.
        """
        unframed, start = [], 0
        for count, (opcode, argument, place) in enumerate(pickletools.genops(content)):
            if count >= self.limits.document_values // 2:  # following one takes as long as reading two values of JSON
                check_limit("document_values", 2 * count + 2, self.what, error=DataError)
            if opcode.name == "FRAME" and place is not None:
                unframed.append(content[start:place])
                start = place + _FRAME_BYTES
            _check_opcode(opcode.name, argument)
            self._step(opcode, argument, count)
        return b"".join([*unframed, content[start:]])

    def _step(self, opcode: pickletools.OpcodeInfo, argument: Any, count: int) -> None:
        name = opcode.name
        if name == "MARK":
            self.marks.append(len(self.stack))
        elif name in ("MEMOIZE", "BINPUT", "LONG_BINPUT"):
            place = len(self.memo) if argument is None else argument
            if place > count:  # room is made for all places up to the largest
                raise _Refused(f"place {place} of its memo")
            self.memo[place] = item = self._taken(opcode, 1)[0]
            self.stack.append(item)
        elif name in ("BINGET", "LONG_BINGET"):
            if argument not in self.memo:
                raise ValueError(f"nothing at place {argument} of its memo")
            self.memo[argument].used = True
            self.stack.append(self.memo[argument])
        elif opcode.stack_before:
            taken = self._taken(opcode, len(opcode.stack_before))
            if opcode.stack_after:
                self.stack.append(self._result(opcode, taken))
        elif opcode.stack_after:
            text = argument if isinstance(argument, str) and len(argument) < _LONGEST_NAME else ""
            self.stack.append(_Item(opcode.stack_after[0], text, used=name == "GLOBAL"))

    def _taken(self, opcode: pickletools.OpcodeInfo, count: int) -> list[_Item]:
        """What the opcode takes from the stack: so many values, or all above the last mark and those named below."""
        bottom = len(self.stack) - count
        if pickletools.markobject in opcode.stack_before:
            if not self.marks:
                raise ValueError(f"no mark for {opcode.name}")
            bottom = self.marks.pop() - opcode.stack_before.index(pickletools.markobject)
        if bottom < (self.marks[-1] if self.marks else 0):
            raise ValueError(f"nothing on the stack for {opcode.name}")
        taken = self.stack[bottom:]
        del self.stack[bottom:]
        return taken

    def _result(self, opcode: pickletools.OpcodeInfo, taken: list[_Item]) -> _Item:
        """What the opcode puts on the stack for what it takes."""
        name = opcode.name
        if name == "STACK_GLOBAL":
            _check_name(taken[0].text, taken[1].text)
        if name in ("SETITEM", "SETITEMS") and any(key.kind not in _TEXT for key in taken[1::2]):
            raise _Refused("a dict whose keys are no text")  # tuples of tuples can take for ever to look up
        if name in _WRITES:
            item, *parts = taken
            if item.used or item.kind is not opcode.stack_before[0]:
                raise _Refused(f"a change ({name}) of what is in use, or is no {opcode.stack_before[0].name}")
        else:
            item, parts = _Item(opcode.stack_after[0], used=name == "STACK_GLOBAL"), taken
        item.hold(parts)
        if item.depth > self.limits.document_depth:
            check_limit("document_depth", item.depth, self.what, error=DataError)
        if item.values > self.limits.document_values:
            check_limit("document_values", item.values, self.what, error=DataError)
        return item


def _check_opcode(name: str, argument: Any) -> None:
    if name not in _OPCODES:
        asked = f" of {argument.replace(' ', '.')[:_LONGEST_NAME]!a}" if isinstance(argument, str) else ""
        raise _Refused(f"the opcode {name}{asked}")
    if name == "GLOBAL":
        _check_name(*argument.split(" ", 1))
    elif isinstance(argument, str):
        argument.encode()  # raises on half a surrogate pair
    elif isinstance(argument, int) and not -(2**63) <= argument < 2**64:
        raise _Refused("an integer beyond 64 bits")


def _check_name(module: str, attribute: str) -> None:
    if f"{module}.{attribute}" not in _NAMES:
        raise _Refused(f"{f'{module}.{attribute}'[:_LONGEST_NAME]!a}")


class _Name:
    """What a name stands for: something to call or hand on, without an attribute that could be written to."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def __call__(self, *arguments: Any) -> Any:
        return self._call(*arguments)

    def __setstate__(self, state: object) -> None:
        raise _Refused("a change of a function")


class _Type:
    """A NumPy type as a pickle describes it."""

    __slots__ = ("code", "order")

    def __init__(self, code: object) -> None:
        self.code, self.order = code, "="

    def __setstate__(self, state: Any) -> None:
        if type(state) is not tuple or len(state) != 8 or any(part is not None for part in state[2:5]):
            raise _Refused("a structured NumPy type")
        self.order = state[1]

    def build(self) -> np.dtype[Any]:
        if type(self.code) is not str or type(self.order) is not str:
            raise _Refused("a NumPy type whose name is no text")
        name = self.order + self.code
        if not _TYPE.fullmatch(name):
            raise _Refused(f"the NumPy type {name[:_LONGEST_NAME]!a}")
        return np.dtype(name)


class _Array:
    """A NumPy array or scalar as a pickle describes it."""

    __slots__ = ("_take", "value")

    def __init__(self, take: Callable[[int], None]) -> None:
        self._take = take
        self.value: Any = None

    def __setstate__(self, state: Any) -> None:
        if type(state) is not tuple or len(state) != 5 or self.value is not None:
            raise _Refused("an array with another state than NumPy's")
        self.build(*state[1:])

    def build(self, shape: Any, kind: Any, fortran: Any, data: Any) -> None:
        if type(kind) is not _Type:
            raise _Refused("an array whose NumPy type is none")
        dtype = kind.build()
        if type(shape) is not tuple or len(shape) > _MOST_AXES or any(type(n) is not int or n < 0 for n in shape):
            raise _Refused("an array whose shape is none")
        if type(data) is str:  # Python 2's bytes
            data = data.encode("latin1")
        if type(data) is not bytes or type(fortran) not in (bool, int):
            raise _Refused("an array of something else than bytes")
        if prod(max(n, 1) for n in shape) > limits().array_elements:  # an empty one can claim to be long
            raise _Refused(f"an array of the shape {shape}")
        if len(data) != prod(shape) * dtype.itemsize:
            raise ValueError(f"{len(data)} bytes for an array {shape} of {dtype}")
        self._take(len(data))
        self.value = np.ndarray(shape, dtype, bytearray(data), order="F" if fortran else "C")


class _Reader(pickle.Unpickler):
    """Gives a pickle stand-ins for the names that it may use, and no others."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="latin1")
        self._left = 2 * len(content)  # each byte of an array is taken twice, from text to bytes and to the array
        self._names = {name: _Name(getattr(self, method)) for name, method in _NAMES.items()}

    def find_class(self, module: str, name: str) -> Any:
        _check_name(module, name)
        return self._names[f"{module}.{name}"]

    def _take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise _Refused("many copies of the same bytes")

    def _reconstruct(self, kind: object, shape: object, code: object) -> _Array:
        return _Array(self._take)

    def _scalar(self, kind: object, data: object) -> _Array:
        scalar = _Array(self._take)
        scalar.build((), kind, False, data)
        scalar.value = scalar.value[()]
        return scalar

    def _dtype(self, code: object, align: object, copy: object) -> _Type:
        return _Type(code)

    def _ndarray(self) -> None:
        raise _Refused("a call of numpy.ndarray")  # only handed on, to _reconstruct

    def _encode(self, text: str, encoding: object) -> bytes:
        """How Python 3 writes bytes in protocol 2."""
        self._take(len(text))
        return text.encode("latin1")

    def _no_bytes(self) -> bytes:
        """Likewise, where there are none."""
        return b""


_NAMES: Mapping[str, str] = {
    "numpy.core.multiarray._reconstruct": "_reconstruct",
    "numpy._core.multiarray._reconstruct": "_reconstruct",
    "numpy.core.multiarray.scalar": "_scalar",
    "numpy._core.multiarray.scalar": "_scalar",
    "numpy.dtype": "_dtype",
    "numpy.ndarray": "_ndarray",
    "_codecs.encode": "_encode",
    "__builtin__.bytes": "_no_bytes",
}


def _built(value: Any) -> Any:
    """The value with arrays for their stand-ins."""
    kind = type(value)
    if kind is list:
        return [_built(part) for part in value]
    if kind is tuple:
        return tuple(_built(part) for part in value)
    if kind is dict:
        return {key: _built(part) for key, part in value.items()}
    if kind is _Array and value.value is not None:
        return value.value
    if kind in (str, bytes, bool, int, float, type(None)):
        return value
    raise _Refused("a function, a type or an empty array as a value")
