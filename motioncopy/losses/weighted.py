"""The weighted sum of a stage's terms."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from motioncopy.errors import ConfigError


def weighted(terms: Mapping[str, tuple[float, Tensor]]) -> Tensor:
    """The weighted sum of named terms.

    Raises:
        ConfigError: If there is none.

    Example:
        >>> import torch
        >>> from motioncopy.losses.weighted import weighted
        >>> weighted({"pixel": (10.0, torch.tensor(0.5)), "adversarial": (1.0, torch.tensor(2.0))})
        tensor(7.)
    """
    if not terms:
        raise ConfigError("all losses of a stage have weight 0", remedy="weigh one of them, or train 0 epochs")
    return sum((weight * value for weight, value in terms.values()), start=next(iter(terms.values()))[1].new_zeros(()))
