"""The papers' tables are whole, hold what the papers print, and name what this project has."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from decimal import Decimal
from itertools import combinations

import pytest

from benchmarks.bench import config_stack
from benchmarks.papers import FLAGS, OURS, UNSTATED, PrintedCell, PrintedRow, PrintedTable, papers, table, tables
from benchmarks.papers.cells import parse
from datamodules.protocols import protocol
from motioncopy.errors import ConfigError
from motioncopy.metrics.catalogue import METRICS

#: Rows, columns, cells that hold a number, and the sum of these, as taken from the papers' texts.
SIZES = {
    "cocosnet/table1": (7, 4, 28, "248.685"),
    "cocosnet/table2": (7, 6, 39, "488.583"),
    "cpfnet/table1": (8, 1, 8, "13284.93"),
    "cpfnet/table3": (2, 1, 2, "2218.10"),
    "fakemotion/table1": (9, 12, 108, "1787.429"),
    "fakemotion/table2": (10, 10, 100, "1962.471"),
    "fakevideo/table1": (7, 12, 84, "1411.554"),
    "fakevideo/table2": (10, 10, 100, "1941.918"),
    "fakevideo/table3": (6, 5, 30, "610.646"),
    "fakevideo/table4": (3, 6, 18, "161.949"),
    "fakevideo/table5": (2, 6, 12, "111.684"),
    "fakevideo/table6": (3, 1, 3, "54.54"),
    "remot/table1": (5, 5, 25, "475.026"),
    "remot/table2": (5, 7, 31, "553.501"),
    "remot/table3": (4, 5, 14, "211.334"),
    "remot/table4": (4, 5, 14, "227.261"),
}
#: Lines of the papers, as they stand there: table, label, data set (None: the table's only one), values.
LINES = (
    ("fakemotion/table1", "C2F-FWN", "complexmotion", "0.878 25.68 0.048 53.19 3.408 0.689"),
    ("fakemotion/table1", "TD", "iper", "0.832 23.45 0.072 63.76 3.219 0.718"),
    ("fakemotion/table1", "Ours", "iper", "0.856 25.86 0.068 56.27 3.461 0.799"),
    ("fakemotion/table2", "L2 loss", "complexmotion", "0.836 25.06 0.059 63.62 3.412"),
    ("fakemotion/table2", "1 candidate face", "iper", "0.689 20.24 0.104 88.51 3.067"),
    ("fakevideo/table1", "FakeVideo (Ours)", "complexmotion", "0.896 27.52 0.032 46.62 3.728 0.813"),
    ("fakevideo/table1", "FakeVideo (Ours)", "iper", "0.868 26.72 0.049 54.94 3.582 0.872"),
    ("fakevideo/table2", "3 face vectors", "iper", "0.807 22.56 0.089 73.33 3.267"),
    ("fakevideo/table3", "PoseWarp", None, "0.692 19.80 0.147 120.13 0.102"),
    ("fakevideo/table4", "L_p", "iper", "0.820 24.11 0.081"),
    ("fakevideo/table5", "w/o memory", "complexmotion", "0.892 27.38 0.036"),
    ("fakevideo/table6", "FakeMotion", None, "15"),
    ("remot/table1", "LWGAN", None, "0.825 21.43 0.091 77.99 0.197"),
    ("remot/table2", "FSV2V", None, "0.721 - 20.84 - 0.132 112.99 0.106"),
    ("remot/table2", "Ours", None, "0.850 0.953 24.83 27.89 0.045 53.29 0.788"),
    ("remot/table3", "REMOT w/o WCN", None, "0.895 21.32 - - -"),
    ("remot/table4", "REMOT w/o TAM", None, "0.941 26.25 0.053 64.37 0.723"),
    ("cocosnet/table1", "w/o L_rec", None, "0.810 3.407 29.836 0.044"),
    ("cocosnet/table2", "Real Data", None, "1.000 4.172 - 0.000 - -"),
    ("cpfnet/table1", "Liquid Warping GAN", None, "2345.90"),
    ("cpfnet/table1", "Ours (w/o fusion module)", None, "1454.47"),
    ("cpfnet/table3", "Ours", None, "1083.62"),
)
#: What a metric of this family can be at most; none is below 0.
MOST = {"ssim": 1, "mask_ssim": 1, "lpips": 1, "tcm": 1, "is": 10, "psnr": 40, "mask_psnr": 40, "sd": 40, "fid": 200}
Place = tuple[PrintedTable, PrintedRow, PrintedCell]


def family(metric: str) -> str:
    return metric.partition("/")[0]


def places() -> list[Place]:
    return [(t, row, cell) for t in tables().values() for row in t.rows for cell in row.cells]


def test_every_table_is_there_with_all_of_its_cells() -> None:
    found = {}
    for id, t in tables().items():
        numbers = [Decimal(cell.text) for row in t.rows for cell in row.cells if cell.value is not None]
        found[id] = (len(t.rows), len(t.columns), len(numbers), str(sum(numbers)))
    assert found == SIZES
    assert list(found) == list(SIZES)


@pytest.mark.parametrize(("id", "label", "data", "line"), LINES, ids=[f"{i} {label}" for i, label, *_ in LINES])
def test_lines_are_as_the_papers_print_them(id: str, label: str, data: str | None, line: str) -> None:
    cells = [cell for row in table(id).rows for cell in row.cells if row.label == label and data in (None, cell.data)]
    assert " ".join(cell.text or "-" for cell in cells) == line
    assert [cell.value for cell in cells] == [None if text == "-" else float(text) for text in line.split()]


def test_rows_are_named_once_and_follow_the_columns() -> None:
    for t in tables().values():
        assert len({row.label for row in t.rows}) == len(t.rows)
        assert len(set(t.columns)) == len(t.columns)
        assert t.protocol.keys() == set(t.data)
        for row in t.rows:
            assert tuple((cell.data, cell.kind, cell.metric) for cell in row.cells) == t.columns
            assert row.ours == (row.method in OURS)
            assert row.ours or row.ablation is None


def test_flags_metrics_protocols_and_methods_are_known() -> None:
    used = set()
    for t, row, cell in places():
        used |= set(t.flags_of(row, cell))
        assert cell.metric in METRICS or cell.metric == "fps"
        assert t.method in OURS
    assert used == FLAGS.keys()
    for flag in FLAGS:
        if flag.startswith("copied:"):
            assert table(flag.removeprefix("copied:")).id == flag.removeprefix("copied:")


def test_protocols_exist_and_unreleased_data_have_none() -> None:
    for t, row, cell in places():
        named = t.protocol[cell.data]
        hidden = "data_not_public" in t.flags_of(row, cell)
        assert (named is None) == (hidden or cell.data == UNSTATED)
        if named is not None:
            assert named == protocol(cell.data).name


def test_overlays_of_methods_that_are_here_exist() -> None:
    rows = {(row.method, row.ablation) for t in tables().values() for row in t.rows if row.ablation}
    here = {(method, name) for method, name in rows if method in config_stack.methods()}
    assert {method for method, _ in here} >= {"fakemotion", "remot"}
    for method, name in here:
        assert name in config_stack.ablations(method)


def test_values_are_possible() -> None:
    for t, row, cell in places():
        if cell.value is None:
            continue
        where = f"{t.id} {row.label} {cell.data} {cell.metric}"
        assert cell.value >= 0, where
        assert cell.value > 0 or (row.method, family(cell.metric)) == ("real", "lpips"), where
        assert cell.value <= MOST.get(family(cell.metric), 10_000), where
        if family(cell.metric) in ("psnr", "mask_psnr", "sd"):
            assert cell.value > 15, where


def test_the_typing_error_is_corrected_and_said() -> None:
    found = [(t.id, row.label, cell.value) for t, row, cell in places() if "typo_corrected" in cell.flags]
    assert found == [("fakevideo/table2", "3 face vectors", 0.807)]


def test_parts_are_compared_with_the_row_that_has_them() -> None:
    for id in ("remot/table3", "remot/table4"):
        t = table(id)
        compared = {row.label: t.compared_with(row).label for row in t.rows if row.ablation is not None}
        assert compared["RGN w/o GAM"] == "REMOT w/o WCN"
        assert compared["REMOT w/o WCN"] == "REMOT"
    for t in tables().values():
        for row in t.rows:
            assert row.ablation is None or t.compared_with(row).method == row.method


def key(cell: PrintedCell) -> tuple[str, str]:
    """What a cell measures. Not the kind of trial, which papers do not say, and on which TCM's variant hangs."""
    return cell.data, family(cell.metric)


