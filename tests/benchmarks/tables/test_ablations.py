"""What a part is worth: paired by trial and seed, signed by the metric, beside the paper's own difference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import papers
from benchmarks.bench import config_stack
from benchmarks.tables.ablations import ablations, verdict, worth_in_papers, worth_of_parts
from motioncopy.errors import RecordError
from motioncopy.metrics.catalogue import METRICS
from motioncopy.metrics.scores import ClipScores
from motioncopy.records import Record, Results, write
from tests.benchmarks.tables.made import call, record

PSNR, LPIPS = "mask_psnr/inside@1", "lpips/alex@1"


def run(psnr: list[float], ablation: str | None = None, *, seed: int = 0, lpips: float = 0.1, **changes: Any) -> Record:
    """A record of REMOT whose trials have these values."""
    clips = [ClipScores(f"trial{i}", 1, {PSNR: (value,), LPIPS: (lpips,)}) for i, value in enumerate(psnr)]
    names = {"ablation": ablation, "seed": seed, "regime": "general", "subject": None, "variant": "paper"} | changes
    return record("remot", **names, results=Results.of({"reconstruction": clips}))


def line(records: list[Record], ablation: str, metric: str = PSNR) -> dict[Any, Any]:
    frame = worth_of_parts(records).frame
    (found,) = frame[(frame.ablation == ablation) & (frame.metric == metric)].to_dict("records")
    return found


def test_worth_is_the_mean_of_the_differences_trial_by_trial() -> None:
    whole, without = [20.0, 22.0, 24.0, 20.0, 22.0, 24.0], [19.0, 20.0, 21.0, 19.0, 20.0, 21.0]
    found = line([run(whole), run(without, "without_tam")], "without_tam")
    assert found["worth"] == pytest.approx(2.0)
    assert (found["trials"], found["seeds"]) == (6, 1)
    assert 1.0 <= found["low"] < 2.0 < found["high"] <= 3.0
    assert verdict(found) == "helps"


def test_where_lower_is_better_the_sign_turns() -> None:
    psnr = [20.0, 21.0, 22.0, 23.0, 24.0, 25.0]
    records = [run(psnr, lpips=0.3), run(psnr, "without_tam", lpips=0.1)]
    found = line(records, "without_tam", LPIPS)
    assert found["worth"] == pytest.approx(-0.2)
    assert verdict(found) == "harms"
    assert "+0.009 (iper), +0.008 (solodance)" in found["paper"]


def test_an_interval_around_nothing_shows_nothing() -> None:
    up_and_down = [20.0, 22.0, 20.0, 22.0, 20.0, 22.0]
    assert verdict(line([run(up_and_down), run([21.0] * 6, "rgn")], "rgn")) == "not shown"


def test_few_trials_have_an_interval_but_no_verdict() -> None:
    found = line([run([20.0, 22.0]), run([19.0, 20.0], "rgn")], "rgn")
    assert found["low"] is not None
    assert verdict(found) == "not tested (2 trials, and a 95% test needs 6)"
    alone = line([run([20.0]), run([21.0], "rgn")], "rgn")
    assert alone["low"] is None
    assert verdict(alone).startswith("not tested (1 trial,")


def test_a_row_is_compared_with_the_row_that_its_overlay_names() -> None:
    records = [run([30.0, 30.0]), run([20.0, 20.0], "rgn"), run([19.0, 19.0], "rgn_without_gam")]
    found = line(records, "rgn_without_gam")
    assert (found["compared"], found["worth"]) == ("rgn", pytest.approx(1.0))
    assert line(records, "rgn")["worth"] == pytest.approx(10.0)
    printed = worth_of_parts(records).markdown()
    assert "rgn_without_gam, against rgn (" in printed
    assert "rgn, against the whole method (" in printed


def test_only_seeds_that_both_rows_have_count() -> None:
    whole = [run([20.0, 20.0], seed=0), run([30.0, 30.0], seed=1), run([90.0, 90.0], seed=2)]
    rows = [run([10.0, 10.0], "rgn", seed=0), run([10.0, 10.0], "rgn", seed=1)]
    found = line([*whole, *rows], "rgn")
    assert (found["worth"], found["seeds"]) == (pytest.approx(15.0), 2)


def test_nothing_to_compare_with_is_refused() -> None:
    with pytest.raises(RecordError, match=r"rgn_without_gam on puppets has nothing to be compared with.*rgn at seed 0"):
        worth_of_parts([run([20.0]), run([19.0], "rgn_without_gam")])
    with pytest.raises(RecordError, match=r"the whole method at seed 0.*Found: seeds 1"):
        worth_of_parts([run([20.0], seed=1), run([19.0], "rgn", seed=0)])


def test_the_text_names_part_verdict_and_both_values() -> None:
    text = worth_of_parts([run([20.0, 22.0, 24.0] * 2), run([19.0, 20.0, 21.0] * 2, "without_tam")]).markdown()
    assert text.startswith("**puppets: remot: without_tam, against the whole method (Texture Alignment Module)**")
    (row,) = [found for found in text.splitlines() if "Mask-PSNR" in found]
    for cell in ("+2.00 [", "helps", "+2.25 (iper)", "6 trials"):
        assert cell in row


def test_people_are_told_apart() -> None:
    people = [run([20.0] * 6, ablation, subject=name) for name in ("ana", "bo") for ablation in (None, "rgn")]
    text = worth_of_parts(people).markdown()
    assert "**puppets, ana: remot: rgn," in text
    assert "**puppets, bo: remot: rgn," in text


@pytest.mark.parametrize("method", config_stack.methods())
def test_every_block_names_rows_metrics_and_pairs_of_values(method: str) -> None:
    for name, ablation in ablations(method).items():
        assert ablation.part
        assert ablation.compared in (None, *config_stack.ablations(method))
        assert ablation.compared != name
        assert {metric for _, metric in worth_in_papers(method, name)} <= METRICS.keys()


def test_the_paper_s_values_come_from_its_tables() -> None:
    found = worth_in_papers("remot", "rgn_without_gam")
    # Against the row without the WCN.
    assert found["reconstruction", PSNR] == pytest.approx({"iper": 0.38, "solodance": 25.54 - 24.56})
    assert ("imitation", PSNR) not in found
    l2 = worth_in_papers("fakemotion", "l2")["imitation", "fid/tf@1"]
    assert l2 == pytest.approx({"complexmotion": 63.62 - 48.03, "iper": 8.08})


def test_all_rows_of_the_paper_s_ablations_are_known() -> None:
    assert len(ablations("fakemotion")) == 11
    assert all(worth_in_papers(method, name) for method in ("fakemotion", "remot") for name in ablations(method))


def test_the_paper_s_row_is_compared_with_the_row_that_the_overlay_names() -> None:
    checked = 0
    for table in papers.tables().values():
        for row in table.rows:
            found = ablations(row.method).get(row.ablation or "") if row.method in config_stack.methods() else None
            if found is not None:
                assert table.compared_with(row).ablation == found.compared
                checked += 1
    assert checked == 18


def test_the_command_prints_it_and_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(run([20.0, 22.0]), tmp_path)
    arguments = ("--ablations", "--results", str(tmp_path))
    with pytest.raises(RecordError, match="no run of an ablation"):
        call(*arguments)
    write(run([19.0, 20.0], "rgn"), tmp_path)
    assert call(*arguments) == 0
    assert "Whole Composition Network" in capsys.readouterr().out
