"""The twelve people: ages, sexes and origins as varied as the paper's twelve actors (App. A)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Person:
    """A recipe for one identity; ``docs/face.md`` explains the numbers."""

    sex: str
    age: int
    origin: str
    heads: Mapping[str, float]
    """Shares of the macro heads of ``ict_from_macros.npz``, which the sliders blend too."""
    seed: int
    """Of the person's own features, drawn from the scans' identity modes."""
    skin: str
    """Photographed skin, by its name in the folder of skins."""
    iris: str
    brow: str
    brow_colour: Colour
    hair: str | None
    hair_colour: Colour
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Linear factor on the skin's colours."""
    own: float = 0.45
    """How strongly the person's own features are drawn, standard deviations."""
    brow_shift: float = 0.0
    """How far the brows are painted above where the picture of them has them, mm."""
    brow_raise: float = 0.0
    """How far the brows rest above where the modes have them, as a share of the raised ones."""
    unsquint: float = 0.0
    """How much of the scanned squint is taken off at rest."""
    details: Mapping[str, float] = field(default_factory=dict)
    """Directions of ``ict_from_macros.npz`` and how much of each."""

    @property
    def resting(self) -> dict[str, float]:
        """Scanned shapes that are part of the face at rest."""
        return {
            "browInnerUp": self.brow_raise,
            "browOuterUp": self.brow_raise,
            "eyeSquint": -self.unsquint,
        }


CAST: dict[str, Person] = {
    "clara": Person(
        *("woman", 34, "White", {"young_female_caucasian": 1.0}, 11, "young_light_f2", "blue"),
        *("eyebrow001", (96, 68, 50), "ponytail01", (104, 72, 46)),
        brow_shift=1.2,
        brow_raise=0.05,
    ),
    "mei": Person(
        *("woman", 26, "Asian", {"young_female_asian": 1.1}, 12, "young_asian_f", "brown"),
        *("eyebrow012", (40, 30, 26), "ponytail01", (30, 25, 24)),
        unsquint=0.1,
    ),
    "amara": Person(
        *("woman", 29, "Black", {"young_female_african": 1.0}, 13, "young_dark_f", "brown"),
        *("eyebrow008", (22, 16, 14), "ponytail01", (30, 23, 21)),
    ),
    "sofia": Person(
        *("woman", 41, "Latin", {"mid_female_caucasian": 0.7, "mid_female_african": 0.3}, 14),
        *("mid_asian_f", "brown", "eyebrow012", (44, 32, 26), "ponytail01", (40, 28, 22)),
        tint=(0.92, 0.84, 0.76),
        details={"weight_heavy": 0.25},
        brow_shift=1.0,
        brow_raise=0.08,
    ),
    "hana": Person(
        *("woman", 52, "Asian", {"mid_female_asian": 0.6, "old_female_asian": 0.4}, 15),
        *("old_asian_f", "brown", "eyebrow010", (58, 50, 46), "short04", (66, 62, 62)),
        unsquint=0.4,
        details={"detail_mouth-scale-horiz-incr": 0.5},
    ),
    "ingrid": Person(
        *("woman", 64, "White", {"old_female_caucasian": 1.0}, 16, "old_light_f", "ice"),
        *("eyebrow012", (112, 98, 88), "short02", (184, 180, 174)),
        brow_shift=0.5,
        brow_raise=0.08,
        unsquint=0.1,
        details={"detail_mouth-scale-vert-incr": 0.8},
    ),
    "noah": Person(
        *("man", 22, "White", {"young_male_caucasian": 1.0}, 17, "young_light_m", "green"),
        *("eyebrow001", (82, 58, 42), "short02", (112, 78, 52)),
        brow_shift=1.0,
        brow_raise=0.05,
        unsquint=0.9,
    ),
    "kenji": Person(
        *("man", 38, "Asian", {"mid_male_asian": 1.0}, 41, "mid_asian_m", "brown"),
        *("eyebrow001", (34, 26, 22), "short04", (34, 29, 28)),
        brow_shift=1.2,
        brow_raise=0.15,
        unsquint=1.1,
        details={"detail_mouth-scale-horiz-incr": 1.2, "detail_mouth-scale-vert-incr": -1.0},
    ),
    "malik": Person(
        *("man", 18, "Black", {"young_male_african": 1.1}, 19, "young_dark_m", "brown"),
        *("eyebrow001", (20, 15, 13), None, (28, 23, 21)),
        brow_shift=2.0,
        brow_raise=0.2,
        unsquint=0.9,
    ),
    "karim": Person(
        *("man", 33, "Middle-Eastern", {"young_male_caucasian": 0.8, "young_male_african": 0.2}),
        *(20, "young_light_m2", "brown", "eyebrow009", (34, 26, 22), "short04", (34, 27, 24)),
        tint=(0.82, 0.74, 0.66),
        brow_shift=2.2,
        brow_raise=0.25,
        unsquint=0.35,
    ),
    "samuel": Person(
        *("man", 45, "Black", {"mid_male_african": 1.0}, 21, "mid_dark_m", "brown"),
        *("eyebrow001", (24, 20, 18), None, (30, 26, 25)),
        details={"weight_heavy": 0.2},
        brow_shift=1.6,
        brow_raise=0.2,
        unsquint=0.6,
    ),
    "victor": Person(
        *("man", 57, "White", {"old_male_caucasian": 0.8, "mid_male_caucasian": 0.2}, 22),
        *("old_light_m", "grey", "eyebrow009", (120, 112, 104), "short04", (150, 146, 140)),
        brow_shift=1.2,
        brow_raise=0.1,
        unsquint=0.7,
        details={"detail_mouth-scale-vert-incr": 0.7},
    ),
}
