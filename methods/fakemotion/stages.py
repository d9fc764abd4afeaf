"""FakeMotion's trainings: the foreground GAN (section 2.2), the learned fusion, and the GANs of crops (section 2.3)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from methods.fakemotion.gans import FaceSearch, ForegroundGAN, FusionGAN, LocalGAN
from methods.fakemotion.networks import LearnedFusion, LocalRefiners, MaskFusion
from methods.fakemotion.poses import PoseInput
from motioncopy.batch import MotionBatch
from motioncopy.losses.adversarial import AdversarialLoss
from motioncopy.nets.features import FeatureNetwork
from motioncopy.request import DataRequest
from motioncopy.training.gan import Comparison, FrameGANStage, GANStage, Outputs, Weighted
from motioncopy.training.precision import at_least_float32
from motioncopy.training.processes import spread
from motioncopy.training.updates import Update


@dataclass(frozen=True)
class Windows:
    """A batch of the foreground stage: B windows of n frames, of which the last g are generated.

    Attributes:
        inputs: ``(B * g, C, H, W)``, what the generator sees.
        poses: ``(B, n, c, H, W)``, each frame's own pose, drawn.
        real: ``(B, n, 3, H, W)``, foregrounds.
        mask: ``(B * g, 1, H, W)``.
        frames: ``(B * g, 3, H, W)``, whole frames.
        background: ``(B * g, 3, H, W)``.
    """

    inputs: Tensor
    poses: Tensor
    real: Tensor
    mask: Tensor
    frames: Tensor
    background: Tensor


class ForegroundStage(FrameGANStage[tuple[Windows, Tensor]]):
    """Trains the generator against a quality and a temporal discriminator.

    Args:
        request: Image size and crop.
        pose: Draws the poses.
        foreground: Networks, weights and schedule.
        gan: The form of the adversarial loss.
        features: Ψ; ``None`` where no term needs it.
    """

    def __init__(
        self,
        request: DataRequest,
        *,
        pose: PoseInput,
        foreground: ForegroundGAN,
        gan: AdversarialLoss,
        features: FeatureNetwork | None,
    ) -> None:
        temporal = foreground.temporal
        self.generated = temporal.generated if temporal is not None else pose.generated
        self.shown = temporal.frames if temporal is not None else pose.generated
        self.lead = max(pose.before, self.shown - self.generated)
        super().__init__(
            "foreground",
            foreground,
            gan,
            replace(request, window=self.lead + self.generated + pose.after, pad=self.lead),
            discriminators=nn.ModuleList(d for d in (foreground.discriminator, temporal) if d is not None),
            fixed={"features": features},
            share=6,
        )
        self.pose, self.foreground = pose, foreground

    def windows(self, batch: MotionBatch) -> Windows:
        """What the networks see of a batch, and what they should generate."""
        pose, first, last = self.pose, self.lead, self.lead + self.generated
        drawings = pose.draw(pose.fill(batch.motion))
        generated, shown = slice(first, last), slice(last - self.shown, last)
        return Windows(
            inputs=pose.stack(drawings[:, first - pose.before : last + pose.after]).flatten(0, 1),
            poses=drawings[:, shown],
            real=(batch.images * batch.mask)[:, shown],
            mask=batch.mask[:, generated].flatten(0, 1),
            frames=batch.images[:, generated].flatten(0, 1),
            background=batch.appearance.background.repeat_interleave(self.generated, dim=0),
        )

    def generate(self, batch: MotionBatch) -> tuple[Windows, Tensor]:
        """Foregrounds, and mask logits where the generator predicts a mask."""
        windows = self.windows(batch)
        output: Tensor = self.checkpointed(self.generator, windows.inputs)
        return windows, output

    def comparisons(self, sample: tuple[Windows, Tensor]) -> Iterator[Comparison]:
        """Single foregrounds beside their poses, and clips, which begin with real frames where not all is generated."""
        windows, output = sample
        foreground, temporal = output[:, :3], self.foreground.temporal
        poses, real = self._last(windows.poses), self._last(windows.real)
        yield Comparison(self.foreground.discriminator, real, foreground, poses)
        if temporal is not None:
            clip = self.generated_clip(windows, foreground).flatten(1, 2)
            condition = windows.poses.flatten(1, 2) if temporal.conditional else None
            yield Comparison(temporal, windows.real.flatten(1, 2), clip, condition, term="temporal", matched=False)

    def terms(self, sample: tuple[Windows, Tensor]) -> Mapping[str, Callable[[], Tensor]]:
        """Transport, mask and pixel losses."""
        windows, output = sample
        foreground, real = output[:, :3], self._last(windows.real)
        config, fixed = self.foreground, self.fixed
        terms = {
            "gromov_wasserstein": lambda: config.gromov_wasserstein.loss(fixed["features"], foreground, real),
            "wasserstein": lambda: config.wasserstein.loss(fixed["features"], foreground, real),
            "l2": lambda: functional.mse_loss(foreground, real),
            "l1": lambda: fused_l1(windows, output),
        }
        if output.shape[1] > 3:
            logits, mask = at_least_float32(output[:, 3:]), at_least_float32(windows.mask)
            terms["mask"] = lambda: functional.binary_cross_entropy_with_logits(logits, mask)
        return terms

    def samples(self, batch: MotionBatch) -> dict[str, Tensor]:
        """The person alone."""
        windows, output = self.generate(batch)
        return {"generated": output[:, :3], "truth": self._last(windows.real)}

    def generated_clip(self, windows: Windows, foreground: Tensor) -> Tensor:
        """The generated frames ``(B * g, 3, H, W)`` as ``(B, n, 3, H, W)`` clips, the frames before them being real."""
        given = windows.real[:, : self.shown - self.generated]
        return torch.cat((given, foreground.unflatten(0, (-1, self.generated))), dim=1)

    def _last(self, frames: Tensor) -> Tensor:
        return frames[:, -self.generated :].flatten(0, 1)


def fused_l1(windows: Windows, output: Tensor) -> Tensor:
    """L1 of the fused frame (of the foreground where no mask is predicted), plus the same over the person alone."""
    if output.shape[1] > 3:
        generated: Tensor = MaskFusion()(output[:, :3], output[:, 3:].sigmoid(), windows.background, windows.inputs)
        error = (generated - windows.frames).abs()
    else:
        error = (output - windows.frames * windows.mask).abs()
    person = spread(windows.mask.sum(), len(windows.mask)).clamp(min=1)
    return error.mean() + (error * windows.mask).sum() / (3 * person)


@dataclass(frozen=True)
class FusionInputs:
    """What the fusion network sees, and the frame that it should generate; all ``(B, ., H, W)``."""

    foreground: Tensor
    background: Tensor
    pose: Tensor
    frame: Tensor


class FusionStage(FrameGANStage[tuple[FusionInputs, Tensor]]):
    """Trains a learned fusion on foregrounds that earlier stages generate.

    Args:
        network: The fusion.
        render: Generates the foregrounds with earlier networks, without gradients.
        request: Image size and crop, and windows around one frame each.
        after: The earlier stages.
        face: What ``render`` enhances faces with.
        fusion: Networks, weights and schedule.
        gan: The form of the adversarial loss.
        features: Feature network of the transport term, or ``None``.
    """

    def __init__(
        self,
        network: LearnedFusion,
        render: Callable[[MotionBatch], FusionInputs],
        request: DataRequest,
        after: Sequence[GANStage[Any]],
        *,
        face: FaceSearch | None,
        fusion: FusionGAN,
        gan: AdversarialLoss,
        features: FeatureNetwork | None,
    ) -> None:
        super().__init__(
            "fusion", fusion, gan, request, generator=network, after=after, fixed={"features": features}, share=2
        )
        self.render, self.fusion = render, fusion

    def generate(self, batch: MotionBatch) -> tuple[FusionInputs, Tensor]:
        """Whole frames."""
        with torch.no_grad():
            seen = self.render(batch)
        return seen, self.checkpointed(self.generator, seen.foreground, None, seen.background, seen.pose)

    def comparisons(self, sample: tuple[FusionInputs, Tensor]) -> list[Comparison]:
        """Frames beside their poses."""
        seen, generated = sample
        return [Comparison(self.fusion.discriminator, seen.frame, generated, seen.pose)]

    def terms(self, sample: tuple[FusionInputs, Tensor]) -> Mapping[str, Callable[[], Tensor]]:
        """Transport and pixel losses."""
        seen, generated = sample
        config, fixed = self.fusion, self.fixed
        return {
            "l1": lambda: functional.l1_loss(generated, seen.frame),
            "wasserstein": lambda: config.wasserstein.loss(fixed["features"], generated, seen.frame),
        }

    def samples(self, batch: MotionBatch) -> dict[str, Tensor]:
        """Whole frames."""
        seen, generated = self.generate(batch)
        return {"foreground": seen.foreground, "generated": generated, "truth": seen.frame}


#: From a batch to the images that are refined and those they should become, both ``(B, 3, H, W)``.
Render = Callable[[MotionBatch], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class RefinedCrops:
    """The crops of one body part, with its number among the refiners."""

    part: int
    real: Tensor
    generated: Tensor


class CropStage(FrameGANStage[list[RefinedCrops]]):
    """Trains one residual generator and one discriminator a body part, all parts side by side (equation 15).

    One Adam over all parts is the same as one a part.

    Args:
        name: See :class:`motioncopy.method.Stage`.
        refiners: The residual generators.
        render: Generates images with the networks of earlier stages, without gradients.
        request: Image size and crop, and windows around one frame each, ``pad`` frames before it.
        after: The earlier stages.
        config: Networks, weights and schedule.
        gan: The form of the adversarial loss.
        features: Feature network of the transport term, or ``None``.
    """

    least = 2  # crops, for the norms' sake
    discriminators: nn.ModuleList
    generator: LocalRefiners

    def __init__(
        self,
        name: str,
        refiners: LocalRefiners,
        render: Render,
        request: DataRequest,
        after: Sequence[GANStage[Any]],
        config: LocalGAN,
        gan: AdversarialLoss,
        features: FeatureNetwork | None,
    ) -> None:
        super().__init__(
            name,
            config,
            gan,
            request,
            generator=refiners,
            discriminators=nn.ModuleList(copy.deepcopy(config.discriminator) for _ in refiners.refiners),
            after=after,
            fixed={"features": features, "perceptual": config.perceptual},
        )
        self.render, self.config = render, config

    def generate(self, batch: MotionBatch) -> list[RefinedCrops]:
        """Crops of the parts that at least two frames show: one value a channel has no variance to normalise by."""
        with torch.no_grad():
            images, wanted = self.render(batch)
        motion = self._middle(batch)
        pairs = zip(self.generator.crops(images, motion), self.generator.crops(wanted, motion), strict=True)
        return [
            RefinedCrops(part, real, crops + self.checkpointed(self.generator.refiners[part], crops))
            for part, ((crops, _, _), (real, _, _)) in enumerate(pairs)
            if len(crops) > 1
        ]

    def updates(self, batch: MotionBatch) -> Iterator[Update]:
        """See :class:`motioncopy.training.gan.FrameGANStage`; nothing where no part is seen and nobody waits."""
        sample = self.generate(batch)
        if sample or self.trainer.world_size > 1 or self.parts > 1:
            self.log_losses((yield from self.adversarial_updates(sample)))

    def comparisons(self, sample: list[RefinedCrops]) -> list[Comparison]:
        """Crops alone (equation 15 has no condition)."""
        share = 1 / max(1, len(sample))
        return [Comparison(self.discriminators[c.part], c.real, c.generated, share=share) for c in sample]

    def terms(self, sample: list[RefinedCrops]) -> Mapping[str, Callable[[], Tensor]]:
        """Means over the parts that are seen."""
        config, fixed = self.config, self.fixed

        def mean(loss: Callable[[Tensor, Tensor], Tensor]) -> Callable[[], Tensor]:
            return lambda: torch.stack([loss(c.generated, c.real) for c in sample]).mean()

        terms = {
            "l1": mean(functional.l1_loss),
            "perceptual": mean(lambda generated, real: fixed["perceptual"](generated, real)),
            "wasserstein": mean(lambda generated, real: config.wasserstein.loss(fixed["features"], generated, real)),
        }
        return terms if sample else {}

    def matching(self, real: Outputs, generated: Outputs) -> Tensor:
        """The released code's: mean squared error, the logits too."""
        pairs = [(r, g) for rs, gs in zip(real, generated, strict=True) for r, g in zip(rs, gs, strict=True)]
        return torch.stack([functional.mse_loss(g, r) for r, g in pairs]).mean()

    def discriminator_losses(self, sample: list[RefinedCrops], comparisons: Sequence[Comparison]) -> dict[str, Tensor]:
        """See :class:`motioncopy.training.gan.GANStage`; zero where no part is seen."""
        return super().discriminator_losses(sample, comparisons) if sample else {"adversarial": self._zero()}

    def generator_terms(self, sample: list[RefinedCrops], comparisons: Sequence[Comparison]) -> Weighted:
        """See :class:`motioncopy.training.gan.GANStage`; zero where no part is seen."""
        return super().generator_terms(sample, comparisons) if sample else {"adversarial": (1.0, self._zero())}

    def samples(self, batch: MotionBatch) -> dict[str, Tensor]:
        """What is refined, before and after."""
        images, wanted = self.render(batch)
        return {"before": images, "generated": self.generator(images, self._middle(batch)), "truth": wanted}

    def _middle(self, batch: MotionBatch) -> Any:
        return batch.motion.frames(self.request.pad, self.request.pad + 1)

    def _zero(self) -> Tensor:
        # Every process and part must step even if it has no crop: the sum over no element keeps the graph.
        return sum(
            (p.sum() * 0 for p in self.parameters() if p.requires_grad), start=torch.zeros((), device=self.device)
        )


class FaceStage(CropStage):
    """The released code's face enhancer, trained on blended faces: see :class:`CropStage`."""

    def __init__(
        self,
        refiners: LocalRefiners,
        render: Render,
        request: DataRequest,
        after: Sequence[GANStage[Any]],
        *,
        face: FaceSearch | None,
        face_gan: LocalGAN,
        gan: AdversarialLoss,
        features: FeatureNetwork | None,
    ) -> None:
        super().__init__("face", refiners, render, request, after, face_gan, gan, features)


class LocalStage(CropStage):
    """The local GANs of face, hands and feet: see :class:`CropStage`."""

    def __init__(
        self,
        refiners: LocalRefiners,
        render: Render,
        request: DataRequest,
        after: Sequence[GANStage[Any]],
        *,
        face: FaceSearch | None,
        local: LocalGAN,
        gan: AdversarialLoss,
        features: FeatureNetwork | None,
    ) -> None:
        super().__init__("local", refiners, render, request, after, local, gan, features)
