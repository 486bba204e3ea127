"""The twelve people: ages, sexes and origins as varied as the paper's twelve actors (App. A)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

ORIGINS = ("caucasian", "asian", "african")
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Look:
    """What is painted; colours are sRGB."""

    skin: Colour
    lips: Colour
    hair: Colour
    iris: Colour
    hair_cover: float = 0.9
    """How much of the scalp's skin the hair hides; 0 is shaved bald."""
    hair_depth: float = 5.0
    """How far the hair stands off the scalp, mm."""
    receding: float = 0.0
    """How far the hairline has drawn back from the forehead, mm."""
    brows: float = 1.0
    """Thickness of the brows."""
    brow_colour: Colour | None = None
    stubble: float = 0.0
    beard: float = 0.0
    freckles: float = 0.0
    flush: float = 1.0
    """Redness of cheeks and nose."""
    lines: float = 0.0
    """Painted wrinkles, 0 to 1."""


@dataclass(frozen=True)
class Person:
    """A recipe for one identity; ``docs/face.md`` explains the numbers."""

    sex: str
    age: int
    origin: str
    blend: Mapping[str, float]
    """Shares of MakeHuman's three origins, sum 1."""
    female: float
    """How much of the female targets, 0 to 1; the rest is male."""
    look: Look
    weight: float = 0.0
    """MakeHuman's body weight, -1 lean to 1 heavy."""
    lashes: float = 0.8
    """How long, as a share of the longest."""
    details: Mapping[str, float] = field(default_factory=dict)
    """MakeHuman's modelling targets and how much of each; eyes, ears and cheeks on both sides."""


