"""The puppets' protocol: the committed file is what was drawn, and its splits do not leak."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest

from datamodules import protocols
from datamodules.protocols import rendered
from datamodules.puppets.protocol import Protocol, draw, protocol
from datamodules.puppets.rendering import Performance
from motioncopy.errors import DataError
from motioncopy.files.schema import validated

_FILE = protocols._FOLDER / "puppets.json"


def _content() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(_FILE.read_text())
    return content


def test_the_committed_file_is_what_was_drawn() -> None:
    assert protocol() == draw()
    assert _FILE.read_text(encoding="utf-8") == rendered(asdict(draw()))


def test_test_motions_are_absent_from_training_and_validation() -> None:
    frozen = protocol()
    trained = {t.motion for t in (*frozen.train, *frozen.val)}
    tested = {t.motion for t in frozen.reconstruction} | {i.motion for i in frozen.imitation}
    assert len(trained) >= 6
    assert len(tested) >= 2
    assert not trained & tested
    assert not set(frozen.train) & set(frozen.val)


def test_everyone_can_be_trained_on_and_tested() -> None:
    frozen = protocol()
    people = {t.person for t in frozen.train}
    assert len(people) >= 12
    assert 3 <= len(frozen.test_people) < len(people)
    assert frozen.default_person in people
    for takes in (frozen.val, frozen.reconstruction, frozen.imitation):
        assert {t.person for t in takes} == people
    assert all(i.driver in people - {i.person} for i in frozen.imitation)


def test_an_imitations_truth_is_the_drivers_motion_by_the_person() -> None:
    trial = protocol().imitation[0]
    assert (trial.truth.motion, trial.truth.seed, trial.truth.frames) == (
        trial.driving.motion,
        trial.driving.seed,
        trial.driving.frames,
    )
    assert trial.truth.person == trial.person != trial.driving.person == trial.driver


def test_every_clip_can_be_rendered() -> None:
    frozen = protocol()
    for take in (*frozen.train, *frozen.val, *frozen.reconstruction, *(i.truth for i in frozen.imitation)):
        clip = Performance(take.person, take.motion, take.seed, take.frames, frozen.fps)  # refuses what it cannot do
        assert clip.frames >= 20


def test_a_damaged_protocol_is_refused() -> None:
    for field in ("train", "version", "imitation"):
        content = _content()
        del content[field]
        with pytest.raises(DataError):
            validated(Protocol, content, error=DataError, what="the protocol")
    changes: list[Callable[[dict[str, Any]], object]] = [
        lambda c: c["train"][0].update(person="nobody"),
        lambda c: c["train"][0].update(motion=c["reconstruction"][0]["motion"]),
        lambda c: c["train"].append(c["train"][0]),
        lambda c: c["imitation"][0].update(driver=c["imitation"][0]["person"]),
        lambda c: c["val"][0].update(colour="red"),
    ]
    for change in changes:
        content = _content()
        change(content)
        with pytest.raises(DataError):
            validated(Protocol, content, error=DataError, what="the protocol")
