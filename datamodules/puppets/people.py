"""The cast: fourteen people with their bodies, clothes, faces and the places where they are filmed."""

from __future__ import annotations

from dataclasses import dataclass, field

from datamodules.puppets.bodies import Body
from datamodules.puppets.faces import Face
from datamodules.puppets.figures import Cloth, Colour, Hair, Outfit
from datamodules.puppets.scenes import Place
from motioncopy.errors import DataError


@dataclass(frozen=True)
class Person:
    """Who is rendered, and where: camera and place belong to the person.

    Attributes:
        name: One of :data:`PEOPLE`.
        skin: Colour of the skin.
        body: Proportions.
        hair: Hair or cap.
        outfit: Clothes.
        place: Camera, light and room.
        face: Eyes, lips, glasses.
    """

    name: str
    skin: Colour
    body: Body
    hair: Hair
    outfit: Outfit
    place: Place
    face: Face = field(default_factory=Face)


_LIGHT, _FAIR, _TAN, _BROWN, _DARK = (240, 203, 178), (228, 184, 152), (205, 152, 112), (150, 100, 68), (98, 64, 46)
_BLACK, _WHITE, _NAVY, _DENIM, _GREY = (32, 32, 36), (238, 238, 232), (34, 44, 84), (70, 98, 146), (128, 130, 136)
_RED, _GREEN, _YELLOW, _PINK, _TEAL = (196, 48, 46), (52, 122, 74), (232, 190, 62), (226, 128, 152), (38, 134, 142)
_ORANGE, _PURPLE, _KHAKI, _CREAM, _SKY = (
    (222, 118, 44),
    (112, 70, 146),
    (148, 132, 92),
    (236, 222, 192),
    (126, 176, 218),
)

