"""Two clips: whom to show, and whose motion. What ``motioncopy copy`` trains and generates on."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from datamodules.base import ClipDataModule, Split, TrialSpec
from datamodules.views import Excerpt
from motioncopy.errors import DataError
from motioncopy.footage.clips.clip import Clip
from motioncopy.request import Regime

#: Frames of a clip that a model can be trained on.
_LEAST = 20


class Pair(ClipDataModule):
    """Trains on all frames of one prepared clip; its only trial is the other clip's whole motion, without a truth.

    Args:
        appearance: Prepared clip of the person to show.
        motion: Prepared clip of the motion.
        regime: See :class:`datamodules.base.ClipDataModule`; in the general one there is nothing to train on here.
        person: The appearance clip's person, or ``None``.
        workers: Loader processes.
        flow: Ignored: flow serves training alone, and no personal method asks for it.

    Raises:
        DataError: If a clip is not named.
    """

    def __init__(
        self,
        appearance: str = "",
        motion: str = "",
        *,
        regime: Regime = "personal",
        person: str | None = None,
        workers: int = 0,
        flow: bool = False,
    ) -> None:
        super().__init__(regime=regime, person=person, workers=workers, flow=flow)
        if not appearance or not motion:
            raise DataError("a pair needs two prepared clips", remedy="use `motioncopy copy`")
        self.paths = Path(appearance), Path(motion)

    @cached_property
    def clips(self) -> tuple[Clip, Clip]:
        """The clip of the person, and the clip of the motion."""
        shown, driver = (Clip.open(p) for p in self.paths)
        return shown, driver

    @property
    def protocol(self) -> str:
        """One person, one motion."""
        return "pair@1"

    def people(self) -> list[str]:
        """The person shown."""
        return [self.clips[0].person]

    def train_excerpts(self) -> list[Excerpt]:
        """The whole appearance clip.

        Raises:
            DataError: If it is too short, or if many people are needed.
        """
        if self.regime == "general":
            raise DataError(
                "one person is not enough to train a method for all",
                remedy="train it first, for instance by `make bench METHOD=remot`, and give `motioncopy copy` its "
                "--checkpoint runs/<run>/method.ckpt",
            )
        shown, _ = self.clips
        if len(shown) < _LEAST:
            raise DataError(
                f"clip {shown.id} is too short to train on",
                expected=f"at least {_LEAST} frames",
                found=len(shown),
                remedy="record a longer video of the person",
            )
        return [self._shown]

    @property
    def _shown(self) -> Excerpt:
        return Excerpt(self.clips[0], 0, len(self.clips[0]))

    def trial_specs(self, split: Split) -> list[TrialSpec]:
        """The whole motion clip."""
        shown, driver = self.clips
        own = shown.person == driver.person
        return [
            TrialSpec(
                f"{shown.id}-as-{driver.id}",
                "reconstruction" if own else "imitation",
                self._shown,
                Excerpt(driver, 0, len(driver)),
                None,
            )
        ]
