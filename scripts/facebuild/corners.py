"""What the sliders for an own face blend: mended heads at the corners of sex, age and origin.

Corners are macro heads as coefficients of the scans' identity modes, built and mended as the twelve
people are; between mended heads every vertex moves straight, so lips, lids and teeth stay where
they were mended to. They differ in only a score of ways and are stored as principal components.
"""

from itertools import product
from pathlib import Path

import numpy as np

from facebuild import ict
from facebuild.head import Head, Macros
from facebuild.people import CAST, Person

SEXES = ("male", "female")
AGES = {"young": 25.0, "mid": 50.0, "old": 75.0}
ORIGINS = ("caucasian", "asian", "african")
WEIGHT = "weight_heavy"
SHARPER = 1.15
"""Macro heads are averages of many; a person's features are more marked."""
MOST_ERROR = 0.05
"""mm by which a stored corner may differ from the built one."""
PREFIX = "corner "


def coefficients(macros: Macros) -> dict[str, np.ndarray]:
    """(100,) of each corner, as ``kmspeaker.heads.sliders`` counts them, then of weight."""
    corners = {
        f"{PREFIX}{sex} {age} {origin}": SHARPER * macros.heads[f"{age}_{sex}_{origin}"]
        for sex, age, origin in product(SEXES, AGES, ORIGINS)
    }
    return {
        **corners,
        f"{PREFIX}plain": np.zeros(ict.MODES),
        f"{PREFIX}heavy": macros.directions[WEIGHT],
    }


def take_out(head: Head) -> dict[str, np.ndarray]:
    """The corners' heads, which are no longer among the people's."""
    names = [name for name in head.neutrals if name.startswith(PREFIX)]
    for name in names:
        del head.eye_centers[name]
    return {name: head.neutrals.pop(name) for name in names}


def write(corners: dict[str, np.ndarray], path: Path) -> None:
    """Write ``macros.npz``."""
    *heads, plain, heavy = corners.values()
    flat = np.stack(heads).reshape(len(heads), -1)
    mean = flat.mean(0).astype(np.float32)
    shares, ways = components(flat - mean)
    scale = np.abs(ways).max(1) / 32767
    np.savez_compressed(
        path,
        allow_pickle=False,
        mean=mean.reshape(-1, 3),
        ways=np.round(ways / scale[:, None]).astype(np.int16).reshape(len(ways), -1, 3),
        shares=(shares * scale).astype(np.float32),
        weight=(heavy - plain).astype(np.float16),
        ages=np.array(list(AGES.values()), np.float32),
        people=np.array([macros_of(person) for person in CAST.values()], np.float32),
    )


def components(centred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fewest (heads, k) shares and (k, 3 V) ways whose product is every head's."""
    left, size, right = np.linalg.svd(centred, full_matrices=False)
    for count in range(1, len(size) + 1):
        shares, ways = left[:, :count] * size[:count], right[:count]
        if np.abs(shares @ ways - centred).max() < MOST_ERROR:
            return shares, ways
    return left * size, right


def macros_of(person: Person) -> list[float]:
    """Female share, age and the three origins."""
    origins = [
        sum(share for name, share in person.heads.items() if name.endswith(origin))
        for origin in ORIGINS
    ]
    return [float(person.sex == "woman"), person.age, *(o / sum(origins) for o in origins)]
