"""What a person looks like at rest, where the user says so: from a picture or a moment of a clip.

Place in the flow: ``landmarker`` -> here -> ``tracking.FaceTrack.neutral``, which ``retarget``
measures expressions against. Without one it has to guess.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from kmspeaker.errors import InputError
from kmspeaker.media.picture import read_picture
from kmspeaker.reference.landmarker import Detection, detect_faces

MOST_TURNED = 40.0
"""Degrees by which a neutral face may be turned from the camera: of a profile half is a guess."""


@dataclass(frozen=True)
class NeutralFace:
    """One face at rest, as a ``FaceTrack`` has one in each frame."""

    landmarks: Float32[np.ndarray, "478 3"]
    """mediapipe's: x right, y down, z away from the camera, in pixels of its own picture."""
    scores: Float32[np.ndarray, " 52"]
    """mediapipe's blendshape scores in ``rig.ARKIT_NAMES`` order, 0 to 1."""

    def __post_init__(self) -> None:
        """Refuse what cannot be a face, so that a damaged file ends here."""
        for name, shape in {"landmarks": (478, 3), "scores": (52,)}.items():
            value = getattr(self, name)
            if value.shape != shape or not np.isfinite(value).all():
                raise InputError(
                    f"Got a neutral face whose {name} are damaged; say anew what is neutral."
                )
        if np.ptp(self.landmarks[:, :2], axis=0).min() <= 0:
            raise InputError("Got a neutral face without an extent; say anew what is neutral.")


def neutral_of_picture(path: Path | str) -> NeutralFace:
    """The one face in a picture.

    Raises:
        InputError: The picture cannot be read (``media.picture``), shows no face or more than one,
            or one that looks aside.
    """
    path = Path(path)
    ((_, _, faces),) = detect_faces([(0.0, read_picture(path))])
    if not faces:
        raise InputError(
            f"Got no face in {path.name}; "
            "give a picture of the person at rest, from the front and not too small."
        )
    largest = max(faces, key=lambda face: face.size)
    if any(_is_another(face, largest) for face in faces):
        raise InputError(
            f"Got more than one face in {path.name}; cut the picture to the person in the video."
        )
    check_turn(largest.pose, path.name)
    return NeutralFace(largest.landmarks, largest.scores)


def check_turn(pose: Float32[np.ndarray, "4 4"], where: str) -> None:
    """Refuse a face that is turned away too far to say what is neutral.

    Args:
        pose: From the face to the camera, as in ``FaceTrack``.
        where: The picture or moment, for the sentence.

    Raises:
        InputError: It is turned by more than ``MOST_TURNED``.
    """
    towards = pose[2, 2] / max(float(np.linalg.norm(pose[:3, 2])), 1e-9)
    turned = float(np.degrees(np.arccos(np.clip(towards, -1, 1))))
    if turned > MOST_TURNED:
        raise InputError(
            f"Got a face turned {turned:.0f}° from the camera in {where}; a neutral face may be "
            f"turned by at most {MOST_TURNED:.0f}°, take one that looks into the camera."
        )


def _is_another(face: Detection, largest: Detection) -> bool:
    """Whether a detection lies elsewhere; one face is sometimes found twice in one place."""
    return float(np.linalg.norm(face.centre - largest.centre)) > largest.size / 2
