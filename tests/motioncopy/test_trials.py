"""Trials: what a method generates is kept in 8 bits and scored as kept, or nothing is left."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.multiprocessing.spawn import spawn

from motioncopy.batch import Appearance, Motion, to_uint8
from motioncopy.errors import MotionCopyError, TrainingError
from motioncopy.method import Method, Stage
from motioncopy.metrics.catalogue import METRICS
from motioncopy.metrics.evaluator import Evaluator
from motioncopy.request import DataRequest, Regime, Trial
from motioncopy.trials import TrialRunner, scores_of
from tests.motioncopy.metrics.toys import toys

SIZE, FRAMES = (12, 16), 10


class Player(Method[int]):
    """Plays prepared frames, and holds the last ``late`` ones back until the motion has ended."""

    regime: Regime = "personal"  # type: ignore[misc]

    def __init__(self, frames: Tensor, late: int = 0) -> None:
        super().__init__(request=DataRequest(1, SIZE))
        self.frames, self.late = frames, late
        self.subject, self.seen, self.adapted = "ann", list[int](), False

    @property
    def stages(self) -> Sequence[Stage]:
        return []

    def adapt(self, motion: Motion, appearance: Appearance) -> Motion:
        self.adapted = True
        return motion

    def report(self) -> dict[str, float]:
        return {"seen": float(len(self.seen))}

    def start(self, appearance: Appearance) -> int:
        self.check_person(appearance)
        return 0

    def step(self, state: int, motion: Motion) -> tuple[Tensor, int]:
        self.seen.append(len(motion))
        until = max(0, sum(self.seen) - self.late)
        return self.frames[state:until], max(state, until)

    def finish(self, state: int) -> Tensor:
        return self.frames[state:]


def frames(count: int = FRAMES) -> Tensor:
    return torch.rand(count, 3, *SIZE, generator=torch.Generator().manual_seed(1)) * 2 - 1


def make_trial(driver: str = "ann", truth: Callable[[int, int], tuple[Tensor, Tensor]] | None = None) -> Trial:
    black = torch.zeros(1, 1, 3, *SIZE, dtype=torch.uint8)
    motion = Motion(torch.ones(1, FRAMES, 25, 3), "body25", SIZE)
    return Trial(
        id="ann-walk.1",
        protocol="toy@1",
        kind="reconstruction",
        appearance=Appearance(black, black[:, :, :1], motion.frames(0, 1), black[:, 0], person=("ann",)),
        motion=motion,
        driver=driver,
        fps=25.0,
        truth=truth,
        box=(0, 0, 16, 12),
        own=driver == "ann",
    )


def truth(start: int, stop: int) -> tuple[Tensor, Tensor]:
    """Frame t of the truth has the value t."""
    values = torch.arange(FRAMES, dtype=torch.uint8)[start:stop, None, None, None]
    return values.expand(-1, 3, *SIZE), torch.full((len(values), 1, *SIZE), 255, dtype=torch.uint8)


@pytest.fixture
def evaluator() -> Evaluator:
    return Evaluator([key for key in METRICS if key.startswith("psnr")])


def run(folder: Path, evaluator: Evaluator, method: Method[Any], trial: Trial, *, chunk: int = 16) -> dict[str, Any]:
    runner = TrialRunner(folder, evaluator, chunk=chunk)
    runner.run(method, trial)
    (summary,) = runner.gathered([trial.id])
    return summary


def test_frames_are_kept_in_eight_bits_and_scored_as_kept(tmp_path: Path, evaluator: Evaluator) -> None:
    found = run(tmp_path, evaluator, Player(frames()), make_trial(truth=truth))
    assert [p.name for p in tmp_path.iterdir()] == ["ann-walk.1.npy"]
    kept = np.load(tmp_path / "ann-walk.1.npy")
    assert (kept.dtype, kept.shape) == (np.uint8, (FRAMES, *SIZE, 3))
    np.testing.assert_array_equal(kept, to_uint8(frames()).permute(0, 2, 3, 1))
    clip = evaluator.clip("ann-walk.1")
    clip.update(torch.from_numpy(kept).permute(0, 3, 1, 2), *truth(0, FRAMES))
    assert scores_of(found) == clip.compute()
    assert {k: found[k] for k in ("id", "protocol", "kind", "person", "driver", "frames", "report")} == {
        "id": "ann-walk.1", "protocol": "toy@1", "kind": "reconstruction", "person": "ann", "driver": "ann",
        "frames": FRAMES, "report": {"seen": 1},
    }  # fmt: skip
    assert found["generation_fps"] > 0


@pytest.mark.parametrize("late", [0, 1, 4, FRAMES])
@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_scores_do_not_depend_on_chunks_or_on_looking_ahead(
    tmp_path: Path, evaluator: Evaluator, late: int, chunk: int
) -> None:
    plain = run(tmp_path / "plain", evaluator, Player(frames()), make_trial(truth=truth))
    method = Player(frames(), late)
    found = run(tmp_path / "late", evaluator, method, make_trial(truth=truth), chunk=chunk)
    assert max(method.seen) == min(chunk, FRAMES)
    assert found["scores"] == plain["scores"]
    np.testing.assert_array_equal(
        np.load(tmp_path / "late" / "ann-walk.1.npy"), np.load(tmp_path / "plain" / "ann-walk.1.npy")
    )


def test_without_a_truth_only_what_needs_none_is_scored(tmp_path: Path) -> None:
    with toys() as keys:
        scores = scores_of(run(tmp_path, Evaluator(["psnr/frame@1", *keys]), Player(frames()), make_trial()))
    assert set(scores.values) == {"jump/toy@1", "posed/toy@1"}
    assert scores.missing["psnr/frame@1"] == "the clip has no true frames"
    assert scores.scores["posed/toy@1"].value == 1.0  # the joints that were asked for have confidence 1
    assert len(np.load(tmp_path / "ann-walk.1.npy")) == FRAMES


@pytest.mark.parametrize("count", [0, 4, 9])
def test_real_frames_of_their_own_are_the_real_set(tmp_path: Path, count: int) -> None:
    def real(start: int, stop: int) -> Tensor:
        return torch.full((9, 3, *SIZE), 7, dtype=torch.uint8)[:count][start:stop]

    with toys():
        evaluator = Evaluator(["colours/toy@1"])
        trial = replace(make_trial(truth=truth), real=real)
        TrialRunner(tmp_path, evaluator, chunk=4).run(Player(frames()), trial)
        values, reasons = evaluator.sets([trial.id])
    if count < 4:
        assert "colours/toy@1" in reasons
    else:
        difference = to_uint8(frames()).double().mean(dim=(0, 2, 3)) - 7
        assert values["colours/toy@1"].value == pytest.approx(difference.norm().item(), rel=1e-6)


def test_a_motion_is_fitted_unless_it_is_the_person_s_in_the_same_frames(tmp_path: Path, evaluator: Evaluator) -> None:
    elsewhere = replace(make_trial(), own=False)  # the person before another camera
    for trial, fitted in ((make_trial(), False), (make_trial("bob"), True), (elsewhere, True)):
        method = Player(frames())
        TrialRunner(tmp_path, evaluator).run(method, trial)
        assert method.adapted is fitted


def spoilt() -> Tensor:
    images = frames()
    images[7, 0, 0, 0] = torch.nan
    return images


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (spoilt(), r"trial ann-walk\.1 .* not finite, from frame 6 on"),
        (frames().mul(torch.inf), "not finite, from frame 0 on"),
        (frames(FRAMES - 1), r"too few frames\. Expected: 10\. Found: 9"),
        (frames(0), "too few frames"),
        (frames(FRAMES + 2), "too many frames"),
        (frames()[..., :8], r"frames of another shape\. Expected: \(3, 12, 16\)\. Found: \(3, 12, 8\)"),
    ],
)
def test_frames_that_cannot_be_scored_leave_nothing(
    tmp_path: Path, evaluator: Evaluator, images: Tensor, message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        TrialRunner(tmp_path, evaluator, chunk=3).run(Player(images), make_trial(truth=truth))
    assert list(tmp_path.iterdir()) == []


def test_a_failure_in_the_middle_leaves_nothing(tmp_path: Path, evaluator: Evaluator) -> None:
    class Failing(Player):
        def generate(self, *args: Any, **kwargs: Any) -> Iterator[Tensor]:
            yield self.frames[:4]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TrialRunner(tmp_path, evaluator).run(Failing(frames()), make_trial(truth=truth))
    assert list(tmp_path.iterdir()) == []


def test_summaries_come_in_the_order_of_the_protocol(tmp_path: Path, evaluator: Evaluator) -> None:
    runner = TrialRunner(tmp_path, evaluator)
    for name in ("b", "a", "c"):
        runner.run(Player(frames()), replace(make_trial(truth=truth), id=name))
    assert [s["id"] for s in runner.gathered(["c", "a"])] == ["c", "a"]
    with pytest.raises(MotionCopyError, match=r"2 of 3 trials have no scores.*Found: d, e.*motioncopy test"):
        runner.gathered(["a", "d", "e"])


def _share(rank: int, world: int, rendezvous: str, folder: str) -> None:
    """Every process runs its trials; the last has none."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=world)
    mine = range(rank, 3, world - 1) if rank < world - 1 else ()
    summaries = gather_trials(Path(folder), mine, lacks=rank == world - 1)
    (Path(folder) / f"{rank}.json").write_text(json.dumps(summaries))
    torch.distributed.destroy_process_group()


