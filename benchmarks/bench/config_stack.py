"""The config stack: method, data, their pair, preset, ablation; found by folder, merged key by key.

Later files win. Mappings are merged; lists and everything else are replaced whole. Where a file names another
``class_path``, the ``init_args`` of the class it replaces are dropped, since they mean another thing there. What a file
sets to null is gone for all later ones, so that a preset can size a part that the data (a fish has no face) or an
overlay took away. A preset can name overlays under ``requires``: terms without which it does not train, which then
stand in every record.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from motioncopy.errors import ConfigError
from motioncopy.files.documents import read_yaml
from motioncopy.files.schema import validated


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lays one config over another."""
    merged = dict(base)
    swapped = "class_path" in over and "class_path" in base and over["class_path"] != base["class_path"]
    if swapped:
        merged.pop("init_args", None)
    for key, value in over.items():
        below = merged.get(key, {})
        if isinstance(value, Mapping) and (below is None or isinstance(below, Mapping)):
            merged[key] = None if below is None else merge(below, value)
        else:
            merged[key] = value
    return merged


def read(path: Path | Traversable) -> dict[str, Any]:
    """A YAML file as a mapping.

    Raises:
        ConfigError: If it is missing, is not YAML, or holds no mapping.
    """
    if not path.is_file():
        raise ConfigError(f"there is no config {path.name}", found=str(path), remedy="correct the name")
    content = read_yaml(path, error=ConfigError)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path.name} holds no mapping", expected="key: value lines", found=type(content).__name__)
    _check_keys(content, "", path.name)
    return content


def _check_keys(value: Any, where: str, file: str) -> None:
    """YAML takes ``on:`` for true and ``3:`` for a number, which no config has for a key."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ConfigError(f"{file}: a key of {where or 'the whole'} is no text", found=repr(key))
            _check_keys(item, f"{where}.{key}" if where else key, file)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            _check_keys(item, f"{where}[{number}]", file)


def methods() -> list[str]:
    """All methods: the folders of :mod:`methods` that have configs."""
    return sorted(f.name for f in files("methods").iterdir() if f.is_dir() and (f / "configs").is_dir())


def data_sets() -> list[str]:
    """All data sets: the files in ``datamodules/configs``."""
    return _stems(files("datamodules") / "configs")


def variants(method: str) -> list[str]:
    """What can be computed: the files in the method's ``configs``."""
    return _stems(files("methods") / method / "configs")


def presets(method: str) -> list[str]:
    """How large and how long: the files in the method's ``presets``.

    ``<preset>_<variant>`` is no preset of its own: it is the part of a preset that serves this variant alone.
    """
    found = _stems(files("methods") / method / "presets")
    paired = {f"{preset}_{variant}" for preset in found for variant in variants(method)}
    return [name for name in found if name not in paired]


def ablations(method: str) -> list[str]:
    """The overlays that remove or change a part: the files in the method's ``ablations``."""
    return _stems(files("methods") / method / "ablations")


def _stems(folder: Traversable) -> list[str]:
    return (
        sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml"))
        if folder.is_dir()
        else []
    )


@dataclass(frozen=True)
class ConfigStack:
    """Which files make up a run's config.

    Attributes:
        method: Folder under ``methods``.
        data: File under ``datamodules/configs``.
        variant: File under the method's ``configs``.
        preset: File under its ``presets``; the empty string for none.
        overlays: Files under its ``ablations``, in this order.
    """

    method: str
    data: str
    variant: str = "paper"
    preset: str = "quick"
    overlays: tuple[str, ...] = ()

    @classmethod
    def asked_for(cls, method: str, data: str, variant: str, preset: str, overlays: Sequence[str] = ()) -> ConfigStack:
        """As a command line names it: in any case, since ``pix2pixHD`` lies in ``pix2pixhd``.

        A method without presets has one way of being computed, whatever is asked for.
        """
        method = method.lower()
        if method in methods() and not presets(method):
            variant, preset = variants(method)[0], ""
        return cls(method, data, variant, preset, tuple(overlays))

    def files(self) -> list[Traversable]:
        """The files, lowest first. ``<pair>_<variant>`` and ``<preset>_<variant>`` serve one variant alone.

        Raises:
            ConfigError: If one is named that does not exist; the message lists those there are.
        """
        _choose("METHOD", self.method, methods())
        _choose("DATA", self.data, data_sets())
        folder = files("methods") / self.method
        variant = _choose("VARIANT", self.variant, variants(self.method))
        found = [folder / "configs" / f"{variant}.yaml", files("datamodules") / "configs" / f"{self.data}.yaml"]
        found += self.pair_files()
        if self.preset:
            found.append(folder / "presets" / f"{_choose('PRESET', self.preset, presets(self.method))}.yaml")
            own = folder / "presets" / f"{self.preset}_{self.variant}.yaml"
            if own.is_file():
                found.append(own)
        known = ablations(self.method)
        found += [folder / "ablations" / f"{_choose('ABLATION', n, known)}.yaml" for n in self.all_overlays()]
        return found

    def pair_files(self) -> list[Traversable]:
        """What this data set alone needs of this method, if there is anything."""
        pair = f"{self.method}_{self.data}"
        paired = [files("benchmarks") / "configs" / f"{name}.yaml" for name in (pair, f"{pair}_{self.variant}")]
        return [path for path in paired if path.is_file()]

    def all_overlays(self) -> list[str]:
        """The overlays that the preset requires, then those asked for."""
        required: list[str] = []
        for name in (self.preset, f"{self.preset}_{self.variant}"):
            path = files("methods") / self.method / "presets" / f"{name}.yaml"
            if self.preset and path.is_file():
                listed = read(path).get("requires", [])
                required += validated(tuple[str, ...], listed, error=ConfigError, what=f"requires of {name}.yaml")
        return list(dict.fromkeys([*required, *self.overlays]))

    def names(self) -> list[str]:
        """The files' names from the project's root, for the record."""
        root = Path(str(files("benchmarks"))).parent
        return [str(Path(str(f)).relative_to(root)) for f in self.files()]

    def resolve(self, *overrides: Mapping[str, Any]) -> dict[str, Any]:
        """The merged config, with overrides on top.

        Raises:
            ConfigError: If a file is damaged, or model or data name no class.
        """
        merged: dict[str, Any] = {}
        for path in self.files():
            merged = merge(merged, read(path))
        for said_of_files in ("requires", "ablation"):
            merged.pop(said_of_files, None)
        for override in overrides:
            merged = merge(merged, override)
        what = f"the config of {self.method} on {self.data}"
        validated(_Config, merged, error=ConfigError, what=what, more=True)
        return merged


@dataclass(frozen=True)
class _Named:
    class_path: str
    init_args: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Config:
    """What every config says."""

    model: _Named
    data: _Named


def _choose(field: str, name: str, known: Sequence[str]) -> str:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        raise ConfigError(
            f"there is no {field}={name}",
            expected=f"one of {', '.join(known) or 'none'}",
            remedy=f"did you mean {near[0]}?" if near else f"correct {field}",
        )
    return name
