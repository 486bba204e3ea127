"""Keypoints: what the style encoders see of a performance.

Place in the flow: ARKit weights of a reference -> displacements of a few vertices. Fixed vertices
of the rig, no detector (paper Sec. 3.1), so a tracked stranger and a training actor look alike.
"""

import numpy as np
from jaxtyping import Float, Float32

from kmspeaker.errors import InputError
from kmspeaker.face.rig import FaceModel, KeypointSet

__all__ = ["KeypointSet", "keypoint_set", "keypoint_track"]


def keypoint_set(face: FaceModel, name: str) -> KeypointSet:
    """One of the face's sets: ``ours``, ``ibug68`` or ``dense``.

    Raises:
        InputError: There is no set of that name.
    """
    if name not in face.keypoints:
        raise InputError(f"Got keypoint set {name!r}; use one of {', '.join(face.keypoints)}.")
    return face.keypoints[name]


def keypoint_track(
    face: FaceModel, weights: Float[np.ndarray, "frames 52"], set_name: str = "ours"
) -> Float32[np.ndarray, "frames keypoints 3"]:
    """Displacement of each keypoint from the neutral face, mm.

    The shapes are shared by all identities, so the track holds for every one of them.

    Raises:
        InputError: There is no set of that name.
    """
    deltas = face.deltas[:, keypoint_set(face, set_name).indices]
    flat = weights.astype(np.float32) @ deltas.reshape(len(deltas), -1)
    return flat.reshape(len(weights), -1, 3)
