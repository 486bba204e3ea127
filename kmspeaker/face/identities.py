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
from kmspeaker.face.hair import Hair, read_style

BUNDLED_CREDIT = "ICT-FaceKit, USC ICT, MIT licence; skin and hair: MakeHuman community, CC0 1.0"
"""Whose the bundled heads are."""


NEUTRAL_STEPS = 100
"""Neutrals are stored as whole numbers of a hundredth of a millimetre."""


@dataclass(frozen=True)
class Identity:
    """One person."""

    neutral: Float32[np.ndarray, "vertices 3"]
    """The face at rest, mm."""
    eye_centers: Float32[np.ndarray, "2 3"]
    """Centres of the left and the right eyeball, mm."""
    texture: Path
    """Colours, a picture for ``FaceModel.render_uv``."""
    hair: Hair | None
    folding: float
    """How deep the lines of this skin are: more with age."""
    description: str
    """For example ``woman, 34, White``."""
    credit: str
    """Whose head it is, and its licence."""
    bundled: bool
    """False for a user's own."""


def read_identities(folder: Path, rig: Mapping[str, np.ndarray]) -> dict[str, Identity]:
    """The bundled people, by name.

    Args:
        folder: Where ``identities.json``, ``textures/`` and ``hair/`` lie.
        rig: The arrays ``neutrals`` and ``eye_centers`` of ``rig.npz``, in the order of that file.
    """
    people = json.loads((folder / "identities.json").read_text())
    return {
        name: Identity(
            neutral=neutral.astype(np.float32) / NEUTRAL_STEPS,
            eye_centers=eye_centers,
            texture=folder / "textures" / f"{name}.jpg",
            hair=Hair(
                read_style(folder / "hair" / f"{person['hair']}.npz"), tuple(person["hair_colour"])
            )
            if person["hair"]
            else None,
            folding=person["folding"],
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
