"""Any change of an honest pickle, and any program of parts of pickles, is read to plain values or refused."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motioncopy.errors import DataError
from motioncopy.files.pickles import load
from tests.motioncopy.files.pickle_programs import PROTOCOL_2, PROTOCOL_4, array, dtype, name, number, order, raw, text

_INFO = {
    "orig_shape": (16, 16),
    "processed_pose2d": {"keypoints": [{"pose_keypoints_2d": np.ones((2, 3), np.float32)}] * 2, "boxes": np.int64(3)},
    "valid_img_info": {"ids": [1, 2], "stage": "parser"},
}
_HONEST = [pickle.dumps(_INFO, protocol=protocol) for protocol in (2, 4)]
_NAMES = ["numpy.dtype", "numpy.ndarray", "numpy.core.multiarray.scalar", "_codecs.encode", "os.system"]
_PARTS = st.one_of(
    st.sampled_from([b"(", b")", b"t", b"\x85", b"\x86", b"]", b"}", b"a", b"e", b"s", b"u", b"N", b"\x88", b"\x94"]),
    st.sampled_from([b"q\x00", b"h\x00", b"q\x01", b"h\x01", b"R", b"b", b"\x93", b"0", b"2", b"\x81", b"."]),
    st.sampled_from([name(one) for one in _NAMES]),
    st.sampled_from([dtype("f8"), dtype("O8", order("|")), array(dtype("f8")), order("<"), text("|O"), text("f8")]),
    st.integers(-1, 2**31 - 1).map(number),
    st.binary(max_size=8).map(raw),
    st.integers(0, 2**64 - 1).map(lambda size: b"\x95" + size.to_bytes(8, "little")),
)


@st.composite
def _changed(draw: st.DrawFn) -> bytes:
    """An honest pickle with some of its bytes taken away or replaced."""
    content = draw(st.sampled_from(_HONEST))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(content)))
        gone = draw(st.sampled_from([0, 1, 1, 2, 8, 40]))
        content = content[:place] + draw(st.binary(max_size=4) | _PARTS) + content[place + gone :]
    return content


def _check_plain(value: Any) -> None:
    if isinstance(value, np.ndarray | np.generic):
        assert value.dtype.kind in "biuf"
        assert value.dtype.names is value.dtype.subdtype is None
    elif type(value) is dict:
        assert all(type(key) is str for key in value)
        for part in value.values():
            _check_plain(part)
    elif type(value) in (list, tuple):
        for part in value:
            _check_plain(part)
    else:
        assert type(value) in (str, bytes, bool, int, float, type(None))


def _check(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        value = load(path)
    except DataError as error:
        assert str(path) in str(error)  # noqa: PT017 -- whether it raises is the input's
        assert "Remedy" in str(error)  # noqa: PT017
    else:
        _check_plain(value)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "a.pkl"


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(_changed())
def test_changed_pickles(path: Path, content: bytes) -> None:
    _check(path, content)


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(st.sampled_from([b"", PROTOCOL_2, PROTOCOL_4]), st.lists(_PARTS, max_size=30))
def test_programs_of_parts(path: Path, start: bytes, parts: list[bytes]) -> None:
    _check(path, start + b"".join(parts) + b".")
