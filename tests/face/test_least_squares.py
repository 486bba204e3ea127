import numpy as np
from scipy.optimize import lsq_linear

from kmspeaker.face.least_squares import bounded_least_squares


def test_agrees_with_scipy_when_bounds_bind():
    random = np.random.default_rng(0)
    design = random.normal(size=(80, 12))
    observed = random.normal(size=(5, 80)) * 3
    ours = bounded_least_squares(design.T @ design, observed @ design)
    for row, target in zip(ours, observed, strict=True):
        reference = lsq_linear(design, target, bounds=(0, 1), tol=1e-12).x
        np.testing.assert_allclose(row, reference, atol=1e-5)


def test_recovers_weights_inside_the_bounds():
    random = np.random.default_rng(1)
    design = random.normal(size=(60, 8))
    weights = random.uniform(0.1, 0.9, size=(20, 8))
    solved = bounded_least_squares(design.T @ design, weights @ design.T @ design)
    np.testing.assert_allclose(solved, weights, atol=1e-6)


def test_bounds_may_differ_per_frame():
    upper = np.array([[0.2], [0.7]])
    solved = bounded_least_squares(np.eye(1), np.ones((2, 1)), upper=upper)
    np.testing.assert_allclose(solved, upper)
