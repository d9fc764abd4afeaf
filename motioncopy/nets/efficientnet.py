"""EfficientNet-Lite0 as a network of features.

Tan and Le: EfficientNet, ICML 2019; the Lite variants of TensorFlow's TPU repository have no squeeze-and-excitation,
and ReLU6 in the place of swish. The batch norms are fixed, and are folded into the convolutions before them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Mean and deviation of the pixels in [0, 255] that it was trained on, of every colour.
PIXEL_MEAN, PIXEL_STD = 127.0, 128.0
#: Channels of the stem and of the head.
_STEM, _HEAD = 32, 1280
# TensorFlow's, by which the published statistics are read.
_EPSILON = 1e-3


class _Block(NamedTuple):
    """One row of table 1: expansion, output channels, kernel size, stride."""

    expansion: int
    channels: int
    kernel: int
    stride: int


# Table 1 of the paper: each stage's blocks, of which the first alone has the stride.
_STAGES = (
    (1, _Block(1, 16, 3, 1)),
    (2, _Block(6, 24, 3, 2)),
    (2, _Block(6, 40, 5, 2)),
    (3, _Block(6, 80, 3, 2)),
    (3, _Block(6, 112, 5, 1)),
    (4, _Block(6, 192, 5, 2)),
    (1, _Block(6, 320, 3, 1)),
)
_BLOCKS = [block._replace(stride=1 if number else block.stride) for count, block in _STAGES for number in range(count)]

#: What it can give, in order: the stem, its sixteen blocks, the head before its pooling.
LAYERS = ("stem", *(f"block{number}" for number in range(len(_BLOCKS))), "head")
#: Channels of each layer.
CHANNELS = dict(zip(LAYERS, (_STEM, *(block.channels for block in _BLOCKS), _HEAD), strict=True))
#: By how much each layer is smaller than the image, rounded up.
STRIDES = {"stem": 2}
for _before, _layer in pairwise(LAYERS):
    STRIDES[_layer] = STRIDES[_before] * (_BLOCKS[LAYERS.index(_layer) - 1].stride if _layer != "head" else 1)


class _Convolution(nn.Module):
    """A convolution padded as TensorFlow's ``SAME``, its batch norm folded in, maybe with a ReLU6."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, *, depthwise: bool = False, relu: bool = True
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.groups, self.relu = kernel, stride, inputs if depthwise else 1, relu
        self.weight = nn.Parameter(torch.empty(outputs, inputs // self.groups, kernel, kernel))
        self.bias = nn.Parameter(torch.empty(outputs))

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == 1:
            x = functional.conv2d(x, self.weight, self.bias, padding=self.kernel // 2, groups=self.groups)
        else:
            pads = []
            for side in (x.shape[-1], x.shape[-2]):
                short = max((-(-side // self.stride) - 1) * self.stride + self.kernel - side, 0)
                pads += [short // 2, short - short // 2]  # one more behind than before
            x = functional.conv2d(functional.pad(x, pads), self.weight, self.bias, self.stride, groups=self.groups)
        return functional.relu6(x) if self.relu else x


class _InvertedResidual(nn.Module):
    """Expansion, depthwise convolution, linear projection; added to its input where both are alike."""

    def __init__(self, inputs: int, block: _Block) -> None:
        super().__init__()
        middle = inputs * block.expansion
        layers = {
            "expand": _Convolution(inputs, middle),
            "depthwise": _Convolution(middle, middle, block.kernel, block.stride, depthwise=True),
            "project": _Convolution(middle, block.channels, relu=False),
        }
        self.layers = nn.Sequential(OrderedDict(list(layers.items())[block.expansion == 1 :]))
        self.adds = block.stride == 1 and inputs == block.channels

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.adds else y


def efficientnet_lite0(layers: Sequence[str], state: Mapping[str, Tensor]) -> nn.Sequential:
    """The first layers of the network, with their weights.

    Args:
        layers: Names of :data:`LAYERS`, from the first on.
        state: The published weights, in the names of ``efficientnet-lite-pytorch``.

    Returns:
        From ``(N, 3, H, W)`` RGB, (pixel - 127) / 128, one module a layer.

    Raises:
        KeyError: If a weight is missing.
        RuntimeError: If one is of another shape.
    """
    made: dict[str, nn.Module] = {}
    folded: dict[str, Tensor] = {}
    with torch.device("meta"):
        for name in layers:
            before = CHANNELS[LAYERS[LAYERS.index(name) - 1]]
            if name.startswith("block"):
                number = int(name.removeprefix("block"))
                made[name] = _InvertedResidual(before, _BLOCKS[number])
                parts = [
                    (f"{name}.layers.expand", f"_blocks.{number}._expand_conv", f"_blocks.{number}._bn0"),
                    (f"{name}.layers.depthwise", f"_blocks.{number}._depthwise_conv", f"_blocks.{number}._bn1"),
                    (f"{name}.layers.project", f"_blocks.{number}._project_conv", f"_blocks.{number}._bn2"),
                ][_BLOCKS[number].expansion == 1 :]
            elif name == "stem":
                made[name] = _Convolution(3, _STEM, 3, 2)
                parts = [(name, "_conv_stem", "_bn0")]
            else:
                made[name] = _Convolution(before, _HEAD)
                parts = [(name, "_conv_head", "_bn1")]
            for ours, convolution, norm in parts:
                scale = state[f"{norm}.weight"] * (state[f"{norm}.running_var"] + _EPSILON).rsqrt()
                folded[f"{ours}.weight"] = state[f"{convolution}.weight"] * scale.view(-1, 1, 1, 1)
                folded[f"{ours}.bias"] = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale
        body = nn.Sequential(OrderedDict(made))
    body.load_state_dict(folded, assign=True)
    return body


def deviations(layer: str, state: Mapping[str, Tensor]) -> Tensor:
    """Standard deviation of each channel of a block over ImageNet, as its last batch norm has set it.

    Args:
        layer: A block that changes size or channels: others add what the norm gives to their input.
        state: See :func:`efficientnet_lite0`.

    Returns:
        ``(C,)`` float32.
    """
    return state[f"_blocks.{int(layer.removeprefix('block'))}._bn2.weight"].abs().float()
