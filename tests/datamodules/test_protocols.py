"""Protocols: what a file may say, and the rule for who imitates whom where it says nothing."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from datamodules import protocols
from datamodules.protocols import OfficialTrial, Protocol, draw_pairs, protocol
from motioncopy.errors import DataError
from motioncopy.files.schema import validated

TRIAL: dict[str, Any] = {
    "id": "a-own", "kind": "reconstruction", "recording": "a", "sources": [3, 1], "driver": "a", "start": 0, "stop": 9,
}  # fmt: skip
CONTENT: dict[str, Any] = {"id": "x", "version": 2, "origin": "Nowhere.", "trials": [TRIAL]}


@pytest.mark.parametrize("people", [2, 3, 7, 26])
def test_drawn_pairs_are_one_cycle_and_never_change(people: int) -> None:
    follows = dict(draw_pairs(people))
    assert sorted(follows) == sorted(follows.values()) == list(range(people))
    seen = [0]
    while (after := follows[seen[-1]]) != 0:
        seen.append(after)
    assert len(seen) == people
    assert draw_pairs(people) == draw_pairs(people)


def test_one_person_imitates_nobody() -> None:
    assert draw_pairs(1) == draw_pairs(0) == ()
    assert Protocol("x", 1, "").drivers(["ann"]) == {"ann": []}


def test_committed_pairs_go_before_drawn_ones_and_count_people_by_name() -> None:
    rules = Protocol("x", 1, "", pairs={3: ((0, 1), (0, 2), (2, 1))})
    assert rules.drivers(["cid", "ann", "bob"]) == {"ann": ["bob", "cid"], "bob": [], "cid": ["bob"]}
    drawn = rules.drivers(["dan", "cid", "ann", "bob"])
    assert [len(v) for v in drawn.values()] == [1] * 4
    assert rules.name == "x@1"


def test_a_file_becomes_a_protocol() -> None:
    parse = partial(validated, Protocol, error=DataError, what="the protocol")
    rules = parse({**CONTENT, "pairs": {"2": [[0, 1]]}, "chronological": {"gap": 7}, "held_out": [1, 4]})
    assert rules.trials == (OfficialTrial("a-own", "reconstruction", "a", (3, 1), "a", 0, 9),)
    assert (rules.pairs, rules.chronological.gap, rules.held_out) == ({2: ((0, 1),)}, 7, (1, 4))
    flagged = parse({**CONTENT, "trials": [{**TRIAL, "flag": [2, 5]}]})
    assert flagged.trials[0].flag == (2, 5)


@pytest.mark.parametrize(
    "change",
    [
        {"trials": [{**TRIAL, "stop": 0}]},
        {"trials": [{**TRIAL, "start": -1}]},
        {"trials": [{**TRIAL, "kind": "guess"}]},
        {"trials": [{**TRIAL, "sources": []}]},
        {"trials": [{**TRIAL, "sources": [-1]}]},
        {"trials": [{**TRIAL, "flag": [5, 5]}]},
        {"trials": [{**TRIAL, "colour": "red"}]},
        {"trials": [{"id": "a"}]},
        {"pairs": {"2": [[0, 2]]}},
        {"pairs": {"2": [[1, 1]]}},
        {"pairs": [[0, 1]]},
        {"chronological": {"share": 0.5}},
        {"speed": 3},
    ],
)
def test_a_damaged_file_is_refused_by_name(change: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.json").write_text(json.dumps({**CONTENT, **change}))
    monkeypatch.setattr(protocols, "_FOLDER", tmp_path)
    protocol.cache_clear()
    with pytest.raises(DataError, match=r"x\.json is damaged"):
        protocol("x")


def test_an_unknown_protocol_names_the_known() -> None:
    with pytest.raises(DataError, match=r"no protocol 'x'.*iper"):
        protocol("x")


def test_how_many_people_are_tested_is_known_of_whole_data_sets_only() -> None:
    iper = protocol("iper")
    assert iper.people == len({trial.recording.rpartition("_")[0] for trial in iper.trials})
    solodance = protocol("solodance")
    assert solodance.people == solodance.recordings["test"], "every video counts as a person"
    assert protocol("complexmotion").people is None, "its pairs are those of a miniature"


# The puppets' protocol is of another form.
@pytest.mark.parametrize("name", sorted({p.stem for p in protocols._FOLDER.glob("*.json")} - {"puppets"}))
def test_every_committed_protocol_can_be_read_and_says_where_it_is_from(name: str) -> None:
    rules = protocol(name)
    assert (rules.id, rules.version >= 1, rules.origin.endswith(".")) == (name, True, True)


@pytest.mark.parametrize(
    ("name", "recordings", "people"),
    [("complexmotion", {}, {2}), ("solodance", {"train": 153, "test": 26}, {3, 26}), ("fish", {}, {3, 6}),
     ("mouse", {}, {3, 4})],
)  # fmt: skip
def test_committed_pairs_are_those_that_were_drawn(name: str, recordings: dict[str, int], people: set[int]) -> None:
    rules = protocol(name)
    assert (rules.name, rules.recordings) == (f"{name}@1", recordings)
    assert rules.pairs == {n: draw_pairs(n) for n in people}
    assert rules.chronological.gap > 0
    assert bool(rules.held_out) == (name in ("fish", "mouse"))
    assert all(0 < rank < max(people) for rank in rules.held_out)
