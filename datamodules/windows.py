"""Training windows over prepared clips, and loaders whose order can be resumed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset, Sampler

from datamodules.views import Excerpt, View
from motioncopy.batch import Appearance, MotionBatch
from motioncopy.errors import DataError
from motioncopy.request import DataRequest


class Windows(Sequence[MotionBatch], Dataset[MotionBatch]):
    """All windows of a request over the training excerpts.

    Args:
        excerpts: The training frames.
        request: What is asked.
        views: Views of the excerpts that another request of this size and crop has used: they keep resized frames. By
            default each excerpt is cropped by the request's rule on it alone.
    """

    def __init__(self, excerpts: Sequence[Excerpt], request: DataRequest, views: Sequence[View] | None = None) -> None:
        self.request = request
        self._fixed: dict[int, Appearance] = {}
        self.views = list(views or (View(e, request) for e in excerpts))
        span = (request.window - 1) * request.dilation
        self.places = [
            (k, first)
            for k, e in enumerate(excerpts)
            for first in range(e.start - request.pad, e.stop - span + request.pad, request.stride)
        ]
        if not self.places:
            longest = max((len(e) for e in excerpts), default=0)
            raise DataError(
                "no clip is long enough for one training window",
                expected=f"at least {span + 1 - 2 * request.pad} frames",
                found=f"{len(excerpts)} clips of at most {longest} frames",
                remedy="record a longer video, or lower the stage's window",
            )

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: Any) -> Any:
        """The window of this index; a pair (index, draw) also seeds its random choices."""
        index, draw = index if isinstance(index, tuple) else (index, None)
        k, first = self.places[index]
        request, e = self.request, self.views[k].excerpt
        frames = np.clip(first + request.dilation * np.arange(request.window), e.start, e.stop - 1)
        random = np.random.default_rng([draw or 0, index])
        shown = self._appearance(k, int(frames[0]), random)
        # One window for all frames of a sample: what moves in it moves in the frame.
        view = self.views[k].through(int(frames[len(frames) // 2]), jitter=None if draw is None else random)
        if request.follow:
            shown = replace(shown, background=view.background[None])
        parts = {name: getattr(view, name)(frames)[None] for name in request.parts}
        if "flow" in parts:  # where the overhang repeats a frame, nothing has moved
            parts["flow"][0, 1:][torch.from_numpy(frames[1:] == frames[:-1])] = 0
        return MotionBatch(
            appearance=shown,
            motion=view.motion(frames),
            images=view.images(frames)[None],
            mask=view.mask(frames)[None],
            frames=torch.from_numpy(frames)[None],
            clip=(view.clip.id,),
            sample=(f"{view.clip.id}/{first}",),
            **parts,
        )

    def _appearance(self, k: int, first: int, random: np.random.Generator) -> Appearance:
        view = self.views[k]
        e, rule, parsing = view.excerpt, self.request.appearance, "parsing" in self.request.parts
        if rule in ("first", "confident"):
            if k not in self._fixed:
                frame = e.start if rule == "first" else view.confident
                self._fixed[k] = view.through(frame).appearance([frame], e.clip.person, parsing=parsing)
            return self._fixed[k]
        if rule == "random_earlier":
            frame = int(random.integers(e.start, first + 1))
            return view.through(frame).appearance([frame], e.clip.person, parsing=parsing)
        same = [v for v in self.views if v.clip.person == e.clip.person]
        other = same[int(random.integers(len(same)))]
        frame = int(random.integers(other.excerpt.start, other.excerpt.stop))
        shown = other.through(frame).appearance([frame], e.clip.person, parsing=parsing)
        return replace(shown, background=view.background[None])  # the place is the window's, whatever clip shows who


class ResumableBatches(Sampler[list[tuple[int, int]]]):
    """Batches of (window, draw) whose order is a pure function of (seed, epoch, index).

    An epoch takes the next ``batches`` of an endless stream of reshuffled passes, so that its length is a budget
    and does not depend on how many windows there are. Every process takes its share of each batch: the shares differ by
    one window where the batch does not divide.
    """

    def __init__(self, windows: int, request: DataRequest, seed: int, rank: int, world: int) -> None:
        if request.batch_size < world:
            raise DataError(
                "a process would get nothing of a batch", expected=f"at least {world} windows", found=request.batch_size
            )
        self.windows, self.request, self.seed, self.rank, self.world = windows, request, seed, rank, world
        self.batches = request.batches or max(1, windows // request.batch_size)
        self.epoch = 0
        self.skip = 0

    @property
    def sampler(self) -> ResumableBatches:
        """Where Lightning looks for ``set_epoch`` at the start of every epoch."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        skip, self.skip = self.skip, 0
        size = self.request.batch_size
        for batch in range(skip, self.batches):
            first = (self.epoch * self.batches + batch) * size
            positions = range(first + self.rank, first + size, self.world)
            yield [(self._window(p), p + 1_000_003 * self.seed) for p in positions]

    def _window(self, position: int) -> int:
        lap, place = divmod(position, self.windows)
        if not self.request.shuffle:
            return place
        if getattr(self, "_lap", None) != lap:
            self._lap = lap
            self._order = np.random.default_rng([self.seed, lap]).permutation(self.windows)
        return int(self._order[place])


class ResumableLoader(DataLoader[MotionBatch]):
    """A loader that Lightning can checkpoint in the middle of an epoch: it counts what it has handed out."""

    batch_sampler: ResumableBatches

    def __init__(self, windows: Windows, batches: ResumableBatches, workers: int) -> None:
        super().__init__(
            windows,
            batch_sampler=batches,
            num_workers=workers,
            collate_fn=MotionBatch.collate,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=workers > 0,
        )
        self.handed_out = 0

    def __iter__(self) -> Iterator[MotionBatch]:  # type: ignore[override]
        self.handed_out = self.batch_sampler.skip
        for batch in super().__iter__():
            self.handed_out += 1
            yield batch

    def __len__(self) -> int:
        return len(self.batch_sampler)

    def state_dict(self) -> dict[str, int]:
        """Where the loader stands within its epoch."""
        return {"handed_out": self.handed_out % len(self.batch_sampler)}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Goes on behind the batches that were handed out."""
        self.batch_sampler.skip = state["handed_out"]


class RequestedData(LightningDataModule):
    """Training loaders of one stage."""

    def __init__(self, windows: Windows, request: DataRequest, seed: int, workers: int) -> None:
        super().__init__()
        self.windows, self.request, self.seed, self.workers = windows, request, seed, workers

    def train_dataloader(self) -> ResumableLoader:
        """Called by the Trainer once the processes know their ranks."""
        rank, world = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        batches = ResumableBatches(len(self.windows), self.request, self.seed, rank, world)
        return ResumableLoader(self.windows, batches, self.workers)
