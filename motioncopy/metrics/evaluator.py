"""Scores clips, and sees of them only what a video file would hold: 8-bit frames.

evaluator = Evaluator()
clip = evaluator.clip("person_03/walk")
for generated, truth, mask in chunks:
    clip.update(generated, truth, mask)
scores = clip.compute()
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from motioncopy.errors import BatchError, WeightsError
from motioncopy.metrics.catalogue import METRICS, metric
from motioncopy.metrics.definition import Definition
from motioncopy.metrics.frame_metric import FrameMetric, check_images, check_mask
from motioncopy.metrics.scores import Aggregate, ClipScores, Score, aggregate

__all__ = ["Aggregate", "ClipEvaluator", "ClipScores", "Evaluator", "Score", "aggregate"]


class Evaluator:
    """Computes a fixed set of metrics, clip by clip.

    A metric whose pretrained weights are absent is left out, with its reason; no other weights stand in.

    Args:
        metrics: Metric keys, by default all of :data:`motioncopy.metrics.catalogue.METRICS`.

    Attributes:
        missing: For each metric that cannot be computed, the reason.

    Raises:
        ConfigError: If a key is unknown.
    """

    def __init__(self, metrics: Sequence[str] = tuple(METRICS)) -> None:
        self._metrics: dict[str, FrameMetric] = {}
        self.missing: dict[str, str] = {}
        for key in dict.fromkeys(metrics):
            kind = metric(key)
            try:
                self._metrics[key] = kind()
            except WeightsError as error:
                self.missing[key] = str(error)

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """The definitions of the metrics that are computed."""
        return tuple(m.definition for m in self._metrics.values())

    @property
    def networks(self) -> dict[str, str]:
        """The pretrained networks that give values: name to SHA-256 of the weights' file."""
        return {name: digest for m in self._metrics.values() for name, digest in m.networks.items()}

    def clip(self, clip_id: str) -> ClipEvaluator:
        """Starts a clip; several may be under way at once."""
        return ClipEvaluator(clip_id, self._metrics, self.missing)


class ClipEvaluator:
    """Takes the frames of one clip in chunks of any length; made by :meth:`Evaluator.clip`.

    Any chunking gives the same values: to the bit for pixel metrics, to 1e-6 for those of networks.
    """

    def __init__(self, clip_id: str, metrics: Mapping[str, FrameMetric], missing: Mapping[str, str]) -> None:
        self._clip = clip_id
        self._metrics = metrics
        self._missing = missing
        self._values: dict[str, list[float | None]] = {key: [] for key in metrics}
        self._frames = 0
        self._size: tuple[int, ...] = ()
        self._masked = False

    @torch.no_grad()
    def update(self, generated: Tensor, truth: Tensor, mask: Tensor | None = None) -> None:
        """Scores the next frames.

        Args:
            generated: ``(n, 3, H, W)`` uint8, RGB.
            truth: The same, the true frames.
            mask: ``(n, 1, H, W)`` uint8, 255 on the person in ``truth``; without it masked metrics are left out.

        Raises:
            BatchError: If a shape or type is wrong, sizes change within the clip, or some chunks only have a mask.
                Nothing of the chunk is counted then.
        """
        try:
            self._check(generated, truth, mask)
            found = {
                key: metric.frames(generated, truth, mask).tolist()
                for key, metric in self._metrics.items()
                if mask is not None or not metric.needs_mask
            }
        except BatchError as error:
            raise BatchError(
                f"clip {self._clip}, from frame {self._frames} on: {error.what}",
                expected=error.expected,
                found=error.found,
                remedy=error.remedy,
            ) from error
        for key, values in found.items():
            self._values[key].extend(None if value != value else value for value in values)  # NaN: skipped
        self._frames += len(generated)
        self._size = tuple(generated.shape[2:])
        self._masked = mask is not None

    def _check(self, generated: Tensor, truth: Tensor, mask: Tensor | None) -> None:
        check_images(generated, truth)
        for name, images in (("generated", generated), ("truth", truth)):
            if images.dtype != torch.uint8:
                raise BatchError(
                    f"{name} is not 8-bit", expected="uint8", found=images.dtype, remedy="use motioncopy.batch.to_uint8"
                )
        if mask is not None:
            check_mask(mask, truth)
        if self._frames and tuple(generated.shape[2:]) != self._size:
            raise BatchError("the size changes", expected=self._size, found=tuple(generated.shape[2:]))
        if self._frames and (mask is not None) != self._masked:
            raise BatchError("some chunks have a mask and some do not")

    def compute(self) -> ClipScores:
        """The values of all frames so far.

        Raises:
            BatchError: If there was no frame.
        """
        if not self._frames:
            raise BatchError(f"clip {self._clip} has no frame to score")
        missing = dict(self._missing)
        if not self._masked:
            missing |= {key: "the clip has no masks" for key, m in self._metrics.items() if m.needs_mask}
        values = {key: tuple(v) for key, v in self._values.items() if key not in missing}
        return ClipScores(self._clip, self._frames, values, missing)
