"""JSON and YAML from anywhere: plain values, or a refusal by the file's name, soon and in little memory."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from motioncopy.errors import ClipError, ConfigError
from motioncopy.files.documents import git_lfs_pointer, parse_json, parse_yaml, read_json, read_text, read_yaml

_VALID = {"a": [1, -2.5, "é", None, True], "b": {"c": [[], {}]}}


def _refused(path: Path, content: bytes, found: str) -> str:
    path.write_bytes(content)
    start = time.perf_counter()
    with pytest.raises(ClipError, match=rf"(?s){path.stem}\.\w+.*cannot be read.*{found}") as caught:
        (read_json if path.suffix == ".json" else read_yaml)(path, error=ClipError)
    assert time.perf_counter() - start < 10
    assert len(str(caught.value)) < 1000
    str(caught.value).encode()
    return str(caught.value)


def test_valid_documents_are_read_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(_VALID))
    assert read_json(path, error=ClipError) == read_yaml(path, error=ClipError) == _VALID
    path.write_text("\ufeff" + json.dumps(_VALID))
    assert read_json(path, error=ClipError) == _VALID
    assert parse_json("[18446744073709551616]", error=ClipError, what="x") == [2**64]
    path.write_text("a: 1.50\nb: 2022-10\nc: [yes, 0x1F, 1:30, ~]\nd: 2025-01-31\n<<: {e: 1e3}\n")
    assert read_yaml(path, error=ClipError) == {
        "a": 1.5, "b": "2022-10", "c": [True, 31, 90, None], "d": "2025-01-31", "e": "1e3",
    }  # fmt: skip
    assert read_yaml(path, error=ClipError, as_text=True)["a"] == "1.50"
    path.write_text("a: &a {x: 1}\nb: *a\nc: {<<: *a, y: 2}\n")
    assert read_yaml(path, error=ClipError) == {"a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1, "y": 2}}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "no JSON"), (b"{", "no JSON"), (b"[NaN]", "the number NaN"), (b"[-Infinity]", "the number -Infinity"),
        (b"[1e999]", "the number inf"), (b"[" + b"9" * 400 + b"]", "400 digits"), (b"[1" + b"0" * 30 + b"]", "64 bits"),
        (b'["\\ud800"]', "half a surrogate pair"), (b'{"\\udc00": 1}', "half a surrogate pair"),
        (b'["\xff"]', "no UTF-8: byte 0xff at 2"), ('["é"]'.encode("utf-16"), "no UTF-8"), (b"\0", "no JSON"),
        (b'{"a": 1, "b": 2, "a": 3}', "'a' twice"), (b"[" * 100_000, "nested"), (b"[" * 65 + b"]" * 65, "64 deep"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "64 deep"), (b"[" + b"{}," * 4_000_000 + b"{}]", "more than 4000000 values"),
        (b"{" + b",".join(b'"%d":0' % (k % 90_000) for k in range(90_001)) + b"}", "twice"),
    ],
)  # fmt: skip
def test_json_that_is_none(tmp_path: Path, content: bytes, found: str) -> None:
    _refused(tmp_path / "a.json", content, found)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"a: [", "no YAML"), (b"a: b: c", "no YAML"), (b".nan", "the number nan"), (b"a: -.inf", "the number -inf"),
        (b"9" * 60, "64 bits"), (b"9" * 5000, "number of 5000"), (b"a: 1" + b":59" * 300_000, "number of 900001"),
        (b"0x" + b"f" * 10_000, "number of 10002"), (b'"\\ud800"', "half a surrogate|no YAML"),
        (b"a: \xff", "no UTF-8"), (b"a\0b", "no YAML"), (b"&a [*a]", "holds itself"), (b"&a {b: *a}", "holds itself"),
        (b"a: 1\na: 2", "'a' twice"), (b"[" * 100_000, "64 deep"), (b"{a: " * 100_000, "64 deep"),
        (b"- " * 100_000, "64 deep"), (b"? " * 100_000, "64 deep"), (b"!!python/object:os.system x", "no YAML"),
        (b"!!python/name:os.system", "no YAML"), (b"!!binary aGk=", "kind bytes"), (b"!!set {a}", "kind set"),
        (b"!!timestamp 2025-01-31", "kind date"), (b"? [1]\n: 2", "no YAML|the key"), (b"a: *b", "no YAML"),
        (b"{" + b"".join(b"k%d: 0, " % (k % 30_000) for k in range(30_001)) + b"}", "twice"),
        (b"a0: &a0 [x, x]\n" + b"".join(b"a%d: &a%d [*a%d, *a%d]\n" % (k, k, k - 1, k - 1) for k in range(1, 30)),
         "more than 4000000 values"),
        (b"a: &a " + b"x" * 10**6 + b"\nb: [" + b"*a," * 100 + b"]", "characters, as anchors repeat"),
        (b"a0: &a0 {x: 1}\n" + b"".join(b"a%d: &a%d {<<: [%b], k%d: 1}\n" % (
            k, k, b", ".join([b"*a%d" % (k - 1)] * 9), k) for k in range(1, 30)), "taken over by <<|more than"),
        (b"[" + b"a," * 500_000 + b"]", "more than 400000 values"),
    ],
    ids=lambda v: repr(v[:20]) if isinstance(v, bytes) else "",
)  # fmt: skip
def test_yaml_that_is_none(tmp_path: Path, content: bytes, found: str) -> None:
    _refused(tmp_path / "a.yaml", content, found)


def test_yaml_as_text_holds_no_key_twice(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: {b: 1, c: 2, b: 3}")
    with pytest.raises(ClipError, match=r"a\.yaml cannot be read.*'b' twice"):
        read_yaml(tmp_path / "a.yaml", error=ClipError, as_text=True)


def test_a_repeated_key_and_a_date_are_read_as_text_where_that_is_asked_for() -> None:
    assert parse_yaml("2025-01-31", error=ClipError, what="x") == "2025-01-31"


def test_files_that_are_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, found in (("none", "No such file"), (".", "no regular file"), ("pipe", "no regular file"),
                        ("a" * 300, "too long"), ("a\0b", "null byte")):  # fmt: skip
        for read in (read_json, read_yaml, read_text):
            with pytest.raises(ClipError, match=f"cannot be read.*{found}"):
                read(tmp_path / name, error=ClipError)


def test_a_pointer_of_git_lfs_is_named_as_one(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"
    said = _refused(path, pointer, "a git-lfs pointer of")
    assert "git lfs pull" in said
    assert git_lfs_pointer(path) == f"a git-lfs pointer of {len(pointer)} bytes, not the file"
    path.write_text("{}")
    assert git_lfs_pointer(path) is git_lfs_pointer(tmp_path / "none") is None


def test_limits_bound_a_file_and_are_raised_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTIONCOPY_LIMITS", "document_bytes=100,document_values=20,document_depth=3")
    path = tmp_path / "a.json"
    _refused(path, b'"' + b"x" * 100 + b'"', "more than 100 bytes.*--limit document_bytes=200")
    _refused(path, b"[1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1]", "more than 20 values.*--limit document_values=40")
    _refused(path, b"[[[[]]]]", "3 deep")
    for parse in (parse_json, parse_yaml):
        with pytest.raises(ConfigError, match=r"x: too large.*--limit document_bytes=101"):
            parse("[" + " " * 99 + "]", error=ConfigError, what="x")


def test_text_is_read_without_its_mark_and_without_nul(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbfa,b\r\n")
    assert read_text(path, error=ClipError) == "a,b\r\n"
    for content, found in ((b"a\0", "NUL at 1"), (b"\xff", "no UTF-8")):
        path.write_bytes(content)
        with pytest.raises(ClipError, match=rf"a\.csv cannot be read.*{found}"):
            read_text(path, error=ClipError)
