"""What must touch does touch: the lips of a closed mouth; lower lip and upper teeth.

Place in the flow: the last step on the lower face, in made motion (``corpus.lips.contacts``) and in
takes (``model.contact_reading``), so that no style opens a closure. Contacts are constraints in
millimetres on the mesh. The rig is linear, so each is a half-space of weights, and the pose that
keeps it while moving least is a projection.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64

from kmspeaker.face.landmarks import LIP_PAIRS_ACROSS
from kmspeaker.face.rig import ARKIT_INDEX, FaceModel, without_side

PRESSED = -0.15
"""Gap of a closed mouth less the neutral's, mm: lips that press."""
DEEPEST = -0.9
"""Lips may not pass through each other further than this, mm less the neutral's gap."""
STIFFNESS = {
    "mouthClose": 1.0,
    "mouthLowerDown": 0.25,
    "mouthUpperUp": 0.25,
    "jawOpen": 1.0,
    "mouthFunnel": 0.5,
    "mouthPucker": 0.8,
    "mouthRollLower": 0.4,
    "mouthRollUpper": 0.4,
    "mouthPress": 0.8,
    "mouthShrugLower": 0.5,
    "mouthShrugUpper": 0.4,
    "mouthSmile": 1.0,
    "mouthStretch": 1.0,
    "mouthFrown": 1.5,
    "mouthDimple": 1.5,
}
"""How unwillingly each shape moves to make a contact; shapes not named do not move at all."""
BELOW_EDGE = np.array([0.3, 0.9])
"""Share of the way to the teeth's edge in height and depth; the lip's thickness does the rest."""
LIPS_REACH = 0.5
"""Share of a closure that the lips make across an open jaw; the jaw makes the rest."""
SWEEPS = 60
"""Rounds of the projection."""


