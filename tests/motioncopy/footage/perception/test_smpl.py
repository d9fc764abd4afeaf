import numpy as np
import pytest

from motioncopy.errors import DataError
from motioncopy.footage.perception.smpl import SMPL_KPS, SMPL_KPS_TO_BODY25, body25
from motioncopy.skeletons import BODY25


def test_the_table_matches_the_names() -> None:
    assert len(SMPL_KPS) == len(set(SMPL_KPS)) == 19
    assert len(SMPL_KPS_TO_BODY25) == len(BODY25)
    for joint, sources in zip(BODY25.joints, SMPL_KPS_TO_BODY25, strict=True):
        if joint == "mid_hip":
            assert {SMPL_KPS[s] for s in sources} == {"left_hip", "right_hip"}
        elif joint in SMPL_KPS:
            assert [SMPL_KPS[s] for s in sources] == [joint]
        else:
            assert sources == ()
            assert "toe" in joint or "heel" in joint
    assert {s for sources in SMPL_KPS_TO_BODY25 for s in sources} == set(range(19)) - {SMPL_KPS.index("head_top")}


@pytest.mark.parametrize("columns", [2, 3])
def test_key_points_become_pixels(columns: int) -> None:
    kps = np.zeros((2, 19, columns), np.float32)
    kps[1, SMPL_KPS.index("nose"), :2] = (-1, 1)
    kps[1, SMPL_KPS.index("left_hip"), :2] = (0.5, 0)
    joints = body25(kps, 1024)
    assert joints.shape == (2, 25, 3)
    assert joints[1, BODY25.index("nose")].tolist() == [0, 1024, 1]
    assert joints[1, BODY25.index("mid_hip")].tolist() == [640, 512, 1]
    assert joints[1, BODY25.index("left_heel")].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "kps", [np.zeros((2, 24, 2)), np.zeros((19, 2)), np.zeros((2, 19, 4)), np.zeros((2, 19, 2), int)]
)
def test_other_shapes_are_refused(kps: np.ndarray) -> None:
    with pytest.raises(DataError, match="SMPL key points do not fit"):
        body25(kps, 256)


def test_numbers_must_be_finite() -> None:
    with pytest.raises(DataError, match="not finite"):
        body25(np.full((1, 19, 2), np.nan), 256)
