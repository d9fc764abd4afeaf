"""``manifest.json``: what a prepared clip holds, what it was made from, and by what."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import Field

from motioncopy.errors import ClipError
from motioncopy.files.documents import read_json
from motioncopy.files.limits import check_limit
from motioncopy.files.reading import check_rate, reading
from motioncopy.files.schema import Count, PlainName, Size, Text, validated
from motioncopy.skeletons import skeleton

#: The layout of clip folders that this version reads and writes.
SCHEMA = 1
FILE_NAME = "manifest.json"
_AGAIN = "prepare the clip anew: motioncopy prepare --force"


@dataclass(frozen=True)
class Source:
    """The video, or other file or folder, that a clip was made from.

    Attributes:
        file: Its name, without folders: a manifest tells nothing about the machine it was made on.
        sha256: Of its content.
    """

    file: PlainName
    sha256: Text

    @classmethod
    def of(cls, path: Path) -> Source:
        """Reads and hashes a file, or all files of a folder together with their names."""
        if not path.is_dir():
            return cls(path.name, sha256(path))
        total = hashlib.sha256()
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            total.update(f"{file.relative_to(path).as_posix()}\0{sha256(file)}\n".encode())
        return cls(path.name, total.hexdigest())


@dataclass(frozen=True)
class Backend:
    """What made a part: a perception backend's name and version."""

    name: Text
    version: Text


@dataclass(frozen=True)
class Part:
    """One file of a clip.

    Attributes:
        file: Its name within the clip's folder.
        dtype: numpy's name of the element type.
        shape: Of the whole array; frames come first in all but ``background``.
        bytes: Size of the file.
        sha256: Of the file.
        backend: What made it; ``None`` where it was given or taken as it is.
    """

    file: PlainName
    dtype: Text
    shape: tuple[Count, ...]
    bytes: Count
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    backend: Backend | None = None


@dataclass(frozen=True)
class Manifest:
    """See the module.

    Attributes:
        id: The clip's id.
        person: Who is in it.
        fps: Frames per second.
        size: (height, width) in pixels.
        frames: Number of frames.
        skeleton: A name of :mod:`motioncopy.skeletons`.
        source: What it was made from; ``None`` where that is no file (rendered clips).
        parts: By name; see :mod:`motioncopy.footage.clips`.
        created_by: Which version of this package wrote it.
        schema: :data:`SCHEMA` of that version.

    Raises:
        ClipError: If the fields contradict one another, or the frames are no camera's.
        SkeletonError: If there is no such skeleton.
    """

    id: PlainName
    person: PlainName
    fps: float
    size: tuple[Size, Size]
    frames: Size
    skeleton: Text
    source: Source | None
    parts: Mapping[str, Part]
    created_by: Text
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        check_rate(self.fps, self.id, error=ClipError, remedy=_AGAIN)
        check_limit("frame_pixels", prod(self.size), f"a frame of {self.id}", error=ClipError)
        parts = layout(self.size, len(skeleton(self.skeleton)))
        for name, part in self.parts.items():
            if name not in parts:
                raise ClipError(f"the part {name[:80]!r} is unknown", expected=f"one of {', '.join(parts)}")
            dtype, shape = parts[name]
            if name != "background":
                shape = (self.frames, *shape)
            if (part.dtype, part.shape) != (dtype, shape):
                raise ClipError(
                    f"the part {name} does not fit the clip",
                    expected=f"{dtype} {shape}",
                    found=f"{part.dtype[:80]} {part.shape[:8]}",
                )
            if part.bytes < prod(shape) * np.dtype(dtype).itemsize:
                raise ClipError(f"the part {name} has too few bytes for {dtype} {shape}", found=part.bytes)

    def to_json(self) -> str:
        """As it stands in the file.

        Raises:
            ClipError: If :meth:`read` would refuse it.
        """
        content = asdict(self)
        validated(Manifest, content, error=ClipError, what=f"the manifest of {self.id}")
        return json.dumps(content, indent=2) + "\n"

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Reads and checks a clip's manifest.

        Raises:
            ClipError: If there is none, it is of another schema version, damaged, or names files elsewhere.
        """
        path = folder / FILE_NAME
        with reading(path, ClipError, "cannot be read", remedy=_AGAIN):
            if not path.exists():
                raise ClipError(
                    f"{folder} is not a prepared clip, or was left half written",
                    expected=f"a folder with a {FILE_NAME}",
                    remedy="prepare it with: motioncopy prepare",
                )
        content = read_json(path, error=ClipError, remedy=_AGAIN)
        schema = content.get("schema", SCHEMA) if isinstance(content, dict) else SCHEMA
        if schema != SCHEMA or type(schema) is not int:
            raise ClipError(
                f"clip {folder} was prepared by another layout of clips",
                expected=f"schema {SCHEMA}",
                found=repr(schema)[:80],
                remedy=_AGAIN,
            )
        return validated(cls, content, error=ClipError, what=f"{path} is damaged", remedy=_AGAIN)


def layout(size: tuple[int, int], joints: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Element type and shape of a frame of each part; of ``background``, of the whole.

    Args:
        size: (height, width) in pixels.
        joints: How many the skeleton has.
    """
    height, width = size
    return {
        "images": ("uint8", (height, width, 3)),
        "joints": ("float32", (joints, 3)),
        "mask": ("uint8", (height, width)),
        "parsing": ("uint8", (height, width)),
        "flow": ("float16", (height, width, 2)),
        "hand_left": ("float32", (21, 3)),
        "hand_right": ("float32", (21, 3)),
        "face": ("float32", (70, 3)),
        "background": ("uint8", (height, width, 3)),
    }


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal.

    Raises:
        ClipError: If it cannot be read.
    """
    with reading(path, ClipError, "cannot be read", remedy="check the file and the disk"), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stale(manifest: Manifest, source_sha: str | None, backends: Mapping[str, Backend]) -> str | None:
    """Why a clip must be made anew, if it must.

    Args:
        manifest: Of the clip as it is.
        source_sha: SHA-256 of the source as it is now; ``None`` where there is none.
        backends: What would make each part now. Every part that is named must be there.

    Returns:
        The reason, as a clause for the user, or ``None`` if the clip is as it would be made now.
    """
    if source_sha != (manifest.source.sha256 if manifest.source else None):
        return "its source has changed"
    for name, backend in backends.items():
        part = manifest.parts.get(name)
        if part is None:
            return f"it has no {name}"
        if part.backend != backend:
            old = f"{part.backend.name} {part.backend.version}" if part.backend else "nothing that is known"
            return f"its {name} was made by {old}, now it would be {backend.name} {backend.version}"
    return None
