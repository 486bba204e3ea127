"""Trials from a corpus's test split: actors held out, whose motion the corpus's rules made.

Matching context is the paper's Table 1 (the window before is the style, the window itself the
speech), localization its Table 2 (a speech and another clip's performance), cross context its
Figures 4 and 9 (a state's style on neutral speech of the same actor).
"""

from collections.abc import Sequence

import numpy as np

from kmspeaker.corpus.performances.states import STATES
from kmspeaker.corpus.store import Clip, Corpus, Motion
from kmspeaker.errors import InputError
from kmspeaker.evaluation.bench.trials import CORPUS, FPS, Trial, TrialSet, require_trials
from kmspeaker.evaluation.context import NOISE, evenly
from kmspeaker.evaluation.state_classifier import StateClassifier, fit_classifier
from kmspeaker.evaluation.style import state_motions
from kmspeaker.face.rig import FaceModel
from kmspeaker.reference.performance import Performance

WINDOW = 100
"""Frames: 3.3 s, as the paper's 200 at 60 frames/s."""
LEAST = 40
"""Frames of a window, where a clip is too short for two whole ones and is cut in half."""
NEUTRAL = "neutral"
READ = 40
"""Clips of each state from which the states are learnt."""


def fit_reader(corpus: Corpus, face: FaceModel) -> StateClassifier:
    """A classifier of the eight states, fitted on the train split's actors.

    Raises:
        InputError: A state has no clip to learn from.
    """
    train, val = (state_motions(corpus, split, READ) for split in ("train", "val"))
    return fit_classifier(face, FPS, train, val)


def performed(corpus: Corpus, face: FaceModel) -> list[Clip]:
    """Test clips that an actor performs in one of the eight states.

    Raises:
        InputError: There is none, or the corpus is of another rate.
    """
    if corpus.fps != FPS:
        raise InputError(
            f"Got a corpus of {corpus.fps:g} frames/s; the bench needs {FPS:g}, build it anew."
        )
    found = [
        clip
        for clip in corpus.split("test")
        if clip.actor in face.identities and clip.emotion in STATES and clip.source != NOISE
    ]
    if not found:
        raise InputError(
            f"Got a corpus whose test split is empty in {corpus.folder}; build one with actors "
            "for the test split."
        )
    return found


def matching(corpus: Corpus, face: FaceModel, most: int) -> TrialSet:
    """The window before is the style, the window is the speech; they do not overlap (Table 1)."""
    clips = [clip for clip in performed(corpus, face) if clip.frames >= 2 * LEAST]
    places = [
        (clip, start, length)
        for clip in clips
        for length in (min(WINDOW, clip.frames // 2),)
        for start in range(length, clip.frames - length + 1, length)
    ]
    trials = []
    for clip, start, length in evenly(places, most):
        motion = corpus.read(clip)
        trials.append(
            Trial(
                f"{clip.name} from {start / FPS:.1f} s",
                clip.actor,
                motion.features[start : start + length],
                _performance(motion, start - length, start),
                motion.weights[start : start + length],
            )
        )
    needed = f"no test clip has two windows of {LEAST} frames, build a corpus of longer ones"
    return _set("matching", corpus, require_trials(trials, needed))


def localization(corpus: Corpus, face: FaceModel, pairs: int) -> TrialSet:
    """Random pairs of a speech and another clip's performance, equally long (Table 2)."""
    clips = [clip for clip in performed(corpus, face) if clip.frames >= LEAST]
    if len(clips) < 2:
        raise InputError(f"Got {len(clips)} test clips; pairs need two, build a larger corpus.")
    rng = np.random.default_rng(0)
    trials = []
    for number in range(pairs):
        one, other = (clips[k] for k in rng.choice(len(clips), 2, replace=False))
        frames = min(one.frames, other.frames, 2 * WINDOW)
        speech = corpus.read(one)
        performance = _performance(corpus.read(other), 0, frames)
        trials.append(
            Trial(
                f"{number:02d} {one.name} as {other.name}",
                other.actor,
                speech.features[:frames],
                performance,
                speech.weights[:frames],
                follow=performance,
            )
        )
    return _set("localization", corpus, require_trials(trials, "ask for one pair or more"))


def cross(corpus: Corpus, face: FaceModel, most: int) -> TrialSet:
    """Neutral speech in the style of another state, of the same actor (Figures 4 and 9)."""
    clips = [clip for clip in performed(corpus, face) if clip.frames >= 2 * LEAST]
    rng = np.random.default_rng(0)
    trials = []
    pairs = [
        (neutral, others[int(rng.integers(len(others)))])
        for neutral in clips
        if neutral.emotion == NEUTRAL
        for state in STATES
        if state != NEUTRAL
        for others in ([c for c in clips if c.actor == neutral.actor and c.emotion == state],)
        if others
    ]
    for neutral, other in evenly(pairs, most):
        half = min(WINDOW, neutral.frames // 2)
        motion = corpus.read(neutral)
        trials.append(
            Trial(
                f"{neutral.name} as {other.emotion} of {other.name}",
                neutral.actor,
                motion.features[half : 2 * half],
                _performance(corpus.read(other), 0, min(WINDOW, other.frames)),
                motion.weights[half : 2 * half],
                own_style=_performance(motion, 0, half),
                state=other.emotion,
            )
        )
    needed = "no test actor is both neutral and in another state, build a larger corpus"
    return _set("cross", corpus, require_trials(trials, needed))


def _performance(motion: Motion, first: int, last: int) -> Performance:
    return Performance.from_weights(motion.weights[first:last], FPS)


def _set(protocol, corpus: Corpus, trials: Sequence[Trial]) -> TrialSet:
    actors = sorted({trial.person for trial in trials})
    on = f"{len(trials)} trials of {len(actors)} actors ({', '.join(actors)}) of the test split"
    return TrialSet(protocol, CORPUS, on, tuple(trials), corpus.encoder)
