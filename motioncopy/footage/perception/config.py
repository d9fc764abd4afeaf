"""Perception backends from a YAML file: which class sees what, and with which arguments.

A config has the keys ``pose``, ``mask``, ``parser``, ``background`` and ``flow``, the fields of
:class:`motioncopy.footage.prepare.Backends`; all but ``pose`` may be left out. Each names a class, which must fulfil
that field's protocol, and its arguments::

    pose:
      class_path: motioncopy.footage.perception.openpose.OpenPoseFolder
      init_args:
        folder: json

The configs in ``configs/`` go by their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from motioncopy.building import build_from_config
from motioncopy.errors import ConfigError
from motioncopy.files.documents import parse_yaml, read_yaml
from motioncopy.footage.prepare.backends import Backends

_FOLDER = Path(__file__).with_name("configs")
_KEYS = tuple(f.name for f in fields(Backends))


def names() -> list[str]:
    """The configs that come with the package, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def load(name_or_path: str | Path, **overrides: Any) -> Backends:
    """Builds the backends of a config.

    Args:
        name_or_path: One of :func:`names`, or a YAML file.
        **overrides: What stands elsewhere in this call than in the file, by dotted key, in order:
            ``load("openpose", **{"pose.init_args.folder": "json"})``. Another class starts without the arguments of
            the one before.

    Raises:
        ConfigError: If there is no such config, it is no YAML, a key is unknown, a class does not fulfil its protocol,
            or an argument is unknown, missing or of a wrong type.
        MotionCopyError: What a backend's constructor raises.
    """
    config = _read(name_or_path)
    for key, value in overrides.items():
        _override(config, key.split("."), value)
    _check_keys(str(name_or_path), config)
    backends, _ = build_from_config(Backends, config, key="backends", what=f"the perception config {name_or_path}")
    return backends


def parse_override(text: str) -> tuple[str, Any]:
    """``KEY=VALUE`` of a command line as a key and a value of :func:`load`; the value is YAML.

    Raises:
        ConfigError: If it has another form.
    """
    key, equals, value = text.partition("=")
    if key.strip() and equals:
        return key.strip(), parse_yaml(value, error=ConfigError, what=f"the override {text[:80]!r}")
    raise ConfigError("an override has a wrong form", expected="for instance pose.init_args.folder=DIR", found=text)


def _read(name_or_path: str | Path) -> dict[str, Any]:
    path = _FOLDER / f"{name_or_path}.yaml" if str(name_or_path) in names() else Path(name_or_path)
    if not path.exists():
        raise ConfigError(
            f"there is no perception config {name_or_path}", expected=f"a YAML file, or one of {', '.join(names())}"
        )
    config = read_yaml(path, error=ConfigError, what=f"the perception config {path}")
    if not isinstance(config, dict):
        raise ConfigError(f"the perception config {path} is wrong", expected=f"the keys {', '.join(_KEYS)}")
    return config


def _check_keys(name: str, config: dict[str, Any]) -> None:
    """What jsonargparse would not say, or not by the key's name."""
    what = f"the perception config {name}"
    if unknown := [str(key) for key in config if key not in _KEYS]:
        raise ConfigError(f"unknown keys in {what}", expected=", ".join(_KEYS), found=", ".join(unknown)[:200])
    if "pose" not in config:
        raise ConfigError(f"{what} names no pose estimator", expected="the key pose")
    for key, backend in config.items():
        if not isinstance(backend, dict) or "class_path" not in backend:
            raise ConfigError(
                f"{key} of {what} names no class", expected="class_path and init_args", found=repr(backend)[:200]
            )
        if unknown := [str(k) for k in backend if k not in ("class_path", "init_args")]:
            raise ConfigError(
                f"unknown keys in {key} of {what}", expected="class_path and init_args", found=", ".join(unknown)[:200]
            )


def _override(config: dict[str, Any], keys: list[str], value: Any) -> None:
    *parents, last = keys
    for key in parents:
        if not isinstance(config.get(key), dict):
            config[key] = {}
        config = config[key]
    if last == "class_path":
        config.clear()
    config[last] = dict(value) if isinstance(value, Mapping) else value
