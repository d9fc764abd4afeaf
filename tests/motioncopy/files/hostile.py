"""Valid documents with one thing changed, as Hypothesis draws them: a value for another, or some bytes."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from motioncopy.errors import MotionCopyError

#: Put in the place of any value.
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1e308, -0.5, 10**30, 2**63, math.nan, math.inf, "", "a" * 100_000, "\ud800", "\x1b[2J", "..",
    "../../x", "/etc/passwd", "a\0b", "é", "1", [], {}, [[[[]]]], [None], [{}], {"": None}, {"a": {"b": []}}, [1, 2, 3],
    ["a", "b"], {"class_path": ["os.system"], "init_args": {}}, [0] * 10_000,
)  # fmt: skip
#: Put between the bytes.
BYTES = (b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"[" * 3000, b'"\\ud800"', b"NaN", b"&a [*a]", b"<<: *a", b"1e999", b"-",
         b"9" * 5000, b"{}", b"\n", b"\xef\xbb\xbf", b"!!python/object:os.x", b"? ", b"'", b": ", b"\t")  # fmt: skip
#: Of a test with :func:`documents`: the same in every run, and its files may be used again.
SEEDED = settings(
    derandomize=True, deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def _places(value: Any, so_far: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The keys and numbers that lead to each value."""
    found = [so_far]
    items = value.items() if isinstance(value, dict) else enumerate(value[:4]) if isinstance(value, list) else ()
    for key, item in items:
        found += _places(item, (*so_far, key))
    return found


def replaced(content: Any, place: tuple[Any, ...], value: Any) -> Any:
    """A document with another value in a place."""
    if not place:
        return value
    changed = copy.deepcopy(content)
    parent = changed
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = value
    return changed


@st.composite
def values(draw: st.DrawFn, content: Any) -> Any:
    """A document in which one value is another, is missing, or stands twice under another name."""
    place = draw(st.sampled_from(_places(content)))
    kind = draw(st.integers(0, 6))
    if kind > 1 or not place or not isinstance(place[-1], str):
        return replaced(content, place, draw(st.sampled_from(VALUES)))
    changed = copy.deepcopy(content)
    parent = changed
    for key in place[:-1]:
        parent = parent[key]
    value = parent[place[-1]]
    if kind:
        del parent[place[-1]]
    else:
        parent[draw(st.sampled_from(("x", "", "\ud800", "a" * 100_000, "..", "class_path")))] = value
    return changed


@st.composite
def documents(draw: st.DrawFn, content: Any) -> bytes:
    """The file of such a document; or of the valid one, of which some bytes are cut, flipped or put in.

    Args:
        draw: Hypothesis's.
        content: Plain values, written as JSON, which is YAML too; or bytes as they stand.
    """
    if not isinstance(content, bytes):
        if draw(st.integers(0, 3)):
            return json.dumps(draw(values(content))).encode()
        content = json.dumps(content).encode()
    data = bytearray(content)
    at = draw(st.integers(0, len(data)))
    kind = draw(st.integers(0, 3))
    if kind == 0:
        del data[at:]
    elif kind == 1:
        del data[at : at + draw(st.integers(1, 40))]
    elif kind == 2 and at < len(data):
        data[at] ^= 1 << draw(st.integers(0, 7))
    else:
        data[at:at] = draw(st.sampled_from(BYTES))
    return bytes(data)


def check(read: Callable[[], object], path: Path | str) -> bool:
    """Whether a reader takes a file; that what it refuses is refused by name, in a message of readable length.

    Raises:
        Exception: Whatever the reader raises that is no error of ours.
    """
    said = ""
    try:
        read()
    except MotionCopyError as error:
        said = str(error)
    assert not said or Path(path).name in said, said[:500]
    assert len(said) < 3000, said[:500]
    said.encode()  # can be printed anywhere
    return not said
