"""Trials from tracked clips of real people, whose sound is their own.

The first half of a clip is a style, the second half is spoken: the paper's matching context on
people. Localization pairs the speech of one with the performance of another, cross context the
speech of one with the style of another, and people asks for the lips alone, in another's style, so
that copying the style is no way to be right.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from kmspeaker.errors import InputError
from kmspeaker.evaluation.bench.trials import (
    CLIPS,
    FPS,
    Protocol,
    Trial,
    TrialSet,
    require_trials,
)
from kmspeaker.evaluation.context import evenly
from kmspeaker.evaluation.expression_clips import TABLE, Clip, Tracked
from kmspeaker.evaluation.expression_retrieval import cut
from kmspeaker.evaluation.lips import loudness
from kmspeaker.evaluation.matching import LEAST_SECONDS, spoken_half
from kmspeaker.media.audio import Sound
from kmspeaker.reference.performance import Performance
from kmspeaker.speech.encoders import SpeechEncoder, speech_features

MOST_SECONDS = 6.6
"""Of a speech: two of the paper's windows."""
NEEDED = f"give clips of people who talk, {2 * LEAST_SECONDS:g} s or longer"


@dataclass(frozen=True)
class Spoken:
    """The second half of a clip with its sound, and the first half as a style."""

    name: str
    person: str
    emotion: int | None
    style: Performance
    real: Performance
    """As many frames as ``features``."""
    features: np.ndarray
    loudness: Float64[np.ndarray, " frames"]
    sound: Sound
    """As long as ``features``."""


def read_spoken(clips: Sequence[Tracked], encoder: SpeechEncoder) -> list[Spoken]:
    """The clips with sound and a face in both halves, for long enough.

    Raises:
        InputError: There is none.
    """
    speakers = {folder: _speakers(folder) for folder in {one.clip.path.parent for one in clips}}
    found: list[Spoken] = []
    for tracked in clips:
        parts = spoken_half(tracked)
        if parts is None:
            continue
        style, real, sound = parts
        frames = min(len(real), round(MOST_SECONDS * FPS))
        clip = tracked.clip
        found.append(
            Spoken(
                clip.name,
                person_of(clip, speakers[clip.path.parent]),
                clip.emotion,
                style,
                cut(real, 0, frames),
                speech_features(encoder, sound, fps=FPS, frames=frames),
                loudness(sound, FPS, frames),
                Sound(sound.samples[: round(frames / FPS * sound.sample_rate)], sound.sample_rate),
            )
        )
    if not found:
        raise InputError(f"Got no clip with sound whose halves both show a face; {NEEDED}.")
    return found


def person_of(clip: Clip, speakers: Mapping[str, str]) -> str:
    """Who is in a clip: as its folder's table says, else nobody else's clip is theirs."""
    speaker = speakers.get(clip.path.name, "")
    return speaker if speaker and "?" not in speaker else clip.name


def _speakers(folder: Path) -> Mapping[str, str]:
    table = folder / TABLE
    if not table.is_file():
        return {}
    with table.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {row.get("file") or "": row.get("speaker") or "" for row in rows}


def matching(spoken: Sequence[Spoken], encoder: str, most: int) -> TrialSet:
    """The first half is the style, the second half the speech (Table 1)."""
    trials = [_trial(one, one.style) for one in evenly(spoken, most)]
    return _set("matching", require_trials(trials, NEEDED), encoder)


def people(spoken: Sequence[Spoken], encoder: str, most: int) -> TrialSet:
    """Every clip's speech in the style of the next person."""
    trials = [
        _trial(one, other.style)
        for one in evenly(spoken, most)
        if (other := _next(spoken, one)) is not None
    ]
    return _set("people", require_trials(trials, "it needs clips of two people"), encoder)


def cross(spoken: Sequence[Spoken], encoder: str, most: int) -> TrialSet:
    """Speech in another emotion of the same person where there is one, else another person's."""
    trials = []
    for number, one in enumerate(evenly(spoken, most)):
        others = [o for o in spoken if o.person == one.person and o.emotion != one.emotion]
        other = others[number % len(others)] if others else _next(spoken, one)
        if other is not None:
            trials.append(_trial(one, other.style, f" as {other.name}", own=one.style))
    return _set("cross", require_trials(trials, "a style needs two clips"), encoder)


def localization(spoken: Sequence[Spoken], encoder: str, pairs: int) -> TrialSet:
    """Random pairs of a speech and the performance of somebody else (Table 2)."""
    rng = np.random.default_rng(0)
    possible = [(a, b) for a in spoken for b in spoken if a.person != b.person]
    trials = []
    for k in rng.permutation(len(possible))[:pairs]:
        speech, other = possible[k]
        frames = min(len(speech.real), len(other.real))
        performance = cut(other.real, 0, frames)
        trials.append(
            Trial(
                f"{speech.name} as {other.name}",
                other.person,
                speech.features[:frames],
                performance,
                speech.real.weights[:frames],
                follow=performance,
            )
        )
    return _set("localization", require_trials(trials, "pairs need clips of two people"), encoder)


def _next(spoken: Sequence[Spoken], one: Spoken) -> Spoken | None:
    """The next clip of another person."""
    at = next(k for k, each in enumerate(spoken) if each is one)
    around = [*spoken[at + 1 :], *spoken[:at]]
    return next((other for other in around if other.person != one.person), None)


def _trial(
    one: Spoken, style: Performance, what: str = "", own: Performance | None = None
) -> Trial:
    return Trial(
        one.name + what,
        one.person,
        one.features,
        style,
        one.real.weights,
        own_style=own,
        loudness=one.loudness,
        sound=one.sound,
    )


def _set(protocol: Protocol, trials: tuple[Trial, ...], encoder: str) -> TrialSet:
    persons = len({trial.person for trial in trials})
    on = f"{len(trials)} trials, tracked clips of {persons} people whom training has not seen"
    return TrialSet(protocol, CLIPS, on, trials, encoder)
