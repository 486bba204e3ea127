"""Twelve actors, eight states: the style in which a clip is performed.

Place in the flow: ``studio`` gives speech and its phones, this gives the whole face. An actor is a
way of articulating, habits of the upper face and a resting expression; a state is a pose of the
whole face, its dynamics and its effect on the mouth. The states are the paper's (App. A), recorded
there from actors; the rules that play them are ours.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float32, Float64

from kmspeaker.corpus.lips.coarticulation import Articulation, articulate
from kmspeaker.corpus.lips.contacts import keep_contacts
from kmspeaker.corpus.lips.visemes import Phone
from kmspeaker.corpus.performances.recordings import UpperFaces
from kmspeaker.corpus.performances.upper_face import (
    OTHER_ACCENTS,
    Habits,
    act_upper_face,
    add_blinks,
    draw_blinks,
    pose,
    random_walk,
)
from kmspeaker.errors import InputError
from kmspeaker.face.contacts import Contacts
from kmspeaker.face.rig import ARKIT_INDEX, UPPER_SHAPES

INTENSITIES: Mapping[str, float] = {"moderate": 0.55, "heightened": 1.0}
REPLAYED, BOTH = 0.4, 0.2
"""Shares of clips whose upper face is recorded, or recorded and acted on top; others are acted."""

PATIENCE = (1.0, 4.0)
"""Seconds of silence after which lips shut, from one clip to another."""
YIELD, ROUNDED = 0.75, 0.45
"""How far a smile, a frown or a bared tooth gives way to lips that round, and the funnel and pucker
at which they count as round."""


@dataclass(frozen=True)
class State:
    """An emotion at full intensity."""

    upper: Mapping[str, float]
    lower: Mapping[str, float]
    jaw: float = 1.0
    lips: float = 1.0
    """Factors on the actor's articulation."""
    restlessness: float = 1.0
    blinks: float = 1.0
    accents: float = 1.0
    gaze: float = 1.0
    """Factors on the actor's habits."""
    accent: Mapping[str, float] | None = None
    """The brow movement that marks words in this state; the actor's own where there is none."""
    unrest: float = 0.25
    """How much the state comes and goes."""


STATES: Mapping[str, State] = {
    "neutral": State({}, {}),
    "angry": State(
        {"browDown": 1.0, "eyeSquint": 0.45, "eyeWide": 0.2, "noseSneer": 0.55},
        {
            "mouthFrown": 0.3,
            "mouthPress": 0.25,
            "mouthUpperUp": 0.3,
            "mouthLowerDown": 0.3,
            "jawForward": 0.3,
        },
        jaw=1.1,
        lips=1.2,
        restlessness=1.2,
        blinks=0.8,
        accents=1.5,
        gaze=0.6,
        accent={"browDown": 0.4, "noseSneer": 0.25, "eyeSquint": 0.15},
    ),
    "fear": State(
        {"browInnerUp": 1.0, "browOuterUp": 0.2, "browDown": 0.15, "eyeWide": 1.0},
        {"mouthStretch": 0.7, "mouthFrown": 0.25, "mouthLowerDown": 0.2},
        jaw=0.9,
        restlessness=1.6,
        blinks=1.5,
        gaze=1.5,
        accent={"browInnerUp": 0.3, "eyeWide": 0.25},
        unrest=0.35,
    ),
    "happy": State(
        {"cheekSquint": 0.6, "eyeSquint": 0.25, "browOuterUp": 0.3, "browInnerUp": 0.15},
        {"mouthSmile": 0.8, "mouthDimple": 0.2, "mouthUpperUp": 0.15},
        jaw=1.1,
        lips=1.1,
        accents=1.2,
        accent={"browOuterUp": 0.4, "browInnerUp": 0.3, "cheekSquint": 0.1},
        unrest=0.35,
    ),
    "disgust": State(
        {"noseSneer": 1.0, "browDown": 0.4, "eyeSquint": 0.45, "cheekSquint": 0.4},
        {"mouthUpperUp": 0.55, "mouthFrown": 0.35, "mouthShrugLower": 0.3},
        jaw=0.9,
        lips=1.1,
        accent={"noseSneer": 0.35, "browDown": 0.2},
        unrest=0.35,
    ),
    "sad": State(
        {
            "browInnerUp": 0.95,
            "browDown": 0.15,
            "eyeSquint": 0.15,
            "eyeLookDown": 0.25,
            "eyeBlink": 0.12,
        },
        {"mouthFrown": 0.85, "mouthShrugLower": 0.45, "mouthPress": 0.1},
        jaw=0.85,
        lips=0.85,
        restlessness=0.7,
        accents=0.6,
        gaze=0.6,
        accent={"browInnerUp": 0.3},
    ),
    "surprise": State(
        {"browInnerUp": 0.95, "browOuterUp": 1.0, "eyeWide": 0.95},
        {"jawOpen": 0.09, "mouthFunnel": 0.15},
        jaw=1.1,
        lips=1.1,
        restlessness=1.2,
        blinks=0.7,
        accents=1.5,
        accent={"browInnerUp": 0.35, "browOuterUp": 0.4, "eyeWide": 0.2},
        unrest=0.4,
    ),
    "authority": State(
        {"browDown": 0.45, "browOuterUp": 0.4, "eyeSquint": 0.35},
        {"mouthPress": 0.35, "mouthDimple": 0.25, "mouthShrugLower": 0.2, "jawForward": 0.4},
        jaw=1.05,
        lips=1.2,
        restlessness=0.6,
        blinks=0.6,
        gaze=0.4,
        accent={"browDown": 0.3, "browOuterUp": 0.15},
        unrest=0.15,
    ),
}


