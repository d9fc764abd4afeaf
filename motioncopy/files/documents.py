"""JSON and YAML files from anywhere, read to plain values: text, finite numbers, truth values, lists and mappings.

Everything that reads such a file reads it here, so that a damaged or hostile one is refused in one way: by its name,
with what is wrong, as the error class of whoever reads it. What the values mean is for the reader's schema.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Never

import yaml

from motioncopy.errors import MotionCopyError
from motioncopy.files.limits import check_limit, limits

#: What git-lfs leaves in a file's place until `git lfs pull` fetches the file itself.
_POINTER = b"version https://git-lfs.github.com/spec/"
#: The largest integer, as of NumPy and other languages; one of ten thousand digits is none of ours.
LARGEST = 2**64
_MOST_DIGITS = 64  # of a number in any notation
_MOST_MERGED = 10_000
# A value of YAML takes ten times the time and memory of one of JSON.
_YAML_SHARE = 10


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
    check_limit("document_bytes", len(text), what, error=error)
    return _parsed_json(text, _refusal(what, error, remedy))


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


def check_plain(value: Any, *, error: type[MotionCopyError], what: str, remedy: str | None = None) -> None:
    """Refuses values from elsewhere that no JSON file read here could hold; see :func:`read_json`."""
    _Plain(_refusal(what, error, remedy)).of(value)


def read_text(path: Path | Traversable, *, error: type[MotionCopyError], remedy: str | None = None) -> str:
    """The content of a text file that is no JSON or YAML, such as a table.

    Args:
        path: The file, in UTF-8; a byte-order mark is passed over.
        error: What is raised if it cannot be read.
        remedy: What messages advise.

    Raises:
        MotionCopyError: Of class ``error``: if the file is missing, too large, not UTF-8, or holds NUL.
    """
    refuse = _refusal(str(path), error, remedy)
    text = _text(path, refuse)
    if "\0" in text:
        refuse(f"NUL at {text.index(chr(0))}")
    return text


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

_Refuse = Callable[..., Never]


def _refusal(what: str, error: type[MotionCopyError], remedy: str | None) -> _Refuse:
    def refuse(found: object, remedy: str | None = remedy) -> Never:
        raise error(f"{what} cannot be read", found=found, remedy=remedy) from None

    return refuse


def _text(path: Path | Traversable, refuse: _Refuse) -> str:
    most = limits().document_bytes
    try:
        if isinstance(path, Path) and not path.is_file() and path.exists():
            refuse("no regular file")  # a pipe would be waited for
        with path.open("rb") as file:
            content = file.read(most + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        refuse(error.strerror or error)
    except UnicodeDecodeError as error:
        refuse(f"no UTF-8: byte {error.object[error.start]:#04x} at {error.start}")
    except ValueError as error:  # a path that no file system takes
        refuse(error)
    if len(content) > most:
        refuse(f"more than {most} bytes", f"if you trust the file, allow more by --limit document_bytes={2 * most}")
    if content.startswith(_POINTER):
        refuse(f"a git-lfs pointer of {len(content)} bytes, not the file", LFS_REMEDY)
    return text


def _parsed_json(text: str, refuse: _Refuse) -> Any:
    # Every value stands behind one of these; a list of empty objects takes twenty times the file's size.
    if sum(map(text.count, ",:[{")) > limits().document_values:
        refuse(*_too_many())
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
    if len(digits) > _MOST_DIGITS:
        refuse(f"a number of {len(digits)} digits")
    return int(digits)


def _mapping(pairs: list[tuple[str, Any]], refuse: _Refuse) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        refuse(f"the key {_twice([key for key, _ in pairs])} twice in one object")
    return mapping


def _twice(keys: Sequence[Hashable]) -> str:
    return repr(Counter(keys).most_common(1)[0][0])[:80]


def _too_many(share: int = 1) -> tuple[str, str]:
    most = limits().document_values
    more = f"if you trust the file, allow more by --limit document_values={2 * most}"
    return f"more than {most // share} values", more


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
            raise yaml.YAMLError(f"the key {_twice([key for _, key in keys])} twice in one mapping")
        super().flatten_mapping(node)
        self.merged += len(node.value) - len(keys)  # merge keys copy: a few lines of them can make billions
        if self.merged > _MOST_MERGED:
            raise yaml.YAMLError(f"more than {_MOST_MERGED} keys taken over by <<")

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Called for what looks like an integer: 1:59:59 is one to base 60, and takes the square of its length."""
        return super().construct_yaml_int(_short(node))

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        """Likewise."""
        return super().construct_yaml_float(_short(node))


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_yaml_float)


def _short(node: yaml.ScalarNode) -> yaml.ScalarNode:
    if len(str(node.value)) > _MOST_DIGITS:
        raise yaml.YAMLError(f"a number of {len(str(node.value))} characters")
    return node


class _TextLoader(yaml.CBaseLoader):
    """YAML whose scalars stay text."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Called for every mapping."""
        mapping = super().construct_mapping(node, deep=deep)
        if len(mapping) < len(node.value):
            raise yaml.YAMLError(f"the key {_twice([key.value for key, _ in node.value])} twice in one mapping")
        return mapping


def _parsed_yaml(text: str, refuse: _Refuse, *, as_text: bool = False) -> Any:
    loader: type[Any] = _TextLoader if as_text else _Loader
    try:
        _check_extent(text, loader, refuse)
        content = yaml.load(text, loader)
    except MotionCopyError:
        raise
    except Exception as error:  # noqa: BLE001 -- the constructors of scalars raise whatever int, float and datetime do
        refuse(f"no YAML: {' '.join(str(error).split())[:300] or type(error).__name__}")
    return _Plain(refuse).of(content)


def _check_extent(text: str, loader: type[Any], refuse: _Refuse) -> None:
    """Before anything is built: building walks down by recursion, in C, and a node takes hundreds of bytes."""
    depth, deepest, most = 0, limits().document_depth, limits().document_values // _YAML_SHARE
    for count, event in enumerate(yaml.parse(text, loader)):
        if count > most:
            refuse(*_too_many(_YAML_SHARE))
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
        self.count, self.characters, self.limits = 0, 0, limits()

    def of(self, value: Any) -> Any:
        self._check(value, 0)
        return value

    def _check(self, value: Any, depth: int) -> None:
        self.count += 1
        if self.count > self.limits.document_values:
            self.refuse(*_too_many())
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
            self.characters += len(value)
            if self.characters > self.limits.document_bytes:
                self.refuse(f"more than {self.limits.document_bytes} characters, as anchors repeat them")
            try:
                value.isascii() or value.encode()
            except UnicodeEncodeError as error:
                self.refuse(f"half a surrogate pair at {error.start} in {value[:40]!a}")
        elif isinstance(value, float):
            if not math.isfinite(value):
                self.refuse(f"the number {value}")
        elif isinstance(value, int):
            if abs(value) > LARGEST:
                self.refuse("an integer beyond 64 bits")
        elif value is not None:
            self.refuse(f"a value of the kind {type(value).__name__}")

    def _enter(self, depth: int) -> None:
        if depth >= self.limits.document_depth:
            self.refuse(f"nested more than {self.limits.document_depth} deep, or an anchor that holds itself")