_CAST = (
    Person(
        "ana", _FAIR, Body(1.68, legs=1.02, shoulders=0.92, hips=1.06, waist=0.9, limbs=0.92),
        Hair((72, 44, 30), "ponytail"),
        Outfit(
            Cloth(_RED, "hoops", _WHITE, 0.07), Cloth(_NAVY), (240, 240, 240),
            sleeves=0.35, trousers=0.97, loose=0.007,
        ),
        Place("studio", "planks", seed=1), Face(eyes=(80, 110, 70), lips=(188, 80, 86)),
    ),
    Person(
        "ben", _LIGHT, Body(1.83, legs=1.0, shoulders=1.08, waist=1.05, limbs=1.05),
        Hair((166, 112, 58), "short", beard=True),
        Outfit(
            Cloth(_GREEN, "checks", _CREAM, 0.08), Cloth(_KHAKI), (96, 62, 40),
            sleeves=0.97, trousers=0.96, loose=0.013,
        ),
        Place("wallpaper", "carpet", seed=2), Face(eyes=(90, 120, 160), brows=(140, 92, 48)),
    ),
    Person(
        "cleo", _DARK, Body(1.74, legs=1.05, shoulders=0.95, hips=1.02, waist=0.86, limbs=0.9),
        Hair((24, 18, 18), "curly"),
        Outfit(
            Cloth(_YELLOW, "dots", _ORANGE, 0.09), None, (200, 60, 60),
            sleeves=0.15, trousers=0, skirt=0.5, neckline=0.08,
        ),
        Place("facade", "paving", seed=3), Face(eyes=(50, 32, 22), lips=(140, 52, 58), brows=(20, 14, 14)),
    ),
    Person(
        "dan", _TAN, Body(1.72, legs=0.97, shoulders=1.02, waist=1.25, chest=1.12, hips=1.05, limbs=1.12),
        Hair((36, 30, 28), "cap", cap=(36, 60, 140)),
        Outfit(
            Cloth(_WHITE, "logo", _RED, 0.22), Cloth(_DENIM, "denim"), _WHITE,
            sleeves=0.45, trousers=0.5, loose=0.016, socks=_WHITE,
        ),
        Place("hedge", "grass", seed=4), Face(brows=(30, 24, 22)),
    ),
    Person(
        "eva", _LIGHT, Body(1.63, legs=0.98, shoulders=0.9, hips=1.04, waist=0.92, limbs=0.94, head=1.06),
        Hair((222, 184, 108), "long"),
        Outfit(
            Cloth(_TEAL), Cloth(_PINK, "floral", _WHITE, 0.1), _BLACK,
            sleeves=0.96, trousers=0, skirt=0.42, loose=0.007, socks=(64, 58, 70), sock_height=1.0,
        ),
        Place("panel", "planks", seed=5), Face(eyes=(70, 110, 160), lips=(206, 96, 104), brows=(160, 124, 70)),
    ),
    Person(
        "finn", _BROWN, Body(1.88, legs=1.05, arms=1.04, shoulders=1.02, waist=0.92, limbs=0.95),
        Hair((22, 18, 16), "bald"),
        Outfit(
            Cloth(_ORANGE, "block", _BLACK, 0.3), Cloth(_BLACK, "side_stripe", _ORANGE), _ORANGE,
            sleeves=0.0, trousers=0.48, loose=0.014, socks=_BLACK, sock_height=0.3,
        ),
        Place("tiles", "court", seed=6), Face(eyes=(46, 30, 20), brows=(24, 18, 16), lips=(142, 76, 70)),
    ),
    Person(
        "gita", _BROWN, Body(1.60, legs=0.97, shoulders=0.92, hips=1.1, waist=1.02, limbs=0.98, head=1.05),
        Hair((20, 16, 20), "bun"),
        Outfit(
            Cloth(_PURPLE, "floral", _YELLOW, 0.08), Cloth(_CREAM), (150, 90, 60),
            sleeves=0.6, trousers=0.8, loose=0.012, neckline=0.07,
        ),
        Place("wallpaper", "tiles", seed=7), Face(eyes=(44, 28, 20), brows=(22, 16, 16), lips=(166, 66, 80)),
    ),
    Person(
        "hugo", _LIGHT, Body(1.79, legs=0.98, shoulders=1.04, waist=1.12, limbs=1.02),
        Hair((120, 120, 122), "short"),
        Outfit(
            Cloth(_NAVY, "pinstripes", _SKY, 0.06), Cloth(_GREY), _BLACK,
            sleeves=0.97, trousers=0.97, loose=0.014, neckline=0.03, coat=True,
        ),
        Place("shelves", "planks", seed=8), Face(eyes=(80, 100, 120), brows=(104, 104, 106), glasses="clear"),
    ),
    Person(
        "ines", _TAN, Body(1.70, legs=1.03, shoulders=0.93, hips=1.02, waist=0.88, limbs=0.9),
        Hair((112, 50, 30), "bob", fringe=True),
        Outfit(
            Cloth(_WHITE, "dots", _BLACK, 0.06), Cloth(_RED), _WHITE,
            sleeves=0.3, trousers=0.42, loose=0.009, neckline=0.06,
        ),
        Place("brick", "paving", seed=9), Face(eyes=(70, 90, 50), brows=(90, 42, 26), lips=(200, 50, 60)),
    ),
    Person(
        "jon", _FAIR, Body(1.76, legs=1.0, shoulders=1.06, waist=0.98, limbs=1.08),
        Hair((60, 40, 28), "curly", beard=True),
        Outfit(
            Cloth(_SKY, "zigzag", _NAVY, 0.08), Cloth((60, 62, 60)), _YELLOW,
            sleeves=0.95, trousers=0.96, loose=0.012, left_sleeve=Cloth(_YELLOW),
        ),
        Place("concrete", "asphalt", seed=10), Face(brows=(50, 34, 24)),
    ),
    Person(
        "kim", _LIGHT, Body(1.66, legs=1.0, shoulders=0.97, waist=0.9, limbs=0.93, head=1.04),
        Hair((18, 18, 24), "short", fringe=True),
        Outfit(
            Cloth(_BLACK, "logo", _YELLOW, 0.2), Cloth(_GREEN, "camouflage", _KHAKI, 0.12), _RED,
            sleeves=0.5, trousers=0.95, loose=0.015,
        ),
        Place("graffiti", "paving", seed=11), Face(eyes=(40, 28, 24), brows=(20, 20, 24), glasses="sun"),
    ),
    Person(
        "liv", _FAIR, Body(1.77, legs=1.06, shoulders=0.96, hips=0.98, waist=0.86, limbs=0.88),
        Hair((196, 92, 44), "ponytail"),
        Outfit(
            Cloth((70, 70, 80), "block", _PINK, 0.25), Cloth(_PURPLE, "side_stripe", _PINK), _PINK,
            sleeves=0.0, trousers=0.8, loose=0.004, neckline=0.09,
        ),
        Place("brick", "court", seed=12), Face(eyes=(80, 130, 90), brows=(150, 76, 40), lips=(210, 110, 104)),
    ),
    Person(
        "max", _DARK, Body(1.80, legs=1.0, shoulders=1.1, waist=1.0, chest=1.08, limbs=1.14),
        Hair((18, 14, 14), "short", beard=True),
        Outfit(
            Cloth(_CREAM, "hoops", _TEAL, 0.12), Cloth(_DENIM, "denim"), (90, 60, 40),
            sleeves=0.96, trousers=0.96, loose=0.012,
        ),
        Place("panel", "carpet", seed=13), Face(eyes=(40, 26, 18), brows=(16, 12, 12), lips=(128, 66, 62)),
    ),
    Person(
        "nora", _TAN, Body(1.65, legs=1.0, shoulders=0.93, hips=1.05, waist=0.92, limbs=0.93),
        Hair((40, 26, 22), "bob"),
        Outfit(
            Cloth(_SKY, "checks", _WHITE, 0.05), None, _NAVY,
            sleeves=0.55, trousers=0, skirt=0.36, socks=_WHITE, sock_height=0.35,
        ),
        Place("facade", "asphalt", seed=14), Face(eyes=(60, 40, 26), brows=(34, 22, 18), lips=(190, 84, 90)),
    ),
)  # fmt: skip
_BY_NAME = {person.name: person for person in _CAST}
PEOPLE: tuple[str, ...] = tuple(_BY_NAME)


def person(name: str) -> Person:
    """The person of this name.

    Raises:
        DataError: If there is none.
    """
    if name not in _BY_NAME:
        raise DataError(f"unknown person {name!r}", expected=f"one of {', '.join(PEOPLE)}")
    return _BY_NAME[name]
