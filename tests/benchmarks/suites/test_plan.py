"""Plans: each run once, in an order in which ablations find what they can take over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.bench.jobs import Job
from benchmarks.suites.estimate import Estimate, Estimator, spoken
from benchmarks.suites.plan import Options, Plan, plan
from benchmarks.suites.suite import Suite, SuiteRow, named, of_file
from motioncopy.errors import ConfigError
from motioncopy.records import Costs, Record
from motioncopy.records.provenance import Device

NOTHING = Estimator([], "cpu", None)


def planned(suites: list[Suite], runs: Path, **options: Any) -> Plan:
    return plan(suites, Options(runs=runs, **options), NOTHING)


def test_a_table_expands_to_baselines_whole_methods_and_rows(tmp_path: Path) -> None:
    found = planned(named(["remot/table4"]), tmp_path, data=("puppets",), seeds=(0, 1), row_seeds=(0,))
    assert [(r.job.stack.method, r.job.stack.overlays, r.job.seed, r.role) for r in found.runs] == [
        ("static", (), 0, "baseline"), ("aligned", (), 0, "baseline"),
        ("static", (), 1, "baseline"), ("aligned", (), 1, "baseline"),
        ("remot", (), 0, "whole"), ("remot", (), 1, "whole"),
        ("remot", ("rgn_without_gam",), 0, "ablation"), ("remot", ("rgn",), 0, "ablation"),
        ("remot", ("without_tam",), 0, "ablation"),
    ]  # fmt: skip
    whole = next(r for r in found.runs if r.role == "whole")
    assert all(r.after == (whole.job.id,) for r in found.runs if r.role == "ablation")
    assert not any(tmp_path.iterdir()), "planning writes nothing"


def test_where_no_whole_method_trains_what_ablations_share_the_first_of_them_does(tmp_path: Path) -> None:
    found = planned(named(["remot/table4"]), tmp_path, data=("puppets",), seeds=(0,), row_seeds=(5,))
    first, *others = [r for r in found.runs if r.role == "ablation"]
    assert first.after == ()
    assert [r.after for r in others] == [(first.job.id,)] * 2


def test_its_jobs_are_those_of_make_bench(tmp_path: Path) -> None:
    from benchmarks.bench.config_stack import ConfigStack

    found = planned(named(["fakemotion/table2"]), tmp_path, data=("puppets",), seeds=(0,))
    ids = {r.job.id for r in found.runs}
    assert Job(ConfigStack("fakemotion", "puppets"), tmp_path).id in ids
    assert Job(ConfigStack("fakemotion", "puppets", overlays=("l2",)), tmp_path).id in ids
    assert {r.person for r in found.runs} == {"ana"}


def test_what_two_tables_want_is_run_once(tmp_path: Path) -> None:
    one = planned(named(["remot/table4"]), tmp_path, data=("puppets",))
    both = planned(named(["remot/table4", "remot/table1"]), tmp_path, data=("puppets",))
    ids = [r.job.id for r in both.runs]
    assert len(set(ids)) == len(ids)
    assert {r.job.id for r in one.runs} <= set(ids)


def test_personal_methods_loop_over_people(tmp_path: Path) -> None:
    suite = Suite("mine", (SuiteRow("whole", "fakemotion"), SuiteRow("general", "remot")), ("puppets",))
    found = planned([suite], tmp_path, people=("all",), seeds=(0,))
    people = {r.person for r in found.runs if r.job.stack.method == "fakemotion"}
    assert len(people) == 14
    assert len([r for r in found.runs if r.job.stack.method == "nearest"]) == 14
    assert [r.person for r in found.runs if r.job.stack.method == "remot"] == [None]
    one = planned([suite], tmp_path, seeds=(0,))
    assert {r.job.id for r in one.runs} < {r.job.id for r in found.runs}, "the data set's choice is one of them"
    with pytest.raises(ConfigError, match=r"PEOPLE=nobody.*ana"):
        planned([suite], tmp_path, people=("nobody",))


def test_data_that_are_not_here_are_left_out_with_the_reason(tmp_path: Path) -> None:
    suite = Suite("mine", (SuiteRow("whole", "remot"),), ("iper", "puppets"))
    found = planned([suite], tmp_path)
    assert {r.job.stack.data for r in found.runs} == {"puppets"}
    ((why, (data,)),) = found.left_out.items()
    assert data == "iper"
    assert "DATA_ROOT" in why
    with pytest.raises(ConfigError, match=r"nothing of this can be run.*iper.*DATA_ROOT"):
        planned([replace(suite, data=("iper",))], tmp_path)


# -- how long it takes ------------------------------------------------------------------------------------------------


def test_a_run_takes_as_long_as_such_runs_took_here(clips: Path, suite_file: Path) -> None:
    whole, ablation = [
        r.job
        for r in planned([of_file(suite_file)], clips.parent, roots={"folder": str(clips)}, seeds=(0,)).runs
        if r.role != "baseline"
    ]
    records = [record(seconds) for seconds in (100.0, 300.0, 200.0)]
    elsewhere = [record(9000.0, cpu="another")]
    estimator = Estimator([*records, *elsewhere], "cpu", None)
    assert estimator.of(whole) == Estimate(200.0)
    assert estimator.of(ablation) == Estimate(200.0, bound=True), "it takes over stages of the whole method"
    assert Estimator(elsewhere, "cpu", None).of(whole) == Estimate(9000.0, elsewhere=True), "better than nothing"
    hurried = [record(60.0, config={"minutes": 1.0})]
    assert Estimator(hurried, "cpu", None).of(whole) == Estimate(None), "that was another thing"
    assert Estimator(hurried, "cpu", None).of(replace(whole, minutes=1.0)) == Estimate(60.0)
    own = record(50.0, ablation="no_local")
    assert Estimator([*records, own], "cpu", None).of(ablation) == Estimate(50.0)
    assert NOTHING.of(whole) == Estimate(None)


def test_times_are_spoken() -> None:
    assert [spoken(s) for s in (40, 150, 5000, 20000)] == ["40 s", "2 min", "83 min", "5.6 h"]


def record(
    seconds: float, cpu: str = "cpu", ablation: str | None = None, config: dict[str, Any] | None = None
) -> Record:
    from motioncopy.records.provenance import Code

    return Record(
        id="one", created="2026-01-01T00:00:00Z", kind="measured", method="fakemotion", data="folder",
        regime="personal", protocol="p@1", split="p@1", seed=0, variant="paper", preset="quick", ablation=ablation,
        code=Code("1", None, None), device=Device(cpu, 1), costs=Costs(wall_seconds=seconds),
        config=config or {}, configs=("overrides",),
    )  # fmt: skip
