"""How metrics order kinds of damage, against how people do: the mean opinions of TID2013.

The database's pictures are not ours to carry. Its kinds of damage are made anew, on rendered people, each at the five
PSNRs that the database is built by; fourteen of its 24 kinds can be made without knowing more than its paper tells.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import spearmanr
from torch import Tensor

from benchmarks.audit.networks import network
from datamodules.puppets.rendering import Performance, render
from motioncopy.metrics.catalogue import metric
from motioncopy.metrics.metric import FrameMetric

Picture = NDArray[np.uint8]
#: What is compared, beside the metric that was made for it.
KEYS = ("perceptual/hed_vgg@1", "ssim/gaussian@1", "ms_ssim/gaussian@1", "psnr/frame@1")
_SIDE = 192
_PEOPLE = (("ana", "walk"), ("ben", "wave"), ("max", "squats"), ("nora", "boxing"))


@cache
def opinions() -> dict[str, tuple[float, ...]]:
    """Mean opinion of every kind of damage at each PSNR of :func:`levels`, 0 (worst) to 9."""
    return {kind: tuple(scores) for kind, scores in _table()["opinions"].items()}


def levels() -> tuple[float, ...]:
    """The five PSNRs, dB, falling."""
    return tuple(_table()["psnr"])


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(files(__package__).joinpath("tid2013.json").read_text())
    return table


# -- the kinds --------------------------------------------------------------------------------------------------------


def _8bit(values: NDArray[np.floating]) -> Picture:
    rounded: Picture = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return rounded


def _drawn(picture: Picture) -> NDArray[np.float64]:
    """Gaussian noise of deviation 1, the same for every strength."""
    return np.random.default_rng(1).normal(0, 1, picture.shape)


def _of_unit_size(noise: NDArray[np.floating]) -> NDArray[np.floating]:
    scaled: NDArray[np.floating] = noise / noise.std()
    return scaled


def _noise(picture: Picture, amount: float) -> Picture:
    return _8bit(picture + amount * _drawn(picture))


def _colour_noise(picture: Picture, amount: float) -> Picture:
    split = cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb) + _drawn(picture) * amount * np.array([0.3, 2, 2])
    return np.asarray(cv2.cvtColor(_8bit(split), cv2.COLOR_YCrCb2RGB), np.uint8)


def _correlated(picture: Picture, amount: float) -> Picture:
    return _8bit(picture + amount * _of_unit_size(cv2.GaussianBlur(_drawn(picture), (0, 0), 1.5)))


def _high_frequency(picture: Picture, amount: float) -> Picture:
    noise = _drawn(picture)
    return _8bit(picture + amount * _of_unit_size(noise - cv2.GaussianBlur(noise, (0, 0), 1)))


def _impulses(picture: Picture, amount: float) -> Picture:
    random = np.random.default_rng(1)
    hit, white = random.random(picture.shape) < amount / 1000, random.random(picture.shape) < 0.5
    return np.where(hit, np.where(white, 255, 0), picture).astype(np.uint8)


def _multiplicative(picture: Picture, amount: float) -> Picture:
    return _8bit(picture * (1 + amount / 100 * _drawn(picture)))


def _quantised(picture: Picture, amount: float) -> Picture:
    return _8bit((np.floor(picture / amount) + 0.5) * amount)


def _blurred(picture: Picture, amount: float) -> Picture:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), amount), np.uint8)


def _denoised(picture: Picture, amount: float) -> Picture:
    found = cv2.fastNlMeansDenoisingColored(_noise(picture, amount), None, 1.2 * amount, 1.2 * amount, 5, 11)
    return np.asarray(found, np.uint8)


def _compressed(picture: Picture, **settings: object) -> Picture:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, **settings)  # type: ignore[arg-type]
    return np.asarray(Image.open(file))


def _jpeg(picture: Picture, amount: float) -> Picture:
    return _compressed(picture, format="JPEG", quality=max(1, round(100 - amount)))


def _jpeg2000(picture: Picture, amount: float) -> Picture:
    return _compressed(picture, format="JPEG2000", quality_mode="rates", quality_layers=[amount], irreversible=True)


def _displaced(picture: Picture, amount: float) -> Picture:
    """Squares of 15 pixels, each taken from a few pixels beside its place."""
    random, found = np.random.default_rng(1), picture.copy()
    limit = min(picture.shape[:2]) - 24
    for _ in range(int(amount)):
        (y, x), (dy, dx) = random.integers(8, limit, 2), random.integers(-7, 8, 2)
        found[y : y + 15, x : x + 15] = picture[y + dy : y + dy + 15, x + dx : x + dx + 15]
    return found


def _brighter(picture: Picture, amount: float) -> Picture:
    return _8bit(picture + amount)


def _aberrated(picture: Picture, amount: float) -> Picture:
    """Red and blue moved apart, and a slight blur."""
    found, size = picture.astype(np.float32), picture.shape[1::-1]
    for channel, shift in ((0, amount), (2, -amount)):
        move = np.array([[1, 0, shift], [0, 1, 0]], np.float32)
        plane = np.ascontiguousarray(found[..., channel])
        found[..., channel] = cv2.warpAffine(plane, move, size, borderMode=cv2.BORDER_REPLICATE)
    return _8bit(cv2.GaussianBlur(found, (0, 0), 0.3 + amount / 6))


#: The kinds that are made here, by their names in the table; how, and between which amounts.
KINDS: dict[str, tuple[Callable[[Picture, float], Picture], float, float]] = {
    "additive Gaussian noise": (_noise, 0.5, 60),
    "noise stronger in colour": (_colour_noise, 0.5, 80),
    "spatially correlated noise": (_correlated, 0.5, 60),
    "high-frequency noise": (_high_frequency, 0.5, 80),
    "impulse noise": (_impulses, 0.02, 300),
    "multiplicative Gaussian noise": (_multiplicative, 0.5, 90),
    "quantisation noise": (_quantised, 2, 120),
    "Gaussian blur": (_blurred, 0.25, 12),
    "denoising": (_denoised, 1, 90),
    "JPEG": (_jpeg, 1, 99),
    "JPEG 2000": (_jpeg2000, 2, 900),
    "non-eccentricity pattern noise": (_displaced, 1, 3000),
    "mean shift": (_brighter, 0.5, 60),
    "chromatic aberrations": (_aberrated, 0.05, 12),
}


def damaged(picture: Picture, kind: str, psnr: float, *, steps: int = 12) -> Picture:
    """A picture spoilt by a kind of damage to about a PSNR, whose amount is found by bisection.

    Args:
        picture: ``(H, W, 3)`` uint8 RGB.
        kind: One of :data:`KINDS`.
        psnr: dB.
        steps: Of the bisection.
    """
    way, low, high = KINDS[kind]
    for _ in range(steps):
        middle = (low * high) ** 0.5
        error = np.square(way(picture, middle).astype(np.float64) - picture).mean()
        low, high = (middle, high) if error < 255**2 / 10 ** (psnr / 10) else (low, middle)
    return way(picture, (low * high) ** 0.5)


# -- the comparison ---------------------------------------------------------------------------------------------------


@cache
def pictures(side: int = _SIDE) -> tuple[Picture, ...]:
    """Rendered people with a camera's noise."""
    shots = (render(Performance(person, motion, 3, 20, 25.0, (side, side)), 10) for person, motion in _PEOPLE)
    return tuple(_8bit(shot.image + 2 * _drawn(shot.image)) for shot in shots)


