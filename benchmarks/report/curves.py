"""Curves of frames, small: two characters a value.

A value stands as one of 4095 steps between the least and the greatest of its curve, written with two of 64 characters.
That is a tenth of what a pixel of the drawing shows, and a fifth of the size of plain numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_STEPS = 4095
_NOTHING = ".."  # a frame without a value


def encode(values: Sequence[float | None]) -> tuple[float, float, str] | None:
    """A curve as (least, greatest, text); ``None`` where no frame has a value."""
    known = [v for v in values if v is not None]
    if not known:
        return None
    low, high = min(known), max(known)
    # Of a curve so flat that its ends are one number to six digits, all is that number.
    flat = high - low <= 1e-9 * max(abs(low), abs(high), 1e-9)
    scale = 0.0 if flat else _STEPS / (high - low)
    return float(f"{low:.6g}"), float(f"{high:.6g}"), "".join(_pair(v, low, scale) for v in values)


def decode(curve: tuple[float, float, str]) -> list[float | None]:
    """The values, each within 1/8190 of the curve's range (and the rounding of its ends to six digits)."""
    low, high, text = curve
    pairs = (text[i : i + 2] for i in range(0, len(text), 2))
    return [None if p == _NOTHING else low + (high - low) * _place(p) / _STEPS for p in pairs]


def _pair(value: float | None, low: float, scale: float) -> str:
    if value is None:
        return _NOTHING
    step = round((value - low) * scale)
    return ALPHABET[step >> 6] + ALPHABET[step & 63]


def _place(pair: str) -> int:
    return ALPHABET.index(pair[0]) * 64 + ALPHABET.index(pair[1])
