"""The same numbers as scipy, statsmodels and worked examples that were published."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from kmspeaker.evaluation.paired_tests import holm, rank_biserial, signed_rank
from kmspeaker.study.agreement import krippendorffs_alpha, mean_pairwise_pearson
from kmspeaker.study.mixed_model import fit_mixed_model
from kmspeaker.study.power import participants_needed, t_test_power
from kmspeaker.study.preference import bradley_terry, likelihood_ratio
from kmspeaker.study.statistics import (
    blocks_of,
    compare_all,
    friedman,
    friedman_test,
    mean_ranks,
    means,
    medians,
    page_ranks,
    resamples,
)

N = np.nan
RNG = np.random.default_rng(0)

ROUNDING_FIRST = np.fromstring(
    """5.40 5.50 5.55 5.85 5.70 5.75 5.20 5.60 5.50 5.55 5.50 5.40 5.90 5.85 5.70 5.45 5.55 5.60
    5.40 5.40 5.35 5.45 5.50 5.35 5.25 5.15 5.00 5.85 5.80 5.70 5.25 5.20 5.10 5.65 5.55 5.45
    5.60 5.35 5.45 5.05 5.00 4.95 5.50 5.50 5.40 5.45 5.55 5.50 5.55 5.55 5.35 5.45 5.50 5.55
    5.50 5.45 5.25 5.65 5.60 5.40 5.70 5.65 5.55 6.30 6.30 6.25""",
    sep=" ",
).reshape(22, 3)
"""Hollander & Wolfe, Nonparametric Statistical Methods (1973), p. 140: three ways round first base;
R's friedman.test prints 11.143, df 2, p 0.003805 for it."""


def test_friedmans_test_is_the_textbooks():
    test = friedman_test(ROUNDING_FIRST)
    assert test.statistic == pytest.approx(11.143, abs=5e-4)
    assert test.p == pytest.approx(0.003805, abs=5e-7)
    assert test.kendalls_w == pytest.approx(11.142857 / 44)
    many = RNG.integers(0, 6, (5, 12, 4)).astype(float)  # with many ties
    ours = friedman(many)
    for k, panel in enumerate(many):
        theirs = stats.friedmanchisquare(*panel.T)
        assert ours[0][k] == pytest.approx(theirs.statistic)
        assert ours[1][k] == pytest.approx(theirs.pvalue)
    assert friedman(np.ones((5, 3)))[1] == 1.0


def test_wilcoxons_test_is_the_textbooks():
    # Hollander & Wolfe (1973), p. 29: depression before and after; R prints V = 40, p 0.03906
    # two-sided, where 45 - 40 = 5 is the smaller sum.
    before = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
    after = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])
    statistic, p = signed_rank(before - after)
    assert (float(statistic), float(p)) == (5.0, 0.0390625)
    assert rank_biserial(before - after) == pytest.approx((40 - 5) / 45)
    for shape in ((6, 15), (6, 8), (2, 60)):
        panels = np.round(RNG.normal(0.4, 1, shape), 1)  # ties, and zeros in some
        panels[0] = RNG.normal(0.4, 1, shape[1])
        for k, panel in enumerate(panels):
            theirs = stats.wilcoxon(panel)
            assert float(signed_rank(panels)[1][k]) == pytest.approx(theirs.pvalue)  # pyright: ignore[reportAttributeAccessIssue]
    assert float(signed_rank(np.zeros(8))[1]) == 1.0


