"""The losses of the three networks (section 3.1, equations 6 to 10), and those of vid2vid that they take over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from methods.remot.networks import Blended
from motioncopy.errors import BatchError, ConfigError
from motioncopy.losses.adversarial import AdversarialLoss
from motioncopy.losses.feature_matching import feature_matching
from motioncopy.nets.discriminators import MultiScaleDiscriminator
from motioncopy.nets.features import FeatureNetwork
from motioncopy.nets.warp import warp
from motioncopy.training.precision import at_least_float32
from motioncopy.training.processes import spread

#: vid2vid trusts a flow where the frame before, warped by it, differs by less: squared, summed over the channels.
_TRUSTED = 0.02
_TINY = 1e-6


class ContentAndStyle(nn.Module):
    """Equation 7: L1 of features and of their Gram matrices, summed over layers.

    Args:
        features: Frozen; VGG-19 in the paper.
        weights: Layer name to weight; a layer of weight 0 is not looked at.

    Raises:
        ConfigError: If a layer is not among those of ``features``.
    """

    def __init__(self, features: FeatureNetwork, weights: Mapping[str, float]) -> None:
        super().__init__()
        self.features, self.weights = features, {layer: weight for layer, weight in weights.items() if weight}
        if not self.weights or not self.weights.keys() <= set(features.layers):
            raise ConfigError(
                "the perceptual term weighs layers that its network does not give",
                expected=f"some of {', '.join(features.layers)}",
                found=", ".join(self.weights) or "none",
            )

    def forward(self, generated: Tensor, real: Tensor) -> Tensor:
        """The loss of images ``(N, 3, H, W)`` in [-1, 1]; no gradient flows to ``real``."""
        with torch.no_grad():
            wanted = self.features(real)
        found = self.features(generated)
        terms = [
            weight * (functional.l1_loss(found[k], wanted[k]) + functional.l1_loss(gram(found[k]), gram(wanted[k])))
            for k, weight in self.weights.items()
        ]
        return torch.stack(terms).sum()


def gram(features: Tensor) -> Tensor:
    """Products of channels over all places, divided by their number: ``(N, C, h, w)`` to ``(N, C, C)``."""
    # In float32 whatever autocast says: the sums over all places are beyond half precision.
    with torch.autocast(features.device.type, enabled=False):
        flat = at_least_float32(features).flatten(2)
        return flat @ flat.transpose(1, 2) / flat[0].numel()


def likelihood(layout: Tensor, wanted: Tensor) -> Tensor:
    """Negative log-likelihood of the wanted classes, the mean over pixels.

    Args:
        layout: ``(N, 6, H, W)`` probabilities.
        wanted: ``(N, 6, H, W)`` one-hot.
    """
    return -((layout * wanted).sum(dim=1).clamp_min(_TINY).log()).mean()


def trusted(now: Tensor, before: Tensor, flow: Tensor) -> Tensor:
    """Where a reference flow explains the frame: ``(N, 1, H, W)`` of 0 and 1.

    Args:
        now: ``(N, 3, H, W)`` in [-1, 1].
        before: The frame before.
        flow: ``(N, 2, H, W)`` in pixels.
    """
    error = (now - warp(before, flow)).square().sum(dim=1, keepdim=True)
    return (error < _TRUSTED).float()


def masked_l1(found: Tensor, wanted: Tensor, mask: Tensor) -> Tensor:
    """L1 where the mask is set, as a mean over all places: what is not trusted counts nothing."""
    return ((found - wanted).abs() * mask).mean()


def inside(found: Tensor, wanted: Tensor, mask: Tensor) -> Tensor:
    """L1 as a mean over what the mask covers: ``(N, 3, H, W)`` and ``(N, 1, H, W)``."""
    pixels = spread(mask.sum(), len(mask))
    return ((found - wanted).abs() * mask).sum() / (found.shape[1] * pixels).clamp_min(1)


def compose(near: Tensor, far: Tensor) -> Tensor:
    """The flow over two steps: ``near`` from t to t-1, ``far`` from t-1 to t-2, both ``(N, 2, H, W)`` in pixels."""
    return near + warp(far, near)


@dataclass(frozen=True)
class Judged:
    """What a discriminator says of the real and of the generated."""

    real: list[list[Tensor]]
    fake: list[list[Tensor]]

    @property
    def logits(self) -> tuple[list[Tensor], list[Tensor]]:
        """Those of the real and of the generated, a tensor a scale."""
        return [scale[-1] for scale in self.real], [scale[-1] for scale in self.fake]


def judge(discriminator: nn.Module, condition: Tensor | None, real: Tensor, fake: Tensor) -> Judged:
    """Both in one pass: two passes through a batch norm fail under DDP.

    Raises:
        BatchError: If real and generated images are not as many: a wrong half would pass for the other.
    """
    if len(real) != len(fake):
        raise BatchError("a discriminator sees pairs", expected=f"{len(real)} generated images", found=len(fake))
    if condition is not None:
        real, fake = (torch.cat((condition, images), dim=1) for images in (real, fake))
    maps = [[layer.chunk(2) for layer in scale] for scale in discriminator(torch.cat((real, fake)))]
    return Judged([[r for r, _ in scale] for scale in maps], [[f for _, f in scale] for scale in maps])


class TemporalDiscriminators(nn.Module):
    """vid2vid's D_T: sees three frames and the flows between them, at several distances in time.

    Args:
        channels: Of a frame.
        skips: Distances between neighbouring frames.
        num_scales: See :class:`motioncopy.nets.discriminators.MultiScaleDiscriminator`.
        n_layers: Likewise.
        ndf: Likewise.
    """

    def __init__(
        self,
        channels: int,
        *,
        skips: Sequence[int] = (1, 3, 9),
        num_scales: int = 2,
        n_layers: int = 3,
        ndf: int = 32,
    ) -> None:
        super().__init__()
        self.skips = tuple(skips)
        self.judges = nn.ModuleList(
            MultiScaleDiscriminator(3 * channels + 4, num_scales=num_scales, n_layers=n_layers, ndf=ndf)
            for _ in self.skips
        )

    def triples(self, frames: Sequence[Tensor], flows: Sequence[Tensor], start: int, stop: int) -> list[Tensor | None]:
        """What each judge sees: the triples that end in frames ``start`` to ``stop``; ``None`` where there is none.

        Args:
            frames: Each ``(N, channels, H, W)``, from the sequence's first on.
            flows: Each ``(N, 2, H, W)``, from a frame to the one before.
            start: The first frame that is new.
            stop: One past the last.
        """
        found: list[Tensor | None] = []
        for skip in self.skips:
            ends = range(max(start, 2 * skip), stop)
            rows = [
                torch.cat(
                    [*(frames[e - k * skip] for k in (2, 1, 0)), *(_far(flows, e - k * skip, skip) for k in (1, 0))],
                    dim=1,
                )
                for e in ends
            ]
            found.append(torch.cat(rows) if rows else None)
        return found

    def judge(self, real: Sequence[Tensor | None], fake: Sequence[Tensor | None]) -> list[Judged]:
        """What the judges say that have something to see."""
        return [
            judge(judge_, None, r, f)
            for judge_, r, f in zip(self.judges, real, fake, strict=True)
            if r is not None and f is not None
        ]


def _far(flows: Sequence[Tensor], end: int, steps: int) -> Tensor:
    """The flow from frame ``end`` back over so many steps, in units of 20 pixels as vid2vid hands it on."""
    flow = flows[end]
    for k in range(1, steps):
        flow = compose(flow, flows[end - k])
    return flow / 20


@dataclass(frozen=True)
class Fooling:
    """Weights of the terms that a discriminator gives the generator; a term of weight 0 is not computed.

    Attributes:
        adversarial: What the discriminators say.
        feature_matching: L1 of their features.
    """

    adversarial: float = 1.0
    feature_matching: float = 10.0


def fooling(weights: Fooling, gan: AdversarialLoss, judged: Sequence[Judged]) -> dict[str, tuple[float, Tensor]]:
    """The generator's adversarial and feature matching terms, summed over the judges as in vid2vid."""
    terms: dict[str, tuple[float, Tensor]] = {}
    if weights.adversarial and judged:
        fooled = torch.stack([gan.generator(j.logits[1]) for j in judged]).sum()
        terms["adversarial"] = (weights.adversarial, fooled)
    if weights.feature_matching and judged:
        matched = torch.stack([feature_matching(j.real, j.fake) for j in judged]).sum()
        terms["feature_matching"] = (weights.feature_matching, matched)
    return terms


