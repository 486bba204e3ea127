"""A rival of every model: ridge regression from speech features to lip opening (ours)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64

from kmspeaker.corpus.store import Clip, Corpus
from kmspeaker.errors import InputError
from kmspeaker.evaluation.context import evenly
from kmspeaker.model.linear_reading import CONTEXT, Features, solve_ridge, with_context
from kmspeaker.model.opening import STRENGTH

MINUTES = 90
"""Training speech it is fitted on, spread over the corpus."""
STRENGTHS = (1e1, 1e2, 1e3, 1e4, 1e5)
"""Penalties tried; the one that does best on the validation split is kept."""


@dataclass(frozen=True)
class Ridge:
    """A linear map from features with context to one number."""

    mean: Float64[np.ndarray, " inputs"]
    slope: Float64[np.ndarray, " inputs"]
    level: float

    def predict(self, features: Features) -> Float64[np.ndarray, " frames"]:
        """Lip opening above the neutral's, mm."""
        return (with_context(features) - self.mean) @ self.slope + self.level


def fit_ridge(corpus: Corpus, gap: Float32[np.ndarray, " 52"]) -> Ridge:
    """Fit on the train split, choose the penalty on the validation split.

    Args:
        corpus: Where speech and motion come from.
        gap: Change of the lip opening by weight, mm.

    Raises:
        InputError: The corpus has nothing to train on or to validate with.
    """
    train, val = corpus.split("train"), corpus.split("val") or corpus.split("test")
    if not train or not val:
        raise InputError(f"Got a corpus without train or val clips in {corpus.folder}.")
    minutes = sum(clip.frames for clip in train) / corpus.fps / 60
    train = evenly(train, max(1, round(len(train) * min(1.0, MINUTES / minutes))))
    width = (2 * CONTEXT + 1) * corpus.read(train[0]).features.shape[1]
    gram, moment, total = np.zeros((width, width)), np.zeros(width), np.zeros(width)
    opening_sum, frames = 0.0, 0
    for clip in train:
        features, opening = _read(corpus, clip, gap)
        inputs = with_context(features)
        narrow = inputs.astype(np.float32)  # twice as fast, and summed exactly enough
        gram += narrow.T @ narrow
        moment += inputs.T @ opening
        total += inputs.sum(0)
        opening_sum += float(opening.sum())
        frames += len(opening)
    mean, level = total / frames, opening_sum / frames
    gram -= frames * np.outer(mean, mean)
    moment -= frames * mean * level
    values, vectors = np.linalg.eigh(gram)
    rotated = vectors.T @ moment
    candidates = [Ridge(mean, vectors @ (rotated / (values + s)), level) for s in STRENGTHS]
    pairs = [_read(corpus, clip, gap) for clip in val]

    def error(ridge: Ridge) -> float:
        return sum(float(((ridge.predict(f) - y) ** 2).sum()) for f, y in pairs)

    return min(candidates, key=error)


def fit_ridge_on(
    pairs: Sequence[tuple[Float[np.ndarray, "_ dim"], Float64[np.ndarray, " _"]]],
    strength: float = STRENGTH,
) -> Ridge:
    """Fit on features and curves at hand, with a penalty that suits a few minutes of talk.

    Raises:
        InputError: There are none.
    """
    if not pairs:
        raise InputError("Got no talk to fit the ridge regression on; give clips with sound.")
    inputs = np.concatenate([with_context(features) for features, _ in pairs])
    wanted = np.concatenate([curve for _, curve in pairs])
    centre, level = inputs.mean(axis=0), float(wanted.mean())
    inputs -= centre
    moment = inputs.T @ (wanted - level)
    return Ridge(centre, solve_ridge(inputs.T @ inputs, moment, strength), level)


def _read(
    corpus: Corpus, clip: Clip, gap: Float32[np.ndarray, " 52"]
) -> tuple[Float32[np.ndarray, "frames dim"], Float64[np.ndarray, " frames"]]:
    motion = corpus.read(clip)
    return motion.features, (motion.weights @ gap).astype(np.float64)
