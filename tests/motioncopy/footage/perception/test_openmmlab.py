import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision

from motioncopy.errors import PerceptionError, WeightsError
from motioncopy.footage.perception.mmdet import MASK_RCNN, RTMDET
from motioncopy.footage.perception.mmpose import MODELS
from motioncopy.footage.perception.openmmlab import Network, install_stand_in
from motioncopy.weights import WEIGHTS
from tests.motioncopy.footage.perception.published import checkpoint, enter

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


RTMPOSE = MODELS["rtmpose"]


@pytest.mark.parametrize("network", [RTMDET, MASK_RCNN, *MODELS.values()], ids=lambda network: network.weights)
def test_the_package_publishes_these_weights_for_this_config(network: Network) -> None:
    import mmdet
    import mmpose
    import yaml

    zoo = Path({"mmdet": mmdet, "mmpose": mmpose}[network.package].__file__).parent / ".mim"
    assert (zoo / "configs" / network.config).is_file()
    metafiles = [yaml.safe_load(path.read_text()) for path in (zoo / "configs" / network.config).parent.glob("*.yml")]
    published = {model["Config"]: model.get("Weights") for file in metafiles for model in file.get("Models", ())}
    assert published[f"configs/{network.config}"] == WEIGHTS[network.weights].url


Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Save:
    """Saves RTMPose's random weights after a change to the file's content."""

    def save(change: Callable[[dict[str, Any]], Any], zipped: bool = False) -> Path:
        content = checkpoint(RTMPOSE.build(trained=False).state_dict())
        change(content)
        path = tmp_path / "random.pth"
        torch.save(content, path, _use_new_zipfile_serialization=zipped)
        enter(RTMPOSE.weights, path, monkeypatch)
        return path

    return save


@pytest.mark.parametrize("zipped", [False, True])
def test_a_checkpoint_with_its_log_is_loaded(save: Save, zipped: bool) -> None:
    path = save(lambda content: content["state_dict"]["head.cls_x.weight"].fill_(0.25), zipped)
    network = RTMPOSE.build()
    assert not network.training
    assert (network.head.cls_x.weight == 0.25).all()
    assert "HistoryBuffer" not in str(torch.serialization.get_safe_globals())
    if zipped:
        mentioned = torch.serialization.get_unsafe_globals_in_checkpoint(path)
        assert "mmengine.logging.history_buffer.HistoryBuffer" in mentioned
        assert "builtins.getattr" in mentioned


def test_the_normalisations_constants_in_a_file_are_passed_over(save: Save) -> None:
    save(lambda content: content["state_dict"].update({"data_preprocessor.mean": torch.ones(3, 1, 1)}))
    assert RTMPOSE.build().data_preprocessor.mean[0] == 123.675


class Command:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch run",)


class Attribute:
    """Looks for a function by a name that the file may mention, to call it."""

    def __reduce__(self) -> tuple[Any, tuple[str, ...]]:
        return getattr, (Command(), "anything")  # type: ignore[return-value]


@pytest.mark.parametrize("attack", [Command, Attribute])
@pytest.mark.parametrize("place", ["state_dict", "message_hub", "meta"])
def test_a_checkpoint_that_would_run_code_is_refused(
    save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attack: type, place: str
) -> None:
    save(lambda content: content[place].update(new=attack()))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match=r"more than weights.*Found: posix\.system") as caught:
        RTMPOSE.build()
    assert "weights_only" not in str(caught.value)
    assert not Path("run").exists()


def test_weights_that_lack_a_part_are_refused(save: Save) -> None:
    save(lambda content: content["state_dict"].pop("head.cls_x.weight"))
    with pytest.raises(WeightsError, match=r"lack parts.*head\.cls_x\.weight"):
        RTMPOSE.build()


def test_weights_of_another_shape_are_refused(save: Save) -> None:
    save(lambda content: content["state_dict"].update({"head.cls_x.weight": torch.ones(2, 2)}))
    with pytest.raises(WeightsError, match=r"(?s)do not fit.*cls_x"):
        RTMPOSE.build()


def test_a_file_without_a_state_dict_is_refused(save: Save) -> None:
    save(lambda content: content.pop("state_dict"))
    with pytest.raises(WeightsError, match=r"has no 'state_dict'.*meta, message_hub"):
        RTMPOSE.build()


def test_building_says_nothing(save: Save, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder) -> None:
    save(lambda content: None)
    RTMPOSE.build()
    assert capfd.readouterr() == ("", "")
    assert not list(recwarn)
