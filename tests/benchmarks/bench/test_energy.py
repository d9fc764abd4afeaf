"""What fit and test used stands in their summaries, and in the record where it is known of both."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.bench.record import energy_of
from benchmarks.cli import main
from benchmarks.loggers.log import SafeLog
from motioncopy.records.energy import EnergyMeter
from tests.toys import write_clip

SOURCE = "nvml (1 GPU)"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run's folder beside its config, on a machine whose one GPU uses 1 J between any two readings."""

    class Counting:
        read_before = 0

        def __call__(self) -> float:
            self.read_before += 1
            return float(self.read_before)

    monkeypatch.setattr("motioncopy.records.energy.gpus", lambda count: [Counting()])
    write_clip(tmp_path / "clips", "ann")
    content = {
        "model": {"class_path": "tests.toys.ToyMethod"},
        "data": {"class_path": "tests.toys.ToyData", "init_args": {"root": str(tmp_path / "clips")}},
        "trainer": {"accelerator": "cpu", "logger": False},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "run"


def fit(run: Path) -> dict[str, Any]:
    assert main(["fit", "--config", str(run.with_name("config.yaml")), "--run", str(run)]) == 0
    content: dict[str, Any] = json.loads((run / "fit.json").read_text())
    return content


def test_fit_and_test_say_what_they_used(run: Path) -> None:
    assert fit(run)["energy"] == {"joules": 1.0, "source": SOURCE}
    assert main(["test", "--run", str(run)]) == 0
    assert json.loads((run / "outputs/toy@1-test/summary.json").read_text())["energy"] == {
        "joules": 1.0,
        "source": SOURCE,
    }


def test_a_training_that_another_process_began_is_not_called_measured(run: Path) -> None:
    fit(run)
    assert fit(run)["energy"] is None, "all was done"
    assert fit(run.with_name("neighbour"))["energy"] is None, "all was taken over"


def test_a_training_that_was_gone_on_with_is_not_called_measured(run: Path) -> None:
    fit(run)
    (run / "stages/01-touch/done.json").unlink()  # as if killed behind its last checkpoint
    shutil.rmtree(run / "stages/00-paint")
    assert fit(run)["energy"] is None, "one stage alone was trained from its first step to its last"


def test_what_the_log_does_on_closing_is_no_training(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    leave = EnergyMeter.__exit__

    def measured(meter: EnergyMeter, *error: Any) -> None:
        order.append("measured")
        leave(meter, *error)

    monkeypatch.setattr(EnergyMeter, "__exit__", measured)
    monkeypatch.setattr(SafeLog, "close", lambda log, failed=False: order.append("closed"))
    fit(run)
    assert order == ["measured", "closed"]


@pytest.mark.parametrize(
    ("fit", "test", "expected"),
    [
        ((1.5, SOURCE), (2.0, SOURCE), {"energy_joules": 3.5, "energy_source": SOURCE}),
        ((1.5, SOURCE), (2.0, "nvml (2 GPUs)"), {}),
        ((1.5, SOURCE), (None, None), {}),
        ((None, None), (None, None), {}),
    ],
)
def test_a_record_holds_the_sum_or_nothing(fit: Any, test: Any, expected: dict[str, Any]) -> None:
    parts = [{"energy": dict(zip(("joules", "source"), part, strict=True))} for part in (fit, test)]
    assert energy_of(*parts) == expected
    assert energy_of({"energy": None}, parts[1]) == {}
    assert energy_of({}, parts[1]) == {}, "of a run before there was such a thing"
