"""Every method works through windows that follow the person, and gives whole frames at their own size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from motioncopy import crops
from motioncopy.batch import Motion
from motioncopy.method import Method, Stage
from motioncopy.request import DataRequest, Regime
from motioncopy.training import checkpoint
from tests.methods.test_contract import CASES, GENERAL
from tests.methods.tiny import SIZE, TINY, tiny
from tests.toys import ToyData, write_clip

FRAME = (64, 80)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for name, size in (("ann", FRAME), ("bob", (48, 40))):
        write_clip(folder, name, frames=24, size=size, parsed=True)
    return folder


def data(clips: Path, regime: Regime) -> ToyData:
    return ToyData(root=str(clips), regime=regime)


@pytest.mark.parametrize(("method", "variant"), CASES, ids=["-".join(case) for case in CASES])
def test_whole_frames_are_made_of_windows(method: str, variant: str, clips: Path) -> None:
    toys = data(clips, "general" if method in GENERAL else "personal")
    model = tiny(method, variant, crop="follow")
    made: Method[Any] = checkpoint.build(model["class_path"], model["init_args"])
    made.prepare(toys)
    made.eval()
    trial = toys.trials(made.request, "test")[1]
    assert (trial.driver, trial.motion.size) == ("bob", (48, 40)), "the driver moves in its own pixels"
    motion = made.adapt(trial.motion, trial.appearance)
    whole = torch.cat(list(made.generate(trial.appearance, motion)))
    assert whole.shape == (len(motion), 3, *FRAME)
    assert torch.isfinite(whole).all()
    assert whole.abs().max() <= 1
    torch.testing.assert_close(torch.cat(list(made.generate(trial.appearance, motion, chunk=3))), whole)


class Shows(Method[Motion | None]):
    """Shows what it is given: the pose's box in red, or what stands behind it."""

    regime: Regime = "personal"  # type: ignore[misc]

    def __init__(self, covers: float | None) -> None:
        super().__init__(request=DataRequest(1, SIZE, crop="follow"))
        self.covers, self.seen = covers, list[Motion]()

    @property
    def stages(self) -> Sequence[Stage]:
        return []

    def start(self, appearance: Any) -> Any:
        self.appearance = appearance
        return None

    def step(self, state: Any, motion: Motion) -> tuple[Tensor, Any]:
        self.seen.append(motion)
        behind = crops.behind(self.appearance, motion)
        if self.covers is None:
            return behind, None
        cover = torch.full_like(behind[:, :1], self.covers)
        return torch.cat((behind.new_tensor([1.0, -1, -1])[:, None, None] * cover, cover), dim=1), None


def test_what_stands_behind_the_windows_is_what_is_laid_over(clips: Path) -> None:
    toys = data(clips, "personal")
    for covers in (None, 0.0):
        method = Shows(covers)
        method.prepare(toys)
        trial = toys.trials(method.request, "test")[0]
        background = trial.appearance.as_float().background
        frames = torch.cat(list(method.generate(trial.appearance, trial.motion)))
        difference = (frames - background).abs()
        assert difference.mean() < 0.1, covers
        (seen,) = method.seen
        assert seen.size == SIZE
        assert seen.boxes is not None
        present = seen.joints[..., 2] > 0
        assert (seen.joints[..., :2][present] >= -1).all(), "the person is inside the window"
        assert (seen.joints[..., :2][present] <= max(SIZE)).all()


def test_training_sees_the_window_that_generation_uses(clips: Path) -> None:
    toys = data(clips, "personal")
    request = DataRequest(1, SIZE, crop="follow")
    windows = toys.train_windows(request)
    method = Shows(None)
    method.prepare(toys)
    trial = toys.trials(request, "test")[0]
    frame = int(windows[3].frames[0, 0])
    clip = toys.train_excerpts()[0].clip
    joints = torch.from_numpy(clip.joints[: len(toys.train_excerpts()[0])].astype("float32"))[None]
    list(method.generate(trial.appearance, Motion(joints, clip.skeleton, clip.size)))
    (seen,) = method.seen
    torch.testing.assert_close(windows[3].motion.joints[0, 0], seen.joints[0, frame], atol=1e-3, rtol=0)
    jittered = [windows[3, draw].motion.joints for draw in range(4)]
    assert any((j - windows[3].motion.joints).abs().max() > 0.3 for j in jittered), "training moves the window"
    assert torch.equal(windows[3, 2].motion.joints, windows[3, 2].motion.joints), "the same draw, the same window"


def test_whole_frames_are_as_they_are_stored(clips: Path) -> None:
    toys = data(clips, "personal")
    request = DataRequest(1, SIZE, crop="whole")
    assert toys.trials(request, "test")[0].appearance.images.shape[-2:] == FRAME
    assert toys.train_windows(request)[0].images.shape[-2:] == FRAME
    assert toys.train_motion(request).size == FRAME


def test_every_method_is_here() -> None:
    assert {method for method, _ in CASES} == set(TINY)
