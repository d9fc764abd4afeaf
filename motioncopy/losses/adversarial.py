"""The forms of the adversarial loss, by name.

They take the logits of each scale of a discriminator, finest first; a discriminator of one scale gives a list of one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from motioncopy.errors import BatchError, ConfigError
from motioncopy.training.precision import at_least_float32


class AdversarialLoss(ABC):
    """What discriminator and generator minimise: the mean over patches and samples, then over scales.

    It is computed in float32 or better, whatever autocast says.

    Args:
        scales: ``mean`` over the scales as SPADE takes it, so that their number does not change the loss's weight, or
            their ``sum`` as pix2pixHD and vid2vid take it (pix2pixHD, equation 2).

    Raises:
        ConfigError: If ``scales`` is neither.

    Example:
        >>> import torch
        >>> from motioncopy.losses.adversarial import NonSaturating
        >>> real, fake = [torch.full((2, 1, 4, 4), 3.0)], [torch.zeros(2, 1, 4, 4)]  # the logits of one scale
        >>> loss = NonSaturating(scales="sum")
        >>> loss.discriminator(real, fake)
        tensor(0.3709)
        >>> loss.generator(fake)
        tensor(0.6931)
    """

    def __init__(self, scales: Literal["mean", "sum"] = "mean") -> None:
        if scales not in ("mean", "sum"):
            raise ConfigError("scales are joined in an unknown way", expected="mean or sum", found=repr(scales))
        self.scales = scales

    def discriminator(self, real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
        """Half the sum of the losses on real and on fake.

        Args:
            real: Logits of real images, any shape, one tensor a scale.
            fake: Logits of generated images, which must be detached from the generator.

        Returns:
            The discriminator's loss, a scalar.

        Raises:
            BatchError: If there is no logit, or real and fake differ in scales.
        """
        if len(real) != len(fake):
            raise BatchError("real and fake logits differ in scales", expected=len(real), found=len(fake))
        return (self._over_scales(self._real, real) + self._over_scales(self._fake, fake)) / 2

    def generator(self, fake: Sequence[Tensor]) -> Tensor:
        """The generator's loss.

        Args:
            fake: Logits of generated images, one tensor a scale.

        Returns:
            The generator's loss, a scalar.

        Raises:
            BatchError: If there is no logit.
        """
        return self._over_scales(self._fool, fake)

    def _over_scales(self, loss: Callable[[Tensor], Tensor], logits: Sequence[Tensor]) -> Tensor:
        if not logits:
            raise BatchError("a discriminator gave no logits", expected="one tensor a scale")
        losses = torch.stack([loss(at_least_float32(scale)).mean() for scale in logits])
        return losses.mean() if self.scales == "mean" else losses.sum()

    @abstractmethod
    def _real(self, logits: Tensor) -> Tensor:
        """The discriminator's loss of each logit of a real image."""

    @abstractmethod
    def _fake(self, logits: Tensor) -> Tensor:
        """The discriminator's loss of each logit of a generated image."""

    @abstractmethod
    def _fool(self, logits: Tensor) -> Tensor:
        """The generator's loss of each logit of a generated image."""


class NonSaturating(AdversarialLoss):
    """Binary cross entropy with logits; the generator maximises log D(fake) (Goodfellow et al., 2014, section 3).

    Example:
        >>> import torch
        >>> from motioncopy.losses.adversarial import NonSaturating
        >>> NonSaturating().generator([torch.zeros(2, 1, 4, 4)])  # log 2: the discriminator cannot tell
        tensor(0.6931)
    """

    def _real(self, logits: Tensor) -> Tensor:
        return functional.softplus(-logits)  # -log D

    def _fake(self, logits: Tensor) -> Tensor:
        return functional.softplus(logits)  # -log(1 - D)

    def _fool(self, logits: Tensor) -> Tensor:
        return functional.softplus(-logits)


class LeastSquares(AdversarialLoss):
    """LSGAN with targets 1 and 0 (Mao et al., 2017, equation 9): pix2pixHD's and vid2vid's form.

    Args:
        scales: See :class:`AdversarialLoss`.
        noise: The discriminator's targets are drawn from U(1 - noise, 1 + noise) and U(-noise, noise), one a logit, so
            that it is never sure. 0.1 for the crops of FakeMotion's released code; the generator's target stays 1.

    Raises:
        ConfigError: If ``scales`` is unknown, or ``noise`` is not in [0, 0.5), where the targets' ranges would meet.

    Example:
        >>> import torch
        >>> from motioncopy.losses.adversarial import LeastSquares
        >>> LeastSquares().discriminator(real=[torch.ones(2, 1)], fake=[torch.full((2, 1), 0.5)])
        tensor(0.1250)
        >>> LeastSquares().generator([torch.full((2, 1), 0.5)])
        tensor(0.2500)
    """

    def __init__(self, scales: Literal["mean", "sum"] = "mean", *, noise: float = 0.0) -> None:
        super().__init__(scales)
        if not 0 <= noise < 0.5:
            raise ConfigError("the noise of the targets is out of range", expected="0 <= noise < 0.5", found=noise)
        self.noise = noise

    def _real(self, logits: Tensor) -> Tensor:
        return (logits - self._around(1, logits)).square()

    def _fake(self, logits: Tensor) -> Tensor:
        return (logits - self._around(0, logits)).square()

    def _fool(self, logits: Tensor) -> Tensor:
        return (logits - 1).square()

    def _around(self, target: float, logits: Tensor) -> Tensor | float:
        if not self.noise:  # draws no random numbers, which would move the seeded draws of others
            return target
        return target + self.noise * (2 * torch.rand_like(logits) - 1)


class Hinge(AdversarialLoss):
    """The hinge form (Lim and Ye, 2017): SPADE's and CoCosNet's, which do not halve the discriminator's loss.

    Example:
        >>> import torch
        >>> from motioncopy.losses.adversarial import Hinge
        >>> Hinge().discriminator(real=[torch.full((2, 1), 2.0)], fake=[torch.full((2, 1), -0.5)])
        tensor(0.2500)
        >>> Hinge().generator([torch.full((2, 1), -0.5)])
        tensor(0.5000)
    """

    def _real(self, logits: Tensor) -> Tensor:
        return (1 - logits).relu()

    def _fake(self, logits: Tensor) -> Tensor:
        return (1 + logits).relu()

    def _fool(self, logits: Tensor) -> Tensor:
        return -logits
