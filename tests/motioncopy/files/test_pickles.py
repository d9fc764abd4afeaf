import os
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motioncopy.errors import DataError
from motioncopy.files.pickles import load
from tests.motioncopy.files.pickle_programs import (
    PROTOCOL_2,
    PROTOCOL_4,
    array,
    call,
    dtype,
    name,
    number,
    order,
    raw,
    scalar,
    several,
    text,
)

_IDS = [0, 2]
#: The kinds of values that iPER's kps.pkl and iPERCore's vid_info.pkl hold.
HARMLESS = {
    "kps": np.linspace(-1, 1, 76, dtype=np.float32).reshape(2, 19, 2),
    "links": np.arange(4).reshape(2, 2),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "strided": np.arange(9)[::-2],
    "big": np.arange(3, dtype=">i4"),
    "truth": np.array([True, False]),
    "empty": np.zeros((0, 25, 3)),
    "scalar": np.float32(1.5),
    "orig_shape": (1024, 1024),
    "valid_img_info": {"ids": _IDS, "crop_ids": _IDS, "names": ["0.jpg", "\u00e4.jpg"], "stage": "parser"},
    "many": list(range(2500)),
    "has_finished": True,
    "offsets": None,
    "fps": 29.97,
    "bytes": b"\xff\x00",
    "no bytes": b"",
}


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_what_data_sets_hold_comes_back(tmp_path: Path, protocol: int) -> None:
    loaded = load(_write(tmp_path / "a.pkl", pickle.dumps(HARMLESS, protocol=protocol)))
    np.testing.assert_equal(loaded, HARMLESS)
    for key, value in HARMLESS.items():
        assert type(loaded[key]) is type(value)
        if isinstance(value, (np.ndarray, np.generic)):
            assert loaded[key].dtype == value.dtype
            assert loaded[key].shape == value.shape
    loaded["kps"][0] = 7  # its own memory, writable


def test_what_python_2_and_old_numpy_wrote(tmp_path: Path) -> None:
    # {'kps': np.array([1.0, -2.0]), 'name': 'caf\xe9'} by Python 2's cPickle, protocol 2.
    data = struct.pack("<2d", 1.0, -2.0)
    content = (
        b"\x80\x02}q\x01(U\x03kpsq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85U\x01b"
        b"\x87Rq\x05(K\x01K\x02\x85cnumpy\ndtype\nq\x06U\x02f8K\x00K\x01\x87Rq\x07(K\x03U\x01<NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK\x00tb\x89U\x10" + data + b"tbU\x04nameU\x04caf\xe9u."
    )
    loaded = load(_write(tmp_path / "a.pkl", content))
    assert loaded["kps"].tolist() == [1.0, -2.0]
    assert loaded["name"] == "caf\u00e9"


def test_a_frame_cannot_move_what_is_read(tmp_path: Path) -> None:
    # The unpickler would forget the rest of a frame that ends within a number, and take other bytes for opcodes.
    framed = PROTOCOL_4 + b"\x95" + struct.pack("<Q", 3) + number(7) + b"."
    assert load(_write(tmp_path / "a.pkl", framed)) == 7


