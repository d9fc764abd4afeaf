"""Objects from plain configs, and which classes may be built from a file that the user did not write.

``jsonargparse`` builds whatever class, or even function, a config names, importing it first. That is right for a config
that the user names on the command line. A checkpoint and a run's folder are strangers' files: what they name must be a
class of our own packages, of a package that the user trusts by ``--trust-package NAME``, or of an installed one with an
entry point ``motioncopy.methods``. The name decides, before anything is imported.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import is_dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeVar

from jsonargparse import ArgumentParser, set_parsing_settings
from jsonargparse import _common as parsing

from motioncopy.errors import ConfigError, MotionCopyError, own_cause

T = TypeVar("T")

#: The packages whose classes a stranger's file may name.
OWN_PACKAGES = ("methods", "motioncopy", "datamodules")
#: The entry points by which an installed package offers methods, and by which it is trusted.
ENTRY_POINTS = "motioncopy.methods"
_VARIABLE = "MOTIONCOPY_TRUSTED_PACKAGES"
_CLASS_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", re.ASCII)
_RESTRICTING = threading.RLock()


def trust_package(name: str) -> None:
    """Lets strangers' files name classes of a package, in this process and those that it starts.

    Args:
        name: Of an installed package, such as ``my_methods``.

    Raises:
        ConfigError: If it is no name of a package.
    """
    if not name.isascii() or not name.isidentifier():
        raise ConfigError(
            "--trust-package takes the name of a package", expected="such as my_methods", found=repr(name)
        )
    os.environ[_VARIABLE] = ",".join([*filter(None, os.environ.get(_VARIABLE, "").split(",")), name])


def trusted_packages() -> tuple[str, ...]:
    """The packages whose classes may be built from any file: our own, installed methods', and those of the user."""
    installed = [entry.module.partition(".")[0] for entry in entry_points(group=ENTRY_POINTS)]
    named = os.environ.get(_VARIABLE, "").split(",")
    return tuple(dict.fromkeys([*OWN_PACKAGES, *installed, *filter(None, named)]))


def build_from_config(kind: type[T], config: Mapping[str, Any], *, key: str, what: str) -> tuple[T, dict[str, Any]]:
    """Builds an object from a config that the user wrote or named.

    Args:
        kind: A class, of which the config names a subclass, or a dataclass, whose fields the config gives.
        config: ``{"class_path": ..., "init_args": {...}}``, nested as deeply as the arguments are; or the fields.
        key: What messages call the config's values: ``model`` in ``model.init_args.image_size``.
        what: What messages call the whole.

    Returns:
        The object, and its config completed by defaults.

    Raises:
        ConfigError: If a class is not there or of another kind, or an argument is unknown or of a wrong type.
        MotionCopyError: What a constructor raises.
    """
    parser = _parser(kind, key)
    try:
        parsed = parser.parse_object({key: _plain(config)})
        built: T = parser.instantiate_classes(parsed)[key]
    except Exception as error:
        raise _refusal(error, what) from error
    return built, parsed[key].as_dict()


def resolve_untrusted(kind: type[Any], config: Any, *, key: str, what: str) -> dict[str, Any]:
    """A stranger's config, checked at every depth and completed by defaults; nothing of it is built yet.

    Args:
        kind: A class, of which the config names a subclass.
        config: As it stands in the stranger's file, of plain values.
        key: See :func:`build_from_config`.
        what: What messages call the whole.

    Returns:
        ``{"class_path": ..., "init_args": {...}}`` of plain values, which :func:`build_from_config` takes. Every
        ``class_path`` in it names a class of a trusted package, of the type that its place is annotated with.

    Raises:
        ConfigError: If anything else is named, at any depth; nothing of it is then imported. And if an argument is
            unknown or of a wrong type.
    """
    if not isinstance(config, Mapping) or "class_path" not in config:
        raise ConfigError(f"{what}: {key} names no class", expected="class_path and init_args", found=str(config)[:80])
    trusted = trusted_packages()
    check_names(config, key, what)
    _refuse_files(config, key, what)
    parser = _parser(kind, key)
    try:
        with _imports_only(trusted):
            parsed = parser.parse_object({key: _plain(config)})
    except Exception as error:
        raise _refusal(error, what) from error
    resolved: dict[str, Any] = parsed[key].as_dict()
    for place, name in class_paths(resolved, key):
        _check_name(name, place, what, trusted)
        found = _named(name)
        if not inspect.isclass(found) or found.__module__.partition(".")[0] not in trusted:
            raise _not_trusted(name, place, what, f"{name}, which is no class of theirs", trusted)
    return resolved


