"""Protocols of the data sets that lie on disk: data, committed under ``datamodules/splits``, and versioned.

A protocol says how many recordings a whole data set has, how a personal model's clips are split by time, who imitates
whom, and, where the data set's authors published them, which trials a general model is tested on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from datamodules.chronological import Chronological
from motioncopy.errors import DataError

_FOLDER = Path(__file__).with_name("splits")


@dataclass(frozen=True)
class OfficialTrial:
    """A trial that the authors of a data set published.

    Attributes:
        id: Unique within the protocol.
        kind: ``reconstruction`` or ``imitation``.
        recording: Whose appearance is shown.
        sources: The appearance frames' numbers, the first of which a one-image method sees.
        driver: The recording that drives.
        start: First driving frame.
        stop: One past the last.
        flag: (first, one past the last) of the recording's own frames that are the real set of FID, or ``None``.
    """

    id: str
    kind: Literal["reconstruction", "imitation"]
    recording: str
    sources: tuple[int, ...]
    driver: str
    start: int
    stop: int
    flag: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        whole = all(0 <= first < last for first, last in [(self.start, self.stop), *([self.flag] if self.flag else [])])
        if self.kind not in ("reconstruction", "imitation") or not whole or min(self.sources, default=-1) < 0:
            raise ValueError(f"trial {self.id} is none: {self}")


@dataclass(frozen=True)
class Protocol:
    """See the module.

    Attributes:
        id: The data set's name.
        version: Raised by any change that moves scores.
        origin: Where the rules come from, in a sentence.
        recordings: How many recordings of each split a whole data set has; empty where that is not known.
        chronological: How a personal model's clips are split.
        pairs: For each number n of people, in sorted order, who imitates whom: (person, driver) as ranks below n.
        trials: The authors' own test trials of general models; empty where there are none.
        held_out: Where nobody published a split: ranks, in the order of their names, of the people whom no general
            model is trained on.
    """

    id: str
    version: int
    origin: str
    recordings: Mapping[str, int] = field(default_factory=dict)
    chronological: Chronological = field(default_factory=Chronological)
    pairs: Mapping[int, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    trials: tuple[OfficialTrial, ...] = ()
    held_out: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """``<id>@<version>``."""
        return f"{self.id}@{self.version}"

    @property
    def people(self) -> int | None:
        """How many people a whole data set has personal models of: the most that pairs are committed for.

        ``None`` where it is not known what a whole data set holds: the pairs are then those of a part of it.
        """
        return max(self.pairs, default=None) if self.recordings else None

    def drivers(self, people: list[str]) -> dict[str, list[str]]:
        """For each person, who is imitated: the committed pairs, else :func:`draw_pairs` for that many people."""
        names = sorted(people)
        pairs = self.pairs.get(len(names), draw_pairs(len(names)))
        found: dict[str, list[str]] = {name: [] for name in names}
        for person, driver in pairs:
            found[names[person]].append(names[driver])
        return found


def draw_pairs(people: int, seed: int = 2022) -> tuple[tuple[int, int], ...]:
    """Everybody imitates one other, and everybody is imitated once: a random cycle.

    Args:
        people: How many there are; one person has nobody to imitate.
        seed: Of the drawing.
    """
    order = np.random.default_rng([seed, people]).permutation(people).tolist()
    if people < 2:
        return ()
    return tuple(sorted(zip(order, [*order[1:], order[0]], strict=True)))


@cache
def protocol(name: str) -> Protocol:
    """The committed protocol of a data set.

    Raises:
        DataError: If there is none of this name, or its file is damaged.
    """
    path = _FOLDER / f"{name}.json"
    if not path.is_file():
        known = sorted(p.stem for p in _FOLDER.glob("*.json"))
        raise DataError(f"there is no protocol {name!r}", expected=f"one of {', '.join(known)}")
    try:
        return parse(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"the protocol file {path.name} is damaged", found=str(error), remedy="restore it") from error


def parse(content: Mapping[str, Any]) -> Protocol:
    """A protocol from the content of its file.

    Raises:
        TypeError, KeyError, AttributeError: If a field is missing, unknown or of another kind.
        ValueError: If a value is impossible.
        DataError: If the split by time is.
    """
    rest = dict(content)
    pairs = {int(n): tuple((int(a), int(b)) for a, b in rows) for n, rows in rest.pop("pairs", {}).items()}
    for people, rows in pairs.items():
        if any(not (0 <= a < people and 0 <= b < people and a != b) for a, b in rows):
            raise ValueError(f"pairs of {people} people are wrong: {rows}")
    trials = tuple(
        OfficialTrial(**{**row, "sources": tuple(row["sources"]), "flag": tuple(row.get("flag") or ()) or None})
        for row in rest.pop("trials", [])
    )
    rule = Chronological(**rest.pop("chronological", {}))
    held_out = tuple(int(rank) for rank in rest.pop("held_out", []))
    return Protocol(**rest, chronological=rule, pairs=pairs, trials=trials, held_out=held_out)
