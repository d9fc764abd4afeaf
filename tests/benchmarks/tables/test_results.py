"""Tables: means over seeds, what is best, what is missing and why, and what cannot stand in one table."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from benchmarks.tables.results import COLUMNS, results
from benchmarks.tables.table import Table
from motioncopy.errors import ConfigError, RecordError
from motioncopy.metrics.bootstrap import NOTE, mean_interval
from motioncopy.metrics.scores import Aggregate, ClipScores
from motioncopy.records import PaperRow, Record, Results, write
from tests.benchmarks.tables.made import FID, LPIPS, PSNR, SSIM, call, record


def cell(made: Table, label: str, metric: str = SSIM, kind: str = "reconstruction") -> dict[str, Any]:
    (line,) = made.frame.query("label == @label and metric == @metric and kind == @kind").to_dict("records")
    return {str(k): v for k, v in line.items()}


def printed(made: Table) -> str:
    parts, notes = made.terminal()
    console = Console(file=io.StringIO(), width=160)
    for line in (*parts, *notes):
        console.print(line)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


def test_records_that_differ_by_seed_become_one_row_of_mean_and_deviation() -> None:
    made = results([record("remot", 0.5, seed=0), record("remot", 0.6, seed=1), record("remot", 0.7, seed=2)])
    line = cell(made, "remot")
    assert (line["mean"], line["std"]) == (pytest.approx(0.6), pytest.approx(0.1))
    assert (line["seeds"], line["trials"]) == (3, 1)
    assert "| remot, 3 seeds | **0.600 ± 0.100** |" in made.markdown()
    assert tuple(made.frame.columns) == COLUMNS


def test_one_seed_has_no_deviation() -> None:
    made = results([record("remot")])
    assert math.isnan(cell(made, "remot")["std"])
    assert "| remot | **0.500** | **20.00** |" in made.markdown()


def test_records_that_differ_in_more_than_the_seed_are_not_averaged() -> None:
    wider = {"seed_everything": 1, "model": {"width": 16}}
    made = results([record("remot", 0.5), record("remot", 0.7, seed=1, config=wider)])
    labels = made.frame["label"].unique()
    assert len(labels) == 2
    assert all(label.startswith("remot #") for label in labels)


def test_of_repeated_runs_the_newest_finished_one_counts() -> None:
    old = record("remot", 0.5, created="2025-01-31T12:00:01Z")
    new = record("remot", 0.6, created="2025-01-31T12:00:02Z")
    failed = record("remot", status="failed", reason="x", results=Results(), created="2025-01-31T12:00:03Z")
    made = results([failed, new, old])
    assert cell(made, "remot")["mean"] == 0.6
    assert cell(made, "remot")["seeds"] == 1


def test_rows_name_variant_preset_overlays_and_ablation_and_baselines_come_last() -> None:
    names: dict[str, Any] = {"variant": "paper", "preset": "quick", "overlays": ("stabilised",)}
    made = results([
        record("static"),
        record("remot", ablation="without_tam", **names),
        record("remot", **names),
        record("cpfnet"),
    ])  # fmt: skip
    assert list(made.frame["label"].unique()) == [
        "cpfnet",
        "remot (paper, quick, stabilised)",
        "remot (paper, quick, stabilised): without_tam",
        "static",
    ]


def test_the_best_is_bold_in_the_metrics_own_direction_and_ties_share() -> None:
    def scored(method: str, ssim: float, lpips: float) -> Record:
        clip = ClipScores("walk", 1, {SSIM: (ssim,), LPIPS: (lpips,)})
        return record(method, results=Results.of({"reconstruction": [clip]}))

    made = results([scored("a", 0.9, 0.3), scored("b", 0.8, 0.1), scored("c", 0.9001, 0.2)])
    assert list(made.frame.query("best").label) == ["a", "b", "c"]
    assert "| a | **0.900** | 0.300 |" in made.markdown()
    assert "| b | 0.800 | **0.100** |" in made.markdown()
    assert "|  | SSIM ↑ | LPIPS ↓ |" in made.markdown()


def test_what_does_not_beat_the_baselines_is_marked() -> None:
    records = [record("static", 0.5, 10.0), record("nearest", 0.6, 12.0), record("remot", 0.55, 13.0)]
    made = results(records)
    assert (cell(made, "remot")["weak"], cell(made, "remot", PSNR)["weak"]) == (True, False)
    assert not made.frame[made.frame.method != "remot"].weak.any()
    assert "| remot | 0.550° | **13.00** |" in made.markdown()
    assert "trivial baselines" in made.markdown()
    assert not results([record("remot")]).frame.weak.any()
    assert "trivial baselines" not in results([record("remot")]).markdown()


def test_missing_cells_are_dashes_with_their_reasons() -> None:
    made = results([
        record("a", missing={LPIPS: "weights alexnet are not here"}, imitation=True),
        record("b", None, lpips=0.3),
        record("c", status="failed", reason="loss d is nan at step 7", results=Results()),
    ])  # fmt: skip
    text = made.markdown()
    reconstruction, imitation = text.split("**puppets, protocol puppets@1, personal: imitation**")
    lines = reconstruction.splitlines()
    for line in ("| a | **0.500** | **20.00** | –¹ |", "| b | –² | **20.00** | **0.300** |", "| c | –⁴ | –⁴ | –⁴ |"):
        assert line in lines
    for line in ("| a | **0.500** | **20.00** |", "| b | –³ | –³ |", "| c | –⁴ | –⁴ |"):
        assert line in imitation.splitlines()
    for note in (
        "¹ weights alexnet are not here",
        "² no frame had a value",
        "³ no trial of imitation was scored",
        "⁴ the run failed: loss d is nan at step 7",
        "Without a value: LPIPS (imitation). " + "; ".join((
            "weights alexnet are not here", "no trial of imitation was scored",
            "the run failed: loss d is nan at step 7",
        )),
    ):  # fmt: skip
        assert note in text.splitlines()


def test_a_metric_without_any_value_is_a_note_and_no_column() -> None:
    text = results([record("a", missing={LPIPS: "weights alexnet are not here Expected: a file"})]).markdown()
    assert "LPIPS ↓" not in text
    assert "Without a value: LPIPS. weights alexnet are not here" in text.splitlines()


def scored(method: str, *ssim: float, **changes: Any) -> Record:
    """A record whose trials have these values."""
    clips = [ClipScores(f"trial{k}", 1, {SSIM: (value,)}) for k, value in enumerate(ssim)]
    return record(method, results=Results.of({"reconstruction": clips}), **changes)


WAVES = (0.5, 0.6, 0.7, 0.8, 0.5, 0.6, 0.7, 0.8)


def test_what_is_not_told_apart_from_the_best_is_marked() -> None:
    """b is a little worse on every trial; c is as good as a on the average of trials that go either way."""
    shifts = (0.01, -0.012, 0.01, -0.012, 0.01, -0.012, 0.01, -0.012)
    made = results([
        scored("a", *WAVES),
        scored("b", *(v - 0.01 - k / 1000 for k, v in enumerate(WAVES))),
        scored("c", *(v + d for v, d in zip(WAVES, shifts, strict=True))),
    ])  # fmt: skip
    assert dict(zip(made.frame.label, made.frame.tied, strict=True)) == {"a": False, "b": False, "c": True}
    assert made.frame.untested.isna().all()
    text = made.markdown()
    assert "| c | 0.649≈ |" in text
    assert f"≈ not told apart from the best of its column ({NOTE.rstrip('.')})" in text
    assert "not told apart" not in results([scored("a", *WAVES), scored("b", *(v / 2 for v in WAVES))]).markdown()


def test_seeds_are_averaged_before_trials_are_compared() -> None:
    """Either seed of b is told apart from a, by 0.02 up and down; their mean goes up and down by trial."""
    up = [v + 0.02 for v in WAVES]
    down = [v - 0.02 + (0.004 if k % 2 else -0.010) for k, v in enumerate(WAVES)]
    assert not results([scored("a", *WAVES), scored("b", *up)]).frame.tied.any()
    assert not results([scored("a", *WAVES), scored("b", *down, seed=1)]).frame.tied.any()
    assert results([scored("a", *WAVES), scored("b", *up), scored("b", *down, seed=1)]).frame.tied.any()


def test_few_trials_and_values_of_sets_have_no_mark_but_a_reason() -> None:
    few = results([scored("a", 0.5, 0.6), scored("b", 0.5, 0.7)])
    assert not few.frame.tied.any()
    assert "Differences not tested: 2 trials, and a 95% test needs 6" in few.markdown().splitlines()

    def with_fid(record: Record, value: float) -> Record:
        (found,) = record.results.aggregates.values()
        found[FID] = Aggregate(value, clips=8)
        return record

    sets = results([with_fid(scored("a", *WAVES), 30.0), with_fid(scored("b", *WAVES[::-1]), 31.0)])
    assert "Differences not tested in FID: one value of all trials together" in sets.markdown().splitlines()
    assert sets.frame.query("metric == @SSIM").untested.isna().all()


def test_a_table_of_failures_still_tells_why() -> None:
    text = results([record("c", status="failed", reason="out of memory", results=Results())]).markdown()
    assert "¹ the run failed: out of memory" in text


def test_subjects_are_compared_among_themselves() -> None:
    made = results([record("a", 0.9, subject="p03"), record("a", 0.2, subject="p07"), record("b", 0.1, subject="p07")])
    text = made.markdown()
    assert "| p03: a | **0.900** |" in text
    assert "| p07: a | **0.200** |" in text
    assert "| p07: b | 0.100 |" in text


@pytest.mark.parametrize("width", [60, 80, 160])
def test_a_narrow_terminal_loses_no_name_and_no_value(width: int) -> None:
    """Rich makes columns that do not fit vanish: the methods' names were the first."""
    names = [f"method-{i}-with-a-long-name" for i in range(7)]
    made = results([record(name, 0.1 + i / 100, 20.0 + i) for i, name in enumerate(names)])
    console = Console(file=io.StringIO(), width=width)
    for part in made.terminal(width)[0]:
        console.print(part)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in text
    for i in range(7):
        assert f"method-{i}-with-a" in text
        assert f"{0.1 + i / 100:.3f}" in text
        assert f"{20 + i:.2f}" in text


