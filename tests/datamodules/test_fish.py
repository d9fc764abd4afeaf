"""Fish: its miniature becomes clips that lie on the truth, and methods get batches of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from datamodules.fish import Fish
from datamodules.miniatures.fish import TAKES, write
from datamodules.native import MINIATURE
from datamodules.puppets.animals import Swim, render
from motioncopy.errors import DataError
from motioncopy.request import DataRequest

FRAMES, SIZE = 110, (96, 96)
VIDEO, IMAGES, STACK = TAKES


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("fish") / "root"
    root.mkdir()
    write(root, frames=FRAMES, size=SIZE)
    (root / MINIATURE).write_text(json.dumps({"data": "fish", "miniature": 1}))
    return root


@pytest.fixture(scope="module")
def data(root: Path) -> Fish:
    return Fish(str(root), prepared=str(root.with_name("prepared")))


def test_the_miniature_lies_there_as_the_data_set_does(root: Path, data: Fish) -> None:
    assert len((root / "anemone/tank.txt").read_text().splitlines()) == FRAMES
    assert len((root / "anemone/tank.txt").read_text().splitlines()[0].split()) == 63
    assert {r.id: r.person for r in data.recordings.values()} == {
        "anemone-tank": "anemone", "carp": "carp", "eel-dish": "eel",
    }  # fmt: skip
    assert data.protocol == "fish-miniature@1"


def test_poses_of_a_text_lie_on_the_fish(data: Fish) -> None:
    for name, take, worst in (("anemone-tank", VIDEO, 0.05), ("carp", IMAGES, 1.5)):  # the camera is given, and fitted
        film = render(Swim(take.animal, take.seed, FRAMES, size=SIZE), range(FRAMES))
        joints = data.clip(name).joints
        apart = np.linalg.norm(joints[..., :2] - np.stack([f.joints[:, :2] for f in film]), axis=2)
        assert apart.mean() < worst, name
        masks, true = data.clip(name).mask(range(FRAMES)) > 127, np.stack([f.mask for f in film]) > 127
        assert (masks & true).sum() / (masks | true).sum() > 0.7, name


def test_without_a_text_the_midline_is_seen_once_the_fish_is_there(data: Fish) -> None:
    clip = data.clip("eel-dish")
    assert clip.skeleton == "fish21"
    assert len(clip) == STACK.empty + FRAMES
    film = render(Swim(STACK.animal, STACK.seed, FRAMES, size=SIZE), range(FRAMES))
    found = clip.joints[STACK.empty :]
    assert not clip.joints[: STACK.empty].any()
    assert not clip.mask(range(STACK.empty)).any()
    assert (found[..., 2] > 0).mean() > 0.9
    apart = np.linalg.norm(found[..., :2] - np.stack([f.joints[:, :2] for f in film]), axis=2)
    assert np.median(apart) < 3


def test_methods_get_windows_and_trials(data: Fish) -> None:
    request = DataRequest(2, (48, 48), window=3, crop="person")
    assert data.person == "anemone"
    window = data.train_windows(request)[0]
    assert (window.motion.skeleton, window.images.shape) == ("fish21", (1, 3, 3, 48, 48))
    trials = {t.id: t for t in data.trials(request, "test")}
    assert {name: (t.kind, t.driver) for name, t in trials.items()} == {
        "anemone-tank-own": ("reconstruction", "anemone"),
        "anemone-as-eel": ("imitation", "eel"),
    }
    assert trials["anemone-as-eel"].truth is None


def test_what_is_not_there_is_said_with_both_ways_on() -> None:
    with pytest.raises(DataError, match=r"(?s)fish is not here.*63 numbers a line.*not public.*SAMPLE=1"):
        Fish(None)
