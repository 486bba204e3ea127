"""Between samples: the one smooth step and the one linear resampler of the program."""

import numpy as np
from jaxtyping import Float


def smoothstep(x: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """0 up to 0, 1 from 1 on, and between them the cubic that leaves and arrives level."""
    x = x.clip(0, 1)
    return x * x * (3 - 2 * x)


def sample_rows(
    values: Float[np.ndarray, "rows channels"], position: Float[np.ndarray, " positions"]
) -> Float[np.ndarray, "positions channels"]:
    """Rows at fractional positions, linear between neighbours, in the dtype of ``values``.

    Before the first row and after the last one, those are held.
    """
    position = position.clip(0, len(values) - 1)
    below = np.floor(position).astype(int)
    above = np.minimum(below + 1, len(values) - 1)
    fraction = (position - below).astype(values.dtype)[:, None]
    return values[below] * (1 - fraction) + values[above] * fraction