def pairs() -> list[tuple[Place, Place]]:
    """Cells of one method, data set and metric in an older and a newer paper."""
    age = {paper.name: i for i, paper in enumerate(papers())}
    found = sorted((p for p in places() if p[2].value is not None), key=lambda p: age[p[0].paper])
    return [
        (a, b)
        for a, b in combinations(found, 2)
        if a[0].paper != b[0].paper and a[1].method == b[1].method and key(a[2]) == key(b[2])
    ]


def test_a_cell_that_an_older_paper_has_too_says_so() -> None:
    checked = 0
    for (older, _, _), (t, row, cell) in [(a, b) for a, b in pairs() if a[2].value == b[2].value]:
        flags = t.flags_of(row, cell)
        assert any(f == "coincides" or f.startswith("copied:") for f in flags), (older.id, t.id, row.label, cell)
        checked += 1
    assert checked > 70


def test_a_row_that_an_older_paper_has_for_the_method_before_it_says_so() -> None:
    """FakeVideo is FakeMotion's successor: a whole row of one cannot be a row of the other."""
    old = [(t, row) for t in tables().values() if t.paper == "fakemotion" for row in t.rows]
    copied = {}
    for t in (t for t in tables().values() if t.paper == "fakevideo"):
        for row in (row for row in t.rows if row.method == "fakevideo"):
            values = {key(cell): cell.value for cell in row.cells}
            sources = {
                f"copied:{o.id}"
                for o, r in old
                if values.items() <= {key(cell): cell.value for cell in r.cells}.items()
            }
            assert bool(sources) == any(f.startswith("copied:") for f in row.flags), (t.id, row.label)
            if sources:
                copied[t.id, row.label] = sources & set(row.flags)
    assert all(copied.values())
    assert len(copied) == 10


