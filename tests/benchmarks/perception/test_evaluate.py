from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.perception.evaluate import evaluate
from benchmarks.perception.report import RESULTS, Measurement, markdown, read, write
from benchmarks.perception.scenes import Scene, people
from benchmarks.records import RESULTS as RECORDS
from motioncopy.errors import RecordError, WeightsError
from motioncopy.footage.perception.backends import Poses
from motioncopy.footage.prepare import Backends
from tests.motioncopy.footage.perception.figures import KnownPose

PARTS = ("joints", "mask", "parsing", "background", "flow")


@pytest.fixture(scope="module")
def scene() -> Scene:
    (found,) = people(96, 6, 1)
    return found


def test_the_truth_scores_full_marks(scene: Scene) -> None:
    assert scene.mask is not None
    rows = evaluate(Backends(KnownPose(scene.joints, scene.mask)), [scene], PARTS)
    scores = {(r.part, r.given): r.scores for r in rows}
    assert scores["joints", ""]["pck@0.1"] == 1
    assert scores["joints", ""]["error_px"] == pytest.approx(0, abs=1e-4)
    assert scores["mask", ""]["iou"] > 0.98  # the cleaning moves the edge's half-transparent pixels
    assert 0.4 < scores["parsing", "truth"]["miou"] < 1
    assert scores["background", "truth"]["psnr_db"] > 20
    assert scores["flow", ""]["epe_person"] < scores["flow", ""]["epe_zero"]
    assert [r.frames for r in rows if r.part == "joints"] == [6]


def test_errors_are_seen(scene: Scene) -> None:
    assert scene.mask is not None
    moved = scene.joints.copy()
    moved[..., 0] += 40
    rows = evaluate(Backends(KnownPose(moved, np.roll(scene.mask, 40, axis=2))), [scene], ("joints", "mask"))
    scores = {r.part: r.scores for r in rows}
    assert scores["joints"]["pck@0.1"] == 0
    assert scores["joints"]["error_px"] == pytest.approx(40, abs=1e-3)
    assert scores["mask"]["iou"] < 0.3


def test_missing_weights_give_a_reason_and_leave_the_flow(scene: Scene) -> None:
    assert scene.mask is not None

    class Lacking(KnownPose):
        def __call__(self, images: np.ndarray) -> Poses:
            raise WeightsError("the weights x are not on this machine")

    rows = evaluate(Backends(Lacking(scene.joints, scene.mask)), [scene], PARTS)
    assert [(r.part, r.reason, bool(r.scores)) for r in rows] == [
        ("joints", "the weights x are not on this machine", False),
        ("flow", "", True),
    ]
    assert "not measured: the weights x" in markdown([Measurement("m", "command", "data", tuple(rows))])


def test_measurements_are_kept_and_shown(scene: Scene, tmp_path: Path) -> None:
    assert scene.mask is not None
    rows = tuple(evaluate(Backends(KnownPose(scene.joints, scene.mask)), [scene], ("joints",)))
    kept = Measurement("people", "python -m benchmarks.perception people", "puppets", rows)
    write(kept, tmp_path)
    assert read(tmp_path) == [kept]
    text = markdown([replace(kept)])
    assert "pck@0.1 1.000" in text
    assert "`python -m benchmarks.perception people`" in text
    (tmp_path / "people.json").write_text("{}")
    with pytest.raises(RecordError, match="damaged"):
        read(tmp_path)


def test_the_committed_measurements_can_be_read_and_are_no_records() -> None:
    assert {row.part for m in read(RESULTS) for row in m.rows} >= {"joints", "mask", "parsing", "flow", "background"}
    assert not set(RESULTS.rglob("*.json")) & set(RECORDS.rglob("*.json"))
