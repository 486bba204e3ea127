"""Flow matching on the straight path, by predicting the data (paper 3.1).

``x_0`` is noise, ``x_1`` data, ``t`` runs from 0 to 1 and ``x_t = (1 - t) x_0 + t x_1``.
(Diffusion libraries count the other way.) A network answers ``x_1`` for ``(x_t, t)``; the velocity
follows from it. Nothing here knows of faces or speech.
"""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

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
    bend: float = 1.0,
    progress: Callable[[float], None] | None = None,
) -> Float[Tensor, "*shape"]:
    """Carry noise to data by the midpoint method (paper 3.1: in 50 equal steps).

    The method is of second order: the error falls with the square of the number of steps. Few
    equal steps cost spread: what is sampled varies less than the data, the more so the narrower the
    data are against the noise, because their spread is decided late. Steps that grow shorter
    towards the data, at times ``1 - (1 - s) ** bend`` of equal ``s``, keep it: four with a bend of
    1.5 keep 0.96 of data a tenth as wide as the noise, four equal ones 0.80
    (``tests/model/test_flow.py`` holds the closed form). The network answers twice a step, and
    never at time 1, where the velocity is not defined.

    Args:
        predict: answers ``x_1``; called at the beginning and in the middle of each step.
        x_0: noise.
        steps: at least 1.
        bend: 1 for equal steps, as in the paper; more for later ones (ours).
        progress: told the fraction done after each step.
    """
    assert steps >= 1
    x_t = x_0
    for step in range(steps):
        t, t_next = (1 - (1 - s / steps) ** bend for s in (step, step + 1))
        t_middle = (t + t_next) / 2
        x_middle = x_t + (t_middle - t) * velocity(x_t, predict(x_t, t), t)
        x_t = x_t + (t_next - t) * velocity(x_middle, predict(x_middle, t_middle), t_middle)
        if progress is not None:
            progress((step + 1) / steps)
    return x_t