class _Calls:
    """Pickles as a call of a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> Any:
        return self.function, self.arguments


class _Thing:
    pass


def _attacks(trace: Path) -> dict[str, tuple[bytes, str]]:
    """Pickles that would leave a trace if they ran, and what each asks for."""
    touch = f"touch {trace}"
    code = f"open({str(trace)!r}, 'w').close()"
    system = _Calls(os.system, touch)
    objects = np.array([None], object)
    objects[0] = system
    return {
        "call": (pickle.dumps(system), r"posix\.system"),
        "eval": (pickle.dumps(_Calls(eval, code), protocol=2), r"__builtin__\.eval"),
        "nested": (pickle.dumps({"kps": np.ones(2), "more": [(1, {"x": system})]}), r"posix\.system"),
        "objects": (pickle.dumps(objects), r"posix\.system"),
        "old instance": (f"(S'{touch}'\nios\nsystem\n.".encode(), "opcode STRING"),
        "new old instance": (PROTOCOL_2 + b"(" + text(touch) + b"ios\nsystem\n.", r"INST of 'os\.system'"),
        "loader": (pickle.dumps(_Calls(pickle.loads, pickle.dumps(system))), r"_pickle\.loads"),
        "after the end": (PROTOCOL_2 + b"N0" + pickle.dumps(system), "opcode POP"),
    }


@pytest.mark.parametrize("attack", sorted(_attacks(Path("/nowhere"))))
def test_nothing_runs(tmp_path: Path, attack: str) -> None:
    trace = tmp_path / "trace"
    content, wanted = _attacks(trace)[attack]
    with pytest.raises(DataError, match=rf"a\.pkl asks for more.*Expected: numbers.*Found: .*{wanted}.*Remedy"):
        load(_write(tmp_path / "a.pkl", content))
    assert not trace.exists()


def test_the_attacks_would_work(tmp_path: Path) -> None:
    # Otherwise the test above could not fail.
    trace = tmp_path / "trace"
    for attack, (content, _) in _attacks(trace).items():
        pickle.loads(content)
        assert trace.exists(), attack
        trace.unlink()


_F8, _ONE = dtype("f8"), raw(struct.pack("<d", 2.5))
_REFUSED: dict[str, tuple[bytes, str]] = {
    # Names.
    "getattr": (pickle.dumps(_Calls(getattr, {}, "clear"), protocol=2), r"'__builtin__\.getattr'"),
    "numpy's own loader": (pickle.dumps(_Calls(np.load, "a", None, True)), r"'numpy\.load'"),
    "a dotted name": (PROTOCOL_4 + text("numpy") + text("ndarray.tofile") + b"\x93.", r"'numpy\.ndarray\.tofile'"),
    "a name of numbers": (PROTOCOL_4 + number(1) + number(2) + b"\x93.", r"'\.'"),
    "a name with line breaks": (b"cos\x1b[31m\nsys\ttem\n.", r"'os\\x1b\[31m\.sys\\ttem'"),
    "an ordered dict": (pickle.dumps(OrderedDict(a=1), protocol=2), r"'collections\.OrderedDict'"),
    "an object": (pickle.dumps(_Thing(), protocol=2), r"_Thing'"),
    "an object of protocol 0": (pickle.dumps(_Thing(), protocol=0), r"'copy_reg\._reconstructor'"),
    # Opcodes.
    "a persistent id": (b"Pfile\n.", "opcode PERSID of 'file'"),
    "a new object": (PROTOCOL_2 + name("numpy.ndarray") + b")\x81.", "opcode NEWOBJ"),
    "an old object": (b"(" + name("numpy.dtype") + text("f8") + b"o.", "opcode OBJ"),
    "extension 1": (PROTOCOL_2 + b"\x82\x01.", "opcode EXT1"),
    "a set": (pickle.dumps({1}), "opcode EMPTY_SET"),
    "a byte array": (pickle.dumps(bytearray(b"a"), protocol=5), "opcode BYTEARRAY8"),
    "a buffer from elsewhere": (b"\x80\x05\x97.", "opcode NEXT_BUFFER"),
    "a copy of the top": (PROTOCOL_2 + b"]2\x86.", "opcode DUP"),
    "protocol 0": (pickle.dumps([1], protocol=0), "opcode LIST"),
    # Types.
    "pointers": (array(dtype("O8", order("|"))), r"NumPy type '\|O8'"),
    "times": (array(dtype("M8")), "NumPy type '<M8'"),
    "text": (array(dtype("U2")), "NumPy type '<U2'"),
    "a structure in words": (array(dtype("f8,O")), "NumPy type '<f8,O'"),
    "fields": (array(dtype("f8", order("<", b"N", several(text("x")), b"}"))), "structured NumPy type"),
    "a sub-array": (array(dtype("f8", order("<", several(_F8, several(number(1))), b"N", b"N"))), "structured"),
    "units of times": (array(dtype("f8", several(*[b"N"] * 9) + b"b")), "structured NumPy type"),
    "pointers by the byte order": (array(dtype("", order("|O"))), r"NumPy type '\|O'"),
    "a byte order of bytes": (
        array(dtype("f8", several(number(3), raw(b"<"), *[b"N"] * 6) + b"b")),
        "name is no text",
    ),
    "a number as type": (array(call(name("numpy.dtype"), scalar(_F8, _ONE), b"N", b"N")), "name is no text"),
    "a type as type": (array(call(name("numpy.dtype"), _F8, b"N", b"N")), "name is no text"),
    "a scalar for a type": (array(scalar(_F8, _ONE)), "NumPy type is none"),
    "text for a type": (array(text("f8")), "NumPy type is none"),
    "a list for a type": (array(b"]"), "NumPy type is none"),
    "an array for a type": (array(array(_F8)), "NumPy type is none"),
    "pointers in a scalar": (scalar(dtype("O8", order("|")), _ONE), r"NumPy type '\|O8'"),
    "a scalar of a scalar": (scalar(scalar(_F8, _ONE), _ONE), "NumPy type is none"),
    "a scalar in words": (array(scalar(dtype("U2"), raw("|O".encode("utf-32-le")))), "NumPy type '<U2'"),
    # Arrays.
    "objects in a list": (array(_F8, b"]"), "something else than bytes"),
    "an order of text": (array(_F8, fortran=text("F")), "something else than bytes"),
    "a shape of text": (array(_F8, shape=text("a")), "shape is none"),
    "a negative shape": (array(_F8, shape=several(number(-1), number(-1))), "shape is none"),
    "a shape of truth": (array(_F8, shape=several(b"\x88")), "shape is none"),
    "a shape of shapes": (array(_F8, shape=several(several(number(1)))), "shape is none"),
    "too many axes": (array(_F8, shape=several(*[number(1)] * 17)), "shape is none"),
    "larger than any memory": (array(_F8, shape=several(*[number(2**31 - 1)] * 4)), r"of the shape \(2147483647, "),
    "empty, but long": (array(_F8, raw(b""), several(number(0), *[number(2**31 - 1)] * 2)), r"of the shape \(0, 2147"),
    "a second state": (array(_F8) + several(number(1), several(number(1)), _F8, b"\x89", _ONE) + b"b", "another state"),
    "a short state": (call(name("numpy.core.multiarray._reconstruct"), b"N", b"N", b"N") + b")b", "another state"),
    "a state for a scalar": (scalar(_F8, _ONE) + several(*[b"N"] * 5) + b"b", "another state"),
    "no state": (call(name("numpy.core.multiarray._reconstruct"), b"N", b"N", b"N"), "empty array as a value"),
    # Stand-ins.
    "a function as a value": (b"]" + name("numpy.core.multiarray.scalar") + b"a", "as a value"),
    "a type as a value": (b"]" + _F8 + b"a", "as a value"),
    "a class as a value": (name("numpy.ndarray"), "as a value"),
    "a call of the class": (call(name("numpy.ndarray")), r"call of numpy\.ndarray"),
    "attributes of a function": (name("numpy.dtype") + b"}" + text("a") + b"Nsb", r"a change \(BUILD\)"),
    "slots of a function": (name("numpy.dtype") + b"N}" + text("_call") + b"Ns\x86b", r"a change \(BUILD\)"),
    "attributes of a type": (_F8 + b"}" + text("code") + text("O") + b"sb", "structured NumPy type"),
    "items of a function": (name("numpy.dtype") + text("a") + b"Ns", r"a change \(SETITEM\)"),
    "items of a type": (_F8 + b"(" + text("a") + b"Nu", r"a change \(SETITEMS\)"),
    "more in a type": (_F8 + b"Na", r"a change \(APPEND\)"),
    "more in an array": (array(_F8) + b"(Ne", r"a change \(APPENDS\)"),
    "attributes of a list": (b"]}b", r"a change \(BUILD\)"),
    # Containers.
    "a tuple as a key": (b"})Ns", "keys are no text"),
    "a number as a key": (b"}(" + number(1) + b"Nu", "keys are no text"),
    "a list that holds itself": (b"]q\x00h\x00a", r"a change \(APPEND\)"),
    "a dict that holds itself": (b"}q\x00" + text("a") + b"h\x00s", r"a change \(SETITEM\)"),
    "a list that grows in two places": (b"]q\x00]h\x00ah\x00Na\x86", r"a change \(APPEND\)"),
    "a type that changes in two places": (_F8 + b"q\x00]h\x00ah\x00" + order(">") + b"\x86", r"a change \(BUILD\)"),
    # Sizes.
    "a far place of the memo": (b"]r\x00\x00\x00\x40", "place 1073741824 of its memo"),
    "a huge number": (b"\x8a\xff" + b"\x11" * 255, "integer beyond 64 bits"),
    "a number of many bytes": (b"\x8b" + struct.pack("<I", 99) + b"\x11" * 99, "opcode LONG4"),
    "many digits": (b"I" + b"1" * 5000 + b"\n", "damaged"),
    "eight bytes of length": (b"\x8e" + struct.pack("<Q", 2**62), "damaged"),
    "the same bytes in many arrays": (
        b"(" + raw(b"\0" * 8000) + b"q\x00" + array(_F8, b"h\x00", several(number(1000))) * 9 + b"t",
        "many copies of the same bytes",
    ),
    "the same text in many bytes": (
        b"(" + text("a" * 1000) + b"q\x00" + call(name("_codecs.encode"), b"h\x00", b"N") * 99 + b"t",
        "many copies of the same bytes",
    ),
}


@pytest.mark.parametrize("hostile", _REFUSED)
def test_what_no_data_set_holds_is_refused_by_name(tmp_path: Path, hostile: str) -> None:
    content, wanted = _REFUSED[hostile]
    with pytest.raises(DataError, match=rf"a\.pkl (asks for more .*Found: .*|is a truncated or ){wanted}"):
        load(_write(tmp_path / "a.pkl", content + b"."))


def test_the_parts_by_hand_are_well_formed(tmp_path: Path) -> None:
    # Otherwise the test above could pass for another reason.
    content = several(array(_F8), scalar(_F8, _ONE), array(_F8, raw(b""), several(number(0), number(9)))) + b"."
    one, two, none = load(_write(tmp_path / "a.pkl", content))
    assert one.tolist() == [2.5] == [two]
    assert none.shape == (0, 9)


def test_stand_ins_refuse_by_themselves_what_was_refused_before_they_are_made(tmp_path: Path) -> None:
    from motioncopy.files import pickles

    for change in (b"}" + text("__call__") + b"Nsb.", b"N}" + text("_call") + b"Ns\x86b."):
        with pytest.raises(pickles._Refused, match="change of a function"):
            pickles._Reader(name("numpy.dtype") + change).load()
    with pytest.raises(pickles._Refused, match=r"os\.system"):
        pickles._Reader(name("os.system") + b".").load()


def _doubled(first: bytes, both: bytes) -> bytes:
    """What holds twice what holds twice what ... holds the first; ``both`` has ``?`` for its place in the memo."""
    return first + b"".join((b"q?" + both).replace(b"?", bytes([place])) for place in range(60))


_BOMBS: dict[str, tuple[bytes, str]] = {
    "tuples in tuples": (b")" + b"\x85" * 1_000_000, "document depth"),
    "lists in lists": (b"]" * 100_000 + b"a" * 99_999, "document depth"),
    "dicts in dicts": (b"}" + (text("a") + b"}") * 200 + b"s" * 200, "document depth"),
    "calls in calls": (call(name("numpy.dtype"), b")" + b"\x85" * 100), "document depth"),
    "doubled tuples": (_doubled(b")", b"h?\x86"), "document values"),
    "doubled tuples as a key": (b"}" + _doubled(b")", b"h?\x86") + b"Ns", "document values"),
    "doubled lists": (_doubled(b"]", b"](h?h?e"), "document values"),
    "doubled dicts": (_doubled(b"}", b"}(" + text("a") + b"h?" + text("b") + b"h?u"), "document values"),
    "many opcodes": (b"(" * 2_000_001, "document values"),
    "many shared": (b"](" + b"N" * 1000 + b"eq\x00](" + b"h\x00" * 5000 + b"e", "document values"),
}


@pytest.mark.parametrize("bomb", _BOMBS)
def test_what_grows_without_end_is_refused_before_it_is_built(tmp_path: Path, bomb: str) -> None:
    content, limit = _BOMBS[bomb]
    with pytest.raises(DataError, match=rf"the pickle .*a\.pkl: too large.* {limit}.*--limit"):
        load(_write(tmp_path / "a.pkl", content + b"."))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no pickle at all",
        b"]",
        b"e.",
        b".",
        b"(e.",
        b"](.",
        b"N(\x85t.",
        b"(q\x00.",
        b"h\x00.",
        b"}(" + text("a") + b"u.",
        b"c",
        b"c\xff\n\xff\n.",
        b"\x80\x99N.",
        b"\x95" + b"\xff" * 8 + b"e.",
        b"X\x03\x00\x00\x00\xed\xa0\x80.",  # half a surrogate pair
        pickle.dumps(HARMLESS, protocol=2)[:-20],
        pickle.dumps(HARMLESS, protocol=4)[:40],
        array(_F8, raw(b"short")) + b".",
        array(_F8, shape=several(number(2))) + b".",
        array(_F8, text("\u20ac")) + b".",
        call(text("f8")) + b".",
        call(name("numpy.dtype")) + b".",
        name("numpy.dtype") + b"]R.",
    ],
)
def test_damaged_pickles(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match=r"a\.pkl is a truncated or damaged pickle.*Found: .*Remedy"):
        load(_write(tmp_path / "a.pkl", content))


def test_what_git_left_instead_is_named(tmp_path: Path) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    with pytest.raises(DataError, match=r"a\.pkl is no pickle.*git-lfs pointer.*git lfs pull"):
        load(_write(tmp_path / "a.pkl", pointer))


def test_missing_and_large_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"no file .*a\.pkl"):
        load(tmp_path / "a.pkl")
    os.mkfifo(tmp_path / "b.pkl")
    with pytest.raises(DataError, match=r"no file .*b\.pkl"):
        load(tmp_path / "b.pkl")  # would wait for somebody to write
    path = _write(tmp_path / "c.pkl", pickle.dumps([[1] * 100], protocol=2))
    for setting in ("document_bytes=10", "document_depth=1", "document_values=90"):
        monkeypatch.setenv("MOTIONCOPY_LIMITS", setting)
        with pytest.raises(DataError, match=rf"c\.pkl: too large.*--limit {setting.split('=')[0]}="):
            load(path)
    monkeypatch.setenv("MOTIONCOPY_LIMITS", "document_depth=2,document_values=300")
    assert load(path) == [[1] * 100]
