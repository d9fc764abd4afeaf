"""Two clips: whom to show, and whose motion. What ``motioncopy copy`` trains and generates on."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from datamodules.base import ClipDataModule, Split, TrialSpec
from datamodules.views import Excerpt
from motioncopy.clips.clip import Clip
from motioncopy.errors import DataError
from motioncopy.request import Regime


class Pair(ClipDataModule):
    """Trains on all frames of one prepared clip; its only trial is the other clip's whole motion, without a truth.

    Args:
        appearance: Prepared clip of the person to show.
        motion: Prepared clip of the motion.
        regime: See :class:`datamodules.base.ClipDataModule`; personal only.
        person: The appearance clip's person, or ``None``.
        workers: Loader processes.

    Raises:
        DataError: If a clip is not named, or the appearance clip is too short to train on.
    """

    def __init__(
        self,
        appearance: str = "",
        motion: str = "",
        *,
        regime: Regime = "personal",
        person: str | None = None,
        workers: int = 0,
    ) -> None:
        super().__init__(regime=regime, person=person, workers=workers)
        if not appearance or not motion:
            raise DataError("a pair needs two prepared clips", remedy="use `motioncopy copy`")
        self.paths = Path(appearance), Path(motion)

    @cached_property
    def clips(self) -> tuple[Clip, Clip]:
        """The clip of the person, and the clip of the motion."""
        shown, driver = (Clip.open(p) for p in self.paths)
        if len(shown) < 20:
            raise DataError(
                f"clip {shown.id} is too short to train on",
                expected="at least 20 frames",
                found=len(shown),
                remedy="record a longer video of the person",
            )
        return shown, driver

    @property
    def protocol(self) -> str:
        """One person, one motion."""
        return "pair@1"

    def people(self) -> list[str]:
        """The person shown."""
        return [self.clips[0].person]

    def train_excerpts(self) -> list[Excerpt]:
        """The whole appearance clip."""
        shown, _ = self.clips
        return [Excerpt(shown, 0, len(shown))]

    def trial_specs(self, split: Split) -> list[TrialSpec]:
        """The whole motion clip."""
        shown, driver = self.clips
        own = shown.person == driver.person
        return [
            TrialSpec(
                f"{shown.id}-as-{driver.id}",
                "reconstruction" if own else "imitation",
                self.train_excerpts()[0],
                Excerpt(driver, 0, len(driver)),
                None,
            )
        ]
