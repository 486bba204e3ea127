"""The people who wear the rig's motion: each a face at rest, a skin, and whose it is.

Place in the flow: ``rig.FaceModel`` holds them by name; ``heads`` adds a user's own. All share one
topology, so that whatever moves one moves every one of them.
"""

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from kmspeaker.errors import InputError

BUNDLED_CREDIT = "MakeHuman community, CC0 1.0"
"""Whose the bundled heads are."""


@dataclass(frozen=True)
class Identity:
    """One person."""

    neutral: Float32[np.ndarray, "vertices 3"]
    """The face at rest, mm."""
    eye_centers: Float32[np.ndarray, "2 3"]
    """Centres of the left and the right eyeball, mm."""
    texture: Path
    """Colours, a PNG for ``FaceModel.render_uv``."""
    description: str
    """For example ``woman, 34, White``."""
    credit: str
    """Whose head it is, and its licence."""
    bundled: bool
    """False for a user's own."""


def read_identities(folder: Path, rig: Mapping[str, np.ndarray]) -> dict[str, Identity]:
    """The bundled people, by name.

    Args:
        folder: Where ``identities.json`` and ``textures/`` lie.
        rig: The arrays ``neutrals`` and ``eye_centers`` of ``rig.npz``, in the order of that file.
    """
    people = json.loads((folder / "identities.json").read_text())
    return {
        name: Identity(
            neutral=neutral,
            eye_centers=eye_centers,
            texture=folder / "textures" / f"{name}.png",
            description=f"{person['sex']}, {person['age']}, {person['origin']}",
            credit=BUNDLED_CREDIT,
            bundled=True,
        )
        for (name, person), neutral, eye_centers in zip(
            people.items(), rig["neutrals"], rig["eye_centers"], strict=True
        )
    }


def find_identity(people: Mapping[str, Identity], name: str) -> Identity:
    """The person of that name.

    Raises:
        InputError: There is no such person; the sentence names the most similar name.
    """
    if name in people:
        return people[name]
    nearest = difflib.get_close_matches(name.lower(), people, n=1, cutoff=0)[0]
    raise InputError(
        f"Got identity {name!r}, did you mean {nearest!r}? Known are {', '.join(people)}."
    )


def eyeball_centre(points: Float32[np.ndarray, "points 3"]) -> Float32[np.ndarray, "3"]:
    """Centre of the sphere that fits an eyeball's vertices best in the algebraic sense, mm."""
    design = np.c_[2 * points, np.ones(len(points))].astype(np.float64)
    solved = np.linalg.lstsq(design, (points.astype(np.float64) ** 2).sum(1), rcond=None)[0]
    return solved[:3].astype(np.float32)