@dataclass(frozen=True)
class Actor:
    """One identity and its articulation."""

    identity: str
    articulation: Articulation
    habits: Habits
    rest: Float64[np.ndarray, " 52"]
    """Weights of the expression at all times: a hint of a smile, a lifted brow."""
    expressivity: float
    """Factor on every state's intensity."""
    lean: float
    """Positive shows more of an emotion on the left side of the face, negative on the right."""


def draw_actors(identities: Sequence[str], seed: int) -> tuple[Actor, ...]:
    """An actor for each identity, the same for the same seed whatever the others are."""
    return tuple(_actor(identity, seed) for identity in identities)


def _actor(identity: str, seed: int) -> Actor:
    rng = np.random.default_rng([seed, zlib.crc32(identity.encode())])
    accent = OTHER_ACCENTS[rng.integers(len(OTHER_ACCENTS))]
    rest = pose(
        {
            "mouthSmile": max(0.0, rng.normal(0.04, 0.07)),
            "mouthFrown": max(0.0, rng.normal(0.0, 0.05)),
            "browInnerUp": max(0.0, rng.normal(0.03, 0.09)),
            "browDown": max(0.0, rng.normal(0.02, 0.07)),
            "eyeSquint": max(0.0, rng.normal(0.05, 0.1)),
            "eyeWide": max(0.0, rng.normal(0.0, 0.08)),
        }
    )
    lean = float(np.clip(rng.normal(0, 0.12), -0.3, 0.3))
    return Actor(
        identity,
        Articulation(
            jaw=float(np.clip(rng.normal(0.85, 0.18), 0.5, 1.3)),
            lips=float(np.clip(rng.normal(0.9, 0.22), 0.5, 1.4)),
            rounding=float(np.clip(rng.normal(1.0, 0.14), 0.75, 1.3)),
            spread=float(np.clip(rng.normal(1.0, 0.3), 0.4, 1.7)),
            reach=float(np.clip(rng.normal(1.0, 0.12), 0.8, 1.25)),
            asymmetry=lean * float(rng.uniform(0.3, 1.0)),
            rest=float(np.clip(rng.lognormal(0, 0.35), 0.4, 1.8)),
        ),
        Habits(
            blinks_a_minute=float(rng.uniform(15, 35)),
            accent_rate=float(rng.uniform(0.15, 0.6)),
            accent=accent,
            restlessness=float(rng.uniform(0.6, 1.5)),
            gaze=float(rng.uniform(0.5, 1.4)),
        ),
        rest,
        float(rng.uniform(0.8, 1.25)),
        lean,
    )


@dataclass(frozen=True)
class Role:
    """The actor of one clip and the state that is acted."""

    actor: Actor
    emotion: str
    intensity: str
    """``moderate`` or ``heightened``; ``none`` when neutral."""

    def __post_init__(self) -> None:
        """Refuse a state or an intensity that nobody can play."""
        intensities = ("none",) if self.emotion == "neutral" else tuple(INTENSITIES)
        if self.emotion not in STATES or self.intensity not in intensities:
            raise InputError(
                f"Got {self.emotion!r} at {self.intensity!r}; states are {', '.join(STATES)}, "
                f"{' or '.join(INTENSITIES)}, and neutral has the intensity 'none'."
            )

    @property
    def amount(self) -> float:
        """How strongly the state shows, 0 when neutral."""
        return INTENSITIES.get(self.intensity, 0.0) * self.actor.expressivity


def draw_role(rng: np.random.Generator, actors: Sequence[Actor]) -> Role:
    """An actor and a state at random; neutral comes twice as often as each other state."""
    actor = actors[int(rng.integers(len(actors)))]
    emotion = ("neutral", *STATES)[int(rng.integers(len(STATES) + 1))]
    if emotion == "neutral":
        return Role(actor, emotion, "none")
    return Role(actor, emotion, tuple(INTENSITIES)[int(rng.integers(len(INTENSITIES)))])


