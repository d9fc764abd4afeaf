"""From a video to a clip with every network that needs weights: random ones, in the published format."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.models import optical_flow

from motioncopy.footage.clips import Clip
from motioncopy.footage.perception.backends import FlowEstimator, PersonSegmenter, PoseEstimator
from motioncopy.footage.perception.mmdet import MASK_RCNN, RTMDET, MaskRCNN
from motioncopy.footage.perception.mmpose import MODELS, TopDownPose
from motioncopy.footage.perception.raft import RAFTFlow
from motioncopy.footage.prepare import Backends, prepare
from motioncopy.footage.video import VideoWriter
from tests.motioncopy.footage.perception.figures import walk
from tests.motioncopy.footage.perception.published import enter, publish

pytest.importorskip("mmpose")


def _sure_of_people(network: Any) -> None:
    for classes, boxes in zip(network.bbox_head.rtm_cls, network.bbox_head.rtm_reg, strict=True):
        classes.bias[0] = 1
        boxes.bias += 100


def _sure_of_masks(network: Any) -> None:
    network.roi_head.bbox_head.fc_cls.bias[0] = 20


@pytest.mark.slow
def test_a_clip_is_made_and_names_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(RTMDET, tmp_path, monkeypatch, _sure_of_people)
    publish(MODELS["wholebody"], tmp_path, monkeypatch)
    publish(MASK_RCNN, tmp_path, monkeypatch, _sure_of_masks)
    torch.save(optical_flow.raft_small().state_dict(), tmp_path / "raft.pth")
    enter("raft-small", tmp_path / "raft.pth", monkeypatch)
    with VideoWriter(tmp_path / "ann.mp4", 25, (96, 128)) as writer:
        writer.write(walk(6, (96, 128))[0])

    pose: PoseEstimator = TopDownPose("wholebody")
    mask: PersonSegmenter = MaskRCNN(size=(96, 64))
    flow: FlowEstimator = RAFTFlow("small")
    backends = Backends(pose, mask=mask, flow=flow)
    (made,) = prepare([tmp_path / "ann.mp4"], tmp_path, parts=("flow",), backends=backends)
    clip = Clip.open(made.clip)
    clip.verify()
    assert made.found == 6
    versions = {name: part.backend.version for name, part in clip.manifest.parts.items() if part.backend}
    assert {"hand_left", "hand_right", "face"} <= set(versions)
    for part, names in {
        "joints": ("rtmpose-m-wholebody", "rtmdet-m"),
        "mask": ("mask-rcnn-r50",),
        "flow": ("raft-small",),
    }.items():
        for name in names:
            assert f"{name}@sha256:" in versions[part]
    (again,) = prepare([tmp_path / "ann.mp4"], tmp_path, parts=("flow",), backends=backends)
    assert again.outcome == "up to date"
