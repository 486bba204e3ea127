"""The twelve people: ages, sexes and origins as varied as the paper's twelve actors (App. A)."""

from dataclasses import dataclass, field

ORIGINS = ("caucasian", "asian", "african")


@dataclass(frozen=True)
class Person:
    """A recipe for one identity; ``docs/face.md`` explains the numbers."""

    sex: str
    age: int
    origin: str
    blend: dict[str, float]
    """Shares of MakeHuman's three origins, sum 1."""
    female: float
    """How much of the female targets, 0 to 1; the rest is male."""
    weight: float = 0.0
    details: dict[str, float] = field(default_factory=dict)
    """MakeHuman's modelling targets and how much of each; eyes, ears and cheeks on both sides."""


def _blend(caucasian: float = 0, asian: float = 0, african: float = 0) -> dict[str, float]:
    shares = {"caucasian": caucasian, "asian": asian, "african": african}
    return {name: share for name, share in shares.items() if share}


CAST: dict[str, Person] = {
    "clara": Person("woman", 34, "White", _blend(1), 0.95),
    "mei": Person("woman", 26, "Asian", _blend(0.05, 0.95), 0.95),
    "amara": Person("woman", 29, "Black", _blend(0.1, 0, 0.9), 0.9),
    "sofia": Person("woman", 41, "Latin", _blend(0.6, 0.25, 0.15), 0.9, 0.3),
    "hana": Person("woman", 52, "Asian", _blend(0.1, 0.9), 0.85),
    "ingrid": Person("woman", 64, "White", _blend(1), 0.9),
    "noah": Person("man", 22, "White", _blend(1), 0.1, -0.3),
    "kenji": Person("man", 38, "Asian", _blend(0.1, 0.9), 0.1),
    "malik": Person("man", 18, "Black", _blend(0.1, 0, 0.9), 0.2, -0.2),
    "karim": Person("man", 33, "Middle-Eastern", _blend(0.75, 0.1, 0.15), 0.05),
    "samuel": Person("man", 45, "Black", _blend(0.1, 0, 0.9), 0.0, 0.4),
    "victor": Person("man", 57, "White", _blend(1), 0.0, 0.2),
}
