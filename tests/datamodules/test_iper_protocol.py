"""iPER's public protocol, and the committed file that was made from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from datamodules import protocols
from datamodules.iper_protocol import convert, main
from datamodules.protocols import draw_pairs, protocol, rendered
from motioncopy.errors import DataError

COMMITTED = Path(protocols.__file__).with_name("splits") / "iper.json"
#: Two videos as they stand in the public file, with names of other paddings than their neighbours'.
PUBLIC: dict[str, Any] = {
    "val": {
        "001/9/2": {
            "source": ["0253.jpg", "000.jpg", "00505.jpg"],
            "view angle": [0, 45, 0],
            "s_n": {"1": ["0253.jpg"]},
            "mask": [],
            "novel view": False,
            "self_imitation": {"target": "001/9/2", "range": [0, 1534]},
            "cross_imitation": {"target": "007/1/2", "range": [470, 550]},
            "flag": [300, 380],
        },
        "007/1/2": {
            "source": ["0024.jpg"],
            "self_imitation": {"target": "007/1/2", "range": [3, 3]},
            "cross_imitation": {"target": "001/9/2", "range": [1, 2]},
            "flag": [1, 2],
        },
    }
}


def public_form(content: dict[str, Any]) -> dict[str, Any]:
    """The public file again, from what was made of it."""
    videos: dict[str, Any] = {}
    for trial in content["trials"]:
        rules = videos.setdefault(trial["recording"].replace("_", "/"), {})
        rules["source"] = [f"{number:04d}.jpg" for number in trial["sources"]]
        kind = "self_imitation" if trial["kind"] == "reconstruction" else "cross_imitation"
        rules[kind] = {"target": trial["driver"].replace("_", "/"), "range": [trial["start"], trial["stop"] - 1]}
        if "flag" in trial:
            rules["flag"] = [trial["flag"][0], trial["flag"][1] - 1]
    return {"val": videos}


def test_last_frames_that_belong_to_a_range_become_first_frames_beyond_it() -> None:
    own, other, single, _ = convert(PUBLIC)["trials"]
    assert own == {
        "id": "001_9_2-own", "kind": "reconstruction", "recording": "001_9_2", "sources": [253, 0, 505],
        "driver": "001_9_2", "start": 0, "stop": 1535,
    }  # fmt: skip
    assert other == {
        "id": "001_9_2-as-007_1_2", "kind": "imitation", "recording": "001_9_2", "sources": [253, 0, 505],
        "driver": "007_1_2", "start": 470, "stop": 551, "flag": [300, 381],
    }  # fmt: skip
    assert (single["start"], single["stop"]) == (3, 4)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("source", ["frame.jpg"]),
        ("source", ["../0001.jpg"]),
        ("self_imitation", {"target": "007/1/2", "range": [0, 9]}),
        ("self_imitation", {"target": "001/9/2", "range": [9, 0]}),
        ("cross_imitation", {"target": "007/1/2", "range": [0]}),
        ("flag", None),
    ],
)
def test_another_form_is_refused(field: str, value: Any) -> None:
    rules = {**PUBLIC["val"]["001/9/2"], field: value}
    with pytest.raises(DataError, match="not iPER's public protocol"):
        convert({"val": {"001/9/2": rules}})


def test_the_command_writes_what_is_committed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The public file says more than is kept; of what is kept, nothing gets lost or changed on the way."""
    path = tmp_path / "public.json"
    path.write_text(json.dumps(public_form(json.loads(COMMITTED.read_text()))))
    main([str(path)])
    assert capsys.readouterr().out == COMMITTED.read_text()
    path.write_text("{")
    for arguments in ([], [str(path)], [str(tmp_path / "nowhere.json")]):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert isinstance(stopped.value.code, str)


def test_rendered_protocols_can_be_read_again() -> None:
    assert json.loads(rendered(convert(PUBLIC))) == convert(PUBLIC)


def test_the_committed_trials_are_the_authors() -> None:
    rules = protocol("iper")
    assert rules.recordings == {"train": 164, "test": 42}
    videos = {trial.recording for trial in rules.trials}
    people = sorted({video.rpartition("_")[0] for video in videos})
    assert videos == {f"{person}_{action}" for person in people for action in (1, 2)}
    assert (len(videos), len(people), len(rules.trials)) == (42, 21, 84)
    for video in videos:
        own, other = sorted((t for t in rules.trials if t.recording == video), key=lambda t: t.kind, reverse=True)
        assert (own.kind, own.driver, own.start, own.flag) == ("reconstruction", video, 0, None)
        assert other.kind == "imitation"
        assert other.driver in videos
        assert other.driver.endswith("_2")
        assert other.driver.rpartition("_")[0] != video.rpartition("_")[0]
        assert other.flag is not None
        assert other.flag[1] - other.flag[0] == other.stop - other.start
        assert own.sources == other.sources
        assert len(set(own.sources)) == 8
        assert max(own.sources) < own.stop
        driven = next(t for t in rules.trials if t.id == f"{other.driver}-own")
        assert other.stop <= driven.stop
    first = rules.trials[0]
    assert (first.sources, first.start, first.stop) == ((0, 35, 91, 120, 155, 195, 219, 251), 0, 301)


def test_personal_models_imitate_whom_the_authors_have_them_imitate() -> None:
    rules = protocol("iper")
    people = sorted({trial.recording.rpartition("_")[0] for trial in rules.trials})
    official: dict[str, set[str]] = {person: set() for person in people}
    for trial in rules.trials:
        if trial.kind == "imitation":
            official[trial.recording.rpartition("_")[0]].add(trial.driver.rpartition("_")[0])
    assert {person: set(drivers) for person, drivers in rules.drivers(people).items()} == official
    assert set(rules.pairs) == {3, 21}
    assert rules.pairs[3] == draw_pairs(3)
