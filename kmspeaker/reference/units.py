"""Units of the numbers in a performance's file: what is not as the app writes it is recognised.

Place in the flow: the numbers of ``live_link`` -> weights from 0 to 1 and angles in radians. Limits
are ours: what a real face cannot do in one unit is the other.
"""

import numpy as np
from jaxtyping import Float32

from kmspeaker.errors import InputError

MOST_WEIGHT = 1.5
"""Real files reach 1.08; whatever is over this is not the app's."""
PERCENT = (5.0, 150.0)
"""What the largest weight of a file in percent lies between."""
MOST_TURNED = np.pi / 2
"""Radians from its median to which a face that is seen may turn."""


def in_unit_range(
    weights: Float32[np.ndarray, "rows 52"], name: str
) -> tuple[Float32[np.ndarray, "rows 52"], list[str]]:
    """Weights within [0, 1], of percent too, and what is to be said of that.

    Args:
        weights: As in the file; not empty, finite.
        name: Of the file, for errors.

    Raises:
        InputError: They are neither from 0 to 1 nor from 0 to 100.
    """
    largest = weights.max(axis=1)
    most = float(largest.max())
    if most <= MOST_WEIGHT:
        return weights.clip(0, 1), []
    # A unit shows in most rows; a few values that are too large are a fault of the tracker's.
    if np.median(largest[largest > 0]) > MOST_WEIGHT and most > PERCENT[0]:
        if most > PERCENT[1]:
            raise InputError(
                f"Got {name} with weights up to {most:.4g}; weights from 0 to 1 or from 0 to 100 "
                "are needed, so scale them."
            )
        return (weights / 100).clip(0, 1), [
            f"The weights, up to {most:.4g}, are read as percent and divided by 100."
        ]
    return weights.clip(0, 1), [
        f"{np.sum(weights > MOST_WEIGHT)} weights are over {MOST_WEIGHT:g}, up to {most:.4g}, and "
        "are read as 1."
    ]


def in_radians(
    head: Float32[np.ndarray, "rows 3"], name: str
) -> tuple[Float32[np.ndarray, "rows 3"], list[str]]:
    """Angles in radians, of degrees too, that do not jump by a turn; and what is to be said.

    Args:
        head: Yaw, pitch and roll as in the file; not empty, finite.
        name: Of the file, for errors.

    Raises:
        InputError: They are too large for degrees.
    """
    most = float(np.abs(head).max())
    turned = np.unwrap(head, axis=0)
    if most <= 1.01 * np.pi and np.abs(turned - np.median(turned, axis=0)).max() <= MOST_TURNED:
        return turned, []
    if most > 361:
        raise InputError(
            f"Got {name} with a head angle of {most:.4g}; radians or degrees are needed, so "
            "convert the head's columns or leave them out."
        )
    degrees = np.unwrap(head, period=360, axis=0)
    return np.radians(degrees).astype(np.float32), [
        f"The head's angles, up to {most:.3g}, are read as degrees."
    ]
