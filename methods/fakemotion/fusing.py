"""Stage ``fusion`` of the released code: a network paints the frame from pose, background and foreground."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from methods.fakemotion.painting import LearnedFusion
from methods.fakemotion.training import FusionLosses, Schedule, Wasserstein
from motioncopy.batch import MotionBatch
from motioncopy.losses.adversarial import AdversarialLoss
from motioncopy.losses.feature_matching import feature_matching
from motioncopy.losses.gromov_wasserstein import entropic_wasserstein
from motioncopy.losses.weighted import weighted
from motioncopy.method import Stage
from motioncopy.nets.features import FeatureNetwork
from motioncopy.request import Crop, DataRequest
from motioncopy.training.updates import Update, frozen


@dataclass(frozen=True)
class Layers:
    """What the fusion network sees, and what it should paint; all ``(B, ., H, W)``."""

    foreground: Tensor
    background: Tensor
    drawing: Tensor
    frame: Tensor


class FusionStage(Stage):
    """Trains a learned fusion on foregrounds that earlier stages paint.

    Args:
        fusion: The network.
        discriminator: Sees (drawing, frame).
        render: Paints the foregrounds with earlier networks, without gradients.
        before: Frames of context that ``render`` needs before the frame.
        after: Frames of context behind it.
        gan: The form of the adversarial loss.
        losses: Weights.
        features: Feature network of the transport term, or ``None``.
        wasserstein: The transport term's solver.
        schedule: Length, rate, batch.
        image_size: (height, width).
        crop: See :data:`motioncopy.request.Crop`.
        config_keys: See :class:`motioncopy.method.Stage`.
        depends: See :class:`motioncopy.method.Stage`.
        upstream: See :class:`motioncopy.method.Stage`.
        share: See :class:`motioncopy.method.Stage`.
    """

    def __init__(
        self,
        fusion: LearnedFusion,
        *,
        discriminator: nn.Module,
        render: Callable[[MotionBatch], Layers],
        before: int,
        after: int,
        gan: AdversarialLoss,
        losses: FusionLosses,
        features: FeatureNetwork | None,
        wasserstein: Wasserstein,
        schedule: Schedule,
        image_size: tuple[int, int],
        crop: Crop,
        config_keys: Sequence[str],
        depends: Sequence[str],
        upstream: Sequence[nn.Module],
        share: float = 1.0,
    ) -> None:
        super().__init__(
            "fusion",
            request=DataRequest(
                schedule.batch_size, image_size, before + 1 + after, pad=before, crop=crop, batches=schedule.batches
            ),
            epochs=schedule.epochs,
            config_keys=config_keys,
            depends=depends,
            upstream=[*upstream, *([features] if features is not None else [])],
            share=share,
        )
        self.fusion, self.discriminator, self.render = fusion, discriminator, render
        self.gan, self.losses, self.ot, self.schedule = gan, losses, wasserstein, schedule
        self.frozen_features = (features,)  # in a tuple: a network that is not trained is in no checkpoint

    def configure_optimizers(self) -> Any:
        """Generator first, discriminator second."""
        generator, generator_schedule = self.schedule.optimizer(self.fusion)
        discriminator, discriminator_schedule = self.schedule.optimizer(self.discriminator)
        return [generator, discriminator], [generator_schedule, discriminator_schedule]

    def updates(self, batch: MotionBatch) -> Iterator[Update]:
        """Paint, fuse, update the discriminator, update the network."""
        generator_optimizer, discriminator_optimizer = self.optimizer_list()
        with torch.no_grad():
            layers = self.render(batch)
        fake: Tensor = self.drawn(self.fusion, layers.foreground, None, layers.background, layers.drawing)

        pairs = [torch.cat((layers.drawing, x), dim=1) for x in (layers.frame, fake.detach())]
        logits = [scale[-1].chunk(2) for scale in self.discriminator(torch.cat(pairs))]
        judgement = self.gan.discriminator([r for r, _ in logits], [f for _, f in logits])
        yield Update(discriminator_optimizer, judgement, "discriminator")

        with frozen(self.discriminator):
            terms = self._generator_terms(layers, fake)
        yield Update(generator_optimizer, weighted(terms), "generator", self.schedule.clip_norm)
        self.log_losses({"discriminator": judgement} | {name: value for name, (_, value) in terms.items()})

    def samples(self, batch: MotionBatch) -> dict[str, Tensor]:
        """Whole frames."""
        layers = self.render(batch)
        fused = self.fusion(layers.foreground, None, layers.background, layers.drawing)
        return {"foreground": layers.foreground, "generated": fused, "truth": layers.frame}

    def _generator_terms(self, layers: Layers, fake: Tensor) -> dict[str, tuple[float, Tensor]]:
        weights = self.losses
        terms: dict[str, tuple[float, Tensor]] = {}
        if weights.adversarial or weights.feature_matching:
            judged = self.discriminator(torch.cat((layers.drawing, fake), dim=1))
        if weights.adversarial:
            terms["adversarial"] = (weights.adversarial, self.gan.generator([scale[-1] for scale in judged]))
        if weights.feature_matching:
            with torch.no_grad():
                wanted = self.discriminator(torch.cat((layers.drawing, layers.frame), dim=1))
            terms["feature_matching"] = (weights.feature_matching, feature_matching(wanted, judged))
        if weights.l1:
            terms["l1"] = (weights.l1, functional.l1_loss(fake, layers.frame))
        features = self.frozen_features[0]
        if weights.wasserstein and features is not None:
            with torch.no_grad():
                known = features(layers.frame)[self.ot.layer].flatten(1)
            found = features(fake)[self.ot.layer].flatten(1)
            distance = entropic_wasserstein(known, found, epsilon=self.ot.epsilon, iterations=self.ot.iterations)
            terms["wasserstein"] = (weights.wasserstein, distance)
        return terms
