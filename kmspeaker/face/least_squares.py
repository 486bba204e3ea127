"""Box-bounded least squares, many right-hand sides at once.

Retargeting, export and corpus building all ask the same question: which weights within bounds move
the rig closest to some displacements? With 52 unknowns the normal equations are tiny, so thousands
of frames are solved together by accelerated projected gradient descent.
"""

import numpy as np
from jaxtyping import Float, Float64


def bounded_least_squares(
    gram: Float[np.ndarray, "unknowns unknowns"],
    rhs: Float[np.ndarray, "frames unknowns"],
    *,
    lower: float | Float[np.ndarray, "..."] = 0.0,
    upper: float | Float[np.ndarray, "..."] = 1.0,
    start: Float[np.ndarray, "frames unknowns"] | None = None,
    iterations: int = 200,
) -> Float64[np.ndarray, "frames unknowns"]:
    """Minimise ``w G w / 2 - r w`` over ``lower <= w <= upper`` for every row ``r`` of ``rhs``.

    For ``min |A w - b|^2`` pass ``gram = A.T @ A`` and ``rhs = b @ A``. Nesterov's method with
    adaptive restart (O'Donoghue & Candes 2015); ``lower`` and ``upper`` broadcast to ``rhs``.
    """
    gram = np.asarray(gram, np.float64)
    rhs = np.asarray(rhs, np.float64)
    step = 1.0 / max(float(np.linalg.eigvalsh(gram)[-1]), 1e-12)
    w = np.clip(np.zeros_like(rhs) if start is None else start, lower, upper).astype(np.float64)
    look_ahead, momentum = w.copy(), np.ones((len(rhs), 1))
    for _ in range(iterations):
        gradient = look_ahead @ gram - rhs
        following = np.clip(look_ahead - step * gradient, lower, upper)
        uphill = np.sum((look_ahead - following) * (following - w), axis=1, keepdims=True) > 0
        momentum = np.where(uphill, 1.0, momentum)
        next_momentum = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        look_ahead = following + np.where(uphill, 0.0, (momentum - 1) / next_momentum) * (
            following - w
        )
        w, momentum = following, next_momentum
    return w
