"""Fréchet video distance (FVD): how far two sets of videos are apart, as Gaussians in features of I3D."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from motioncopy.errors import WeightsError
from motioncopy.metrics.clip import Extractor, Network, Output, Provider, Stream, published
from motioncopy.metrics.definition import Definition
from motioncopy.metrics.frechet import FrechetMetric
from motioncopy.metrics.i3d import CLASSES, I3D, SIZE, state_dict_of
from motioncopy.metrics.inception import exact

#: Names of the weights in :mod:`motioncopy.weights`: two conversions of the same file; the first that is there serves.
WEIGHTS = ("i3d-kinetics-400", "i3d-kinetics-400-hassony2")
# Windows that go through the network together.
_TOGETHER = 4


def load(networks: Provider) -> tuple[str, Network]:
    """The weights of I3D that are there, and their name.

    Raises:
        WeightsError: If neither of the two files is on this machine; the message is that of the first.

    >>> load(lambda name: Network({}, f"the file {name}"))[0]
    'i3d-kinetics-400'
    """
    errors = []
    for name in WEIGHTS:
        try:
            return name, networks(name)
        except WeightsError as error:
            errors.append(error)
    raise errors[0]


@lru_cache(maxsize=2)  # windows of 16 and of 30 frames share one network
def _network(networks: Provider) -> I3D:
    network = I3D()
    network.load_state_dict(state_dict_of(load(networks)[1].state))
    return network.requires_grad_(False).eval()


def preprocess(frames: Tensor) -> Tensor:
    """Frames as I3D sees them: resized to 224x224 and scaled to [-1, 1].

    Bilinear, corners not aligned, without a filter against aliasing; the frame's shape is not kept.

    Args:
        frames: ``(n, 3, H, W)`` uint8 RGB.

    Returns:
        ``(n, 3, 224, 224)`` float32.

    >>> seen = preprocess(torch.zeros(2, 3, 64, 32, dtype=torch.uint8))
    >>> seen.shape, seen.unique()
    (torch.Size([2, 3, 224, 224]), tensor([-1.]))
    """
    resized = interpolate(frames.float(), SIZE, mode="bilinear", align_corners=False, antialias=False)
    return resized / 127.5 - 1


class _I3DWindows(Extractor):
    """Scores of windows: ``blocks`` of windows side by side, ``sliding`` from every frame on."""

    outputs = ("blocks", "sliding")
    length: ClassVar[int]

    def __init__(self, networks: Provider = published, *, wanted: frozenset[str] = frozenset()) -> None:
        super().__init__(networks, wanted=wanted)
        name, found = load(networks)
        self.identities = {name: found.identity}
        self.network = _network(networks)

    def start(self) -> Stream:
        """See :meth:`Extractor.start`."""
        return _Windows(self)

    def scores(self, windows: Tensor) -> Tensor:
        """``(m, 3, length, 224, 224)`` to ``(m, 400)``."""
        network = self.network.to(windows.device)
        with exact(windows.device):
            parts = [network(part) for part in windows.split(_TOGETHER) if len(part)]
        return torch.cat([torch.empty(0, CLASSES, device=windows.device), *parts])


class _Windows:
    """One video: keeps the frames that windows still to come begin with."""

    def __init__(self, owner: _I3DWindows) -> None:
        self._owner, self._step = owner, 1 if "sliding" in owner.wanted else owner.length
        self._frames = torch.empty(0, 3, *SIZE)
        self._first = 0  # number of the first kept frame, which the next window begins with

    def update(self, frames: Tensor) -> Mapping[str, Tensor]:
        """See :meth:`Stream.update`."""
        length, wanted = self._owner.length, self._owner.wanted
        found: dict[str, list[Tensor]] = {name: [] for name in wanted}
        self._frames = self._frames.to(frames.device)
        # Few frames at a time, so that a long chunk does not take more memory than a short one.
        for part in frames.split(length):
            self._frames = torch.cat([self._frames, preprocess(part)])
            starts = range(0, len(self._frames) - length + 1, self._step)
            if not starts:
                continue
            windows = torch.stack([self._frames[s : s + length].transpose(0, 1) for s in starts])
            rows = self._owner.scores(windows)
            beside = torch.tensor([(self._first + s) % length == 0 for s in starts], device=rows.device)
            for name, kept in found.items():
                kept.append(rows if name == "sliding" else rows[beside])
            done = starts[-1] + self._step
            self._frames, self._first = self._frames[done:].clone(), self._first + done
        empty = torch.empty(0, CLASSES, device=frames.device)
        return {name: torch.cat([empty, *kept]) for name, kept in found.items()}


class I3DWindows16(_I3DWindows):
    """Windows of 16 frames.

    >>> network = Network(I3D().state_dict(), "random")
    >>> extractor = I3DWindows16(lambda name: network, wanted=frozenset({"blocks"}))
    >>> stream = extractor.start()
    >>> stream.update(torch.zeros(9, 3, 8, 8, dtype=torch.uint8))["blocks"].shape  # no window is whole yet
    torch.Size([0, 400])
    """

    name = "i3d_16"
    length = 16


class I3DWindows30(_I3DWindows):
    """Windows of 30 frames.

    >>> network = Network(I3D().state_dict(), "random")
    >>> extractor = I3DWindows30(lambda name: network, wanted=frozenset({"blocks"}))
    >>> stream = extractor.start()
    >>> stream.update(torch.zeros(9, 3, 8, 8, dtype=torch.uint8))["blocks"].shape  # no window is whole yet
    torch.Size([0, 400])
    """

    name = "i3d_30"
    length = 30


# -- the metric ------------------------------------------------------------------------------------------------------

_SOURCE = (
    "Unterthiner et al.: Towards accurate generative models of video, arXiv 1812.01717; network: Carreira and "
    "Zisserman: Quo vadis, action recognition?, CVPR 2017"
)
_CHOICE = (
    "The authors score clips of 16 frames, each of another video; CPF-Net takes 30 consecutive frames of each of 22 "
    "test videos, and the evaluation code asks for a multiple of 16 videos, which the paper leaves unexplained. "
    "Fewer windows than the 400 numbers of a feature leave its covariance singular, so all windows of a video count. "
    "16 frames side by side are the default: as its authors define it, and each frame counts once. Windows from every "
    "frame on (sliding) are more, but hold the same frames many times."
)
_CAUTION = (
    "Biased upwards by few windows: only values of equally many compare, and the curve over their number belongs to "
    "the value. Windows of one video resemble one another. I3D sees what is shown more than how it moves: a change of "
    "colours can cost more than a jerky motion."
)


def _definition(length: int, *, sliding: bool) -> Definition:
    where = "from every frame on" if sliding else "side by side, a rest at the end left out"
    return Definition(
        key=f"fvd/i3d_{length}{'_sliding' if sliding else ''}@1",
        title=f"FVD ({length} frames{', sliding' if sliding else ''})",
        direction="lower",
        unit="",
        source=_SOURCE,
        text=(
            "|m1 - m2|² + tr C1 + tr C2 - 2 tr (C1 C2)^½ of the means m and the covariances C (n - 1 in the "
            f"denominator, float64) of the features of all windows of {length} frames, {where}. The features are the "
            "400 scores of Inception-I3D (RGB, ImageNet then Kinetics-400), averaged over time before the softmax, of "
            "8-bit frames resized to 224x224 (bilinear, half pixels counted, no filter against aliasing, the frame's "
            "shape not kept) and scaled to [-1, 1]. At least 16 windows on either side. The interval is 1.96 standard "
            "errors of a bootstrap over clips to either side. The evaluations in PyTorch that papers use resize like "
            "this; the original, in TensorFlow 1, does not count half pixels."
        ),
        choice=_CHOICE,
        caution=_CAUTION,
    )


class _FVD(FrechetMetric):
    """FVD of any windows."""

    size = CLASSES
    samples = "windows"
    least = 16
    resamples = 100


class FVD16(_FVD):
    """Windows of 16 frames side by side.

    >>> metric = FVD16()
    >>> metric.add_features(torch.zeros(2, 400))  # or metric.update(frames, true_frames), where the weights are
    >>> metric.add_features(torch.ones(2, 400), real=True)
    >>> metric.compute()
    tensor(400., dtype=torch.float64)
    """

    output = Output(I3DWindows16, "blocks")
    definition = _definition(16, sliding=False)


class FVD16Sliding(_FVD):
    """Windows of 16 frames from every frame on.

    >>> metric = FVD16Sliding()
    >>> metric.add_features(torch.zeros(2, 400))  # or metric.update(frames, true_frames), where the weights are
    >>> metric.add_features(torch.ones(2, 400), real=True)
    >>> metric.compute()
    tensor(400., dtype=torch.float64)
    """

    output = Output(I3DWindows16, "sliding")
    definition = _definition(16, sliding=True)


class FVD30(_FVD):
    """Windows of 30 frames side by side: CPF-Net's length.

    >>> metric = FVD30()
    >>> metric.add_features(torch.zeros(2, 400))  # or metric.update(frames, true_frames), where the weights are
    >>> metric.add_features(torch.ones(2, 400), real=True)
    >>> metric.compute()
    tensor(400., dtype=torch.float64)
    """

    output = Output(I3DWindows30, "blocks")
    definition = _definition(30, sliding=False)


class FVD30Sliding(_FVD):
    """Windows of 30 frames from every frame on.

    >>> metric = FVD30Sliding()
    >>> metric.add_features(torch.zeros(2, 400))  # or metric.update(frames, true_frames), where the weights are
    >>> metric.add_features(torch.ones(2, 400), real=True)
    >>> metric.compute()
    tensor(400., dtype=torch.float64)
    """

    output = Output(I3DWindows30, "sliding")
    definition = _definition(30, sliding=True)
