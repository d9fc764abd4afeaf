"""Random numbers that stay the same for good.

NumPy keeps the raw streams of its bit generators from version to version, but not what ``Generator`` makes of them
(NEP 19). What is frozen in a protocol must not change with an upgrade, so the numbers are made from the raw stream.
"""

from __future__ import annotations

import numpy as np

from datamodules.puppets.bodies import Floats


def uniforms(shape: int | tuple[int, ...], *seed: int) -> Floats:
    """Uniform numbers in [0, 1).

    Args:
        shape: Of the result.
        seed: One or more integers >= 0; another seed gives another, independent stream.
    """
    raw = np.random.PCG64(np.random.SeedSequence(seed)).random_raw(int(np.prod(shape)))
    return np.asarray((raw >> np.uint64(11)) * 2.0**-53).reshape(shape)
