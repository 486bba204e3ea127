"""A linear mixed model of all ratings: a check on the tests that need no such assumptions.

Place in the flow: ``analysis`` calls it. Fixed: condition and item. Random: who rates, and how he
departs from the others on each condition, without which the conditions' errors would be too small
(D. J. Barr et al., J. Mem. Lang. 68, 2013). Fitted by statsmodels, by restricted likelihood.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from kmspeaker.study.responses import Ratings


@dataclass(frozen=True)
class Effect:
    """How a condition departs from the first."""

    name: str
    estimate: float
    """On the scale."""
    error: float
    p: float
    """By Wald's test, two-sided."""


@dataclass(frozen=True)
class MixedModel:
    """The fitted model."""

    baseline: str
    """The condition that the others are compared with."""
    effects: tuple[Effect, ...]
    wald: float
    """Chi-squared of all effects together."""
    degrees: int
    p: float
    note: str
    """What is to be known of the fit; empty where nothing."""


def fit_mixed_model(ratings: Ratings, names: Sequence[str]) -> MixedModel | None:
    """Fit it; None where there are fewer than three participants, or nothing varies."""
    # statsmodels takes seconds to import
    import pandas as pd
    from statsmodels.regression.mixed_linear_model import MixedLM

    people, items, conditions = np.nonzero(np.isfinite(ratings))
    values = ratings[people, items, conditions]
    if len(np.unique(people)) < 3 or np.ptp(values) == 0:
        return None
    fixed: dict[str, np.ndarray] = {"Intercept": np.ones(len(values))}
    fixed |= {name: (conditions == k).astype(float) for k, name in enumerate(names) if k}
    # An item less than there are, as the others tell which it is.
    fixed |= {f"item {k}": (items == k).astype(float) for k in np.unique(items)[1:]}
    table = pd.DataFrame({"value": values, "person": people, "condition": conditions.astype(str)})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            fit = MixedLM.from_formula(
                "value ~ 1",
                table,
                groups="person",
                vc_formula={"condition": "0 + C(condition)"},
            )
            model = MixedLM(
                values,
                pd.DataFrame(fixed),
                groups=people,
                exog_re=np.ones(len(values)),
                exog_vc=fit.exog_vc,
            )
            result = model.fit(reml=True, method=["lbfgs", "powell"])
        except (np.linalg.LinAlgError, ValueError):
            return None
    own = list(names[1:])
    estimates = result.fe_params[own].to_numpy()
    covariance = result.cov_params().loc[own, own].to_numpy()
    if not np.isfinite(covariance).all() or np.linalg.matrix_rank(covariance) < len(own):
        return None
    wald = float(estimates @ np.linalg.solve(covariance, estimates))
    notes = [] if result.converged else ["it did not converge"]
    if any("boundary" in str(each.message) for each in caught):
        notes.append("a variance is at its least, 0")
    return MixedModel(
        baseline=names[0],
        effects=tuple(
            Effect(name, float(estimate), float(error), float(result.pvalues[name]))
            for name, estimate, error in zip(
                own, estimates, np.sqrt(np.diag(covariance)), strict=True
            )
        ),
        wald=wald,
        degrees=len(own),
        p=float(chi2.sf(wald, len(own))),
        note="; ".join(notes),
    )
