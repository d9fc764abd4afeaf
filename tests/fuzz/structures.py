"""Changes what stands in pickles and checkpoints, and gives NumPy and HDF5 files other heads."""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import struct
import types
import zipfile
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

import h5py
import numpy as np
import torch

from tests.fuzz import bait
from tests.fuzz.values import OUTSIDE, change_value, hostile


class Call:
    """Stands for a call in a pickle."""

    def __init__(self, name: str, arguments: tuple[Any, ...], state: Any = None) -> None:
        self.name, self.arguments, self.state = name, arguments, state


class _Pickler(pickle._Pickler):  # the one in Python, whose methods can be changed
    """Writes :class:`Call` as a call of whatever it names."""

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if not isinstance(obj, Call):
            super().save(obj, save_persistent_id)  # type: ignore[misc]
            return
        module, _, name = obj.name.rpartition(".")
        write: Callable[[bytes], int] = self.write  # type: ignore[attr-defined]
        write(b"c" + module.encode() + b"\n" + name.encode() + b"\n")
        self.save(obj.arguments)
        write(b"R")
        if obj.state is not None:
            self.save(obj.state)
            write(b"b")


def dumped(value: Any, protocol: int) -> bytes:
    """A pickle in which :class:`Call` may stand."""
    file = io.BytesIO()
    _Pickler(file, protocol).dump(value)
    return file.getvalue()


#: torch.save takes a module of this form.
CALLS: Any = types.SimpleNamespace(
    Pickler=_Pickler, __name__="pickle", dump=lambda value, file, protocol: _Pickler(file, protocol).dump(value)
)


def _hostile_pickle(rng: Random) -> Any:
    kinds = (
        "O",
        "V8",
        "M8",
        "m8",
        "U2",
        "S9",
        "f8",
        "|O",
        "i4,O",
        "<f4",
        ">c16",
        "(2,)f4",
        "U999999999",
        "?",
        "e",
        "g",
    )
    match rng.randrange(7):
        case 0 | 1:
            return hostile(rng, classes=False)
        case 2:
            payload = rng.choice(((bait.PAYLOAD,), (), ("touch x",), ([bait.WORD],)))
            return Call(
                rng.choice((*bait.NAMES, "numpy._core.numeric._frombuffer", "collections.OrderedDict")), payload
            )
        case 3:
            kind = rng.choice(kinds)
            dtype = Call("numpy.dtype", (kind, False, True), (3, rng.choice("<>|=x"), *rng.choice((
                (None, None, None, -1, -1, 0), (("f4", (2,)), None, None, -1, -1, 63),
                (None, ("a",), {"a": (Call("numpy.dtype", ("O", False, True)), 0)}, 8, 8, 63)))))  # fmt: skip
            shape = rng.choice(((1,), (2**40,), (-1,), (0,), (2**62, 4), ((1,),), "x", (1, "x"), None, (True,), (1.5,)))
            data = rng.choice((b"A" * 8, "A" * 8, [1], None, b"", 7, b"\0" * 32))
            if rng.random() < 0.4:
                return Call("numpy._core.multiarray.scalar", (dtype, data))
            made = Call("numpy._core.multiarray._reconstruct", (Call("numpy.dtype", ("f4",)), (0,), b"b"))
            made.state = (1, shape, dtype, rng.choice((False, True, None)), data)
            return made
        case 4:
            return rng.choice((np.zeros(3, object), np.zeros(2, "M8[s]"), np.zeros(2, "V8"), np.zeros(2, "U9"),
                               np.zeros(1, "f4,i4"), np.float64(math.nan), np.zeros((0, 19, 2), "f4"), {1, 2},
                               frozenset({1}), 1j, bytearray(b"x"), np.zeros((3, 19, 2), ">f2"), b"x" * 9))  # fmt: skip
        case 5:
            tuples: Any = ()
            for _ in range(rng.choice((30, 60))):
                tuples = (tuples, tuples)
            return tuples
        case _:
            loop: list[Any] = []
            loop.append(loop)
            return loop


def change_pickle(content: bytes, rng: Random) -> bytes:
    """Changes a value in a pickle, or its operations."""
    if rng.random() < 0.4:
        return change_operations(content, rng)
    value = change_value(pickle.loads(content, encoding="latin1"), rng, _hostile_pickle)
    return dumped(value, rng.choice((0, 2, 4)))


