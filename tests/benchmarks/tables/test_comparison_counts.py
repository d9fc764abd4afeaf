"""What counts of the records beside a paper's table: which runs, people, seeds and devices, and when it differs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.papers import PrintedCell, PrintedRow
from benchmarks.tables.comparison import comparison
from datamodules.protocols import protocol
from motioncopy.metrics.scores import Aggregate, ClipScores
from motioncopy.records import Costs, Record, Results
from motioncopy.records.provenance import Device
from tests.benchmarks.tables.test_comparison import FID, LPIPS, PSNR, UP_AND_DOWN, WAVES, cell, less, paper, run


def test_a_smaller_preset_is_not_held_against_the_paper() -> None:
    made = comparison(paper(), [run(data="iper"), run(less(1.0), "without_tam", data="iper")])
    ours = cell(made, "Ours")
    assert (ours["mean"], ours["difference"]) == (pytest.approx(23.0), None)
    assert ours["withheld"] == "no difference: preset quick"
    assert cell(made, "w/o TAM")["worth"] == pytest.approx(1.0), "a sign can be compared"
    text = made.markdown()
    assert "Δ" not in text
    assert "| **23.00 [" in text
    assert "]**¹ |" in text
    assert "¹ no difference: preset quick" in text.splitlines()
    assert "comes nearest" not in text, "the protocol is the paper's"


def test_a_personal_table_is_held_against_the_paper_for_all_people_only() -> None:
    everybody = protocol("iper").people
    assert everybody is not None
    fields: dict[str, Any] = {"data": "iper", "preset": "full", "regime": "personal"}
    table = paper(regime="personal")
    people = [run(subject=f"{k:03}_1", id=f"person-{k}", **fields) for k in range(everybody)]
    whole = cell(comparison(table, people), "Ours")
    assert (whole["difference"], whole["withheld"]) == (pytest.approx(23.0 - 28.8), None)
    one = comparison(table, people[:1])
    assert cell(one, "Ours")["withheld"] == f"no difference: 1 of {everybody} people"
    assert cell(one, "Ours")["difference"] is None
    assert f"² no difference: 1 of {everybody} people" in one.markdown().splitlines()
    bare = [run(subject=f"{k:03}_1", id=f"bare-{k}", ablation="rgn", **fields) for k in range(everybody)]
    bare[0] = replace(bare[0], id="bare", results=replace(bare[1].results, aggregates={}, trials={}))
    some = comparison(table, [*people, *bare])
    assert cell(some, "w/o WCN")["withheld"] == f"no difference: {everybody - 1} of {everybody} people"
    text = some.markdown()
    assert "−5.80 |" in text
    assert f"no difference: {everybody - 1} of {everybody} people" in text
    both = cell(comparison(table, [replace(people[0], preset="quick")]), "Ours")
    assert both["withheld"] == f"no difference: preset quick, 1 of {everybody} people"
    unknown = paper(regime="personal", protocol={"iper": "other@1"})
    here = [replace(people[0], protocol="other@1")]
    withheld = cell(comparison(unknown, here), "Ours")["withheld"]
    assert withheld == "no difference: how many people other@1 has is not known"
    older = paper(regime="personal", protocol={"iper": "iper@0"})
    known = cell(comparison(older, [replace(one, protocol="iper@0") for one in people]), "Ours")["withheld"]
    assert known == "no difference: how many people iper@0 has is not known"


def gap(record: Record) -> Record:
    """The same without a value of its first trial."""
    values = (None, *WAVES[1:])
    clips = [ClipScores(f"trial{i}", 1, {PSNR: (value,)}, {LPIPS: "no weights"}) for i, value in enumerate(values)]
    return replace(record, results=Results.of({"reconstruction": clips}))


def test_a_part_is_worth_the_differences_seed_by_seed() -> None:
    worse = (WAVES[0] - 8.0, *WAVES[1:])
    records = [run(), gap(run(seed=1)), run(WAVES, "without_tam"), run(worse, "without_tam", seed=1)]
    found = cell(comparison(paper(), records, "puppets"), "w/o TAM")
    assert (found["worth"], found["worth_low"], found["worth_high"]) == (0.0, 0.0, 0.0), "8 / 2 / 8 if means are formed"
    assert (found["worth_seeds"], found["worth_trials"], found["sign"]) == (2, 8, "≈")
    nothing = [replace(r, results=Results.of({"reconstruction": [ClipScores(name, 1, {PSNR: (v,)}, {})]}))
               for r, name, v in ((run(), "one", 20.0), (run((), "without_tam"), "one", None))]  # fmt: skip
    again = replace(nothing[0], id="later", seed=1)
    other = replace(nothing[0], id="another", seed=1, ablation="without_tam")
    missing = replace(nothing[1], id="none", seed=1, ablation=None)
    apart = comparison(paper(), [nothing[0], nothing[1], missing, other], "puppets")
    assert cell(apart, "w/o TAM")["worth"] is None
    assert "no trial has a value of both rows at the same seed" in cell(apart, "w/o TAM")["worth_untested"]
    assert cell(comparison(paper(), [nothing[0], again, nothing[1], other], "puppets"), "w/o TAM")["worth"] == 0.0


def test_sets_too_are_compared_seed_by_seed() -> None:
    def with_fid(one: Record, value: float | None) -> Record:
        if value is not None:
            one.results.aggregates["reconstruction"][FID] = Aggregate(value, clips=8)
        return one

    columns: Any = (("iper", "reconstruction", FID),)
    rows = tuple(
        replace(r, cells=(PrintedCell("iper", "reconstruction", FID, 53.0, (), "53.0"),)) for r in paper().rows
    )
    values = [(None, 0, 30.0), ("without_tam", 0, 31.0), (None, 1, None), ("without_tam", 1, 90.0)]
    records = [with_fid(run(WAVES, name, seed=seed), value) for name, seed, value in values]
    found = cell(comparison(paper(*rows, columns=columns), records, "puppets"), "w/o TAM", FID)
    assert (found["worth"], found["worth_seeds"]) == (pytest.approx(1.0), 1)


def test_rows_are_told_apart_at_the_seeds_that_both_have() -> None:
    table = paper(kind="comparison")
    close = tuple(v + d / 10 for v, d in zip(WAVES, UP_AND_DOWN, strict=True))
    best = [run(), run(less(-9.0), seed=1)]
    paired = cell(comparison(table, [*best, run(close, method="cocosnet")], "puppets"), "cocosnet (paper)")
    assert (paired["tied"], paired["untested"]) == (True, None), "the other seed of the best says nothing of this one"
    apart = cell(comparison(table, [*best, run(close, method="cocosnet", seed=5)], "puppets"), "cocosnet (paper)")
    assert apart["tied"] is False, "no seed of both: means over seeds"


def test_runs_with_changed_values_do_not_count_and_are_told() -> None:
    changed: dict[str, Any] = {"configs": ("paper", "quick", "overrides"), "created": "2025-01-31T12:00:09Z"}
    records = [
        run(),
        run(less(-5.0), **changed),
        run(less(1.0), seed=1, **changed, status="failed", reason="no space", results=Results()),
        run(less(2.0), "rgn", **changed),
        run(less(9.0), data="iper", **changed),
        run(less(9.0), **changed | {"configs": ("paper", "quick"), "regime": "personal", "subject": "ana"}),
    ]
    made = comparison(paper(), records, "puppets")
    ours = cell(made, "Ours")
    assert (ours["mean"], ours["seeds"], ours["failed"], ours["changed"]) == (pytest.approx(23.0), 1, None, 3)
    assert cell(made, "w/o WCN")["reason"] == "run on puppets with changed values only (overrides)"
    notes = made.markdown().splitlines()
    assert "On puppets 3 runs with changed values (overrides) do not count." in notes
    one = comparison(paper(), records[1:2], "puppets").markdown().splitlines()
    assert "On puppets 1 run with changed values (overrides) does not count." in one
    assert "overrides" not in comparison(paper(), records[:1], "puppets").markdown()
    other = comparison(paper(kind="comparison"), [run(), run(method="cocosnet", **changed)], "puppets")
    assert "cocosnet (paper)" not in set(other.frame.label)
    assert cell(other, "Ours")["changed"] == 1


def test_a_failure_is_kept_with_the_person_that_it_leaves_out() -> None:
    people: list[dict[str, Any]] = [{"regime": "personal", "subject": name} for name in ("ana", "bo")]
    ana, bo = people
    broken: dict[str, Any] = {
        "status": "failed",
        "reason": "loss d is nan at step 7. Expected: less",
        "results": Results(),
    }
    records = [
        run(less(1.0), method="static", **ana),
        run(less(1.0), method="static", **bo),
        run(**ana),
        run((), **bo, **broken),
        run((), seed=1, **{**bo, "subject": "cy"}, **broken),
        run(less(2.0), "rgn", **ana),
    ]
    made = comparison(paper(regime="personal"), records, "puppets")
    ours = cell(made, "Ours")
    assert (ours["mean"], ours["subjects"]) == (pytest.approx(23.0), "ana")
    assert "seed 0 of bo failed: loss d is nan at step 7." in ours["failed"]
    assert "seed 1 of cy failed" in ours["failed"], "who has no result of any row"
    assert cell(made, "static")["subjects"] == "ana"
    reason = "bo (w/o WCN not run, remot failed: loss d is nan at step 7)"
    assert set(made.frame.left_out) == {reason}
    notes = made.markdown().splitlines()
    assert f"On puppets left out of all rows, since not every row has them: {reason}." in notes
    assert any(note.startswith("Ours: seed 0 of bo failed") for note in notes)
    whole = comparison(paper(regime="personal"), [run(**ana), run(less(1.0), method="static", **ana)], "puppets")
    assert set(whole.frame.left_out) == {None}


def test_frames_a_second_of_several_devices_have_no_mean() -> None:
    columns: Any = (("unstated", "imitation", "fps"),)
    one = PrintedRow("Ours", "remot", None, True, (), (PrintedCell("unstated", "imitation", "fps", 15.0, (), "15"),))
    table = paper(one, kind="cost", columns=columns, protocol={"unstated": None})
    gpu = Device("A CPU", 2, gpu="A GPU", gpus=1)
    records = [
        run(costs=Costs(fps=4.0)),
        run(costs=Costs(fps=40.0), seed=1, device=gpu, created="2025-01-31T12:00:08Z"),
        run(costs=Costs(fps=44.0), seed=2, device=gpu, created="2025-01-31T12:00:09Z"),
        run(seed=3, created="2025-01-31T12:00:10Z"),
    ]
    made = comparison(table, records, "puppets")
    found = cell(made, "Ours", "fps")
    assert (found["mean"], found["seeds"], found["device"]) == (pytest.approx(42.0), 2, "A GPU")
    assert found["not_averaged"] == "A CPU, threads: 2"
    text = made.markdown()
    assert "¹ of runs on A GPU alone; those on A CPU, threads: 2 are not averaged with them" in text.splitlines()
    older = cell(
        comparison(table, [replace(records[0], created="2025-02-01T00:00:00Z"), *records[1:]], "puppets"), "Ours", "fps"
    )
    assert (older["mean"], older["device"], older["not_averaged"]) == (4.0, "A CPU, threads: 2", "A GPU")
    same = cell(comparison(table, records[1:3], "puppets"), "Ours", "fps")
    assert (same["mean"], same["not_averaged"]) == (pytest.approx(42.0), None)
