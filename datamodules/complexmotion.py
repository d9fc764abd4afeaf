"""ComplexMotion: in-the-wild videos of people in complex motion (FakeMotion's data set, which was never released)."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

from datamodules.native import NativeData, NativeRecording
from motioncopy.errors import DataError
from motioncopy.files.documents import read_text
from motioncopy.files.schema import is_plain_name
from motioncopy.footage import VIDEO_SUFFIXES, open_footage
from motioncopy.footage.prepare import Backends

Split = Literal["train", "test"]
#: Says who is in which video, and which are for training.
TABLE = "clips.csv"
_COLUMNS = ("clip", "person", "split")
_TEST_SHARE, _LEAST_TEST = 0.2, 2


@dataclass(frozen=True)
class Row:
    """What is known of a video.

    Attributes:
        person: Who is in it.
        split: ``train`` or ``test``.
    """

    person: str
    split: Split


class ComplexMotion(NativeData):
    """122 videos (68,320 frames) of more than 50 people: street dance, sports, kung fu; ``data_public: no``.

    The authors' repository holds neither videos nor a list of them; this loader takes any videos in their stead. The
    root is a folder of videos, each one clip, and an optional ``clips.csv`` with a line a video and the columns

    - ``clip``: the file's name, with or without its suffix;
    - ``person``: who is in it;
    - ``split``: ``train`` or ``test``; nobody is in both.

    Without it, every video is a person of its own, and :func:`hold_out` says which are tested. Joints, mask and
    background are seen by MediaPipe and computed; there are no annotations.
    """

    data_set: ClassVar[str] = "complexmotion"
    origin: ClassVar[str] = (
        "ComplexMotion was never released (data_public: no; github.com/Sifann/FakeMotion holds a README and a "
        "picture): collect videos of your own."
    )

    @classmethod
    def layout(cls) -> str:
        """See :class:`datamodules.native.NativeData`."""
        return f"videos (files ending in {', '.join(sorted(VIDEO_SUFFIXES))}) and, if you like, {TABLE}"

    def find(self) -> Iterable[NativeRecording]:
        """See :class:`datamodules.native.NativeData`."""
        videos = {p.name: p for p in sorted(self.root.iterdir()) if _is_video(p)}
        if not videos:
            raise DataError(f"{self.root} holds no videos", expected=self.layout())
        table = self.root / TABLE
        rows = read_table(table, videos) if table.is_file() else hold_out(videos)
        if self.regime == "general" and all(row.split == "test" for row in rows.values()):
            raise DataError(
                f"{self.root} has no videos to train a general model on",
                expected="some of the split train, of other people than those tested",
                found=f"{len(rows)} to test on",
                remedy=f"add videos, say in {TABLE} which are for training, or use a personal method",
            )
        for name, row in rows.items():
            yield NativeRecording(
                videos[name].stem, row.person, row.split, partial(open_footage, videos[name]), Backends.default
            )


def hold_out(videos: Iterable[str]) -> dict[str, Row]:
    """Every video is a person, and a fifth of them, but at least two, are tested.

    Those are the first ones in the order of the SHA-256 of their names, which depends neither on the machine nor, for
    most of them, on what other videos there are.
    """
    names = sorted(videos, key=lambda name: hashlib.sha256(name.encode()).digest())
    tested = max(_LEAST_TEST, round(_TEST_SHARE * len(names)))
    return {name: Row(Path(name).stem, "test" if i < tested else "train") for i, name in enumerate(names)}


def read_table(path: Path, videos: Iterable[str]) -> dict[str, Row]:
    """Reads ``clips.csv``; see :class:`ComplexMotion`.

    Args:
        path: The file, UTF-8.
        videos: Names of the files there are.

    Returns:
        A row for each of them.

    Raises:
        DataError: If a column or a video is missing, or a line is wrong; the message names the line.
    """
    names = {short: name for name in videos for short in (Path(name).stem, name)}
    rows: dict[str, Row] = {}
    seen: dict[str, Split] = {}
    lines = csv.DictReader(io.StringIO(read_text(path, error=DataError), newline=""), strict=True)
    try:
        missing = set(_COLUMNS) - set(lines.fieldnames or ())
        if missing:
            raise DataError(
                f"{path}, line 1 lacks the column {', '.join(sorted(missing))}",
                expected=", ".join(_COLUMNS),
                found=", ".join(lines.fieldnames or ())[:200] or "an empty file",
            )
        for line in lines:
            name, row = _parsed(line, names, f"{path}, line {lines.line_num}")
            if name in rows:
                raise DataError(f"{path}, line {lines.line_num} names {name} a second time")
            if seen.setdefault(row.person, row.split) != row.split:
                raise DataError(
                    f"{path}, line {lines.line_num} puts {row.person} into both splits",
                    remedy="a general model is tested on people it has never seen: give each one split",
                )
            rows[name] = row
    except csv.Error as error:  # also for a field of more than 131,072 characters
        raise DataError(f"{path} is damaged", expected="a table", found=error) from error
    if left := sorted(set(names.values()) - set(rows)):
        raise DataError(
            f"{path} lacks videos of its folder",
            expected="a line for each",
            found=f"none for {', '.join(left[:5])}" + (" and others" if len(left) > 5 else ""),
            remedy="add the lines, or move the videos away",
        )
    return rows


def _parsed(line: Mapping[str, str | None], names: Mapping[str, str], where: str) -> tuple[str, Row]:
    clip, person, split = ((line[column] or "").strip() for column in _COLUMNS)
    if set(clip) & set("/\\"):
        raise DataError(f"{where} points out of the folder", expected="the name of a video in it", found=clip[:80])
    if clip not in names:
        raise DataError(
            f"{where} names a video that is not there", expected="a file of the folder", found=repr(clip[:80])
        )
    if not person:
        raise DataError(f"{where} names no person")
    if not is_plain_name(person):
        raise DataError(f"{where} names nobody", expected="a name that a file may have", found=repr(person[:80]))
    if split not in ("train", "test"):
        raise DataError(f"{where} names an unknown split", expected="train or test", found=repr(split[:80]))
    return names[clip], Row(person, "train" if split == "train" else "test")


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".") and path.is_file()
