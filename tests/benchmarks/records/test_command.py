"""``motioncopy records``: lists, shows and verifies; what is bad is named and stops nothing."""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.cli import main
from benchmarks.records import RESULTS, inventory
from motioncopy import records
from motioncopy.metrics.catalogue import METRICS
from motioncopy.metrics.scores import Aggregate, ClipScores
from motioncopy.records import Record, Results, provenance, write
from motioncopy.records.provenance import Code
from tests.motioncopy.records.test_records import SSIM, edit, measured


def named(id: str, **changes: Any) -> Record:
    return measured(id=id, created=f"{id[:4]}-{id[4:6]}-{id[6:8]}T00:00:00Z", **changes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four records, in two folders."""
    path = tmp_path / "results"
    write(named("20250102T000000Z-fakemotion-aa1111", networks={"features": "x"}), path)
    write(named("20250101T000000Z-remot-bb2222", method="remot", seed=1, ablation="rgn", subject=None), path / "more")
    write(named("20250103T000000Z-remot-cc3333", method="remot", data="iper", protocol="iper@2", split="iper@2"), path)
    write(named("20250104T000000Z-remot-dd4444", method="remot", status="failed", reason="loss is nan", seed=2,
                results=Results(), code=Code("0.1.0", "1234567890", True)), path)  # fmt: skip
    return path


def command(action: str, *options: object) -> int:
    return main(["records", action, *map(str, options)])


def rows(folder: Path, capsys: pytest.CaptureFixture[str], *options: object) -> list[dict[str, Any]]:
    assert command("list", "--results", folder, "--format", "json", *options) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


# -- list -------------------------------------------------------------------------------------------------------------


def test_list_shows_the_oldest_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("list", "--results", folder) == 0
    said = capsys.readouterr().out
    order = [said.index(word) for word in ("bb2222", "aa1111", "cc3333", "dd4444")]
    assert order == sorted(order)
    assert "4 records" in said
    assert "1234567*" in said
    assert "* with changes" in said
    assert "471543f" in said


def test_the_committed_records_are_listed_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("list", "--format", "csv") == 0
    found = {row["id"] for row in csv.DictReader(io.StringIO(capsys.readouterr().out))}
    assert found == {path.stem for path in RESULTS.rglob("*.json")}
    assert found


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--method", "remot"], ["bb2222", "cc3333", "dd4444"]),
        (["--data", "iper"], ["cc3333"]),
        (["--protocol", "iper"], ["cc3333"]),
        (["--protocol", "iper@2"], ["cc3333"]),
        (["--protocol", "iper@1"], []),
        (["--status", "failed"], ["dd4444"]),
        (["--kind", "paper"], []),
        (["--seed", "0", "--method", "remot"], ["cc3333"]),
    ],
)
def test_list_filters(folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: list[str]) -> None:
    assert [row["id"].rpartition("-")[2] for row in rows(folder, capsys, *options)] == words


def test_the_rows_hold_what_the_columns_say(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = rows(folder, capsys, "--seed", "1")
    assert (row["method"], row["ablation"], row["data"], row["subject"]) == ("remot", "rgn", "puppets", None)
    assert (row["preset"], row["commit"], row["dirty"]) == ("quick", "471543f", False)
    assert Path(row["path"]) == folder / "more" / f"{row['id']}.json"


def test_list_names_a_bad_record_and_lists_the_others(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bad,) = folder.glob("*-aa1111.json")
    edit(bad, "seed", to=7)
    assert command("list", "--results", folder) == 3
    said = capsys.readouterr()
    assert "3 records" in said.out
    assert f"{bad}: field sha256 does not fit" in said.err


def test_a_folder_of_runs_is_looked_through_where_its_records_lie(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = folder.parent / "runs"
    runs.mkdir()
    folder.rename(runs / "records")
    (runs / "one").mkdir()
    (runs / "one/fit.json").write_text("{}")
    assert len(rows(runs, capsys)) == 4
    assert command("list", "--results", folder.parent / "nowhere") == 1
    assert "there is no" in capsys.readouterr().err


# -- show -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["20250102", "aa1111", "20250102T000000Z-fakemotion-aa1111"])
def test_show_takes_the_beginning_or_the_last_word(text: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("show", text, "--results", folder) == 0
    said = capsys.readouterr().out
    for word in ("20250102T000000Z-fakemotion-aa1111", "fakemotion paper quick", f"{SSIM}  0.5", "1 trials",
                 "lpips/alex@1  no weights", "60 s, 100 steps", "1,234", "12.5 frames/s", "471543f", "A CPU, 2 threads",
                 "network features", "torch 2.13.0"):  # fmt: skip
        assert word in said, word
    assert "walk" not in said


def test_show_has_trials_config_and_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("show", "aa1111", "--results", folder, "--trials") == 0
    assert "walk (reconstruction)" in (said := capsys.readouterr().out)
    assert "1 frames, 1 without a value" in said
    assert command("show", "aa1111", "--results", folder, "--config") == 0
    (path,) = folder.glob("*-aa1111.json")
    assert yaml.safe_load(capsys.readouterr().out) == json.loads(path.read_text())["config"]
    assert command("show", "aa1111", "--results", folder, "--json") == 0
    assert capsys.readouterr().out == path.read_text()


def test_show_names_the_candidates(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("show", "2025", "--results", folder) == 1
    said = capsys.readouterr().err
    assert all(word in said for word in ("4 records", "aa1111", "bb2222", "cc3333", "dd4444"))
    assert command("show", "1999", "--results", folder) == 1
    assert "there is no record '1999'" in capsys.readouterr().err


def test_show_reads_the_copy_in_a_runs_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (path,) = folder.glob("*-dd4444.json")
    copy = folder.parent / "record.json"
    copy.write_bytes(path.read_bytes())
    assert command("show", copy) == 0
    assert "failed: loss is nan" in (said := capsys.readouterr().out)
    assert "with changes that are in no commit" in said


def test_show_refuses_what_was_edited(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (path,) = folder.glob("*-aa1111.json")
    edit(path, "costs", "fps", to=99.0)
    assert command("show", "aa1111", "--results", folder) == 1
    assert "records are never edited" in capsys.readouterr().err


# -- verify -----------------------------------------------------------------------------------------------------------


def test_the_committed_records_are_good(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("verify") == 0
    assert "all of them good" in capsys.readouterr().out


def test_verify_names_each_bad_file_and_goes_on(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (edited,) = folder.glob("*-aa1111.json")
    edit(edited, "seed", to=3)
    (other,) = folder.glob("*-cc3333.json")
    edit(other, "schema", to=9)
    (renamed,) = folder.glob("*-dd4444.json")
    renamed = renamed.rename(folder / "mine.json")
    twin = write(named("20250101T000000Z-remot-bb2222", method="remot"), folder / "twins")
    partial = folder / ".20250105-x-12.partial"
    partial.write_text("{half")
    no_record = folder / "notes.json"
    no_record.write_text("[]")
    assert command("verify", folder) == 3
    lines = capsys.readouterr().out.splitlines()
    found = {line.partition(": ")[0]: line for line in lines[:-1]}
    assert "sha256 does not fit" in found[str(edited)]
    assert "newer release" in found[str(other)]
    assert "id differs" in found[str(renamed)]
    assert "has the same id" in found[str(twin)]
    assert "not a record" in found[str(no_record)]
    assert "delete it" in found[str(partial)]
    assert len(found) == 6
    assert lines[-1] == "6 records verified, 5 of them bad"


@pytest.fixture
def strange(folder: Path) -> Path:
    """What may lie in a stranger's folder of records, besides records."""
    os.mkfifo(folder / "pipe.json")
    (folder / "folder.json").mkdir()
    (folder / "gone.json").symlink_to("nowhere")
    (folder / "round.json").symlink_to("round.json")
    (folder / "zeros.json").symlink_to("/dev/zero")
    (folder / "deep.json").write_text("[" * 100_000)
    (folder / "binary.json").write_bytes(bytes(range(256)))
    (folder / os.fsdecode(b"\xff\x1b[2J\n0 of them bad.json")).write_text("{}")
    return folder


STRANGE = ("pipe", "folder", "gone", "round", "zeros", "deep", "binary", "\\udcff\\x1b[2J\\n0 of them bad")


@pytest.mark.parametrize("action", ["list", "verify"])
def test_whatever_lies_in_the_folder_is_named_and_stops_nothing(
    strange: Path, action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(action, *(["--results"] if action == "list" else []), strange) == 3
    said = capsys.readouterr()
    named = (said.err if action == "list" else said.out).splitlines()
    for name in STRANGE:
        assert sum(line.startswith(f"{strange / name}.json: ") for line in named) == 1, name
    assert "\x1b" not in said.out + said.err
    (said.out + said.err).encode()
    assert ("4 records" if action == "list" else "12 records verified, 8 of them bad") in said.out


def test_where_nothing_can_be_read_the_status_is_one(strange: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in strange.rglob("2025*.json"):
        path.unlink()
    assert command("verify", strange) == 1
    assert command("list", "--results", strange) == 1


def test_a_table_goes_on_past_whatever_lies_in_the_folder(strange: Path, capsys: pytest.CaptureFixture[str]) -> None:
    twin = write(named("20250101T000000Z-remot-bb2222", method="remot"), strange / "twins")
    assert main(["table", "--results", str(strange), "--data", "puppets"]) == 3
    said = capsys.readouterr()
    assert "fakemotion" in said.out
    assert len(said.err.splitlines()) == 9
    for name in STRANGE:
        assert f"left out: {strange / name}.json: " in said.err
    assert "has the same id" in said.err
    assert twin.name in said.err
    (said.out + said.err).encode()


def test_texts_of_a_record_command_no_terminal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "\x1b]0;owned\x07\u202e"
    write(named("20250106T000000Z-x-ee5555", method=text, subject=text, data=text, preset=text), folder)
    for arguments in (["list"], ["list", "--format", "csv"], ["list", "--format", "json"], ["show", "ee5555"]):
        assert command(*arguments, "--results", folder) == 0
    for style in ("terminal", "markdown", "csv", "json", "latex", "svg"):
        assert main(["table", "--results", str(folder), "--format", style]) == 0
    said = capsys.readouterr()
    assert not {"\x1b", "\x07", "\u202e"} & set(said.out + said.err)
    assert "owned" in said.out


def test_a_table_that_cannot_be_made_costs_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(named("20250101T000000Z-remot-bb2222"), tmp_path)
    for seed in (0, 1):
        huge = Results(aggregates={"reconstruction": {SSIM: Aggregate(1.7e308)}})
        write(named(f"20250102T000000Z-remot-cc333{seed}", data="iper", seed=seed, results=huge), tmp_path)
    unknown = Results(aggregates={"reconstruction": {"made/up@1": Aggregate(1.0)}})
    write(named("20250103T000000Z-remot-dd4444", results=unknown), tmp_path)
    assert main(["table", "--results", str(tmp_path)]) == 3
    said = capsys.readouterr()
    assert "fakemotion" in said.out
    assert "left out: the table of iper, personal: OverflowError" in said.err
    assert "dd4444.json: a record holds an unknown metric" in said.err


def test_verify_takes_files_and_reads_each_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (path,) = folder.glob("*-aa1111.json")
    assert command("verify", path, folder, folder / "more") == 0
    assert capsys.readouterr().out == "4 records verified, all of them good\n"
    (folder / "empty").mkdir()
    assert command("verify", folder / "empty") == 1
    assert "there is no record" in capsys.readouterr().err


def scored(**values: float) -> Record:
    aggregates = {key: Aggregate(value) for key, value in values.items()}
    return replace(measured(), results=Results(aggregates={"reconstruction": aggregates}))


FEATURES = {"model": {"losses": [{"class_path": "motioncopy.nets.features.FeatureNetwork"}]}}


@pytest.mark.parametrize(
    ("record", "doubt"),
    [
        (measured(results=Results()), "holds no score"),
        (measured(config=FEATURES), "feature network of its losses"),
        (scored(**{"fid/tf@1": 12.0}), "the network of fid"),
        (scored(**{"pose_error/driving_mediapipe@1": 3.0}), "the network of pose_error"),
        (
            measured(results=replace(measured().results, aggregates={"reconstruction": {SSIM: Aggregate(0.6)}})),
            "not the mean of the trials",
        ),
    ],
)
def test_a_record_that_contradicts_itself_is_doubted(record: Record, doubt: str) -> None:
    (found,) = inventory.doubts(record)
    assert doubt in found


@pytest.mark.parametrize(
    "record",
    [
        measured(),
        measured(status="failed", reason="why", results=Results()),
        measured(config=FEATURES, networks={"features": "random_vgg(width=8, seed=0)"}),
        replace(scored(**{"fid/tf@1": 12.0, "kid/tf@1": 0.1}), networks={"inception-fid": "67"}),
        replace(scored(**{"pose_error/driving_mediapipe@1": 3.0}), networks={"mediapipe-pose": "1"}),
    ],
)
def test_a_record_in_order_is_not(record: Record) -> None:
    assert inventory.doubts(record) == []


def test_the_families_that_need_networks_are_metrics() -> None:
    assert inventory._NETWORKS.keys() <= {key.partition("/")[0] for key in METRICS}


def test_verify_asks_for_commits_on_request(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"471543f": True, "1234567890": False}
    asked: list[str] = []

    def in_history(commit: str) -> bool | None:
        asked.append(commit)
        return known[commit]

    monkeypatch.setattr(provenance, "in_history", in_history)
    assert command("verify", folder) == 0
    assert asked == []
    assert command("verify", folder, "--code") == 3
    said = capsys.readouterr().out
    assert "dd4444.json: commit 1234567 is not in the history" in said
    assert sorted(asked) == sorted(known), "each once"


def test_a_thousand_records_are_found_by_name_without_reading_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for k in range(1000):
        (tmp_path / f"20250101T000000Z-remot-{k:06x}.json").write_text("never read")
    monkeypatch.setattr(records, "parse", None)
    assert inventory.resolve("0003e7", [tmp_path]).stem.endswith("0003e7")


def test_scores_of_clips_and_their_means_agree() -> None:
    clips = [ClipScores(name, 1, {SSIM: (value,)}) for name, value in (("a", 0.1), ("b", 0.2), ("c", 0.4))]
    assert inventory.doubts(measured(results=Results.of({"reconstruction": clips}))) == []
