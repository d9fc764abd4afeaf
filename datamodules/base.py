"""The base of every data module: training windows for stages, trials for protocols."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from datamodules.views import Box, Excerpt, View, person_box, person_window
from datamodules.windows import RequestedData, Windows
from motioncopy.batch import GROUPS, Motion
from motioncopy.errors import DataError
from motioncopy.request import Crop, DataRequest, Regime, Trial

Split = Literal["val", "test"]


@dataclass(frozen=True)
class TrialSpec:
    """A trial before anything of it is read.

    Attributes:
        id: Unique within the protocol.
        kind: ``reconstruction`` or ``imitation``.
        appearance: Training frames of the person: they give the crop, the background and the appearance frame.
        motion: The driving frames.
        truth: The frames that should come out, in the appearance clip's camera, or ``None``.
        real: Frames of the appearance clip's camera that are the real set of FID, where the truth is not.
    """

    id: str
    kind: Literal["reconstruction", "imitation"]
    appearance: Excerpt
    motion: Excerpt
    truth: Excerpt | None
    real: Excerpt | None = None


class ClipDataModule(LightningDataModule, ABC):
    """Prepared clips, split into training frames and trials.

    Args:
        regime: ``personal`` trains and tests on one person; ``general`` trains on many and tests on others.
        person: Whom, in the personal regime; ``None`` takes :attr:`default_person`.
        workers: Loader processes. Reading the store is so cheap that small models need none.
        flow: Whether clips hold the optical flow too.
    """

    def __init__(
        self, *, regime: Regime = "personal", person: str | None = None, workers: int = 0, flow: bool = False
    ) -> None:
        super().__init__()
        self.regime, self.workers, self.flow = regime, workers, flow
        self._person = person
        self._boxes: dict[tuple[str, tuple[int, int]], Box | None] = {}
        self._views: dict[tuple[tuple[int, int], Crop], list[View]] = {}

    # -- what a data set provides ---------------------------------------------------------------------------------

    @property
    @abstractmethod
    def protocol(self) -> str:
        """``"<id>@<version>"`` of the protocol that the trials follow."""

    @abstractmethod
    def people(self) -> list[str]:
        """Everyone who can be the person of a personal run."""

    @abstractmethod
    def train_excerpts(self) -> list[Excerpt]:
        """All training frames: of :attr:`person` in the personal regime."""

    @abstractmethod
    def trial_specs(self, split: Split) -> list[TrialSpec]:
        """All trials of a split: of :attr:`person` in the personal regime."""

    def one_camera(self, person: str) -> list[Excerpt]:
        """Training frames of a person that one still camera took, if all of the person's clips are from it.

        They are then cropped alike. An empty list says that every clip has its own camera, and so its own crop.
        """
        return []

    @property
    def default_person(self) -> str:
        """The first of :meth:`people`."""
        return self.people()[0]

    # -- what follows from it -------------------------------------------------------------------------------------

    @property
    def person(self) -> str | None:
        """The one person of a personal regime, or ``None``.

        Raises:
            DataError: If there is no such person; the message lists those there are.
        """
        return None if self.regime == "general" else self.chosen(self._person)

    @property
    def tested(self) -> str | None:
        """The one person whom all trials show; ``None`` where they show several."""
        return self.person

    def chosen(self, person: str | None) -> str:
        """The person of this name, or the default one.

        Raises:
            DataError: If there is no such person; the message lists those there are.
        """
        name = person or self.default_person
        if name not in self.people():
            raise DataError(
                f"there is no person {name!r}", expected=f"one of {', '.join(self.people())}", remedy="set data.person"
            )
        return name

    def fingerprint(self) -> Mapping[str, Any]:
        """Training clips, their content and their ranges."""
        return {
            "protocol": self.protocol,
            "regime": self.regime,
            "excerpts": [self._identity(e) for e in self.train_excerpts()],
        }

    def content(self) -> Mapping[str, Any]:
        """Besides the training clips, those of the test trials: equal contents, equal scores of equal code."""
        trials = [
            [s.id, *(self._identity(e) if e else None for e in (s.appearance, s.motion, s.truth, s.real))]
            for s in self.trial_specs("test")
        ]
        return {**self.fingerprint(), "trials": trials}

    def train_windows(self, request: DataRequest) -> Windows:
        """All training windows of a request, in their natural order."""
        excerpts = self.train_excerpts()
        if request.crop == "whole":
            request = request.on(excerpts[0].clip.size)
        key = (request.image_size, request.crop)
        if key not in self._views:  # the stages of a method read the same frames: resized once for all of them
            self._views[key] = [
                View(e, request, self.box(e, request), window=self._window(e, request)) for e in excerpts
            ]
        return Windows(excerpts, request, views=self._views[key])

    def box(self, excerpt: Excerpt, request: DataRequest) -> Box | None:
        """The crop of a person's training frames, or ``None`` where each clip has its own."""
        person = excerpt.clip.person
        key = (person, request.image_size)
        if request.crop == "person" and key not in self._boxes:
            together = self.one_camera(person)
            self._boxes[key] = person_box(together, request.image_size) if together else None
        return self._boxes[key] if request.crop == "person" else None

    def _window(self, excerpt: Excerpt, request: DataRequest) -> tuple[int, int] | None:
        """The window that follows a person through all clips of one camera; ``None`` where each has its own."""
        together = self.one_camera(excerpt.clip.person) if request.follow else []
        return person_window(together, request.follow, request.image_size) if request.follow and together else None

    def train_motion(self, request: DataRequest) -> Motion:
        """The joints of all training frames as one B = 1 motion, in the frame's pixels if windows follow the person."""
        excerpts = self.train_excerpts()
        request = request.on(excerpts[0].clip.size)
        motions = [View(e, request, self.box(e, request)).motion(range(e.start, e.stop)) for e in excerpts]
        groups = {
            g: torch.cat([getattr(m, g) for m in motions], dim=1)
            for g in ("joints", *GROUPS)
            if all(getattr(m, g) is not None for m in motions)
        }
        return Motion(skeleton=motions[0].skeleton, size=motions[0].size, **groups)

    def for_request(self, request: DataRequest, seed: int) -> RequestedData:
        """Training loaders of one stage."""
        return RequestedData(self.train_windows(request), request, seed, self.workers)

    def trials(self, request: DataRequest, split: Split) -> Trials:
        """The trials of a split, read one at a time."""
        specs = self.trial_specs(split)
        return Trials(specs, self.protocol, request, [self.box(s.appearance, request) for s in specs])

    def for_trials(self, request: DataRequest, split: Split) -> TrialData:
        """Loaders that give each trial to one process only."""
        return TrialData(self.trials(request, split))

    def _identity(self, excerpt: Excerpt) -> list[Any]:
        clip = excerpt.clip
        # Flow that another method has asked for changes nothing for one that does not.
        parts = {name: p.sha256 for name, p in clip.manifest.parts.items() if name != "flow" or self.flow}
        return [clip.id, parts, excerpt.start, excerpt.stop]


