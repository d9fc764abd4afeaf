"""People and masks with mmdet, on random weights in the published format; the networks need seconds on a CPU."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from motioncopy.errors import ConfigError, WeightsError
from motioncopy.footage.perception.backends import Poses
from motioncopy.footage.perception.mmdet import MASK_RCNN, RTMDET, MaskRCNN, PersonDetector, held_best
from motioncopy.footage.perception.openmmlab import Network
from tests.motioncopy.footage.perception.published import publish

pytest.importorskip("mmdet")

HEIGHT, WIDTH = 40, 64


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def detector(patch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> PersonDetector:
    """Sure that there are people, random about where."""

    def see_people(network: Any) -> None:
        for level, (classes, boxes) in enumerate(
            zip(network.bbox_head.rtm_cls, network.bbox_head.rtm_reg, strict=True)
        ):
            classes.bias[0] = 0.1 * level
            classes.bias[1] = 3.0  # bicycles, and surer of them
            boxes.bias += 4

    publish(RTMDET, tmp_path_factory.mktemp("rtmdet"), patch, see_people)
    return PersonDetector(device="cpu", side=320, batch=2)


@pytest.fixture(scope="module")
def segmenter(patch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> MaskRCNN:
    def see_people(network: Any) -> None:
        network.roi_head.bbox_head.fc_cls.bias[0] = 20

    folder = tmp_path_factory.mktemp("mask_rcnn")
    publish(MASK_RCNN, folder, patch, see_people)
    segmenter = MaskRCNN(device="cpu", size=(96, 64))
    _ = segmenter._built  # other fixtures may set the folder of weights anew
    return segmenter


def images(n: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, HEIGHT, WIDTH, 3), np.uint8)


def joints(n: int, x: float = 30, y: float = 20) -> np.ndarray:
    return np.tile(np.array([x, y, 1], np.float32), (n, 25, 1))


def test_people_come_as_boxes_in_pixels_with_scores(detector: PersonDetector) -> None:
    found = detector(images(3))
    assert len(found) == 3
    for boxes, scores in found:
        assert boxes.shape == (len(scores), 4)
        assert len(scores) > 0
        assert (scores >= 0.3).all()
        assert (scores <= 0.7).all()  # the bicycles are not among them
        assert (boxes >= 0).all()
        assert (boxes[:, [0, 2]] <= WIDTH).all()
        assert (boxes[:, [1, 3]] <= HEIGHT).all()
        assert (boxes[:, 2:] >= boxes[:, :2]).all()
    again = detector(images(3)[2:])
    np.testing.assert_allclose(again[0][1], found[2][1], atol=1e-4)


def test_the_detector_names_package_weights_and_score(detector: PersonDetector) -> None:
    assert detector.version.startswith("mmdet 3")
    assert "rtmdet-m@sha256:" in detector.version
    others = [PersonDetector(min_score=0.5), PersonDetector(), detector]
    assert len({other.version for other in others}) == 3


def test_networks_are_shown_blue_first(detector: PersonDetector, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[torch.Tensor] = []

    def look(network: Network, built: Any, samples: list[Any]) -> list[Any]:
        shown.extend(sample["inputs"] for sample in samples)
        return []

    monkeypatch.setattr(Network, "run", look)
    blue = np.zeros((1, HEIGHT, WIDTH, 3), np.uint8)
    blue[..., 2] = 200
    detector(blue)
    assert shown[0][:, 0, 0].tolist() == [200, 0, 0]
    assert shown[0].shape == (3, 320, 320)


def test_a_mask_is_made_where_there_are_joints(segmenter: MaskRCNN) -> None:
    found = joints(2)
    found[0, :, 2] = 0
    masks = segmenter(images(2), Poses(found))
    assert masks.shape == (2, HEIGHT, WIDTH)
    assert masks.dtype == np.uint8
    assert not masks[0].any()
    assert masks[1].any()
    np.testing.assert_array_equal(segmenter(images(2)[1:], Poses(found[1:]))[0], masks[1])


def test_masks_are_soft(segmenter: MaskRCNN) -> None:
    found = next(iter(segmenter._seen(images(1))))
    assert found.masks.dtype == torch.uint8
    assert found.masks.shape[1:] == (HEIGHT, WIDTH)
    assert len(found.masks.unique()) > 10


def test_no_frames_give_no_masks(segmenter: MaskRCNN) -> None:
    assert segmenter(images(0), Poses(joints(0))).shape == (0, HEIGHT, WIDTH)


def people(*columns: tuple[int, int]) -> np.ndarray:
    masks = np.zeros((len(columns), HEIGHT, WIDTH), np.uint8)
    for mask, (start, stop) in zip(masks, columns, strict=True):
        mask[:, start:stop] = 255
    return masks


def test_the_mask_that_holds_the_joints_is_taken() -> None:
    masks = people((0, 20), (20, 40), (40, 64))
    scores = np.array([0.99, 0.6, 0.9])
    assert held_best(joints(1, x=25)[0], masks, scores) == 1
    assert held_best(joints(1, x=50)[0], masks, scores) == 2


def test_confidence_says_whose_joints_count() -> None:
    masks, scores = people((0, 32), (32, 64)), np.array([0.9, 0.9])
    some = joints(1, x=10)[0]
    some[:15, 0] = 50
    assert held_best(some, masks, scores) == 1
    some[:15, 2] = 0.1
    assert held_best(some, masks, scores) == 0


def test_of_two_masks_that_hold_the_joints_the_surer_is_taken() -> None:
    assert held_best(joints(1)[0], people((0, 64), (20, 40)), np.array([0.4, 0.9])) == 1


def test_a_mask_that_holds_too_few_joints_is_somebody_elses() -> None:
    some = joints(1, x=10)[0]
    some[:15, 0] = 50
    assert held_best(some, people((0, 20)), np.array([0.9])) is None
    assert held_best(joints(1)[0], people(), np.zeros(0)) is None
    assert held_best(joints(1)[0] * [1, 1, 0], people((0, 64)), np.array([0.9])) is None
    assert held_best(joints(1, x=-10)[0], people((0, 64)), np.array([0.9])) is None


@pytest.mark.parametrize("side", [0, 100])
def test_a_side_that_the_network_cannot_take_is_refused(side: int) -> None:
    with pytest.raises(ConfigError, match="multiple of 32"):
        PersonDetector(side=side)


@pytest.mark.parametrize("options", [{"batch": 0}, {"min_score": 1.5}])
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="out of range"):
        MaskRCNN(**options)


@pytest.mark.parametrize(("make", "name"), [(PersonDetector, "rtmdet-m"), (MaskRCNN, "mask-rcnn-r50")])
def test_without_weights_the_error_says_how_to_get_them(
    make: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("MOTIONCOPY_WEIGHTS", "HOME", "TORCH_HOME"):
        monkeypatch.setenv(folder, str(tmp_path))
    with pytest.raises(WeightsError, match=f"weights fetch {name}.*weights add FILE"):
        _ = make().version
