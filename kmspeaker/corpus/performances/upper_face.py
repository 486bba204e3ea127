"""The upper face of an actor: brows, lids and gaze that live beside the words, not from them.

Place in the flow: called by ``states``. Only accents and phrase-end blinks know the speech,
and they come only sometimes: whoever wants to know the upper face has to look at it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64
from scipy.ndimage import gaussian_filter1d

from kmspeaker.corpus.lips.visemes import SILENCE, VISEMES, Phone
from kmspeaker.face.interpolation import smoothstep
from kmspeaker.face.rig import ARKIT_INDEX, ARKIT_NAMES, Weights

BLINK_MEDIAN_SIGMA = 0.65
"""Spread of the logarithm of the time between blinks."""
BLINK_CLOSE, BLINK_HOLD, BLINK_OPEN = 0.065, 0.02, 0.12
"""Seconds of a blink's three parts, before each blink's own variation."""
SACCADE = 0.045
"""Seconds of an eye jump."""


@dataclass(frozen=True)
class Habits:
    """What an actor's upper face does of its own accord."""

    blinks_a_minute: float
    accent_rate: float
    """Share of the stressed words that a brow marks."""
    accent: Mapping[str, float]
    """The brow movement that marks them, by ARKit name."""
    restlessness: float
    """How far brows and lids drift; 1 is usual."""
    gaze: float
    """How far the eyes wander; 1 is usual."""


def pose(shapes: Mapping[str, float]) -> Float64[np.ndarray, " 52"]:
    """Weights from names; a name without a side sets both."""
    weights = np.zeros(len(ARKIT_NAMES))
    for stem, value in shapes.items():
        names = [name for name in (stem, f"{stem}Left", f"{stem}Right") if name in ARKIT_INDEX]
        assert names, stem
        weights[[ARKIT_INDEX[name] for name in names]] = value
    return weights


def random_walk(
    rng: np.random.Generator, frames: int, fps: float, seconds: float
) -> Float64[np.ndarray, " frames"]:
    """A slow random walk about zero with unit variance that forgets itself in ``seconds``."""
    pad = int(4 * seconds * fps) + 1
    walk = gaussian_filter1d(rng.standard_normal(frames + 2 * pad), seconds * fps / 2)
    # The variance a Gaussian filter leaves of white noise, in closed form.
    return walk[pad : pad + frames] * np.sqrt(seconds * fps * np.sqrt(np.pi))


def act_upper_face(
    rng: np.random.Generator,
    habits: Habits,
    phones: Sequence[Phone],
    effort: Float[np.ndarray, " phones"],
    frames: int,
    fps: float,
) -> Weights:
    """Blinks, gaze, brow accents and drifts about an expressionless face."""
    motion = _drifts(rng, habits, frames, fps) + _accents(rng, habits, phones, effort, frames, fps)
    motion = motion + _gaze(rng, habits, frames, fps)
    lids = draw_blinks(rng, habits, phones, frames, fps)
    return add_blinks(motion, lids)


def add_blinks(motion: Weights, lids: Float64[np.ndarray, " frames"]) -> Weights:
    """Lids close by ``lids``; a wide eye narrows while they do."""
    motion = motion.copy()
    for side in ("Left", "Right"):
        blink, wide = ARKIT_INDEX[f"eyeBlink{side}"], ARKIT_INDEX[f"eyeWide{side}"]
        motion[:, blink] += (1 - motion[:, blink]).clip(0) * lids
        motion[:, wide] *= 1 - lids
    return motion


def draw_blinks(
    rng: np.random.Generator, habits: Habits, phones: Sequence[Phone], frames: int, fps: float
) -> Float64[np.ndarray, " frames"]:
    """How far the lids are closed by blinks: lognormal pauses, bursts, and ends of phrases."""
    seconds = frames / fps
    mean = 60 / habits.blinks_a_minute
    median = mean * np.exp(-(BLINK_MEDIAN_SIGMA**2) / 2)
    ends = [start for name, start, end in phones if name == SILENCE and end - start > 0.25]
    moments = [end + rng.normal(0.08, 0.08) for end in ends if rng.random() < 0.35]
    now = rng.uniform(0, mean)
    while now < seconds:
        moments.append(now)
        if rng.random() < 0.12:
            moments.append(now + rng.uniform(0.28, 0.45))
        now += max(0.5, rng.lognormal(np.log(median), BLINK_MEDIAN_SIGMA))
    times = np.arange(frames) / fps
    lids = np.zeros(frames)
    last = -1.0
    for moment in sorted(moments):
        if moment < last + 0.27:
            continue
        last = moment
        pace = rng.lognormal(0, 0.15)
        close, hold, reopen = BLINK_CLOSE * pace, BLINK_HOLD * pace, BLINK_OPEN * pace
        falling = np.clip((times - moment) / close, 0, 1)
        rising = np.clip((times - moment - close - hold) / reopen, 0, 1)
        lids = np.maximum(
            lids, rng.uniform(0.85, 1.0) * smoothstep(falling) * (1 - smoothstep(rising))
        )
    return lids


