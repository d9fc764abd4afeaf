"""The puppets' protocol: who trains on what, and what is asked of whom. Data, committed, and frozen under its version.

``datamodules/splits/puppets.json`` holds it; ``python -m datamodules.puppets.protocol`` draws it anew and prints it
(a test holds the two equal). It was fixed before any method was tuned on it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from datamodules.protocols import committed, rendered
from datamodules.puppets.motions import MOTIONS
from datamodules.puppets.people import PEOPLE
from motioncopy.errors import DataError
from motioncopy.files.schema import Count, PlainName, Size

_TEST_MOTIONS = ("wave", "kicks", "tai_chi", "disco")
_TEST_PEOPLE = 3
_DEFAULT_PERSON = "ana"
_DRAWN_FROM = 2022
_TRAIN_FRAMES, _TRIAL_FRAMES, _VAL_FRAMES = 60, 40, 30

Frames = Annotated[int, Field(ge=1, le=100_000)]


@dataclass(frozen=True)
class Take:
    """A clip: who performs what, from which seed, for how many frames."""

    person: PlainName
    motion: PlainName
    seed: Count
    frames: Frames

    @property
    def name(self) -> str:
        """The clip's id."""
        return f"{self.person}-{self.motion}-{self.seed}"


@dataclass(frozen=True)
class Imitation:
    """A person performs the motion of a driver's clip."""

    person: PlainName
    driver: PlainName
    motion: PlainName
    seed: Count
    frames: Frames

    @property
    def driving(self) -> Take:
        """What is seen of the driver."""
        return Take(self.driver, self.motion, self.seed, self.frames)

    @property
    def truth(self) -> Take:
        """What should come out."""
        return Take(self.person, self.motion, self.seed, self.frames)


@dataclass(frozen=True)
class Protocol:
    """Who is trained on, who is tested, and every clip and trial.

    Attributes:
        id: ``puppets``.
        version: Raised by any change that moves scores.
        fps: Frames per second of all clips.
        default_person: Whom a personal run shows if nobody is named.
        test_people: Whom a general model has never seen; all others are for its training.
        train: Every person's training clips; no test motion is among them.
        val: Every person's validation clips: training motions from other seeds.
        reconstruction: Every person's own test clips.
        imitation: Every person with the test motions of other people.
    """

    id: Literal["puppets"]
    version: Size
    fps: Annotated[float, Field(ge=1, le=1000)]
    default_person: PlainName
    test_people: tuple[PlainName, ...]
    train: tuple[Take, ...]
    val: tuple[Take, ...]
    reconstruction: tuple[Take, ...]
    imitation: tuple[Imitation, ...]

    def __post_init__(self) -> None:
        takes = (*self.train, *self.val, *self.reconstruction, *(i.truth for i in self.imitation))
        unknown = (
            {t.person for t in takes} | {*self.test_people, self.default_person} | {i.driver for i in self.imitation}
        )
        if unknown - set(PEOPLE) or {t.motion for t in takes} - set(MOTIONS):
            raise DataError(
                "the puppets' protocol names unknown people or motions", found=sorted(unknown - set(PEOPLE))
            )
        tested = {t.motion for t in self.reconstruction} | {i.motion for i in self.imitation}
        if tested & {t.motion for t in self.train}:
            raise DataError("a test motion of the puppets is trained on", found=sorted(tested))
        if any(i.person == i.driver for i in self.imitation):
            raise DataError("a person of the puppets imitates itself")
        if len({t.name for t in self.train}) < len(self.train):
            raise DataError("a training clip of the puppets is there twice")

    @property
    def name(self) -> str:
        """``puppets@<version>``."""
        return f"{self.id}@{self.version}"


def draw(seed: int = _DRAWN_FROM) -> Protocol:
    """Draws a protocol."""
    random = np.random.default_rng(seed)
    train_motions = [m for m in MOTIONS if m not in _TEST_MOTIONS]
    seeds = iter(random.permutation(100_000)[: 100 * len(PEOPLE)].tolist())
    train, val, own, imitated = [], [], [], []
    for k, person in enumerate(PEOPLE):
        train += [Take(person, motion, next(seeds), _TRAIN_FRAMES) for motion in train_motions]
        val += [Take(person, str(m), next(seeds), _VAL_FRAMES) for m in random.choice(train_motions, 2, replace=False)]
        own += [Take(person, motion, next(seeds), _TRIAL_FRAMES) for motion in _TEST_MOTIONS]
        others = [PEOPLE[(k + step) % len(PEOPLE)] for step in random.choice(range(1, len(PEOPLE)), 4, replace=False)]
        imitated += [
            Imitation(person, driver, motion, next(seeds), _TRIAL_FRAMES)
            for driver, motion in zip(others, _TEST_MOTIONS, strict=True)
        ]
    clips = tuple(train), tuple(val), tuple(own)
    return Protocol("puppets", 1, 25.0, _DEFAULT_PERSON, PEOPLE[-_TEST_PEOPLE:], *clips, tuple(imitated))


@cache
def protocol() -> Protocol:
    """The committed protocol; see :func:`datamodules.protocols.committed`."""
    return committed("puppets", Protocol)


if __name__ == "__main__":
    print(rendered(asdict(draw())), end="")  # noqa: T201
