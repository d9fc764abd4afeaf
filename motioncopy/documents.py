"""JSON and YAML files from anywhere, read to plain values: text, finite numbers, truth values, lists and mappings.

Everything that reads such a file reads it here, so that a damaged or hostile one is refused in one way: by its name,
with what is wrong, as the error class of whoever reads it. What the values mean is for the reader's schema.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Never

import yaml

from motioncopy.errors import MotionCopyError
from motioncopy.limits import check_limit, limits

#: What git-lfs leaves in a file's place until `git lfs pull` fetches the file itself.
_POINTER = b"version https://git-lfs.github.com/spec/"
# The largest numbers that NumPy and other languages hold; a file of ten thousand digits is none of ours.
_LARGEST = 2**64
_MOST_MERGED = 10_000


def read_json(
    path: Path | Traversable, *, error: type[MotionCopyError], what: str | None = None, remedy: str | None = None
) -> Any:
    """The content of a JSON file.

    Args:
        path: The file, in UTF-8.
        error: What is raised if it cannot be read.
        what: What messages call it; its path otherwise.
        remedy: What messages advise.

    Returns:
        Plain values; keys are text, numbers finite and below 2^64.

    Raises:
        MotionCopyError: Of class ``error``: if the file is missing, too large, not UTF-8, no JSON, nested too deeply,
            or holds a key twice, a number that is not finite or has too many digits, or half a surrogate pair.
    """
    refuse = _refusal(what or str(path), error, remedy)
    return _parsed_json(_text(path, refuse), refuse)


def parse_json(text: str, *, error: type[MotionCopyError], what: str, remedy: str | None = None) -> Any:
    """The content of a JSON text; see :func:`read_json`."""
    refuse = _refusal(what, error, remedy)
    if len(text) > limits().document_bytes:
        check_limit("document_bytes", len(text), what, error=error)
    return _parsed_json(text, refuse)


def read_yaml(
    path: Path | Traversable,
    *,
    error: type[MotionCopyError],
    what: str | None = None,
    remedy: str | None = None,
    as_text: bool = False,
) -> Any:
    """The content of a YAML file, read by YAML's safe rules.

    Args:
        path: The file, in UTF-8.
        error: What is raised if it cannot be read.
        what: What messages call it; its path otherwise.
        remedy: What messages advise.
        as_text: Leave every scalar the text that it is: ``1.50`` keeps its zero.

    Returns:
        Plain values (dates as text); keys as they stand. ``None`` for an empty file.

    Raises:
        MotionCopyError: Of class ``error``; see :func:`read_json`. Anchors may be used and count at every use; one that
            holds itself is refused.
    """
    refuse = _refusal(what or str(path), error, remedy)
    return _parsed_yaml(_text(path, refuse), refuse, as_text=as_text)


def parse_yaml(text: str, *, error: type[MotionCopyError], what: str, remedy: str | None = None) -> Any:
    """The content of a YAML text; see :func:`read_yaml`."""
    check_limit("document_bytes", len(text), what, error=error)
    return _parsed_yaml(text, _refusal(what, error, remedy))


def git_lfs_pointer(path: Path) -> str | None:
    """Says so if a git-lfs pointer lies where a file should, for messages; ``None`` otherwise."""
    try:
        with path.open("rb") as file:
            head = file.read(len(_POINTER))
            size = path.stat().st_size
    except OSError:
        return None
    return f"a git-lfs pointer of {size} bytes, not the file" if head == _POINTER else None


#: What fetches the file that a pointer stands for.
LFS_REMEDY = "run `git lfs pull` where it comes from, and copy the file again"

_Refuse = Callable[[object], Never]


def _refusal(what: str, error: type[MotionCopyError], remedy: str | None) -> _Refuse:
    def refuse(found: object) -> Never:
        raise error(f"{what} cannot be read", found=found, remedy=remedy) from None

    return refuse


def _text(path: Path | Traversable, refuse: _Refuse) -> str:
    try:
        if isinstance(path, Path):
            if not path.is_file() and path.exists():
                refuse("no regular file")  # a pipe would be waited for
            size = path.stat().st_size
            if size > limits().document_bytes:
                refuse(f"{size} bytes, more than the {limits().document_bytes} of --limit document_bytes")
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        refuse(error.strerror or error)
    except UnicodeDecodeError as error:
        refuse(f"no UTF-8: byte {error.object[error.start]:#04x} at {error.start}")
    except ValueError as error:  # a path that no file system takes
        refuse(error)


def _parsed_json(text: str, refuse: _Refuse) -> Any:
    try:
        content = json.loads(
            text,
            parse_constant=lambda name: refuse(f"the number {name}"),
            parse_int=lambda digits: _integer(digits, refuse),
            object_pairs_hook=lambda pairs: _mapping(pairs, refuse),
        )
    except RecursionError:
        refuse("nested too deeply")
    except ValueError as error:
        refuse(f"no JSON: {str(error)[:300]}")
    return _Plain(refuse).of(content)


def _integer(digits: str, refuse: _Refuse) -> int:
    if len(digits) > 20:
        refuse(f"a number of {len(digits)} digits")
    return int(digits)


def _mapping(pairs: list[tuple[str, Any]], refuse: _Refuse) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        keys = [key for key, _ in pairs]
        refuse(f"the key {max(keys, key=keys.count)!r} twice in one object")
    return mapping


class _Loader(yaml.CSafeLoader):
    """Safe YAML whose dates stay text."""

    yaml_implicit_resolvers = {  # noqa: RUF012 -- the base class declares it without ClassVar
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.flattened: set[yaml.MappingNode] = set()
        self.merged = 0

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Called for every mapping before it is built, and before it is merged into another."""
        if node in self.flattened:
            return
        self.flattened.add(node)
        keys = [(key.tag, key.value) for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(set(keys)) < len(keys):
            raise yaml.YAMLError(f"the key {max(keys, key=keys.count)[1]!r} twice in one mapping")
        super().flatten_mapping(node)
        self.merged += len(node.value) - len(keys)  # merge keys copy: a few lines of them can make billions
        if self.merged > _MOST_MERGED:
            raise yaml.YAMLError(f"more than {_MOST_MERGED} keys taken over by <<")


class _TextLoader(yaml.CBaseLoader):
    """YAML whose scalars stay text."""


def _parsed_yaml(text: str, refuse: _Refuse, *, as_text: bool = False) -> Any:
    loader: type[Any] = _TextLoader if as_text else _Loader
    try:
        _check_nesting(text, loader, refuse)
        content = yaml.load(text, loader)
    except MotionCopyError:
        raise
    except Exception as error:  # noqa: BLE001 -- the constructors of scalars raise whatever int, float and datetime do
        refuse(f"no YAML: {' '.join(str(error).split())[:300] or type(error).__name__}")
    return _Plain(refuse).of(content)


def _check_nesting(text: str, loader: type[Any], refuse: _Refuse) -> None:
    """Before anything is built: building walks down by recursion, in C."""
    depth, deepest = 0, limits().document_depth
    for event in yaml.parse(text, loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > deepest:
                refuse(f"nested more than {deepest} deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _Plain:
    """Checks values and counts them; what is met twice counts twice, as it will be walked twice by whoever reads it."""

    def __init__(self, refuse: _Refuse) -> None:
        self.refuse = refuse
        self.count, self.limits = 0, limits()

    def of(self, value: Any) -> Any:
        self._check(value, 0)
        return value

    def _check(self, value: Any, depth: int) -> None:
        self.count += 1
        if self.count > self.limits.document_values:
            self.refuse(f"more than {self.limits.document_values} values (see --limit document_values)")
        if isinstance(value, Mapping):
            self._enter(depth)
            for key, item in value.items():
                if not isinstance(key, str | int | float | bool | None):
                    self.refuse(f"the key {str(key)[:80]!r}")
                self._check(key, depth + 1)
                self._check(item, depth + 1)
        elif isinstance(value, list):
            self._enter(depth)
            for item in value:
                self._check(item, depth + 1)
        elif isinstance(value, str):
            if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
                self.refuse(f"half a surrogate pair in {value[:40]!a}")
        elif isinstance(value, float):
            if not math.isfinite(value):
                self.refuse(f"the number {value}")
        elif isinstance(value, int):
            if abs(value) > _LARGEST:
                self.refuse("an integer beyond 64 bits")
        elif value is not None:
            self.refuse(f"a value of the kind {type(value).__name__}")

    def _enter(self, depth: int) -> None:
        if depth >= self.limits.document_depth:
            self.refuse(f"nested more than {self.limits.document_depth} deep, or an anchor that holds itself")
