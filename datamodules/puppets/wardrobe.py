"""Textures: every surface's colours and LIP labels as a strip, and the atlas that holds a person's strips.

Labels are LIP's twenty: 0 background, 1 hat, 2 hair, 3 glove, 4 sunglasses, 5 upper clothes, 6 dress, 7 coat,
8 socks, 9 trousers, 10 jumpsuit, 11 scarf, 12 skirt, 13 face (and neck), 14/15 left/right arm, 16/17 left/right leg,
18/19 left/right shoe.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.puppets.bodies import Floats, make_rig
from datamodules.puppets.faces import paint_face, sunglasses_area
from datamodules.puppets.figures import Cloth, Colour, arm_length, leg_length, shirt_hem
from datamodules.puppets.mesh import Part, smoothstep
from datamodules.puppets.patterns import Strip, noise, weave
from datamodules.puppets.people import Person

_GUTTER = 3
_HAT, _HAIR, _SUNGLASSES, _TOP, _DRESS, _COAT, _SOCKS, _TROUSERS, _SKIRT, _FACE = 1, 2, 4, 5, 6, 7, 8, 9, 12, 13
_LEFT = {"arm": 14, "leg": 16, "shoe": 18}  # the right one is one more


@dataclass(frozen=True)
class Atlas:
    """All strips of a person in one picture.

    Attributes:
        colours: ``(h, w, 3)`` RGB uint8.
        labels: ``(h, w)`` LIP labels.
        boxes: (x, y, width, height) of each part's strip.
    """

    colours: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    boxes: dict[str, tuple[int, int, int, int]]

    def texels(self, part: Part) -> Floats:
        """Texture coordinates of a part's points in pixels of the atlas, ``(rings * columns, 2)``."""
        x, y, width, height = self.boxes[part.name]
        return part.uv.reshape(-1, 2) * [width, height] + [x - 0.5, y - 0.5]


def make_atlas(person: Person, parts: Sequence[Part], *, texel: float) -> Atlas:
    """Paints a person's textures.

    Args:
        person: Who.
        parts: The surfaces that need a strip.
        texel: Metres that one pixel of the final sampling covers: strips are smoothed to it.
    """
    painted = {part.name: _paint(person, part) for part in parts}
    width = max(labels.shape[1] for _, labels, _ in painted.values()) + 2 * _GUTTER
    height = sum(labels.shape[0] + 2 * _GUTTER for _, labels, _ in painted.values())
    colours, all_labels = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.uint8)
    boxes, y = {}, 0
    for name, (rgb, labels, density) in painted.items():
        h, w = labels.shape
        sigma = 0.5 * texel * density
        pad = int(np.ceil(3 * sigma)) + _GUTTER
        wrapped = np.pad(np.pad(rgb, ((0, 0), (pad, pad), (0, 0)), "wrap"), ((pad, pad), (0, 0), (0, 0)), "edge")
        smooth = cv2.GaussianBlur(wrapped, (0, 0), sigma) if sigma > 0.3 else wrapped
        inner = slice(pad - _GUTTER, None if pad == _GUTTER else _GUTTER - pad)
        rows, columns = slice(y, y + h + 2 * _GUTTER), slice(0, w + 2 * _GUTTER)
        colours[rows, columns] = np.clip(np.round(smooth[inner, inner]), 0, 255)
        all_labels[rows, columns] = np.pad(
            np.pad(labels, ((0, 0), (_GUTTER,) * 2), "wrap"), ((_GUTTER,) * 2, (0, 0)), "edge"
        )
        boxes[name] = (_GUTTER, y + _GUTTER, w, h)
        y += h + 2 * _GUTTER
    return Atlas(colours, all_labels, boxes)