def telling(gan: AdversarialLoss, judged: Sequence[Judged]) -> Tensor:
    """The discriminators' loss, summed over the judges."""
    return torch.stack([gan.discriminator(*j.logits) for j in judged]).sum()


@dataclass(frozen=True)
class FlowLosses(Fooling):
    """Besides those of :class:`Fooling`, the weights of vid2vid's terms on the predicted flow.

    Attributes:
        flow: L1 to the reference flow where that explains the frame.
        warp: L1 of the true frame before, seen through the predicted flow, to the true frame.
        consistency: L1 of the drawn frame to the drawn frame before, seen through the reference flow, where that can be
            trusted.
        weight: Keeps the weight of what is drawn anew small where the flow can be trusted.
    """

    flow: float = 5.0
    warp: float = 10.0
    consistency: float = 10.0
    weight: float = 1.0


def flow_terms(
    weights: FlowLosses,
    drawn: Sequence[Blended],
    real: Sequence[Tensor],
    flows: Sequence[Tensor],
    confidence: Sequence[Tensor],
    frames: range,
) -> dict[str, tuple[float, Tensor]]:
    """vid2vid's terms on the flow and on the weight of what is drawn anew; none for a sequence's first frame.

    Args:
        weights: Of the terms.
        drawn: All frames drawn so far.
        real: What they should be.
        flows: Reference flows ``(N, 2, H, W)`` in pixels.
        confidence: ``(N, 1, H, W)``: where those can be trusted.
        frames: Which to look at.
    """
    later = [t for t in frames if t > 0]
    terms: dict[str, tuple[float, Tensor]] = {}
    if weights.flow and later:
        errors = [masked_l1(drawn[t].flow, flows[t], confidence[t]) for t in later]
        terms["flow"] = (weights.flow, torch.stack(errors).mean())
    if weights.warp and later:
        errors = [functional.l1_loss(warp(real[t - 1], drawn[t].flow), real[t]) for t in later]
        terms["warp"] = (weights.warp, torch.stack(errors).mean())
    if weights.consistency and later:
        errors = [masked_l1(drawn[t].final, warp(drawn[t - 1].final.detach(), flows[t]), confidence[t]) for t in later]
        terms["consistency"] = (weights.consistency, torch.stack(errors).mean())
    if weights.weight and later:
        excess = [(drawn[t].weight * confidence[t]).mean() for t in later]
        terms["weight"] = (weights.weight, torch.stack(excess).mean())
    return terms


def confidences(images: Tensor, flows: Tensor) -> list[Tensor]:
    """Where the reference flows of a sequence can be trusted, a ``(N, 1, H, W)`` a frame; nowhere in the first.

    Args:
        images: ``(N, T, 3, H, W)`` in [-1, 1].
        flows: ``(N, T, 2, H, W)`` in pixels.
    """
    later = [trusted(images[:, t], images[:, t - 1], flows[:, t]) for t in range(1, images.shape[1])]
    return [torch.zeros_like(flows[:, 0, :1]), *later]


def detached(drawn: Blended) -> Blended:
    """The same without a gradient."""
    warped = drawn.warped.detach() if drawn.warped is not None else None
    return Blended(drawn.raw.detach(), drawn.flow.detach(), drawn.weight.detach(), warped, drawn.final.detach())
