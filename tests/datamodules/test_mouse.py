"""Mouse: its miniature becomes clips that lie on the truth; its pose texts run from tail to nose."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from datamodules.miniatures.mouse import TAKES, write
from datamodules.mouse import Mouse
from datamodules.native import MINIATURE
from datamodules.puppets.animals import Walk, render
from motioncopy.errors import DataError
from motioncopy.footage import HDF5File
from motioncopy.request import DataRequest

FRAMES, SIZE = 110, (96, 96)
VIDEO, GIVEN, SEEN = TAKES


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mouse") / "root"
    root.mkdir()
    write(root, frames=FRAMES, size=SIZE)
    (root / MINIATURE).write_text(json.dumps({"data": "mouse", "miniature": 1}))
    return root


@pytest.fixture(scope="module")
def data(root: Path) -> Mouse:
    return Mouse(str(root), prepared=str(root.with_name("prepared")))


def test_the_miniature_lies_there_as_the_data_set_does(root: Path, data: Mouse) -> None:
    assert {r.id: r.person for r in data.recordings.values()} == {
        "agouti-arena": "agouti", "brindle-arena": "brindle", "cinnamon-arena": "cinnamon",
    }  # fmt: skip
    assert data.protocol == "mouse-miniature@1"
    with HDF5File(root / "brindle/arena.h5") as stack:
        assert (stack.dataset, stack.fps, len(stack)) == ("frames", 25, FRAMES)
        assert 20 < stack.frames([0]).max() < 100, "millimetres above the floor"
    line = np.array((root / "brindle/arena.txt").read_text().splitlines()[0].split(), float).reshape(5, 3)
    truth = render(Walk("brindle", GIVEN.seed, FRAMES, size=SIZE), 0).joints_3d
    assert np.allclose(line, truth[::-1], rtol=1e-5), "tail first, as in the public texts"


def test_poses_of_a_text_lie_on_the_mouse(data: Mouse) -> None:
    for name, take, worst in (("brindle-arena", GIVEN, 0.05), ("agouti-arena", VIDEO, 2.5)):
        film = render(Walk(take.animal, take.seed, FRAMES, size=SIZE), range(FRAMES))
        joints = data.clip(name).joints
        apart = np.linalg.norm(joints[..., :2] - np.stack([f.joints[:, :2] for f in film]), axis=2)
        assert apart.mean() < worst, name
        masks, true = data.clip(name).mask(range(FRAMES)) > 127, np.stack([f.mask for f in film]) > 127
        assert (masks & true).sum() / (masks | true).sum() > 0.7, name


def test_without_a_text_the_axis_is_seen_once_the_mouse_is_there(data: Mouse) -> None:
    clip = data.clip("cinnamon-arena")
    assert clip.skeleton == "mouse5"
    film = render(Walk(SEEN.animal, SEEN.seed, FRAMES, size=SIZE), range(FRAMES))
    found = clip.joints[SEEN.empty :]
    assert not clip.joints[: SEEN.empty].any()
    assert (found[..., 2] > 0).mean() > 0.9
    apart = np.linalg.norm(found[..., :2] - np.stack([f.joints[:, :2] for f in film]), axis=2)
    assert np.median(apart) < 6


def test_methods_get_windows_and_trials(data: Mouse) -> None:
    request = DataRequest(2, (48, 48), window=3, crop="person")
    window = data.train_windows(request)[0]
    assert (window.motion.skeleton, window.images.shape) == ("mouse5", (1, 3, 3, 48, 48))
    assert {t.id for t in data.trials(request, "test")} == {"agouti-arena-own", "agouti-as-cinnamon"}


def test_what_is_not_there_is_said_with_both_ways_on() -> None:
    with pytest.raises(DataError, match=r"(?s)mouse is not here.*15 numbers a line.*not public.*SAMPLE=1"):
        Mouse(None)
