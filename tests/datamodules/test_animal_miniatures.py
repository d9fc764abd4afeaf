"""Fish and Mouse: their miniatures become clips that lie on the truth, and methods get batches of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamodules.animals import AnimalData
from datamodules.fish import Fish
from datamodules.miniatures import fish, mouse
from datamodules.mouse import Mouse
from datamodules.native import MINIATURE
from datamodules.puppets.animals import AnimalFrame, Performance, Swim, Walk, render
from motioncopy.errors import DataError
from motioncopy.footage import HDF5File
from motioncopy.request import DataRequest

FRAMES, SIZE = 110, (96, 96)


@dataclass(frozen=True)
class Case:
    """A data set; how far joints may lie from the truth by a given camera, by a fitted one, and as they are seen."""

    data_set: type[AnimalData]
    miniature: Any
    performance: type[Performance]
    given: str
    fitted: str
    seen: str
    worst: tuple[float, float, float]
    skeleton: str

    def take(self, clip: str) -> Any:
        return next(t for t in self.miniature.TAKES if clip in (t.animal, f"{t.animal}-{t.name}"))

    def film(self, clip: str) -> list[AnimalFrame]:
        take = self.take(clip)
        return [render(self.performance(take.animal, take.seed, FRAMES, size=SIZE), i) for i in range(FRAMES)]


CASES = {
    "fish": Case(Fish, fish, Swim, "anemone-tank", "carp", "eel-dish", (0.05, 1.5, 3), "fish21"),
    "mouse": Case(Mouse, mouse, Walk, "brindle-arena", "agouti-arena", "cinnamon-arena", (0.05, 2.5, 6), "mouse5"),
}


@pytest.fixture(scope="module", params=CASES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def case(name: str) -> Case:
    return CASES[name]


@pytest.fixture(scope="module")
def root(name: str, case: Case, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp(name) / "root"
    root.mkdir()
    case.miniature.write(root, frames=FRAMES, size=SIZE)
    (root / MINIATURE).write_text(json.dumps({"data": name, "miniature": 1}))
    return root


@pytest.fixture(scope="module")
def data(case: Case, root: Path) -> AnimalData:
    return case.data_set(str(root), prepared=str(root.with_name("prepared")))


def test_the_miniature_lies_there_as_the_data_set_does(name: str, case: Case, root: Path, data: AnimalData) -> None:
    clips = (case.given, case.fitted, case.seen)
    assert {r.id: r.person for r in data.recordings.values()} == {c: c.partition("-")[0] for c in clips}
    assert data.protocol == f"{name}-miniature@1"
    lines = (root / f"{case.given.replace('-', '/')}.txt").read_text().splitlines()
    assert len(lines) == FRAMES
    written = np.array(lines[0].split(), float).reshape(-1, 3)
    truth = case.film(case.given)[0].joints_3d
    # The public texts of mice run from the tail to the nose.
    assert np.allclose(written, truth[::-1] if name == "mouse" else truth, rtol=1e-5)


def test_a_stack_of_mice_holds_heights(tmp_path: Path) -> None:
    mouse.write(tmp_path, [CASES["mouse"].take("brindle-arena")], frames=9, size=SIZE)
    with HDF5File(tmp_path / "brindle/arena.h5") as stack:
        assert (stack.dataset, stack.fps, len(stack)) == ("frames", 25, 9)
        assert 20 < stack.frames([0]).max() < 100, "millimetres above the floor"


def test_poses_of_a_text_lie_on_the_animal(case: Case, data: AnimalData) -> None:
    for clip, worst in zip((case.given, case.fitted), case.worst, strict=False):
        film, found = case.film(clip), data.clip(clip)
        apart = np.linalg.norm(found.joints[..., :2] - np.stack([f.joints[:, :2] for f in film]), axis=2)
        assert apart.mean() < worst, clip
        masks, true = found.mask(range(FRAMES)) > 127, np.stack([f.mask for f in film]) > 127
        assert (masks & true).sum() / (masks | true).sum() > 0.7, clip


def test_without_a_text_joints_are_seen_once_the_animal_is_there(case: Case, data: AnimalData) -> None:
    clip, empty = data.clip(case.seen), case.take(case.seen).empty
    assert clip.skeleton == case.skeleton
    assert len(clip) == empty + FRAMES
    found = clip.joints[empty:]
    assert not clip.joints[:empty].any()
    assert not clip.mask(range(empty)).any()
    assert (found[..., 2] > 0).mean() > 0.9
    apart = np.linalg.norm(found[..., :2] - np.stack([f.joints[:, :2] for f in case.film(case.seen)]), axis=2)
    assert np.median(apart) < case.worst[2]


def test_methods_get_windows_and_trials(case: Case, data: AnimalData) -> None:
    request = DataRequest(2, (48, 48), window=3, crop="person")
    window = data.train_windows(request)[0]
    assert (window.motion.skeleton, window.images.shape) == (case.skeleton, (1, 3, 3, 48, 48))
    trials = {t.id: (t.kind, t.driver, t.truth is None) for t in data.trials(request, "test")}
    person, driver = str(data.person), case.seen.partition("-")[0]
    own = next(r.id for r in data.recordings.values() if r.person == person)
    assert trials == {
        f"{own}-own": ("reconstruction", person, False),
        f"{person}-as-{driver}": ("imitation", driver, True),
    }
    assert person == min(data.people())


def test_what_is_not_there_is_said_with_both_ways_on(name: str, case: Case) -> None:
    numbers = 63 if name == "fish" else 15
    with pytest.raises(DataError, match=rf"(?s){name} is not here.*{numbers} numbers a line.*not public.*SAMPLE=1"):
        case.data_set(None)
