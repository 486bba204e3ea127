"""Styles without end: a held pose and an amplitude for every item of a batch.

Place in the flow: ``data`` draws one of each for every item of a step and puts it on the item's
target and on its references alike, so that the network learns to take any held expression and any
liveliness from a reference, not only those that somebody played. All of it is ours; the paper has
recorded actors.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from kmspeaker.face.rig import ARKIT_INDEX, ARKIT_NAMES, UPPER_SHAPES, FaceModel, without_side

HELD: Mapping[str, tuple[float, float]] = {
    "browDown": (0.28, 0.9),
    "browInnerUp": (0.28, 0.9),
    "browOuterUp": (0.25, 0.9),
    "eyeSquint": (0.25, 0.8),
    "eyeWide": (0.15, 0.9),
    "cheekSquint": (0.15, 0.8),
    "noseSneer": (0.12, 0.8),
    "mouthSmile": (0.22, 0.8),
    "mouthFrown": (0.18, 0.8),
    "mouthUpperUp": (0.10, 0.4),
    "mouthStretch": (0.10, 0.5),
    "mouthPress": (0.10, 0.4),
    "mouthDimple": (0.10, 0.5),
    "mouthShrugLower": (0.10, 0.5),
    "mouthLowerDown": (0.06, 0.3),
}
"""How often a shape is held, and at most how far."""
COMPANY: Mapping[str, tuple[tuple[str, float], ...]] = {
    "mouthSmile": (("cheekSquint", 0.7),),
    "noseSneer": (("mouthUpperUp", 0.4), ("browDown", 0.5)),
    "browOuterUp": (("browInnerUp", 0.7),),
    "cheekSquint": (("eyeSquint", 0.5),),
}
"""What is held with a shape in half of the cases, as a share of it."""
ONE_SIDED = 0.2
"""Share of held shapes that one side shows less of."""
PLAIN = 0.25
"""Share of items whose pose and amplitude stay as they were recorded."""
LIVELINESS = 0.35
"""Spread of the logarithm of the upper face's amplitude."""
NEARLY_CLOSED, WIDE = 0.8, 4.0
"""mm of lip opening at which a held pose may open the lips not at all, and as it likes."""
CLOSING_STEPS = 3
"""Steps towards closed lips; shapes that reach their bounds leave the rest to the others."""


@dataclass(frozen=True)
class HeldStyle:
    """What is put on each item."""

    pose: Float[Tensor, "*items 52"]
    liveliness: Float[Tensor, "*items"]
    """Factor on how far the upper face departs from its mean."""

    def __getitem__(self, items: slice | Tensor) -> "HeldStyle":
        return HeldStyle(self.pose[items], self.liveliness[items])

    def passes_first(self) -> "HeldStyle":
        """Of (batch, passes) the items of the first pass, then those of the second."""
        return HeldStyle(self.pose.transpose(0, 1).flatten(0, 1), self.liveliness.T.flatten())

    def to(self, device: torch.device) -> "HeldStyle":
        """The same on another device."""
        return HeldStyle(self.pose.to(device), self.liveliness.to(device))


def draw_held_styles(random: np.random.Generator, batch: int) -> HeldStyle:
    """One for each item."""
    poses = np.zeros((batch, len(ARKIT_NAMES)), np.float32)
    plain = random.random(batch) < PLAIN
    for item in np.flatnonzero(~plain):
        poses[item] = _pose(random)
    liveliness = np.exp(random.normal(0, LIVELINESS, batch)).clip(0.4, 2.2)
    liveliness[plain] = 1.0
    return HeldStyle(torch.from_numpy(poses), torch.from_numpy(liveliness.astype(np.float32)))


def _pose(random: np.random.Generator) -> Float32[np.ndarray, " 52"]:
    pose = np.zeros(len(ARKIT_NAMES), np.float32)

    def hold(shape: str, value: float) -> None:
        sides = [n for n in (shape, f"{shape}Left", f"{shape}Right") if n in ARKIT_INDEX]
        less = random.integers(len(sides)) if random.random() < ONE_SIDED else -1
        for number, name in enumerate(sides):
            share = random.uniform(0, 0.8) if number == less and len(sides) > 1 else 1.0
            pose[ARKIT_INDEX[name]] = max(pose[ARKIT_INDEX[name]], value * share)

    for shape, (often, most) in HELD.items():
        if random.random() >= often:
            continue
        value = most * float(random.beta(1.3, 1.3))
        hold(shape, value)
        for other, share in COMPANY.get(shape, ()):
            if random.random() < 0.5:
                hold(other, value * share * float(random.uniform(0.5, 1.2)))
    return pose


@dataclass(frozen=True)
class Wearer:
    """Puts held styles on motion; the fixed numbers of the rig that it needs."""

    opening: Float[Tensor, " 52"]
    """Of the lips on the midline by weight, mm."""
    ease: Float[Tensor, " 52"]
    """How willingly each shape moves to close the lips; 0 for those that do not."""
    lively: Float[Tensor, " 52"]
    """1 for the shapes that liveliness scales: the upper face but for blinks, which close the eyes
    whoever blinks, and the gaze, which no keypoint shows."""

    @classmethod
    def of(cls, face: FaceModel, stiffness: Mapping[str, float]) -> "Wearer":
        """On a face; ``stiffness`` says how unwillingly each shape moves to close the lips."""
        # mouthClose may not exceed jawOpen, which is small where lips are closed.
        ease = [
            0.0 if name == "mouthClose" else 1 / stiffness.get(without_side(name), float("inf"))
            for name in ARKIT_NAMES
        ]
        lively = [
            float(upper and not name.startswith(("eyeBlink", "eyeLook")))
            for name, upper in zip(ARKIT_NAMES, UPPER_SHAPES, strict=True)
        ]
        opening = torch.from_numpy(face.lip_opening.astype(np.float32))
        return cls(opening, torch.tensor(ease), torch.tensor(lively))

    def to(self, device: torch.device) -> "Wearer":
        """The same on another device."""
        return Wearer(self.opening.to(device), self.ease.to(device), self.lively.to(device))

    def __call__(
        self, weights: Float[Tensor, "batch frames 52"], style: HeldStyle
    ) -> Float[Tensor, "batch frames 52"]:
        """The motion in that style; lips that (nearly) close still do, blinks are as they were."""
        mean = weights.mean(1, keepdim=True)
        lively = mean + style.liveliness[:, None, None] * (weights - mean)
        worn = (weights + self.lively * (lively - weights) + style.pose[:, None]).clamp(0, 1)
        before = weights @ self.opening
        kept = ((WIDE - before) / (WIDE - NEARLY_CLOSED)).clamp(0, 1)
        for _ in range(CLOSING_STEPS):
            opened = kept * (worn @ self.opening - before).clamp(min=0)
            # Only shapes that are not at their bounds can close the lips further.
            free = torch.where(self.opening > 0, worn > 0, worn < 1)
            step = self.ease * self.opening * free
            length = (step @ self.opening).clamp(min=1e-6)
            worn = (worn - (opened / length)[..., None] * step).clamp(0, 1)
        return worn
