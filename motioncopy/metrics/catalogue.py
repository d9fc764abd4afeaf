"""Every metric of the project, in the order of the tables' columns."""

from __future__ import annotations

from collections.abc import Sequence

from motioncopy.errors import ConfigError
from motioncopy.metrics.definition import Definition
from motioncopy.metrics.face_similarity import FaceSimilarity
from motioncopy.metrics.feature_distances import FrechetFeatureDistance, VideoFeatureDistance
from motioncopy.metrics.features import SetMetric
from motioncopy.metrics.fid import FID, FIDTorchvision
from motioncopy.metrics.fvd import FVD16, FVD30, FVD16Sliding, FVD30Sliding
from motioncopy.metrics.inception_score import InceptionScore, InceptionScoreFeatures
from motioncopy.metrics.kid import KID
from motioncopy.metrics.lpips import LPIPS, VGGLPIPS
from motioncopy.metrics.masked import MaskPSNR, MaskSSIM, ZeroFilledMaskPSNR
from motioncopy.metrics.metric import ClipMetric
from motioncopy.metrics.ms_ssim import MSSSIM
from motioncopy.metrics.perceptual import PerceptualDistance
from motioncopy.metrics.pose_error import MissingJoints, PoseError, TruthMissingJoints, TruthPoseError
from motioncopy.metrics.psnr import PSNR
from motioncopy.metrics.sharpness import SD, ScriptPSNR, ScriptSD
from motioncopy.metrics.ssim import LWGANSSIM, SSIM, UniformSSIM
from motioncopy.metrics.tcm import TCM_DEFAULTS, TCM_METRICS, TCM_RATIOS

Kind = type[ClipMetric] | type[SetMetric]

_ALL: tuple[Kind, ...] = (
    SSIM,
    UniformSSIM,
    LWGANSSIM,
    MSSSIM,
    PSNR,
    ScriptPSNR,
    MaskSSIM,
    MaskPSNR,
    ZeroFilledMaskPSNR,
    SD,
    ScriptSD,
    PerceptualDistance,
    FrechetFeatureDistance,
    VideoFeatureDistance,
    LPIPS,
    VGGLPIPS,
    FID,
    FIDTorchvision,
    KID,
    InceptionScore,
    InceptionScoreFeatures,
    FVD16,
    FVD16Sliding,
    FVD30,
    FVD30Sliding,
    *TCM_METRICS,
    *TCM_RATIOS,
    PoseError,
    MissingJoints,
    TruthPoseError,
    TruthMissingJoints,
    FaceSimilarity,
)
#: By key.
METRICS: dict[str, Kind] = {m.definition.key: m for m in _ALL}
#: One of every family: what is computed unless somebody asks for something else.
DEFAULTS: tuple[str, ...] = (
    *(m.definition.key for m in (SSIM, MSSSIM, PSNR, MaskSSIM, MaskPSNR, SD)),
    *(m.definition.key for m in (PerceptualDistance, FrechetFeatureDistance, VideoFeatureDistance)),
    *(m.definition.key for m in (LPIPS, FID, KID, InceptionScore, FVD16)),
    *TCM_DEFAULTS,
    PoseError.definition.key,
    MissingJoints.definition.key,
    FaceSimilarity.definition.key,
)


def metric(key: str) -> Kind:
    """The metric of this key.

    Raises:
        ConfigError: If there is none; the message lists the known ones.

    >>> metric("psnr/frame@1").__name__
    'PSNR'
    """
    if key not in METRICS:
        raise ConfigError(f"unknown metric {key!r}", expected=f"one of {', '.join(METRICS)}")
    return METRICS[key]


def select(names: Sequence[str]) -> list[str]:
    """The keys that names stand for, in the catalogue's order.

    Args:
        names: ``default``, ``all``, a family (``ssim``: all of its variants), ``ssim/gaussian`` or a whole key.

    Raises:
        ConfigError: If a name stands for nothing; the message lists what there is.

    >>> select(["psnr", "ssim/gaussian"])
    ['ssim/gaussian@1', 'psnr/frame@1', 'psnr/script@1']
    """
    chosen: set[str] = set()
    for name in names:
        found = {
            key
            for key in METRICS
            if name in ("all", key, key.partition("@")[0], key.partition("/")[0])
            or (name == "default" and key in DEFAULTS)
        }
        if not found:
            families = ", ".join(dict.fromkeys(key.partition("/")[0] for key in METRICS))
            raise ConfigError(f"unknown metric {name!r}", expected=f"default, all, one of {families}, or a key of them")
        chosen |= found
    return [key for key in METRICS if key in chosen]


def definition(key: str) -> Definition:
    """The written definition of this key.

    Raises:
        ConfigError: If there is none.

    >>> definition("psnr/frame@1").title
    'PSNR'
    """
    return metric(key).definition
