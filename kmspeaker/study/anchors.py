"""Negative anchors as the paper chooses them (App. D): what should be rated low.

Place in the flow: ``build`` asks which other item an anchor is taken from. For lips: another
sequence of the same actor. For style: the same actor's emotion that lies farthest, by the mean and
covariance over time of keypoints and their velocities; the paper does not name the distance, ours
is that of two normal distributions (Wasserstein's).
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float

from kmspeaker.errors import InputError
from kmspeaker.study.stimuli import Item

Moments = tuple[Float[np.ndarray, " features"], Float[np.ndarray, "features features"]]


def another_item(item: Item, items: Sequence[Item], seed: int) -> Item:
    """Another item of the same actor, by chance; one that says something else, where there is.

    Raises:
        InputError: None is at least as long.
    """
    own = [other for other in items if other.actor == item.actor and other.name != item.name]
    own = [other for other in own if (other.seconds or 60.0) >= (item.seconds or 0.0)]
    if not own:
        raise InputError(
            f"Got no other item of the actor {item.actor} as long as {item.name}; give one."
        )
    said = (item.speech, item.start)
    others = [other for other in own if (other.speech, other.start) != said] or own
    return others[int(_generator(seed, f"other {item.name}").integers(len(others)))]


def farthest_style(
    item: Item, items: Sequence[Item], moments: Callable[[Item], Moments], seed: int
) -> Item:
    """An item of the same actor's farthest emotion, by chance among those."""
    own = [other for other in items if other.actor == item.actor]
    by_emotion: dict[str, list[Item]] = {}
    for other in own:
        by_emotion.setdefault(other.emotion, []).append(other)
    centroids = {name: _centroid([moments(i) for i in its]) for name, its in by_emotion.items()}
    away = distances(centroids, item.emotion)
    others = by_emotion[max(away, key=lambda name: away[name])]
    return others[int(_generator(seed, f"style {item.name}").integers(len(others)))]


def distances(centroids: Mapping[str, Moments], emotion: str) -> dict[str, float]:
    """How far each other emotion lies from one."""
    return {
        name: wasserstein(centroids[emotion], other)
        for name, other in centroids.items()
        if name != emotion
    }


def style_moments(keypoints: Float[np.ndarray, "frames keypoints 3"], fps: float) -> Moments:
    """Mean and covariance over time of keypoints, mm, and their velocities, mm a frame at 30/s."""
    flat = keypoints.reshape(len(keypoints), -1).astype(np.float64)
    if len(flat) < 2:
        raise InputError("Got a reference of one frame; its style has no motion to compare.")
    velocities = np.asarray(np.gradient(flat, axis=0)) * (fps / 30)
    features = np.concatenate([flat, velocities], axis=1)
    return features.mean(axis=0), np.cov(features, rowvar=False)


def wasserstein(one: Moments, other: Moments) -> float:
    """The 2-Wasserstein distance of two normal distributions."""
    (mean, covariance), (other_mean, other_covariance) = one, other
    root = _square_root(covariance)
    crossed = np.linalg.eigvalsh(root @ other_covariance @ root).clip(0)
    spread = np.trace(covariance) + np.trace(other_covariance) - 2 * np.sqrt(crossed).sum()
    return float(np.sqrt(((mean - other_mean) ** 2).sum() + max(spread, 0.0)))


def _centroid(moments: Sequence[Moments]) -> Moments:
    means, covariances = zip(*moments, strict=True)
    return np.mean(means, axis=0), np.mean(covariances, axis=0)


def _square_root(
    matrix: Float[np.ndarray, "features features"],
) -> Float[np.ndarray, "features features"]:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(values.clip(0))) @ vectors.T


def _generator(seed: int, purpose: str) -> np.random.Generator:
    return np.random.default_rng([seed, *purpose.encode()])
