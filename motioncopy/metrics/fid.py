"""Fréchet inception distance (FID): how far two sets of frames are apart, as Gaussians in features of Inception."""

from __future__ import annotations

from motioncopy.metrics.clip import Output
from motioncopy.metrics.definition import Definition
from motioncopy.metrics.frechet import FrechetMetric
from motioncopy.metrics.inception import POOL_SIZE, InceptionTF, InceptionTorchvision

_DISTANCE = (
    "|m1 - m2|² + tr C1 + tr C2 - 2 tr (C1 C2)^½ of the means m and the covariances C (n - 1 in the denominator, "
    "float64) of all generated and all real frames' features"
)
_LEAST = (
    "At least 2049 frames on either side: the covariance of n features has at most rank n - 1, so that fewer frames "
    "leave directions without any spread, and the value mostly tells how many frames there were. Its authors ask for "
    "10,000. No confidence interval: every draw of a bootstrap costs a pass over all features and a decomposition of "
    "2048x2048 numbers; the curve over the number of frames shows the larger error instead, which is the bias."
)
_CAUTION = (
    "Biased upwards, by about a constant over the number of frames: only values of equally many frames compare. "
    "Frames of one clip resemble one another and count for less than they are. Blind to the order of frames, and to "
    "who is shown doing what: the generated frames in any order score the same."
)


class _FID(FrechetMetric):
    """FID, of any Inception."""

    size = POOL_SIZE
    # A covariance of 2048 numbers has its full rank with more samples than numbers.
    least = POOL_SIZE + 1
    # An interval would cost a pass over all features and a decomposition for every draw; see the definitions.
    resamples = 0


class FID(_FID):
    """FID as its authors define it: on the Inception of December 2015.

    >>> import torch
    >>> metric = FID()
    >>> metric.add_features(torch.zeros(2, 2048))  # or metric.update(frames, true_frames), where the weights are
    >>> metric.add_features(torch.ones(1, 2048), real=True)
    >>> metric.compute()
    Traceback (most recent call last):
    ...
    motioncopy.errors.BatchError: a covariance needs at least two features. Found: 1.
    """

    output = Output(InceptionTF, "pool")
    definition = Definition(
        key="fid/tf@1",
        title="FID",
        direction="lower",
        unit="",
        source="Heusel et al.: GANs trained by a two time-scale update rule converge to a local Nash equilibrium, "
        "NeurIPS 2017",
        text=(
            f"{_DISTANCE}. The features are the 2048 numbers of the last average pooling of the Inception network of "
            "December 2015 (inception-2015-12-05, converted from TensorFlow), on 8-bit RGB frames resized to 299x299 "
            "as TensorFlow 1 does (bilinear, corners not aligned, half pixels not counted, no filter against "
            f"aliasing) and scaled by (x - 128) / 128. Equals torch-fidelity. {_LEAST}"
        ),
        choice=(
            "C2F-FWN used pytorch-fid: the same network and weights, but the resize counts half pixels and the "
            "scaling is 2 x / 255 - 1, so that its values differ a little. The evaluator of Liquid Warping GAN uses "
            "torchvision's network (fid/torchvision@1). This one is the default because it follows FID's own "
            "definition to the pixel, and most papers' numbers come from this network."
        ),
        caution=_CAUTION,
    )


class FIDTorchvision(_FID):
    """FID as Liquid Warping GAN's evaluator computes it: on torchvision's Inception.

    >>> import torch
    >>> metric = FIDTorchvision()
    >>> metric.add_features(torch.zeros(2, 2048))  # or metric.update(frames, true_frames), where the weights are
    >>> metric.add_features(torch.ones(1, 2048), real=True)
    >>> metric.compute()
    Traceback (most recent call last):
    ...
    motioncopy.errors.BatchError: a covariance needs at least two features. Found: 1.
    """

    output = Output(InceptionTorchvision, "pool")
    definition = Definition(
        key="fid/torchvision@1",
        title="FID (torchvision)",
        direction="lower",
        unit="",
        source="Liu et al.: Liquid Warping GAN, ICCV 2019; its evaluator his_evaluators (svip-lab/impersonator)",
        text=(
            f"{_DISTANCE}. The features are the 2048 numbers of the last average pooling of torchvision's "
            "inception_v3, on 8-bit RGB frames scaled to [-1, 1] and resized to 299x299 bilinearly (corners not "
            f"aligned, half pixels counted, no filter against aliasing). {_LEAST}"
        ),
        choice=(
            "Liquid Warping GAN's evaluator also brings every file to 512x512 with OpenCV before this; here frames "
            "are taken at their own size. Other weights, other poolings and another resize than FID's own "
            "(fid/tf@1): for comparison with that evaluator's numbers only."
        ),
        caution=_CAUTION,
    )
