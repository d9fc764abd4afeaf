"""The data module of the puppets: clips are rendered when they are first needed, and kept as prepared clips."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import numpy as np
from rich.progress import track

from datamodules.base import ClipDataModule, Split, TrialSpec
from datamodules.puppets.protocol import Imitation, Protocol, Take, protocol
from datamodules.puppets.rendering import Performance, background, render
from datamodules.views import Excerpt
from motioncopy.errors import ClipError
from motioncopy.footage.clips import Backend, Clip, ClipWriter
from motioncopy.request import Regime

#: Raised by any change of the renderer that moves a pixel: clips rendered before are then not used.
RENDERER = "1"
_CHUNK = 20


class Puppets(ClipDataModule):
    """Rendered people with exact truth, also where one imitates another.

    Args:
        regime: ``personal`` trains on one person's training motions and tests on that person; ``general`` trains on
            the training people and tests on the others.
        person: Whom, in the personal regime.
        workers: Loader processes.
        size: (height, width) at which clips are rendered; methods crop and shrink.
        cache: Where rendered clips are kept.
        flow: Whether clips hold the optical flow too.
        max_frames: Cuts every clip to so many frames; for trying things out, and named in the protocol's id.

    Raises:
        DataError: If there is no such person.
    """

    def __init__(
        self,
        *,
        regime: Regime = "personal",
        person: str | None = None,
        workers: int = 0,
        size: tuple[int, int] = (192, 192),
        cache: str = "data/puppets",
        flow: bool = False,
        max_frames: int | None = None,
    ) -> None:
        super().__init__(regime=regime, person=person, workers=workers, flow=flow)
        self.size, self.cache, self.max_frames = (size[0], size[1]), Path(cache), max_frames
        self.rules: Protocol = protocol()

    @property
    def protocol(self) -> str:
        """``puppets@<version>``; ``puppets-cut<n>@<version>`` where clips are cut."""
        if self.max_frames is None:
            return self.rules.name
        return f"{self.rules.id}-cut{self.max_frames}@{self.rules.version}"

    def people(self) -> list[str]:
        """Everyone, the default person first."""
        everyone = list(dict.fromkeys(t.person for t in self.rules.train))
        return sorted(everyone, key=lambda name: name != self.rules.default_person)

    def prepare_data(self) -> None:
        """Renders what is needed and not there yet."""
        takes = [*self._train_takes(), *self._reconstruction()]
        for imitation in self._imitation():
            takes += [imitation.driving, imitation.truth]
        missing = [t for t in dict.fromkeys(takes) if not self._path(t).exists()]
        for take in track(missing, description="Rendering puppets", transient=True) if missing else ():
            self._clip(take)

    def train_excerpts(self) -> list[Excerpt]:
        """Training motions of the person, or of all training people."""
        return [self._excerpt(t) for t in self._train_takes()]

    def trial_specs(self, split: Split) -> list[TrialSpec]:
        """Own and imitated test motions of the person, or of all test people."""
        if split == "val":
            takes = [t for t in self.rules.val if self._validated(t.person)]
            return [
                TrialSpec(f"val-{t.name}", "reconstruction", self._shown(t.person), own := self._excerpt(t), own)
                for t in takes
            ]
        specs = []
        for take in self._reconstruction():
            own = self._excerpt(take)
            specs.append(
                TrialSpec(f"{take.person}-{take.motion}", "reconstruction", self._shown(take.person), own, own)
            )
        for i in self._imitation():
            name = f"{i.person}-as-{i.driver}-{i.motion}"
            driving, truth = self._excerpt(i.driving), self._excerpt(i.truth)
            specs.append(TrialSpec(name, "imitation", self._shown(i.person), driving, truth))
        return specs

    def one_camera(self, person: str) -> list[Excerpt]:
        """Every puppet has its own place and camera."""
        if self.regime == "general" and person in self.rules.test_people:
            return [self._shown(person)]
        return [self._excerpt(t) for t in self.rules.train if t.person == person]

    def _tested(self, person: str) -> bool:
        return person == self.person if self.regime == "personal" else person in self.rules.test_people

    def _validated(self, person: str) -> bool:
        # Whatever is chosen on validation must not have seen the test people.
        return person == self.person if self.regime == "personal" else person not in self.rules.test_people

    def _reconstruction(self) -> Iterable[Take]:
        return [t for t in self.rules.reconstruction if self._tested(t.person)]

    def _imitation(self) -> Iterable[Imitation]:
        return [i for i in self.rules.imitation if self._tested(i.person)]

    def _train_takes(self) -> list[Take]:
        if self.regime == "personal":
            return [t for t in self.rules.train if t.person == self.person]
        return [t for t in self.rules.train if t.person not in self.rules.test_people]

    def _shown(self, person: str) -> Excerpt:
        """What is known of a tested person: their training clips' first, which no trial shows."""
        return self._excerpt(next(t for t in self.rules.train if t.person == person))

    def _excerpt(self, take: Take) -> Excerpt:
        clip = self._clip(take)
        return Excerpt(clip, 0, len(clip))

    def _path(self, take: Take) -> Path:
        height, width = self.size
        folder = f"v{RENDERER}-{height}x{width}{'-flow' if self.flow else ''}"
        return self.cache / folder / f"{take.name}-{self._frames(take)}"

    def _frames(self, take: Take) -> int:
        return take.frames if self.max_frames is None else min(take.frames, self.max_frames)

    def _clip(self, take: Take) -> Clip:
        """The rendered clip; rendered now if it is not there."""
        path = self._path(take)
        if not path.exists():
            self._render(take, path)
        return Clip.open(path)

    def _render(self, take: Take, path: Path) -> None:
        frames = self._frames(take)
        performance = Performance(take.person, take.motion, take.seed, frames, self.rules.fps, self.size)
        backend = Backend("puppets", f"{RENDERER} ({version('motioncopy')})")
        parts = ("mask", "parsing", "flow") if self.flow else ("mask", "parsing")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with ClipWriter(
                path,
                clip_id=take.name,
                person=take.person,
                fps=self.rules.fps,
                size=self.size,
                skeleton="body25",
                source=None,
                backends=dict.fromkeys(("images", "joints", *parts, "background"), backend),
                parts=parts,
            ) as writer:
                for first in range(0, frames, _CHUNK):
                    shots = [render(performance, i, flow=self.flow) for i in range(first, min(first + _CHUNK, frames))]
                    writer.append(
                        np.stack([s.image for s in shots]),
                        np.stack([s.joints for s in shots]),
                        np.stack([s.mask for s in shots]),
                        parsing=np.stack([s.parsing for s in shots]),
                        flow=np.stack([s.flow for s in shots if s.flow is not None]) if self.flow else None,
                        hand_left=np.stack([s.hand_left for s in shots]),
                        hand_right=np.stack([s.hand_right for s in shots]),
                        face=np.stack([s.face for s in shots]),
                    )
                writer.set_background(background(take.person, self.size))
        except ClipError:
            if not path.exists():  # else another process was first with the same clip
                raise
