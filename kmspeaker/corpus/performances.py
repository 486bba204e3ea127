"""Twelve actors, eight states: the manner in which a clip is performed.

Place in the flow: ``build`` gives speech and its phones, this gives the whole face. An actor is a
way of articulating, habits of the upper face and a resting expression; a state is a pose of the
whole face, its dynamics and its effect on the mouth. The states are the paper's (App. A).
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float32, Float64

from kmspeaker.corpus.coarticulation import Manner, articulate
from kmspeaker.corpus.contacts import Contacts
from kmspeaker.corpus.recordings import UpperFaces
from kmspeaker.corpus.upper_face import (
    OTHER_ACCENTS,
    UPPER,
    Habits,
    blinks,
    pose,
    upper_face,
    wander,
    with_blinks,
)
from kmspeaker.corpus.visemes import Phone
from kmspeaker.errors import InputError

INTENSITIES: Mapping[str, float] = {"moderate": 0.55, "heightened": 1.0}
REPLAYED, BOTH = 0.4, 0.2
"""Shares of clips whose upper face is recorded, or recorded and acted on top; others are acted."""


@dataclass(frozen=True)
class State:
    """An emotion at full intensity."""

    upper: Mapping[str, float]
    lower: Mapping[str, float]
    jaw: float = 1.0
    lips: float = 1.0
    """Factors on the actor's manner."""
    restlessness: float = 1.0
    unrest: float = 0.25
    """How much the state comes and goes."""


STATES: Mapping[str, State] = {
    "neutral": State({}, {}),
    "angry": State(
        {"browDown": 0.85, "eyeSquint": 0.3, "eyeWide": 0.25, "noseSneer": 0.4},
        {"mouthFrown": 0.25, "mouthPress": 0.2, "mouthUpperUp": 0.15, "mouthLowerDown": 0.2},
        jaw=1.2,
        lips=1.25,
        restlessness=1.2,
    ),
    "fear": State(
        {"browInnerUp": 0.8, "browOuterUp": 0.25, "browDown": 0.15, "eyeWide": 0.7},
        {"mouthStretch": 0.4, "mouthFrown": 0.2, "mouthLowerDown": 0.1},
        jaw=0.9,
        restlessness=1.6,
        unrest=0.4,
    ),
    "happy": State(
        {"cheekSquint": 0.6, "eyeSquint": 0.35, "browOuterUp": 0.2, "browInnerUp": 0.1},
        {"mouthSmile": 0.6, "mouthDimple": 0.2, "mouthUpperUp": 0.1},
        jaw=1.1,
        lips=1.1,
        unrest=0.4,
    ),
    "disgust": State(
        {"noseSneer": 0.8, "browDown": 0.45, "eyeSquint": 0.4, "cheekSquint": 0.35},
        {"mouthUpperUp": 0.35, "mouthFrown": 0.3, "mouthShrugLower": 0.2},
        jaw=0.9,
        lips=1.1,
        unrest=0.35,
    ),
    "sad": State(
        {
            "browInnerUp": 0.75,
            "browDown": 0.2,
            "eyeSquint": 0.2,
            "eyeLookDown": 0.2,
            "eyeBlink": 0.1,
        },
        {"mouthFrown": 0.6, "mouthShrugLower": 0.3, "mouthPress": 0.1},
        jaw=0.75,
        lips=0.8,
        restlessness=0.7,
    ),
    "surprise": State(
        {"browInnerUp": 0.75, "browOuterUp": 0.8, "eyeWide": 0.75},
        {"jawOpen": 0.04, "mouthFunnel": 0.08},
        jaw=1.25,
        lips=1.1,
        restlessness=1.2,
        unrest=0.45,
    ),
    "authority": State(
        {"browDown": 0.35, "browOuterUp": 0.25, "eyeSquint": 0.15},
        {"mouthPress": 0.2, "mouthFrown": 0.15, "jawForward": 0.15},
        jaw=1.05,
        lips=1.2,
        restlessness=0.6,
        unrest=0.15,
    ),
}


@dataclass(frozen=True)
class Actor:
    """One identity and its manner."""

    identity: str
    manner: Manner
    habits: Habits
    rest: Float64[np.ndarray, " 52"]
    """The expression worn at all times: a hint of a smile, a lifted brow."""
    expressivity: float
    lean: float
    """Positive shows more of an emotion on the left side of the face, negative on the right."""


def cast(identities: Sequence[str], seed: int) -> tuple[Actor, ...]:
    """An actor for each identity, the same for the same seed whatever the others are."""
    return tuple(_actor(identity, seed) for identity in identities)


def _actor(identity: str, seed: int) -> Actor:
    rng = np.random.default_rng([seed, zlib.crc32(identity.encode())])
    usual = OTHER_ACCENTS[rng.integers(len(OTHER_ACCENTS))]
    rest = pose(
        {
            "mouthSmile": max(0.0, rng.normal(0.02, 0.05)),
            "mouthFrown": max(0.0, rng.normal(0.0, 0.05)),
            "browInnerUp": max(0.0, rng.normal(0.03, 0.06)),
            "browDown": max(0.0, rng.normal(0.02, 0.07)),
            "eyeSquint": max(0.0, rng.normal(0.05, 0.08)),
            "eyeWide": max(0.0, rng.normal(0.0, 0.08)),
        }
    )
    lean = float(np.clip(rng.normal(0, 0.12), -0.3, 0.3))
    return Actor(
        identity,
        Manner(
            jaw=float(np.clip(rng.normal(1.0, 0.16), 0.7, 1.35)),
            lips=float(np.clip(rng.normal(1.0, 0.18), 0.65, 1.4)),
            rounding=float(np.clip(rng.normal(1.0, 0.14), 0.75, 1.3)),
            spread=float(np.clip(rng.normal(1.0, 0.3), 0.4, 1.7)),
            reach=float(np.clip(rng.normal(1.0, 0.12), 0.8, 1.25)),
            asymmetry=lean * float(rng.uniform(0.3, 1.0)),
        ),
        Habits(
            blinks_a_minute=float(rng.uniform(9, 19)),
            accent_rate=float(rng.uniform(0.15, 0.6)),
            accent=usual,
            restlessness=float(rng.uniform(0.6, 1.5)),
            gaze=float(rng.uniform(0.5, 1.4)),
        ),
        rest,
        float(rng.uniform(0.75, 1.25)),
        lean,
    )


