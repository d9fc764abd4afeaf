"""Plain values to dataclasses, where the annotations are the schema: nothing else is taken, and nothing converted.

:func:`validated` reads what comes from anywhere; :func:`encode` and :func:`decode` are the records' own.
"""

from __future__ import annotations

import math
import re
import reprlib
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache, partial
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import to_json

from motioncopy.errors import MotionCopyError, RecordError
from motioncopy.files.documents import LARGEST

T = TypeVar("T")

# Separators and drives, control characters, half surrogates.
_NO_NAME = re.compile(r"[/\\:\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# What a file system takes for one name.
_MOST_BYTES = 255


def is_plain_name(name: str) -> bool:
    """Whether this names a file within a folder, on any system: no path, no drive, not the folder itself.

    It can be written to a terminal and as UTF-8, too: no control characters, no half surrogates.
    """
    return name not in ("", ".", "..") and not _NO_NAME.search(name) and len(name.encode()) <= _MOST_BYTES


def _plain(name: str) -> str:
    if not is_plain_name(name):
        raise ValueError(f"the name {name[:80]!a} points outside the folder, or is none that every system takes")
    return name


#: A name that becomes a file's or a folder's: see :func:`is_plain_name`.
PlainName = Annotated[str, AfterValidator(_plain)]
#: A text that is shown and compared.
Text = Annotated[str, Field(max_length=4096)]
#: A number of things, or a place among them.
Count = Annotated[int, Field(ge=0, le=2**53)]
#: A number of things that are not missing.
Size = Annotated[int, Field(ge=1, le=2**53)]


def validated(
    kind: type[T],
    content: Any,
    *,
    error: type[MotionCopyError],
    what: str,
    remedy: str | None = None,
    more: bool = False,
) -> T:
    """Plain values as a type, by pydantic's strict rules.

    Args:
        kind: A dataclass, or whatever pydantic knows. Lists are read as tuples, and texts of digits as integer keys.
        content: What :mod:`motioncopy.files.documents` read.
        error: What is raised if it is anything else.
        what: What messages call the whole, such as its file.
        remedy: What messages advise.
        more: Whether further fields are passed over, where the file is not of our making.

    Raises:
        MotionCopyError: Of class ``error``: if a field is missing, unknown, of another type or out of range; the
            message names the first.
    """
    try:
        # As JSON, whose lists may be tuples: strictly, a list is none.
        (found,) = _adapter(typing.cast(Any, kind)).validate_json(to_json([content]), extra="ignore" if more else None)
    except ValidationError as wrong:
        raise _explained(wrong, error, what, remedy) from None
    except MotionCopyError as wrong:  # by a dataclass that looks at its fields together
        raise error(f"{what}: {wrong.what}", expected=wrong.expected, found=wrong.found, remedy=remedy) from wrong
    except Exception as wrong:  # what is no JSON at all
        raise error(f"{what} holds no plain values", found=wrong, remedy=remedy) from wrong
    return typing.cast(T, found)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    # Only within another type do dataclasses take these.
    return TypeAdapter(tuple[kind], config=ConfigDict(strict=True, extra="forbid", allow_inf_nan=False))


def _explained(wrong: ValidationError, error: type[MotionCopyError], what: str, remedy: str | None) -> MotionCopyError:
    first = wrong.errors(include_url=False, include_context=False)[0]
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step[:80]}" for step in first["loc"][1:])
    where = f"{what}: field {place.removeprefix('.') or '(the whole)'}"
    found, message = reprlib.repr(first["input"]), first["msg"]
    if first["type"] in ("missing", "missing_argument", "missing_keyword_only_argument"):
        return error(f"{where} is missing", remedy=remedy)
    if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return error(f"{where} is unknown", found=found, remedy=remedy)
    if first["type"] == "value_error":
        return error(f"{where} is wrong", found=message.removeprefix("Value error, "), remedy=remedy)
    return error(f"{where} is wrong", expected=message.removeprefix("Input should be "), found=found, remedy=remedy)


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
    return float(_typed(int, value, source, name)) if type(value) is int else _typed(float, value, source, name)


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
                f"{source}: field {prefix[-200:]}{min(unknown)[:80]} is unknown", expected=f"one of {', '.join(known)}"
            )
        for field in needed:
            if field not in found:
                raise RecordError(f"{source}: field {prefix[-200:]}{field} is missing")
        return kind(**{k: decoders[k](v, source, prefix + k) for k, v in found.items()})

    return decoded


def _json(value: Any, source: str, name: str) -> Any:
    if isinstance(value, dict):
        return {_typed(str, k, source, f"{name} (a key)"): _json(v, source, f"{name}.{k}") for k, v in value.items()}
    if isinstance(value, list):
        return [_json(item, source, f"{name}[{i}]") for i, item in enumerate(value)]
    if value is None or value is True or value is False:
        return value
    return _typed(type(value) if isinstance(value, str | int) else float, value, source, name)


def _typed(kind: type, value: Any, source: str, name: str) -> Any:
    # ``isinstance`` would take True for an int.
    if type(value) is not kind or (kind is float and not math.isfinite(typing.cast(float, value))):
        names = {dict: "an object", list: "a list", float: "a finite number"}
        raise _wrong(names.get(kind, kind.__name__), value, source, name)
    if type(value) is int and abs(value) > LARGEST:
        raise _wrong("an integer of at most 64 bits", value, source, name)
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _wrong("text without half surrogates", value, source, name) from None
    return value


def _wrong(expected: str, value: Any, source: str, name: str) -> RecordError:
    return RecordError(
        f"{source}: field {name[:200] or '(the whole)'} is wrong", expected=expected, found=_shown(value)
    )


def _shown(value: Any) -> str:
    try:
        return repr(value)[:200]
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return f"a {type(value).__name__} too large to be written"
