"""How far raters agree: mean pairwise Pearson, as the paper reports, and Krippendorff's alpha.

Place in the flow: ``analysis`` calls these on ratings laid out as raters by units, where a unit is
one stimulus of one item.
"""

from typing import Literal

import numpy as np
from jaxtyping import Float

Units = Float[np.ndarray, "raters units"]
"""Not a number where nothing was rated."""
Metric = Literal["nominal", "ordinal", "interval"]
LEAST_SHARED = 3
"""Units that two raters need in common to be correlated."""


def mean_pairwise_pearson(ratings: Units) -> float:
    """The mean of Pearson's correlation over every two raters with enough units in common.

    A rater who gave the same to all of them has no correlation and is left out of the mean; not a
    number where nobody is left.
    """
    found = []
    for k, one in enumerate(ratings):
        for other in ratings[k + 1 :]:
            value = pearson(one, other)
            if value is not None:
                found.append(value)
    return float(np.mean(found)) if found else float("nan")


def pearson(one: Float[np.ndarray, " units"], other: Float[np.ndarray, " units"]) -> float | None:
    """Of the units both have; None where they are too few or one does not vary."""
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < LEAST_SHARED:
        return None
    a, b = one[both] - one[both].mean(), other[both] - other[both].mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else None


def krippendorffs_alpha(ratings: Units, metric: Metric = "interval") -> float:
    """Krippendorff's alpha: 1 less the observed over the expected disagreement.

    From coincidences, with any units missing (K. Krippendorff, "Computing Krippendorff's
    Alpha-Reliability", 2011). Not a number where no unit has two ratings or all ratings are equal.
    """
    given = np.isfinite(ratings)
    units = ratings[:, given.sum(axis=0) >= 2]
    values = np.unique(units[np.isfinite(units)])
    if len(values) < 2:
        return float("nan")
    # counts[u, v]: how often the value v was given to the unit u
    counts = (units.T[:, :, None] == values).sum(axis=1).astype(float)
    per_unit = counts.sum(axis=1)
    weighted = counts / (per_unit - 1)[:, None]
    coincidences = weighted.T @ counts - np.diag(weighted.sum(axis=0))
    totals = coincidences.sum(axis=0)
    distances = _distances(values, totals, metric)
    expected = (np.outer(totals, totals) * distances).sum() / (totals.sum() - 1)
    return float(1 - (coincidences * distances).sum() / expected)


def _distances(
    values: Float[np.ndarray, " values"], totals: Float[np.ndarray, " values"], metric: Metric
) -> Float[np.ndarray, "values values"]:
    if metric == "nominal":
        return (values[:, None] != values).astype(float)
    if metric == "interval":
        return (values[:, None] - values) ** 2
    # Ordinal: all ratings between two values, and half of those at each end.
    middles = np.cumsum(totals) - totals / 2
    return (middles[:, None] - middles) ** 2
