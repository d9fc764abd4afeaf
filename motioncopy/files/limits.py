"""How large what a file claims may be: checked before room is made for it, since a few bytes can claim anything.

A limit is raised for one command by ``--limit NAME=VALUE``, which also holds for the processes that it starts.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace

from motioncopy.errors import ConfigError, MotionCopyError

_VARIABLE = "MOTIONCOPY_LIMITS"


@dataclass(frozen=True)
class Limits:
    """What is read at most.

    Attributes:
        frame_pixels: Pixels of one frame or image, height times width.
        gif_frames: Frames of a GIF.
        array_elements: Elements of an HDF5 or NumPy array.
        document_bytes: Bytes of a JSON or YAML file.
        document_depth: Lists and mappings within one another in such a file.
        document_values: Values in such a file, repeated ones counted each time.
    """

    frame_pixels: int = 8192 * 8192
    gif_frames: int = 10_000
    array_elements: int = 2**34
    document_bytes: int = 64 * 2**20
    document_depth: int = 64
    document_values: int = 4_000_000


def limits() -> Limits:
    """The limits of this process.

    Raises:
        ConfigError: If one was set to what is no limit.
    """
    return _parsed(os.environ.get(_VARIABLE, ""))


def raise_limit(setting: str) -> None:
    """Sets a limit for this process and those that it starts.

    Args:
        setting: ``NAME=VALUE``, for instance ``frame_pixels=200000000``.

    Raises:
        ConfigError: If there is no such limit, or the value is no positive integer.
    """
    before = os.environ.get(_VARIABLE, "")
    settings = f"{before},{setting}" if before else setting or " "  # nothing at all is no setting
    _parsed(settings)
    os.environ[_VARIABLE] = settings


def check_limit(name: str, amount: int, what: str, *, error: type[MotionCopyError]) -> None:
    """Refuses what is larger than its limit.

    Args:
        name: A field of :class:`Limits`.
        amount: How much is asked for.
        what: What asks for it, for the message: ``the frames of clip.h5``.
        error: What is raised.

    Raises:
        MotionCopyError: Of the given class, if it is too much.
    """
    most = getattr(limits(), name)
    if amount > most:
        raise error(
            f"{what}: too large",
            expected=f"at most {most} {name.replace('_', ' ')}",
            found=amount,
            remedy=f"if you trust the file, allow more by --limit {name}={amount}",
        )


def _parsed(settings: str) -> Limits:
    names = [field.name for field in fields(Limits)]
    values = {}
    for setting in settings.split(",") if settings else ():
        name, _, value = (part.strip() for part in setting.partition("="))
        if name not in names or not value.isascii() or not value.isdigit() or len(value) > 18 or int(value) == 0:
            raise ConfigError(
                "a limit is wrong",
                expected=f"NAME=VALUE, where NAME is one of {', '.join(names)} and VALUE a positive integer",
                found=setting[:80],
            )
        values[name] = int(value)
    return replace(Limits(), **values)