CAST: dict[str, Person] = {
    "clara": Person(
        *("woman", 34, "White", {"caucasian": 1}, 1.0),
        Look(
            (231, 188, 166),
            (196, 106, 104),
            (104, 70, 44),
            (96, 124, 138),
            freckles=0.5,
            brows=0.8,
            hair_depth=9,
        ),
        lashes=1.0,
        details={
            "nose/nose-hump-incr": 0.4,
            "nose/nose-scale-horiz-decr": 0.5,
            "mouth/mouth-upperlip-volume-incr": 0.5,
            "head/head-invertedtriangular": 0.4,
            "nose/nose-point-up": 0.3,
            "chin/chin-width-decr": 0.3,
            "cheek/cheek-bones-incr": 0.3,
        },
    ),
    "mei": Person(
        *("woman", 26, "Asian", {"caucasian": 0.05, "asian": 0.95}, 1.0),
        Look(
            (236, 197, 165),
            (201, 104, 104),
            (24, 20, 20),
            (58, 38, 26),
            flush=0.8,
            brows=0.75,
            hair_depth=9,
        ),
        lashes=0.8,
        details={
            "nose/nose-scale-vert-decr": 0.5,
            "mouth/mouth-scale-horiz-decr": 0.5,
            "mouth/mouth-lowerlip-volume-incr": 0.7,
            "head/head-round": 0.4,
            "chin/chin-width-decr": 0.5,
        },
    ),
    "amara": Person(
        *("woman", 29, "Black", {"caucasian": 0.1, "african": 0.9}, 1.0),
        Look(
            (146, 96, 70),
            (150, 78, 74),
            (18, 14, 13),
            (44, 27, 18),
            flush=0.35,
            brows=0.8,
            hair_depth=8,
        ),
        lashes=1.0,
        details={
            "cheek/cheek-bones-incr": 0.5,
            "head/head-diamond": 0.45,
            "nose/nose-width3-decr": 0.5,
            "eyes/eye-scale-incr": 0.4,
            "chin/chin-prominent-decr": 0.35,
        },
    ),
    "sofia": Person(
        *("woman", 41, "Latin", {"caucasian": 0.6, "asian": 0.25, "african": 0.15}, 1.0),
        Look(
            (204, 153, 120),
            (176, 88, 84),
            (36, 25, 20),
            (76, 48, 28),
            flush=0.7,
            brows=0.9,
            hair_depth=10,
            lines=0.15,
        ),
        weight=0.45,
        lashes=1.0,
        details={
            "head/head-square": 0.6,
            "head/head-fat-incr": 0.2,
            "nose/nose-curve-convex": 0.6,
            "mouth/mouth-scale-horiz-incr": 0.6,
            "eyes/eye-corner2-down": 0.5,
            "cheek/cheek-volume-incr": 0.7,
        },
    ),
    "hana": Person(
        *("woman", 52, "Asian", {"caucasian": 0.1, "asian": 0.9}, 1.0),
        Look(
            (226, 184, 150),
            (182, 96, 92),
            (66, 62, 62),
            (52, 36, 26),
            flush=0.6,
            brows=0.8,
            hair_depth=9,
            lines=0.35,
        ),
        lashes=0.6,
        details={
            "head/head-oval": 0.4,
            "nose/nose-point-up": 0.5,
            "eyes/eye-bag-incr": 0.6,
            "mouth/mouth-angles-down": 0.35,
            "chin/chin-height-incr": 0.5,
        },
    ),
    "ingrid": Person(
        *("woman", 64, "White", {"caucasian": 1}, 1.0),
        Look(
            *((233, 190, 172), (184, 108, 106), (206, 204, 200), (104, 140, 160)),
            brow_colour=(150, 136, 122),
            brows=0.75,
            hair_depth=10,
            flush=1.2,
            lines=0.6,
        ),
        weight=-0.2,
        lashes=0.6,
        details={
            "head/head-oval": 0.5,
            "nose/nose-point-down": 0.6,
            "nose/nose-scale-vert-incr": 0.4,
            "mouth/mouth-upperlip-volume-decr": 0.35,
            "cheek/cheek-bones-incr": 0.5,
            "head/head-age-incr": 0.7,
            "neck/neck-double-decr": 0.3,
        },
    ),
    "noah": Person(
        *("man", 22, "White", {"caucasian": 1}, 0.15),
        Look(
            *((230, 184, 160), (192, 112, 106), (156, 104, 58), (92, 122, 92)),
            stubble=0.15,
            freckles=1.0,
            flush=0.9,
        ),
        weight=-0.4,
        details={
            "ears/ear-wing-incr": 0.7,
            "nose/nose-width2-decr": 0.5,
            "nose/nose-point-up": 0.6,
            "head/head-invertedtriangular": 0.7,
            "mouth/mouth-scale-horiz-incr": 0.4,
        },
    ),
    "kenji": Person(
        *("man", 38, "Asian", {"caucasian": 0.1, "asian": 0.9}, 0.1),
        Look(
            *((214, 169, 134), (170, 100, 90), (22, 19, 19), (48, 32, 22)),
            stubble=0.35,
            flush=0.6,
        ),
        lashes=0.5,
        details={
            "head/head-square": 0.85,
            "chin/chin-width-incr": 0.7,
            "nose/nose-width3-incr": 0.5,
            "eyes/eye-corner2-up": 0.5,
            "cheek/cheek-bones-incr": 0.7,
        },
    ),
    "malik": Person(
        *("man", 18, "Black", {"caucasian": 0.1, "african": 0.9}, 0.25),
        Look(
            *((128, 85, 63), (136, 80, 74), (16, 13, 12), (40, 25, 17)),
            stubble=0.1,
            hair_depth=7.0,
            flush=0.3,
        ),
        weight=-0.3,
        lashes=0.9,
        details={
            "head/head-oval": 0.5,
            "ears/ear-scale-incr": 0.5,
            "nose/nose-scale-depth-decr": 0.5,
            "chin/chin-height-decr": 0.35,
        },
    ),
    "karim": Person(
        *("man", 33, "Middle-Eastern", {"caucasian": 0.8, "asian": 0.1, "african": 0.1}, 0.0),
        Look(
            *((200, 150, 117), (166, 92, 86), (26, 20, 18), (74, 48, 28)),
            brows=1.4,
            stubble=0.6,
            beard=0.85,
            flush=0.7,
        ),
        lashes=1.0,
        details={
            "nose/nose-hump-incr": 1,
            "nose/nose-scale-depth-incr": 0.6,
            "nose/nose-point-down": 0.5,
            "eyebrows/eyebrows-trans-down": 0.5,
            "head/head-rectangular": 0.5,
        },
    ),
    "samuel": Person(
        *("man", 45, "Black", {"caucasian": 0.1, "african": 0.9}, 0.0),
        Look(
            *((114, 76, 57), (124, 74, 68), (26, 24, 24), (38, 24, 17)),
            hair_cover=0.12,
            hair_depth=0.0,
            stubble=0.5,
            flush=0.25,
            lines=0.2,
        ),
        weight=0.6,
        lashes=0.6,
        details={
            "head/head-round": 0.3,
            "neck/neck-double-incr": 0.5,
            "nose/nose-flaring-incr": 0.5,
            "chin/chin-width-incr": 0.7,
            "head/head-scale-vert-decr": 0.3,
        },
    ),
    "victor": Person(
        *("man", 57, "White", {"caucasian": 1}, 0.0),
        Look(
            *((222, 172, 150), (176, 106, 100), (136, 130, 124), (112, 132, 140)),
            hair_cover=0.7,
            hair_depth=2.5,
            receding=22.0,
            brow_colour=(110, 98, 88),
            brows=1.15,
            stubble=0.45,
            flush=1.05,
            lines=0.5,
        ),
        weight=0.35,
        lashes=0.5,
        details={
            "head/head-square": 0.7,
            "nose/nose-volume-incr": 0.7,
            "ears/ear-lobe-incr": 0.85,
            "eyes/eye-bag-incr": 0.7,
            "mouth/mouth-upperlip-volume-decr": 0.5,
            "chin/chin-cleft-incr": 0.7,
        },
    ),
}
