"""Heads by sliders: age, gender, origins and weight, as directions of the scans' identity modes.

Place in the flow: gives ``rig.FaceModel`` one more identity. ``scripts/build_face.py`` made the
heads at the corners, each mended like the twelve bundled people; between them every vertex moves
straight, so lips, lids and teeth stay where they were mended to.
"""

from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int16

from kmspeaker.errors import InputError
from kmspeaker.face.identities import BUNDLED_CREDIT
from kmspeaker.face.rig import FaceModel

OWN = "own"
"""What a sculpted identity is called."""
_COLOUR_OF_AGE, _COLOUR_OF_GENDER = 1 / 50, 1.5
"""How a year, and from man to woman, count when choosing skin and hair; origins count 1."""


def _slider(least: int, most: int, meaning: str) -> dict[str, Any]:
    return {"range": (least, most), "help": meaning}


@dataclass(frozen=True)
class Sliders:
    """Where the sliders stand.

    Raises:
        InputError: A number outside its range, or no origin at all.
    """

    age: float = field(default=35.0, metadata=_slider(18, 90, "years"))
    gender: float = field(default=0.5, metadata=_slider(0, 1, "0 male, 1 female"))
    weight: float = field(default=0.0, metadata=_slider(-1, 1, "-1 lean, 1 heavy"))
    european: float = field(default=1.0, metadata=_slider(0, 1, "share of European origin"))
    asian: float = field(default=0.0, metadata=_slider(0, 1, "share of Asian origin"))
    african: float = field(default=0.0, metadata=_slider(0, 1, "share of African origin"))

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        for each in fields(self):
            value, (least, most) = getattr(self, each.name), each.metadata["range"]
            if not least <= value <= most:  # neither is what is not a number
                raise InputError(
                    f"Got {each.name} {value!r}; it must be from {least:g} to {most:g}."
                )
        if not any(self.origins):
            raise InputError("Got no origin; give at least one of the three a share.")

    @property
    def origins(self) -> tuple[float, float, float]:
        """European, Asian and African as given; only their proportions count."""
        return self.european, self.asian, self.african

    @property
    def description(self) -> str:
        """For lists of people, for example ``own face, 35 years``."""
        return f"own face, {self.age:.0f} years"


@dataclass(frozen=True)
class _Basis:
    """The heads at the corners: gender (2) x age (3) x origin (3), and who looks how."""

    mean: Float32[np.ndarray, "vertices 3"]
    ways: Int16[np.ndarray, "ways vertices 3"]
    shares: Float32[np.ndarray, "18 ways"]
    weight: Float32[np.ndarray, "vertices 3"]
    """What a heavy face has beyond a lean one's half way, mm."""
    ages: Float32[np.ndarray, "3"]
    people: Float32[np.ndarray, "people 5"]
    """Gender, age and origins of the bundled people."""


def sculpt(face: FaceModel, sliders: Sliders, name: str = OWN) -> FaceModel:
    """The face with one more identity, as the sliders stand.

    It has the skin and hair of the bundled person who is nearest in age, gender and origins.

    Raises:
        InputError: A bundled identity has the name.
    """
    basis = _load(face.folder)
    origins = np.array(sliders.origins) / sum(sliders.origins)
    aged = np.array([np.interp(sliders.age, basis.ages, row) for row in np.eye(3)])
    gender = [1 - sliders.gender, sliders.gender]
    shares = np.einsum("g,a,o->gao", gender, aged, origins)
    neutral = basis.mean + np.tensordot(shares.ravel() @ basis.shares, basis.ways, axes=1)
    neutral = neutral + sliders.weight * basis.weight
    place = np.array([sliders.gender, sliders.age, *origins])
    apart = (basis.people - place) * [_COLOUR_OF_GENDER, _COLOUR_OF_AGE, 1, 1, 1]
    return face.with_identity(
        name,
        neutral.astype(np.float32),
        like=face.identities[int((apart**2).sum(1).argmin())],
        description=sliders.description,
        credit=BUNDLED_CREDIT,
    )


@cache
def _load(folder: Path) -> _Basis:
    path = folder / "macros.npz"
    if not path.is_file():
        raise InputError(f"Got no sliders in {folder}; it needs macros.npz, reinstall the program.")
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    return _Basis(**arrays | {"weight": arrays["weight"].astype(np.float32)})
