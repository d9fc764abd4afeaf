"""The user's own videos: any folder of videos or prepared clips."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path

from datamodules.base import ClipDataModule, Split, TrialSpec
from datamodules.chronological import Chronological
from datamodules.views import Excerpt
from motioncopy.errors import DataError
from motioncopy.footage import VIDEO_SUFFIXES
from motioncopy.footage.clips import Clip, find_clips
from motioncopy.footage.prepare import prepare
from motioncopy.request import Regime


class Folder(ClipDataModule):
    """Every clip is split by time: training frames first, a gap, then the test frames.

    Each clip's person is the clip's name unless it was prepared with another. The trials are the person's own held-out
    frames (reconstruction) and the next person's held-out motion (imitation, for which no truth exists).

    *Personal* regime: a model trains on the person's own training frames. *General* regime: it trains on those of all
    others, and sees one image of the person.

    Args:
        root: A folder of videos, of prepared clips, or of both.
        prepared: Where prepared clips of the videos are kept.
        max_size: Longest side of prepared frames in pixels.
        test_share: The last part of every clip, held out.
        gap: Frames between training and test that belong to neither: neighbours are near copies.
        regime: See :class:`datamodules.base.ClipDataModule`.
        person: Who is tested, and in the personal regime trained on; the first clip's by default.
        workers: Loader processes.
        flow: Whether clips hold the optical flow too.

    Raises:
        DataError: If the folder is not there, holds nothing, or a clip is too short to be split.
    """

    def __init__(
        self,
        root: str | None = None,
        *,
        prepared: str = "data/prepared",
        max_size: int = 512,
        test_share: float = 0.2,
        gap: int = 2,
        regime: Regime = "personal",
        person: str | None = None,
        workers: int = 0,
        flow: bool = False,
    ) -> None:
        super().__init__(regime=regime, person=person, workers=workers, flow=flow)
        if not root:
            raise DataError(
                "the folder data set needs a folder", remedy="give DATA_ROOT=DIR (make bench) or --data.root DIR"
            )
        self.root, self.max_size = Path(root), max_size
        self.parts = ("mask", "parsing", "flow") if flow else ("mask", "parsing")
        # One prepared folder for each source folder: two folders can hold videos of the same name.
        name = f"{self.root.name}-{hashlib.sha256(str(self.root.resolve()).encode()).hexdigest()[:8]}"
        self.prepared = Path(prepared) / f"{name}-{max_size}"
        self.rule = Chronological(test_share, gap)

    @property
    def protocol(self) -> str:
        """The split by time."""
        return "folder-chronological@1"

    def prepare_data(self) -> None:
        """Prepares every video that is not prepared yet."""
        _ = self._clips

    @cached_property
    def _clips(self) -> dict[str, Clip]:
        if not self.root.is_dir():
            raise DataError(f"there is no folder {self.root}", remedy="correct DATA_ROOT")
        folders = find_clips(self.root)
        videos = sorted(p for p in self.root.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES)
        if not folders and not videos:
            raise DataError(
                f"{self.root} holds neither videos nor prepared clips",
                expected=f"files ending in {', '.join(sorted(VIDEO_SUFFIXES))}, or folders with a manifest.json",
                remedy="point DATA_ROOT at the folder that holds the videos themselves",
            )
        if videos:
            prepare(videos, self.prepared, max_size=self.max_size, parts=self.parts)
            folders += [self.prepared / v.stem for v in videos]
        clips = [Clip.open(f) for f in folders]
        names = [c.person for c in clips]
        if len(set(names)) < len(names):
            raise DataError(f"two clips in {self.root} show the same person", found=sorted(names),
                            remedy="keep one clip a person, or name them apart")  # fmt: skip
        return {c.person: c for c in clips}

    def people(self) -> list[str]:
        """One person a clip."""
        return list(self._clips)

    @property
    def tested(self) -> str:
        """Whom the trials show, in both regimes."""
        return self.chosen(self._person)

    @property
    def _nearby(self) -> str:
        """Whose motion is imitated: the next one's, who may be the same."""
        people = self.people()
        return people[(people.index(self.tested) + 1) % len(people)]

    @cached_property
    def _splits(self) -> dict[str, tuple[Excerpt, Excerpt]]:
        people = self.people()
        needed = {self.tested, self._nearby} if self.regime == "personal" else people
        return {name: self.rule.split(self._clips[name]) for name in sorted(needed)}

    def train_excerpts(self) -> list[Excerpt]:
        """The first part of the person's clip, or of everybody else's.

        Raises:
            DataError: If there is nobody else.
        """
        if self.regime == "personal":
            return [self._splits[self.tested][0]]
        if len(self._splits) == 1:
            raise DataError(
                f"{self.root} holds nobody to train a general model on",
                expected="clips of two people or more, of whom one is tested",
                found=f"{self.tested} alone",
                remedy="add videos of other people, or use a personal method",
            )
        return [train for name, (train, _) in self._splits.items() if name != self.tested]

    def trial_specs(self, split: Split) -> list[TrialSpec]:
        """The held-out part of the person's clip, and of the next person's clip as a motion to imitate."""
        if split == "val":
            raise DataError("a folder of videos has no validation split", remedy="use the test split")
        nearby = self._nearby
        train, test = self._splits[self.tested]
        specs = [TrialSpec(f"{self.tested}-own", "reconstruction", train, test, test)]
        if nearby != self.tested:
            motion = self._splits[nearby][1]
            specs.append(TrialSpec(f"{self.tested}-as-{nearby}", "imitation", train, motion, None))
        return specs