class Trials(Sequence[Trial], Dataset[Trial]):
    """Trials as a request sees them.

    Args:
        specs: The trials.
        protocol: ``"<id>@<version>"``.
        request: What is asked.
        boxes: The crop of each trial's person, or ``None`` where the appearance frames alone give it.
    """

    def __init__(
        self, specs: Sequence[TrialSpec], protocol: str, request: DataRequest, boxes: Sequence[Box | None]
    ) -> None:
        self.specs, self.protocol, self.request, self.boxes = list(specs), protocol, request, boxes
        names = [s.id for s in self.specs]
        if len(set(names)) != len(names):
            raise DataError(f"protocol {protocol} names a trial twice", found=sorted(names))

    @property
    def ids(self) -> list[str]:
        """The trials' ids, in order."""
        return [s.id for s in self.specs]

    def __len__(self) -> int:
        return len(self.specs)

    def __getitem__(self, index: Any) -> Any:
        """The trial of this index; ``None`` for an index below 0, which fills up a process's share."""
        if index < 0:
            return None
        spec = self.specs[index]
        request = self.request.on(spec.appearance.clip.size)
        shown = View(spec.appearance, request, self.boxes[index])
        # The driver is cropped by its own rule: how it stands in its frame is the normalisation's business. The
        # person's own held-out frames must lie in the crop that training saw.
        own = spec.motion.clip.path == spec.appearance.clip.path or spec.truth is spec.motion
        driver = View(spec.motion, request, box=shown.box if own else None)
        # A window follows the driver in the driver's own pixels: resized to the person's frame, limbs change length.
        moves = driver if own else View(spec.motion, self.request.on(spec.motion.clip.size))
        frame = spec.appearance.start if request.appearance == "first" else shown.confident
        return Trial(
            id=spec.id,
            protocol=self.protocol,
            kind=spec.kind,
            appearance=shown.appearance([frame], spec.appearance.clip.person, parsing="parsing" in request.parts),
            motion=moves.motion(range(spec.motion.start, spec.motion.stop)),
            driver=spec.motion.clip.person,
            fps=spec.motion.clip.fps,
            truth=partial(_truth, View(spec.truth, request, box=shown.box)) if spec.truth is not None else None,
            box=shown.box,
            own=own,
            driving=partial(_images, driver),
            real=partial(_images, View(spec.real, request, box=shown.box)) if spec.real is not None else None,
        )


def _images(view: View, start: int, stop: int) -> Tensor:
    frames = view.chunk(start, stop)
    return view.images(frames) if frames else torch.empty(0, 3, *view.size, dtype=torch.uint8)


def _truth(view: View, start: int, stop: int) -> tuple[Tensor, Tensor]:
    frames = view.chunk(start, stop)
    return view.images(frames), view.mask(frames)


class TrialData(LightningDataModule):
    """Test, validation and prediction loaders over trials."""

    def __init__(self, trials: Trials) -> None:
        super().__init__()
        self.trials = trials

    def test_dataloader(self) -> DataLoader[Trial]:
        """Called by the Trainer once the processes know their ranks."""
        rank, world = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        share = _share(len(self.trials), rank, world)
        return DataLoader(self.trials, batch_size=1, sampler=share, collate_fn=_only)

    val_dataloader = predict_dataloader = test_dataloader


def _share(trials: int, rank: int, world: int) -> list[int]:
    """A process's share of the trials: each trial once, shares of equal length, -1 where there is none left.

    Lightning's own sampler repeats trials to make the shares equal, and the repeated ones would count twice.
    """
    return [k if k < trials else -1 for k in range(rank, -(-trials // world) * world, world)]


def _only(trials: list[Any]) -> Any:
    return trials[0]