@dataclass(frozen=True)
class Contacts:
    """The constraints of the rig's mouth."""

    movable: np.ndarray
    """Indices of the ARKit weights that may move."""
    stiffness: Float64[np.ndarray, " movable"]
    gaps: Float64[np.ndarray, "pairs 52"]
    """Change of each inner-lip gap by weight, mm."""
    rim: Float64[np.ndarray, "2 52"]
    """Height and depth of the lower lip's rim by weight, mm."""
    to_teeth: Float64[np.ndarray, " 2"]
    """How far the rim must rise and come forward to touch the teeth's edge, mm."""

    @classmethod
    def of(cls, face: FaceModel) -> "Contacts":
        """Measure the constraints on the rig.

        Teeth lie deeper in some identities than in others; the mean one stands for all, because
        motion is made, and learnt, without knowing which identity will play it.
        """
        deltas = face.landmark_deltas().astype(np.float64)
        gaps = np.stack([deltas[:, up, 1] - deltas[:, low, 1] for up, low in LIP_PAIRS_ACROSS])
        stiffness = {
            index: STIFFNESS[stem]
            for name, index in ARKIT_INDEX.items()
            if (stem := without_side(name)) in STIFFNESS
        }
        neutral = np.mean([face.neutral(name) for name in face.identities], axis=0)
        edge, rim = neutral[face.incisor_edge], neutral[face.lower_lip_rim]
        middle = np.abs(rim[:, 0]) <= np.sort(np.abs(rim[:, 0]))[min(4, len(rim) - 1)]
        front = edge[np.argsort(np.abs(edge[:, 0]))[:4]].mean(0)
        return cls(
            movable=np.array(list(stiffness)),
            stiffness=np.array(list(stiffness.values())),
            gaps=gaps,
            rim=face.deltas[:, face.lower_lip_rim[middle], 1:].mean(1).T.astype(np.float64),
            to_teeth=(front - rim[middle].mean(0))[1:] * BELOW_EDGE,
        )

    def enforce(
        self,
        weights: Float[np.ndarray, "frames 52"],
        closed: Float[np.ndarray, " frames"],
        touching: Float[np.ndarray, " frames"],
    ) -> Float32[np.ndarray, "frames 52"]:
        """The nearest motion to ``weights`` that makes every contact.

        Also keeps lips from passing through each other and ``mouthClose`` at most ``jawOpen``, as
        ARKit has it, in every frame.

        Args:
            weights: The motion.
            closed: How closed lips must be, 0 (as they are) to 1.
            touching: The same of the lower lip at the upper teeth.
        """
        closed, touching = closed[:, None], touching[:, None]
        free = weights @ self.gaps.T
        closing = np.where(
            closed > 0, PRESSED + (1 - closed) * np.maximum(free - PRESSED, 0), np.inf
        )
        rim_target = touching * self.to_teeth + (1 - touching) * (weights @ self.rim.T)
        slack = np.where(touching > 0, 0.0, np.inf)
        rows = np.concatenate([-self.gaps, self.gaps, self.rim, -self.rim])
        apart = np.full_like(free, -DEEPEST)
        limits = np.concatenate([apart, closing, rim_target + slack, -rim_target + slack], axis=1)
        constrained = weights.astype(np.float64)
        fixed = np.setdiff1d(np.arange(constrained.shape[1]), self.movable)
        constrained[:, self.movable] = self._solve(
            constrained[:, self.movable],
            rows[:, self.movable],
            limits - constrained[:, fixed] @ rows[:, fixed].T,
        )
        return constrained.astype(np.float32)

    def _solve(
        self,
        weights: Float64[np.ndarray, "frames movable"],
        rows: Float64[np.ndarray, "rows movable"],
        limits: Float64[np.ndarray, "frames rows"],
    ) -> Float64[np.ndarray, "frames movable"]:
        """Project in terms of the jaw's *visible* opening, ``jawOpen - mouthClose``.

        So ``mouthClose`` never exceeds ``jawOpen``; what the closing takes from the visible opening
        is then shared between a rising jaw and lips that reach across.
        """
        jaw = int(np.flatnonzero(self.movable == ARKIT_INDEX["jawOpen"])[0])
        close = int(np.flatnonzero(self.movable == ARKIT_INDEX["mouthClose"])[0])
        visible, visible_rows = weights.copy(), rows.copy()
        visible[:, jaw] = np.maximum(weights[:, jaw] - weights[:, close], 0)
        visible_rows[:, close] += rows[:, jaw]
        solved = _project(visible, visible_rows, limits, self.stiffness)
        hidden = LIPS_REACH * np.maximum(visible[:, jaw] - solved[:, jaw], 0)
        solved[:, close] += hidden
        solved[:, jaw] += solved[:, close]
        return solved.clip(0, 1)


def _project(
    weights: Float64[np.ndarray, "frames movable"],
    rows: Float64[np.ndarray, "rows movable"],
    limits: Float64[np.ndarray, "frames rows"],
    stiffness: Float[np.ndarray, " movable"],
) -> Float64[np.ndarray, "frames movable"]:
    """Nearest point of ``rows @ w <= limits`` and ``0 <= w <= 1`` by Dykstra's method.

    Distance is weighed by ``stiffness``. Frames that break nothing come back as they were.
    """
    broken = (weights @ rows.T > limits + 1e-9).any(axis=1)
    x, limits = weights[broken].clip(0, 1), limits[broken]
    steps = rows / stiffness
    lengths = np.einsum("rm,rm->r", rows, steps)
    multipliers = np.zeros((len(x), len(rows)))
    excess = np.zeros_like(x)
    for _ in range(SWEEPS):
        for row, step, length, limit, multiplier in zip(
            rows, steps, lengths, limits.T, multipliers.T, strict=True
        ):
            following = np.maximum(multiplier + (x @ row - limit) / length, 0)
            x -= (following - multiplier)[:, None] * step
            multiplier[:] = following
        unclipped = x + excess
        x = unclipped.clip(0, 1)
        excess = unclipped - x
    result = weights.clip(0, 1)
    result[broken] = x
    return result