_OPERATIONS = (
    b"R", b"b", b"0", b"2", b"(", b"t", b"d", b"l", b"]", b"}", b")", b"e", b"u", b"s", b"a", b"\x85", b"\x86", b"\x87",
    b"\x81", b"\x92", b"\x90", b"\x91", b"\x8f", b"\x93", b"\x94", b"N", b"\x88", b"Q", b"P1\n", b"r\xff\xff\xff\x7f",
    b"j\xff\xff\xff\xff", b"p99999999999\n", b"h\x00", b"q\x00", b"J\xff\xff\xff\xff", b"L" + b"9" * 5000 + b"L\n",
    b"\x8a\xff" + b"\x7f" * 255, b"\x8b\xff\xff\xff\x7f", b"B\xff\xff\xff\xff", b"\x8e" + b"\xff" * 8,
    b"\x96" + b"\xff" * 8, b"X\xff\xff\xff\xff", b"\x95" + b"\xff" * 8, b"\x82\x01", b"\x84\xff\xff\xff\x7f", b"Inan\n",
    b"F1e999\n", b"V\\ud800\n", b"S'x\n", b"\x97", b"\x98", b"\x80\xff", b"(" * 3000, b"]" * 3000,
    b"h\x00h\x00\x86q\x00" * 60, b"}h\x00Ns",
)  # fmt: skip


def change_operations(content: bytes, rng: Random) -> bytes:
    """Takes away, repeats or moves operations of a pickle, or puts in others, calls of hostile names among them."""
    places: list[int] = []
    with suppress(Exception):
        places += [place for _, _, place in pickletools.genops(content) if place is not None]
    parts = [content[a:b] for a, b in zip(places, [*places[1:], len(content)], strict=True)]
    if not parts:
        return rng.choice(_OPERATIONS) + content
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(parts))
        match rng.randrange(6):
            case 0:
                parts[at] = b""
            case 1:
                parts.insert(rng.randrange(len(parts)), parts[at])
            case 2:
                other = rng.randrange(len(parts))
                parts[at], parts[other] = parts[other], parts[at]
            case 3:
                module, _, name = rng.choice(bait.NAMES).rpartition(".")
                called = b"(" + b"V%b\n" % bait.PAYLOAD.encode() + b"tR" if rng.random() < 0.7 else b""
                parts.insert(at, f"c{module}\n{name}\n".encode() + called)
            case _:
                parts.insert(at, rng.choice(_OPERATIONS))
    return b"".join(parts)


def change_torch(content: bytes, rng: Random) -> bytes:
    """Changes a value in what ``torch.save`` wrote, the operations of its pickle, or its archive."""
    if rng.random() < 0.6:
        value = torch.load(io.BytesIO(content), weights_only=True)
        for _ in range(rng.choice((1, 1, 2))):
            value = change_value(value, rng, _hostile_tensor)
        file = io.BytesIO()
        with suppress(Exception):  # torch does not write everything that it can hold
            torch.save(value, file, pickle_module=CALLS, _use_new_zipfile_serialization=rng.random() < 0.9)
        return file.getvalue()
    return (change_archive if zipfile.is_zipfile(io.BytesIO(content)) else change_operations)(content, rng)


def _hostile_tensor(rng: Random) -> Any:
    """Values that ``torch.load(weights_only=True)`` takes, mostly, and whoever reads them then meets."""
    if rng.random() < 0.6:
        return hostile(rng)
    return rng.choice((
        torch.zeros(0), torch.full((2, 2), math.nan), torch.zeros(3, dtype=torch.complex64), torch.tensor(7),
        torch.zeros(1).expand(2**40), torch.zeros(2, dtype=torch.bool), torch.zeros(2, 2).to_sparse(), torch.Size([1]),
        torch.zeros(2, device="meta"), torch.nn.Parameter(torch.zeros(2)), torch.float16, torch.device("cuda", 99),
        (1, (2,)), {1: 2, None: 3}, {1, 2}, b"x", 1j, Call(rng.choice(bait.NAMES), (bait.PAYLOAD,)),
        Call("torch._utils._rebuild_tensor_v2", (None, 0, (2**40,), (1,), False, None)), [[]] * 99,
    ))  # fmt: skip


