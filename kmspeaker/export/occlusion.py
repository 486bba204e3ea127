"""How much light reaches each vertex: less in mouth, nostrils and ears."""

import numpy as np
from jaxtyping import Float32

from kmspeaker.errors import InputError
from kmspeaker.face.rig import FaceModel

_BOUNCED = 0.18
"""Light that reaches the deepest place by bouncing about."""


def ambient_occlusion(face: FaceModel) -> Float32[np.ndarray, " vertices"]:
    """Between 0 and 1, measured by ``scripts/build_occlusion.py`` with the mouth open.

    Brighter than the share of the sky that a vertex sees, since cavities light themselves.

    Raises:
        InputError: The measurement is of another rig.
    """
    sky = np.load(face.folder / "occlusion.npy").astype(np.float32) / 255
    if len(sky) != len(face.part):
        raise InputError(
            f"Got light for {len(sky)} vertices on a face with {len(face.part)}; "
            "run scripts/build_occlusion.py."
        )
    return _BOUNCED + (1 - _BOUNCED) * sky**0.55
