import os
import pickle
import struct
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motioncopy.errors import DataError
from motioncopy.pickles import load

HARMLESS = {
    "float": np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "strided": np.arange(9)[::-2],
    "big": np.arange(3, dtype=">i4"),
    "text": np.array(["a", "bcd"]),
    "truth": np.array([True, False]),
    "empty": np.zeros((0, 3)),
    "scalar": np.float32(1.5),
    "bytes": b"\xff\x00",
    "no bytes": b"",
    "nested": [(1, {"x": np.ones(2)}), {2, 3}, frozenset({4}), None, 1.5, "\u00e4"],
}


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_and_containers_come_back(tmp_path: Path, protocol: int) -> None:
    loaded = load(_write(tmp_path / "a.pkl", pickle.dumps(HARMLESS, protocol=protocol)))
    np.testing.assert_equal(loaded, HARMLESS)
    for name, value in HARMLESS.items():
        assert type(loaded[name]) is type(value)
        if isinstance(value, (np.ndarray, np.generic)):
            assert loaded[name].dtype == value.dtype
            assert loaded[name].shape == value.shape
    loaded["float"][0] = 7  # its own memory, writable


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


def test_what_is_met_twice_is_built_once(tmp_path: Path) -> None:
    array = np.ones(3)
    holder: list[Any] = [array, array]
    holder.append(holder)
    loaded = load(_write(tmp_path / "a.pkl", pickle.dumps(holder)))
    assert loaded[0] is loaded[1]
    assert loaded[2] is loaded


def test_an_ordered_dict_is_a_dict(tmp_path: Path) -> None:
    assert load(_write(tmp_path / "a.pkl", pickle.dumps(OrderedDict(b=1, a=2)))) == {"b": 1, "a": 2}


class _Calls:
    """Pickles as a call of a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> Any:
        return self.function, self.arguments


def _attacks(trace: Path) -> dict[str, tuple[bytes, str]]:
    """Pickles that would leave a trace if they ran, and what each asks for."""
    touch = f"touch {trace}"
    code = f"open({str(trace)!r}, 'w').close()"
    system = _Calls(os.system, touch)
    objects = np.array([None], object)
    objects[0] = system
    return {
        "call": (pickle.dumps(system), "posix.system"),
        "eval": (pickle.dumps(_Calls(eval, code), protocol=2), "__builtin__.eval"),
        "getattr": (pickle.dumps(_Calls(getattr, {}, "clear")), "builtins.getattr"),
        "nested": (pickle.dumps({"kps": np.ones(2), "more": [(1, {"x": system})]}), "posix.system"),
        "objects": (pickle.dumps(objects), "posix.system"),
        "numpy": (pickle.dumps(_Calls(np.load, str(trace), None, True)), "numpy.load"),
        "old instance": (f"(S'{touch}'\nios\nsystem\n.".encode(), "os.system"),
        "state": (b"ccollections\nOrderedDict\n)R}S'x'\ncos\nsystem\nsb.", "os.system"),
        "loader": (pickle.dumps(_Calls(pickle.loads, pickle.dumps(system))), "_pickle.loads"),
    }


@pytest.mark.parametrize("name", sorted(_attacks(Path("/nowhere"))))
def test_nothing_runs(tmp_path: Path, name: str) -> None:
    trace = tmp_path / "trace"
    content, wanted = _attacks(trace)[name]
    with pytest.raises(DataError, match=rf"a\.pkl asks for more.*{wanted}"):
        load(_write(tmp_path / "a.pkl", content))
    assert not trace.exists()


def test_the_attacks_would_work(tmp_path: Path) -> None:
    # Otherwise the test above could not fail.
    trace = tmp_path / "trace"
    for name, (content, _) in _attacks(trace).items():
        if name in ("call", "eval", "nested", "objects", "old instance", "loader"):
            pickle.loads(content)
            assert trace.exists(), name
            trace.unlink()


def _array(dtype: bytes, data: bytes, state: bytes = b"(K\x03U\x01<NNNK\x00K\x00K\x00tb") -> bytes:
    """An array of one number by hand: of that type, changed by that state, of those bytes."""
    return (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01K\x01\x85"
        + (b"cnumpy\ndtype\nU" + bytes([len(dtype)]) + dtype + b"K\x00K\x01\x87R" + state)
        + (b"\x89U" + bytes([len(data)]) + data + b"tb.")
    )


@pytest.mark.parametrize(
    ("dtype", "state"),
    [
        (b"O8", b""),  # pointers
        (b"V8", b""),
        (b"M8", b""),
        (b"f16", b""),
        (b"f8,O", b""),
        (b"f8", b"(K\x03U\x01<NU\x01x\x85}tb"),  # fields
        (b"f8", b"(K\x03U\x01ON N N K\x00K\x00K\x00tb".replace(b" ", b"")),  # byte order "O"
    ],
)
def test_arrays_of_pointers_cannot_be_forged(tmp_path: Path, dtype: bytes, state: bytes) -> None:
    with pytest.raises(DataError, match="NumPy type"):
        load(_write(tmp_path / "a.pkl", _array(dtype, b"AAAAAAAA", state)))


def test_the_forged_array_is_well_formed(tmp_path: Path) -> None:
    # Otherwise the test above could pass for another reason.
    assert load(_write(tmp_path / "a.pkl", _array(b"f8", struct.pack("<d", 2.5)))).tolist() == [2.5]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no pickle at all",
        pickle.dumps(HARMLESS)[:-20],
        pickle.dumps(HARMLESS)[:40],
        _array(b"f8", b"short"),
        b"\x80\x02" + b"]" * 5000 + b"a" * 4999 + b".",  # nested deeper than can be built
        b"\x80\x02P1\n.",
    ],
)
def test_damaged_pickles(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match=r"a\.pkl is truncated or damaged"):
        load(_write(tmp_path / "a.pkl", content))


def test_stand_ins_do_not_come_out(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="more than arrays"):
        load(_write(tmp_path / "a.pkl", b"\x80\x02]cnumpy\ndtype\na."))


def test_a_pickle_cannot_change_the_next_ones(tmp_path: Path) -> None:
    for name in ("cnumpy\ndtype\n", "ccollections\nOrderedDict\n", "c__builtin__\nset\n"):
        changes = name.encode() + b"(N}S'__setstate__'\nN stb0N.".replace(b" ", b"")
        with suppress(DataError):
            load(_write(tmp_path / "a.pkl", changes))
        np.testing.assert_equal(load(_write(tmp_path / "b.pkl", pickle.dumps(HARMLESS))), HARMLESS)


def test_a_huge_memo_is_refused(tmp_path: Path) -> None:
    # It would make room for a thousand million entries before it fails.
    with pytest.raises(DataError, match="place 1073741824 of its memo"):
        load(_write(tmp_path / "a.pkl", b"\x80\x02]r\x00\x00\x00\x40."))


def test_missing_and_large_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"no file .*a\.pkl"):
        load(tmp_path / "a.pkl")
    monkeypatch.setattr("motioncopy.pickles.LIMIT", 10)
    with pytest.raises(DataError, match="too large"):
        load(_write(tmp_path / "a.pkl", pickle.dumps(HARMLESS)))
