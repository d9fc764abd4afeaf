"""Readers with the faults that are looked for: what shows that they would be found."""

from __future__ import annotations

import ctypes
import importlib
import os
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from motioncopy.errors import DataError
from tests.fuzz import bait
from tests.fuzz.files import Files
from tests.fuzz.readers import READERS, Reader


def _uncaught(_: Path) -> None:
    raise IndexError("list index out of range")


def _hidden(_: Path) -> None:
    with suppress(Exception):
        subprocess.run(["true"], check=False)


def _calling(_: Path) -> None:
    bait.make()


def _importing(_: Path) -> None:
    with suppress(ImportError):
        importlib.import_module(bait.MODULE)


def _computing(_: Path) -> None:
    eval(f"len({bait.WORD!r})")


def _writing(_: Path) -> None:
    with suppress(OSError):
        (Path(__file__).parent / "written").touch()


def _beyond_python(folder: Path) -> None:
    """What no audit hook sees."""
    path = os.fsencode(folder.parents[1] / "outside" / "written")
    libc = ctypes.CDLL(None)
    libc.close(libc.creat(path, 0o644))


def _large(_: Path) -> None:
    np.ones(2**27 + 2**25)


def _refusing(_: Path) -> None:
    raise DataError("no")


def _crashing(_: Path) -> None:
    ctypes.string_at(0)


def _hanging(_: Path) -> None:
    time.sleep(600)


def _valid() -> list[Files]:
    return [{"a.txt": b"a valid file\n"}]


_FAULTS: dict[str, Callable[[Path], object]] = {
    "uncaught": _uncaught, "hidden": _hidden, "calling": _calling, "importing": _importing, "computing": _computing,
    "writing": _writing, "beyond-python": _beyond_python, "large": _large, "refusing": _refusing, "crashing": _crashing,
    "hanging": _hanging,
}  # fmt: skip


def reader_of(name: str) -> Reader:
    """The reader of that name, or a broken one."""
    return READERS[name] if name in READERS else Reader(_FAULTS[name], _valid)