def test_rows_said_to_be_copied_stand_in_the_named_table() -> None:
    for t in tables().values():
        for row in t.rows:
            for flag in (f for f in row.flags if f.startswith("copied:")):
                source = table(flag.removeprefix("copied:"))
                values = {key(cell): cell.value for cell in row.cells}
                assert any(
                    values.items() <= {key(cell): cell.value for cell in r.cells}.items() for r in source.rows
                ), (t.id, row.label, flag)


def test_values_that_contradict_each_other_say_so() -> None:
    """More than a quarter apart."""
    found = set()
    for a, b in pairs():
        less, more = sorted([a[2].value or 0.0, b[2].value or 0.0])
        if a[1].ablation is None and b[1].ablation is None and more - less > 0.25 * more:
            found |= {(t.id, row.label, key(cell)) for t, row, cell in (a, b)}
    flagged = {(t.id, row.label, key(cell)) for t, row, cell in places() if "contradicts" in cell.flags}
    assert found == flagged
    assert len(found) == 9


def test_masked_psnr_below_psnr_is_said() -> None:
    found = []
    for t in tables().values():
        for row in t.rows:
            values = {family(cell.metric): cell for cell in row.cells if cell.value is not None}
            if values.keys() >= {"psnr", "mask_psnr"}:
                impossible = (values["psnr"].value or 0) > (values["mask_psnr"].value or 0)
                assert impossible == ("not_masked_possible" in values["psnr"].flags)
                found.append((row.label, impossible))
    assert found == [("LWGAN", False), ("C2F", True), ("Ours", False)]


@pytest.mark.parametrize("id", ["cpfnet/table3", "cpfnet/3", "cpfnet/III", "cpfnet/tableIII", "CPFNet/Table3"])
def test_a_number_may_be_written_in_several_ways(id: str) -> None:
    assert table(id).id == "cpfnet/table3"


@pytest.mark.parametrize("id", ["remot/table9", "remot", "", "cpfnet/table2"])
def test_an_unknown_table_is_refused_with_a_list(id: str) -> None:
    with pytest.raises(ConfigError, match=r"cocosnet/table1, .*remot/table4"):
        table(id)


def test_a_part_of_a_row_that_is_not_there_is_refused_with_a_list() -> None:
    one = table("remot/table4")
    with pytest.raises(ConfigError, match="RGN w/o GAM"):
        one.compared_with(dataclasses.replace(one.rows[0], compared="RGN"))


def test_what_was_read_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        table("remot/4").rows[0].cells[0].value = 1.0  # type: ignore[misc]


def content(**changes: object) -> dict[str, object]:
    row = {"label": "A", "method": "a", "values": ["0.5", "~"]} | changes
    named = {"number": "1", "title": "T", "kind": "comparison", "rows": [row]}
    one = named | {"columns": [["iper", "reconstruction", ["ssim/gaussian@1", "psnr/frame@1"]]]}
    paper = {"paper": "p", "title": "P", "venue": "V", "published": "2020", "entered": "2026-11-29T00:00:00Z"}
    return paper | {"method": "a", "regime": "general", "tables": [one]}


def test_a_file_becomes_a_table() -> None:
    (found,) = parse(content(cells={"iper psnr": ["contradicts"]}), "p.yaml").tables
    assert [(cell.value, cell.text, cell.flags) for cell in found.rows[0].cells] == [
        (0.5, "0.5", ()),
        (None, "", ("contradicts",)),
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"values": ["0.5"]}, "row A has not one value a column"),
        ({"values": ["0.5", "24.l"]}, "iper psnr/frame@1 is no number"),
        ({"cells": {"iper fid": ["contradicts"]}}, "flags a cell that it has not"),
        ({"values": ["0.5", "nan"]}, "iper psnr/frame@1 is no number"),
        ({"mehtod": "b"}, r"p\.yaml: field tables\[0\]\.rows\[0\]\.mehtod is unknown"),
        ({"method": []}, r"p\.yaml: field tables\[0\]\.rows\[0\]\.method is wrong"),
    ],
)
def test_a_damaged_file_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(content(**changes), "p.yaml")


def test_reading_them_imports_nothing_slow() -> None:
    code = "import sys; from benchmarks.papers import choose; choose(); print({'torch', 'pandas'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
