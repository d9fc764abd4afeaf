"""A paper's table beside measured records: which record fits which row, what is compared, what is refused."""

from __future__ import annotations

import argparse
import io
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks import comparison, papers
from benchmarks.comparison import COLUMNS, compare
from benchmarks.papers import Cell, Row, Table
from benchmarks.tables import command
from motioncopy.errors import ConfigError, RecordError
from motioncopy.metrics.scores import Aggregate, ClipScores
from motioncopy.records import Costs, Record, Results, write
from tests.benchmarks.test_grids import check_latex
from tests.benchmarks.test_tables import record

PSNR, LPIPS, FID = "mask_psnr/inside@1", "lpips/alex@1", "fid/tf@1"
WAVES = (20.0, 22.0, 24.0, 26.0, 20.0, 22.0, 24.0, 26.0)
UP_AND_DOWN = (0.5, -0.5) * 4


def row(label: str, method: str, psnr: float | None, lpips: float | None = None, **fields: Any) -> Row:
    cells = tuple(
        Cell("iper", "reconstruction", key, value, (), "" if value is None else str(value))
        for key, value in ((PSNR, psnr), (LPIPS, lpips))
    )
    ours = method in papers.OURS
    return Row(label, method, fields.get("ablation"), ours, fields.get("flags", ()), cells, fields.get("compared"))


def paper(*rows: Row, kind: Any = "ablation", **fields: Any) -> Table:
    rows = rows or (
        row("w/o TAM", "remot", 26.6, 0.07, ablation="without_tam"),
        row("w/o WCN", "remot", 21.3, ablation="rgn"),
        row("w/o GAM", "remot", 21.4, ablation="rgn_without_gam", compared="w/o WCN"),
        row("Ours", "remot", 28.8, 0.06),
    )
    columns: Any = (("iper", "reconstruction", PSNR), ("iper", "reconstruction", LPIPS))
    known: dict[str, Any] = {"protocol": {"iper": "iper@1"}, "rows": rows, "columns": columns}
    known |= {"regime": "general"} | fields
    return Table(id="remot/table9", paper="remot", number="9", title="Parts", kind=kind, method="remot", **known)


def run(
    psnr: tuple[float, ...] = WAVES, ablation: str | None = None, *, method: str = "remot", **changes: Any
) -> Record:
    clips = [ClipScores(f"trial{i}", 1, {PSNR: (value,)}, {LPIPS: "no weights"}) for i, value in enumerate(psnr)]
    names: dict[str, Any] = {"regime": "general", "subject": None, "variant": "paper", "preset": "quick"}
    names |= {"ablation": ablation, "results": Results.of({"reconstruction": clips})}
    if method in ("static", "aligned"):
        names |= {"variant": "trivial", "preset": None}
    where = changes.get("data", "puppets")
    names |= {"protocol": f"{where}@1", "split": f"{where}@1"} | changes
    names.setdefault("id", f"{method}-{ablation}-{names.get('seed', 0)}-{len(repr(changes))}-{where}")
    return record(method, **names)


def cell(frame: pd.DataFrame, label: str, metric: str = PSNR) -> dict[str, Any]:
    (line,) = frame[(frame.label == label) & (frame.metric == metric)].to_dict("records")
    return {str(k): v for k, v in line.items()}


def less(by: float) -> tuple[float, ...]:
    return tuple(v - by for v in WAVES)


def test_paper_and_measured_stand_side_by_side() -> None:
    frame = compare(paper(), [run(data="iper", preset="full"), run(less(2.0), data="iper", preset="full", seed=1)])
    assert tuple(frame.columns) == COLUMNS
    ours = cell(frame, "Ours")
    assert (ours["paper"], ours["mean"], ours["seeds"], ours["trials"]) == (28.8, pytest.approx(22.0), 2, 8)
    assert ours["low"] < 22.0 < ours["high"]
    assert ours["difference"] == pytest.approx(22.0 - 28.8)
    text = comparison.markdown(frame)
    assert "| Ours (remot), 2 seeds | **28.8** | **22.00 [" in text
    assert "−6.80" in text
    assert "no difference" not in text.lower()
    assert "cannot be compared" not in text


