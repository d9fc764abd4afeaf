"""How alike two faces are turned: FakeMotion's equation 8, its released code's score, and image features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from motioncopy.batch import Motion, Tensors
from motioncopy.errors import BatchError, ConfigError
from motioncopy.poses.face import FAKEMOTION_VECTORS, FAKEVIDEO_VECTORS, face_vectors
from motioncopy.skeletons import skeleton

_LANDMARKS = ("right_eye", "left_eye", "nose")


@dataclass(frozen=True)
class FaceViews(Tensors):
    """How N faces are turned, and where their features lie.

    Attributes:
        vectors: ``(N, V, 2)``, the orientation vectors, in the unit of the similarity that made the view.
        valid: ``(N, V)`` bool: which vectors have both their ends. A face with none is not seen.
        landmarks: ``(N, 3, 3)``: right eye, left eye and nose as x, y in pixels of the crop (the centre of the top
            left pixel is (0, 0)) and a confidence, 0 where absent.
        features: ``(N, F)``, an image descriptor of each crop, or ``None`` where nothing searches by it.
    """

    vectors: Tensor
    valid: Tensor
    landmarks: Tensor
    features: Tensor | None = None

    def __post_init__(self) -> None:
        n, v = self.valid.shape
        shapes: dict[str, tuple[int, ...]] = {"vectors": (n, v, 2), "landmarks": (n, 3, 3)}
        if self.features is not None:
            shapes["features"] = (n, self.features.shape[-1])
        for name, expected in shapes.items():
            if (found := tuple(getattr(self, name).shape)) != expected:
                raise BatchError(f"FaceViews.{name} has the wrong shape", expected=expected, found=found)

    def __len__(self) -> int:
        """Number of faces N."""
        return len(self.valid)

    @property
    def seen(self) -> Tensor:
        """``(N,)`` bool: whether a face has any vector."""
        return self.valid.any(dim=1)


class FaceSimilarity(ABC):
    """How alike faces are turned, and how much each of the best counts.

    Attributes:
        segments: The vectors of a view, as pairs of face points (see :func:`motioncopy.poses.face.face_vectors`).
    """

    segments: ClassVar[tuple[tuple[str, str], ...]] = FAKEMOTION_VECTORS

    def views(self, motion: Motion, centres: Tensor, side: int, features: Tensor | None = None) -> FaceViews:
        """How the faces of N frames are turned, and where eyes and nose lie in their crops.

        Args:
            motion: N = B * T frames.
            centres: ``(N, 2)`` of the face crops, from :func:`motioncopy.poses.parts.part_centres`.
            side: Side of the crops in pixels.
            features: ``(N, F)``, where faces are searched by image.

        Raises:
            SkeletonError: If the skeleton has no face.
        """
        vectors, valid = face_vectors(motion, self._unit(motion, side), vectors=self.segments)
        body = skeleton(motion.skeleton)
        landmarks = motion.joints.flatten(0, 1)[:, [body.index(name) for name in _LANDMARKS]]
        corner = centres - (side - 1) / 2
        landmarks[..., :2] -= corner[:, None]
        return FaceViews(vectors.flatten(0, 1), valid.flatten(0, 1), landmarks, features)

    def _unit(self, motion: Motion, side: int) -> float:
        """What a vector of length 1 is, in pixels: the crop's side, so that faces of any size compare."""
        return float(side)

    @abstractmethod
    def scores(self, query: FaceViews, gallery: FaceViews) -> Tensor:
        """Compares every face of N with every face of K.

        Returns:
            ``(N, K)``, higher is more alike, ``-inf`` where two faces have nothing to compare.
        """

    def weights(self, scores: Tensor) -> Tensor:
        """The weights λ of the best candidates: the scores' shares of their sum, negative ones counted as 0.

        Args:
            scores: ``(N, m)``, finite or ``-inf`` (no candidate).

        Returns:
            ``(N, m)``, summing to 1 over m; all 0 where there is no candidate.
        """
        positive = scores.clamp_min(0.0)
        return positive / positive.sum(dim=1, keepdim=True).clamp_min(torch.finfo(scores.dtype).tiny)


