"""iPER's public test protocol, made into ours: ``python -m datamodules.iper_protocol FILE > splits/iper.json``.

``FILE`` is ``thirdparty/his_evaluators/data/iPER_protocol.json`` of svip-lab/impersonator at b041dd415157. Each of its
42 videos is to imitate itself (a reconstruction) and a driver (an imitation); ``IPERProtocol`` beside it reads it so:

- ranges include their last frame; here ``stop`` is one past it;
- ``source`` names the images that show the person, and a one-image method sees the first; the names are numbers,
  whatever their padding;
- ``flag`` names frames of the person's own video that are the real ones in the imitation's FID.

What is odd there, and how it is taken:

- Names of three, four and five digits stand beside one another: for 001/9/2 (``000.jpg``, in its list of four sources),
  024/7/1 (``0335.jpg``, ``0290.jpg``) and 024/8/2 (``00505.jpg``). Numbers are meant.
- Self-imitation of the videos that turn round ends where the turn does, not where the video does: the flags of 010/3/1
  and 012/2/1 reach beyond it (to 360 of 320 and to 595 of 265). What a flag needs is not held against a clip's length.
- ``flag`` is as long as the driving range, but not the same frames for nine of the videos.
- 025/1/1 is driven by 001/9/2 and 025/1/2 by 007/1/2; all other people have one driver.

A personal model imitates whom the protocol has its person imitate, so those pairs are taken from there too; those for a
miniature's three people are drawn.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from datamodules.protocols import draw_pairs, rendered
from motioncopy.errors import DataError
from motioncopy.files.documents import read_json
from motioncopy.files.schema import Count, validated

VERSION = 1
_Image = Annotated[str, Field(pattern=r"^[0-9]{1,9}\.jpg$")]
_Name = Annotated[str, Field(pattern=r"^[0-9]{3}/[0-9]{1,3}/[0-9]{1,2}$")]
_MINIATURE_PEOPLE = 3


@dataclass(frozen=True)
class _Driving:
    target: _Name
    range: tuple[Count, Count]


@dataclass(frozen=True)
class _Video:
    source: tuple[_Image, ...]
    self_imitation: _Driving
    cross_imitation: _Driving
    flag: tuple[Count, Count]


@dataclass(frozen=True)
class _Public:
    """What is kept of the public file."""

    val: dict[_Name, _Video]


def convert(public: Mapping[str, Any]) -> dict[str, Any]:
    """The content of ``splits/iper.json``.

    Args:
        public: That of the public file.

    Raises:
        DataError: If it is of another form.
    """
    what = "this is not iPER's public protocol"
    videos = validated(_Public, public, error=DataError, what=what, more=True).val
    try:
        trials = [trial for video, rules in videos.items() for trial in _trials(video, rules)]
        if away := {rules.cross_imitation.target for rules in videos.values()} - videos.keys():
            raise ValueError(f"{min(away)} drives, and is none of the videos")
    except ValueError as error:
        raise DataError(what, found=error) from error
    # Who imitates whom: (person, driver) as ranks in the order of their names, each pair once.
    rank = {person: i for i, person in enumerate(sorted({_person(trial["recording"]) for trial in trials}))}
    ranks = {(rank[_person(t["recording"])], rank[_person(t["driver"])]) for t in trials if t["kind"] == "imitation"}
    return {
        "id": "iper",
        "version": VERSION,
        "origin": "Trials and pairs: svip-lab/impersonator at b041dd415157, thirdparty/his_evaluators/data/"
        "iPER_protocol.json; the split by time is ours.",
        "recordings": {"train": 164, "test": 42},
        "chronological": {"test_share": 0.2, "gap": 2},
        "pairs": {
            str(_MINIATURE_PEOPLE): [list(pair) for pair in draw_pairs(_MINIATURE_PEOPLE)],
            str(len(rank)): [list(pair) for pair in sorted(ranks)],
        },
        "trials": trials,
    }


def _trials(video: str, rules: _Video) -> list[dict[str, Any]]:
    name = video.replace("/", "_")
    own, other = rules.self_imitation, rules.cross_imitation
    if own.target != video:
        raise ValueError(f"{video} imitates {own.target} as itself")
    shown = {"recording": name, "sources": [int(file.removesuffix(".jpg")) for file in rules.source]}
    driver = other.target.replace("/", "_")
    return [
        {"id": f"{name}-own", "kind": "reconstruction", **shown, "driver": name, **_range(own.range)},
        {
            "id": f"{name}-as-{driver}",
            "kind": "imitation",
            **shown,
            "driver": driver,
            **_range(other.range),
            "flag": list(_range(rules.flag).values()),
        },
    ]


def _range(ends: Sequence[int]) -> dict[str, int]:
    first, last = ends
    if first > last:
        raise ValueError(f"{ends} is no range")
    return {"start": first, "stop": last + 1}


def _person(recording: str) -> str:
    return recording.rpartition("_")[0]


def main(arguments: Sequence[str]) -> None:
    """Writes the protocol to the standard output."""
    if len(arguments) != 1:
        sys.exit("usage: python -m datamodules.iper_protocol iPER_protocol.json > splits/iper.json")
    try:
        sys.stdout.write(rendered(convert(read_json(Path(arguments[0]), error=DataError))))
    except DataError as error:
        sys.exit(f"{arguments[0]}: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