def check_names(config: Any, key: str, what: str) -> None:
    """Refuses a config that names what no stranger may name; nothing is imported.

    Args:
        config: Plain values.
        key: Where they stand, for messages.
        what: What messages call the whole.

    Raises:
        ConfigError: Naming the place, the name, and how to trust it.
    """
    trusted = trusted_packages()
    for place, name in class_paths(config, key):
        _check_name(name, place, what, trusted)


def _check_name(name: object, place: str, what: str, trusted: tuple[str, ...]) -> None:
    if not isinstance(name, str) or not _CLASS_PATH.fullmatch(name):
        raise ConfigError(
            f"{what}: {place} names no class", expected="a dotted path, such as methods.static.Static",
            found=repr(name)[:80], remedy="do not use the file, unless you know better",
        )  # fmt: skip
    if name.partition(".")[0] not in trusted:
        raise _not_trusted(name, place, what, name, trusted)


def _not_trusted(name: str, place: str, what: str, found: str, trusted: tuple[str, ...]) -> ConfigError:
    package = name.partition(".")[0]
    return ConfigError(
        f"{what}: {place} names what a file may not name",
        expected=f"a class of {', '.join(trusted)}",
        found=found,
        remedy="do not use the file"
        if package in trusted
        else f"do not use the file; or, if you trust all of the package {package}, give --trust-package {package}",
    )


def class_paths(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """All that a config names as classes: (where it stands, the name)."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key == "class_path":
                yield f"{place}.class_path", item
            else:
                yield from class_paths(item, f"{place}.{key}")
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from class_paths(item, f"{place}[{i}]")


def _refuse_files(value: Any, place: str, what: str) -> None:
    """In a class's place the parser takes the name of a file for the file's content."""
    if isinstance(value, Mapping | list | tuple):
        for key, item in value.items() if isinstance(value, Mapping) else enumerate(value):
            _refuse_files(item, f"{place}.{key}", what)
    elif isinstance(value, str) and any(c in value for c in "/.\\"):
        with suppress(OSError, ValueError):
            if Path(value).exists() and not Path(value).is_dir():
                raise ConfigError(f"{what}: {place} names a file of this machine", found=value[:200])


def _named(name: str) -> object:
    """What a name of a trusted package stands for; ``None`` if nothing does."""
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute, None)
    except ImportError:
        return None


@contextmanager
def _imports_only(packages: tuple[str, ...]) -> Iterator[None]:
    """While it lasts, the parser imports nothing by name but from these packages.

    A text in a class's place can be a class path, a whole config, or the name of a file with one: only where the parser
    imports is everything seen. Its settings have no way back, so they are put back by hand.
    """
    with _RESTRICTING:
        before = dict(parsing.parsing_settings)
        set_parsing_settings(import_path_denylist=["*"], import_path_allowlist=list(packages))
        try:
            yield
        finally:
            parsing.parsing_settings.clear()
            parsing.parsing_settings.update(before)


def _parser(kind: type[Any], key: str) -> ArgumentParser:
    parser = ArgumentParser(exit_on_error=False)
    if is_dataclass(kind):
        parser.add_class_arguments(kind, key)
    else:
        parser.add_subclass_arguments(kind, key)
    return parser


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    return {k: dict(v) if isinstance(v, Mapping) else v for k, v in config.items()}


def _refusal(error: Exception, what: str) -> MotionCopyError:
    own = own_cause(error)
    if own is not None:
        return own
    found = " ".join(str(error).split())
    return ConfigError(f"{what} is wrong", found=found[:1000], remedy="correct the named key")
