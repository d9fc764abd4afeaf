import sys

import pytest
import torch
import torchvision

from motioncopy.errors import PerceptionError
from motioncopy.perception.openmmlab import install_stand_in

pytestmark = pytest.mark.filterwarnings("ignore")
pytest.importorskip("mmcv")


@pytest.fixture(autouse=True)
def stand_in() -> None:
    install_stand_in()


def _boxes(n: int = 200) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    corner = torch.rand(n, 2, generator=random) * 80
    return torch.cat([corner, corner + 5 + torch.rand(n, 2, generator=random) * 30], 1), torch.rand(n, generator=random)


def test_mmdet_and_mmpose_can_be_imported() -> None:
    import mmdet.apis
    import mmpose.apis

    assert callable(mmdet.apis.init_detector)
    assert callable(mmpose.apis.init_model)


def test_installing_twice_keeps_the_first() -> None:
    first = sys.modules["mmcv._ext"]
    install_stand_in()
    assert sys.modules["mmcv._ext"] is first


def test_nms_agrees_with_torchvision() -> None:
    from mmcv.ops import nms

    boxes, scores = _boxes()
    _, kept = nms(boxes, scores, iou_threshold=0.4)
    torch.testing.assert_close(kept, torchvision.ops.nms(boxes, scores, 0.4))


def test_nms_with_offset_counts_the_last_pixel() -> None:
    from mmcv.ops import nms

    # Without the offset these boxes have no area; with it their IoU is 6/16.
    boxes = torch.tensor([[0.0, 0.0, 10.0, 0.0], [5.0, 0.0, 15.0, 0.0]])
    scores = torch.tensor([0.9, 0.8])
    assert len(nms(boxes, scores, iou_threshold=0.35, offset=1)[1]) == 1


def test_roi_align_agrees_with_torchvision() -> None:
    from mmcv.ops import RoIAlign

    features = torch.rand(1, 4, 32, 32, generator=torch.Generator().manual_seed(1))
    boxes, _ = _boxes(5)
    rois = torch.cat([torch.zeros(5, 1), boxes], 1)
    ours = RoIAlign(7, spatial_scale=0.25, sampling_ratio=0, aligned=True)(features, rois)
    theirs = torchvision.ops.roi_align(features, rois, (7, 7), 0.25, -1, True)
    torch.testing.assert_close(ours, theirs)


def test_other_operators_name_themselves_and_the_remedy() -> None:
    from mmcv.ops import roi_align, soft_nms

    boxes, scores = _boxes(4)
    with pytest.raises(PerceptionError, match=r"softnms.*Remedy"):
        soft_nms(boxes, scores, iou_threshold=0.3)
    with pytest.raises(PerceptionError, match="RoIAlign by maximum"):
        roi_align(torch.rand(1, 1, 8, 8), torch.tensor([[0.0, 0, 0, 4, 4]]), 2, 1.0, 0, "max", True)
