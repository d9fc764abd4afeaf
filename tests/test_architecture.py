"""The arrows between the packages, and the few rules that keep them readable (CONTRIBUTING.md, "The house")."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
#: What each package may import besides itself.
ARROWS: dict[str, set[str]] = {
    "benchmarks": {"methods", "datamodules", "motioncopy"},
    "methods": {"motioncopy"},
    "datamodules": {"motioncopy"},
    "motioncopy": set(),
}
OURS = {*ARROWS, "tests"}
#: A class path, or the head of one that is put together at run time, such as ``f"methods.{name}"``.
DOTTED = re.compile(rf"\b(?:{'|'.join(sorted(OURS))})\.[\w.]*")
IMPORTERS = {"import_module", "__import__", "find_spec", "files"}


def named_in_python(source: str, package: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Gives (line, dotted name) of all that a module of ``package`` imports, wherever and however it does."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            start = [*base, *([node.module] if node.module else [])]
            yield from ((node.lineno, ".".join([*start, alias.name])) for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and DOTTED.fullmatch(node.value):
            yield node.lineno, node.value
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if function in IMPORTERS:
                yield node.lineno, str(node.args[0].value)


def named_in_yaml(text: str) -> Iterator[tuple[int, str]]:
    """Gives (line, class path) of all class paths of a config."""
    for number, line in enumerate(text.splitlines(), 1):
        yield from ((number, path) for path in DOTTED.findall(line.partition("#")[0]))


def data_sets(root: Path) -> set[str]:
    """The modules of ``datamodules`` that are data sets: those that a config there makes one of."""
    configs = [yaml.safe_load(path.read_text()) for path in (root / "datamodules" / "configs").glob("*.yaml")]
    return {config.get("data", config)["class_path"].split(".")[1] for config in configs}


def allowed(root: Path, file: Path, target: str) -> bool:
    """Whether ``file``, relative to ``root``, may name ``target``."""
    top, (other, *rest) = file.parts[0], target.split(".")
    if other not in OURS:
        return True
    if other != top:
        return other in ARROWS[top]
    # A method or a data set is a folder or a file right below its package; the package itself is none, and neither
    # are the data sets' configs, nor their miniatures, which are drawn with another data set: the puppets.
    own, member = Path(file.parts[1]).stem, rest[0] if rest else ""
    if top not in ("methods", "datamodules") or own in ("__init__", "configs", "miniatures", member):
        return True
    shared = {path.stem for path in (root / "datamodules").iterdir()} - data_sets(root) - {"__init__", "miniatures"}
    return top == "datamodules" and member in shared


def violations(root: Path) -> list[str]:
    """Lists every import, class path and dynamic import that runs against the arrows."""
    found = []
    for package in ARROWS:
        for path in sorted((root / package).rglob("*")):
            file = path.relative_to(root)
            if path.suffix == ".py":
                names = named_in_python(path.read_text(), file.parts[:-1])
            elif path.suffix == ".yaml":
                names = named_in_yaml(path.read_text())
            else:
                continue
            found += [f"{file}:{line} names {target}" for line, target in names if not allowed(root, file, target)]
    return found


def test_imports_follow_the_arrows() -> None:
    assert violations(ROOT) == []


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("motioncopy/a.py", "import methods"),
        ("motioncopy/a.py", "def f():\n    from datamodules.iper import IPER"),
        ("motioncopy/a.py", "from importlib import import_module\nimport_module('methods')"),
        ("motioncopy/a.py", "def f(name):\n    return __import__(f'methods.{name}')"),
        ("motioncopy/a.py", "DEFAULT = 'datamodules.iper.IPER'"),
        ("motioncopy/nets/a.py", "from benchmarks import cli"),
        ("motioncopy/a.py", "from tests.clips import clip"),
        ("motioncopy/a.yaml", "model:\n  class_path: methods.remot.REMOT"),
        ("methods/remot/a.py", "from methods.fakemotion import networks"),
        ("methods/remot/a.py", "from methods import fakemotion"),
        ("methods/remot/a.py", "import methods"),
        ("methods/remot/a.py", "from ..fakemotion.networks import Generator"),
        ("methods/remot/a.py", "from .. import fakemotion"),
        ("methods/remot/a.py", "import datamodules.base"),
        ("methods/remot/configs/paper.yaml", "model:\n  class_path: methods.fakemotion.FakeMotion"),
        ("datamodules/iper.py", "from datamodules.puppets import Puppets"),
        ("datamodules/iper.py", "from . import puppets"),
        ("datamodules/iper.py", "from datamodules import Puppets"),
        ("datamodules/base.py", "import datamodules.iper"),
        ("datamodules/iper.py", "import methods.remot"),
        ("datamodules/puppets/a.py", "from ..iper import IPER"),
        ("datamodules/iper.py", "from datamodules import miniatures"),
    ],
)
def test_what_runs_against_the_arrows_is_found(tmp_path: Path, file: str, text: str) -> None:
    _house(tmp_path)
    assert violations(tmp_path) == []
    _write(tmp_path / file, text)
    assert len({line.split(" ")[0] for line in violations(tmp_path)}) == 1


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("benchmarks/a.py", "import methods.remot, datamodules.iper, motioncopy.batch"),
        ("methods/remot/a.py", "from . import b\nfrom .c import d\nfrom methods.remot import e\nimport torch"),
        ("methods/__init__.py", "from methods import remot"),
        ("datamodules/iper.py", "from datamodules.base import Base\nfrom .base import Base\nimport motioncopy.batch"),
        ("datamodules/puppets/a.py", "from . import b\nfrom ..base import Base"),
        ("datamodules/miniatures/iper.py", "from datamodules.puppets import render"),
        ("motioncopy/a.py", '"""What the methods share.\n\nSee methods.\n"""\nfrom . import batch'),
    ],
)
def test_what_follows_the_arrows_is_left_alone(tmp_path: Path, file: str, text: str) -> None:
    _house(tmp_path)
    _write(tmp_path / file, text)
    assert violations(tmp_path) == []


def imports(root: Path) -> dict[str, set[str]]:
    """Each module of the packages, by its dotted name, with the modules that it imports, wherever in it that stands."""
    files: dict[str, Path] = {}
    for package in ARROWS:
        for path in (root / package).rglob("*.py"):
            parts = path.relative_to(root).with_suffix("").parts
            files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    found: dict[str, set[str]] = {}
    for module, path in files.items():
        nodes = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Import | ast.ImportFrom)]
        source = "\n".join(map(ast.unparse, nodes))
        names = {name for _, name in named_in_python(source, path.relative_to(root).parts[:-1])}
        # The last part of a name is a module's, or what is taken out of one.
        found[module] = {name if name in files else name.rpartition(".")[0] for name in names} & files.keys() - {module}
    return found


def circles(graph: dict[str, set[str]]) -> list[str]:
    """The modules from which imports lead back to themselves, each with the way."""
    found = []
    for start in graph:
        ways, known = [[start]], {start}
        for way in ways:
            for module in graph[way[-1]]:
                if module == start:
                    found.append(" -> ".join([*way, start]))
                elif module not in known:
                    known.add(module)
                    ways.append([*way, module])
    return found


def test_no_imports_lead_back_to_where_they_began() -> None:
    assert circles(imports(ROOT)) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("import motioncopy.b", "from motioncopy import a"),
        ("from . import b", "def f():\n    from motioncopy.a import x"),
        ("from .b import x", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from motioncopy.c import y"),
    ],
)
def test_a_circle_of_imports_is_found(tmp_path: Path, first: str, second: str) -> None:
    for name, text in (("a", first), ("b", second), ("c", "import motioncopy.a"), ("d", "from . import a")):
        _write(tmp_path / f"motioncopy/{name}.py", text)
    assert {way.split(" -> ")[0] for way in circles(imports(tmp_path))} >= {"motioncopy.a", "motioncopy.b"}
    _write(tmp_path / "motioncopy/b.py", "import torch")
    assert circles(imports(tmp_path)) == []


def _house(root: Path) -> None:
    """Writes a small house: two methods, two data sets (one a file, one a folder) and what data sets share."""
    for file in (
        "methods/remot/a.py",
        "methods/fakemotion/a.py",
        "datamodules/base.py",
        "datamodules/puppets/a.py",
        "datamodules/miniatures/iper.py",
    ):
        _write(root / file, "")
    for name in ("iper", "puppets"):
        _write(root / f"datamodules/configs/{name}.yaml", f"data:\n  class_path: datamodules.{name}.Data\n")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _sources(*tops: str) -> list[Path]:
    return sorted(path for top in tops for path in (ROOT / top).rglob("*.py"))


def test_no_module_is_a_drawer_for_odds_and_ends() -> None:
    assert [path for path in _sources(*OURS) if {"utils", "util"} & {path.stem, path.parent.name}] == []


def test_files_can_be_read_at_one_sitting() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in _sources(*OURS)}
    assert {path: length for path, length in lengths.items() if length > 450} == {}


def test_every_package_says_what_it_is() -> None:
    folders = sorted({path.parent for path in _sources(*ARROWS)})
    silent = [
        str(folder.relative_to(ROOT))
        for folder in folders
        if not (folder / "__init__.py").exists()
        or not ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
    ]
    assert silent == []
