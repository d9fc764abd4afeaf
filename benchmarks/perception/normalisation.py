"""How far every normalisation misses the true imitation: ``python -m benchmarks.perception.normalisation``.

Puppets perform one motion on any body, so the true joints of an imitation are known. The target's frames are those
that a personal method has (its training clips); with ``--frames 1``, one. ``as filmed`` is the committed trial: every
puppet's camera frames its person alike, which flatters ``none``. ``nearer`` and ``farther`` show the driver at 1.3 and
.6 of the size, moved up or down; the true imitation stays where it is.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from datamodules.puppets.actors import actor
from datamodules.puppets.bodies import carry, stand
from datamodules.puppets.choreography import choreograph
from datamodules.puppets.motions import MOTIONS
from datamodules.puppets.people import PEOPLE
from datamodules.puppets.protocol import Take, protocol
from motioncopy.poses import measure
from motioncopy.poses.normalise import NORMALISERS, Pair, move
from motioncopy.skeletons import BODY25

#: (scale, shift downwards in frame heights) of the driver's picture about the frame's middle.
FILMED = {"as filmed": (1.0, 0.0), "nearer": (1.3, 0.1), "farther": (0.6, -0.05)}


@dataclass(frozen=True)
class Case:
    """Who performs whose motion, and the target's known clips."""

    driver: Take
    truth: Take
    known: tuple[Take, ...]


@cache
def joints(take: Take, size: int) -> Tensor:
    """True body25 joints ``(T, 25, 3)`` of a clip in a square frame, without rendering.

    What another part of the body hides counts as seen; confidence is 0 outside the frame and for points of the face
    that look away.
    """
    who = actor(take.person)
    marks = who.landmarks["joints"]
    moves = choreograph(take.motion, take.seed, take.frames, protocol().fps)
    transforms = stand(who.rig, moves)
    world = carry(transforms, marks.bones, marks.points)
    pixels, _ = who.camera.project(world, (size, size))
    outward = np.einsum("tnij,nj->tni", transforms[:, marks.bones, :, :3], marks.outward)
    away = (outward * (np.array([0, who.camera.eye, who.camera.distance]) - world)).sum(-1) < 0
    inside = ((pixels > -0.5) & (pixels < size - 0.5)).all(-1)
    return torch.tensor(np.concatenate([pixels, (inside & ~away)[..., None]], -1), dtype=torch.float32)


def trials() -> Iterator[Case]:
    """Every committed imitation trial."""
    rules = protocol()
    for trial in rules.imitation:
        known = tuple(t for t in rules.train if t.person == trial.person)
        yield Case(trial.driving, trial.truth, known)


def development(seed: int = 7) -> Iterator[Case]:
    """Training motions from seeds that no clip has; the target's clips of the same motion are not known."""
    random = np.random.default_rng(seed)
    rules = protocol()
    for k, person in enumerate(PEOPLE):
        for motion in dict.fromkeys(t.motion for t in rules.train):
            driver = PEOPLE[(k + int(random.integers(1, len(PEOPLE)))) % len(PEOPLE)]
            number = 200_000 + int(random.integers(100_000))
            known = tuple(t for t in rules.train if t.person == person and t.motion != motion)
            yield Case(Take(driver, motion, number, 40), Take(person, motion, number, 40), known)


def different(count: int = 20) -> Iterator[Case]:
    """The pairs of people whose proportions differ most, in every test motion."""
    rules = protocol()
    tested = dict.fromkeys(t.motion for t in rules.imitation)
    pairs = [(_apart(a, b), a, b) for a in PEOPLE for b in PEOPLE if a != b]
    for _, driver, person in sorted(pairs, reverse=True)[:count]:
        known = tuple(t for t in rules.train if t.person == person)
        for motion in tested:
            number = 300_000 + MOTIONS.index(motion)
            yield Case(Take(driver, motion, number, 40), Take(person, motion, number, 40), known)


SETS = {"trials": trials, "different": different, "development": development}


def errors(case: Case, names: Sequence[str], size: int, *, scale: float, down: float, frames: int | None) -> Tensor:
    """Mean distance to the true joint in pixels and in % of the target's stature, ``(names, 2)``.

    Args:
        case: What is moved.
        names: Normalisations.
        size: Height and width of the frames.
        scale: Of the driver's picture about the frame's middle.
        down: Shift of the driver's picture in frame heights.
        frames: How many of the target's frames are known, spread over its clips; all if ``None``.
    """
    source, truth = joints(case.driver, size), joints(case.truth, size)
    seen = (source[..., 2] > 0) & (truth[..., 2] > 0)
    known = torch.cat([joints(take, size) for take in case.known])
    body = measure.stature(known, BODY25)
    stature = body.height[body.valid].quantile(0.95)
    if frames is not None:
        known = known[torch.linspace(0, len(known) - 1, frames + 2)[1:-1].long()]
    middle = (size - 1) / 2
    filmed = source.clone()
    filmed[..., :2] = middle + scale * (source[..., :2] - middle)
    filmed[..., 1] += down * size
    pair = Pair(filmed, known, BODY25, (size, size), (size, size))
    rows = []
    for name in names:
        moved = move(name, pair)(filmed)
        away = torch.linalg.vector_norm(moved[..., :2] - truth[..., :2], dim=-1)[seen].mean()
        rows.append(torch.stack([away, 100 * away / stature]))
    return torch.stack(rows)


def table(which: str, size: int, frames: int | None) -> str:
    """The table of one set of cases, Markdown."""
    cases, names = list(SETS[which]()), list(NORMALISERS)
    found = {
        how: torch.stack([errors(c, names, size, scale=scale, down=down, frames=frames) for c in cases]).mean(dim=0)
        for how, (scale, down) in FILMED.items()
    }
    lines = [
        "| normalisation | " + " | ".join(FILMED) + " |",
        "|---|" + "---:|" * len(FILMED),
        *(
            f"| `{name}` | " + " | ".join(f"{e[i, 0]:.2f} px, {e[i, 1]:.2f}%" for e in found.values()) + " |"
            for i, name in enumerate(names)
        ),
    ]
    known = "all their training frames" if frames is None else f"{frames} of their frames"
    return f"**{which}**: {len(cases)} cases, {size} x {size}, targets known from {known}\n\n" + "\n".join(lines)


def _apart(a: str, b: str) -> float:
    """How much two people's proportions differ; their height is what the camera takes out."""
    shapes = [np.log([x.legs, x.arms, x.shoulders, x.hips, x.head]) for x in (actor(name).rig.body for name in (a, b))]
    return float(np.linalg.norm(shapes[0] - shapes[1]))


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description="Error of every normalisation against true imitations.")
    parser.add_argument("--sets", nargs="+", choices=tuple(SETS), default=["trials", "different"])
    parser.add_argument("--size", type=int, default=192, help="height and width of the frames (default: %(default)s)")
    parser.add_argument("--frames", type=int, default=None, help="known frames of the target (default: all)")
    args = parser.parse_args()
    logging.getLogger("motioncopy.poses.retarget").setLevel(logging.ERROR)  # one line for every case otherwise
    for which in args.sets:
        print(table(which, args.size, args.frames) + "\n")


if __name__ == "__main__":
    main()