def test_on_another_data_set_or_protocol_there_is_no_difference_and_a_note_says_so() -> None:
    elsewhere = compare(paper(), [run()], "puppets")
    assert cell(elsewhere, "Ours")["mean"] == pytest.approx(23.0)
    assert elsewhere.difference.isna().all()
    assert "Values on puppets and on iper cannot be compared" in comparison.markdown(elsewhere)
    miniature = compare(paper(), [run(data="iper", protocol="iper-miniature@1")])
    assert cell(miniature, "Ours")["mean"] == pytest.approx(23.0)
    assert miniature.difference.isna().all()
    assert "iper@1 comes nearest to the paper's, and this is iper-miniature@1" in comparison.markdown(miniature)


def test_the_sign_of_a_part_is_the_papers_and_ours() -> None:
    gains = tuple(v - 0.1 + d for v, d in zip(WAVES, UP_AND_DOWN, strict=True))
    frame = compare(
        paper(), [run(), run(less(1.0), "without_tam"), run(WAVES, "rgn"), run(gains, "rgn_without_gam")], "puppets"
    )
    tam = cell(frame, "w/o TAM")
    assert (tam["compared"], tam["paper_worth"], tam["worth"]) == ("Ours", pytest.approx(2.2), pytest.approx(1.0))
    assert (tam["sign"], tam["worth_low"], tam["worth_high"]) == ("+", pytest.approx(1.0), pytest.approx(1.0))
    gam = cell(frame, "w/o GAM")
    assert (gam["compared"], gam["sign"], gam["worth"]) == ("w/o WCN", "≈", pytest.approx(0.1))
    assert gam["paper_worth"] == pytest.approx(-0.1)
    assert gam["worth_low"] < 0 < gam["worth_high"]
    harmful = compare(paper(), [run(), run(less(-1.0), "without_tam")], "puppets")
    assert cell(harmful, "w/o TAM")["sign"] == "-"
    text = comparison.markdown(frame)
    assert "| w/o GAM, against w/o WCN | −0.1 | +0.10 [" in text
    assert "]≈ |" in text


def test_few_trials_give_a_sign_in_parentheses_and_sets_too() -> None:
    frame = compare(paper(), [run((20.0, 21.0)), run((19.0, 20.0), "without_tam")], "puppets")
    found = cell(frame, "w/o TAM")
    assert (found["sign"], found["worth_untested"]) == ("(+)", "2 trials, and a 95% test needs 6")
    text = comparison.markdown(frame)
    assert "+1.00 [+1.00, +1.00]?" in text
    assert "Differences not tested: 2 trials, and a 95% test needs 6." in text.splitlines()

    def with_fid(one: Record, value: float) -> Record:
        one.results.aggregates["reconstruction"][FID] = Aggregate(value, clips=8)
        return one

    column: Any = (("iper", "reconstruction", FID),)
    cells = {"w/o TAM": Cell("iper", "reconstruction", FID, 55.2, (), "55.2")}
    rows = tuple(
        replace(r, cells=(cells.get(r.label, Cell("iper", "reconstruction", FID, 53.0, (), "53.0")),))
        for r in paper().rows
    )
    records = [with_fid(run(), 30.0), with_fid(run(WAVES, "without_tam"), 31.0)]
    sets = cell(compare(paper(*rows, columns=column), records, "puppets"), "w/o TAM", FID)
    assert (sets["sign"], sets["worth"], sets["worth_low"]) == ("(+)", pytest.approx(1.0), None)
    assert sets["worth_untested"] == "one value of all trials together"


