"""Data sets that lie on disk in the layout in which their authors gave them out.

A data set finds its recordings; each is turned into a prepared clip when it is first needed, with the annotations that
came with it and with perception for what did not. From there on all data sets are alike.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

from datamodules.base import ClipDataModule, Split, TrialSpec
from datamodules.protocols import OfficialTrial, Protocol, protocol
from datamodules.views import Box, Excerpt, person_box
from motioncopy.errors import DataError
from motioncopy.files.documents import read_json
from motioncopy.files.schema import Size, Text, validated
from motioncopy.footage import Footage
from motioncopy.footage.clips import Clip
from motioncopy.footage.prepare import Backends, Recording, prepare_recordings
from motioncopy.request import DataRequest, Regime

#: Stands in the root of a miniature, so that nobody takes its scores for the data set's.
MINIATURE = "miniature.json"

# Room around a person of whom one frame is known, as shares of the covered height; raised and stretched arms need 0.3.
_ROOM = (0.3, 0.24, 0.18, 0.12, 0.06, 0.0)


@dataclass(frozen=True)
class Marker:
    """What :data:`MINIATURE` holds.

    Attributes:
        data: The data set whose layout it has.
        miniature: Version of the miniatures.
    """

    data: Text
    miniature: Size = 1


@dataclass(frozen=True)
class NativeRecording:
    """One sequence of a data set, as it lies there.

    Attributes:
        id: A plain name, unique within the data set; also the name of its prepared clip.
        person: Who is in it; two outfits are two people, for what a model has to show.
        split: The split of the data set's authors.
        open: Opens the frames.
        backends: Makes what reads its annotations, and perception where there are none. Called when it is prepared.
    """

    id: str
    person: str
    split: Literal["train", "test"]
    open: Callable[[], Footage]
    backends: Callable[[], Backends]


class NativeData(ClipDataModule):
    """A data set on disk.

    *Personal* regime: the people are those of the test split. A model trains on the first part of each clip of its
    person, and is tested on the last part (reconstruction) and on the last part of a clip of another person
    (imitation; the protocol says whose, :meth:`driving` which). *General* regime: a model trains on all clips of the
    training split; it is tested on people it never saw, by :meth:`general_trials`.

    Args:
        root: The data set's folder.
        prepared: Where prepared clips are kept.
        max_size: Longest side of prepared frames in pixels.
        regime: See :class:`datamodules.base.ClipDataModule`.
        person: Whom to train on in the personal regime; the first by default.
        workers: Loader processes.
        flow: Whether clips hold the optical flow too.
    """

    #: The data set's name: of its config and of its protocol.
    data_set: ClassVar[str]
    #: Where the data set can be had, in a sentence.
    origin: ClassVar[str]
    #: What a clip holds beside frames, joints and background, where no flow is asked for.
    parts: tuple[str, ...] = ("mask", "parsing")

    def __init__(
        self,
        root: str | None = None,
        *,
        prepared: str = "data/prepared",
        max_size: int = 512,
        regime: Regime = "personal",
        person: str | None = None,
        workers: int = 0,
        flow: bool = False,
    ) -> None:
        super().__init__(regime=regime, person=person, workers=workers, flow=flow)
        if flow:
            self.parts = (*self.parts, "flow")
        if not root or not Path(root).is_dir():
            raise DataError(
                f"the data set {self.data_set} is not here",
                expected=f"a folder with {self.layout()}",
                found=f"no folder {root}" if root else "no DATA_ROOT",
                remedy=f"{self.origin} Then give DATA_ROOT=DIR (make bench) or --data.root DIR; or run on a miniature "
                "in the same layout: SAMPLE=1 (make bench), or what "
                f"`motioncopy sample {self.data_set} --out DIR` has written",
            )
        self.root, self.max_size = Path(root), max_size
        key = hashlib.sha256(str(self.root.resolve()).encode()).hexdigest()[:8]
        self.prepared = Path(prepared) / f"{self.data_set}-{key}-{max_size}"
        self.rules: Protocol = protocol(self.data_set)
        self._clips: dict[str, Clip] = {}
        self._ready: set[str] = set()  # whose clips need not be looked at again: that reads all of their files
        self._splits: dict[str, tuple[Excerpt, Excerpt]] = {}

    # -- what a data set provides ---------------------------------------------------------------------------------

    @classmethod
    @abstractmethod
    def layout(cls) -> str:
        """What its root must hold, as a clause for messages."""

    @abstractmethod
    def find(self) -> Iterable[NativeRecording]:
        """Looks through the root.

        Raises:
            DataError: If something is missing or not as it should be; the message names the file.
        """

    def general_trials(self) -> list[TrialSpec]:
        """Test trials of the general regime: the protocol's own, if it has some.

        Else, and for a miniature, which does not hold their clips: from each test clip's first frame, its own motion;
        from each person's first one, another's.

        Raises:
            DataError: If a clip is shorter than a trial of the protocol asks for.
        """
        if self.rules.trials and not self.miniature:
            return [self._official(trial) for trial in self.rules.trials]
        specs, people = [], self._people("test")
        drivers = self.rules.drivers(list(people))
        for person, ids in people.items():
            shown = self._first_frame(ids[0])
            for name in ids:
                own = self.whole(name)
                specs.append(TrialSpec(f"{name}-own", "reconstruction", self._first_frame(name), own, own))
            for driver in drivers[person]:
                motion = self.whole(self.driving(driver))
                specs.append(TrialSpec(f"{person}-as-{driver}", "imitation", shown, motion, None))
        return specs

    def driving(self, person: str) -> str:
        """The recording of a test person that others imitate: the first."""
        return self._people("test")[person][0]

    # -- what follows from it -------------------------------------------------------------------------------------

    @cached_property
    def miniature(self) -> bool:
        """Whether the root holds a miniature that ``motioncopy sample`` wrote.

        Raises:
            DataError: If it is another data set's miniature, or what says so is damaged.
        """
        path = self.root / MINIATURE
        if not path.is_file():
            return False
        remedy = "write the miniature anew"
        content = read_json(path, error=DataError, remedy=remedy)
        marker = validated(Marker, content, error=DataError, what=f"{path} is damaged", remedy=remedy)
        if (found := marker.data) != self.data_set:
            raise DataError(f"{self.root} holds a miniature of another data set", expected=self.data_set, found=found)
        return True

    @property
    def protocol(self) -> str:
        """``<id>@<version>``; ``<id>-miniature@<version>`` for a miniature."""
        return f"{self.rules.id}{'-miniature' if self.miniature else ''}@{self.rules.version}"

    @cached_property
    def recordings(self) -> dict[str, NativeRecording]:
        """All recordings by id, sorted.

        Raises:
            DataError: See :meth:`find`; and if it is half a data set.
        """
        found = sorted(self.find(), key=lambda r: r.id)
        twice = sorted(name for name, count in Counter(r.id for r in found).items() if count > 1)
        if twice:
            raise DataError(f"{self.root} holds two recordings of one name", found=", ".join(twice))
        for split, count in self.rules.recordings.items():
            there = sum(r.split == split for r in found)
            if there != count and not self.miniature:
                raise DataError(
                    f"{self.root} is not the whole data set {self.data_set}",
                    expected=f"{count} recordings of the {split} split",
                    found=there,
                    remedy="unpack or download the rest; a part of it can be used as DATA=folder",
                )
        return {r.id: r for r in found}

    def prepare_data(self) -> None:
        """Prepares the clips that this run needs and that are not prepared yet."""
        self._prepare(self._needed())

    def people(self) -> list[str]:
        """The people of the test split."""
        return list(self._people("test"))

    def train_excerpts(self) -> list[Excerpt]:
        """Training frames: the first part of the person's clips, or all clips of the training split."""
        if self.regime == "general":
            return [self.whole(r.id) for r in self.recordings.values() if r.split == "train"]
        assert self.person is not None
        return [self._halves(name)[0] for name in self._people("test")[self.person]]

    def trial_specs(self, split: Split) -> list[TrialSpec]:
        """Test trials; there is no validation split."""
        if split == "val":
            raise DataError(f"{self.data_set} has no validation split", remedy="use the test split")
        if self.regime == "general":
            return self.general_trials()
        assert self.person is not None
        people = self._people("test")
        own = [self._halves(name) for name in people[self.person]]
        specs = [TrialSpec(f"{test.clip.id}-own", "reconstruction", train, test, test) for train, test in own]
        for driver in self.rules.drivers(list(people))[self.person]:
            _, motion = self._halves(self.driving(driver))
            specs.append(TrialSpec(f"{self.person}-as-{driver}", "imitation", own[0][0], motion, None))
        return specs

    def box(self, excerpt: Excerpt, request: DataRequest) -> Box | None:
        """See :class:`datamodules.base.ClipDataModule`.

        One frame does not show how far its person will reach: around the person goes as much room as the frame has, up
        to what stretched arms need.
        """
        found = super().box(excerpt, request)
        if found is not None or request.crop != "person" or len(excerpt) > 1:
            return found
        height, width = excerpt.clip.size
        boxes = (person_box([excerpt], request.image_size, margin=margin) for margin in _ROOM)
        return next((b for b in boxes if min(b[:2]) >= 0 and b[2] <= width and b[3] <= height), None)

    def whole(self, name: str) -> Excerpt:
        """All frames of a recording."""
        clip = self.clip(name)
        return Excerpt(clip, 0, len(clip))

    def clip(self, name: str) -> Clip:
        """The prepared clip of a recording; prepared now if it is not there."""
        if name not in self._clips:
            self._prepare([name])
            self._clips[name] = Clip.open(self.prepared / name)
        return self._clips[name]

    def _prepare(self, names: Iterable[str]) -> None:
        wanted = [self.recordings[name] for name in names if name not in self._ready]
        jobs = [Recording(r.id, r.open, person=r.person, backends=r.backends) for r in wanted]
        for result in prepare_recordings(jobs, self.prepared, max_size=self.max_size, parts=self.parts):
            if result.error is not None:
                raise result.error
            self._ready.add(result.name)

    def _needed(self) -> list[str]:
        if self.regime == "general":
            return list(self.recordings)
        assert self.person is not None
        people = self._people("test")
        return [*people[self.person], *(self.driving(d) for d in self.rules.drivers(list(people))[self.person])]

    def _people(self, split: Literal["train", "test"]) -> dict[str, list[str]]:
        """Recordings of each person of a split."""
        found: dict[str, list[str]] = {}
        for r in self.recordings.values():
            if r.split == split:
                found.setdefault(r.person, []).append(r.id)
        return dict(sorted(found.items()))

    def _first_frame(self, name: str) -> Excerpt:
        return Excerpt(self.clip(name), 0, 1)

    def _official(self, trial: OfficialTrial) -> TrialSpec:
        shown, driver, source = self.clip(trial.recording), self.clip(trial.driver), trial.sources[0]
        for clip, needed in ((shown, source + 1), (driver, trial.stop)):
            if needed > len(clip):
                raise DataError(
                    f"{clip.id} is too short for trial {trial.id} of {self.protocol}",
                    expected=f"at least {needed} frames",
                    found=len(clip),
                    remedy="unpack or download the recording again: the trials are not cut to what is there",
                )
        motion = Excerpt(driver, trial.start, trial.stop)
        truth = motion if trial.kind == "reconstruction" else None
        real = Excerpt(shown, trial.flag[0], min(trial.flag[1], len(shown))) if trial.flag is not None else None
        return TrialSpec(trial.id, trial.kind, Excerpt(shown, source, source + 1), motion, truth, real)

    def _halves(self, name: str) -> tuple[Excerpt, Excerpt]:
        if name not in self._splits:
            self._splits[name] = self.rules.chronological.split(self.clip(name))
        return self._splits[name]
