"""Names from anywhere, for file systems and terminals."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from motioncopy.files.names import file_name, printable

STRANGE = ("a\nb", "\x1b[31m", "\x9b2J", "\udcff", "\u2028", "\u202egpj.exe", "\x00", "\x7f")


@pytest.mark.parametrize("text", STRANGE)
def test_what_commands_a_terminal_is_written_out(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    shown.encode()
    assert shown.encode().decode("unicode_escape").encode("utf-8", "surrogatepass") == text.encode(
        "utf-8", "surrogatepass"
    )


@pytest.mark.parametrize(
    "text", ["walk", "größer 舞", "a\u3000b", "नमस्ते", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"]
)
def test_what_people_write_stays(text: str) -> None:
    assert printable(text) == text


def test_every_name_has_a_file_of_its_own(tmp_path: Path) -> None:
    strange = [os.fsdecode(name) for name in (b"\xff", b"\xfe", b"\x1b", b"%FF", b"x" * 255, b"x" * 254 + b"y")]
    names = ["a", "a/b", "a%2Fb", "..", "", *strange, "舞" * 85, "+", *("x" * n for n in range(155, 165))]
    names.append(file_name("x" * 200))  # not even one that is made to collide
    files = [file_name(name) for name in names]
    assert len(set(files)) == len(names)
    for name in files:
        assert len(name) <= 160
        assert name.isascii()
        (tmp_path / f"{name}.json").touch()
