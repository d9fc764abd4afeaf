"""Every reader meets a few hostile files in every run of the tests; ``make fuzz`` is the long form."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import child, files, run
from tests.fuzz.files import Files, Odd
from tests.fuzz.mutate import mutated
from tests.fuzz.readers import READERS
from tests.fuzz.run import Report, Supply, Task, Worker, supplies, tasks


@pytest.fixture(scope="module")
def valid() -> dict[str, list[Files]]:
    return {reader: supply.valid for reader, supply in supplies(list(READERS), hostile_too=False).items()}


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """A child; it is kept from test to test."""
    kept = Worker(tmp_path_factory.mktemp("fuzz"))
    yield kept
    kept.stop()


def read(worker: Worker, reader: str, given: Files) -> child.Verdict:
    worker.give(Task(reader, given, False, "test"))
    while (verdict := worker.verdict()) is None:
        time.sleep(0.001)
    return verdict


@pytest.mark.parametrize("reader", READERS)
def test_a_hostile_file_is_accepted_or_refused_and_does_nothing_else(
    reader: str, valid: dict[str, list[Files]], worker: Worker
) -> None:
    for given_files in valid[reader]:
        verdict = read(worker, reader, given_files)
        assert verdict.kind == "accepted", f"a valid input: {verdict.detail}"

    @settings(max_examples=20, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.randoms(use_true_random=False))
    def holds(rng: Random) -> None:
        hostile = mutated(valid[reader], rng)
        verdict = read(worker, reader, hostile)
        told = f"{files.described(hostile)}\n{verdict.kind}: {verdict.detail}"
        assert verdict.kind in ("accepted", "refused"), told
        assert not verdict.doubt, f"{verdict.doubt}: {told}"

    holds()


@pytest.mark.parametrize(
    ("fault", "kind", "detail"),
    [
        ("uncaught", "uncaught", "IndexError: list index"),
        ("hidden", "code run", "subprocess.Popen"),
        ("calling", "code run", "bait.make was called"),
        ("importing", "code run", "import fuzz_bait"),
        ("computing", "code run", "exec"),
        ("writing", "outside", "written"),
        ("beyond-python", "outside", "outside/written"),
        ("large", "too large", "MiB"),
        ("crashing", "crashed", "SIGSEGV"),
        ("hanging", "hang", "in _hanging"),
        ("refusing", "uncaught", "a valid input was refused: DataError"),
    ],
)
def test_each_fault_of_a_reader_is_found(
    fault: str, kind: str, detail: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault == "hanging":
        monkeypatch.setattr(run, "SECONDS", 1.0)
    if fault == "large":
        monkeypatch.setattr(run, "BYTES", 2**30)
    supply = Supply([{"a.txt": b"a valid file\n"}], [])
    report = run.run(tasks({fault: supply}, 1, 0), 1, tmp_path, jobs=1, quiet=True)
    assert report.counts[fault] == {kind: 1}
    ((_, first, (kept,)),) = report.offences.values()
    assert detail in first
    assert files.read(kept) == supply.valid[0]
    assert detail in kept.with_name(f"{kept.name}.why").read_text()


def test_after_a_child_has_died_the_others_are_read(tmp_path: Path) -> None:
    given_files: Files = {"a.json": b"{}", "a.yaml": b""}
    work = [Task(reader, given_files, False, str(k)) for k, reader in enumerate(["crashing", "documents"] * 2)]
    report = run.run(iter(work), len(work), tmp_path, jobs=1, quiet=True)
    assert report.counts == {"crashing": {"crashed": 2}, "documents": {"accepted": 2}}
    assert "crashed" in report.table()


def test_the_same_seed_gives_the_same_inputs(valid: dict[str, list[Files]]) -> None:
    supply = {reader: Supply(valid[reader], []) for reader in ("picture", "pickle", "record", "npy", "hdf5", "images")}

    def made(seed: int) -> list[Task]:
        return list(tasks(supply, 300, seed))

    first = made(1)
    time.sleep(1.1)  # a file format that writes the second of the clock would differ now
    assert made(1) == first
    assert made(1) != made(2)
    changed = sum(task.files not in supply[task.reader].valid for task in made(1))
    assert changed > 230, "most mutations change something"


def test_an_input_is_kept_as_it_was(tmp_path: Path) -> None:
    given_files: Files = {"a/b.txt": b"1", "pipe": Odd.PIPE, "loop": Odd.ITSELF, "zero": Odd.ENDLESS,
                          "empty": Odd.FOLDER, "\udcff": b""}  # fmt: skip
    files.write(given_files, tmp_path)
    assert files.read(tmp_path) == given_files


def test_a_clean_report_has_no_offences() -> None:
    report = Report()
    report.take(Task("gif", {}, False, "x"), child.Verdict("refused", "DataError: given: no"), 0.1, Path())
    assert not report.offences
    assert report.table().splitlines()[1].split()[:3] == ["gif", ".", "1"]
