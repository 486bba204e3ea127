"""Phones with times become mouth motion: each phone pulls, and the strongest pull wins.

Place in the flow: after ``visemes``; ``contacts`` then closes what must touch. Each group of
articulators is the mean of all phones' targets weighed by dominance functions that fall off before
and after the phone (Cohen & Massaro 1993). Fast speech undershoots because neighbours overlap; lips
round early because the rounding group reaches further back; a mouth opens before its vowel sounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64
from scipy.ndimage import gaussian_filter1d

from kmspeaker.corpus.lips.visemes import (
    CHANNELS,
    GROUP_NAMES,
    GROUPS,
    SILENCE,
    VISEMES,
    Phone,
    Viseme,
    channel_matrix,
    viseme,
)
from kmspeaker.face.rig import ARKIT_INDEX

GRID_RATE = 120
"""Hz at which the pulls are blended before the motion is sampled."""
REACH = {
    "jaw": (0.120, 0.045),
    "lips": (0.036, 0.043),
    "round": (0.180, 0.100),
    "spread": (0.055, 0.085),
    "tongue": (0.050, 0.045),
}
"""Seconds before and after a phone at which its dominance has fallen to 1/e."""
FALL = 1.2
"""Exponent of the fall; 1 has a corner, 2 is a bell."""
VOWEL_PLATEAU, CONSONANT_PLATEAU = (0.5, 0.9), (0.15, 0.65)
"""Where in a phone its dominance is full."""
LEAD = 0.015
"""Seconds by which lips are ahead of the sound they make."""
SMOOTHING = 0.010
"""Seconds, standard deviation of the final smoothing: lips have mass."""
PAUSE = 0.2
"""Shorter silences leave the mouth where its neighbours want it."""
REST_AFTER, REST_BEFORE = 0.085, 0.09
"""Seconds a mouth takes to come to rest after speech and to start before it."""
DIPHTHONG_TURN = 0.6
"""Where in a diphthong its second half begins."""
UNDERSHOOT, ARRIVAL = 0.22, 0.053
"""Share by which the shortest phone misses its target, and seconds in which a phone arrives."""
SETTLE = 0.06
"""Seconds within which a mouth that comes to rest stands still; far phones then pull no more."""
APART = {"jawOpen": 0.11, "mouthLowerDown": 0.16, "mouthUpperUp": 0.06}
"""How the lips of people stand apart in pauses (``Articulation.rest`` of 1)."""
LINGER, SHUTTING = 0.4, 0.08
"""Seconds for which lips that will shut stay apart, and standard deviation of their shutting."""
READY = 0.25
"""Seconds before speech at which lips that were shut are apart again."""
BREATH = 1.25
"""How much further apart they are then, for the breath before speech."""


@dataclass(frozen=True)
class Articulation:
    """How someone articulates; 1 is the table's way. JALI's two axes are ``jaw`` and ``lips``."""

    jaw: float = 1.0
    lips: float = 1.0
    rounding: float = 1.0
    spread: float = 1.0
    reach: float = 1.0
    """Above 1 phones blur into each other: a mumbler."""
    asymmetry: float = 0.0
    """Positive moves the left side of the lips more, negative the right."""
    rest: float = 0.0
    """How far lips stand apart in pauses, as a share of ``APART``; 0 shuts them."""
    patience: float = 1.5
    """Seconds of silence after which lips that stand apart shut."""

    def gains(self) -> dict[str, float]:
        """By group of articulators."""
        return {
            "jaw": self.jaw,
            "lips": self.lips,
            "round": self.rounding,
            "spread": self.spread,
            "tongue": 1.0,
        }


@dataclass(frozen=True)
class Pull:
    """A phone, or one half of a diphthong, on the time line."""

    shape: Viseme
    start: float
    end: float
    strength: float
    """Multiplies the targets."""
    rest: bool


def articulate(
    phones: Sequence[Phone],
    seconds: float,
    *,
    fps: float = 30.0,
    effort: Float[np.ndarray, " phones"] | None = None,
    articulation: Articulation | None = None,
) -> Float32[np.ndarray, "frames 52"]:
    """The mouth motion of ``phones``, before contacts are enforced.

    Args:
        phones: In order; stretches they leave open count as silence.
        seconds: Duration of the motion.
        fps: Its rate.
        effort: How strongly each phone is said, 1 is usual; see ``vocal_effort``.
        articulation: The speaker's way of articulating.

    Raises:
        InputError: An unknown phone.
    """
    articulation = Articulation() if articulation is None else articulation
    times = np.arange(round(seconds * GRID_RATE) + 1) / GRID_RATE
    pulls = find_pulls(phones, seconds, np.ones(len(phones)) if effort is None else effort)
    gains, apart = articulation.gains(), resting_aperture(pulls, times, articulation)
    channels = np.concatenate(
        [
            _blend(pulls, group, times, articulation.reach, apart / gains[group]) * gains[group]
            for group in GROUP_NAMES
        ],
        axis=1,
    )
    resting = apart[:, None] * np.array([APART.get(channel, 0.0) for channel in CHANNELS])
    channels += rest_envelope(pulls, times)[:, None] * (resting - channels)
    channels = gaussian_filter1d(channels, SMOOTHING * GRID_RATE, axis=0, mode="nearest")
    frames = round(seconds * fps)
    at = np.arange(frames) / fps
    sampled = np.stack([np.interp(at, times, channel) for channel in channels.T], axis=1)
    return (_spread_to_sides(sampled, articulation.asymmetry)).clip(0, 1).astype(np.float32)


def vocal_effort(
    samples: Float32[np.ndarray, " samples"], sample_rate: int, phones: Sequence[Phone]
) -> Float64[np.ndarray, " phones"]:
    """How strongly each phone is said, from the loudness around it.

    6 dB above the speaker's median vowel opens a vowel by a fifth more (a choice of ours).
    Consonants follow half as much: their places are fixed, only the vigour differs.
    """
    power = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])

    def level(start: float, end: float) -> float:
        middle, half = (start + end) / 2, max((end - start) / 2, 0.04)
        first, last = (
            int(np.clip(t * sample_rate, 0, len(samples))) for t in (middle - half, middle + half)
        )
        return 10 * np.log10((power[last] - power[first]) / max(last - first, 1) + 1e-9)

    levels = np.array([level(start, end) for _, start, end in phones])
    vowels = np.array([VISEMES[name].vowel for name, _, _ in phones])
    usual = np.median(levels[vowels]) if vowels.any() else np.median(levels)
    effort = np.clip(10 ** ((levels - usual) / 70), 0.65, 1.4)
    # A vowel's energy is its own; a consonant's says little of its vigour, its neighbours' does.
    if vowels.any():
        places = np.flatnonzero(vowels)
        near = np.interp(np.arange(len(phones)), places, effort[places])
        effort = np.where(vowels, effort, 1 + (near - 1) / 2)
    return effort


def find_pulls(
    phones: Sequence[Phone], seconds: float, effort: Float[np.ndarray, " phones"]
) -> list[Pull]:
    """The phones and silences of a clip, as early as lips make them and as far as they arrive."""
    pulls: list[Pull] = []
    now = 0.0
    for (name, start, end), strength in zip(phones, effort, strict=True):
        start, end = start - LEAD, end - LEAD
        if start > now + 1e-3:
            _add_silence(pulls, now, start)
        now = max(now, end)
        if name == SILENCE:
            _add_silence(pulls, start, end)
            continue
        shape = viseme(name)
        # Short phones do not arrive: the tongue and jaw of fast speech undershoot (Lindblom 1963).
        scale = float(strength) * (1 - UNDERSHOOT * np.exp(-(end - start) / ARRIVAL))
        if shape.glide is None:
            pulls.append(Pull(shape, start, end, scale, rest=False))
        else:
            turn = start + DIPHTHONG_TURN * (end - start)
            pulls.append(Pull(shape, start, turn, scale, rest=False))
            pulls.append(Pull(shape.glide, turn, end, scale, rest=False))
    if seconds > now + 1e-3:
        _add_silence(pulls, now, seconds)
    return pulls


def _add_silence(pulls: list[Pull], start: float, end: float) -> None:
    """Silences that touch are one."""
    if pulls and pulls[-1].rest and start <= pulls[-1].end + 1e-3:
        start = pulls.pop().start
    pulls.append(Pull(VISEMES[SILENCE], start, end, 1.0, rest=True))


def resting_aperture(
    pulls: Sequence[Pull], times: Float64[np.ndarray, " times"], articulation: Articulation
) -> Float64[np.ndarray, " times"]:
    """How far lips that rest stand apart at each time, as a share of ``APART``.

    Lips of people who talk stay apart in their pauses, open a little further in the breath before
    they speak, and shut only when a silence is long. Before the first word and after the last they
    are shut but for its beginning and its end.
    """
    aperture = np.full(len(times), articulation.rest)
    if articulation.rest == 0:
        return aperture
    for pull in pulls:
        if not pull.rest:
            continue
        first, last = pull.start <= times[0], pull.end >= times[-1] - 1e-3
        inside = (times >= pull.start) & (times <= pull.end)
        if pull.end - pull.start >= articulation.patience:
            shuts = -np.inf if first else pull.start + LINGER
            opens = np.inf if last else pull.end - READY
            aperture[inside & (times > shuts) & (times < opens)] = 0.0
        if not last:
            aperture[inside & (times > pull.end - READY)] *= BREATH
    return gaussian_filter1d(aperture, SHUTTING * GRID_RATE, mode="nearest")


def _blend(
    pulls: list[Pull],
    group: str,
    times: Float64[np.ndarray, " times"],
    reach: float,
    apart: Float64[np.ndarray, " times"],
) -> Float64[np.ndarray, "times channels"]:
    """The group's channels: targets weighed by dominance; silences ask for lips ``apart``."""
    before, after = (reach * seconds for seconds in REACH[group])
    full_from, full_to, peak = np.array([full_hold(pull, group) for pull in pulls]).T
    early = np.maximum(full_from[None] - times[:, None], 0) / before
    late = np.maximum(times[:, None] - full_to[None], 0) / after
    dominance = peak * np.exp(-((early + late) ** FALL))  # (times, pulls)
    targets = np.array(
        [
            [pull.strength * pull.shape.targets.get(channel, 0.0) for channel in GROUPS[group]]
            for pull in pulls
        ]
    )
    resting = np.array([APART.get(channel, 0.0) for channel in GROUPS[group]])
    silent = dominance[:, [pull.rest for pull in pulls]].sum(1) * apart
    asked = dominance @ targets + silent[:, None] * resting
    return asked / np.maximum(dominance.sum(1, keepdims=True), 1e-9)


