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
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from pydantic import Field

from datamodules.chronological import Chronological
from motioncopy.errors import DataError
from motioncopy.files.documents import read_json
from motioncopy.files.schema import Count, PlainName, Size, Text, validated

T = TypeVar("T")
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

    id: PlainName
    kind: Literal["reconstruction", "imitation"]
    recording: PlainName
    sources: Annotated[tuple[Count, ...], Field(min_length=1)]
    driver: PlainName
    start: Count
    stop: Count
    flag: tuple[Count, Count] | None = None

    def __post_init__(self) -> None:
        if any(first >= last for first, last in [(self.start, self.stop), *([self.flag] if self.flag else [])]):
            raise ValueError(f"an empty range in trial {self.id}")


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

    id: PlainName
    version: Size
    origin: Text
    recordings: Mapping[Literal["train", "test"], Count] = field(default_factory=dict)
    chronological: Chronological = field(default_factory=Chronological)
    pairs: Mapping[Count, tuple[tuple[Count, Count], ...]] = field(default_factory=dict)
    trials: tuple[OfficialTrial, ...] = ()
    held_out: tuple[Count, ...] = ()

    def __post_init__(self) -> None:
        for people, rows in self.pairs.items():
            if any(max(row) >= people or row[0] == row[1] for row in rows):
                raise ValueError(f"pairs of {people} people that are none")

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
    """The committed protocol of a data set; see :func:`committed`."""
    return committed(name, Protocol)


def committed(name: str, form: type[T]) -> T:
    """The content of a committed file.

    Raises:
        DataError: If there is none of this name, or it is damaged.
    """
    path = _FOLDER / f"{name}.json"
    if not path.is_file():
        known = sorted(p.stem for p in _FOLDER.glob("*.json"))
        raise DataError(f"there is no protocol {name!r}", expected=f"one of {', '.join(known)}")
    what = f"the protocol file {path.name} is damaged"
    content = read_json(path, error=DataError, what=what, remedy="restore it")
    return validated(form, content, error=DataError, what=what, remedy="restore it")


def rendered(content: Mapping[str, Any]) -> str:
    """The text of a file to commit: JSON with a line for each field, and for each list and object within one."""

    def lines(value: Any) -> str:
        if isinstance(value, list | tuple) and value and isinstance(value[0], dict):
            return "[\n" + ",\n".join(f"  {json.dumps(row)}" for row in value) + "\n ]"
        if isinstance(value, dict) and any(isinstance(v, list) for v in value.values()):
            return "{\n" + ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in value.items()) + "\n }"
        return json.dumps(value)

    return "{\n" + ",\n".join(f" {json.dumps(key)}: {lines(value)}" for key, value in content.items()) + "\n}\n"
