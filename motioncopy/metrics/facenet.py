"""FaceNet: an Inception-ResNet v1 that tells faces apart, trained on VGGFace2.

Layers and names are those of facenet-pytorch, which converted David Sandberg's model 20180402-114759. Schroff et al.:
FaceNet: A unified embedding for face recognition and clustering, CVPR 2015; Szegedy et al.: Inception-v4,
Inception-ResNet and the impact of residual connections on learning, AAAI 2017.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from motioncopy.errors import WeightsError

#: Name of the weights in :mod:`motioncopy.weights`.
WEIGHTS = "facenet-vggface2"
#: Height and width of the faces that it was trained on.
SIDE = 160
#: Numbers of an embedding.
SIZE = 512

# Output channels, kernel, stride.
_Layer = tuple[int, int | tuple[int, int], int]


class _Unit(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(
        self,
        channels_in: int,
        channels: int,
        kernel: int | tuple[int, int],
        stride: int = 1,
        padding: int | tuple[int, int] = 0,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(channels, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.bn(self.conv(x))
        return y.relu_()


class _Branches(nn.Module):
    """Chains of units side by side, ``branch0`` and so on, each of them looking at the same input."""

    def __init__(self, channels: int, *branches: Sequence[_Layer]) -> None:
        super().__init__()
        for number, layers in enumerate(branches):
            units, width = [], channels
            for out, kernel, stride in layers:
                units.append(_Unit(width, out, kernel, stride, _padding(kernel) if stride == 1 else 0))
                width = out
            self.add_module(f"branch{number}", nn.Sequential(*units) if len(units) > 1 else units[0])
        self.width = sum(layers[-1][0] for layers in branches)
        self._names = tuple(f"branch{number}" for number in range(len(branches)))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.get_submodule(name)(x) for name in self._names], dim=1)


class _Reduction(_Branches):
    """Halves height and width; a maximum pooling is one more branch."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([super().forward(x), max_pool2d(x, 3, 2)], dim=1)


class _Residual(_Branches):
    """Adds to its input a share of what its branches see."""

    def __init__(self, channels: int, *branches: Sequence[_Layer], scale: float, rectified: bool = True) -> None:
        super().__init__(channels, *branches)
        self.conv2d = nn.Conv2d(self.width, channels, 1)
        self._scale, self._rectified = scale, rectified

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self._scale * self.conv2d(super().forward(x))
        return y.relu_() if self._rectified else y


def _padding(kernel: int | tuple[int, int]) -> int | tuple[int, int]:
    return kernel // 2 if isinstance(kernel, int) else (kernel[0] // 2, kernel[1] // 2)


def _block35() -> _Residual:
    return _Residual(256, [(32, 1, 1)], [(32, 1, 1), (32, 3, 1)], [(32, 1, 1), (32, 3, 1), (32, 3, 1)], scale=0.17)


def _block17() -> _Residual:
    return _Residual(896, [(128, 1, 1)], [(128, 1, 1), (128, (1, 7), 1), (128, (7, 1), 1)], scale=0.1)


def _block8(scale: float = 0.2, rectified: bool = True) -> _Residual:
    long: list[_Layer] = [(192, 1, 1), (192, (1, 3), 1), (192, (3, 1), 1)]
    return _Residual(1792, [(192, 1, 1)], long, scale=scale, rectified=rectified)


class FaceNet(nn.Module):
    """Embeddings of faces: the more alike two people, the smaller the angle between them.

    Random weights until a state dict is loaded; see :func:`load_network`.

    >>> FaceNet().eval()(torch.zeros(1, 3, 160, 160)).shape
    torch.Size([1, 512])
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv2d_1a = _Unit(3, 32, 3, 2)
        self.conv2d_2a = _Unit(32, 32, 3)
        self.conv2d_2b = _Unit(32, 64, 3, padding=1)
        self.conv2d_3b = _Unit(64, 80, 1)
        self.conv2d_4a = _Unit(80, 192, 3)
        self.conv2d_4b = _Unit(192, 256, 3, 2)
        self.repeat_1 = nn.Sequential(*(_block35() for _ in range(5)))
        self.mixed_6a = _Reduction(256, [(384, 3, 2)], [(192, 1, 1), (192, 3, 1), (256, 3, 2)])
        self.repeat_2 = nn.Sequential(*(_block17() for _ in range(10)))
        self.mixed_7a = _Reduction(
            896, [(256, 1, 1), (384, 3, 2)], [(256, 1, 1), (256, 3, 2)], [(256, 1, 1), (256, 3, 1), (256, 3, 2)]
        )
        self.repeat_3 = nn.Sequential(*(_block8() for _ in range(5)))
        self.block8 = _block8(scale=1.0, rectified=False)
        self.last_linear = nn.Linear(1792, SIZE, bias=False)
        self.last_bn = nn.BatchNorm1d(SIZE, eps=1e-3)

    def forward(self, faces: Tensor) -> Tensor:
        """Embeddings.

        Args:
            faces: ``(n, 3, 160, 160)`` RGB, (value - 127.5) / 128.

        Returns:
            ``(n, 512)``, not normalised.
        """
        x = self.conv2d_2b(self.conv2d_2a(self.conv2d_1a(faces)))
        x = self.conv2d_4b(self.conv2d_4a(self.conv2d_3b(max_pool2d(x, 3, 2))))
        x = self.repeat_2(self.mixed_6a(self.repeat_1(x)))
        x = self.block8(self.repeat_3(self.mixed_7a(x)))
        embeddings: Tensor = self.last_bn(self.last_linear(x.mean(dim=(2, 3))))
        return embeddings


def load_network(state: Mapping[str, Tensor]) -> FaceNet:
    """The network with published weights.

    Args:
        state: State dict of facenet-pytorch's ``InceptionResnetV1``; its classifier ``logits`` is left out.

    Returns:
        A frozen module in evaluation mode.

    Raises:
        WeightsError: If the state dict is of another network.

    >>> load_network(FaceNet().state_dict()).training
    False
    """
    with torch.random.fork_rng(devices=[]):  # initial weights are drawn, which must not move the draws of others
        network = FaceNet()
    try:
        network.load_state_dict({name: value for name, value in state.items() if not name.startswith("logits.")})
    except RuntimeError as error:
        raise WeightsError(
            "these are no weights of FaceNet",
            expected="a state dict of facenet-pytorch's InceptionResnetV1",
            found=" ".join(str(error).splitlines()[:2])[:200],
        ) from error
    return network.requires_grad_(False).eval()