def _drifts(rng: np.random.Generator, habits: Habits, frames: int, fps: float) -> Weights:
    motion = np.zeros((frames, len(ARKIT_NAMES)))

    def drift(shapes: Mapping[str, float], seconds: float, bias: float = 0.0) -> None:
        amount = np.maximum(random_walk(rng, frames, fps, seconds) + bias, 0)
        motion[:] += amount[:, None] * pose(shapes) * habits.restlessness

    drift({"browInnerUp": 0.10, "browOuterUp": 0.05}, rng.uniform(1.0, 4.0))
    drift({"browDown": 0.10, "eyeSquint": 0.06}, rng.uniform(1.0, 4.0))
    drift({"eyeSquint": 0.12, "cheekSquint": 0.08}, rng.uniform(0.8, 3.0), -0.3)
    drift({"eyeWide": 0.12}, rng.uniform(0.8, 3.0), -0.3)
    drift({"browOuterUpLeft": 0.08, "browInnerUp": 0.03}, rng.uniform(0.6, 2.0), -0.5)
    drift({"browOuterUpRight": 0.08, "browInnerUp": 0.03}, rng.uniform(0.6, 2.0), -0.5)
    return motion


def _accents(
    rng: np.random.Generator,
    habits: Habits,
    phones: Sequence[Phone],
    effort: Float[np.ndarray, " phones"],
    frames: int,
    fps: float,
) -> Weights:
    """Brow movements: on some of the loud vowels, and now and then on nothing at all."""
    vowels = [
        (start, strength)
        for (name, start, _), strength in zip(phones, effort, strict=True)
        if VISEMES[name].vowel
    ]
    loud = np.quantile([strength for _, strength in vowels], 0.8) if vowels else 0.0
    moments = [
        start + rng.normal(-0.06, 0.06)
        for start, strength in vowels
        if strength >= loud and rng.random() < habits.accent_rate
    ]
    moments += list(rng.uniform(0, frames / fps, rng.poisson(frames / fps / 8)))
    times = np.arange(frames) / fps
    motion = np.zeros((frames, len(ARKIT_NAMES)))
    habitual = pose(habits.accent)
    for moment in moments:
        rise, hold, fall = rng.uniform(0.1, 0.22), rng.exponential(0.25), rng.uniform(0.2, 0.6)
        curve = smoothstep(np.clip((times - moment) / rise, 0, 1)) * (
            1 - smoothstep(np.clip((times - moment - rise - hold) / fall, 0, 1))
        )
        shape = (
            habitual
            if rng.random() < 0.7
            else pose(OTHER_ACCENTS[rng.integers(len(OTHER_ACCENTS))])
        )
        motion = np.maximum(motion, curve[:, None] * shape * rng.lognormal(-0.1, 0.4))
    return motion


OTHER_ACCENTS: tuple[Mapping[str, float], ...] = (
    {"browInnerUp": 0.35, "browOuterUp": 0.3, "eyeWide": 0.15},
    {"browDown": 0.4, "eyeSquint": 0.15},
    {"browOuterUpLeft": 0.45, "browInnerUp": 0.1},
    {"browOuterUpRight": 0.45, "browInnerUp": 0.1},
    {"eyeSquint": 0.35, "cheekSquint": 0.2},
    {"noseSneer": 0.25, "browDown": 0.2},
    {"eyeWide": 0.3},
)


def _gaze(rng: np.random.Generator, habits: Habits, frames: int, fps: float) -> Weights:
    """Jumps between places looked at; mostly back to the listener."""
    times = np.arange(frames) / fps
    side, height = np.zeros(frames), np.zeros(frames)
    position, now = np.zeros(2), rng.uniform(0, 1)
    while now < frames / fps:
        target = np.zeros(2) if rng.random() < 0.45 else rng.normal(0, (0.28, 0.16)) * habits.gaze
        jump = smoothstep(np.clip((times - now) / SACCADE, 0, 1))
        side += jump * (target[0] - position[0])
        height += jump * (target[1] - position[1])
        position = target
        now += 0.15 + rng.lognormal(np.log(0.8), 0.7)
    motion = np.zeros((frames, len(ARKIT_NAMES)))
    for name, amount in (  # the left eye looks out when both look to the subject's left
        ("eyeLookOutLeft", side),
        ("eyeLookInRight", side),
        ("eyeLookInLeft", -side),
        ("eyeLookOutRight", -side),
        ("eyeLookUpLeft", height),
        ("eyeLookUpRight", height),
        ("eyeLookDownLeft", -height),
        ("eyeLookDownRight", -height),
    ):
        motion[:, ARKIT_INDEX[name]] = np.maximum(amount, 0)
    return motion
