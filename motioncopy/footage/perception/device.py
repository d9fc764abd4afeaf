"""Where a backend's network runs."""

from __future__ import annotations

import torch

from motioncopy.errors import ConfigError


def device(name: str) -> torch.device:
    """The device of this name; ``auto`` is the GPU where there is one.

    Raises:
        ConfigError: If torch knows no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"unknown device {name!r}", expected="auto, cpu, cuda or cuda:N") from error
