"""Suites: a paper's table, or a file of one's own; what does not exist is refused before anything is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import papers
from benchmarks.bench import config_stack
from benchmarks.suites.suite import FOREIGN, named, of_file, of_table
from motioncopy.errors import ConfigError
from tests.benchmarks.suites.conftest import write_suite


def test_a_papers_table_gives_the_rows_that_this_project_can_run() -> None:
    suite = of_table(papers.table("remot/table4"))
    assert [(row.method, row.overlays) for row in suite.rows] == [
        ("remot", ("rgn_without_gam",)), ("remot", ("rgn",)), ("remot", ("without_tam",)), ("remot", ()),
    ]  # fmt: skip
    assert suite.data == ("solodance",)
    assert suite.left_out == ()


def test_rows_of_other_systems_are_left_out_with_the_reason() -> None:
    suite = of_table(papers.table("remot/table1"))
    assert [row.method for row in suite.rows] == ["edn", "remot"]
    assert ("fsv2v", FOREIGN) in suite.left_out
    assert "evaluate" in FOREIGN


def test_every_table_of_a_method_that_is_here_can_be_run() -> None:
    suites = named(["all"])
    assert len(suites) == len(papers.tables())
    ran = {row.method for suite in suites for row in suite.rows}
    assert {"fakemotion", "remot"} <= ran <= set(config_stack.methods())


def test_a_file_says_what_it_wants(tmp_path: Path) -> None:
    rows = [{"method": "remot"}, {"method": "fakemotion", "ablation": "no_face,no_local", "label": "bare"}]
    suite = of_file(write_suite(tmp_path / "mine.yaml", rows, data=["puppets"]))
    assert (suite.name, suite.data, suite.table) == ("mine", ("puppets",), None)
    assert [(r.label, r.method, r.overlays) for r in suite.rows] == [
        ("remot", "remot", ()), ("bare", "fakemotion", ("no_face", "no_local")),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "content", "expected"),
    [
        ([{"method": "fakemoton"}], {}, r"bad.yaml, row 1.*METHOD=fakemoton.*fakemotion.*correct bad.yaml"),
        ([{"method": "remot"}, {"method": "remot", "ablation": "no_legs"}], {}, r"row 2.*ABLATION=no_legs.*rgn"),
        ([{"method": "remot", "variant": "released"}], {}, r"row 1.*VARIANT=released.*paper"),
        ([{"method": "remot"}], {"data": ["puppet"]}, r"row 1.*DATA=puppet.*puppets"),
        ([{"method": "remot"}], {"data": []}, "bad.yaml: field data is wrong.*at least 1"),
        ([], {}, "bad.yaml: field rows is wrong.*at least 1"),
        ([{"methods": "remot"}], {}, r"row 1: field method is missing"),
        ([{"method": "remot", "lable": "a"}], {}, r"row 1: field lable is unknown"),
        ([{"method": ["remot"]}], {}, r"row 1: field method is wrong.*string.*\['remot'\]"),
        ([{"method": "remot", "overrides": {"data": 3}}], {}, r"row 1: the config of remot on folder: field data"),
        ([{"ablation": "rgn"}], {}, r"row 1: field method is missing"),
        (["remot"], {}, r"row 1: field \(the whole\) is wrong.*object.*'remot'"),
        ([{"method": "remot"}], {"seeds": [1]}, r"bad.yaml: field seeds is unknown"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(
    tmp_path: Path, rows: list[Any], content: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected):
        of_file(write_suite(tmp_path / "bad.yaml", rows, **content))


def test_a_table_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ConfigError, match="remot/table4"):
        named(["remot/table9"])
    with pytest.raises(ConfigError, match=r"there is no config nowhere.yaml"):
        named(["nowhere.yaml"])
