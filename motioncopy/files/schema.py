"""Plain values to dataclasses, where the annotations are the schema: nothing else is taken, and nothing converted."""

from __future__ import annotations

import re
import reprlib
import typing
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache, wraps
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass
from pydantic_core import to_json

from motioncopy.errors import MotionCopyError

T = TypeVar("T")

_STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, revalidate_instances="always")

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
        raise _explained(wrong, error, what, remedy, within=1) from None
    except MotionCopyError as wrong:  # by a dataclass that looks at its fields together
        raise error(f"{what}: {wrong.what}", expected=wrong.expected, found=wrong.found, remedy=remedy) from wrong
    except Exception as wrong:  # what is no JSON at all
        raise error(f"{what} holds no plain values", found=wrong, remedy=remedy) from wrong
    return typing.cast(T, found)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    # Only within another type do dataclasses take these.
    return TypeAdapter(tuple[kind], config=_STRICT)


def checked(error: type[MotionCopyError]) -> Callable[[type[T]], type[T]]:
    """Holds a frozen dataclass to its annotations wherever one is made, as :func:`validated` does where one is read.

    Args:
        error: What is raised if a field is wrong; the message names the first.
    """

    def decorate(kind: type[T]) -> type[T]:
        made: Any = checked_dataclass(kind, config=_STRICT, frozen=True)
        made.__doc__, init = kind.__doc__, made.__init__

        @wraps(init)
        def explained(self: Any, *values: Any, **named: Any) -> None:
            try:
                init(self, *values, **named)
            except ValidationError as wrong:
                raise _explained(wrong, error, kind.__name__) from None

        made.__init__ = explained
        return typing.cast(type[T], made)

    return decorate


def _explained(
    wrong: ValidationError, error: type[MotionCopyError], what: str, remedy: str | None = None, *, within: int = 0
) -> MotionCopyError:
    """The first thing that is wrong; of its place so many steps are not the user's."""
    first = wrong.errors(include_url=False, include_context=False)[0]
    where = f"{what}: field {_place(first['loc'][within:])}"
    found, message = reprlib.repr(first["input"]), first["msg"]
    if first["type"] in ("missing", "missing_argument", "missing_keyword_only_argument"):
        return error(f"{where} is missing", remedy=remedy)
    if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return error(f"{where} is unknown", found=found, remedy=remedy)
    if first["type"] == "value_error":
        return error(f"{where} is wrong", found=message.removeprefix("Value error, "), remedy=remedy)
    return error(f"{where} is wrong", expected=message.removeprefix("Input should be "), found=found, remedy=remedy)


def _place(steps: tuple[int | str, ...]) -> str:
    """Where a value is: ``results.trials[2].kind``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step[:80]}" for step in steps)
    return text.removeprefix(".").replace(".[key]", " (a key)") or "(the whole)"


def encode(value: Any) -> Any:
    """Dataclasses as dicts, tuples as lists, everything else as it is."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: encode(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {k: encode(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [encode(v) for v in value]
    return value
