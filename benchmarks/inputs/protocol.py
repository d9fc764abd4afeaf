"""``motioncopy protocol``: what a data set's protocol says."""

from __future__ import annotations

import argparse
import hashlib
from collections import Counter
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from motioncopy.errors import ConfigError
from motioncopy.files.documents import parse_json
from motioncopy.files.schema import Count, Size, Text, validated

_MOST_ROWS = 8


def add_parser(subparsers: Any) -> None:
    """Adds the command to the console script."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "protocol",
        help="show who is trained on what, and what is asked of whom",
        description="Protocols are committed data with an id and a version, which every record names.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="all protocols")
    show = actions.add_parser("show", help="one protocol")
    show.add_argument("name", metavar="NAME", help="see `motioncopy protocol list`")
    show.add_argument("--json", action="store_true", help="the committed file as it is")
    parser.set_defaults(run_command=run)


def run(args: argparse.Namespace) -> int:
    """Lists protocols or shows one.

    Raises:
        ConfigError: If there is none of this name, or its file is damaged.
    """
    folder = files("datamodules") / "splits"
    texts = {f.name.removesuffix(".json"): f.read_text(encoding="utf-8") for f in folder.iterdir()
             if f.name.endswith(".json")}  # fmt: skip
    if args.action == "list":
        for name in sorted(texts):
            content = _content(name, texts[name])
            print(f"{name:<14} {content['id']}@{content['version']}")
    elif args.name not in texts:
        raise ConfigError(f"there is no protocol {args.name!r}", expected=f"one of {', '.join(sorted(texts))}")
    elif args.json:
        print(texts[args.name], end="")
    else:
        print("\n".join(_lines(_content(args.name, texts[args.name]))))
        print(f"SHA-256 of the file: {hashlib.sha256(texts[args.name].encode()).hexdigest()}")
    return 0


@dataclass(frozen=True)
class _Head:
    """What every protocol's file says, and what is shown in a form of its own."""

    id: Text
    version: Size
    pairs: dict[Text, tuple[tuple[Count, Count], ...]] = field(default_factory=dict)


def _content(name: str, text: str) -> dict[str, Any]:
    what = f"the protocol file {name}.json"
    content: dict[str, Any] = parse_json(text, error=ConfigError, what=what, remedy="restore it")
    validated(_Head, content, error=ConfigError, what=what, remedy="restore it", more=True)
    return content


def _lines(content: dict[str, Any]) -> list[str]:
    """A protocol as a reader wants it: plain fields, then what its lists hold."""
    lines = [f"{content['id']}@{content['version']}"]
    for key, value in content.items():
        if key in ("id", "version"):
            continue
        title = key.replace("_", " ")
        if isinstance(value, dict) and key == "pairs":
            lines += [f"{title}: who imitates whom, by rank in the order of names"]
            lines += [f"  of {n} people: {_pairs(rows)}" for n, rows in value.items()]
        elif isinstance(value, dict):
            lines.append(f"{title}: " + ", ".join(f"{k} {v}" for k, v in value.items()))
        elif isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
            kinds = Counter(str(row["kind"]) for row in value if "kind" in row)
            counted = f" ({', '.join(f'{n} {kind}' for kind, n in kinds.items())})" if kinds else ""
            lines.append(f"{title}: {len(value)}{counted}")
            lines += [f"  {', '.join(f'{k} {_plain(v)}' for k, v in row.items())}" for row in value[:_MOST_ROWS]]
            lines += [f"  ... and {len(value) - _MOST_ROWS} more (--json has all)"] * (len(value) > _MOST_ROWS)
        else:
            lines.append(f"{title}: {_plain(value)}")
    return lines


def _pairs(rows: list[list[int]]) -> str:
    return ", ".join(f"{person} as {driver}" for person, driver in rows)


def _plain(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
