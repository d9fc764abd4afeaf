"""What holds for every method under ``methods``: its tiny config is fitted and tested through the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from benchmarks.bench.config_stack import methods, variants
from benchmarks.cli import main
from methods.aligned import Aligned
from methods.remot import REMOT
from methods.static import Static
from motioncopy.errors import CheckpointError
from motioncopy.method import Method
from motioncopy.request import Trial
from motioncopy.training import checkpoint
from tests.methods.tiny import SIZE, TINY, tiny
from tests.toys import ToyData, write_clip

CASES = [(method, variant) for method, small in TINY.items() for variant, _ in small]
#: They show what they are given, and need no training on the person.
SERVE_ANYONE = (Static, Aligned, REMOT)
#: Trained on all people, where the others are trained on one.
GENERAL = ("aligned", "remot")
FRAMES = 24


def test_every_method_has_a_tiny_config() -> None:
    assert {name: sorted(v for v, _ in small) for name, small in TINY.items()} == {
        name: variants(name) for name in methods()
    }


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for name in ("ann", "bob"):
        write_clip(folder, name, frames=FRAMES, size=(40, 40), parsed=True)
    return folder


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def run(request: pytest.FixtureRequest, clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was fitted and tested."""
    method, variant = request.param
    folder = tmp_path_factory.mktemp(f"{method}-{variant}")
    config = folder / "input.yaml"
    regime = "general" if method in GENERAL else "personal"
    config.write_text(
        yaml.safe_dump(
            {
                "seed_everything": 0,
                "model": tiny(method, variant),
                "data": {"class_path": "tests.toys.ToyData", "init_args": {"root": str(clips), "regime": regime}},
                "trainer": {"accelerator": "cpu", "logger": False},
            }
        )
    )
    for command in ("fit", "test"):
        assert main([command, "--config", str(config), "--run", str(folder)]) == 0
    return folder


@pytest.fixture
def method(run: Path) -> Method[Any]:
    return checkpoint.load(run / "method.ckpt")


@pytest.fixture
def trial(method: Method[Any], clips: Path) -> Trial:
    """Somebody else's motion."""
    trials = ToyData(str(clips)).trials(method.request, "test")
    assert trials.ids == ["ann", "bob"]
    found: Trial = trials[1]
    return found


def test_all_stages_are_done(run: Path, method: Method[Any]) -> None:
    done = [json.loads(p.read_text()) for p in sorted(run.glob("stages/*/done.json"))]
    assert [d["stage"] for d in done] == [s.name for s in method.stages]
    assert all(d["steps"] == s.epochs * (s.request.batches or 0) > 0 for d, s in zip(done, method.stages, strict=True))


def test_every_trial_is_generated_and_scored(run: Path) -> None:
    summary = json.loads((run / "outputs/toy@1-test/summary.json").read_text())
    own, other = summary["trials"]
    assert (own["id"], own["kind"], own["frames"], own["driver"]) == ("ann", "reconstruction", FRAMES // 3, "ann")
    assert (other["id"], other["kind"], other["frames"], other["driver"]) == ("bob", "imitation", FRAMES // 3, "bob")
    assert own["scores"]["values"]
    assert all(len(values) == FRAMES // 3 for values in own["scores"]["values"].values())
    # Without a truth only what asks for none has values: the motion against the driver's.
    assert set(other["scores"]["values"]) == {key for key in own["scores"]["values"] if "driving" in key}
    assert set(other["scores"]["values"]) < set(own["scores"]["values"])
    for name in ("ann", "bob"):
        frames = np.load(run / f"outputs/toy@1-test/{name}.npy")
        assert (frames.shape, frames.dtype) == ((FRAMES // 3, *SIZE, 3), np.uint8)


def test_the_fitted_method_knows_whom_it_shows(method: Method[Any]) -> None:
    assert method.subject == ("ann" if method.regime == "personal" else None)
    if not isinstance(method, SERVE_ANYONE):
        assert method.reference is not None
        assert len(method.reference) == 2 * FRAMES // 3


def test_frames_do_not_depend_on_the_chunks(method: Method[Any], trial: Trial) -> None:
    motion = method.adapt(trial.motion, trial.appearance)
    whole = torch.cat(list(method.generate(trial.appearance, motion, chunk=len(motion))))
    assert whole.shape == (len(motion), 3, *SIZE)
    assert whole.dtype == torch.float32
    assert whole.abs().max() <= 1
    for chunk in (1, 3):
        torch.testing.assert_close(
            torch.cat(list(method.generate(trial.appearance, motion, chunk=chunk))), whole, rtol=0, atol=1e-4
        )


def test_one_frame_is_a_motion_too(method: Method[Any], trial: Trial) -> None:
    (frame,) = method.generate(trial.appearance, trial.motion.frames(0, 1))
    assert frame.shape == (1, 3, *SIZE)


def test_the_checkpoint_gives_the_frames_of_the_run(run: Path, method: Method[Any], trial: Trial) -> None:
    motion = method.adapt(trial.motion, trial.appearance)
    frames = torch.cat(list(method.generate(trial.appearance, motion)))
    kept = np.load(run / "outputs/toy@1-test/bob.npy")
    np.testing.assert_allclose((frames.permute(0, 2, 3, 1).numpy() + 1) * 127.5, kept, atol=0.51)


def test_another_person_is_refused_or_shown(method: Method[Any], trial: Trial) -> None:
    stranger = replace(trial.appearance, person=("cid",))
    if isinstance(method, SERVE_ANYONE):
        assert len(next(method.generate(stranger, trial.motion))) == len(trial.motion)
    else:
        with pytest.raises(CheckpointError, match=r"another person.*Expected: ann.*Found: cid"):
            next(method.generate(stranger, trial.motion))


def test_only_what_generates_is_in_the_checkpoint(run: Path, method: Method[Any]) -> None:
    kept = checkpoint.read(run / "method.ckpt").state_dict
    assert set(kept) == set(method.state_dict())
    assert not [name for name in kept for word in ("quality", "temporal", "discriminator", "feature") if word in name]
    assert all(torch.isfinite(value).all() for value in kept.values())