def test_the_terminal_shows_the_same_in_one_part_for_each_kind() -> None:
    own = record("a", imitation=True, missing={LPIPS: "no [weights]"})
    text = printed(results([own, record("static", 0.4, lpips=0.2)]))
    assert "puppets, protocol puppets@1, personal: reconstruction" in text
    assert "puppets, protocol puppets@1, personal: imitation" in text
    assert "0.500" in text
    assert "–¹" in text
    assert "LPIPS ↓" in text


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"data": "iper"}, "one data set.*iper, puppets"),
        ({"regime": "general", "subject": None}, "one regime.*general, personal"),
        ({"protocol": "puppets@2"}, "one protocol.*puppets@1, puppets@2"),
        ({"ssim_key": "ssim/gaussian@2"}, "one version of a metric.*ssim/gaussian@1, ssim/gaussian@2"),
        ({"trials": ("walk", "jump")}, "different trials"),
    ],
)
def test_what_cannot_be_compared_is_refused(other: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        results([record("a"), record("b", **other)])


def test_an_unknown_metric_and_no_record_are_refused() -> None:
    with pytest.raises(RecordError, match="ssim/gaussian@3"):
        results([record("a", ssim_key="ssim/gaussian@3")])
    with pytest.raises(RecordError, match="no record"):
        results([])


def test_rows_of_papers_are_left_aside() -> None:
    paper = record("a", kind="paper", paper=PaperRow("a", "1", "Full"), protocol="puppets@paper")
    assert list(results([paper, record("b")]).frame.method.unique()) == ["b"]


def test_the_command_prints_every_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(record("remot"), tmp_path)
    write(record("remot", id="iper", data="iper", protocol="iper@1"), tmp_path)
    outputs = {}
    for style in ("terminal", "markdown", "latex", "csv", "json"):
        assert call("--results", str(tmp_path), "--format", style) == 0
        outputs[style] = capsys.readouterr().out
    assert all("puppets" in text and "iper" in text for text in outputs.values())
    assert {line["data"] for line in json.loads(outputs["json"])} == {"iper", "puppets"}
    assert pd.read_csv(io.StringIO(outputs["csv"])).shape == (4, len(COLUMNS))
    assert call("--results", str(tmp_path), "--data", "puppets", "--format", "csv") == 0
    assert "iper" not in capsys.readouterr().out


def test_whole_methods_stand_without_their_ablations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(record("remot"), tmp_path)
    write(record("remot", ablation="without_tam"), tmp_path)
    assert call("--results", str(tmp_path), "--format", "csv") == 0
    assert "without_tam" in capsys.readouterr().out
    assert call("--results", str(tmp_path), "--whole", "--format", "csv") == 0
    said = capsys.readouterr().out
    assert "remot" in said
    assert "without_tam" not in said


def test_intervals_are_over_trials_of_their_means_over_seeds() -> None:
    def scored(seed: int, *values: float) -> Record:
        clips = [ClipScores(f"trial{k}", 1, {SSIM: (value,)}, {}) for k, value in enumerate(values)]
        return record("remot", seed=seed, results=Results.of({"reconstruction": clips}))

    records = [scored(0, 0.2, 0.5, 0.8), scored(1, 0.4, 0.7, 1.0)]
    line = cell(results(records, intervals=True), "remot")
    assert (line["low"], line["high"]) == pytest.approx(mean_interval(np.array([0.3, 0.6, 0.9])))
    assert f"0.600 [{line['low']:.3f}, {line['high']:.3f}]" in results(records, intervals=True).markdown()
    plain = results(records)
    assert plain.frame["low"].isna().all()
    assert "0.600 ± 0.141" in plain.markdown()
    alone = results([record("remot")], intervals=True)
    assert alone.frame["low"].isna().all(), "one trial has no interval"


def test_a_record_and_its_table_have_one_interval() -> None:
    one = scored("a", *WAVES)
    line, kept = cell(results([one], intervals=True), "a"), one.results.aggregates["reconstruction"][SSIM]
    assert (line["low"], line["high"]) == (kept.low, kept.high)


def test_latex_has_a_float_for_each_kind_with_its_own_notes() -> None:
    made = results([record("a_b", imitation=True, missing={LPIPS: "100% absent"}), record("c", lpips=0.2)])
    first, second = made.latex().split("\\end{table}")[:2]
    assert r"\caption{puppets, protocol puppets@1, personal: reconstruction}" in first
    assert r"a\_b & \textbf{0.500} & \textbf{20.00} & --$^{1}$ \\" in first
    assert r"\item[$^{1}$] 100\% absent" in first
    assert r"\item[$^{1}$]" not in second
    assert r"c & --$^{2}$ & --$^{2}$ \\" in second


def test_regimes_have_a_table_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are tested on other people: their means do not compare."""
    write(record("fakemotion"), tmp_path)
    write(record("remot", id="all", regime="general", subject=None), tmp_path)
    assert call("--results", str(tmp_path), "--format", "markdown") == 0
    personal, general = capsys.readouterr().out.split("**puppets, protocol puppets@1, general: reconstruction**")
    assert "fakemotion" in personal
    assert "remot" not in personal
    assert "remot" in general
    assert call("--results", str(tmp_path), "--regime", "general", "--format", "csv") == 0
    assert "fakemotion" not in capsys.readouterr().out


def test_the_command_says_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"there is no folder .*nowhere"):
        call("--results", str(tmp_path / "nowhere"))
    with pytest.raises(RecordError, match=r"no record at all.*run `motioncopy bench`"):
        call("--results", str(tmp_path))
    write(record("remot"), tmp_path)
    with pytest.raises(RecordError, match=r"puppets \(puppets@1\)"):
        call("--results", str(tmp_path), "--data", "dogs")
    with pytest.raises(RecordError, match=r"--preset huge"):
        call("--results", str(tmp_path), "--preset", "huge")
    with pytest.raises(ConfigError, match=r"there is no data set dogs.*puppets"):
        call("--results", str(tmp_path), "--table", "remot/table4", "--data", "dogs")
