"""A performance: what every kind of reference becomes, and what the rig plays.

Place in the flow: ``retarget`` and ``live_link`` make it; ``face.keypoints`` and ``pipeline`` read
it.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32

from kmspeaker.errors import InputError
from kmspeaker.face.interpolation import sample_rows
from kmspeaker.face.rig import Weights


@dataclass(frozen=True)
class Performance:
    """ARKit weights over time at a constant rate; frame ``k`` lies at ``k / fps`` seconds."""

    weights: Weights
    """In ``rig.ARKIT_NAMES`` order, each within [0, 1]."""
    fps: float
    """Frames a second."""
    present: Bool[np.ndarray, " frames"]
    """False where the face was lost for longer than can be bridged; weights there mean nothing."""
    bridged: Bool[np.ndarray, " frames"]
    """True where a short gap was interpolated; a subset of ``present``."""
    head: Float32[np.ndarray, "frames 3"]
    """Yaw, pitch and roll in radians about the performance's median pose."""
    doubtful: Bool[np.ndarray, " frames"]
    """True where the fit is not to be trusted (hand, profile, blur); a subset of ``present``."""

    def __post_init__(self) -> None:
        """Refuse arrays of unequal length and numbers that are not finite."""
        parts = (self.weights, self.present, self.bridged, self.head, self.doubtful)
        lengths = {len(part) for part in parts}
        if len(lengths) != 1:
            raise InputError(
                f"Got a performance whose parts have {sorted(lengths)} frames; they must be equal."
            )
        if not np.isfinite(self.weights).all():
            raise InputError("Got a performance with NaN or infinite weights; track it again.")

    @classmethod
    def from_weights(cls, weights: Weights, fps: float) -> "Performance":
        """A performance whose face is seen in every frame and whose head is held still."""
        frames = len(weights)
        return cls(
            weights=weights,
            fps=fps,
            present=np.ones(frames, bool),
            bridged=np.zeros(frames, bool),
            head=np.zeros((frames, 3), np.float32),
            doubtful=np.zeros(frames, bool),
        )

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def seconds(self) -> float:
        """Duration."""
        return len(self) / self.fps

    def require_face(self) -> None:
        """Refuse a performance to take anything from.

        Raises:
            InputError: no frame shows a face.
        """
        if not self.present.any():
            raise InputError(
                "Got a reference without a face in any frame; use one that shows a face."
            )

    def held_weights(self) -> Weights:
        """Weights that mean something everywhere: where the face is lost, the last pose seen.

        Before the first pose seen it is that one.

        Raises:
            InputError: no frame shows a face.
        """
        self.require_face()
        frames = np.arange(len(self))
        last = np.maximum.accumulate(np.where(self.present, frames, self.present.argmax()))
        return self.weights[last]

    def resampled(self, fps: float) -> "Performance":
        """The same performance at another rate, linear between frames."""
        if fps == self.fps:
            return self
        frames = max(1, round(self.seconds * fps))
        return self.sampled(np.arange(frames) / fps, fps)

    def sampled(self, times: Float[np.ndarray, " frames"], fps: float) -> "Performance":
        """The performance at these seconds, which become frames at ``fps``; linear between frames.

        Before its beginning and after its end it stands still.
        """
        position = np.clip(np.round(times * self.fps, 6), 0, len(self) - 1)
        nearest = np.round(position).astype(int)
        return Performance(
            weights=sample_rows(self.weights, position),
            fps=fps,
            present=self.present[nearest],
            bridged=self.bridged[nearest],
            head=sample_rows(self.head, position),
            doubtful=self.doubtful[nearest],
        )