def gather_trials(folder: Path, mine: Iterable[int], *, lacks: bool) -> list[dict[str, Any]]:
    """Three trials of different frames, of which this process runs some; it may lack a metric's weights."""
    evaluator = Evaluator(["psnr/frame@1", "mask_psnr/inside@1", "psnr/script@1"], device="cpu")
    if lacks:
        del evaluator.clip_metrics["psnr/script@1"]
        evaluator.missing["psnr/script@1"] = "the weights are not on this machine"
    runner = TrialRunner(folder, evaluator)
    for k in mine:
        trial = replace(make_trial(truth=None if k == 2 else truth), id=f"trial-{k}")
        runner.run(Player(frames().roll(k, dims=0)), trial)
    gathered = runner.gathered([f"trial-{k}" for k in range(3)])
    return [{name: value for name, value in s.items() if name != "generation_fps"} for s in gathered]


@pytest.mark.ddp
@pytest.mark.parametrize("world", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_states_of_several_processes_give_the_trials_of_one(tmp_path: Path, world: int) -> None:
    spawn(_share, (world, (tmp_path / "rendezvous").as_uri(), str(tmp_path)), nprocs=world)
    alone = json.loads(json.dumps(gather_trials(tmp_path, range(3), lacks=True)))
    assert [len(s["scores"]["values"]) for s in alone] == [2, 2, 0]
    for rank in range(world):
        assert json.loads((tmp_path / f"{rank}.json").read_text()) == alone
