"""Is a style kept? What a classifier reads from originals, and from takes in their style.

Example-based generation (paper 1.11): the global style is a test actor's performance, the speech
another clip's, so that neither its words nor its voice tell the state.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from tqdm import tqdm

from kmspeaker.corpus.store import Clip, Split
from kmspeaker.errors import InputError
from kmspeaker.evaluation.bootstrap import bootstrap, ratio
from kmspeaker.evaluation.context import NOISE, Subject, evenly
from kmspeaker.evaluation.report import Finding, Part, Target
from kmspeaker.evaluation.state_classifier import STATE_NAMES, EmotionReader, fit_reader
from kmspeaker.face.rig import Weights

TAKES = 120
SECONDS = 7.0
"""Two of the classifier's windows."""
KEPT = Target(least=0.85)


def measure(subject: Subject, takes: int | None = None) -> Part:
    """Shares of windows read right, in originals and in takes of their style.

    Raises:
        InputError: A state without training clips, or no test clips of two states.
    """
    reader = read_emotions(subject)
    chosen = evenly(subject.performed, TAKES if takes is None else takes)
    frames = round(SECONDS * subject.fps)
    rng = np.random.default_rng(0)
    counts: list[tuple[int, int, int, int]] = []
    read_as: dict[str, Counter[str]] = {state: Counter() for state in STATE_NAMES}
    for seed, clip in enumerate(tqdm(chosen, desc="styles")):
        speech = subject.read(_another(subject.performed, clip, rng), frames)
        original = subject.read(clip, frames).weights
        take = subject.say(speech.features, original, seed=seed)
        in_take, in_original = reader.read(take), reader.read(original)
        read_as[clip.emotion].update(in_take)
        counts.append(
            (
                in_take.count(clip.emotion),
                len(in_take),
                in_original.count(clip.emotion),
                len(in_original),
            )
        )
    right, of, right_original, of_original = np.array(counts, np.float64).T
    kept = bootstrap(np.array(counts, np.float64), _kept)
    return Part(
        title="the style is kept: the state is read from the take",
        on=f"{len(chosen)} performances of {subject.actors}, each with the speech of a clip in "
        "another state",
        findings=(
            Finding("read from takes over read from originals", kept, "%", "clips", KEPT),
            Finding("read right, takes", ratio(right, of), "%"),
            Finding("read right, originals", ratio(right_original, of_original), "%"),
        ),
        notes=(
            f"Chance is {1 / len(STATE_NAMES):.1%} of {len(STATE_NAMES)} states. Read right in "
            f"takes, by state: {'; '.join(_told(s, said) for s, said in read_as.items() if said)}.",
        ),
        each={"windows read right": {c.name: float(n) for c, n in zip(chosen, right, strict=True)}},
    )


def read_emotions(subject: Subject) -> EmotionReader:
    """The classifier, taught on the train split's actors and tuned on the validation split's."""
    face, fps = subject.pipeline.face, subject.fps
    return fit_reader(
        face, fps, motions_by_state(subject, "train"), motions_by_state(subject, "val")
    )


def motions_by_state(subject: Subject, split: Split) -> Mapping[str, Sequence[Weights]]:
    """What a split's actors perform in each state."""
    motions: dict[str, list[Weights]] = {}
    for clip in subject.corpus.split(split):
        # Captured faces are in no state that anyone has named.
        if clip.emotion in STATE_NAMES and clip.lips == "made" and clip.source != NOISE:
            motions.setdefault(clip.emotion, []).append(subject.read(clip).weights)
    return motions


def _another(clips: Sequence[Clip], clip: Clip, rng: np.random.Generator) -> Clip:
    others = [other for other in clips if other.emotion != clip.emotion]
    if not others:
        raise InputError(
            f"Got only test clips that are {clip.emotion}; a style needs the speech of another "
            "state, build a larger corpus."
        )
    return others[int(rng.integers(len(others)))]


def _told(state: str, said: Counter[str]) -> str:
    """How often a state is read, and what it is taken for where it is not."""
    wrong = [f"{other} {count / said.total():.0%}" for other, count in said.most_common()]
    wrong = [words for words in wrong if not words.startswith(f"{state} ")]
    right = f"{state} {said[state] / said.total():.0%}"
    return f"{right} (as {', '.join(wrong)})" if wrong else right


def _kept(drawn: np.ndarray) -> np.ndarray:
    right, of, right_original, of_original = np.moveaxis(drawn.sum(axis=-2), -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (right / of) / (right_original / of_original)
