"""``Clip``: reading a prepared clip."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from motioncopy.errors import ClipError
from motioncopy.files.limits import check_limit
from motioncopy.files.reading import reading
from motioncopy.footage.clips.manifest import FILE_NAME, Manifest, sha256

Indices = Sequence[int] | NDArray[np.integer]

_AGAIN = "prepare the clip anew: motioncopy prepare --force"
_DENSE = frozenset({"mask", "parsing", "flow"})


class Clip:
    """A prepared clip, opened lazily: frames come from memory maps that are made when first asked for.

    Pickling takes along the path and the manifest only, so clips may be handed to loader workers.
    Use :meth:`open` to make one.

    Attributes:
        path: Its folder.
        manifest: What it holds.
        id: Its id.
        person: Who is in it.
        fps: Frames per second.
        size: (height, width) in pixels.
        skeleton: Name of the joint set.
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path, self.manifest = path, manifest
        self.id, self.person, self.fps, self.size = manifest.id, manifest.person, manifest.fps, manifest.size
        self.skeleton = manifest.skeleton
        self._maps: dict[str, NDArray[Any]] = {}

    @classmethod
    def open(cls, path: str | Path) -> Clip:
        """Opens a clip and checks that all its files have the size that the manifest states.

        Raises:
            ClipError: If it is missing, half written, of another schema version, or a file is missing or truncated.
        """
        clip = cls(Path(path), Manifest.read(Path(path)))
        missing = {"images", "joints", "mask", "background"} - set(clip.manifest.parts)
        if missing:
            raise ClipError(f"clip {path} lacks {', '.join(sorted(missing))}", remedy=_AGAIN)
        clip._check_sizes()
        return clip

    def __reduce__(self) -> tuple[Any, ...]:
        return Clip, (self.path, self.manifest)

    def __repr__(self) -> str:
        return f"Clip({str(self.path)!r}, {len(self)} frames of {self.size[0]}x{self.size[1]})"

    def __len__(self) -> int:
        """Number of frames F."""
        return self.manifest.frames

    @property
    def parts(self) -> frozenset[str]:
        """Which of ``mask`` (always), ``parsing`` and ``flow`` there are."""
        return _DENSE & set(self.manifest.parts)

    @cached_property
    def joints(self) -> NDArray[np.float32]:
        """``(F, J, 3)`` float32: x and y in pixels, confidence. Read-only."""
        joints: NDArray[np.float32] = self._small("joints")
        return joints

    @cached_property
    def hand_left(self) -> NDArray[np.float32] | None:
        """``(F, 21, 3)`` float32 in OpenPose's order, or ``None``. Read-only."""
        return self._small("hand_left") if "hand_left" in self.manifest.parts else None

    @cached_property
    def hand_right(self) -> NDArray[np.float32] | None:
        """``(F, 21, 3)`` float32 in OpenPose's order, or ``None``. Read-only."""
        return self._small("hand_right") if "hand_right" in self.manifest.parts else None

    @cached_property
    def face(self) -> NDArray[np.float32] | None:
        """``(F, 70, 3)`` float32 in OpenPose's order, or ``None``. Read-only."""
        return self._small("face") if "face" in self.manifest.parts else None

    @cached_property
    def background(self) -> NDArray[np.uint8]:
        """``(H, W, 3)`` uint8 RGB: the place without the person. Read-only."""
        background: NDArray[np.uint8] = self._small("background")
        return background

    def images(self, indices: Indices) -> NDArray[np.uint8]:
        """Frames by number, in any order: ``(n, H, W, 3)`` uint8 RGB, a copy.

        Raises:
            IndexError: If a number is not in 0 to F-1 (here and in the methods below).
        """
        return self._frames("images", indices)

    def mask(self, indices: Indices) -> NDArray[np.uint8]:
        """Person masks: ``(n, H, W)`` uint8, 255 on the person, a copy."""
        return self._frames("mask", indices)

    def parsing(self, indices: Indices) -> NDArray[np.uint8]:
        """Human parsing: ``(n, H, W)`` uint8 labels, a copy.

        Raises:
            ClipError: If the clip was prepared without.
        """
        return self._frames("parsing", indices)

    def flow(self, indices: Indices) -> NDArray[np.float32]:
        """Optical flow from frame t to t-1: ``(n, H, W, 2)`` float32, x then y in pixels; frame 0 as it was given.

        It is stored as float16, which is exact to 1/32 pixel below 64 pixels and to 1/8 below 256.

        Raises:
            ClipError: If the clip was prepared without.
        """
        return self._frames("flow", indices).astype(np.float32)

    def verify(self) -> None:
        """Reads every file and compares size and hash with the manifest.

        Raises:
            ClipError: Naming the first file that differs.
        """
        self._check_sizes()
        for part in self.manifest.parts.values():
            file = self.path / part.file
            found = sha256(file)
            if found != part.sha256:
                raise ClipError(f"{file} is damaged", expected=f"SHA-256 {part.sha256}", found=found, remedy=_AGAIN)

    def _check_sizes(self) -> None:
        for part in self.manifest.parts.values():
            file = self.path / part.file
            found = file.stat().st_size if file.is_file() else None
            if found != part.bytes:
                raise ClipError(
                    f"{file} is missing" if found is None else f"{file} is truncated or damaged",
                    expected=f"{part.bytes} bytes, as {FILE_NAME} states",
                    found=None if found is None else f"{found} bytes",
                    remedy=_AGAIN,
                )

    def _map(self, name: str) -> NDArray[Any]:
        """A part as a read-only memory map."""
        part = self.manifest.parts.get(name)
        if part is None:
            raise ClipError(
                f"clip {self.path} was prepared without {name}",
                found=f"parts: {', '.join(sorted(self.manifest.parts))}",
                remedy=f"prepare it anew with {name}: motioncopy prepare --force",
            )
        file = self.path / part.file
        with reading(file, ClipError, "cannot be read", remedy=_AGAIN):
            array = open_memmap(file, mode="r")  # np.load would take archives and pickles for arrays too
        if array.shape != part.shape or array.dtype != np.dtype(part.dtype):
            raise ClipError(
                f"{file} is another array than its manifest says",
                expected=f"{part.dtype} {part.shape}",
                found=f"{array.dtype} {array.shape}"[:200],
                remedy=_AGAIN,
            )
        return np.asarray(array)

    def _small(self, name: str) -> Any:
        """A part in memory, read-only."""
        array = self._map(name)
        check_limit("array_elements", array.size, f"{self.path / name}", error=ClipError)
        array = array.copy()
        if array.dtype.kind == "f" and not (
            np.isfinite(array).all() and ((array[..., 2] >= 0) & (array[..., 2] <= 1)).all()
        ):
            raise ClipError(
                f"{self.path / self.manifest.parts[name].file} holds no joints",
                expected="finite x and y, and confidence in [0, 1]",
                remedy=_AGAIN,
            )
        array.setflags(write=False)
        return array

    def _frames(self, name: str, indices: Indices) -> NDArray[Any]:
        if name not in self._maps:
            self._maps[name] = self._map(name)
        numbers = np.asarray(indices, np.int64)
        if numbers.size and (numbers.min() < 0 or numbers.max() >= len(self)):
            raise IndexError(f"clip {self.id} has frames 0 to {len(self) - 1}, not {numbers.tolist()}")
        return self._maps[name][numbers]


def find_clips(folder: Path) -> list[Path]:
    """The clips that lie in a folder, sorted by name; what is still being written is none of them."""
    return sorted(path.parent for path in folder.glob(f"*/{FILE_NAME}") if not path.parent.name.startswith("."))
