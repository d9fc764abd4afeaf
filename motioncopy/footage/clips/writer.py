"""``ClipWriter``: writing a prepared clip, in whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, ClassVar, Self

import numpy as np
from numpy.lib.format import write_array_header_1_0
from numpy.typing import NDArray

from motioncopy.errors import ClipError
from motioncopy.files.lock import locked
from motioncopy.files.schema import is_plain_name
from motioncopy.files.writing import explained
from motioncopy.footage.clips.manifest import FILE_NAME, Backend, Manifest, Part, Source, layout, sha256
from motioncopy.skeletons import skeleton as skeleton_named

# The clip's name in front; behind it "-old" where a clip was about to be replaced.
_PARTIAL = re.compile(r"\.(.+)\.partial-\d+(?:-old)?")
_LOCK = re.compile(r"\.(.+)\.lock")


class ArrayFile:
    """A ``.npy`` file that grows frame by frame; its header, which states the length, is rewritten at the end.

    Args:
        path: The file.
        dtype: Element type.
        shape: Of one frame.
    """

    def __init__(self, path: Path, dtype: str, shape: tuple[int, ...]) -> None:
        self.path, self.dtype, self.shape = path, np.dtype(dtype), shape
        self.frames = 0
        self._file: BinaryIO = path.open("xb")
        self._header()

    def append(self, values: NDArray[Any]) -> None:
        """Appends ``(n, *shape)`` values."""
        self._file.write(np.ascontiguousarray(values, self.dtype).data)
        self.frames += len(values)

    def finish(self, backend: Backend | None) -> Part:
        """Completes the file on the disk."""
        self._file.seek(0)
        self._header()
        self._file.flush()
        os.fsync(self._file.fileno())
        self.close()
        shape = (self.frames, *self.shape)
        return Part(self.path.name, self.dtype.name, shape, self.path.stat().st_size, sha256(self.path), backend)

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()

    def _header(self) -> None:
        # numpy pads headers so that the first axis can grow: the header's length stays.
        write_array_header_1_0(
            self._file,
            {"descr": self.dtype.str, "fortran_order": False, "shape": (self.frames, *self.shape)},
        )


class ClipWriter:
    """Writes a clip bit by bit; a context manager. Memory does not grow with the clip's length.

    The clip is written aside, to ``.NAME.partial-PID`` in the same folder, and takes its name when the ``with`` block
    ends without an exception; otherwise it is removed. Another process that writes the same clip is waited for
    (:func:`motioncopy.files.lock.locked`). What a killed writer left behind, the next one in that folder clears
    away (:func:`clear_left_overs`).

    Args:
        path: The clip's folder.
        clip_id: The clip's id.
        person: Who is in it.
        fps: Frames per second.
        size: (height, width) in pixels.
        skeleton: A name of :mod:`motioncopy.skeletons`.
        source: What it is made from; ``None`` where that is no file.
        backends: What makes each part, by the part's name; parts that are given as they are need none.
        parts: ``mask`` and those of ``parsing`` and ``flow`` that every :meth:`append` brings.
        overwrite: Whether a clip that is there already is replaced, at the end.

    Raises:
        ClipError: If an argument is wrong or ``path`` is taken (on entering); if the disk is full, or the clip has no
            frame or no background (on leaving).
        SkeletonError: If there is no such skeleton.
    """

    _open: ClassVar[set[Path]] = set()

    def __init__(
        self,
        path: str | Path,
        *,
        clip_id: str,
        person: str,
        fps: float,
        size: tuple[int, int],
        skeleton: str,
        source: Source | None,
        backends: Mapping[str, Backend],
        parts: Sequence[str] = ("mask",),
        overwrite: bool = False,
    ) -> None:
        self.path = Path(path).absolute()
        self._id, self._person, self._fps, self._size = clip_id, person, float(fps), size
        self._skeleton, self._source, self._overwrite = skeleton, source, overwrite
        self._backends, self._dense = dict(backends), set(parts)
        self._layout = layout(size, len(skeleton_named(skeleton)))
        self._check_arguments()
        self._files: dict[str, ArrayFile] = {}
        self._background: NDArray[np.uint8] | None = None
        self._lock = ExitStack()
        self._partial = self.path.with_name(f".{self.path.name}.partial-{os.getpid()}")

    def append(
        self,
        images: NDArray[np.uint8],
        joints: NDArray[np.floating],
        mask: NDArray[np.uint8],
        *,
        parsing: NDArray[np.uint8] | None = None,
        flow: NDArray[np.floating] | None = None,
        hand_left: NDArray[np.floating] | None = None,
        hand_right: NDArray[np.floating] | None = None,
        face: NDArray[np.floating] | None = None,
    ) -> None:
        """Appends n frames. Hands and face must come with every call or with none.

        Args:
            images: ``(n, H, W, 3)`` uint8 RGB.
            joints: ``(n, J, 3)``: x and y in pixels, confidence in [0, 1].
            mask: ``(n, H, W)`` uint8, 255 on the person.
            parsing: ``(n, H, W)`` uint8 labels.
            flow: ``(n, H, W, 2)``, from frame t to t-1, in pixels.
            hand_left: ``(n, 21, 3)``, like ``joints``.
            hand_right: ``(n, 21, 3)``.
            face: ``(n, 70, 3)``.

        Raises:
            ClipError: If an array has a wrong shape, type or value, parts come and go, or the disk is full.
        """
        given: dict[str, NDArray[Any] | None] = {
            "images": images, "joints": joints, "mask": mask, "parsing": parsing, "flow": flow,
            "hand_left": hand_left, "hand_right": hand_right, "face": face,
        }  # fmt: skip
        arrays = {name: array for name, array in given.items() if array is not None}
        expected = set(self._files) or (set(arrays) - {"parsing", "flow"}) | self._dense
        if set(arrays) != expected:
            raise ClipError(
                f"append got other parts than clip {self._id} has",
                expected=", ".join(sorted(expected)),
                found=", ".join(sorted(arrays)),
            )
        for name, array in arrays.items():
            self._check(name, array, ("n" if name == "images" else len(images), *self._layout[name][1]))
        with explained(f"clip {self.path}", error=ClipError):
            for name, array in arrays.items():
                self._file(name).append(array)

    def set_background(self, image: NDArray[np.uint8]) -> None:
        """Sets the background: ``(H, W, 3)`` uint8 RGB, the place without the person.

        Raises:
            ClipError: If it has a wrong shape or type.
        """
        if image.shape != (*self._size, 3) or image.dtype != np.uint8:
            raise ClipError(
                f"the background of clip {self._id} does not fit",
                expected=f"uint8 {(*self._size, 3)}",
                found=f"{image.dtype} {image.shape}",
            )
        self._background = image.copy()

    def __enter__(self) -> Self:
        with explained(f"clip {self.path}", error=ClipError), ExitStack() as lock:
            if self._partial in self._open:
                raise ClipError(f"{self.path} is being written already")
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock.enter_context(locked(self.path))
            if self.path.exists() and not self._overwrite:
                raise ClipError(f"{self.path} is there already", remedy="replace it with: motioncopy prepare --force")
            if self.path.exists() and not (self.path / FILE_NAME).is_file():
                raise ClipError(f"{self.path} is no clip, so it is not replaced", remedy="move it away")
            clear_left_overs(self.path.parent)
            self._partial.mkdir()
            self._open.add(self._partial)
            self._lock = lock.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            try:
                if kind is None:
                    with explained(f"clip {self.path}", error=ClipError):
                        self._finish()
            finally:
                for file in self._files.values():
                    with suppress(OSError):  # flushes what a full disk did not take
                        file.close()
                shutil.rmtree(self._partial, ignore_errors=True)
                self._open.discard(self._partial)

    def _finish(self) -> None:
        if not self._files or not self._files["images"].frames:
            raise ClipError(f"no frame was written to clip {self._id}")
        if self._background is None:
            raise ClipError(f"clip {self._id} was given no background")
        # The rows of the one background take the place that frames have in the other files.
        self._files["background"] = ArrayFile(self._partial / "background.npy", "uint8", self._background.shape[1:])
        self._files["background"].append(self._background)
        unknown = set(self._backends) - set(self._files)
        if unknown:
            raise ClipError(f"backends are named for parts that clip {self._id} lacks", found=", ".join(unknown))
        manifest = Manifest(
            id=self._id,
            person=self._person,
            fps=self._fps,
            size=self._size,
            frames=self._files["images"].frames,
            skeleton=self._skeleton,
            source=self._source,
            parts={name: file.finish(self._backends.get(name)) for name, file in self._files.items()},
            created_by=f"motioncopy {version('motioncopy')}",
        )
        with (self._partial / FILE_NAME).open("x", encoding="utf-8") as file:
            file.write(manifest.to_json())
            file.flush()
            os.fsync(file.fileno())
        _sync(self._partial)
        if self.path.exists():
            old = self.path.with_name(f"{self._partial.name}-old")
            self.path.rename(old)
            self._partial.rename(self.path)
            shutil.rmtree(old, ignore_errors=True)
        else:
            self._partial.rename(self.path)
        _sync(self.path.parent)

    def _file(self, name: str) -> ArrayFile:
        if name not in self._files:
            self._files[name] = ArrayFile(self._partial / f"{name}.npy", *self._layout[name])
        return self._files[name]

    def _check_arguments(self) -> None:
        if not self._fps > 0 or min(self._size) < 1:
            raise ClipError(
                f"clip {self._id} has a wrong rate or size", expected="positive", found=(self._fps, self._size)
            )
        if not is_plain_name(self._id) or not is_plain_name(self._person):
            raise ClipError("a clip's id and person are plain names", found=f"{self._id!r}, {self._person!r}")
        if "mask" not in self._dense or not self._dense <= {"mask", "parsing", "flow"}:
            raise ClipError("parts are wrong", expected="mask, and parsing or flow", found=sorted(self._dense))
        if self._source and not is_plain_name(self._source.file):
            raise ClipError("a source is named by its file name only", found=self._source.file)

    def _check(self, name: str, array: NDArray[Any], expected: tuple[int | str, ...]) -> None:
        dtype = np.dtype(self._layout[name][0])
        right_type = array.dtype == dtype or array.dtype.kind == dtype.kind == "f"
        right_shape = array.ndim == len(expected) and array.shape[1:] == expected[1:]
        if not right_type or not right_shape or expected[0] not in ("n", len(array)):
            raise ClipError(
                f"{name} do not fit clip {self._id}",
                expected=f"{'floating point' if dtype.kind == 'f' else dtype} {expected}",
                found=f"{array.dtype} {array.shape}",
            )
        if dtype.kind == "f" and not (np.abs(array) <= np.finfo(dtype).max).all():
            raise ClipError(
                f"{name} of clip {self._id} hold values that are not finite",
                remedy="give a joint that is not there as x, y and confidence 0",
            )
        if name != "flow" and dtype.kind == "f" and array.size:
            low, high = array[..., 2].min(), array[..., 2].max()
            if low < 0 or high > 1:
                raise ClipError(
                    f"confidences of {name} are out of range", expected="[0, 1]", found=f"[{low:g}, {high:g}]"
                )


def clear_left_overs(folder: Path) -> None:
    """Removes what killed writers left in a folder: ``.NAME.partial-PID`` and ``.NAME.lock`` that no process holds."""
    for path in folder.absolute().iterdir():
        match = _PARTIAL.fullmatch(path.name) or _LOCK.fullmatch(path.name)
        if match is None or path in ClipWriter._open:
            continue
        with locked(folder / match[1], wait=False) as free:  # the lock's own file goes when it is let go
            if free and path.is_dir():
                shutil.rmtree(path, ignore_errors=True)


def _sync(folder: Path) -> None:
    """Makes sure that a folder's entries are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
