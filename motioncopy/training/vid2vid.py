"""What vid2vid (Wang et al., 2018) adds to a GAN of sequences: terms on the flow, and temporal discriminators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from motioncopy.losses.pixels import weighted_l1
from motioncopy.nets.discriminators import MultiScaleDiscriminator
from motioncopy.nets.warp import Blended, warp
from motioncopy.training.gan import Comparison, GANLosses

#: There is confidence in a flow where the frame before, warped by it, differs by less (squared, over all channels).
_CONFIDENT = 0.02


@dataclass(frozen=True)
class FlowLosses(GANLosses):
    """Besides those of a GAN, the weights of vid2vid's terms on the predicted flow.

    Attributes:
        feature_matching: As in C2F-FWN's code.
        flow: L1 to the reference flow where that explains the frame.
        warp: L1 of the true frame before, seen through the predicted flow, to the true frame.
        consistency: L1 of the generated frame to the one before, seen through the reference flow, where that has
            confidence.
        weight: Keeps the weight of what is drawn anew small where the flow has confidence.
    """

    feature_matching: float = 10.0
    flow: float = 5.0
    warp: float = 10.0
    consistency: float = 10.0
    weight: float = 1.0


def flow_terms(
    generated: Sequence[Blended],
    real: Sequence[Tensor],
    flows: Sequence[Tensor],
    confidence: Sequence[Tensor],
    frames: range,
) -> dict[str, Callable[[], Tensor]]:
    """vid2vid's terms on the flow and on the weight of what is drawn anew; none for a sequence's first frame.

    Args:
        generated: All frames generated so far.
        real: What they should be.
        flows: Reference flows ``(N, 2, H, W)`` in pixels.
        confidence: See :func:`flow_confidence`, of each frame.
        frames: Which to look at.

    Returns:
        Means over these frames, by the names of :class:`FlowLosses`.
    """
    later = [t for t in frames if t > 0]

    def mean(loss: Callable[[int], Tensor]) -> Callable[[], Tensor]:
        return lambda: torch.stack([loss(t) for t in later]).mean()

    def consistency(t: int) -> Tensor:
        before = warp(generated[t - 1].final.detach(), flows[t])
        return weighted_l1(generated[t].final, before, confidence[t])

    terms = {
        "flow": mean(lambda t: weighted_l1(generated[t].flow, flows[t], confidence[t])),
        "warp": mean(lambda t: functional.l1_loss(warp(real[t - 1], generated[t].flow), real[t])),
        "consistency": mean(consistency),
        "weight": mean(lambda t: (generated[t].weight * confidence[t]).mean()),
    }
    return terms if later else {}


def flow_confidences(images: Tensor, flows: Tensor) -> list[Tensor]:
    """Those of the reference flows of a sequence, a ``(N, 1, H, W)`` a frame; none in the first.

    Args:
        images: ``(N, T, 3, H, W)`` in [-1, 1].
        flows: ``(N, T, 2, H, W)`` in pixels.
    """
    later = [flow_confidence(images[:, t], images[:, t - 1], flows[:, t]) for t in range(1, images.shape[1])]
    return [torch.zeros_like(flows[:, 0, :1]), *later]


def flow_confidence(now: Tensor, before: Tensor, flow: Tensor) -> Tensor:
    """Where a reference flow explains the frame: ``(N, 1, H, W)`` of 0 and 1.

    Args:
        now: ``(N, 3, H, W)`` in [-1, 1].
        before: The frame before.
        flow: ``(N, 2, H, W)`` in pixels.
    """
    error = (now - warp(before, flow)).square().sum(dim=1, keepdim=True)
    return (error < _CONFIDENT).float()


def compose_flows(near: Tensor, far: Tensor) -> Tensor:
    """The flow over two steps: ``near`` from t to t-1, ``far`` from t-1 to t-2, both ``(N, 2, H, W)`` in pixels."""
    return near + warp(far, near)


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
        self.discriminators = nn.ModuleList(
            MultiScaleDiscriminator(3 * channels + 4, num_scales=num_scales, n_layers=n_layers, ndf=ndf)
            for _ in self.skips
        )

    def comparisons(
        self, real: Sequence[Tensor], generated: Sequence[Tensor], flows: Sequence[Tensor], frames: range
    ) -> list[Comparison]:
        """What the discriminators see that have enough frames: the triples that end in these frames.

        Args:
            real: Each ``(N, channels, H, W)``, from the sequence's first frame on.
            generated: The same; what comes behind ``frames`` may be missing.
            flows: Each ``(N, 2, H, W)``, from a frame to the one before.
            frames: Those that are new.
        """
        found = []
        for discriminator, skip in zip(self.discriminators, self.skips, strict=True):
            ends = range(max(frames.start, 2 * skip), frames.stop)
            if ends:
                true, fake = (
                    torch.cat([_triple(side, flows, end, skip) for end in ends]) for side in (real, generated)
                )
                found.append(Comparison(discriminator, true, fake))
        return found


def _triple(frames: Sequence[Tensor], flows: Sequence[Tensor], end: int, skip: int) -> Tensor:
    """Three frames at a distance of ``skip`` and the two flows between them, along the channels."""
    shown = [frames[end - k * skip] for k in (2, 1, 0)]
    return torch.cat([*shown, *(_far(flows, end - k * skip, skip) for k in (1, 0))], dim=1)


def _far(flows: Sequence[Tensor], end: int, steps: int) -> Tensor:
    """The flow from frame ``end`` back over so many steps, in units of 20 pixels as vid2vid hands it on."""
    flow = flows[end]
    for k in range(1, steps):
        flow = compose_flows(flow, flows[end - k])
    return flow / 20
