"""The training of FakeMotion's foreground GAN (section 2.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from methods.fakemotion.networks import TemporalDiscriminator
from motioncopy.batch import MotionBatch
from motioncopy.losses.adversarial import AdversarialLoss
from motioncopy.losses.transport import GromovWasserstein, Wasserstein
from motioncopy.nets.features import FeatureNetwork
from motioncopy.nets.fusion import lay_over
from motioncopy.poses.windows import PoseInput
from motioncopy.request import DataRequest
from motioncopy.training.gan import Comparison, FrameGANStage, GANConfig, GANLosses
from motioncopy.training.precision import at_least_float32
from motioncopy.training.processes import spread


@dataclass(frozen=True)
class ForegroundLosses(GANLosses):
    """Weights of the foreground generator's terms; a term of weight 0 is not computed.

    Attributes:
        adversarial: By the quality discriminator (equation 13).
        temporal: Adversarial, by the temporal discriminator (equation 14).
        gromov_wasserstein: See :class:`GromovWasserstein`; it needs a feature network.
        wasserstein: See :class:`Wasserstein` (released code); it needs a feature network.
        mask: Binary cross entropy of the predicted mask, where the generator predicts one.
        l2: Mean squared error of the foreground (table 2's "L2 loss").
        l1: Mean absolute error of the fused frame plus the same over the person alone (not in the paper).
        feature_matching: Of the quality discriminator's features (not in the paper).
    """

    temporal: float = 1.0
    gromov_wasserstein: float = 0.0
    wasserstein: float = 0.0
    mask: float = 10.0
    l2: float = 0.0
    l1: float = 0.0


@dataclass(frozen=True)
class ForegroundGAN(GANConfig):
    """From poses to foregrounds (section 2.2).

    Attributes:
        generator: From pose inputs to a foreground; with a fourth channel, to a mask as well.
        discriminator: The quality discriminator D_q; sees (pose, foreground).
        on_frame: Whether D_q sees the frame, fused by the predicted mask, in place of the foreground (not in the
            paper): it then judges the person's edge as it is seen.
        temporal: The temporal discriminator D_t, or ``None`` (table 1's TD).
        losses: Weights.
        gromov_wasserstein: How the Gromov-Wasserstein term is computed.
        wasserstein: How the released code's transport term is computed.
    """

    on_frame: bool = False
    temporal: TemporalDiscriminator | None = None
    losses: ForegroundLosses = field(default_factory=ForegroundLosses)
    gromov_wasserstein: GromovWasserstein = field(default_factory=GromovWasserstein)
    wasserstein: Wasserstein = field(default_factory=Wasserstein)


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
        if self.foreground.on_frame:
            fused = lay_over(foreground, output[:, 3:].sigmoid(), windows.background)
            yield Comparison(self.foreground.discriminator, windows.frames, fused, poses)
        else:
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
        generated = lay_over(output[:, :3], output[:, 3:].sigmoid(), windows.background)
        error = (generated - windows.frames).abs()
    else:
        error = (output - windows.frames * windows.mask).abs()
    person = spread(windows.mask.sum(), len(windows.mask)).clamp(min=1)
    return error.mean() + (error * windows.mask).sum() / (3 * person)
