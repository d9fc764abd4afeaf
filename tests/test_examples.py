"""The examples in docstrings: they run, and every public class and function of a finished package has one."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
from types import ModuleType

import pytest

#: Packages whose examples run.
PACKAGES = ("motioncopy.losses", "motioncopy.metrics", "motioncopy.poses")
#: Those in which each public class and function has one.
COMPLETE = ("motioncopy.metrics",)


def modules(package: str) -> list[str]:
    return [f"{package}.{m.name}" for m in pkgutil.iter_modules(importlib.import_module(package).__path__)]


def public(module: ModuleType) -> list[str]:
    """The names of the classes and functions that a module defines for others."""
    made = {name: one for name, one in vars(module).items() if inspect.isclass(one) or inspect.isfunction(one)}
    return [n for n, one in made.items() if one.__module__ == module.__name__ and not n.startswith("_")]


@pytest.mark.parametrize("name", [name for package in PACKAGES for name in modules(package)])
def test_examples_run(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert found.failed == 0, "see above"


@pytest.mark.parametrize("name", [name for package in COMPLETE for name in modules(package)])
def test_every_public_class_and_function_has_an_example(name: str) -> None:
    module = importlib.import_module(name)
    assert [n for n in public(module) if ">>>" not in (inspect.getdoc(getattr(module, n)) or "")] == []
