"""What a metric is: the one written definition that tables, records and docs quote."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from motioncopy.errors import ConfigError

_KEY = re.compile(r"(?P<name>[a-z][a-z0-9_]*)/(?P<variant>[a-z0-9][a-z0-9_]*)@(?P<version>[1-9][0-9]*)")


def split_key(key: str) -> tuple[str, str, int]:
    """Name, variant and version of a metric key.

    Args:
        key: ``"name/variant@version"``, such as ``ssim/gaussian@1``.

    Raises:
        ConfigError: If the key is not of this form.

    >>> split_key("ssim/gaussian@1")
    ('ssim', 'gaussian', 1)
    """
    match = _KEY.fullmatch(key)
    if match is None:
        raise ConfigError("a metric key is malformed", expected='"name/variant@version"', found=repr(key))
    return match["name"], match["variant"], int(match["version"])


@dataclass(frozen=True)
class Definition:
    """The written definition of a metric; a change of any value it gives needs a new version in the key.

    Attributes:
        key: ``"name/variant@version"``.
        title: What a table's heading calls it; another one for every variant.
        direction: Whether higher or lower values are better; ``none`` where neither is.
        unit: ``"dB"`` and alike; empty for a plain number.
        source: The paper or the code that defines it.
        text: What is computed, exactly enough to compute it again.
        choice: Where papers or codes differ: who computes what, and why the default is what it is. May be empty.
        caution: What the metric does not see or wrongly rewards, shown beside it. May be empty.

    >>> Definition("psnr/frame@1", "PSNR", "higher", "dB", "scikit-image", "10 log10(255² / mean squared error)").arrow
    '↑'
    """

    key: str
    title: str
    direction: Literal["higher", "lower", "none"]
    unit: str
    source: str
    text: str
    choice: str = ""
    caution: str = ""

    def __post_init__(self) -> None:
        split_key(self.key)

    @property
    def arrow(self) -> str:
        """↑ where higher is better, ↓ where lower is; empty where neither is."""
        return {"higher": "↑", "lower": "↓", "none": ""}[self.direction]
