"""What holds the project together besides its code: metadata, pins, commands, and what must not be committed."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from fnmatch import fnmatch
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SHIPPED = {".yaml", ".json", ".csv", ".txt", ".npz", ".js", ".css", ".j2"}
PROJECT = PYPROJECT["project"]
PACKAGES = ("motioncopy", "methods", "datamodules", "benchmarks")


def _lines(name: str) -> list[str]:
    return [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]


def _tracked() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: nothing says what is committed")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [path for name in listed.decode().split("\0") if name and (path := ROOT / name).is_file()]


def test_the_console_script_is_there() -> None:
    script = EntryPoint("motioncopy", PROJECT["scripts"]["motioncopy"], "console_scripts")
    assert callable(script.load())


def test_the_metadata_name_files_that_are_there() -> None:
    assert (ROOT / PROJECT["readme"]).read_text().startswith("# ")
    assert [len((ROOT / name).read_text().splitlines()) for name in PROJECT["license-files"]] == [202]
    assert set(PYPROJECT["tool"]["setuptools"]["package-data"]) == set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_configs_and_data_ship_with_their_package(package: str) -> None:
    patterns = [pattern.removeprefix("**/") for pattern in PYPROJECT["tool"]["setuptools"]["package-data"][package]]
    data = [path for path in (ROOT / package).rglob("*") if path.suffix in SHIPPED]
    assert [str(path) for path in data if not any(fnmatch(path.name, pattern) for pattern in patterns)] == []


def test_every_dependency_is_pinned_within_its_range() -> None:
    pins = {canonicalize_name(pin.name): pin for pin in map(Requirement, _lines("constraints.txt"))}
    wanted = [*PROJECT["dependencies"], *(r for extra in PROJECT["optional-dependencies"].values() for r in extra)]
    for requirement in map(Requirement, wanted):
        (pin,) = pins[canonicalize_name(requirement.name)].specifier
        assert pin.operator in ("==", "==="), f"{requirement.name} is not pinned to one version"
        assert requirement.specifier.contains(Version(pin.version)), f"{requirement} excludes its pin {pin}"


def test_a_local_build_of_torch_does_not_count() -> None:
    pins = {pin.name: pin.specifier for pin in map(Requirement, _lines("constraints.txt"))}
    for name in ("torch", "torchvision"):
        (version,) = (pin.version for pin in pins[name])
        assert pins[name].contains(version)
        assert not pins[name].contains(f"{version}+cpu")


def test_the_makefile_pins_what_it_installs_by_itself() -> None:
    makefile = (ROOT / "Makefile").read_text()
    installed = [
        re.findall(rf"^{name} := (.+)$", makefile, re.M)[0].split() for name in ("TOOLS", "NO_DEPS", "FROM_SOURCE")
    ]
    assert all(re.fullmatch(r"[\w-]+==[\w.]+", requirement) for line in installed for requirement in line)
    pins = _lines("constraints.txt")
    assert {r for line in installed for r in line if r.startswith("setuptools")} <= set(pins)


def test_ci_brings_a_browser_runs_make_test_and_nothing_else() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    first, second, *browser, last = _lines(".ci/run")
    assert [first, second, last] == ["set -eu", 'cd "$(dirname "$0")/.."', "make test"]
    assert not re.search(r"\b(make|pip|curl|wget|git)\b", " ".join(browser))
    assert "Chromium" in (ROOT / "README.md").read_text(), "README says what is brought"


def _make(*arguments: str) -> str:
    bare = {"PATH": os.environ["PATH"]}  # not the variables of a make that runs these tests
    return subprocess.run(["make", *arguments], cwd=ROOT, env=bare, capture_output=True, text=True, check=True).stdout


def test_make_alone_lists_the_targets() -> None:
    listed = re.findall(r"^  make (\S+)", _make(), re.M)
    assert " ".join(listed) == "help setup bench table test test-slow test-ddp fuzz lint type all-checks clean"


def test_make_table_keeps_to_the_tables_own_data_unless_told_otherwise() -> None:
    plain = _make("-n", "table", "TABLE=remot/table4")
    assert 'suite remot/table4 --preset "quick" --seeds "0,1,2"' in plain
    assert '--row-seeds "0" --devices "1" --runs "runs"' in plain
    assert not re.search("--data|--sample|--people|--dry-run", plain)
    roots = _make("-n", "table", "TABLE=all", "DATA=iper,fish", "DATA_ROOT=iper=/a fish=/b", "PEOPLE=all", "DRY=1")
    assert '--data "iper,fish"' in roots
    assert '--data-root "iper=/a fish=/b"' in roots
    assert '--people "all"' in roots
    assert roots.rstrip().endswith("--dry-run")
    assert "does not take SEED" in _make("-n", "table", "TABLE=remot/table4", "SEED=1")
    assert "does not take" not in roots
    how = _make(
        "-n", "table", "TABLE=all", "PRECISION=bf16-mixed", "ACCUMULATE=2", "LOGGER=wandb", "OPTIONS=--engine slurm"
    )
    assert '--precision "bf16-mixed" --accumulate "2"' in how
    assert '--logger "wandb"' in how
    assert how.rstrip().endswith("--engine slurm")


def test_make_bench_passes_only_what_is_set() -> None:
    plain = _make("-n", "bench")
    assert '--method "fakemotion" --data "puppets" --preset "quick" --variant "paper"' in plain
    assert '--seed "0" --devices "1" --runs "runs"' in plain
    assert not re.search("--data-root|--ablation|--person|--rerun|--compiled", plain)
    assert "--compiled" in _make("-n", "bench", "COMPILED=1")
    full = _make("-n", "bench", "METHOD=static", "DATA_ROOT=my clips", "ABLATION=no_face", "PERSON=a", "RERUN=1")
    for flag in ('--method "static"', '--data-root "my clips"', '--ablation "no_face"', '--person "a"', "--rerun"):
        assert flag in full


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("a path of one machine", r"(?<![\w.~-])/(?:root|home|work|Users)/\w"),
        (
            "a package index",
            r"\b(?:pypi|pythonhosted)\.\w{2,}|pytorch\.org/whl|--(?:extra-)?index-[u]rl|--find-[l]inks",
        ),
        ("a conflict marker", r"^(?:<{7} |>{7} )"),
    ],
)
def test_nothing_committed_is_of_one_machine(what: str, pattern: str) -> None:
    texts = {
        path: path.read_bytes().decode(errors="ignore") for path in _tracked() if path.suffix not in (".png", ".mp4")
    }
    found = [
        f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]}"
        for path, text in texts.items()
        for match in re.finditer(pattern, text, re.M)
    ]
    assert found == [], f"committed files hold {what}"