def test_only_seeds_that_both_rows_have_decide_a_sign() -> None:
    records = [run(), run(less(-9.0), seed=1), run(less(1.0), "without_tam")]
    found = cell(compare(paper(), records, "puppets"), "w/o TAM")
    assert (found["worth"], found["worth_seeds"]) == (pytest.approx(1.0), 1)
    alone = cell(compare(paper(), [run(seed=3), run(less(1.0), "without_tam")], "puppets"), "w/o TAM")
    assert (alone["sign"], alone["worth"]) == (None, None)
    assert "not run at the same seed" in alone["worth_untested"]


def test_every_missing_cell_says_why() -> None:
    other = row("C2F", "c2f_fwn", 24.9)
    planned = row("Later", "cpfnet", 1.0)
    part = row("w/o all", "remot", 2.0, ablation="without_everything")
    rows = (*paper().rows, other, planned, part)
    broken = run((), "rgn", status="failed", reason="loss d is nan at step 7", results=Results())
    frame = compare(paper(*rows), [run(), broken], "puppets")
    reasons = {label: cell(frame, label)["reason"] for label in ("C2F", "Later", "w/o all", "w/o TAM", "w/o WCN")}
    assert reasons == {
        "C2F": "not a method of this project",
        "Later": "this project does not have the method yet",
        "w/o all": "this project does not have the overlay yet",
        "w/o TAM": "not run on puppets",
        "w/o WCN": "the run failed: loss d is nan at step 7",
    }
    assert cell(frame, "Ours", LPIPS)["reason"] == "no weights"
    text = comparison.markdown(frame)
    assert "| w/o WCN" in text
    assert "the run failed: loss d is nan at step 7" in text
    assert "w/o WCN: seed 0 failed: loss d is nan at step 7" in text.splitlines()
    assert "| C2F" in text
    assert "| 24.9 | – |" in text
    nowhere = cell(compare(paper(), [run()]), "Ours")
    assert nowhere["reason"] == "not run on iper; run on puppets (puppets@1, general)"


def test_a_failed_seed_beside_finished_ones_is_told() -> None:
    broken = run((), seed=1, status="failed", reason="loss d is nan at step 7", results=Results())
    frame = compare(paper(), [run(), broken], "puppets")
    assert cell(frame, "Ours")["seeds"] == 1
    assert "Ours: seed 1 failed: loss d is nan at step 7" in comparison.markdown(frame).splitlines()
    again = run(less(1.0), seed=1, created="2025-01-31T12:00:09Z")
    assert compare(paper(), [run(), broken, again], "puppets").failed.isna().all()


def test_older_configs_do_not_count_and_are_told() -> None:
    old = run(less(5.0), seed=2, config={"model": {"width": 4}})
    new = run(created="2025-01-31T12:00:09Z")
    frame = compare(paper(), [old, new], "puppets")
    assert (cell(frame, "Ours")["mean"], cell(frame, "Ours")["aside"]) == (pytest.approx(23.0), 1)
    assert "Ours on puppets: 1 finished runs of older configs do not count." in comparison.markdown(frame)


def test_baselines_and_for_a_comparison_other_methods_stand_below() -> None:
    records = [
        run(),
        run(less(3.0), method="static"),
        run(less(2.0), method="aligned"),
        run(less(-1.0), method="cocosnet"),
    ]
    labels = compare(paper(kind="comparison"), records, "puppets").label.unique()
    assert list(labels[-4:]) == ["Ours", "cocosnet (paper)", "static", "aligned"]
    frame = compare(paper(), [*records, run(less(4.0), "rgn")], "puppets")
    assert list(frame.label.unique()[-3:]) == ["Ours", "static", "aligned"]
    assert (cell(frame, "w/o WCN")["weak"], cell(frame, "Ours")["weak"], cell(frame, "static")["weak"]) == (
        True,
        False,
        False,
    )
    assert "°" in comparison.markdown(frame)
    close = tuple(v + d - 0.1 for v, d in zip(WAVES, UP_AND_DOWN, strict=True))
    tied = compare(paper(kind="comparison"), [run(), run(close, method="cocosnet")], "puppets")
    assert (cell(tied, "Ours")["best"], cell(tied, "cocosnet (paper)")["tied"]) == (True, True)


