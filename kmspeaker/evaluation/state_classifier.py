"""A classifier that reads the eight states from a moving face.

Its inputs are near to the paper's style descriptor (App. D: keypoints and their velocities, by mean
and covariance over a clip): here means and standard deviations over a window. It is a multinomial
logistic regression (ours), the same at every run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch.nn import functional

from kmspeaker.corpus.performances.states import STATES
from kmspeaker.errors import InputError
from kmspeaker.face.keypoints import keypoint_track
from kmspeaker.face.rig import FaceModel, Weights

SECONDS = 3.5
"""Length of a window (ours)."""
STATE_NAMES = tuple(STATES)
PENALTIES = (1.0, 1e-1, 1e-2, 1e-3)
"""On the squared slopes; the one that reads the validation actors best is kept, and of equals the
largest, which fits the training actors' accidents least."""
EXTREME = 3.0
"""Deviations by which any number of a window counts at most (ours). Real people's lips, with which
a model speaks, move places that the rules leave almost still."""
ITERATIONS = 60
"""Of L-BFGS."""

Descriptors = Float64[np.ndarray, "windows numbers"]


@dataclass(frozen=True)
class StateClassifier:
    """A linear classifier of the descriptors of windows."""

    mean: Float64[np.ndarray, " numbers"]
    scale: Float64[np.ndarray, " numbers"]
    slopes: Float64[np.ndarray, "numbers states"]
    levels: Float64[np.ndarray, " states"]
    face: FaceModel
    fps: float

    def read(self, weights: Weights) -> list[str]:
        """The state of each window of a motion."""
        return [STATE_NAMES[k] for k in self.scores(weights).argmax(axis=1)]

    def scores(self, weights: Weights) -> Float64[np.ndarray, "windows states"]:
        """How much each window of a motion looks like each state, before any softmax."""
        inputs = _standardise(descriptors(self.face, weights, self.fps), self.mean, self.scale)
        return inputs @ self.slopes + self.levels

    def embedding(self, weights: Weights) -> Float64[np.ndarray, " states"]:
        """What a motion looks like: its scores over windows, about their mean over states."""
        scores = self.scores(weights).mean(axis=0)
        return scores - scores.mean()


def descriptors(face: FaceModel, weights: Weights, fps: float) -> Descriptors:
    """Mean and deviation of keypoints (mm) and deviation of their velocities (mm/s) by window.

    Windows follow each other without overlap and divide the motion evenly; each lasts about
    ``SECONDS``, or longer if the motion is not a multiple of that.
    """
    keypoints = keypoint_track(face, weights).reshape(len(weights), -1).astype(np.float64)
    speeds = np.diff(keypoints, axis=0, prepend=keypoints[:1]) * fps
    count = max(1, len(weights) // round(SECONDS * fps))
    return np.stack(
        [
            np.concatenate([place.mean(axis=0), place.std(axis=0), speed.std(axis=0)])
            for place, speed in zip(
                np.array_split(keypoints, count), np.array_split(speeds, count), strict=True
            )
        ]
    )


def fit_classifier(
    face: FaceModel,
    fps: float,
    train: Mapping[str, Sequence[Weights]],
    val: Mapping[str, Sequence[Weights]],
) -> StateClassifier:
    """Fit a classifier on motions by state, its penalty chosen on other motions.

    Raises:
        InputError: A state that has no motion to learn from.
    """
    missing = [state for state in STATE_NAMES if not train.get(state)]
    if missing:
        raise InputError(
            f"Got no training clip that is {' or '.join(missing)}; build a larger corpus."
        )
    inputs, states = _samples(face, fps, train)
    mean, scale = inputs.mean(axis=0), inputs.std(axis=0) + 1e-3
    classifiers = [
        StateClassifier(
            mean, scale, *_fit(_standardise(inputs, mean, scale), states, penalty), face, fps
        )
        for penalty in PENALTIES
    ]
    return max(classifiers, key=lambda classifier: share_right(classifier, val))


def _standardise(
    windows: Descriptors,
    mean: Float64[np.ndarray, " numbers"],
    scale: Float64[np.ndarray, " numbers"],
) -> Descriptors:
    """Within ``EXTREME`` deviations: a place that hardly moves by the rules outweighs no face."""
    return ((windows - mean) / scale).clip(-EXTREME, EXTREME)


def share_right(classifier: StateClassifier, motions: Mapping[str, Sequence[Weights]]) -> float:
    """Share of windows that are classified right; 0 without any."""
    right = [
        answer == state
        for state, clips in motions.items()
        for clip in clips
        for answer in classifier.read(clip)
    ]
    return float(np.mean(right)) if right else 0.0


def _samples(
    face: FaceModel, fps: float, motions: Mapping[str, Sequence[Weights]]
) -> tuple[Descriptors, Int64[np.ndarray, " windows"]]:
    inputs, states = [], []
    for number, state in enumerate(STATE_NAMES):
        for clip in motions[state]:
            windows = descriptors(face, clip, fps)
            inputs.append(windows)
            states += [number] * len(windows)
    return np.concatenate(inputs), np.array(states, np.int64)


def _fit(
    inputs: Descriptors, states: Int64[np.ndarray, " windows"], penalty: float
) -> tuple[Float64[np.ndarray, "numbers states"], Float64[np.ndarray, " states"]]:
    """Slopes and levels of a logistic regression in which every state has the same weight."""
    x, truth = torch.from_numpy(inputs), torch.from_numpy(states)
    counts = torch.bincount(truth, minlength=len(STATE_NAMES)).double()
    slopes = torch.zeros(inputs.shape[1], len(STATE_NAMES), dtype=torch.float64, requires_grad=True)
    levels = torch.zeros(len(STATE_NAMES), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [slopes, levels], max_iter=ITERATIONS, line_search_fn="strong_wolfe"
    )

    def loss() -> Float[torch.Tensor, ""]:
        optimizer.zero_grad()
        error = functional.cross_entropy(x @ slopes + levels, truth, weight=1 / counts)
        total = error + penalty * slopes.square().sum()
        total.backward()
        return total

    optimizer.step(loss)  # pyright: ignore[reportArgumentType]
    return slopes.detach().numpy(), levels.detach().numpy()
