import cv2
import numpy as np
import pytest

from motioncopy.footage.perception.flow import DISFlow


def test_flow_points_to_where_the_pixel_was() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (16, 16), np.uint8)
    texture = cv2.cvtColor(cv2.resize(noise, (144, 144), interpolation=cv2.INTER_CUBIC), cv2.COLOR_GRAY2RGB)
    before, now = texture[8:136, 8:136], texture[6:134, 3:131]  # the picture moved 5 right and 2 down
    flow = DISFlow()(now[None], before[None])
    assert flow.shape == (1, 128, 128, 2)
    assert flow.dtype == np.float32
    np.testing.assert_allclose(flow[0, 16:-16, 16:-16].mean((0, 1)), [-5, -2], atol=0.1)


@pytest.mark.parametrize("size", [(1, 1), (5, 40), (15, 64), (40, 5)])
def test_small_frames_have_flow_of_their_own_size(size: tuple[int, int]) -> None:
    images = np.random.default_rng(0).integers(0, 255, (2, *size, 3), np.uint8)
    flow = DISFlow()(images[:1], images[1:])
    assert flow.shape == (1, *size, 2)
    assert np.isfinite(flow).all()
