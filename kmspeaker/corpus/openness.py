"""How far real lips open at what is heard, for voices whose lips nobody has seen.

Place in the flow: ``build`` fits it on the talking videos, ``studio`` asks it for clips whose lips
are made by rule. The rule knows which phone is said, not how this voice says it now: against the
lips of two people neither had met, the opening by rule reaches a median correlation of .71, the
opening heard by a ridge regression .78, and both in the shares of ``configs/open.toml`` .79.
Contacts are enforced afterwards, so that what must close still closes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64
from scipy.ndimage import gaussian_filter1d

from kmspeaker.corpus.contacts import INNER_LIP_PAIRS, Contacts
from kmspeaker.corpus.visemes import SILENCE, Phone
from kmspeaker.face import ARKIT_INDEX

CONTEXT = 2
"""Frames of speech on either side that are heard with a frame; five in all."""
PENALTY = 1e3
"""Of the squared slopes to standardised features."""
OPENING: Mapping[str, float] = {
    "jawOpen": 0.65,
    "mouthLowerDownLeft": 0.125,
    "mouthLowerDownRight": 0.125,
    "mouthUpperUpLeft": 0.05,
    "mouthUpperUpRight": 0.05,
}
"""Shares of a change of the opening that each shape makes, in mm: mostly the jaw."""
SETTLING = 0.06
"""Seconds over which the heard opening comes in and goes out around speech."""
MIDDLE = INNER_LIP_PAIRS.index((13, 14))

Features = Float[np.ndarray, "frames dim"]


@dataclass(frozen=True)
class Ridge:
    """A linear map from features with context to one number."""

    mean: Float64[np.ndarray, " inputs"]
    slope: Float64[np.ndarray, " inputs"]
    level: float

    def predict(self, features: Features) -> Float64[np.ndarray, " frames"]:
        """Lip opening less the neutral's, mm."""
        return (with_context(features) - self.mean) @ self.slope + self.level


def with_context(features: Features) -> Float64[np.ndarray, "frames inputs"]:
    """Each frame's features beside its neighbours'; the ends are held."""
    padded = np.pad(features, ((CONTEXT, CONTEXT), (0, 0)), mode="edge").astype(np.float64)
    width = 2 * CONTEXT + 1
    return np.concatenate([padded[i : i + len(features)] for i in range(width)], axis=1)


def fit_openness(heard: Iterable[tuple[Features, Float[np.ndarray, " frames"]]]) -> Ridge | None:
    """The regression of lip openings (mm) on features, clip by clip; None where there are none."""
    gram = moment = total = np.zeros(())
    opened, frames = 0.0, 0
    for features, opening in heard:
        inputs = with_context(features)
        gram = gram + inputs.T @ inputs
        moment = moment + inputs.T @ opening
        total = total + inputs.sum(0)
        opened += float(opening.sum())
        frames += len(opening)
    if not frames:
        return None
    mean, level = total / frames, opened / frames
    gram = gram / frames - np.outer(mean, mean)
    moment = moment / frames - mean * level
    spread = np.sqrt(np.diag(gram).clip(1e-12))
    gram = gram / np.outer(spread, spread) + PENALTY / frames * np.eye(len(mean))
    return Ridge(mean, np.linalg.solve(gram, moment / spread) / spread, level)


def opening(
    mouth: Float32[np.ndarray, "frames 52"], contacts: Contacts
) -> Float64[np.ndarray, " frames"]:
    """Gap in the middle of the lips less the neutral's, mm."""
    return mouth.astype(np.float64) @ contacts.gaps[MIDDLE]


def opened(
    mouth: Float32[np.ndarray, "frames 52"],
    heard: Float64[np.ndarray, " frames"],
    share: float,
    phones: Sequence[Phone],
    contacts: Contacts,
    fps: float,
) -> Float32[np.ndarray, "frames 52"]:
    """The mouth with ``share`` of its opening as it is heard instead.

    The heard opening is first brought to the level and the spread of the mouth's own while it
    speaks: how wide somebody opens is manner, when is what is heard. Silences stay as they are.

    Args:
        mouth: Lips by rule.
        heard: Their opening as ``Ridge.predict`` hears it, mm.
        share: 0 leaves the mouth as it is.
        phones: With times; where none is said, nothing changes.
        contacts: Of the rig, for the effect of each shape.
        fps: Frames a second.
    """
    times = np.arange(len(mouth)) / fps
    speaking = np.zeros(len(mouth), bool)
    for name, start, end in phones:
        if name != SILENCE:
            speaking |= (times >= start) & (times < end)
    ruled = opening(mouth, contacts)
    if share == 0 or speaking.sum() < 2 or heard[speaking].std() < 1e-6:
        return mouth
    level, spread = heard[speaking].mean(), heard[speaking].std()
    wanted = (heard - level) / spread * ruled[speaking].std() + ruled[speaking].mean()
    where = gaussian_filter1d(speaking.astype(float), SETTLING * fps)
    change = share * where * (wanted - ruled)
    moved = mouth.astype(np.float64)
    for name, part in OPENING.items():
        index = ARKIT_INDEX[name]
        moved[:, index] += part * change / contacts.gaps[MIDDLE, index]
    return moved.clip(0, 1).astype(np.float32)
