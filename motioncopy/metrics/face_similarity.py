"""Face similarity: whether a recogniser of faces takes the generated person for the true one."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torchvision.ops import roi_align

from motioncopy.metrics.clip import Chunk, Input, Provider, Seen, published
from motioncopy.metrics.definition import Definition
from motioncopy.metrics.facenet import SIDE, WEIGHTS, load_network
from motioncopy.metrics.inception import exact
from motioncopy.metrics.metric import ClipMetric
from motioncopy.metrics.pose_error import CONFIDENT, JOINTS, no_person
from motioncopy.skeletons import BODY25

#: What places a face; where one of these is not found, none is seen.
HEAD = tuple(BODY25.index(joint) for joint in ("nose", "right_eye", "left_eye", "right_ear", "left_ear"))
#: (height, width) of a face over the largest distance between two joints of the head, which turning the head hardly
#: changes. MTCNN, which cut FaceNet's training faces, gives medians of 1.57 and 1.21 on 35 frames of four videos.
SHAPE = (1.6, 1.2)
#: Lower faces are not scored: MTCNN looks for none of fewer pixels either.
LEAST = 20
# Faces that go through the network together.
_TOGETHER = 16


def face_boxes(joints: Tensor) -> Tensor:
    """Where the faces are.

    Args:
        joints: ``(n, 25, 3)`` x, y, confidence: body25.

    Returns:
        ``(n, 4)`` left, top, right, bottom in pixels, the centre of the top left pixel being (0, 0); NaN where a
        joint of the head is not found or the face is lower than :data:`LEAST` pixels.

    >>> joints = torch.zeros(1, 25, 3)
    >>> joints[0, list(HEAD)] = torch.tensor([[52.0, 60, 1], [44, 48, 1], [60, 48, 1], [32, 52, 1], [72, 52, 1]])
    >>> face_boxes(joints)  # the ears are 40 pixels apart
    tensor([[28., 20., 76., 84.]])
    """
    head = joints[:, list(HEAD)]
    places = head[..., :2]
    span = (places[:, :, None] - places[:, None]).norm(dim=-1).amax(dim=(1, 2))
    seen = (head[..., 2] >= CONFIDENT).all(dim=1) & (SHAPE[0] * span >= LEAST)
    half = span[:, None] / 2 * places.new_tensor(SHAPE[::-1])
    centre = places.mean(dim=1)
    return torch.cat([centre - half, centre + half], dim=1).masked_fill(~seen[:, None], torch.nan)


def cut(frames: Tensor, boxes: Tensor) -> Tensor:
    """Faces as the network sees them; bilinear, averaged over the samples that a pixel stands for.

    Args:
        frames: ``(n, 3, H, W)`` uint8 RGB.
        boxes: ``(n, 4)`` from :func:`face_boxes`, finite; what lies beyond the frame is black.

    Returns:
        ``(n, 3, 160, 160)`` float32, (value - 127.5) / 128.

    >>> cut(torch.full((1, 3, 64, 64), 255, dtype=torch.uint8), torch.tensor([[8.0, 8, 40, 40]])).shape
    torch.Size([1, 3, 160, 160])
    """
    corners = boxes.float() + 0.5  # here, coordinates measure from the frame's corner
    faces: Tensor = roi_align(frames.float(), list(corners[:, None]), (SIDE, SIDE), aligned=True)
    return (faces - 127.5) / 128


def face_similarity(network: nn.Module, generated: Tensor, truth: Tensor, boxes: Tensor) -> Tensor:
    """Cosine of the angle between the embeddings of the faces in two videos, frame by frame.

    Args:
        network: From :func:`motioncopy.metrics.facenet.load_network`, on the device of the frames.
        generated: ``(n, 3, H, W)`` uint8 RGB.
        truth: The same.
        boxes: ``(n, 4)`` from :func:`face_boxes`: the same box cuts both frames.

    Returns:
        ``(n,)`` float64 in [-1, 1], 1 for equal faces; NaN where the box is.

    >>> mean = nn.Sequential(nn.AvgPool2d(SIDE), nn.Flatten())  # in the place of FaceNet
    >>> face = torch.full((1, 3, 64, 64), 200, dtype=torch.uint8)
    >>> face_similarity(mean, face, 255 - face, torch.tensor([[8.0, 8, 40, 40]]))
    tensor([-1.], dtype=torch.float64)
    """
    values = torch.full((len(boxes),), torch.nan, dtype=torch.float64, device=generated.device)
    rows = (~boxes.isnan().any(dim=1)).nonzero().flatten()
    with exact(generated.device):
        for some in rows.split(_TOGETHER):
            if len(some):
                a, b = (network(cut(video[some], boxes[some])).double() for video in (generated, truth))
                values[some] = torch.cosine_similarity(a, b).clamp(-1, 1)
    return values


class FaceSimilarity(ClipMetric):
    """Similarity of the generated person's face to the true one, averaged over frames; see :func:`face_similarity`.

    Raises:
        WeightsError: If the network's weights are not on this machine.

    >>> from motioncopy.metrics.clip import Network
    >>> from motioncopy.metrics.facenet import FaceNet
    >>> metric = FaceSimilarity(networks=lambda name: Network(FaceNet().state_dict(), "random"))
    >>> metric.unfit(Chunk(torch.zeros(1, 3, 64, 64, dtype=torch.uint8)))
    'the clip has no true frames'
    """

    inputs: ClassVar[frozenset[Input]] = frozenset({"truth"})
    sees = (Seen(JOINTS, "truth"),)
    definition = Definition(
        key="face_similarity/facenet_truth@1",
        title="Face similarity",
        direction="higher",
        unit="",
        source=(
            "face-CS of Liquid Warping GAN's evaluators (Liu et al., ICCV 2019 and TPAMI 2021); network: FaceNet "
            "(Schroff et al., CVPR 2015), facenet-pytorch's Inception-ResNet v1, 20180402-114759 on VGGFace2"
        ),
        text=(
            "Cosine of the angle between FaceNet's embeddings of the generated and of the true face, the mean over "
            "frames. Both are cut by one box, that of the true frame: MediaPipe Pose finds nose, eyes and ears there; "
            f"the box is centred on their mean, {SHAPE[0]} times as high and {SHAPE[1]} times as wide as the largest "
            f"distance between two of them, and is stretched to {SIDE}x{SIDE} pixels, (value - 127.5) / 128. Frames in "
            f"which one of the five has a confidence below {CONFIDENT} (turned away, outside), or whose box is lower "
            f"than {LEAST} pixels, are skipped and counted as such."
        ),
        choice=(
            "Liquid Warping GAN's evaluators take the same network and let MTCNN find the face in either frame by "
            "itself; where it finds none in the generated one, the whole frame goes through the network. Here the "
            "true frame alone says where the face is and which frames count, so that all systems are scored on the "
            "same frames and a face too bad to be found is a bad face. The box is as large as "
            "MTCNN's is on real videos. SphereFace, which the same authors train with, is published as an archive only."
        ),
        caution=(
            "A good face in the wrong place counts as a bad one: read it beside the pose error. Faces of 20 to 50 "
            "pixels tell little about who it is, and values of different frame sizes do not compare. Only frames "
            "in which the true face is seen count; a video without any has no value."
        ),
    )

    def __init__(self, *, networks: Provider = published, **kwargs: Any) -> None:
        super().__init__(networks=networks, **kwargs)
        found = networks(WEIGHTS)
        self.network = load_network(found.state)
        self.own_networks[WEIGHTS] = found.identity

    def unfit(self, chunk: Chunk) -> str | None:
        """See :meth:`ClipMetric.unfit`; animals have no face that the network knows."""
        return no_person(chunk) or super().unfit(chunk)

    def per_frame(self, chunk: Chunk) -> Tensor:
        """The similarity of every frame, ``(n,)`` float64 in [-1, 1]; NaN where the true face is not seen."""
        assert chunk.truth is not None
        boxes = face_boxes(chunk.found[self.sees[0]]).to(chunk.truth.device)
        return face_similarity(self.network.to(chunk.truth.device), chunk.generated, chunk.truth, boxes)
