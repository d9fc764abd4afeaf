"""The papers' rows as records: valid, written and read like any other, and complete."""

from __future__ import annotations

from pathlib import Path

from benchmarks.papers import tables
from benchmarks.papers.rows import records
from motioncopy.records import read_all, write


def test_there_is_one_for_every_table_row_and_data_set() -> None:
    found = records()
    expected = [
        (t.paper, t.number, row.label, row.method, row.ablation, data)
        for t in tables().values()
        for row in t.rows
        for data in t.data
    ]
    named = [(r.paper.paper, r.paper.table, r.paper.row, r.method, r.ablation, r.data) for r in found if r.paper]
    assert named == expected
    assert {r.kind for r in found} == {"paper"}


def test_they_can_be_written_and_read_again(tmp_path: Path) -> None:
    found = records()
    for record in found:
        write(record, tmp_path)
    assert {r.id: r for r in read_all(tmp_path)} == {r.id: r for r in found}


def test_they_are_the_same_every_time() -> None:
    assert records() == records()


def test_every_number_is_in_one_of_them() -> None:
    by_id = {r.id: r for r in records()}
    found = by_id["paper-remot-table2-c2f-solodance"]
    assert found.results.aggregates["reconstruction"]["mask_psnr/inside@1"].value == 24.94
    assert found.paper is not None
    assert "not_masked_possible" in found.paper.flags
    assert "kind_unstated" in found.paper.flags
    gaps = by_id["paper-remot-table2-edn-solodance"].results
    assert gaps.missing.keys() == {"mask_psnr/inside@1", "mask_ssim/zero_filled@1"}
    assert not gaps.missing.keys() & gaps.aggregates["reconstruction"].keys()
    assert by_id["paper-fakevideo-table6-edn-unstated"].costs.fps == 14.29
    held = sum(len(by_key) for r in by_id.values() for by_key in r.results.aggregates.values())
    held += sum(r.costs.fps is not None for r in by_id.values())
    assert held == sum(c.value is not None for t in tables().values() for row in t.rows for c in row.cells)


def test_flags_of_one_data_set_stay_there() -> None:
    by_id = {r.id: r.paper for r in records()}
    hidden, shown = by_id["paper-fakemotion-table1-edn-complexmotion"], by_id["paper-fakemotion-table1-edn-iper"]
    assert hidden is not None
    assert shown is not None
    assert ("data_not_public" in hidden.flags, "data_not_public" in shown.flags) == (True, False)
    assert ("contradicts" in hidden.flags, "contradicts" in shown.flags) == (False, True)
