"""Records: written once, read as they were written, refused when edited, malformed or telling of a machine."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from motioncopy import records
from motioncopy.errors import RecordError
from motioncopy.metrics.scores import Aggregate, ClipScores
from motioncopy.records import Costs, PaperRow, Record, Results, StageTraining, new_id, now, provenance
from motioncopy.records.provenance import Code, Device, machine_path, portable, redacted

SSIM = "ssim/gaussian@1"


def measured(**changes: Any) -> Record:
    clips = [ClipScores("walk", 2, {SSIM: (0.5, None)}, {"lpips/alex@1": "no weights"})]
    values: dict[str, Any] = {
        "id": "one",
        "created": "2025-01-31T12:00:00Z",
        "kind": "measured",
        "method": "fakemotion",
        "variant": "paper",
        "preset": "quick",
        "data": "puppets",
        "regime": "personal",
        "subject": "p03",
        "protocol": "puppets@1",
        "split": "puppets@1",
        "seed": 0,
        "configs": ("fakemotion/paper", "puppets"),
        "config": {"seed_everything": 0, "model": {"width": 8, "rate": 1e-4, "face": None, "sizes": [1, 2]}},
        "code": Code("0.1.0", "471543f", False),
        "packages": {"torch": "2.13.0"},
        "device": Device("A CPU", 2),
        "results": Results.of({"reconstruction": clips}),
        "costs": Costs({"foreground": 60}, {"foreground": 100}, 2**30, 1234, 12.5),
    }
    return Record(**values | changes)


def paper() -> Record:
    return Record(
        id="fakemotion-t1-full",
        created="2025-01-31T12:00:00Z",
        kind="paper",
        method="fakemotion",
        data="iper",
        regime="personal",
        protocol="iper@paper",
        results=Results(aggregates={"reconstruction": {SSIM: Aggregate(0.85)}}),
        paper=PaperRow("fakemotion", "1", "Full", ("data not public",)),
    )


@pytest.mark.parametrize(
    "record",
    [
        measured(),
        measured(training={"foreground": StageTraining(10, 12, 4, 2, (1e-4, 1e-4), "bf16-mixed")}),
        measured(training={"foreground": StageTraining(1, 2, 2, 1, (0.1,), "32-true", Device("c", 2, "g", 2), True)}),
        paper(),
        measured(status="failed", reason="loss is nan"),
    ],
)
def test_a_record_reads_as_it_was_written(record: Record, tmp_path: Path) -> None:
    path = records.write(record, tmp_path / "new")
    assert path.name == f"{record.id}.json"
    assert records.read(path) == record
    assert list(path.parent.iterdir()) == [path]


def test_a_record_without_trainings_still_fits_its_hash(tmp_path: Path) -> None:
    """Those written before there were any."""
    content = measured().to_dict()
    del content["training"], content["sha256"]
    content["sha256"] = records.content_digest(content)
    assert Record.from_dict(content) == measured()


def test_results_sum_up_the_clips() -> None:
    results = measured().results
    assert results.trials["walk"].kind == "reconstruction"
    assert results.trials["walk"].scores[SSIM].skipped == 1
    assert results.aggregates["reconstruction"][SSIM] == Aggregate(0.5, None, None, 1, 1)
    assert results.missing == {"lpips/alex@1": "no weights"}
    clip = ClipScores("walk", 1, {SSIM: (0.5,)})
    assert Results.of({}, {SSIM: "put it at /srv/me/x.pth"}).missing == {SSIM: "put it at …/x.pth"}
    with pytest.raises(RecordError, match="twice"):
        Results.of({"reconstruction": [clip], "imitation": [clip]})


def test_a_record_is_never_overwritten(tmp_path: Path) -> None:
    path = records.write(measured(), tmp_path)
    before = path.read_bytes()
    with pytest.raises(RecordError, match=r"one\.json exists"):
        records.write(measured(method="remot"), tmp_path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def _race(folder: Path, seed: int, barrier: Any, queue: Any) -> None:
    barrier.wait()
    try:
        records.write(measured(seed=seed), folder)
        queue.put(seed)
    except RecordError:
        queue.put(None)


def test_of_two_writers_one_wins(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier, queue = context.Barrier(4), context.Queue()
    writers = [context.Process(target=_race, args=(tmp_path, seed, barrier, queue)) for seed in range(4)]
    for w in writers:
        w.start()
    winners = [seed for seed in (queue.get(timeout=30) for _ in writers) if seed is not None]
    for w in writers:
        w.join()
    assert len(winners) == 1
    assert records.read(tmp_path / "one.json").seed == winners[0]


def _write_many(folder: Path, writer: int, count: int, barrier: Any, queue: Any) -> None:
    """Writes records of its own, and one of an id that every writer takes, in turn."""
    barrier.wait()
    won = 0
    for k in range(count):
        records.write(measured(id=f"own-{writer}-{k}", seed=writer), folder)
        try:
            records.write(measured(id=f"shared-{k}", seed=writer), folder)
            won += 1
        except RecordError:
            pass
    queue.put(won)


def _read_on(folder: Path, barrier: Any, stop: Any, queue: Any) -> None:
    """Reads the folder until it is told to stop; an error, or the most that was seen at once."""
    barrier.wait()
    most, seen = 0, set[str]()
    try:
        while not stop.is_set():
            found = {r.id for r in records.read_all(folder)}
            assert seen <= found, "what was there is there"
            most, seen = max(most, len(found)), found
        queue.put(most)
    except Exception as error:  # noqa: BLE001 -- whatever it is, the test has to hear of it
        queue.put(error)


def test_writers_at_once_lose_nothing_and_readers_see_no_half_file(tmp_path: Path) -> None:
    writers, count = 4, 12
    context = multiprocessing.get_context("fork")
    barrier, stop = context.Barrier(writers + 1), context.Event()
    won, read_ = context.Queue(), context.Queue()
    reader = context.Process(target=_read_on, args=(tmp_path, barrier, stop, read_))
    several = [context.Process(target=_write_many, args=(tmp_path, w, count, barrier, won)) for w in range(writers)]
    for process in (reader, *several):
        process.start()
    assert sum(won.get(timeout=60) for _ in several) == count, "each shared id was written by one"
    stop.set()
    assert isinstance(seen := read_.get(timeout=60), int), seen
    for process in (reader, *several):
        process.join()
        assert process.exitcode == 0
    found = {r.id: r for r in records.read_all(tmp_path)}
    own = {f"own-{w}-{k}": w for w in range(writers) for k in range(count)}
    assert found.keys() == own.keys() | {f"shared-{k}" for k in range(count)}
    assert {name: found[name].seed for name in own} == own
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(f"{name}.json" for name in found)


def test_a_record_from_before_energy_and_devices_were_told_apart_still_reads(tmp_path: Path) -> None:
    record = measured(training={"whole": StageTraining(1, 1, 1, 1, (0.1,), "32-true")})
    path = records.write(record, tmp_path)
    content = json.loads(path.read_text())
    for name in ("energy_joules", "energy_source", "device"):
        assert content["costs"].pop(name) is None
    assert not any(content["training"]["whole"].pop(name) for name in ("device", "taken_over"))
    content.pop("sha256")
    path.write_text(json.dumps(content | {"sha256": records.content_digest(content)}))
    assert records.read(path) == record


@pytest.mark.parametrize(("schema", "remedy"), [(2, "newer release"), (0, r"the release that wrote it \(0.1.0\)")])
def test_another_schema_is_refused_with_what_to_do(schema: int, remedy: str, tmp_path: Path) -> None:
    path = records.write(measured(), tmp_path)
    edit(path, "schema", to=schema)
    with pytest.raises(RecordError, match=rf"field schema is wrong. Expected: 1. Found: {schema}.*{remedy}"):
        records.read(path)


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RecordError, match=r"one\.json cannot be written.*No space left.*free space"):
        records.write(measured(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordError, match=r"file/one\.json cannot be written"):
        records.write(measured(), tmp_path / "file")


def edit(path: Path, *keys: str, to: Any) -> None:
    content = json.loads(path.read_text())
    place = content
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = to
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("keys", "to"),
    [
        (("seed",), 1),
        (("results", "aggregates", "reconstruction", SSIM, "value"), 0.9),
        (("config", "model", "width"), 16),
        (("sha256",), "0"),
        (("more",), "x"),
    ],
)
def test_an_edited_record_is_noticed(keys: tuple[str, ...], to: Any, tmp_path: Path) -> None:
    path = records.write(measured(), tmp_path)
    edit(path, *keys, to=to)
    with pytest.raises(RecordError, match=r"one\.json: field sha256 does not fit.*restore"):
        records.read(path)


def forge(path: Path, *keys: str, to: Any) -> None:
    """An edit by somebody who mends the hash too."""
    edit(path, *keys, to=to)
    content = json.loads(path.read_text())
    content.pop("sha256")
    path.write_text(json.dumps(content | {"sha256": records.content_digest(content)}))


@pytest.mark.parametrize(
    ("keys", "to", "message"),
    [
        (("schema",), 2, r"field schema is wrong. Expected: 1. Found: 2"),
        (("seed",), "0", r"field seed is wrong. Expected: a valid integer. Found: '0'"),
        (("seed",), True, r"field seed is wrong"),
        (("costs", "fps"), "fast", r"field costs.fps is wrong. Expected: a valid number"),
        (
            ("results", "trials", "walk", "kind"),
            "other",
            r"field results.trials.walk.kind is wrong. Expected: 'reconstruction' or 'im",
        ),
        (("results", "aggregates", "self"), {}, r"field results.aggregates.self \(a key\) is wrong"),
        (("configs",), "a", r"field configs is wrong. Expected: a valid array"),
        (("code", "author"), "x", r"field code.author is unknown"),
        (("code",), {"version": "1"}, r"field code.commit is missing"),
        (("config_sha256",), "0", r"field config_sha256 is wrong"),
        (("id",), "other", r"field id differs"),
    ],
)
def test_a_malformed_record_is_refused_by_file_and_field(
    keys: tuple[str, ...], to: Any, message: str, tmp_path: Path
) -> None:
    path = records.write(measured(), tmp_path)
    forge(path, *keys, to=to)
    with pytest.raises(RecordError, match=rf"one\.json: {message}"):
        records.read(path)


@pytest.mark.parametrize("text", ["", "[]", '{"schema": 1', "\x00"])
def test_a_file_that_is_no_record_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(text)
    with pytest.raises(RecordError, match=r"one\.json"):
        records.read(tmp_path / "one.json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": "../one"}, "field id"),
        ({"created": "yesterday"}, "field created"),
        ({"created": "2025-13-31T12:00:00Z"}, "field created"),
        ({"protocol": "puppets"}, "field protocol"),
        ({"status": "failed"}, "field reason"),
        ({"reason": "none"}, "field reason"),
        ({"seed": None}, "field seed"),
        ({"device": None}, "field device"),
        ({"kind": "paper"}, "field paper"),
        ({"regime": "both"}, "field regime"),
        ({"config": {"rate": float("nan")}}, r"field config.rate .*finite"),
        ({"config": {"folder": "/srv/me/iper"}}, r"field config.folder holds a path of a machine.*/srv/me/iper"),
        ({"status": "failed", "reason": "no file /mnt/a/b.mp4"}, r"field reason holds a path.*/mnt/a/b.mp4"),
        ({"config": {"object": object()}}, "field config.object"),
        ({"config": {"a": 10**400}}, "field config.a"),
        ({"config": {"a": "\udcff"}}, "field config.a"),
        ({"subject": "\ud800"}, "field subject"),
        ({"results": Results(missing={"ssim": "why"})}, "metric key is malformed"),
    ],
)
def test_wrong_values_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        measured(**changes)


def test_all_records_of_a_folder_come_oldest_first(tmp_path: Path) -> None:
    records.write(measured(id="b", created="2025-01-31T12:00:00Z"), tmp_path)
    records.write(measured(id="a", created="2025-02-01T12:00:00Z"), tmp_path / "more")
    (tmp_path / ".c.partial").write_text("half")
    assert [r.id for r in records.read_all(tmp_path)] == ["b", "a"]
    assert records.read_all(tmp_path / "nowhere") == []
    records.write(measured(id="b"), tmp_path / "more")
    with pytest.raises(RecordError, match="two records of one id"):
        records.read_all(tmp_path)


def test_ids_differ_and_make_file_names() -> None:
    created = now()
    ids = {new_id(created, "fakemotion", "my data/x", "") for _ in range(20)}
    assert len(ids) == 20
    assert measured(id=min(ids), created=created).id.count("-") == 3


def test_the_config_hash_depends_on_values_and_not_on_their_order() -> None:
    one, other = {"a": 1, "b": [1, 2]}, {"b": [1, 2], "a": 1}
    assert measured(config=one).config_sha256 == measured(config=other).config_sha256
    assert measured(config=one).config_sha256 != measured(config={"a": 1, "b": [2, 1]}).config_sha256


def test_folders_of_the_machine_become_names() -> None:
    roots = {"run": Path("/mnt/data/runs/x"), "data": Path("/mnt/data")}
    config = {"a": Path("/mnt/data/001/v.mp4"), "b": ("/mnt/data/runs/x/stages", "/mnt/data"), "c": [1, None, 0.5, "x"]}
    assert portable(config, roots) == {"a": "$data/001/v.mp4", "b": ["$run/stages", "$data"], "c": [1, None, 0.5, "x"]}
    with pytest.raises(RecordError, match=r"config\.a\[1\] holds a path of this machine.*/mnt/database/x"):
        portable({"a": ["x", "/mnt/database/x"]}, roots)
    for wrong in (float("inf"), object()):
        with pytest.raises(RecordError, match=r"config\.a is not plain JSON"):
            portable({"a": wrong}, roots)


def test_relative_roots_are_found_however_they_are_spelt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert portable([str(tmp_path / "runs/x/a"), "runs/x/a", "other/runs/x/a"], {"run": Path("runs/x")}) == [
        "$run/a",
        "$run/a",
        "other/runs/x/a",
    ]


def test_a_word_that_is_also_a_folder_stays_a_word() -> None:
    roots = {"run": Path("data/runs"), "data": Path("data"), "work": Path()}
    assert portable(["the data . is new", "data", "data/runs/x", "data/a"], roots) == [
        "the data . is new",
        "$data",
        "$run/x",
        "$data/a",
    ]


def test_messages_lose_their_paths() -> None:
    message = "no frame in /mnt/data/001/v.mp4, nor in '/srv/me/a b.mp4' (see https://example.org/a/b): /mnt/data."
    assert redacted(message, {"data": Path("/mnt/data")}) == (
        "no frame in $data/001/v.mp4, nor in '…/a b.mp4' (see https://example.org/a/b): $data."
    )


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/srv/me", "/srv/me"),
        ("--config=/etc/x/y.yaml", "/etc/x/y.yaml"),
        (r"C:\Users\me", r"C:\Users\me"),
        ("~/data", "~/data"),
        ("puppets@1 and ssim/gaussian@1", None),
        ("https://example.org/a/b", None),
        ("$data/001/v.mp4", None),
        ("1/2 and 3 / 4", None),
        ("methods/fakemotion/configs/paper.yaml", None),
    ],
)
def test_absolute_paths_are_recognised(text: str, path: str | None) -> None:
    assert machine_path(text) == path


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [n for n in os.environ if n.startswith("GIT_")]:  # set when a git hook runs the tests
        monkeypatch.delenv(name)
    (tmp_path / "motioncopy").mkdir()
    (tmp_path / "motioncopy/__init__.py").touch()
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "x"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    return tmp_path


def test_new_records_do_not_make_the_code_dirty_and_changed_code_does(checkout: Path) -> None:
    clean = provenance.code(checkout)
    assert clean.commit is not None
    assert len(clean.commit) == 40
    assert clean.dirty is False
    records.write(measured(), checkout / provenance.RESULTS[0])
    assert provenance.code(checkout) == clean
    (checkout / "motioncopy/new.py").touch()
    assert provenance.code(checkout) == replace(clean, dirty=True)


def test_a_hook_of_another_checkout_does_not_answer(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = provenance.code(checkout).commit
    monkeypatch.setenv("GIT_DIR", str(checkout / "elsewhere"))
    assert provenance.code(checkout).commit == commit


def test_code_outside_a_checkout_has_no_commit(checkout: Path, tmp_path: Path) -> None:
    installed = checkout / "venv"
    (installed / "motioncopy").mkdir(parents=True)
    (installed / "motioncopy/__init__.py").touch()
    found = provenance.code(installed)
    assert (found.commit, found.dirty) == (None, None)
    assert found.version


def test_packages_and_device_are_named() -> None:
    assert provenance.packages()["torch"].startswith("2.")
    device = provenance.device()
    assert device.cpu
    assert device.threads >= 1
    assert device.gpu is None


def test_the_history_knows_its_commits(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    commit = provenance.code(checkout).commit
    assert commit is not None
    assert provenance.in_history(commit, checkout) is True
    assert provenance.in_history("0" * 40, checkout) is False
    assert provenance.in_history(commit, tmp_path_factory.mktemp("elsewhere")) is None
