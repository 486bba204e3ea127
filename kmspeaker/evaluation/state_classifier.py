"""A classifier that reads the eight states from a moving face.

What it looks at is KM-Speaker's own description of a style (paper App. D): keypoints and their
velocities, by their mean and spread over a window. A multinomial logistic regression is enough,
and is the same at every run.
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
"""Of a window."""
STATE_NAMES = tuple(STATES)
PENALTIES = (1.0, 1e-1, 1e-2, 1e-3)
"""Of the squared slopes; the one that reads the validation actors best is kept, and of equals the
largest, which leans on the fewest accidents of the training actors."""
ROUNDS = 60

Looks = Float64[np.ndarray, "windows looks"]


@dataclass(frozen=True)
class EmotionReader:
    """Reads a state from how a window of motion looks."""

    mean: Float64[np.ndarray, " looks"]
    scale: Float64[np.ndarray, " looks"]
    slopes: Float64[np.ndarray, "looks states"]
    levels: Float64[np.ndarray, " states"]
    face: FaceModel
    fps: float

    def read(self, weights: Weights) -> list[str]:
        """The state of each window of a motion."""
        seen = (looks(self.face, weights, self.fps) - self.mean) / self.scale
        return [STATE_NAMES[k] for k in (seen @ self.slopes + self.levels).argmax(axis=1)]


def looks(face: FaceModel, weights: Weights, fps: float) -> Looks:
    """Mean and spread of keypoints and spread of their velocities, window by window.

    Windows follow each other without overlap; what is left at the end belongs to the last.
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


def fit_reader(
    face: FaceModel,
    fps: float,
    train: Mapping[str, Sequence[Weights]],
    val: Mapping[str, Sequence[Weights]],
) -> EmotionReader:
    """Learn the states from motions by state; the penalty is chosen on other motions.

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
    readers = [
        EmotionReader(mean, scale, *_fit((inputs - mean) / scale, states, penalty), face, fps)
        for penalty in PENALTIES
    ]
    return max(readers, key=lambda reader: share_read(reader, val))


def share_read(reader: EmotionReader, motions: Mapping[str, Sequence[Weights]]) -> float:
    """Share of windows that are read as what they are; 0 without any."""
    found = [
        said == state
        for state, clips in motions.items()
        for clip in clips
        for said in reader.read(clip)
    ]
    return float(np.mean(found)) if found else 0.0


def _samples(
    face: FaceModel, fps: float, motions: Mapping[str, Sequence[Weights]]
) -> tuple[Looks, Int64[np.ndarray, " windows"]]:
    seen, states = [], []
    for number, state in enumerate(STATE_NAMES):
        for clip in motions[state]:
            windows = looks(face, clip, fps)
            seen.append(windows)
            states += [number] * len(windows)
    return np.concatenate(seen), np.array(states, np.int64)


def _fit(
    inputs: Looks, states: Int64[np.ndarray, " windows"], penalty: float
) -> tuple[Float64[np.ndarray, "looks states"], Float64[np.ndarray, " states"]]:
    """Slopes and levels of a logistic regression in which every state counts the same."""
    seen, truth = torch.from_numpy(inputs), torch.from_numpy(states)
    counts = torch.bincount(truth, minlength=len(STATE_NAMES)).double()
    slopes = torch.zeros(inputs.shape[1], len(STATE_NAMES), dtype=torch.float64, requires_grad=True)
    levels = torch.zeros(len(STATE_NAMES), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([slopes, levels], max_iter=ROUNDS, line_search_fn="strong_wolfe")

    def loss() -> Float[torch.Tensor, ""]:
        optimizer.zero_grad()
        wrong = functional.cross_entropy(seen @ slopes + levels, truth, weight=1 / counts)
        total = wrong + penalty * slopes.square().sum()
        total.backward()
        return total

    optimizer.step(loss)  # pyright: ignore[reportArgumentType]
    return slopes.detach().numpy(), levels.detach().numpy()
