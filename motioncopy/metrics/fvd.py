"""Fréchet video distance (FVD): how far two sets of videos are apart, as Gaussians in features of I3D."""

from __future__ import annotations

from motioncopy.metrics.definition import Definition
from motioncopy.metrics.extractor import Output
from motioncopy.metrics.feature_metric import FrechetMetric
from motioncopy.metrics.i3d import CLASSES
from motioncopy.metrics.i3d_features import I3DWindows16, I3DWindows30

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
    """Windows of 16 frames side by side."""

    output = Output(I3DWindows16, "blocks")
    definition = _definition(16, sliding=False)


class FVD16Sliding(_FVD):
    """Windows of 16 frames from every frame on."""

    output = Output(I3DWindows16, "sliding")
    definition = _definition(16, sliding=True)


class FVD30(_FVD):
    """Windows of 30 frames side by side: CPF-Net's length."""

    output = Output(I3DWindows30, "blocks")
    definition = _definition(30, sliding=False)


class FVD30Sliding(_FVD):
    """Windows of 30 frames from every frame on."""

    output = Output(I3DWindows30, "sliding")
    definition = _definition(30, sliding=True)
