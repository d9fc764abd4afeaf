"""Stage ``foreground``: pose to foreground, with the Gromov-Wasserstein loss and two discriminators (section 2.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from methods.fakemotion.labels import Label
from methods.fakemotion.painting import Fusion, MaskFusion
from methods.fakemotion.temporal import TemporalCritic
from methods.fakemotion.training import ForegroundLosses, GromovWasserstein, Schedule, Wasserstein
from motioncopy.batch import MotionBatch
from motioncopy.losses.adversarial import AdversarialLoss
from motioncopy.losses.feature_matching import feature_matching
from motioncopy.losses.gromov_wasserstein import entropic_wasserstein, gromov_wasserstein_loss
from motioncopy.losses.weighted import weighted
from motioncopy.method import Stage
from motioncopy.nets.features import FeatureNetwork
from motioncopy.request import Crop, DataRequest
from motioncopy.training.precision import at_least_float32
from motioncopy.training.processes import gathered, spread
from motioncopy.training.updates import Update, frozen


@dataclass(frozen=True)
class _Scene:
    """One batch as this stage sees it: B windows of n frames, of which the last g are generated."""

    labels: Tensor  # (B*g, C, H, W), what the generator sees
    poses: Tensor  # (B, n, c, H, W), each frame's own drawing
    real: Tensor  # (B, n, 3, H, W), foregrounds
    mask: Tensor  # (B*g, 1, H, W)
    frames: Tensor  # (B*g, 3, H, W), whole frames
    background: Tensor  # (B*g, 3, H, W)


class ForegroundStage(Stage):
    """Trains the generator against a quality and a temporal discriminator.

    Args:
        generator: From labels to a foreground, and a mask logit where it has a fourth channel.
        label: Draws the poses.
        quality: D_q; sees (drawing, foreground).
        temporal: D_t, or ``None`` (table 1's TD).
        gan: The form of the adversarial loss.
        features: Ψ; ``None`` where no term needs it.
        losses: Weights.
        gromov_wasserstein: The Gromov-Wasserstein term.
        wasserstein: The released code's transport term.
        schedule: Length, rate, batch.
        image_size: (height, width).
        crop: See :data:`motioncopy.request.Crop`.
        config_keys: See :class:`motioncopy.method.Stage`.
        share: See :class:`motioncopy.method.Stage`.
    """

    def __init__(
        self,
        generator: nn.Module,
        label: Label,
        *,
        quality: nn.Module,
        temporal: TemporalCritic | None,
        gan: AdversarialLoss,
        features: FeatureNetwork | None,
        losses: ForegroundLosses,
        gromov_wasserstein: GromovWasserstein,
        wasserstein: Wasserstein,
        schedule: Schedule,
        image_size: tuple[int, int],
        crop: Crop,
        config_keys: Sequence[str],
        share: float = 1.0,
    ) -> None:
        self.generated = temporal.generated if temporal is not None else label.generated
        self.judged = temporal.frames if temporal is not None else label.generated
        self.lead = max(label.before, self.judged - self.generated)
        window = self.lead + self.generated + label.after
        super().__init__(
            "foreground",
            request=DataRequest(
                schedule.batch_size, image_size, window, pad=self.lead, crop=crop, batches=schedule.batches
            ),
            epochs=schedule.epochs,
            config_keys=config_keys,
            upstream=[features] if features is not None else [],
            share=share,
        )
        self.generator, self.label, self.quality, self.temporal = generator, label, quality, temporal
        self.gan, self.losses, self.gw, self.ot, self.schedule = gan, losses, gromov_wasserstein, wasserstein, schedule
        self.fusion: Fusion = MaskFusion()

    @property
    def features(self) -> FeatureNetwork:
        """Ψ, kept with the upstream networks: it is not trained and is in no checkpoint."""
        network = self.upstream[0]
        assert isinstance(network, FeatureNetwork)
        return network

    def configure_optimizers(self) -> Any:
        """Generator first, discriminators second."""
        generator, generator_schedule = self.schedule.optimizer(self.generator)
        discriminators, discriminators_schedule = self.schedule.optimizer(self.quality, self.temporal)
        return [generator, discriminators], [generator_schedule, discriminators_schedule]

    def updates(self, batch: MotionBatch) -> Iterator[Update]:
        """Generate, update the discriminators, update the generator."""
        generator_optimizer, discriminator_optimizer = self.optimizer_list()
        scene = self._scene(batch)
        output: Tensor = self.drawn(self.generator, scene.labels)
        fake = output[:, :3]

        judgements = self._discriminator_terms(scene, fake.detach())
        if judgements:
            yield Update(discriminator_optimizer, weighted(judgements), "discriminators")

        with frozen(self.quality, *([self.temporal] if self.temporal is not None else [])):
            terms = self._generator_terms(scene, output)
        yield Update(generator_optimizer, weighted(terms), "generator", self.schedule.clip_norm)
        logged = {f"discriminator_{name}": value for name, (_, value) in judgements.items()}
        self.log_losses(logged | {name: value for name, (_, value) in terms.items()})

    def samples(self, batch: MotionBatch) -> dict[str, Tensor]:
        """The person alone."""
        scene = self._scene(batch)
        return {
            "generated": self.generator(scene.labels)[:, :3],
            "truth": scene.real[:, -self.generated :].flatten(0, 1),
        }

    def _scene(self, batch: MotionBatch) -> _Scene:
        label, n, g = self.label, self.judged, self.generated
        drawings = label.draw(label.fill(batch.motion))
        first, last = self.lead, self.lead + g
        mine = slice(first, last)
        shown = slice(last - n, last)
        stacked = label.stack(drawings[:, first - label.before : last + label.after])
        return _Scene(
            labels=stacked.flatten(0, 1),
            poses=drawings[:, shown],
            real=(batch.images * batch.mask)[:, shown],
            mask=batch.mask[:, mine].flatten(0, 1),
            frames=batch.images[:, mine].flatten(0, 1),
            background=batch.appearance.background.repeat_interleave(g, dim=0),
        )

    def _fake_clip(self, scene: _Scene, fake: Tensor) -> Tensor:
        """The frames that the temporal discriminator sees: real ones where it takes none generated."""
        given = scene.real[:, : self.judged - self.generated]
        return torch.cat((given, fake.unflatten(0, (-1, self.generated))), dim=1)

    def _discriminator_terms(self, scene: _Scene, fake: Tensor) -> dict[str, tuple[float, Tensor]]:
        # Unweighted: Adam takes equal steps whatever the scale.
        terms = {}
        if self.losses.quality or self.losses.feature_matching:
            poses = scene.poses[:, -self.generated :].flatten(0, 1)
            real = scene.real[:, -self.generated :].flatten(0, 1)
            terms["quality"] = (1.0, self.gan.discriminator(*_judge(self.quality, poses, real, fake)))
        if self.temporal is not None and self.losses.temporal:
            clip = self._fake_clip(scene, fake)
            judged = _judge_clips(self.temporal, scene.poses, scene.real, clip)
            terms["temporal"] = (1.0, self.gan.discriminator(*judged))
        return terms

    def _generator_terms(self, scene: _Scene, output: Tensor) -> dict[str, tuple[float, Tensor]]:
        weights, fake = self.losses, output[:, :3]
        poses = scene.poses[:, -self.generated :].flatten(0, 1)
        real = scene.real[:, -self.generated :].flatten(0, 1)
        terms: dict[str, tuple[float, Tensor]] = {}
        if weights.quality or weights.feature_matching:
            judged = self.quality(torch.cat((poses, fake), dim=1))
        if weights.quality:
            terms["quality"] = (weights.quality, self.gan.generator([scale[-1] for scale in judged]))
        if self.temporal is not None and weights.temporal:
            clip = self.temporal(scene.poses, self._fake_clip(scene, fake))
            terms["temporal"] = (weights.temporal, self.gan.generator([scale[-1] for scale in clip]))
        if weights.feature_matching:
            with torch.no_grad():
                wanted = self.quality(torch.cat((poses, real), dim=1))
            terms["feature_matching"] = (weights.feature_matching, feature_matching(wanted, judged))
        if self.gw.weight or self.ot.weight:
            terms |= self._transport_terms(real, fake)
        if weights.l2:
            terms["l2"] = (weights.l2, functional.mse_loss(fake, real))
        if weights.mask and output.shape[1] > 3:
            logits, mask = at_least_float32(output[:, 3:]), at_least_float32(scene.mask)
            terms["mask"] = (weights.mask, functional.binary_cross_entropy_with_logits(logits, mask))
        if weights.l1:
            terms["l1"] = (weights.l1, self._l1(scene, output))
        return terms

    def _transport_terms(self, real: Tensor, fake: Tensor) -> dict[str, tuple[float, Tensor]]:
        terms = {}
        with torch.no_grad():
            wanted = self.features(real)
        found = self.features(fake)
        if self.gw.weight:
            gw = self.gw
            sets = [features[gw.layer].flatten(1) for features in (wanted, found)]
            loss = gromov_wasserstein_loss(
                *(map(gathered, sets) if gw.batch == "gathered" else sets),
                epsilon=gw.epsilon,
                outer_iterations=gw.outer_iterations,
                sinkhorn_iterations=gw.sinkhorn_iterations,
                gradient=gw.gradient,
            )
            terms["gromov_wasserstein"] = (gw.weight, loss)
        if self.ot.weight:
            ot = self.ot
            distance = entropic_wasserstein(
                wanted[ot.layer].flatten(1), found[ot.layer].flatten(1), epsilon=ot.epsilon, iterations=ot.iterations
            )
            terms["wasserstein"] = (ot.weight, distance)
        return terms

    def _l1(self, scene: _Scene, output: Tensor) -> Tensor:
        painted = output[:, :3]
        if output.shape[1] > 3:
            painted = self.fusion(painted, output[:, 3:].sigmoid(), scene.background, scene.labels)
            wanted = scene.frames
        else:
            wanted = scene.frames * scene.mask
        error = (painted - wanted).abs()
        person = spread(scene.mask.sum(), len(scene.mask)).clamp(min=1)
        return error.mean() + (error * scene.mask).sum() / (3 * person)


def _judge(
    discriminator: nn.Module, condition: Tensor, real: Tensor, fake: Tensor
) -> tuple[list[Tensor], list[Tensor]]:
    """Logits of real and fake pairs, in one pass: two passes through a batch norm fail under DDP."""
    pairs = torch.cat((torch.cat((condition, real), dim=1), torch.cat((condition, fake), dim=1)))
    logits = [scale[-1].chunk(2) for scale in discriminator(pairs)]
    return [r for r, _ in logits], [f for _, f in logits]


def _judge_clips(critic: nn.Module, poses: Tensor, real: Tensor, fake: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    logits = [scale[-1].chunk(2) for scale in critic(torch.cat((poses, poses)), torch.cat((real, fake)))]
    return [r for r, _ in logits], [f for _, f in logits]