def synthesize_performance(
    rng: np.random.Generator,
    role: Role,
    phones: Sequence[Phone],
    effort: Float[np.ndarray, " phones"],
    seconds: float,
    *,
    contacts: Contacts,
    upper_faces: UpperFaces,
    mouth: Float32[np.ndarray, "frames 52"] | None = None,
    fps: float = 30.0,
) -> Float32[np.ndarray, "frames 52"]:
    """The whole face saying ``phones``; closures hold whatever the emotion.

    Args:
        rng: Everything that is left to chance.
        role: Actor, state and intensity.
        phones: With times.
        effort: How strongly each is said; see ``coarticulation.vocal_effort``.
        seconds: Duration.
        contacts: Of the rig.
        upper_faces: Real ones to replay.
        mouth: Captured lips, played instead of lips made from ``phones``; contacts hold as well.
        fps: Frames a second.
    """
    actor, state = role.actor, STATES[role.emotion]
    frames = round(seconds * fps)
    strength = _state_strength(rng, state, role.amount, frames, fps)
    expression = (pose(state.lower) * _sides(actor.lean))[None] * strength[:, None]
    if mouth is None:
        speech = articulate(
            phones,
            seconds,
            fps=fps,
            effort=effort,
            articulation=_articulation(rng, role, state),
        )
    else:
        expression, speech = 0.6 * expression, mouth
    rounded = speech[:, [ARKIT_INDEX["mouthPucker"], ARKIT_INDEX["mouthFunnel"]]].sum(1) / ROUNDED
    lower = speech + expression * (1 - YIELD * rounded.clip(0, 1))[:, None]
    upper = _upper_weights(rng, role, phones, effort, strength, upper_faces, fps)
    face = np.where(UPPER_SHAPES, upper, lower) + actor.rest * rng.uniform(0.6, 1.3)
    return keep_contacts(contacts, face.clip(0, 1).astype(np.float32), phones, fps)


def _articulation(rng: np.random.Generator, role: Role, state: State) -> Articulation:
    """The actor's, as the state has it, some days mumbled and some days with care."""
    articulation, amount = role.actor.articulation, min(role.amount, 1.2)
    care = float(np.clip(rng.lognormal(0, 0.15), 0.65, 1.4))
    return replace(
        articulation,
        jaw=care * articulation.jaw * (1 + (state.jaw - 1) * amount),
        lips=care * articulation.lips * (1 + (state.lips - 1) * amount),
        rest=articulation.rest * float(rng.lognormal(0, 0.2)),
        patience=float(rng.uniform(*PATIENCE)),
    )


def _state_strength(
    rng: np.random.Generator, state: State, amount: float, frames: int, fps: float
) -> Float64[np.ndarray, " frames"]:
    """The state's strength over time: it comes and goes, slowly."""
    variation = 1 + state.unrest * random_walk(rng, frames, fps, rng.uniform(0.8, 2.5))
    return amount * variation.clip(0.5, 1.6)


def _sides(lean: float) -> Float64[np.ndarray, " 52"]:
    """Factors on the weights of an expression that one side shows more of."""
    return 1 + lean * (
        pose({"mouthSmileLeft": 1.0, "mouthFrownLeft": 1.0, "mouthUpperUpLeft": 1.0})
        - pose({"mouthSmileRight": 1.0, "mouthFrownRight": 1.0, "mouthUpperUpRight": 1.0})
    )


def _upper_weights(
    rng: np.random.Generator,
    role: Role,
    phones: Sequence[Phone],
    effort: Float[np.ndarray, " phones"],
    strength: Float64[np.ndarray, " frames"],
    upper_faces: UpperFaces,
    fps: float,
) -> Float64[np.ndarray, "frames 52"]:
    habits, state, frames = role.actor.habits, STATES[role.emotion], len(strength)
    habits = replace(
        habits,
        restlessness=habits.restlessness * state.restlessness,
        blinks_a_minute=habits.blinks_a_minute * state.blinks,
        accent_rate=min(1.0, habits.accent_rate * state.accents),
        accent=habits.accent if state.accent is None else state.accent,
        gaze=habits.gaze * state.gaze,
    )
    expression = pose(state.upper)[None] * strength[:, None]
    draw = rng.random()
    if draw >= REPLAYED + BOTH:
        acted = act_upper_face(rng, habits, phones, effort, frames, fps)
        return expression + acted
    replayed = upper_faces.replay(rng, frames)
    if draw < REPLAYED:
        return 0.85 * expression + replayed
    acted = act_upper_face(rng, replace(habits, gaze=0.0), phones, effort, frames, fps)
    lids = draw_blinks(rng, habits, phones, frames, fps)
    return add_blinks(0.9 * expression + 0.6 * acted + 0.7 * replayed, lids)
