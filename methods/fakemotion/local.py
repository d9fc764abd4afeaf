"""Stages that refine crops: the five local GANs, and the released code's face enhancer (section 2.3, equation 15)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from methods.fakemotion.painting import PartPainter
from methods.fakemotion.training import PartLosses, Schedule, Wasserstein
from motioncopy.batch import MotionBatch
from motioncopy.losses.adversarial import AdversarialLoss
from motioncopy.losses.gromov_wasserstein import entropic_wasserstein
from motioncopy.losses.perceptual import FeatureLoss
from motioncopy.losses.weighted import weighted
from motioncopy.method import Stage
from motioncopy.nets.features import FeatureNetwork
from motioncopy.request import Crop, DataRequest
from motioncopy.training.updates import Update, frozen

#: From a batch to the pictures that are refined and those they should become, both ``(B, 3, H, W)``.
Render = Callable[[MotionBatch], tuple[Tensor, Tensor]]


class PartStage(Stage):
    """Trains one residual generator and one discriminator a part, all parts side by side.

    Args:
        name: ``local`` or ``face``.
        painter: The residual generators.
        discriminator: Judges crops; every part gets its own copy.
        render: Paints with the networks of earlier stages, without gradients.
        before: Frames of context that ``render`` needs before the frame.
        after: Frames of context behind it.
        gan: The form of the adversarial loss.
        losses: Weights.
        features: Feature network of the perceptual and transport terms, or ``None``.
        perceptual: The perceptual term, or ``None``.
        wasserstein: The transport term's solver.
        schedule: Length, rate, batch.
        image_size: (height, width).
        crop: See :data:`motioncopy.request.Crop`.
        config_keys: See :class:`motioncopy.method.Stage`.
        depends: See :class:`motioncopy.method.Stage`.
        upstream: See :class:`motioncopy.method.Stage`.
        share: See :class:`motioncopy.method.Stage`.
    """

    least = 2  # crops, for the norms' sake

    def __init__(
        self,
        name: str,
        painter: PartPainter,
        *,
        discriminator: nn.Module,
        render: Render,
        before: int,
        after: int,
        gan: AdversarialLoss,
        losses: PartLosses,
        features: FeatureNetwork | None,
        perceptual: FeatureLoss | None,
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
            name,
            request=DataRequest(
                schedule.batch_size,
                image_size,
                before + 1 + after,
                pad=before,
                crop=crop,
                batches=schedule.batches,
            ),
            epochs=schedule.epochs,
            config_keys=config_keys,
            depends=depends,
            upstream=[*upstream, *(network for network in (features, perceptual) if network is not None)],
            share=share,
        )
        self.painter, self.render, self.before = painter, render, before
        self.discriminators = nn.ModuleList(copy.deepcopy(discriminator) for _ in painter.refiners)
        self.gan, self.losses, self.schedule, self.ot = gan, losses, schedule, wasserstein
        # In a tuple, so that a network that is not trained is in no checkpoint.
        self.frozen_features = (features, perceptual)

    def configure_optimizers(self) -> Any:
        """Generators first, discriminators second. One Adam over all parts is the same as one a part."""
        generators, generators_schedule = self.schedule.optimizer(self.painter)
        discriminators, discriminators_schedule = self.schedule.optimizer(self.discriminators)
        return [generators, discriminators], [generators_schedule, discriminators_schedule]

    def updates(self, batch: MotionBatch) -> Iterator[Update]:
        """Paint, crop, refine; update the discriminators, update the generators."""
        generator_optimizer, discriminator_optimizer = self.optimizer_list()
        with torch.no_grad():
            painted, wanted = self.render(batch)
        motion = batch.motion.frames(self.before, self.before + 1)
        real, fake, judges = [], [], []
        coarse = self.painter.crops(painted, motion)
        true = self.painter.crops(wanted, motion)
        for k, ((pieces, _, _), (truths, _, _)) in enumerate(zip(coarse, true, strict=True)):
            if len(pieces) > 1:  # one value a channel has no variance to normalise by
                fake.append(pieces + self.drawn(self.painter.refiners[k], pieces))
                real.append(truths)
                judges.append(self.discriminators[k])
        if not fake and self.trainer.world_size == 1 and self.parts == 1:
            return
        judgement = self._discriminator_loss(judges, real, [f.detach() for f in fake])
        yield Update(discriminator_optimizer, judgement, "discriminators")
        with frozen(self.discriminators):
            terms = self._generator_terms(judges, real, fake)
        yield Update(generator_optimizer, weighted(terms), "generators", self.schedule.clip_norm)
        self.log_losses({"discriminators": judgement} | {name: value for name, (_, value) in terms.items()})

    def samples(self, batch: MotionBatch) -> dict[str, Tensor]:
        """What is refined, before and after."""
        painted, wanted = self.render(batch)
        refined = self.painter(painted, batch.motion.frames(self.before, self.before + 1))
        return {"before": painted, "generated": refined, "truth": wanted}

    def _zero(self) -> Tensor:
        # Every process and part must step even if it has no crop: the sum over no element keeps the graph.
        return sum(
            (p.sum() * 0 for p in self.parameters() if p.requires_grad), start=torch.zeros((), device=self.device)
        )

    def _discriminator_loss(self, judges: list[nn.Module], real: list[Tensor], fake: list[Tensor]) -> Tensor:
        loss = self._zero() if not judges else torch.zeros((), device=self.device)
        for judge, r, f in zip(judges, real, fake, strict=True):
            logits = [scale[-1].chunk(2) for scale in judge(torch.cat((r, f)))]
            loss = loss + self.gan.discriminator([a for a, _ in logits], [b for _, b in logits])
        return loss / max(1, len(judges))

    def _generator_terms(
        self, judges: list[nn.Module], real: list[Tensor], fake: list[Tensor]
    ) -> dict[str, tuple[float, Tensor]]:
        weights, count = self.losses, max(1, len(judges))
        sums: dict[str, Tensor] = {}

        def add(name: str, value: Tensor) -> None:
            sums[name] = sums[name] + value / count if name in sums else value / count

        if not judges:
            add("adversarial", self._zero())
        for judge, r, f in zip(judges, real, fake, strict=True):
            if weights.adversarial or weights.feature_matching:
                judged = judge(f)
            if weights.adversarial:
                add("adversarial", self.gan.generator([scale[-1] for scale in judged]))
            if weights.feature_matching:
                with torch.no_grad():
                    known = judge(r)
                pairs = [(a, b) for ka, kb in zip(known, judged, strict=True) for a, b in zip(ka, kb, strict=True)]
                add("feature_matching", torch.stack([functional.mse_loss(b, a) for a, b in pairs]).mean())
            if weights.l1:
                add("l1", functional.l1_loss(f, r))
            features, perceptual = self.frozen_features
            if weights.perceptual and perceptual is not None:
                add("perceptual", perceptual(f, r))
            if weights.wasserstein and features is not None:
                with torch.no_grad():
                    wanted = features(r)[self.ot.layer].flatten(1)
                found = features(f)[self.ot.layer].flatten(1)
                add(
                    "wasserstein",
                    entropic_wasserstein(wanted, found, epsilon=self.ot.epsilon, iterations=self.ot.iterations),
                )
        return {name: (getattr(weights, name), value) for name, value in sums.items()}
