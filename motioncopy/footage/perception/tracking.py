"""The main person, where several are in view: whose boxes are followed, and what happens when they are lost.

The rule:

1. Everybody is followed, not just the main person, so that somebody who passes by keeps their own box. Each person's
   box is expected where it would be at constant velocity; expected and seen boxes are paired one to one such that
   their likeness is greatest in sum (Kuhn and Munkres, as in Bewley et al., Simple Online and Realtime Tracking,
   ICIP 2016). Likeness is the mean of the boxes' intersection over union and of the nearness of their centres (1 at
   distance 0, 0 from one diagonal on); pairs below 0.3 are no pairs.
2. A box of score 0.5 or more that continues nobody is somebody new; fainter ones, down to 0.3, only continue people.
3. The main person is the one with the largest box in the first frame in which anybody is seen.
4. While the main person is not seen, somebody new within reach is taken for them: within one diagonal, and a tenth
   more for each frame since.
5. Who is not seen for 30 frames is forgotten. If that is the main person, the largest box is chosen anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Array = NDArray[np.floating]

#: Least score of a box that continues somebody, and of one that is somebody new.
CONTINUES, BEGINS = 0.3, 0.5
#: Frames after which who is not seen is forgotten.
PATIENCE = 30
_LEAST_LIKENESS = 0.3
_REACH_GROWTH = 0.1
# How much of the velocity is what the last frame showed: boxes jitter.
_NEWEST = 0.5


@dataclass(frozen=True)
class Person:
    """Somebody who is followed.

    Attributes:
        box: ``(4,)``: left, top, right and bottom, in pixels, when last seen.
        velocity: ``(2,)``: pixels per frame of the box's centre.
        age: Frames since first seen.
        missed: Frames since last seen.
        main: Whether this is the main person; at most one is.
    """

    box: Array
    velocity: Array
    age: int = 0
    missed: int = 0
    main: bool = False

    @property
    def expected(self) -> Array:
        """Where the box should be in the next frame."""
        return self.box + np.tile(self.velocity, 2) * (self.missed + 1)

    def seen(self, box: Array) -> Person:
        """The same person, a frame later, in this box."""
        moved = (_centre(box) - _centre(self.box)) / (self.missed + 1)
        velocity = moved if self.age == 0 else (1 - _NEWEST) * self.velocity + _NEWEST * moved
        return replace(self, box=box, velocity=velocity, age=self.age + 1, missed=0)

    def unseen(self) -> Person:
        """The same person, a frame later."""
        return replace(self, age=self.age + 1, missed=self.missed + 1)


def follow(people: tuple[Person, ...], boxes: Array, scores: Array) -> tuple[tuple[Person, ...], int | None]:
    """Takes in the people seen in the next frame.

    Args:
        people: Those followed so far; empty before the first frame.
        boxes: ``(k, 4)``: left, top, right and bottom in pixels, in any order.
        scores: ``(k,)`` in [0, 1].

    Returns:
        Those followed now, and the index of the main person's box; ``None`` if they are not seen.
    """
    expected = np.array([person.expected for person in people]).reshape(-1, 4)
    likeness = np.where(scores >= CONTINUES, _likeness(expected, boxes), 0)
    owners = {int(b): int(p) for p, b in zip(*linear_sum_assignment(-likeness), strict=True)}
    owners = {b: p for b, p in owners.items() if likeness[p, b] >= _LEAST_LIKENESS}

    # Those in view stand with the box that they were seen in.
    now = [(people[p].seen(boxes[b]), b) for b, p in owners.items()]
    now += [(Person(boxes[b], np.zeros(2)), int(b)) for b in np.flatnonzero(scores >= BEGINS) if int(b) not in owners]
    gone = [person.unseen() for p, person in enumerate(people) if p not in owners.values()]
    gone = [person for person in gone if person.missed <= PATIENCE]

    lost = next((person for person in gone if person.main), None)
    if lost is not None and (again := _found_again(lost, [person for person, _ in now])) is not None:
        gone = [person for person in gone if person is not lost]
        now[again] = (replace(now[again][0], main=True), now[again][1])
    elif lost is None and now and not any(person.main for person, _ in now):
        largest = max(range(len(now)), key=lambda i: _area(now[i][0].box))
        now[largest] = (replace(now[largest][0], main=True), now[largest][1])
    main = next((b for person, b in now if person.main), None)
    return (*(person for person, _ in now), *gone), main


def _found_again(lost: Person, seen: list[Person]) -> int | None:
    """Who of those seen may be the one who was lost: the nearest who came into view since, if within reach."""
    reach = _diagonal(lost.box) * (1 + _REACH_GROWTH * lost.missed)
    distances = [
        (float(np.linalg.norm(_centre(person.box) - _centre(lost.box))), i)
        for i, person in enumerate(seen)
        if person.age < lost.missed
    ]
    distance, nearest = min(distances, default=(np.inf, None))
    return nearest if distance <= reach else None


def _likeness(expected: Array, boxes: Array) -> Array:
    """``(p, k)`` in [0, 1]."""
    a, b = expected[:, None], boxes[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    common = sides.clip(min=0).prod(axis=-1)
    union = _area(a) + _area(b) - common
    overlap = common / np.maximum(union, 1e-9)
    distance = np.linalg.norm(_centre(a) - _centre(b), axis=-1)
    nearness = 1 - distance / np.maximum(_diagonal(a), 1e-9)
    return np.asarray((overlap + nearness.clip(min=0)) / 2)


def _centre(box: Array) -> Array:
    return np.asarray((box[..., :2] + box[..., 2:]) / 2)


def _area(box: Array) -> Array:
    return np.asarray((box[..., 2:] - box[..., :2]).prod(axis=-1))


def _diagonal(box: Array) -> Array:
    return np.asarray(np.linalg.norm(box[..., 2:] - box[..., :2], axis=-1))
