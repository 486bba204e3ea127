"""Wilcoxon's signed rank test, its effect size, and Holm's correction for many tests.

Place in the flow: the bench compares systems by these (KM-Speaker's Tables 1 and 2 do by the first)
and a rating study its conditions. Blocks are what was measured under both conditions: sequences,
or people.
"""

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import rankdata, wilcoxon

_FEW = 13
"""Blocks up to which every way in which signs could fall is counted."""
_AT_ONCE = 2_000_000
"""Signs held in memory at a time."""


def signed_rank(
    differences: Float[np.ndarray, "*runs blocks"],
) -> tuple[np.ndarray, np.ndarray]:
    """Wilcoxon's signed rank test, two-sided: W and p, each ``(*runs,)``.

    Zeros are left out, as Wilcoxon did; where nothing else is left, p is 1. As scipy's "auto":
    exact up to 50 blocks, with ties or zeros up to 13, else by the normal distribution.
    """
    flat = differences.reshape(-1, differences.shape[-1])
    statistic, p = np.zeros(len(flat)), np.ones(len(flat))
    some = (flat != 0).any(axis=1)
    few = flat.shape[1] <= _FEW
    clean = some & (flat != 0).all(axis=1) & ~_tied(np.abs(flat))
    method: Literal["exact", "asymptotic"] = "exact" if flat.shape[1] <= 50 else "asymptotic"
    for rows, how in ((clean & (not few), method), (some & ~clean & (not few), "asymptotic")):
        if rows.any():
            result = wilcoxon(flat[rows], axis=1, method=how)
            statistic[rows] = result.statistic  # pyright: ignore[reportAttributeAccessIssue]
            p[rows] = result.pvalue  # pyright: ignore[reportAttributeAccessIssue]
    if few and some.any():
        statistic[some], p[some] = _all_signs(flat[some])
    shape = differences.shape[:-1]
    return statistic.reshape(shape), np.nan_to_num(p, nan=1.0).reshape(shape)


def _all_signs(
    differences: Float[np.ndarray, "runs blocks"],
) -> tuple[Float[np.ndarray, " runs"], Float[np.ndarray, " runs"]]:
    """The signed rank test by every way in which signs could have fallen."""
    count = differences.shape[1]
    zeros = (differences == 0).sum(axis=1, keepdims=True)
    ranks = np.where(differences != 0, rankdata(np.abs(differences), axis=1) - zeros, 0.0)
    signs = (np.arange(2**count)[:, None] >> np.arange(count) & 1).astype(float)
    middle = ranks.sum(axis=1) / 2
    above = (ranks * (differences > 0)).sum(axis=1)
    away = np.abs(above - middle)
    step = max(1, _AT_ONCE // len(signs))
    p = [
        (
            np.abs(ranks[k : k + step] @ signs.T - middle[k : k + step, None])
            >= away[k : k + step, None] - 1e-9
        ).mean(axis=1)
        for k in range(0, len(ranks), step)
    ]
    return middle - away, np.concatenate(p)


def holm(p: Float[np.ndarray, "*runs tests"]) -> Float[np.ndarray, "*runs tests"]:
    """Holm's step-down correction along the last axis."""
    count = p.shape[-1]
    order = np.argsort(p, axis=-1)
    stepped = np.take_along_axis(p, order, axis=-1) * (count - np.arange(count))
    raised = np.minimum(np.maximum.accumulate(stepped, axis=-1), 1.0)
    adjusted = np.empty_like(p)
    np.put_along_axis(adjusted, order, raised, axis=-1)
    return adjusted


def rank_biserial(differences: Float[np.ndarray, " blocks"]) -> float:
    """Matched-pairs rank-biserial correlation (D. S. Kerby, Compr. Psychol. 3, 2014)."""
    moved = differences[differences != 0]
    if not len(moved):
        return 0.0
    ranks = rankdata(np.abs(moved))
    return float((ranks * np.sign(moved)).sum() / ranks.sum())


def _tied(values: Float[np.ndarray, "runs blocks"]) -> Bool[np.ndarray, " runs"]:
    ordered = np.sort(values, axis=1)
    return (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
