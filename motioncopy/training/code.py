"""Which code a training runs through, by following imports, and its hash.

Followed are ``import`` and ``from ... import`` anywhere in a file (in functions too, but not below
``if TYPE_CHECKING``), the packages around what is imported, and dotted names in strings, by which modules are imported
late. What lies outside the given packages, such as torch, is not followed. Hashed is the syntax tree without
docstrings: wording and layout change no hash, a changed line of code does.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

#: Our packages.
OWN = ("motioncopy", "methods", "datamodules", "benchmarks")
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", re.ASCII)


@cache
def code_digest(*names: str) -> str:
    """The SHA-256 of the code behind some names: of our packages, and of the packages that the names begin with.

    Args:
        names: Of modules, or of what is in them: ``methods.remot.REMOT``.
    """
    tops = {*OWN, *(name.partition(".")[0] for name in names)}
    found = code_of(names, {top: root for top in tops if (root := _root(top)) is not None})
    return hashlib.sha256("\n".join(f"{module} {digest}" for module, digest in found.items()).encode()).hexdigest()


def code_of(names: Iterable[str], roots: Mapping[str, Path]) -> dict[str, str]:
    """The SHA-256 of the code of each module that is imported, directly or not.

    Args:
        names: See :func:`code_digest`.
        roots: The packages that are followed: the folder of each, or its file where it is a single module.

    Returns:
        By module name, in alphabetical order.
    """
    found: dict[str, str] = {}
    waiting = list(names)
    while waiting:
        for module, path in _files(waiting.pop(), roots):
            if module not in found:
                tree = _code(path)
                found[module] = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
                package = module if path.name == "__init__.py" else module.rpartition(".")[0]
                waiting += _imports(tree, package.split("."))
    return dict(sorted(found.items()))


def _root(top: str) -> Path | None:
    spec = find_spec(top)
    if spec is None:
        return None
    folders = list(spec.submodule_search_locations or ())
    return Path(folders[0]) if folders else Path(spec.origin or "")


def _files(name: str, roots: Mapping[str, Path]) -> Iterator[tuple[str, Path]]:
    """The files of a module and of the packages around it; what follows the module in a name is in its file."""
    module, *rest = name.split(".")
    if module not in roots:
        return
    place = roots[module]
    while not place.is_file():
        if (init := place / "__init__.py").is_file():
            yield module, init
        if not rest:
            return
        step = rest.pop(0)
        module, place = f"{module}.{step}", place / step
        if not place.is_dir():
            place = place.with_name(f"{step}.py")
            if not place.is_file():
                return
    yield module, place


def _code(path: Path) -> ast.Module:
    """A file's syntax tree without docstrings, and without what only type checkers read."""
    tree = ast.parse(path.read_bytes(), str(path))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if ast.get_docstring(node, clean=False) is not None:
                del node.body[0]
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []
    return tree


def _imports(tree: ast.Module, package: list[str]) -> Iterator[str]:
    """Names of modules, or of what is in them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = [*base, *([node.module] if node.module else [])]
            yield from (".".join([*start, alias.name]) for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _DOTTED.fullmatch(node.value):
            yield node.value