def rest_envelope(
    pulls: Sequence[Pull], times: Float64[np.ndarray, " times"]
) -> Float64[np.ndarray, " times"]:
    """1 deep in a long silence, where the tails of far phones no longer count."""
    still = np.zeros(len(times))
    for pull in pulls:
        if pull.rest and pull.end - pull.start >= PAUSE:
            first, last, _ = full_hold(pull, GROUP_NAMES[0])
            early = np.clip((times - first + SETTLE / 2) / SETTLE, 0, 1)
            late = np.clip((last + SETTLE / 2 - times) / SETTLE, 0, 1)
            if pull.start <= 0:
                early[:] = 1
            still = np.maximum(still, (1 - np.cos(np.pi * np.minimum(early, late))) / 2)
    return still


def full_hold(pull: Pull, group: str) -> tuple[float, float, float]:
    """From when to when a pull is at its peak, and the peak."""
    length = pull.end - pull.start
    if not pull.rest:
        plateau = VOWEL_PLATEAU if pull.shape.vowel else CONSONANT_PLATEAU
        start, end = (pull.start + share * length for share in plateau)
        return start, end, pull.shape.dominance[group]
    if length < PAUSE:
        middle = (pull.start + pull.end) / 2
        return middle, middle, 0.25
    start, end = pull.start + REST_AFTER, pull.end - REST_BEFORE
    if start > end:
        start = end = (start + end) / 2
    return start, end, pull.shape.dominance[group]


def _spread_to_sides(
    channels: Float64[np.ndarray, "frames channels"], asymmetry: float
) -> Float64[np.ndarray, "frames 52"]:
    matrix = channel_matrix()
    side = np.zeros(matrix.shape[1])
    for name, index in ARKIT_INDEX.items():
        side[index] = 1.0 if name.endswith("Left") else -1.0 if name.endswith("Right") else 0.0
    assert len(CHANNELS) == channels.shape[1]
    return channels @ matrix * (1 + asymmetry * side)