def _tensor(frames: Sequence[Picture]) -> Tensor:
    return torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).contiguous()


@dataclass(frozen=True)
class Agreement:
    """How metrics order the damage.

    Attributes:
        correlation: Of each metric, Spearman's rank correlation with the mean opinions over kinds and levels; 1 is
            perfect, whether the metric rises or falls.
        count: How many (kind, level) were compared.
        frames: How many pictures each was made of.
    """

    correlation: dict[str, float]
    count: int
    frames: int


def agreement(
    keys: Sequence[str] = KEYS, *, kinds: Sequence[str] = tuple(KINDS), originals: Sequence[Picture] | None = None
) -> Agreement:
    """Holds metrics against the opinions.

    Args:
        keys: Of metrics of frames.
        kinds: Which of :data:`KINDS`.
        originals: The pictures to spoil; :func:`pictures` by default.

    Raises:
        WeightsError: If the weights of one of them are not here.
    """
    originals = pictures() if originals is None else originals
    truth, judged = _tensor(originals), opinions()
    makers: list[FrameMetric] = []
    for kind in map(metric, keys):
        assert issubclass(kind, FrameMetric)
        makers.append(kind(networks=network))
    wanted: list[float] = []
    found: dict[str, list[float]] = {key: [] for key in keys}
    for kind_ in kinds:
        for level, opinion in zip(levels(), judged[kind_], strict=True):
            spoilt = _tensor([damaged(picture, kind_, level) for picture in originals])
            wanted.append(opinion)
            for key, made in zip(keys, makers, strict=True):
                sign = 1 if made.definition.direction == "higher" else -1
                found[key].append(sign * float(made.frames(spoilt, truth).mean()))
    correlation = {key: float(spearmanr(values, wanted).statistic) for key, values in found.items()}
    return Agreement(correlation, len(wanted), len(originals))
