"""Random numbers of the animals, from names and numbers."""

from __future__ import annotations

import zlib

import numpy as np


def chance(*words: str | int) -> np.random.Generator:
    """A generator that is the same for the same words."""
    return np.random.default_rng([zlib.crc32(w.encode()) if isinstance(w, str) else w for w in words])
