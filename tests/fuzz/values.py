"""Values that nobody expects, and JSON and YAML in which they stand."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import pairwise
from random import Random
from typing import Any

import yaml

from tests.fuzz import bait

OUTSIDE = ("../outside/marker", "../../x", "/etc/passwd", "/dev/zero", "/dev/stdin", "~/.ssh", "a\0b", "file:///etc/passwd",
            "http://127.0.0.1:9/x", "C:\\x")  # fmt: skip
_NUMBERS = (-1, 0, 1, 7, 2**31, 2**63, 2**64, -(2**63) - 1, 10**400, 1e308, -0.0, 1e-320, math.nan, math.inf, -math.inf)
_TEXTS = (
    "",
    "x" * 100_000,
    "\ud800",
    "x\ud800y",
    "\0",
    "é" * 2000,
    "\x1b[31m",
    "<script>",
    "%s%n{0}",
    "nan",
    "1e5",
    "²",
)
# What no value can be written as; put into the text behind its back.
_RAW_JSON = (
    "1e999", "-0", "1" * 500, "1" * 6000, "[" * 200 + "]" * 200, "[" * 100_000, '{"a":' * 3000 + "1" + "}" * 3000,
    '{"a": 1, "a": 2}', '"\\ud800"', '"\\udc00\\ud800"', "NaN", "-Infinity", "", "tru", "0x1", "'a'", "/* */ 1", '"a',
    "[1,]", "1e-999", "\ufeff1", '{"\\u0000": 1}',
)  # fmt: skip
# Half a billion values in a few letters.
_BOMB = "[&a [1,1]" + "".join(f", &{b} [{','.join([f'*{a}'] * 9)}]" for a, b in pairwise("abcdefghi")) + "]"
_RAW_YAML = (
    "&a [*a]", "&a {b: *a}", "{<<: &a {b: 1}, <<: *a}", ".nan", "-.inf", "1e400", "2020-01-01", "{a: 1, a: 2}", "@",
    "99999-99-99T99:99:99Z", "1" * 6000, "12:" * 3000 + "1", "0x" + "f" * 3000, "!!python/object:os.system x", "\t",
    "!!python/object/apply:os.system [x]", f"!!python/name:{bait.MODULE}.x", "!!binary aGk=", "!!set {a}", '!!int ""',
    "!!timestamp 1", "? [1]\n: 2", "*nobody", "[" * 100_000, "[" * 90 + "]" * 90, '"\\uD800"', "---\n---\n",
    "%YAML 9.9", "`", "!<tag:x> 1", "{[1]: 2}", "!!omap [a: 1]", _BOMB,
)  # fmt: skip


def hostile(rng: Random, *, classes: bool = True) -> Any:
    """A value that nobody expects, of plain types.

    Args:
        rng: Decides.
        classes: Whether it may ask for a class or a function.
    """
    match rng.randrange(8 if classes else 6):
        case 0:
            return rng.choice((None, True, False, [], {}, [[]], {"": None}, [None], {"a": {"a": {}}}))
        case 1 | 2:
            return rng.choice(_NUMBERS)
        case 3:
            return rng.choice(_TEXTS)
        case 4:
            return rng.choice(OUTSIDE)
        case 5:
            return rng.choice((_nested(40), _nested(200), [0] * 5000, {str(k): k for k in range(3000)}, [[[]] * 9] * 9))
        case 6:
            return rng.choice(bait.NAMES)
        case _:
            return asked(rng.choice(bait.NAMES), rng.choice((None, {}, {"args": [bait.PAYLOAD]}, {"a": 1})))


def asked(name: str, arguments: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What has a parser of configs build a class, or call a function, of this name; with a payload by default."""
    if name.endswith("reduce_graph_module"):
        arguments = {"body": {"_code": "def forward(self):return 1"}, "import_block": bait.PAYLOAD + "\n"}
    return {"class_path": name, "init_args": {"command": bait.PAYLOAD} if arguments is None else dict(arguments)}


def _nested(depth: int) -> Any:
    value: Any = 1
    for k in range(depth):
        value = [value] if k % 2 else {"a": value}
    return value


def change_value(value: Any, rng: Random, made: Callable[[Random], Any] = hostile) -> Any:
    """Changes plain values in one place; lists and mappings on the way are copied."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        copy = dict(value)
        key = rng.choice(list(copy))
        match rng.randrange(9):
            case 0:
                del copy[key]
            case 1:
                copy[rng.choice((*_TEXTS, *OUTSIDE, "class_path", "init_args", "__class__", "*"))] = copy.pop(key)
            case 2:
                copy[rng.choice(("x", "", "class_path", "dict_kwargs", "__path__", "\ud800"))] = made(rng)
            case 3:
                other = rng.choice(list(copy))
                copy[key], copy[other] = copy[other], copy[key]
            case _:
                copy[key] = change_value(copy[key], rng, made)
        return copy
    if isinstance(value, list) and value and rng.random() < 0.9:
        items = list(value)
        place = rng.randrange(len(items))
        match rng.randrange(8):
            case 0:
                del items[place]
            case 1:
                items.insert(place, made(rng))
            case 2:
                items = items * rng.choice((2, 60))
            case _:
                items[place] = change_value(items[place], rng, made)
        return items
    if isinstance(value, int | float) and not isinstance(value, bool) and rng.random() < 0.3:
        return rng.choice((-value, value + 1, str(value), [value], float(value % 2**53), value * 10**6))
    return made(rng)


def change_json(content: bytes, rng: Random) -> bytes:
    """Changes a JSON file. A checksum over its content is mended mostly, or nothing behind it would be reached."""
    value = json.loads(content)
    for _ in range(rng.choice((1, 1, 2))):
        value = change_value(value, rng, lambda r: _or_raw(r, len(_RAW_JSON)))
    if isinstance(value, dict) and "sha256" in value and rng.random() < 0.8:
        with suppress(ValueError, RecursionError, TypeError):
            _mend_record(value)
    return _written(json.dumps(value), _RAW_JSON, rng)


def change_yaml(content: bytes, rng: Random) -> bytes:
    """Changes a YAML file, but for the names of classes: whoever names such a file trusts it."""
    value = yaml.load(content, yaml.CSafeLoader)
    for _ in range(rng.choice((1, 1, 2))):
        value = change_value(value, rng, lambda r: _or_raw(r, len(_RAW_YAML), classes=False))
    text = json.dumps(value, default=str)
    if rng.random() < 0.7:
        with suppress(RecursionError, yaml.YAMLError):
            text = yaml.safe_dump(value)
    return _written(text, _RAW_YAML, rng)


def _or_raw(rng: Random, raw: int, *, classes: bool = True) -> Any:
    return f"@raw{rng.randrange(raw)}@" if rng.random() < 0.25 else hostile(rng, classes=classes)


def _written(text: str, raw: tuple[str, ...], rng: Random) -> bytes:
    text = re.sub(r"""["']?@raw(\d+)@["']?""", lambda m: raw[int(m[1])], text)
    return text.encode(rng.choice(("utf-8",) * 8 + ("utf-16", "latin-1")), "backslashreplace")


def _mend_record(record: dict[str, Any]) -> None:
    """Makes the hashes of a record fit its content again."""

    def digest(content: Any) -> str:
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    record["config_sha256"] = digest(record.get("config"))
    del record["sha256"]
    record["sha256"] = digest(record)
