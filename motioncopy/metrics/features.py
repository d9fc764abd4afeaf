"""Metrics over the features of whole sets of frames or clips, and these features on disk.

Metrics over sets need the features of all frames at once; memory must not grow with them. Each clip leaves one
``.npy`` file a feature and side, so that processes share nothing but the folder. The global index of a row is its
clip's place in the sorted clip ids, then its place in the clip.
"""

from __future__ import annotations

import os
import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar, Literal

import numpy as np
import torch
import torch.distributed
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics.utilities import dim_zero_cat

from motioncopy.errors import BatchError, MotionCopyError
from motioncopy.files.names import file_name
from motioncopy.files.writing import unreadable, unwritable
from motioncopy.metrics.clip import Chunk, Output, Seen
from motioncopy.metrics.metric import VideoMetric

#: The two sets that are held against one another.
Side = Literal["generated", "real"]
SIDES: tuple[Side, Side] = ("generated", "real")
Array = NDArray[np.float32]


class FeatureStore:
    """Features in files of a folder.

    Args:
        folder: Made when the first clip is written.

    >>> from tempfile import mkdtemp
    >>> store = FeatureStore(Path(mkdtemp()))
    >>> writer = store.writer("walk")
    >>> writer.append("inception_tf.pool", "generated", torch.zeros(3, 8))
    >>> writer.commit()
    {'inception_tf.pool.generated': 3}
    >>> len(store.rows("inception_tf.pool", "generated", ["walk"]))
    3
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, clip: str, feature: str, side: Side) -> Path:
        """Where the rows of one clip lie."""
        return self.folder / f"{file_name(clip)}.{feature}.{side}.npy"

    def writer(self, clip: str) -> FeatureWriter:
        """Takes the features of one clip."""
        return FeatureWriter(self, clip)

    def rows(self, feature: str, side: Side, clips: Sequence[str]) -> Rows | None:
        """The rows of these clips, by sorted clip id; ``None`` if one of them has none on this side.

        Raises:
            MotionCopyError: If a file is damaged.
        """
        parts = []
        for clip in sorted(clips):
            path = self.path(clip, feature, side)
            if not path.is_file():
                return None
            parts.append(Part(clip, _mapped(path)))
        return Rows(tuple(parts))


class FeatureWriter:
    """Writes the features of one clip as they come; under their names only once :meth:`commit` is called.

    >>> from tempfile import mkdtemp
    >>> writer = FeatureStore(Path(mkdtemp())).writer("walk")
    >>> writer.append("i3d_16.blocks", "real", torch.zeros(2, 4))
    >>> writer.append("i3d_16.blocks", "real", torch.zeros(1, 4))
    >>> writer.commit()
    {'i3d_16.blocks.real': 3}
    """

    def __init__(self, store: FeatureStore, clip: str) -> None:
        self._store, self._clip = store, clip
        self._files: dict[tuple[str, Side], tuple[IO[bytes], list[int]]] = {}

    def append(self, feature: str, side: Side, rows: Tensor) -> None:
        """Adds rows ``(m, d)``; m may be 0.

        Raises:
            BatchError: If they are no rows, of another length than those before, or not finite.
            MotionCopyError: If they cannot be written.
        """
        if rows.ndim != 2:
            raise BatchError(f"features {feature} are no rows", expected="(m, d)", found=tuple(rows.shape))
        array = rows.detach().float().numpy(force=True)
        if not np.isfinite(array).all():
            raise BatchError(f"features {feature} of clip {self._clip} are not finite")
        try:
            if (feature, side) not in self._files:
                self._store.folder.mkdir(parents=True, exist_ok=True)
                new = self._partial(feature, side).open("wb")
                self._files[feature, side] = new, [0, array.shape[1]]
                new.write(_header(0, array.shape[1]))
            file, shape = self._files[feature, side]
            if array.shape[1] != shape[1]:
                raise BatchError(f"features {feature} change their length", expected=shape[1], found=array.shape[1])
            file.write(np.ascontiguousarray(array).tobytes())
            shape[0] += len(array)
        except OSError as error:
            raise unwritable(self._store.path(self._clip, feature, side), error) from error

    def commit(self) -> dict[str, int]:
        """Puts the files under their names.

        Returns:
            Rows by ``feature.side``.

        Raises:
            MotionCopyError: If they cannot be written.
        """
        counts = {}
        for (feature, side), (file, shape) in self._files.items():
            path = self._store.path(self._clip, feature, side)
            try:
                with file:
                    file.seek(0)
                    file.write(_header(*shape))
                self._partial(feature, side).replace(path)
            except OSError as error:
                raise unwritable(path, error) from error
            counts[f"{feature}.{side}"] = shape[0]
        self._files = {}
        return counts

    def discard(self) -> None:
        """Removes what was written."""
        for (feature, side), (file, _) in self._files.items():
            with suppress(OSError):  # what is still in its buffer has no place on a full disk
                file.close()
            self._partial(feature, side).unlink(missing_ok=True)
        self._files = {}

    def _partial(self, feature: str, side: Side) -> Path:
        return self._store.path(self._clip, feature, side).with_suffix(".npy.partial")


def _header(rows: int, size: int) -> bytes:
    """The head of an ``.npy`` file, of the same length for any number of rows: the number is known last."""
    body = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {size}), }}"
    return b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + body.ljust(117).encode() + b"\n"


_HEAD = len(_header(0, 0))
_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00v\x00\{'descr': '<f4', 'fortran_order': False, 'shape': \((\d{1,15}), (\d{1,9})\), \} *\n"
)


def _mapped(path: Path) -> Array:
    """The rows ``(m, d)`` in a file, mapped. NumPy's maps keep their files open, and there may be thousands of them.

    Raises:
        MotionCopyError: If it is damaged, or cannot be opened.
    """
    try:
        with path.open("rb") as file:
            head = _HEADER.fullmatch(file.read(_HEAD))
            size = os.fstat(file.fileno()).st_size
        rows, width = (int(head[1]), int(head[2])) if head else (0, 0)
        if head is None or size != _HEAD + 4 * rows * width:
            found = f"{size} bytes" if head else "another head"
            raise MotionCopyError(f"{path.name} is damaged", found=found, remedy="score again with --fresh")
        if not str(path).isprintable():  # PyTorch takes no name that is not UTF-8
            return np.fromfile(path, np.float32, offset=_HEAD).reshape(rows, width)
        floats = torch.from_file(str(path), shared=False, size=size // 4)
    except OSError as error:
        raise unreadable(path, error) from error
    mapped: Array = floats[_HEAD // 4 :].reshape(rows, width).numpy()
    mapped.flags.writeable = False
    return mapped


@dataclass(frozen=True)
class Part:
    """The rows of one clip, or some of them.

    Attributes:
        clip: Its id.
        array: ``(m, d)``, in memory or mapped from a file.
        chosen: Which of them, ascending; ``None`` for all.

    >>> len(Part("walk", np.zeros((5, 8), np.float32), chosen=np.array([0, 3])))
    2
    """

    clip: str
    array: Array
    chosen: NDArray[np.integer] | None = None

    def __len__(self) -> int:
        return len(self.array) if self.chosen is None else len(self.chosen)

    def block(self, start: int, stop: int) -> Array:
        """Rows ``start`` to ``stop``, in memory."""
        picked = self.array[start:stop] if self.chosen is None else self.array[self.chosen[start:stop]]
        return np.asarray(picked, np.float32)


@dataclass(frozen=True)
class Rows:
    """The features of several clips, one after the other; a row's place is its global index.

    >>> rows = Rows(tuple(Part(name, np.full((2, 1), k, np.float32)) for k, name in enumerate(("run", "walk"))))
    >>> len(rows), rows.take(np.array([3, 0])).ravel()
    (4, array([1., 0.], dtype=float32))
    """

    parts: tuple[Part, ...]

    def __len__(self) -> int:
        """Number of rows."""
        return sum(map(len, self.parts))

    @property
    def size(self) -> int:
        """Numbers a row."""
        return int(self.parts[0].array.shape[1])

    def blocks(self, most: int = 1024) -> Iterator[Array]:
        """All rows in order, at most so many at a time."""
        for part in self.parts:
            for start in range(0, len(part), most):
                yield part.block(start, min(start + most, len(part)))

    def take(self, places: NDArray[np.integer]) -> Array:
        """The rows at these global places, in memory and in the order of ``places``."""
        ends = np.cumsum([len(part) for part in self.parts])
        owner = np.searchsorted(ends, places, side="right")
        taken = np.empty((len(places), self.size), np.float32)
        for k in np.unique(owner):
            part, mine = self.parts[k], np.flatnonzero(owner == k)
            local = np.asarray(places)[mine] - (ends[k] - len(part))
            taken[mine] = part.array[local if part.chosen is None else part.chosen[local]]
        return taken

    def only(self, places: NDArray[np.integer]) -> Rows:
        """The rows at these global places (ascending), still on disk."""
        start, parts = 0, []
        for part in self.parts:
            inside = places[(places >= start) & (places < start + len(part))] - start
            if len(inside):
                parts.append(Part(part.clip, part.array, inside if part.chosen is None else part.chosen[inside]))
            start += len(part)
        return Rows(tuple(parts))

    def drawn(self, places: NDArray[np.integer]) -> Rows:
        """The clips at these places, maybe several times: a bootstrap sample."""
        return Rows(tuple(self.parts[k] for k in places))


def check_features(features: Tensor, size: int) -> None:
    """Refuses anything but finite ``(n, size)`` floating point features.

    Raises:
        BatchError: If the shape or the type is wrong, or a value is not finite.

    >>> check_features(torch.zeros(5, 8), 8)
    """
    if features.ndim != 2 or features.shape[1] != size:
        raise BatchError("features have the wrong shape", expected=f"(n, {size})", found=tuple(features.shape))
    if not features.is_floating_point():
        raise BatchError("features have the wrong type", expected="floating point", found=features.dtype)
    if not torch.isfinite(features).all():
        raise BatchError("features hold values that are not finite")


class SetMetric(VideoMetric):
    """One number for the features of a set of frames or windows, or of two sets.

    Given frames, it lets a network see them; given features (:meth:`add_features`), it takes them as they are. The
    evaluator keeps features on disk and asks for the :meth:`distance` of stored rows, so that it can resample them.

    Attributes:
        output: The features.
        size: Numbers a feature d.
        samples: What a feature is called: ``frames`` or ``windows``.
        least: Fewer samples, on either side, are refused by the evaluator.
        needs_real: Whether the generated set is held against a real one.
        resamples: Draws of the bootstrap over clips; 0: no interval.

    >>> from motioncopy.metrics.fvd import FVD16
    >>> metric = FVD16()
    >>> metric.add_features(torch.zeros(3, 400))
    >>> metric.add_features(torch.ones(3, 400), real=True)
    >>> metric.compute()
    tensor(400., dtype=torch.float64)
    """

    output: ClassVar[Output]
    size: ClassVar[int]
    samples: ClassVar[str] = "frames"
    least: ClassVar[int]
    needs_real: ClassVar[bool] = True
    resamples: ClassVar[int] = 0

    @classmethod
    def outputs(cls) -> tuple[Output, ...]:
        """See :meth:`VideoMetric.outputs`."""
        return (cls.output,)

    def add(self, chunk: Chunk) -> None:
        """See :meth:`VideoMetric.add`."""
        self.add_features(chunk.found[Seen(self.output, "generated")], real=False)
        if self.needs_real and (video := chunk.real_video) is not None:
            self.add_features(chunk.found[Seen(self.output, video)], real=True)

    def add_features(self, features: Tensor, *, real: bool = False) -> None:
        """Adds features that something else has seen.

        Args:
            features: ``(n, d)`` floating point.
            real: Whether they belong to the real set; they are not kept if the metric does not look at it.

        Raises:
            BatchError: If the shape or the type is wrong, or a value is not finite.
            MotionCopyError: If they cannot be written.
        """
        check_features(features, self.size)
        self._computed = None  # as after torchmetrics' own update
        self._update_count += 1
        if self.needs_real or not real:
            self.keep(features.detach(), "real" if real else "generated")

    @abstractmethod
    def keep(self, features: Tensor, side: Side) -> None:
        """Adds checked features to the state."""

    @abstractmethod
    def distance(self, generated: Rows, real: Rows | None) -> float:
        """The value of stored features, whatever the metric's state; ``real`` only if the metric needs it.

        Raises:
            BatchError: If there are too few rows to compute anything.
        """


class RowsMetric(SetMetric):
    """A metric that needs the features themselves: those of all processes, one process after the other.

    Args:
        folder: Where to keep them, of no other metric, and the same for all processes; ``None`` to keep them in memory.
        kwargs: Of :class:`VideoMetric`.

    >>> from tempfile import mkdtemp
    >>> from motioncopy.metrics.inception_score import InceptionScore
    >>> metric = InceptionScore(Path(mkdtemp()))
    >>> metric.add_features(torch.zeros(20, 1008))
    >>> round(metric.compute().item(), 6)  # no class is surer than another
    1.0
    """

    generated: list[Tensor]
    real: list[Tensor]

    def __init__(self, folder: Path | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name in SIDES:
            self.add_state(name, [], dist_reduce_fx="cat")
        self._store = FeatureStore(folder) if folder is not None else None
        self._writers: dict[Side, FeatureWriter] = {}
        self._written: dict[Side, list[str]] = {name: [] for name in SIDES}

    def keep(self, features: Tensor, side: Side) -> None:
        """See :meth:`SetMetric.keep`."""
        if self._store is None:
            getattr(self, side).append(features.to(self.device, torch.float32, copy=True))
            return
        if side not in self._writers:
            self._writers[side] = self._store.writer(self._next(side))
        self._writers[side].append(self.output.id, side, features)

    def compute(self) -> Tensor:
        """The value, a float64 scalar.

        Raises:
            BatchError: If there are too few features.
        """
        value = self.distance(self._rows("generated"), self._rows("real") if self.needs_real else None)
        return torch.tensor(value, dtype=torch.float64)

    def reset(self) -> None:
        """Forgets all features; files stay until others are written over them."""
        for writer in self._writers.values():
            writer.discard()
        self._writers, self._written = {}, {name: [] for name in SIDES}
        super().reset()

    def _empty(self) -> dict[str, Tensor]:
        return {name: torch.empty(0, self.size) for name in SIDES}

    def _rows(self, side: Side) -> Rows:
        if self._store is None:
            kept = getattr(self, side)
            rows = dim_zero_cat(kept) if len(kept) else torch.empty(0, self.size)
            return Rows((Part("all", rows.numpy(force=True)),))
        if side in self._writers:
            self._writers.pop(side).commit()
            self._written[side].append(self._next(side))
        written = [self._written[side]]
        if _distributed() and self.sync_on_compute:
            written = [[] for _ in range(torch.distributed.get_world_size())]
            torch.distributed.all_gather_object(written, self._written[side])
        found = self._store.rows(self.output.id, side, [clip for clips in written for clip in clips])
        if found is None or not found.parts:
            raise BatchError(f"there are no {side} features")
        return found

    def _next(self, side: Side) -> str:
        """What this process's next file is called in place of a clip; the names sort by process, then by time."""
        rank = torch.distributed.get_rank() if _distributed() else 0
        return f"{rank:05d}-{len(self._written[side]):05d}"


def _distributed() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()
