"""Flow matching on the straight path, by predicting the data (paper 3.1).

``x_0`` is noise, ``x_1`` data, ``t`` runs from 0 to 1 and ``x_t = (1 - t) x_0 + t x_1``.
(Diffusion libraries count the other way.) A network answers ``x_1`` for ``(x_t, t)``; the velocity
follows from it. Nothing here knows of faces or speech.
"""

from collections.abc import Callable
from typing import Literal, get_args

from jaxtyping import Float
from torch import Tensor

Method = Literal["midpoint", "euler"]
METHODS: tuple[Method, ...] = get_args(Method)
EVALUATIONS_PER_STEP = {"midpoint": 2, "euler": 1}

Predict = Callable[[Tensor, float], Tensor]
"""Answers the data ``x_1`` expected at ``(x_t, t)``, in the shape of ``x_t``."""


def interpolate(
    x_0: Float[Tensor, "*shape"], x_1: Float[Tensor, "*shape"], t: Float[Tensor, "*time"]
) -> Float[Tensor, "*shape"]:
    """The point at ``t`` on the straight path; ``t`` broadcasts, 0 gives noise and 1 data."""
    return (1 - t) * x_0 + t * x_1


def velocity(
    x_t: Float[Tensor, "*shape"], x_1: Float[Tensor, "*shape"], t: float
) -> Float[Tensor, "*shape"]:
    """The direction from ``x_t`` that reaches ``x_1`` at time 1; ``t`` must be below 1."""
    return (x_1 - x_t) / (1 - t)


def sample(
    predict: Predict,
    x_0: Float[Tensor, "*shape"],
    *,
    steps: int,
    method: Method = "midpoint",
    progress: Callable[[float], None] | None = None,
) -> Float[Tensor, "*shape"]:
    """Carry noise to data in ``steps`` equal steps.

    The network is last asked before time 1 and its answer there is the result: at time 1 the
    velocity would divide by zero, and the last step of either method only aims at that answer.

    Args:
        predict: answers ``x_1``; called ``EVALUATIONS_PER_STEP[method]`` times a step.
        x_0: noise.
        steps: at least 1; the paper takes 50 of midpoint.
        method: "midpoint" (second order) or "euler".
        progress: told the fraction done after each step.
    """
    assert steps >= 1
    x_t = x_1 = x_0
    for step in range(steps):
        t, following = step / steps, (step + 1) / steps
        x_1 = predict(x_t, t)
        direction = velocity(x_t, x_1, t)
        if method == "midpoint":
            middle = (t + following) / 2
            x_middle = x_t + (middle - t) * direction
            x_1 = predict(x_middle, middle)
            direction = velocity(x_middle, x_1, middle)
        x_t = x_t + (following - t) * direction
        if progress is not None:
            progress(following)
    return x_1
