"""Frozen dataclasses to JSON and back, where the annotations are the schema."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache, partial
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
    decoder: _Decoder = _decoder(typing.cast(Any, kind))
    decoded: T = decoder(value, source, name)
    return decoded


_Decoder = Callable[[Any, str, str], Any]


@cache
def _decoder(kind: Any) -> _Decoder:
    """What turns a JSON value into a type: made once a type, as thousands of records are read at a time."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if is_dataclass(kind):
        return _dataclass(kind)
    if origin is types.UnionType:
        (inner,) = (a for a in arguments if a is not types.NoneType)
        within = _decoder(inner)
        return lambda value, source, name: None if value is None else within(value, source, name)
    if origin is Literal:
        return partial(_literal, arguments)
    if origin is tuple:
        return partial(_tuple, _decoder(arguments[0]))
    if origin is dict:
        return partial(_dict, _decoder(arguments[0]), _decoder(arguments[1]))
    if kind is Any:
        return _json
    return _float if kind is float else partial(_typed, kind)


def _literal(known: tuple[Any, ...], value: Any, source: str, name: str) -> Any:
    if value not in known:
        raise _wrong(f"one of {', '.join(known)}", value, source, name)
    return value


def _tuple(items: _Decoder, value: Any, source: str, name: str) -> Any:
    return tuple(items(item, source, f"{name}[{i}]") for i, item in enumerate(_typed(list, value, source, name)))


def _dict(keys: _Decoder, values: _Decoder, value: Any, source: str, name: str) -> Any:
    found = _typed(dict, value, source, name)
    return {keys(k, source, f"{name} (a key)"): values(v, source, f"{name}.{k}") for k, v in found.items()}


def _float(value: Any, source: str, name: str) -> Any:
    return float(value) if type(value) is int else _typed(float, value, source, name)


def _dataclass(kind: Any) -> _Decoder:
    known = {f.name: f for f in fields(kind)}
    needed = [f.name for f in known.values() if f.default is MISSING and f.default_factory is MISSING]
    # Of a type that holds itself they could not be made beforehand, and there is none.
    decoders = {name: _decoder(hint) for name, hint in typing.get_type_hints(kind).items() if name in known}

    def decoded(value: Any, source: str, name: str) -> Any:
        found = _typed(dict, value, source, name)
        prefix = f"{name}." if name else ""
        if unknown := found.keys() - known.keys():
            raise RecordError(
                f"{source}: field {prefix}{min(unknown)} is unknown", expected=f"one of {', '.join(known)}"
            )
        for field in needed:
            if field not in found:
                raise RecordError(f"{source}: field {prefix}{field} is missing")
        return kind(**{k: decoders[k](v, source, prefix + k) for k, v in found.items()})

    return decoded


def _json(value: Any, source: str, name: str) -> Any:
    if isinstance(value, dict):
        return {_typed(str, k, source, f"{name} (a key)"): _json(v, source, f"{name}.{k}") for k, v in value.items()}
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