def _paint(person: Person, part: Part) -> tuple[Floats, NDArray[np.uint8], float]:
    """A part's colours ``(h, w, 3)``, its labels ``(h, w)`` and its texels per metre."""
    kind = part.name[2:] if part.name[:2] in ("l_", "r_") else part.name
    density = 900.0 if kind in ("head", "nose", "ear", "hair", "cap", "hair_tail", "cap_peak") else 450.0
    length = part.along[-1] - part.along[0]
    h, w = max(4, round(length * density)), max(4, round(part.girth * density))
    along = part.along[0] + (np.arange(h)[:, None] + 0.5) / h * length
    around = ((np.arange(w)[None, :] + 0.5) / w * 2 - 1) * np.pi
    strip = Strip(along, around, part.girth, zlib.crc32(f"{person.name}/{part.name}".encode()))
    if kind == "torso":
        rgb, labels = _torso(person, strip)
    elif kind in ("arm", "leg"):
        rgb, labels = (_arm if kind == "arm" else _leg)(person, strip, part.name[0])
    elif kind == "skirt":
        cloth, label = _below(person)
        rgb, labels = weave(cloth, strip), _all(strip, label)
        rgb *= (1 - 0.25 * smoothstep(strip.along[-1, 0] - 0.012, strip.along[-1, 0] - 0.006, strip.along))[..., None]
    elif kind in ("hand", "thumb"):
        rgb, labels = _hand(person, strip, kind, part.name[0])
    elif kind == "shoe":
        rgb, labels = _shoe(person, strip, part.name[0])
    elif kind == "head":
        rgb, labels = _head(person, strip)
    elif kind in ("hair", "hair_tail"):
        rgb, labels = _hair(person, strip), _all(strip, _HAIR)
    elif kind in ("cap", "cap_peak"):
        rgb, labels = _plain(strip, person.hair.cap, 0.05), _all(strip, _HAT)
        rgb *= (1 - 0.3 * (np.abs(np.sin(3 * strip.around)) < 0.05) * (kind == "cap"))[..., None]
    else:
        rgb, labels = _skin(person, strip), _all(strip, _FACE)
        if kind == "neck":
            rgb *= 0.93
    return rgb, labels, density


def _all(strip: Strip, label: int) -> NDArray[np.uint8]:
    return np.full(strip.shape, label, np.uint8)


def _plain(strip: Strip, colour: Colour, rough: float) -> Floats:
    """One colour with a little unevenness."""
    return np.array(colour, float) * (1 + rough * noise(strip.shape, 9, strip.seed))[..., None]


def _skin(person: Person, strip: Strip) -> Floats:
    return _plain(strip, person.skin, 0.035)


def _below(person: Person) -> tuple[Cloth, int]:
    """Fabric and label of what is worn below the waist."""
    outfit = person.outfit
    if outfit.bottom is None:
        return outfit.top, _DRESS
    return outfit.bottom, _SKIRT if outfit.skirt > 0 else _TROUSERS


def _top_label(person: Person) -> int:
    return _DRESS if person.outfit.bottom is None else _COAT if person.outfit.coat else _TOP


def _torso(person: Person, strip: Strip) -> tuple[Floats, NDArray[np.uint8]]:
    outfit = person.outfit
    hem = shirt_hem(make_rig(person.body), outfit)
    rgb = weave(outfit.top, strip, front=True)
    labels = _all(strip, _top_label(person))
    cloth, label = _below(person)
    under = np.broadcast_to(strip.along > hem, strip.shape)
    plain = Cloth(cloth.colour, "plain" if cloth.pattern == "side_stripe" else cloth.pattern, cloth.second, cloth.scale)
    rgb[under] = weave(plain, replace(strip, seed=strip.seed + 1))[under]
    labels[under] = label
    if outfit.coat:  # an open coat: a shirt between the lapels
        lapel = np.abs(strip.around) < 0.30 - 0.28 * smoothstep(0.0, 0.26, strip.along)
        rgb[lapel] = (236, 236, 230)
        edge = np.abs(np.abs(strip.around) - 0.32 + 0.28 * smoothstep(0.0, 0.26, strip.along)) < 0.025
        rgb[edge & (strip.along < hem)] *= 0.55
    # The neck opening: deeper in front than behind.
    opening = -0.030 + (outfit.neckline + 0.012) * np.exp(-((strip.around / 0.62) ** 2)) - 0.008 * np.cos(strip.around)
    bare = strip.along < opening
    rgb[bare], labels[bare] = _skin(person, strip)[bare], _FACE
    rim = np.abs(strip.along - opening - 0.006) < 0.006
    rgb[np.broadcast_to(rim, strip.shape)] *= 0.72
    rgb[np.broadcast_to(np.abs(strip.along - hem + 0.004) < 0.006, strip.shape)] *= 0.7
    return rgb, labels


