"""The files of a folder as a sequence of frames: their order, and whether one is missing."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain, islice, pairwise
from pathlib import Path, PurePosixPath

from motioncopy.errors import DataError
from motioncopy.files.reading import reading

_NUMBER = re.compile(r"(\d+)")
_SHOWN = 5  # numbers or names in one message


def frame_files(
    folder: str | Path,
    suffixes: Iterable[str],
    *,
    names: Sequence[str] | None = None,
) -> list[Path]:
    """The files of a folder, one a frame.

    Files are sorted by name, numbers by value (``9.png`` before ``10.png``); hidden files are passed over. Where the
    names differ in one number only, that number counts the frames: its smallest step is taken for the step of the
    whole sequence, and a larger one is a gap.

    Args:
        folder: Where they lie.
        suffixes: Which files count, in lower case and with the dot.
        names: Just these files, in this order, unchecked for gaps; paths within the folder.

    Raises:
        DataError: If there is no such folder, no such file in it, a name that points out of it, a gap, or two files of
            one number.
    """
    folder = Path(folder)
    with reading(folder, DataError, "cannot be listed", remedy="check the path"):
        if not folder.is_dir():
            raise DataError(f"there is no folder {folder}", remedy="check the path, or unpack the data set")
        if names is not None:
            files = [_within(folder, name) for name in names]
        else:
            wanted = set(suffixes)
            found = (p for p in folder.iterdir() if p.suffix.lower() in wanted and not p.name.startswith("."))
            files = sorted((p for p in found if p.is_file()), key=lambda p: natural_key(p.name))
            _check_numbers(folder, files)
    if not files:
        raise DataError(f"{folder} holds no frames", expected=f"files that end in {', '.join(sorted(suffixes))}")
    return files


def natural_key(name: str) -> tuple[tuple[str | int, ...], str]:
    """Sorts names with numbers by value: text and numbers alternate, and the name itself settles a tie."""
    return tuple(int(part) if i % 2 else part for i, part in enumerate(_NUMBER.split(name))), name


def digest(files: Iterable[Path], *further: object) -> str:
    """Eight hexadecimal digits that change with the names or the content of the files, and with ``further`` values."""
    total = hashlib.sha256(repr(further).encode())
    for file in files:
        with reading(file, DataError, "cannot be read", remedy="check the file"), file.open("rb") as content:
            line = f"{file.name}\0{hashlib.file_digest(content, 'sha256').hexdigest()}\n"
            total.update(line.encode(errors="surrogateescape"))
    return total.hexdigest()[:8]


def _within(folder: Path, name: str) -> Path:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or not path.parts:
        raise DataError(f"the name {name!r} points out of {folder}", expected="a file within the folder")
    if not (folder / path).is_file():
        raise DataError(f"there is no file {folder / path}", remedy="unpack or download the rest of the data set")
    return folder / path


def _check_numbers(folder: Path, files: list[Path]) -> None:
    split = [_NUMBER.split(file.stem) for file in files]
    if len({tuple(parts[::2]) for parts in split}) != 1:
        return
    columns = [c for c in zip(*(map(int, parts[1::2]) for parts in split), strict=True) if len(set(c)) > 1]
    if len(columns) == 0 and len(files) > 1:
        raise _twice(folder, files)
    if len(columns) != 1:
        return
    numbers = columns[0]
    if len(set(numbers)) < len(numbers):
        double = {n for n, count in Counter(numbers).items() if count > 1}
        raise _twice(folder, [f for f, n in zip(files, numbers, strict=True) if n in double])
    step = min(b - a for a, b in pairwise(numbers))
    missing = sum((b - a - 1) // step for a, b in pairwise(numbers))  # not a list: one may be a Unix time
    if missing:
        first = islice(chain.from_iterable(range(a + step, b, step) for a, b in pairwise(numbers)), _SHOWN)
        shown = ", ".join(map(str, first)) + (f" and {missing - _SHOWN} more" * (missing > _SHOWN))
        raise DataError(
            f"frames are missing in the middle of {folder}",
            expected=f"numbers {numbers[0]} to {numbers[-1]}" + f" in steps of {step}" * (step > 1),
            found=f"no {shown}",
            remedy="unpack or download the data again, or cut the sequence in two",
        )


def _twice(folder: Path, files: Sequence[Path]) -> DataError:
    return DataError(
        f"{folder} holds several files of one frame",
        found=", ".join(f.name for f in files[:_SHOWN]),
        remedy="remove those that do not belong there",
    )
