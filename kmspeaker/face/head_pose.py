"""Where the head turns: from a performance's angles to rotations that viewers and exports share.

Place in the flow: ``pipeline`` takes the angles from the reference, ``export`` and the page turn
the head by them. The expression never knows of it.
"""

import numpy as np
from jaxtyping import Float, Float32, Float64
from scipy.spatial.transform import Rotation

HEAD_PIVOT = (0.0, -45.0, -80.0)
"""mm from midway between the eyes: where the skull rests on the spine, and the head turns about."""


def head_rotations(head: Float[np.ndarray, "frames 3"]) -> Float64[np.ndarray, "frames 3 3"]:
    """Rotation matrices ``Ry(yaw) Rx(pitch) Rz(roll)`` of angles as ``Performance.head`` has."""
    return Rotation.from_euler("YXZ", head).as_matrix()


def head_quaternions(head: Float[np.ndarray, "frames 3"]) -> Float32[np.ndarray, "frames 4"]:
    """The same rotations as quaternions (x, y, z, w), w not below 0."""
    return Rotation.from_euler("YXZ", head).as_quat(canonical=True).astype(np.float32)


def turn_head(
    vertices: Float32[np.ndarray, "vertices 3"], angles: Float[np.ndarray, "3"]
) -> Float32[np.ndarray, "vertices 3"]:
    """A face's vertices, mm, with the head turned about ``HEAD_PIVOT``."""
    pivot = np.array(HEAD_PIVOT, np.float32)
    rotation = head_rotations(angles[None])[0].astype(np.float32)
    return (vertices - pivot) @ rotation.T + pivot