class OrientationSimilarity(FaceSimilarity):
    """S = 1 / (ε + Σ_k ‖v̂_k − v_k‖₂), equation 8; the weights are S / ΣS, as in FakeVideo (the paper: silent).

    The sum runs over the vectors that both faces have and is scaled up to the full number, so that a missing eye
    makes no face look nearer.

    Args:
        vectors: How many of the five count: the first ones, in the order of the paper (table 2's "2/3/4 face
            vectors" does not say which).
        epsilon: Keeps the score of an identical face finite; in sides of the crop.

    Raises:
        ConfigError: If there are not so many vectors.
    """

    def __init__(self, vectors: int = 5, epsilon: float = 1e-3) -> None:
        if epsilon <= 0:
            raise ConfigError("the epsilon of a face search must be positive", found=epsilon)
        self.vectors, self.epsilon = _count(vectors, self.segments), epsilon

    def scores(self, query: FaceViews, gallery: FaceViews) -> Tensor:
        """``(N, K)`` scores in (0, 1 / ε]."""
        a, b = query.vectors[:, : self.vectors], gallery.vectors[:, : self.vectors]
        distance = (a[:, None] - b[None]).norm(dim=-1)
        total, comparable = _total(distance, query, gallery)
        return (1.0 / (self.epsilon + total)).masked_fill(~comparable, -torch.inf)


class SegmentLengthSimilarity(FaceSimilarity):
    """The released code's score: −Σ_k |‖v̂_k‖² − ‖v_k‖²| over six segments, weighted by a softmax.

    The segments are FakeVideo's. Lengths do not know which way a segment points. Their unit is the pixel of a frame
    512 pixels high, as in that code: the softmax then gives nearly all weight to the first. Masking of what is not
    seen is ours.

    Args:
        vectors: How many of the six count: the first ones.

    Raises:
        ConfigError: If there are not so many vectors.
    """

    segments = FAKEVIDEO_VECTORS

    def __init__(self, vectors: int = 6) -> None:
        self.vectors = _count(vectors, self.segments)

    def _unit(self, motion: Motion, side: int) -> float:
        return motion.size[0] / 512

    def scores(self, query: FaceViews, gallery: FaceViews) -> Tensor:
        """``(N, K)`` scores, 0 at best."""
        a, b = (v.vectors[:, : self.vectors].square().sum(dim=-1) for v in (query, gallery))
        total, comparable = _total((a[:, None] - b[None]).abs(), query, gallery)
        return (-total).masked_fill(~comparable, -torch.inf)

    def weights(self, scores: Tensor) -> Tensor:
        """Softmax over the candidates."""
        return scores.softmax(dim=1).nan_to_num(0.0)


class FeatureSimilarity(FaceSimilarity):
    """Cosine between image features: table 2's "image feature", which the paper argues against in section 2.3."""

    def scores(self, query: FaceViews, gallery: FaceViews) -> Tensor:
        """``(N, K)`` scores in [-1, 1]; a face that is not seen has none, as with the other similarities.

        Raises:
            ConfigError: If a side has no features.
        """
        if query.features is None or gallery.features is None:
            raise ConfigError("face search by image features needs FaceViews.features on both sides")
        cosine = functional.normalize(query.features, dim=1) @ functional.normalize(gallery.features, dim=1).T
        return cosine.masked_fill(~(query.seen[:, None] & gallery.seen[None]), -torch.inf)


def _count(vectors: int, segments: tuple[tuple[str, str], ...]) -> int:
    if not 1 <= vectors <= len(segments):
        raise ConfigError("a face has no such number of vectors", expected=f"1 to {len(segments)}", found=vectors)
    return vectors


def _total(distance: Tensor, query: FaceViews, gallery: FaceViews) -> tuple[Tensor, Tensor]:
    """Sums distances ``(N, K, V)`` over the vectors that both have, scaled up to all V; and whether there are any."""
    count = distance.shape[-1]
    both = query.valid[:, None, :count] & gallery.valid[None, :, :count]
    common = both.sum(dim=-1)
    total = torch.where(both, distance, 0.0).sum(dim=-1) * count / common.clamp_min(1)
    return total, common > 0
