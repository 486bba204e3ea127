"""In localization the upper face does what the performance's keypoints say, read linearly (ours).

On this rig the upper keypoints tell the upper face's weights, and all but exactly, by least
squares: a network that learns the same by heart stays a little off, and loses to this rival in the
bench. So it gives what the keypoints do not tell: the gaze, and all where no face is seen.
"""

import numpy as np
from jaxtyping import Bool, Float, Float64
from scipy.ndimage import distance_transform_edt

from kmspeaker.face.keypoints import keypoint_set, keypoint_track
from kmspeaker.face.least_squares import bounded_least_squares
from kmspeaker.face.rig import ARKIT_NAMES, UPPER_SHAPES, FaceModel, Weights
from kmspeaker.reference.performance import Performance

FOLLOWED = UPPER_SHAPES & ~np.array(
    [name.startswith(("eyeLook", "noseSneer")) for name in ARKIT_NAMES]
)
"""Shapes of the upper face that its keypoints show, and that leave the lips to the speech: a sneer
lifts the upper one by 2.6 mm."""
RIDGE = 1e-3
"""Added to each shape's own energy of 1, so that those which are not told apart share what is
seen."""
EASE = 0.2
"""Seconds over which the network takes over where the performance ends or is lost."""


def upper_face_read(
    face: FaceModel, weights: Weights, keypoints: str = "ours"
) -> Float64[np.ndarray, "frames 52"]:
    """The upper face's weights that a performance's upper keypoints tell; others are zero.

    Args:
        face: the rig.
        weights: the performance's, of which only the upper keypoints are looked at.
        keypoints: one of the face's sets.
    """
    upper = keypoint_set(face, keypoints).upper
    shapes = len(ARKIT_NAMES)
    # The mouth's shapes are solved for too: cheeks and lower lids move with it.
    each = keypoint_track(face, np.eye(shapes, dtype=np.float32), keypoints)[:, upper]
    each = each.reshape(shapes, -1).astype(np.float64)
    # Shapes differ a hundredfold in energy: solve for weights times their own energy's root.
    energy = np.sqrt((each**2).sum(axis=1)).clip(min=1e-6)
    scaled = each / energy[:, None]
    seen = keypoint_track(face, weights, keypoints)[:, upper].reshape(len(weights), -1)
    gram = scaled @ scaled.T + RIDGE * np.eye(shapes)
    solved = bounded_least_squares(gram, seen @ scaled.T, upper=energy, iterations=400)
    return np.where(UPPER_SHAPES, solved / energy, 0.0)


def follow_upper(
    takes: Float[np.ndarray, "takes frames 52"],
    face: FaceModel,
    performance: Performance,
    *,
    keypoints: str,
    share: float,
    guidance: float = 1.0,
) -> Float64[np.ndarray, "takes frames 52"]:
    """Takes whose upper face is that of a performance, as far as its keypoints tell.

    Args:
        takes: the network's.
        face: the rig.
        performance: at the take's rate; beyond its end, and where it shows no face, the network's
            motion stays.
        keypoints: the network's set.
        share: of the reading, 0 to 1.
        guidance: below 1 so much less of it; above 1 the performance goes so much further from its
            own mean.
    """
    spoken = takes.shape[1]
    frames = min(spoken, len(performance))
    seen = np.zeros(spoken, bool)
    seen[:frames] = performance.present[:frames]
    if not seen.any():
        return takes.astype(np.float64)
    read = np.zeros((spoken, len(ARKIT_NAMES)))
    read[:frames] = upper_face_read(face, performance.weights[:frames], keypoints)
    middle = read[seen].mean(axis=0)
    wanted = middle + max(guidance, 1.0) * (read - middle)
    follows = share * min(guidance, 1.0) * _eased(seen, round(EASE * performance.fps))
    return takes + follows[:, None] * FOLLOWED * (wanted - takes)


def _eased(seen: Bool[np.ndarray, " frames"], frames: int) -> Float64[np.ndarray, " frames"]:
    """1 within what is seen, falling to 0 towards what is not; ends of the take are no losses."""
    distance = np.asarray(distance_transform_edt(seen)) if not seen.all() else np.inf * seen
    return (distance / (frames + 1)).clip(0, 1)
