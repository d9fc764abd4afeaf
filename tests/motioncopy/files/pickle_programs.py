"""Pickles by hand, a part at a time: what no pickler would write."""

from __future__ import annotations

import struct

PROTOCOL_2, PROTOCOL_4 = b"\x80\x02", b"\x80\x04"


def text(content: str) -> bytes:
    return b"X" + struct.pack("<I", len(content.encode())) + content.encode()


def raw(content: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(content)) + content


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def name(dotted: str) -> bytes:
    module, _, attribute = dotted.rpartition(".")
    return f"c{module}\n{attribute}\n".encode()


def several(*parts: bytes) -> bytes:
    """A tuple."""
    return b"(" + b"".join(parts) + b"t"


def call(function: bytes, *arguments: bytes) -> bytes:
    return function + several(*arguments) + b"R"


def order(code: str, *more: bytes) -> bytes:
    """How NumPy changes a type after making it: its byte order, its sub-array, names and fields."""
    return several(number(3), text(code), *(more or (b"N",) * 3), number(-1), number(-1), number(0)) + b"b"


def dtype(code: str, changed: bytes = order("<")) -> bytes:
    return call(name("numpy.dtype"), text(code), b"\x89", b"\x88") + changed


def array(
    kind: bytes, data: bytes = raw(struct.pack("<d", 2.5)), shape: bytes = several(number(1)), fortran: bytes = b"\x89"
) -> bytes:
    """An array of one number, unless told otherwise."""
    start = call(name("numpy.core.multiarray._reconstruct"), name("numpy.ndarray"), several(number(0)), raw(b"b"))
    return start + several(number(1), shape, kind, fortran, data) + b"b"


def scalar(kind: bytes, data: bytes) -> bytes:
    return call(name("numpy.core.multiarray.scalar"), kind, data)