def test_flags_have_a_footnote_each_where_they_belong() -> None:
    rows = list(paper().rows)
    rows[0] = replace(rows[0], flags=("not_single_factor",))
    first, second = rows[3].cells
    rows[3] = replace(rows[3], cells=(replace(first, flags=("contradicts",)), second))
    text = comparison.markdown(compare(paper(*rows, flags=("trials_unstated",)), [run()], "puppets"))
    lines = text.splitlines()
    assert f"The paper's whole table: {papers.FLAGS['trials_unstated']}" in lines
    assert f"ᵃ {papers.FLAGS['not_single_factor']}" in lines
    assert f"ᵇ {papers.FLAGS['contradicts']}" in lines
    assert any(line.startswith("| w/o TAMᵃ") for line in lines)
    assert "| **28.8**ᵇ |" in text
    everywhere = [replace(r, cells=tuple(replace(c, flags=("data_not_public",)) for c in r.cells)) for r in rows]
    assert f"All cells of iper: {papers.FLAGS['data_not_public']}" in comparison.markdown(
        compare(paper(*everywhere), [run()], "puppets")
    )


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"protocol": "puppets@2"}, "one protocol.*puppets@1, puppets@2"),
        ({"preset": "full"}, "one preset.*full, quick.*--preset"),
        ({"overlays": ("stabilised",)}, "one set of overlays.*remot.*none; stabilised.*--overlays"),
        ({"psnr": WAVES[:5]}, "different trials"),
    ],
)
def test_what_cannot_stand_in_one_table_is_refused(other: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        compare(paper(), [run(), run(ablation="rgn", **other)], "puppets")


def test_other_regimes_and_people_are_not_mixed_in() -> None:
    frame = compare(paper(), [run(), run(less(9.0), regime="personal", subject="ana")], "puppets")
    assert cell(frame, "Ours")["mean"] == pytest.approx(23.0)
    personal = paper(regime="personal")
    people: list[dict[str, Any]] = [{"regime": "personal", "subject": name} for name in ("ana", "bob")]
    ana, bob = people
    both = [run(**ana), run(less(4.0), **bob), run(less(1.0), "rgn", **ana)]
    found = compare(personal, both, "puppets")
    assert cell(found, "Ours")["mean"] == pytest.approx(23.0), "bob alone is not shown by every row"
    assert cell(found, "Ours")["subjects"] == "ana"
    pooled = compare(personal, both[:2], "puppets")
    assert (cell(pooled, "Ours")["mean"], cell(pooled, "Ours")["trials"]) == (pytest.approx(21.0), 16)
    with pytest.raises(RecordError, match="different people"):
        compare(personal, [run(**ana), run(less(1.0), "rgn", **bob)], "puppets")


def test_one_of_the_papers_data_sets_can_be_chosen() -> None:
    columns: Any = (("iper", "reconstruction", PSNR), ("dmt", "reconstruction", PSNR))
    cells = {name: Cell(name, "reconstruction", PSNR, 20.0, (), "20.0") for name in ("iper", "dmt")}
    one = Row("Ours", "remot", None, True, (), tuple(cells.values()))
    two = paper(one, kind="comparison", columns=columns, protocol={"iper": "iper@1", "dmt": None})
    frame = compare(two, [run(data="iper", preset="full"), run(data="dmt", preset="full")])
    assert list(zip(frame.data, frame.measured_on, strict=True))[:2] == [("iper", "iper"), ("dmt", "dmt")]
    assert list(frame.difference.isna()) == [False, True], "no protocol of ours is that of dmt"
    assert set(compare(two, [run(data="iper")], "iper").data) == {"iper"}
    beside = compare(two, [run()], "puppets")
    text = comparison.markdown(beside)
    assert "| PSNR" not in text
    assert "Mask-PSNR ↑ (dB) iper | Mask-PSNR ↑ (dB) dmt | Mask-PSNR ↑ (dB) puppets" in text


def test_frames_a_second_are_costs_of_a_device_and_no_contest() -> None:
    columns: Any = (("unstated", "imitation", "fps"),)
    one = Row("Ours", "remot", None, True, (), (Cell("unstated", "imitation", "fps", 15.0, (), "15"),))
    table = paper(one, kind="cost", columns=columns, protocol={"unstated": None})
    records = [run(costs=Costs(fps=40.0)), run(method="static", costs=Costs(fps=9000.0))]
    frame = compare(table, records, "puppets")
    found = cell(frame, "Ours", "fps")
    assert (found["mean"], found["difference"], found["weak"], found["low"]) == (40.0, None, False, None)
    text = comparison.markdown(frame)
    assert "on A CPU, threads: 2" in text
    assert "depend on the device" in text
    assert "does not say on which data" in cell(compare(table, records), "Ours", "fps")["reason"]


@pytest.mark.parametrize("name", list(papers.tables()))
def test_every_paper_table_is_laid_out_in_every_form(name: str) -> None:
    table = papers.table(name)
    frame = compare(table, [run(regime=table.regime, subject="ana" if table.regime == "personal" else None)], "puppets")
    assert len(frame) >= len(table.rows) * len(table.columns)
    check_latex(comparison.latex(frame))
    assert comparison.terminal(frame, 100)[0]
    for one in table.rows:
        assert f"| {one.label}" in comparison.markdown(frame)


def call(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    parsed = parser.parse_args(["table", *arguments])
    return int(parsed.run_command(parsed))


def test_the_command_shows_the_committed_records(capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ("--table", "remot/table4", "--data", "puppets", "--preset", "quick", "--overlays", "stabilised")
    outputs = {}
    for style in ("terminal", "markdown", "latex", "csv", "json"):
        assert call(*chosen, "--format", style) == 0
        outputs[style] = capsys.readouterr().out
    check_latex(outputs["latex"])
    frame = pd.read_csv(io.StringIO(outputs["csv"]))
    assert tuple(frame.columns) == COLUMNS
    assert len(json.loads(outputs["json"])) == len(frame)
    tam = cell(frame, "REMOT w/o TAM")
    assert (tam["paper"], tam["paper_worth"]) == (26.25, pytest.approx(1.64))
    assert (tam["sign"], tam["worth_trials"]) == ("-", 12)
    assert math.isnan(tam["difference"])
    assert "REMOT w/o TAM, against REMOT" in outputs["terminal"]
    assert "cannot be compared" in outputs["markdown"]


def test_the_command_leaves_out_what_it_cannot_trust(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ("--results", str(tmp_path), "--table", "remot/4", "--data", "puppets")
    path = write(run(), tmp_path)
    assert call(*chosen) == 0
    kept = path.read_text(encoding="utf-8")
    path.write_text(kept.replace('"value": 20.0', '"value": 29.0', 1), encoding="utf-8")
    assert call(*chosen) == 1, "no record is left"
    assert "sha256 does not fit" in capsys.readouterr().err
    path.write_text(kept.replace('"schema": 1', '"schema": 2'), encoding="utf-8")
    assert call(*chosen) == 1
    assert "field schema is wrong" in capsys.readouterr().err
    path.write_text(kept, encoding="utf-8")
    (tmp_path / "notes.json").write_text("{}")
    assert call(*chosen) == 3
    (tmp_path / "notes.json").unlink()
    write(run(less(1.0), "rgn", protocol="puppets@2"), tmp_path)
    with pytest.raises(RecordError, match="one protocol"):
        call(*chosen)
    assert call(*chosen, "--protocol", "puppets@1") == 0
    with pytest.raises(ConfigError, match="there is no paper table"):
        call("--table", "remot/44")
    with pytest.raises(ConfigError, match="leave out --ablations"):
        call(*chosen, "--ablations")


def test_the_command_says_where_there_is_something(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(run(), tmp_path)
    assert call("--results", str(tmp_path), "--table", "remot/4") == 0
    assert "There are records on puppets: `--data puppets` shows those." in capsys.readouterr().out