@dataclass(frozen=True)
class Direction:
    """Who plays what in one clip."""

    actor: Actor
    emotion: str
    intensity: str
    """``moderate`` or ``heightened``; ``none`` when neutral."""

    def __post_init__(self) -> None:
        """Refuse a state or an intensity that nobody can play."""
        known = ("none",) if self.emotion == "neutral" else tuple(INTENSITIES)
        if self.emotion not in STATES or self.intensity not in known:
            raise InputError(
                f"Got {self.emotion!r} at {self.intensity!r}; states are {', '.join(STATES)}, "
                f"{' or '.join(INTENSITIES)}, and neutral has the intensity 'none'."
            )

    @property
    def amount(self) -> float:
        """How strongly the state shows, 0 when neutral."""
        return INTENSITIES.get(self.intensity, 0.0) * self.actor.expressivity


def draw_direction(rng: np.random.Generator, actors: Sequence[Actor]) -> Direction:
    """An actor and a state; neutral comes twice as often as each other state."""
    actor = actors[int(rng.integers(len(actors)))]
    emotion = ("neutral", *STATES)[int(rng.integers(len(STATES) + 1))]
    if emotion == "neutral":
        return Direction(actor, emotion, "none")
    return Direction(actor, emotion, tuple(INTENSITIES)[int(rng.integers(len(INTENSITIES)))])


def perform(
    rng: np.random.Generator,
    direction: Direction,
    phones: Sequence[Phone],
    effort: Float[np.ndarray, " phones"],
    seconds: float,
    *,
    contacts: Contacts,
    recorded: UpperFaces,
    mouth: Float32[np.ndarray, "frames 52"] | None = None,
    fps: float = 30.0,
) -> Float32[np.ndarray, "frames 52"]:
    """The whole face saying ``phones``; closures hold whatever the emotion.

    Args:
        rng: Everything that is left to chance.
        direction: Actor, state and intensity.
        phones: With times; empty where ``mouth`` is given.
        effort: How strongly each is said.
        seconds: Duration.
        contacts: Of the rig.
        recorded: Real upper faces to replay.
        mouth: Captured lips, played as they are instead of made from ``phones``.
        fps: Frames a second.
    """
    actor, state = direction.actor, STATES[direction.emotion]
    frames = round(seconds * fps)
    shown = _shown(rng, state, direction.amount, frames, fps)
    lower = (pose(state.lower) * _sides(actor.lean))[None] * shown[:, None]
    if mouth is None:
        lower = lower + articulate(
            phones, seconds, fps=fps, effort=effort, manner=_manner(direction, state)
        )
    else:
        lower = 0.6 * lower + mouth
    upper = _upper(rng, direction, phones, effort, shown, recorded, fps)
    face = np.where(UPPER, upper, lower) + actor.rest * rng.uniform(0.6, 1.3)
    return contacts.enforce(face.clip(0, 1).astype(np.float32), phones, fps)


def _manner(direction: Direction, state: State) -> Manner:
    manner, amount = direction.actor.manner, min(direction.amount, 1.2)
    return replace(
        manner,
        jaw=manner.jaw * (1 + (state.jaw - 1) * amount),
        lips=manner.lips * (1 + (state.lips - 1) * amount),
    )


def _shown(
    rng: np.random.Generator, state: State, amount: float, frames: int, fps: float
) -> Float64[np.ndarray, " frames"]:
    """The state's strength over time: it comes and goes, slowly."""
    breath = 1 + state.unrest * wander(rng, frames, fps, rng.uniform(0.8, 2.5))
    return amount * breath.clip(0.25, 1.8)


def _sides(lean: float) -> Float64[np.ndarray, " 52"]:
    return 1 + lean * (
        pose({"mouthSmileLeft": 1.0, "mouthFrownLeft": 1.0, "mouthUpperUpLeft": 1.0})
        - pose({"mouthSmileRight": 1.0, "mouthFrownRight": 1.0, "mouthUpperUpRight": 1.0})
    )


def _upper(
    rng: np.random.Generator,
    direction: Direction,
    phones: Sequence[Phone],
    effort: Float[np.ndarray, " phones"],
    shown: Float64[np.ndarray, " frames"],
    recorded: UpperFaces,
    fps: float,
) -> Float64[np.ndarray, "frames 52"]:
    habits, state, frames = direction.actor.habits, STATES[direction.emotion], len(shown)
    habits = replace(habits, restlessness=habits.restlessness * state.restlessness)
    felt = pose(state.upper)[None] * shown[:, None]
    draw = rng.random()
    if draw >= REPLAYED + BOTH:
        acted = upper_face(rng, habits, phones, effort, frames, fps)
        return felt + acted
    replayed = recorded.replay(rng, frames)
    if draw < REPLAYED:
        return 0.6 * felt + replayed
    acted = upper_face(rng, replace(habits, gaze=0.0), phones, effort, frames, fps)
    lids = blinks(rng, habits, phones, frames, fps)
    return with_blinks(0.8 * felt + 0.6 * acted + 0.7 * replayed, lids)
