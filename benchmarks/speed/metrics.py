"""Milliseconds a frame of the pixel metrics against torchmetrics, scikit-image and NumPy, in one run.

    python -m benchmarks.speed.metrics [--size 256] [--batch 8] [--threads 1]

Every implementation gets what it asks for (uint8 or float32 tensors, or arrays) ready made: conversions that it does
itself count. Only ratios mean anything.
"""

from __future__ import annotations

import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure as torchmetrics_ms_ssim
from torchmetrics.functional.image import peak_signal_noise_ratio as torchmetrics_psnr
from torchmetrics.functional.image import structural_similarity_index_measure as torchmetrics_ssim

from benchmarks.audit.cases import Frames
from benchmarks.audit.references import references
from benchmarks.speed.harness import Calls, compare, options, set_threads
from motioncopy.metrics.masked import mask_psnr, mask_ssim
from motioncopy.metrics.ms_ssim import SMALLEST, ms_ssim
from motioncopy.metrics.psnr import psnr
from motioncopy.metrics.sharpness import script_sharpness_difference, sharpness_difference
from motioncopy.metrics.ssim import ssim, uniform_ssim

OURS = "motioncopy"


def frames(batch: int, size: int) -> tuple[Tensor, Tensor]:
    """Smooth frames and noisy copies of them, ``(batch, 3, size, size)`` uint8."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(batch, 3, 8, 8, generator=generator) * 255
    truth = torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic").clamp(0, 255)
    noisy = (truth + 10 * torch.randn(truth.shape, generator=generator)).clamp(0, 255)
    return noisy.to(torch.uint8), truth.to(torch.uint8)


def implementations(batch: int, size: int) -> dict[str, Calls]:
    """By metric, what is timed: ours first."""
    x, y = frames(batch, size)
    x_float, y_float = x.float(), y.float()
    pairs = list(zip(x.numpy(), y.numpy(), strict=True))
    mask = torch.zeros(batch, 1, size, size, dtype=torch.uint8)
    mask[..., size // 4 : -size // 4] = 255
    opposite = 255 - y
    sharpness_by_numpy = references()["sd/formula@1"].values
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "channel_axis": 0}
    calls: dict[str, Calls] = {
        "SSIM": {
            OURS: lambda: ssim(x, y),
            "torchmetrics": lambda: torchmetrics_ssim(x_float, y_float, data_range=255.0),
            "scikit-image": lambda: [structural_similarity(a, b, data_range=255, **window) for a, b in pairs],
        },
        "SSIM, uniform": {
            OURS: lambda: uniform_ssim(x, y),
            f"{OURS}, far apart": lambda: uniform_ssim(opposite, y),
            "scikit-image": lambda: [structural_similarity(a, b, data_range=255, channel_axis=0) for a, b in pairs],
        },
        "PSNR": {
            OURS: lambda: psnr(x, y),
            "torchmetrics": lambda: torchmetrics_psnr(
                x_float, y_float, data_range=255.0, dim=(1, 2, 3), reduction="none"
            ),
            "scikit-image": lambda: [peak_signal_noise_ratio(b, a, data_range=255) for a, b in pairs],
        },
        "Mask-SSIM": {OURS: lambda: mask_ssim(x, y, mask)},
        "Mask-PSNR": {OURS: lambda: mask_psnr(x, y, mask)},
        "SD": {
            OURS: lambda: sharpness_difference(x, y),
            "NumPy": lambda: sharpness_by_numpy(Frames(x, y, mask)),  # no library has it
        },
        "SD, script": {OURS: lambda: script_sharpness_difference(x, y)},
    }
    if size >= SMALLEST:
        calls["MS-SSIM"] = {
            OURS: lambda: ms_ssim(x, y),
            "torchmetrics": lambda: torchmetrics_ms_ssim(x_float, y_float, data_range=255.0),
        }
    return calls


def main() -> None:
    """Prints the comparison."""
    arguments = options(__doc__, size=256, batch=8, rounds=9, threads=1).parse_args()
    set_threads(arguments.threads)
    for metric, calls in implementations(arguments.batch, arguments.size).items():
        compare(metric, calls, arguments.rounds, per=arguments.batch)


if __name__ == "__main__":
    main()