def change_archive(content: bytes, rng: Random) -> bytes:
    """Changes a file of a ZIP archive, or its name or its compression."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(sorted(parts))
    if rng.random() < 0.6:
        name = next((n for n in parts if n.endswith("data.pkl")), name)
    match rng.randrange(5):
        case 0:
            del parts[name]
        case 1:
            parts[rng.choice(("../outside/x", "/tmp/x", "archive/" + "x" * 300, "a/data.pkl"))] = parts.pop(name)
        case 2:
            parts[name] = parts[name][: rng.randrange(len(parts[name]) + 1)]
        case _:
            parts[name] = change_operations(parts[name], rng) if name.endswith(".pkl") else b"9" * 300
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", rng.choice((zipfile.ZIP_STORED,) * 3 + (zipfile.ZIP_DEFLATED,))) as archive:
        for part, data in parts.items():
            archive.writestr(part, data)
    return file.getvalue()


_KINDS = (
    "'|u1'", "'|O'", "'<f4'", "'|V3'", "'<U9'", "[('a', '|u1')]", "'<M8[s]'", "None", "''", "'x'", "1", "'|u1' * 2",
    "{}", "'>i8'", "'|S0'", "'<U2147483647'", "[('a', '|O')]", "'|b1'",
)  # fmt: skip
_SIZES = (0, 1, 2, 3, 4, 10, 12, -1, 2**20, 2**31, 2**62, 2**63, 2**64, 10**30, "True", "1.5", "'4'", "None", "1L")
_HEADS = (
    "{", "", "x", "#" * 70_000, f"__import__({bait.MODULE!r})", "\0" * 9, "[" * 5000, "{'descr': '|u1'}", "'" * 3,
    "1 if 1 else 2", "-" * 20_000 + "1", "{'descr': '|u1', 'fortran_order': False, 'shape': (4,), 'x': 1}",
)  # fmt: skip


def change_npy(content: bytes, rng: Random) -> bytes:
    """Gives an array another head."""
    kind, shape = "'|u1'", f"({', '.join(str(rng.choice(_SIZES)) for _ in range(rng.choice((0, 1, 3, 4, 4, 33))))},)"
    if rng.random() < 0.5:
        kind, shape = (
            rng.choice(_KINDS),
            rng.choice((shape, "(4, 12, 10, 3)", "()", "4", "None", "(" * 99, "(4,) * 2**9")),
        )
    fortran = rng.choice(("False", "True", "None", "0", "[]"))
    head = f"{{'descr': {kind}, 'fortran_order': {fortran}, 'shape': {shape}, }}"
    if rng.random() < 0.3:
        head = rng.choice((*_HEADS, head * 2, head[:-3]))
    version, form = rng.choice(((1, "<H"), (1, "<H"), (2, "<I"), (3, "<I"), (9, "<H")))
    size = rng.choice((len(head), len(head), len(head), 2, 2**16 - 1, 2**31))
    length = struct.pack(form, min(size, 256 ** struct.calcsize(form) - 1))
    return b"\x93NUMPY" + bytes((version, 0)) + length + head.encode() + content[128:]


_SHAPES = (
    (4, 12, 10, 3), (4, 12, 10), (4, 12, 10, 4), (0, 2, 2), (3, 0, 2), (2**31, 2**10, 2**10), (2, 2**16, 2**16, 3),
    (2**40, 1, 1), (1, 2**33, 1), (1,), (), (1, 8193, 8193),
)  # fmt: skip
_TYPES = ("u1", "u1", "u1", "u2", "?", "f4", "S3", "O", "i4,i4", "i1", "<f8", h5py.string_dtype(), h5py.ref_dtype,
          h5py.enum_dtype({"a": 1}), h5py.vlen_dtype(np.uint8))  # fmt: skip
_ATTRIBUTES = (
    math.nan, math.inf, -1, 0, 25, "25", b"25", 10**18, 1e-320, np.zeros(0), np.full(3, 25), np.array([[25]]), True, 1j,
    np.void(b"x"), h5py.Empty("f4"), np.array(["x"], "S9"),
)  # fmt: skip


def change_hdf5(_: bytes, rng: Random) -> bytes:
    """Another HDF5 file, with what is legal and unwelcome in it."""
    file = io.BytesIO()
    with suppress(ValueError, TypeError, OSError, RuntimeError, KeyError), h5py.File(file, "w") as stack:
        place = stack if rng.random() < 0.7 else stack.create_group("a/" * rng.choice((1, 60)) + "b")
        for name in rng.sample(("frames", "video", "other", "fps", "x" * 300), rng.choice((1, 1, 2, 3))):
            data = _dataset(place, name, rng)
            if rng.random() < 0.5:
                data.attrs[rng.choice(("fps", "FPS", "framerate", "x"))] = rng.choice(_ATTRIBUTES)
        if rng.random() < 0.3:
            stack.attrs["fps"] = rng.choice(_ATTRIBUTES)
        if rng.random() < 0.4:
            links = [h5py.SoftLink(to) for to in ("/link", "/none")] + [h5py.ExternalLink(f, "/") for f in OUTSIDE[2:4]]
            stack["link"] = rng.choice((*links, stack["/"]))
        if rng.random() < 0.15:
            layout = h5py.VirtualLayout((4, 12, 10), "u1")
            layout[0] = h5py.VirtualSource(rng.choice((".", "/etc/passwd", "x.h5")), "frames", (12, 10))
            layout.dcpl.set_obj_track_times(False)  # HDF5 writes the second here, and the same seed gave other bytes
            stack.create_virtual_dataset("virtual", layout)
    return file.getvalue()


def _dataset(place: Any, name: str, rng: Random) -> Any:
    shape = rng.choice(_SHAPES)
    options: dict[str, Any] = {}
    if math.prod(shape) > 2**22 or rng.random() < 0.4:  # a large one lies in chunks, of which none is stored
        options = {
            "chunks": tuple(max(1, min(s, 64)) for s in shape) or None,
            "compression": rng.choice(("gzip", None)),
            "shuffle": rng.random() < 0.3,
            "fletcher32": rng.random() < 0.2,
            "maxshape": rng.choice((None, tuple(None for _ in shape) or None)),
        }
    elif rng.random() < 0.1:
        options = {"external": [(rng.choice(OUTSIDE[:4]), 0, h5py.h5f.UNLIMITED)]}
    return place.create_dataset(name, shape, rng.choice(_TYPES), **options)
