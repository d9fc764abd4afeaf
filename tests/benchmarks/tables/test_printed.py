"""``motioncopy table --source paper``: all cells, with a footnote for every doubt."""

from __future__ import annotations

import csv
import json

import pytest

from benchmarks.papers import FLAGS, choose, tables
from benchmarks.tables.printed import printed
from motioncopy.errors import ConfigError
from tests.benchmarks.tables.made import call
from tests.benchmarks.tables.test_grid import check_latex


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert call("--source", "paper", *arguments) == 0
    return capsys.readouterr().out


def test_json_holds_every_cell(capsys: pytest.CaptureFixture[str]) -> None:
    cells = json.loads(said(capsys, "--format", "json"))
    assert len(cells) == sum(len(t.rows) * len(t.columns) for t in tables().values())
    (one,) = [c for c in cells if (c["id"], c["row"]) == ("cpfnet/table1", "Liquid Warping GAN")]
    assert one == {
        "paper": "cpfnet",
        "table": "I",
        "id": "cpfnet/table1",
        "data": "dmt",
        "row": "Liquid Warping GAN",
        "kind": "imitation",
        "metric": "fvd/i3d_30@1",
        "value": 2345.9,
        "method": "lwgan",
        "ablation": None,
        "compared": None,
        "flags": [*tables()["cpfnet/table1"].flags, "fvd_order"],
    }
    (gap,) = [c for c in cells if (c["row"], c["metric"]) == ("Real Data", "fid/tf@1")]
    assert gap["value"] is None


def test_csv_holds_every_cell_too(capsys: pytest.CaptureFixture[str]) -> None:
    lines = list(csv.DictReader(said(capsys, "--format", "csv", "--table", "remot/4").splitlines()))
    assert len(lines) == 20
    assert lines[0]["compared"] == "REMOT w/o WCN"
    assert (lines[1]["value"], lines[2]["value"]) == ("24.56", "")


@pytest.mark.parametrize("style", ["terminal", "markdown"])
def test_every_table_is_shown_with_the_sentence_of_each_flag(style: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "--format", style)
    whole = " ".join(text.split())
    for id, t in tables().items():
        assert f"{id}: {t.title}" in text
        assert all(row.label in text for row in t.rows)
    for sentence in FLAGS.values():
        assert sentence in whole


def test_latex_has_a_float_for_every_data_set(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "--format", "latex")
    check_latex(text)
    assert all(f"{id}: " in text for id in tables())


def test_digits_are_those_of_the_paper_and_marks_stand_at_the_cell() -> None:
    text = printed(tables()["fakevideo/table2"]).markdown()
    assert "| 3 face vectorsᵃᵇ | 0.758 | 25.62 | 0.079 | 56.80 | 3.331 |" in text
    assert "| 3 face vectorsᵃᵇ | 0.807ᵉ |" in text
    lines = text.splitlines()
    assert f"ᵉ {FLAGS['typo_corrected']}" in lines
    assert f"All cells of complexmotion: {FLAGS['data_not_public']}" in lines
    assert not any(line.startswith("All cells of iper") for line in lines)


def test_an_svg_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "--table", "cpfnet/III", "--format", "svg").startswith("<svg")


def test_one_data_set_regime_or_protocol_is_chosen() -> None:
    assert {t.id for t in choose(data="solodance")} == {"fakevideo/table3", "remot/table2", "remot/table4"}
    assert all({c.data for row in t.rows for c in row.cells} == {"iper"} for t in choose(data="iper"))
    assert {t.paper for t in choose(regime="general")} == {"cpfnet", "remot"}
    assert {t.id for t in choose(protocol="solodance@1", regime="personal")} == {"fakevideo/table3"}


def test_what_leaves_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match=r"no such cells.*solodance"):
        said(capsys, "--data", "nowhere")
    with pytest.raises(ConfigError, match="there is no paper table 'remot/5'"):
        said(capsys, "--table", "remot/5")
    with pytest.raises(ConfigError, match="leave out --source paper"):
        said(capsys, "--ablations")