def test_holms_correction_is_statsmodels():
    for _ in range(20):
        p = RNG.uniform(0, 0.2, 6)
        assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
    assert holm(np.array([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.06, 0.06])


def test_krippendorffs_alpha_is_his_own():
    # K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), example C: four
    # observers, twelve units, some missing: nominal .743, ordinal .815, interval .849.
    his = np.array(
        [
            [1, 2, 3, 3, 2, 1, 4, 1, 2, N, N, N],
            [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, N, 3],
            [N, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, N],
            [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, N],
        ]
    )
    assert krippendorffs_alpha(his, "nominal") == pytest.approx(0.743, abs=5e-4)
    assert krippendorffs_alpha(his, "ordinal") == pytest.approx(0.815, abs=5e-4)
    assert krippendorffs_alpha(his, "interval") == pytest.approx(0.849, abs=5e-4)
    # Wikipedia's example of three coders: nominal .691, interval .811.
    wikipedias = np.array(
        [
            [N, N, N, N, N, 3, 4, 1, 2, 1, 1, 3, 3, N, 3],
            [1, N, 2, 1, 3, 3, 4, 3, N, N, N, N, N, N, N],
            [N, N, 2, 1, 3, 4, 4, N, 2, 1, 1, 3, 3, N, 4],
        ]
    )
    assert krippendorffs_alpha(wikipedias, "nominal") == pytest.approx(0.691, abs=5e-4)
    assert krippendorffs_alpha(wikipedias, "interval") == pytest.approx(0.811, abs=5e-4)
    assert krippendorffs_alpha(np.array([[1.0, 2, 3], [1, 2, 3]])) == 1.0
    assert np.isnan(krippendorffs_alpha(np.array([[5.0, 5], [5, 5]])))


def test_pairwise_correlation_is_numpys():
    ratings = RNG.normal(size=(4, 9))
    matrix = np.asarray(np.corrcoef(ratings))[np.triu_indices(4, 1)]
    assert mean_pairwise_pearson(ratings) == pytest.approx(float(np.mean(matrix)))
    assert mean_pairwise_pearson(np.array([[1.0, 2, 3], [2, 4, 6], [7, 7, 7]])) == pytest.approx(1)


def test_bradley_terrys_strengths_are_those_of_the_baseball_teams():
    # A. Agresti, Categorical Data Analysis, table 10.10: American League 1987; coefficients to
    # Baltimore as R's BradleyTerry2 prints them.
    wins = np.array(
        [
            [0, 7, 9, 7, 7, 9, 11],  # Milwaukee
            [6, 0, 7, 5, 11, 9, 9],  # Detroit
            [4, 6, 0, 7, 7, 8, 12],  # Toronto
            [6, 8, 6, 0, 6, 7, 10],  # New York
            [6, 2, 6, 7, 0, 7, 12],  # Boston
            [4, 4, 5, 6, 6, 0, 6],  # Cleveland
            [2, 4, 1, 3, 1, 7, 0],  # Baltimore
        ],
        float,
    )
    strengths = bradley_terry(wins)
    published = [1.5814, 1.4364, 1.2945, 1.2476, 1.1077, 0.6839, 0]
    assert strengths - strengths[-1] == pytest.approx(published, abs=5e-5)
    assert strengths.mean() == pytest.approx(0)
    two = np.asarray(bradley_terry(np.array([[0.0, 30], [10, 0]])))
    assert two[0] - two[1] == pytest.approx(np.log(3))
    statistic, p = likelihood_ratio(np.array([[0.0, 30], [10, 0]]))
    expected = 2 * (30 * np.log(0.75) + 10 * np.log(0.25) - 40 * np.log(0.5))
    assert (statistic, p) == pytest.approx((expected, stats.chi2.sf(expected, 1)))
    assert likelihood_ratio(np.array([[0.0, 5], [5, 0]])) == pytest.approx((0, 1), abs=1e-9)


def test_power_is_statsmodels():
    for effect in (0.2, 0.5, 1.0, -0.5):
        for participants in (8, 30, 200):
            theirs = TTestPower().power(abs(effect), participants, 0.01)
            assert t_test_power(effect, participants, 0.01) == pytest.approx(theirs, abs=1e-6)
    # The 33.4 participants that G*Power's manual has for d_z 0.5, for a test that needs 1/0.955.
    assert participants_needed(0.5) == np.ceil(34 / 0.955)
    assert participants_needed(0.0) is None
    many, few = participants_needed(0.5, comparisons=10), participants_needed(0.5)
    assert many is not None and few is not None and many > few


def test_a_mixed_model_of_balanced_ratings_finds_the_differences_of_the_means():
    ratings = 50 + RNG.normal(0, 8, (10, 1, 1)) + RNG.normal(0, 10, (10, 4, 3))
    ratings = ratings + RNG.normal(0, 10, (10, 1, 3)) + np.array([0.0, 5, -20])
    model = fit_mixed_model(ratings, ("a", "b", "c"))
    assert model is not None
    own = ratings.mean(axis=1)
    for k, effect in enumerate(model.effects, start=1):
        assert effect.estimate == pytest.approx((own[:, k] - own[:, 0]).mean(), abs=1e-6)
    # One variance for all differences: the mean of those that each comparison alone would have.
    spread = [(own[:, a] - own[:, b]).var(ddof=1) / 10 for a, b in ((1, 0), (2, 0), (2, 1))]
    assert model.effects[0].error ** 2 == pytest.approx(np.mean(spread), rel=0.02)
    assert fit_mixed_model(ratings[:2], ("a", "b", "c")) is None


def test_means_and_medians_are_numpys_and_leave_out_what_is_missing():
    ratings = RNG.normal(50, 10, (9, 5, 3))
    ratings[RNG.random((9, 5)) < 0.2] = np.nan
    draws = resamples(9, 5, draws=200)
    for figure, numpys in ((means, np.nanmean), (medians, np.nanmedian)):
        for k, interval in enumerate(figure(ratings, draws)):
            assert interval.value == pytest.approx(numpys(ratings[..., k]))
            assert interval.low < interval.value < interval.high
    assert sum(each.value for each in mean_ranks(ratings, draws)) == pytest.approx(6)
    assert list(page_ranks(np.array([[[10.0, 30, 30]]]))[0, 0]) == [3, 1.5, 1.5]


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Over participants and items both; of 80 studies 76 are expected to."""
    held = 0
    for seed in range(80):
        made = np.random.default_rng(seed)
        ratings = made.normal(0, 1, (20, 1, 1)) + made.normal(0, 1, (1, 20, 1))
        ratings = ratings + made.normal(0, 1, (20, 20, 1))
        (interval,) = means(ratings, resamples(20, 20, draws=100, seed=seed))
        held += interval.low <= 0 <= interval.high
    assert held >= 70


def test_comparisons_turn_about_and_use_whole_items_only():
    ratings = RNG.normal(50, 10, (8, 4, 2)) + np.array([4.0, 0.0])
    draws = resamples(8, 4, draws=100)
    (forth,) = compare_all(ratings, ("a", "b"), draws)
    (back,) = compare_all(ratings[..., ::-1], ("b", "a"), draws)
    assert forth.p == back.p
    assert forth.difference.value == pytest.approx(-back.difference.value)
    assert forth.rank_biserial == pytest.approx(-back.rank_biserial)
    own = ratings.mean(axis=1)
    assert forth.p == pytest.approx(stats.wilcoxon(own[:, 0], own[:, 1]).pvalue)  # pyright: ignore[reportAttributeAccessIssue]
    ratings[0, 1:, 0] = np.nan
    blocks, who = blocks_of(ratings)
    assert who.all()
    assert blocks[0] == pytest.approx(ratings[0, 0])
