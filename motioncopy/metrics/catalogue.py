"""Every metric of the project, in the order of the tables' columns."""

from __future__ import annotations

from motioncopy.errors import ConfigError
from motioncopy.metrics.definition import Definition
from motioncopy.metrics.frame_metric import FrameMetric
from motioncopy.metrics.lpips import LPIPS
from motioncopy.metrics.masked import MaskPSNR, MaskSSIM
from motioncopy.metrics.psnr import PSNR
from motioncopy.metrics.ssim import SSIM

METRICS: dict[str, type[FrameMetric]] = {m.definition.key: m for m in (SSIM, PSNR, MaskSSIM, MaskPSNR, LPIPS)}


def metric(key: str) -> type[FrameMetric]:
    """The metric of this key.

    Raises:
        ConfigError: If there is none; the message lists the known ones.
    """
    if key not in METRICS:
        raise ConfigError(f"unknown metric {key!r}", expected=f"one of {', '.join(METRICS)}")
    return METRICS[key]


def definition(key: str) -> Definition:
    """The written definition of this key.

    Raises:
        ConfigError: If there is none.
    """
    return metric(key).definition
