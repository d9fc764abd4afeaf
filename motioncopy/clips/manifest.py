"""``manifest.json``: what a prepared clip holds, what it was made from, and by what."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from motioncopy.errors import ClipError

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

    file: str
    sha256: str

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

    name: str
    version: str


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

    file: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int
    sha256: str
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
        parts: By name; see :mod:`motioncopy.clips`.
        created_by: Which version of this package wrote it.
        schema: :data:`SCHEMA` of that version.
    """

    id: str
    person: str
    fps: float
    size: tuple[int, int]
    frames: int
    skeleton: str
    source: Source | None
    parts: Mapping[str, Part]
    created_by: str
    schema: int = SCHEMA

    def to_json(self) -> str:
        """As it stands in the file."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Reads and checks a clip's manifest.

        Raises:
            ClipError: If there is none, it is of another schema version, damaged, or names files elsewhere.
        """
        path = folder / FILE_NAME
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            schema = content["schema"]
        except (FileNotFoundError, NotADirectoryError):
            raise ClipError(
                f"{folder} is not a prepared clip, or was left half written",
                expected=f"a folder with a {FILE_NAME}",
                remedy="prepare it with: motioncopy prepare",
            ) from None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ClipError(f"{path} cannot be read", found=repr(error), remedy=_AGAIN) from error
        if schema != SCHEMA:
            raise ClipError(
                f"clip {folder} has another schema version", expected=SCHEMA, found=repr(schema), remedy=_AGAIN
            )
        try:
            return cls._from(content)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ClipError(f"{path} is damaged", found=repr(error), remedy=_AGAIN) from error

    @classmethod
    def _from(cls, content: dict[str, Any]) -> Self:
        height, width = map(int, content["size"])
        source = content["source"]
        return cls(
            id=str(content["id"]),
            person=str(content["person"]),
            fps=float(content["fps"]),
            size=(height, width),
            frames=int(content["frames"]),
            skeleton=str(content["skeleton"]),
            source=None if source is None else Source(**source),
            parts={name: _part(fields) for name, fields in content["parts"].items()},
            created_by=str(content["created_by"]),
        )


def _part(fields: dict[str, Any]) -> Part:
    file, backend = fields["file"], fields["backend"]
    if not is_plain_name(file):
        raise ValueError(f"the file name {file!r} points outside the clip's folder")
    return Part(
        file=file,
        dtype=str(fields["dtype"]),
        shape=tuple(map(int, fields["shape"])),
        bytes=int(fields["bytes"]),
        sha256=str(fields["sha256"]),
        backend=None if backend is None else Backend(**backend),
    )


def is_plain_name(name: str) -> bool:
    """Whether this names a file within a folder, on any system: no path, no drive, not the folder itself."""
    return bool(name) and name not in (".", "..") and not set(name) & set("/\\:\0")


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
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