def _arm(person: Person, strip: Strip, side: str) -> tuple[Floats, NDArray[np.uint8]]:
    outfit = person.outfit
    end = outfit.sleeves * arm_length(make_rig(person.body))
    cloth = outfit.left_sleeve if side == "l" and outfit.left_sleeve else outfit.top
    rgb, labels = _skin(person, strip), _all(strip, _LEFT["arm"] + (side == "r"))
    covered = np.broadcast_to((strip.along < end) & (outfit.sleeves > 0), strip.shape)
    rgb[covered] = weave(cloth, strip)[covered]
    labels[covered] = _top_label(person)
    rgb[covered & (strip.along > end - 0.014)] *= 0.75
    return rgb, labels


def _leg(person: Person, strip: Strip, side: str) -> tuple[Floats, NDArray[np.uint8]]:
    outfit, length = person.outfit, leg_length(make_rig(person.body))
    rgb, labels = _skin(person, strip), _all(strip, _LEFT["leg"] + (side == "r"))
    if outfit.socks is not None:
        sock = np.broadcast_to(strip.along > length * (1 - outfit.sock_height), strip.shape)
        rgb[sock], labels[sock] = _plain(strip, outfit.socks, 0.05)[sock], _SOCKS
    # Thighs under a skirt are of its fabric: where a bent leg comes through, it looks like a fold.
    cover = max(outfit.trousers, 0.75 * outfit.skirt)
    if cover > 0:
        cloth, label = _below(person)
        covered = np.broadcast_to(strip.along < cover * length, strip.shape)
        mirrored = replace(strip, around=strip.around * (1 if side == "l" else -1))
        rgb[covered] = weave(cloth, mirrored)[covered]
        labels[covered] = label
        rgb[covered & (strip.along > cover * length - 0.016)] *= 0.78
    return rgb, labels


def _hand(person: Person, strip: Strip, kind: str, side: str) -> tuple[Floats, NDArray[np.uint8]]:
    rgb = _skin(person, strip)
    if kind == "hand":  # lines between the fingers, on the back of the hand and in the palm
        depth = np.cos(strip.around)
        between = np.min([np.abs(depth - d) for d in (-0.45, 0.05, 0.5)], axis=0) < 0.07
        rgb[between & (strip.along > 0.45 * strip.along[-1, 0])] *= 0.72
    return rgb, _all(strip, _LEFT["arm"] + (side == "r"))


def _shoe(person: Person, strip: Strip, side: str) -> tuple[Floats, NDArray[np.uint8]]:
    outfit = person.outfit
    rgb = _plain(strip, outfit.shoes, 0.06)
    turned = np.abs(strip.around)  # 0 on top of the foot, pi at the sole
    rgb[np.broadcast_to(turned > 1.75, strip.shape)] = outfit.sole
    laces = (turned < 0.55) & (np.sin(strip.along / strip.along[-1, 0] * 60) > 0.3)
    shade = 0.45 if sum(outfit.shoes) > 330 else 2.2
    middle = (strip.along > 0.3 * strip.along[-1, 0]) & (strip.along < 0.65 * strip.along[-1, 0])
    rgb[laces & middle] *= shade
    return rgb, _all(strip, _LEFT["shoe"] + (side == "r"))


def _head(person: Person, strip: Strip) -> tuple[Floats, NDArray[np.uint8]]:
    rgb = np.clip(_skin(person, strip), 0, 255).astype(np.uint8)
    paint_face(rgb, person.face, person.skin, beard=person.hair.beard)
    labels = _all(strip, _FACE)
    if person.face.glasses == "sun":
        labels[sunglasses_area(strip.shape)] = _SUNGLASSES
    return rgb.astype(float), labels


def _hair(person: Person, strip: Strip) -> Floats:
    curly = person.hair.style == "curly"
    strands = noise(strip.shape, (14, 8) if curly else (60, 4), strip.seed)
    return np.array(person.hair.colour, float) * (1 + (0.4 if curly else 0.3) * strands)[..., None] + 10
