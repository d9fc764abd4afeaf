"""Frozen dataclasses to JSON and back, where the annotations are the schema."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, TypeVar

from motioncopy.errors import RecordError

T = TypeVar("T")


def encode(value: Any) -> Any:
    """Dataclasses as dicts, tuples as lists, everything else as it is."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: encode(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {k: encode(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [encode(v) for v in value]
    return value


def decode(kind: type[T], value: Any, source: str, name: str = "") -> T:
    """A JSON value as a type.

    Args:
        kind: A dataclass, ``str``, ``int``, ``float`` (finite), ``bool``, ``Any`` (plain JSON), or of these
            ``X | None``, ``Literal``, ``tuple[X, ...]`` and ``dict[K, X]``.
        value: What :func:`encode` or a JSON reader gave.
        source: What an error message calls the whole, such as its file.
        name: What an error message calls the value: ``results.trials``.

    Raises:
        RecordError: If a field is missing, unknown or of another type; the message names it.
    """
    decoded: T = _decode(kind, value, source, name)
    return decoded


def _decode(kind: Any, value: Any, source: str, name: str) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if is_dataclass(kind):
        return _dataclass(kind, _typed(dict, value, source, name), source, name)
    if origin is types.UnionType:
        (inner,) = (a for a in arguments if a is not types.NoneType)
        return None if value is None else _decode(inner, value, source, name)
    if origin is Literal:
        if value not in arguments:
            raise _wrong(f"one of {', '.join(arguments)}", value, source, name)
        return value
    if origin is tuple:
        items = _typed(list, value, source, name)
        return tuple(_decode(arguments[0], item, source, f"{name}[{i}]") for i, item in enumerate(items))
    if origin is dict:
        keys, values = arguments
        return {
            _decode(keys, k, source, f"{name} (a key)"): _decode(values, v, source, f"{name}.{k}")
            for k, v in _typed(dict, value, source, name).items()
        }
    if kind is Any:
        return _json(value, source, name)
    if kind is float and type(value) is int:
        return float(value)
    return _typed(kind, value, source, name)


def _dataclass(kind: Any, value: dict[str, Any], source: str, name: str) -> Any:
    prefix = f"{name}." if name else ""
    known = {f.name: f for f in fields(kind)}
    if unknown := value.keys() - known.keys():
        raise RecordError(f"{source}: field {prefix}{min(unknown)} is unknown", expected=f"one of {', '.join(known)}")
    for f in known.values():
        if f.name not in value and f.default is MISSING and f.default_factory is MISSING:
            raise RecordError(f"{source}: field {prefix}{f.name} is missing")
    hints = typing.get_type_hints(kind)
    return kind(**{k: _decode(hints[k], v, source, prefix + k) for k, v in value.items()})


def _json(value: Any, source: str, name: str) -> Any:
    if isinstance(value, dict):
        return _decode(dict[str, Any], value, source, name)
    if isinstance(value, list):
        return [_json(item, source, f"{name}[{i}]") for i, item in enumerate(value)]
    if value is None or type(value) in (str, bool, int):
        return value
    return _typed(float, value, source, name)


def _typed(kind: type, value: Any, source: str, name: str) -> Any:
    # ``isinstance`` would take True for an int.
    if type(value) is not kind or (kind is float and not math.isfinite(typing.cast(float, value))):
        names = {dict: "an object", list: "a list", float: "a finite number"}
        raise _wrong(names.get(kind, kind.__name__), value, source, name)
    return value


def _wrong(expected: str, value: Any, source: str, name: str) -> RecordError:
    return RecordError(f"{source}: field {name or '(the whole)'} is wrong", expected=expected, found=repr(value)[:200])
