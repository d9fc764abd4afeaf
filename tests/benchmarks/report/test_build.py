"""The page: what stands in it, what cannot break out of it, and what happens to the one before."""

from __future__ import annotations

import errno
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cli import main
from benchmarks.report import page
from benchmarks.report.build import build
from benchmarks.report.groups import groups, slug
from motioncopy import records
from motioncopy.errors import RecordError
from motioncopy.metrics.scores import Aggregate
from motioncopy.records import Record, Results
from tests.benchmarks.report.made import LPIPS, PSNR, SSIM, record, scores

HOSTILE = "</script><img src=x onerror=alert(1)>\"'&{{7*7}}"


class Reader(HTMLParser):
    """The elements and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.data = ""
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = str(dict(attrs).get("id"))

    def handle_data(self, data: str) -> None:
        if self._inside == "data" and not self.data:
            self.data = data
        self.texts.append(data)

    @property
    def known(self) -> Any:
        """What the page's script knows."""
        return json.loads(self.data)


def read(out: Path) -> Reader:
    return Reader((out / "index.html").read_text())


def three_seeds() -> list[Record]:
    return [record("remot", 0.7 + s / 100, seed=s) for s in range(3)] + [record("static", 0.5)]


def test_a_table_shows_means_spreads_and_marks(tmp_path: Path) -> None:
    weak = record("fakevideo", 0.4)
    build([*three_seeds(), weak], tmp_path / "report")
    html = (tmp_path / "report" / "index.html").read_text()
    rows = dict(re.findall(r'<span class="name">(\w+)</span>(.*?)</tr>', html, re.S))
    assert "3 seeds" in rows["remot"]
    assert re.search(r'class="best "><a href="#cell\?[^"]+">0\.7\d\d', rows["remot"])
    assert re.search(r'<span class="s">± 0\.010</span>', rows["remot"])
    assert re.search(r'<span class="b">0\.\d{3}, 0\.\d{3}</span>', rows["remot"])
    assert '<i class="weak">' in rows["fakevideo"]
    assert 'class="best' not in rows["static"]


def test_every_cell_leads_to_its_provenance(tmp_path: Path) -> None:
    build(three_seeds(), tmp_path / "report")
    reader = read(tmp_path / "report")
    links = [a["href"] for tag, a in reader.elements if tag == "a" and (a.get("href") or "").startswith("#cell?")]
    assert len(links) == 2 * 2, "two rows of two metrics"
    known = reader.known
    (table,) = known["tables"]
    row = next(r for r in table["rows"] if r["method"] == "remot")
    assert f"#cell?t={table['id']}&r={row['id']}&k=reconstruction&m={SSIM}" in links
    assert [known["records"][r]["seed"] for r in row["records"]] == [0, 1, 2]
    one = known["records"][row["records"][1]]
    assert one["code"] == ["0.1.0", "c0ffee" + "0" * 34, True]
    assert known["configs"][one["config"]]["seed_everything"] == 1
    assert known["packages"][one["packages"]] == {"torch": "2.13.0"}
    assert known["devices"][one["device"]] == ["A CPU", 2, None, 0]
    assert one["costs"]["seconds"] == {"whole": 60}
    assert len(one["values"][SSIM]) == len(table["trials"]) == 2
    assert len(known["packages"]) == 1, "what records share stands once"


def test_a_missing_value_has_its_reason_without_paths(tmp_path: Path) -> None:
    why = "the weights are not on this machine. Expected: /mnt/me/weights/alexnet.pth."
    with_reason = record(missing={LPIPS: why})
    build([with_reason], tmp_path / "report")
    reader = read(tmp_path / "report")
    (table,) = reader.known["tables"]
    cell = table["rows"][0]["cells"]["reconstruction"][LPIPS]
    assert cell[0] is None
    assert "the weights are not on this machine" in reader.known["reasons"][cell[7]]
    assert "/mnt/me" not in (tmp_path / "report" / "index.html").read_text()
    assert any("Without a value: LPIPS. the weights are not on this machine" in text for text in reader.texts)


def test_what_comes_from_records_cannot_break_out(tmp_path: Path) -> None:
    hostile = record(
        HOSTILE, trials=(HOSTILE + "-walk", "jump"), data=HOSTILE, ablation=HOSTILE, subject=HOSTILE,
        networks={HOSTILE: HOSTILE}, config={HOSTILE: HOSTILE}, id="hostile",
    )  # fmt: skip
    out = tmp_path / "report"
    build([hostile], out, title=HOSTILE)
    reader = read(out)
    assert not [a for tag, a in reader.elements if tag == "img"], "no element was made of it"
    assert not [name for _, a in reader.elements for name in a if name.startswith("on")]
    assert [tag for tag, _ in reader.elements].count("script") == 2
    assert reader.known["records"]["hostile"]["networks"] == 0
    assert HOSTILE in reader.known["networks"][0], "and nothing of it is lost"
    assert any(HOSTILE in text for text in reader.texts)
    assert "49" not in next(text for text in reader.texts if "onerror" in text), "nor is it a template"
    assert all(re.fullmatch(r"[a-z0-9_-]+", t["id"]) for t in reader.known["tables"])


