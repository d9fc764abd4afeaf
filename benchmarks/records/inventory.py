"""What lies in folders of records: found and verified file by file, so that a bad one stops nothing."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks import left_out
from motioncopy import records
from motioncopy.errors import MotionCopyError, RecordError
from motioncopy.records import Record, provenance

# Families of metrics that a network gives, and what one of the networks' names then begins with. Of poses any will do.
_NETWORKS: dict[str, tuple[str, ...]] = {
    "perceptual": ("hed-vgg",),
    "frechet": ("efficientnet-lite0",),
    "video": ("efficientnet-lite0",),
    "lpips": ("alexnet", "vgg16"),
    "fid": ("inception",),
    "kid": ("inception",),
    "is": ("inception",),
    "fvd": ("i3d",),
    "face_similarity": ("facenet",),
    "pose_error": ("",),
    "pose_missing": ("",),
}
_FEATURES = "motioncopy.nets.features.FeatureNetwork"
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Entry:
    """One file: its record, or why there is none."""

    path: Path
    record: Record | None
    why: str = ""


def record_files(places: Iterable[Path]) -> list[Path]:
    """The JSON files in folders and all below them, and files named by themselves; each once, in order of names.

    Of a folder of runs, which holds a folder ``records``, only that one is looked through. A folder that cannot be
    listed is among them, so that :func:`read` says so.

    Raises:
        RecordError: If a place is not there.
    """
    found: dict[str, Path] = {}
    for place in places:
        if not os.path.lexists(place):
            raise RecordError(f"there is no {place}", remedy="give a folder of records, or a record's file")
        for path in sorted(_below(_root(place))) if place.is_dir() else [place]:
            found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def partial_files(places: Iterable[Path]) -> list[Path]:
    """What writers have begun and not finished: they are at work, or were stopped."""
    return [path for place in places if place.is_dir() for path in sorted(_root(place).rglob(".*.partial"))]


def read(paths: Iterable[Path]) -> Iterator[Entry]:
    """Reads files one by one; what cannot be read comes with the reason."""
    for path in paths:
        if path.suffix != ".json" and path.is_dir():
            yield Entry(path, None, "the folder cannot be listed: check its permissions")
            continue
        try:
            yield Entry(path, records.read(path))
        except MotionCopyError as error:  # which may name the file first, as who prints it does
            yield Entry(path, None, str(error).removeprefix(str(path)).lstrip(": "))
        except Exception as error:  # noqa: BLE001 -- whatever a hostile file does to its reader, the others are read
            yield Entry(path, None, f"no readable record: {left_out.reason(error)}")


def load(place: Path) -> tuple[list[Record], list[Entry]]:
    """The records that can stand in tables, the oldest first, and the files that hold none.

    Raises:
        RecordError: If the place is not there.
    """
    from benchmarks.tables.selection import metrics_of  # pandas and torch take seconds to import

    good: dict[str, Entry] = {}
    bad = []
    for entry in read(record_files([place])):
        if entry.record is None:
            bad.append(entry)
            continue
        try:
            metrics_of([entry.record])
        except RecordError as error:  # one of its metrics is unknown here
            bad.append(Entry(entry.path, None, str(error)))
            continue
        if (other := good.setdefault(entry.record.id, entry)) is not entry:
            bad.append(Entry(entry.path, None, f"{other.path} has the same id"))
    found = [entry.record for entry in good.values() if entry.record is not None]
    return sorted(found, key=lambda r: (r.created, r.id)), bad


def resolve(text: str, places: Sequence[Path]) -> Path:
    """The file of the record that is meant by a file's path, or by the beginning or the last word of an id.

    Raises:
        RecordError: If there is none, or there are several; the message lists them.
    """
    if text.endswith(".json") and Path(text).is_file():
        return Path(text)
    paths = record_files(places)
    exact = [path for path in paths if path.stem == text]
    matching = exact or [path for path in paths if path.stem.startswith(text) or path.stem.endswith(f"-{text}")]
    where = ", ".join(map(str, places))
    if not matching:
        raise RecordError(
            f"there is no record {text!r} in {where}",
            remedy="`motioncopy records list` shows what there is; --results DIR looks elsewhere",
        )
    if len(matching) > 1:
        raise RecordError(
            f"{len(matching)} records in {where} are called like {text!r}",
            expected="the beginning of one id",
            found=", ".join(path.stem for path in matching[:20]) + (", ..." if len(matching) > 20 else ""),
        )
    return matching[0]


def verify(entries: Iterable[Entry], *, code: bool = False) -> Iterator[Entry]:
    """Gives what is wrong with files: each with all reasons; those that are right are left out.

    Args:
        entries: From :func:`read`.
        code: Whether each measured record's commit must be in the history of this checkout.
    """
    known: dict[str, Path] = {}
    in_history = cache(provenance.in_history)  # git is asked once a commit
    for entry in entries:
        if entry.record is None:
            yield entry
            continue
        reasons = doubts(entry.record)
        if (other := known.setdefault(entry.record.id, entry.path)) != entry.path:
            reasons.append(f"{other} has the same id")
        if code:
            reasons += _out_of_history(entry.record, in_history)
        if reasons:
            yield Entry(entry.path, entry.record, "; ".join(reasons))


def doubts(record: Record) -> list[str]:
    """What a whole, unedited record contradicts itself in."""
    if record.kind == "paper" or record.status == "failed":
        return []
    if not record.results.aggregates:
        return ["it is finished and holds no score"]
    return [*_unnamed_networks(record), *_wrong_means(record)]


def _unnamed_networks(record: Record) -> Iterator[str]:
    if _mentions(record.config.get("model"), _FEATURES) and "features" not in record.networks:
        yield "the feature network of its losses is not named under networks"
    named = [name for name in record.networks if name != "features"]
    families = dict.fromkeys(key.partition("/")[0] for by_key in record.results.aggregates.values() for key in by_key)
    for family in families.keys() & _NETWORKS.keys():
        if not any(name.startswith(_NETWORKS[family]) for name in named):
            yield f"the network of {family} is not named under networks"


def _mentions(config: Any, class_path: str) -> bool:
    if isinstance(config, dict):
        return config.get("class_path") == class_path or any(_mentions(v, class_path) for v in config.values())
    return isinstance(config, list) and any(_mentions(v, class_path) for v in config)


def _wrong_means(record: Record) -> Iterator[str]:
    for kind, by_key in record.results.aggregates.items():
        for key, found in by_key.items():
            scores = [t.scores[key] for t in record.results.trials.values() if t.kind == kind and key in t.scores]
            values = [score.value for score in scores if score.value is not None]
            if values and not math.isclose(found.value, math.fsum(values) / len(values), rel_tol=_TOLERANCE):
                yield f"its {key} of {kind} is not the mean of the trials"


def _out_of_history(record: Record, in_history: Callable[[str], bool | None]) -> Iterator[str]:
    if record.code is None:
        return
    commit = record.code.commit
    if commit is None:
        yield "it names no commit"
    elif (known := in_history(commit)) is None:
        yield f"whether commit {commit[:7]} is in the history is not known: there is no whole checkout here"
    elif not known:
        yield f"commit {commit[:7]} is not in the history of this checkout"


def _root(folder: Path) -> Path:
    below = folder / "records"
    return below if below.is_dir() and not any(folder.glob("*.json")) else folder


def _below(folder: Path) -> Iterator[Path]:
    closed: list[Path] = []
    for where, folders, files in os.walk(folder, onerror=lambda error: closed.append(Path(error.filename))):
        yield from (Path(where, name) for name in (*folders, *files) if name.endswith(".json"))
    yield from closed