def test_the_page_asks_nothing_of_the_network(tmp_path: Path) -> None:
    build(three_seeds(), tmp_path / "report")
    reader = read(tmp_path / "report")
    for tag, attributes in reader.elements:
        for name in ("src", "href", "poster", "srcset", "data", "action"):
            value = attributes.get(name) or ""
            assert not re.match(r"(https?:)?//", value), f"<{tag} {name}={value}>"
    style = (tmp_path / "report" / "index.html").read_text()
    assert "@import" not in style
    assert not re.search(r"url\((?!#)", style)
    policy = next(a["content"] for _, a in reader.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "http" not in policy


def test_equal_records_give_equal_pages(tmp_path: Path) -> None:
    for name in ("one", "two"):
        build(three_seeds(), tmp_path / name)
    assert (tmp_path / "one" / "index.html").read_bytes() == (tmp_path / "two" / "index.html").read_bytes()


def test_protocols_stand_in_tables_of_their_own(tmp_path: Path) -> None:
    other = record("remot", protocol="puppets@2", id="newer")
    built = build([*three_seeds(), other], tmp_path / "report")
    assert built.tables == 2
    assert [t["id"] for t in read(tmp_path / "report").known["tables"]] == ["puppets-general", "puppets-general-v2"]


def test_rows_of_one_name_have_records_of_their_own() -> None:
    wide = {"seed_everything": 0, "model": {"width": 64}}
    ((group,), _) = groups([record("remot", 0.5), record("remot", 0.6, config=wide, id="wide")])
    assert [[r.id for r in row.records] for row in group.rows] in (
        [["wide"], ["remot-None-0"]],
        [["remot-None-0"], ["wide"]],
    )
    assert len({row.id for row in group.rows}) == 2
    assert all("#" in row.details for row in group.rows)


def test_of_records_that_differ_in_nothing_the_newest_counts() -> None:
    newer = record("remot", 0.6, created="2025-02-01T00:00:00Z", id="newer")
    failed = record(
        "remot", created="2025-03-01T00:00:00Z", id="failed", status="failed", reason="a loss was not finite",
        results=Results(),
    )  # fmt: skip
    ((group,), _) = groups([record("remot", 0.5), newer, failed])
    assert [r.id for r in group.rows[0].records] == ["newer"]


def test_an_ablation_stands_beside_what_the_paper_found(tmp_path: Path) -> None:
    trials = tuple(f"t{i}" for i in range(8))
    whole = record("remot", 0.8, trials=trials, overlays=("stabilised",))
    without = record("remot", 0.6, trials=trials, overlays=("stabilised",), ablation="without_tam")
    build([whole, without], tmp_path / "report")
    html = (tmp_path / "report" / "index.html").read_text()
    section = html[html.index('id="v-ablations"') :]
    assert "without_tam against" in section
    assert "+0.200" in section
    assert '<span class="verdict">helps</span>' in section


def test_an_ablation_without_its_counterpart_says_so(tmp_path: Path) -> None:
    build([record("remot", 0.6, ablation="without_tam")], tmp_path / "report")
    assert "has nothing to be compared with" in (tmp_path / "report" / "index.html").read_text()


def test_what_papers_print_stands_beside_what_was_measured(tmp_path: Path) -> None:
    measured = record("remot", 0.5, data="iper", protocol="iper@1", split="iper@1", preset="full")
    build([measured], tmp_path / "report")
    html = (tmp_path / "report" / "index.html").read_text()
    section = html[html.index('id="v-papers"') :]
    assert re.search(
        r'0\.856\s*<a href="#cell\?t=iper-general[^"]*ssim[^"]*">0\.505</a><span class="b">Δ −0\.351<', section
    )


def test_a_difference_that_is_withheld_has_its_reason(tmp_path: Path) -> None:
    build([record("remot", 0.5, data="iper", protocol="iper@1", split="iper@1", preset="quick")], tmp_path / "report")
    html = (tmp_path / "report" / "index.html").read_text()
    section = html[html.index('id="v-papers"') :]
    assert "no difference: preset quick" in section
    assert "Δ −" not in section


def test_a_failed_report_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "report"
    build(three_seeds(), out)
    before = (out / "index.html").read_bytes()
    monkeypatch.setattr(page, "render", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        build([record("fakemotion")], out)
    assert (out / "index.html").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["report"], "nothing half made is left"
    monkeypatch.undo()
    build([record("fakemotion")], out)
    assert (out / "index.html").read_bytes() != before
    assert [p.name for p in tmp_path.iterdir()] == ["report"]


def test_another_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(RecordError, match="no report"):
        build(three_seeds(), tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_nothing_to_report_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="nothing to report"):
        build([], tmp_path / "report", runs=tmp_path)
    assert not (tmp_path / "report").exists()


def test_a_table_that_cannot_be_made_costs_no_other(tmp_path: Path) -> None:
    huge = Results(aggregates={"reconstruction": {SSIM: Aggregate(1.7e308)}})
    hostile = [record(f"m{seed}", seed=seed, data="iper", protocol="iper@1", results=huge) for seed in (0, 1)]
    hostile += [record("m0", seed=1, data="iper", protocol="iper@1", results=huge, id="second")]
    built = build([*three_seeds(), *hostile], tmp_path / "report")
    assert built.tables == 1
    ((name, reason),) = built.failures
    assert name == "the table of iper, iper@1, general"
    assert "OverflowError" in reason
    assert any("OverflowError" in text for text in read(tmp_path / "report").texts)


def test_a_full_disk_leaves_the_old_report_and_nothing_partial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "report"
    build(three_seeds(), out)
    before = (out / "index.html").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(RecordError, match=r"report cannot be written\. Found: No space left.*Remedy: free some disk"):
        build([record("fakemotion")], out)
    assert (out / "index.html").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["report"]


def test_a_folder_that_may_not_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordError, match="report cannot be written"):
        build(three_seeds(), tmp_path / "file" / "report")


def test_the_command_goes_on_past_bad_records(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for r in three_seeds():
        path = records.write(r, tmp_path / "results")
    path.write_text(path.read_text().replace('"seed": ', '"seed": 1'))
    os.mkfifo(tmp_path / "results/pipe.json")
    (tmp_path / "results/\x1b[2Jfolder.json").mkdir()
    out = tmp_path / "report"
    assert main(["report", "--results", str(tmp_path / "results"), "--out", str(out), "--no-clips"]) == 3
    said = capsys.readouterr()
    assert "1 tables, 0 clips" in said.out
    assert "\x1b" not in said.err
    lines = said.err.splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["left out"] * 3
    assert any("field sha256 does not fit" in line for line in lines)
    assert sum("no regular file" in line for line in lines) == 2


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for r in three_seeds():
        records.write(r, tmp_path / "results")
    out = tmp_path / "report"
    options = ["--results", str(tmp_path / "results"), "--out", str(out), "--no-clips", "--title", "Mine"]
    assert main(["report", *options]) == 0
    assert "1 tables, 0 clips" in capsys.readouterr().out
    assert "<h1>Mine</h1>" in (out / "index.html").read_text()
    assert main(["report", *options, "--data", "iper"]) == 1
    assert "nothing to report" in capsys.readouterr().err


def test_a_page_of_many_trials_is_small(tmp_path: Path) -> None:
    trials = [f"person{i:03}-walk" for i in range(100)]
    keys = (SSIM, PSNR, "mask_ssim/zero_filled@1", "mask_psnr/inside@1", "sd/formula@1", "tcm/truth_dis@1")
    found = [scores(t, dict.fromkeys(keys, 0.5 + i / 1000)) for i, t in enumerate(trials)]
    results = Results.of({"reconstruction": found})
    build([record("remot", seed=s, results=results) for s in range(3)], tmp_path / "report")
    assert (tmp_path / "report" / "index.html").stat().st_size < 300_000


def test_names_of_files_and_links_are_plain_and_differ() -> None:
    names = ["a", "A", "a b", "a/b", "../a", "a.b", "ä", "", "<a>"]
    assert all(re.fullmatch(r"[a-z0-9_-]+", slug(name)) for name in names)
    assert len({slug(name) for name in names}) == len(names)
    long = [*("x" * n for n in (60, 61, 251)), "x" * 250 + "y", "舞" * 83, "a b" * 80, "latin-\udcfc"]
    assert len({slug(name) for name in long}) == len(long)
    assert all(re.fullmatch(r"[a-z0-9_-]{1,80}", slug(name)) for name in long)
    assert slug("liv-as-ana-tai_chi") == "liv-as-ana-tai_chi"
