"""Is a style kept? What a classifier reads from performances, and from animations in their style.

Example-based generation: the global style is that of a test actor's performance, which the
corpus's rules made, and the speech is another clip's, so that neither its words nor its voice tell
the state.
The measure and its target are ours; the paper asks raters (Sec. 5.3).
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from tqdm import tqdm

from kmspeaker.corpus.store import Clip, Corpus, Split
from kmspeaker.errors import InputError
from kmspeaker.evaluation.bootstrap import bootstrap, ratio
from kmspeaker.evaluation.context import NOISE, EvaluationContext, evenly
from kmspeaker.evaluation.report import Finding, Part, Target
from kmspeaker.evaluation.state_classifier import STATE_NAMES, StateClassifier, fit_classifier
from kmspeaker.face.rig import Weights

TAKES = 120
SECONDS = 7.0
"""Two of the classifier's windows."""
STYLE_KEPT = Target(least=0.85)


def measure(context: EvaluationContext, takes: int | None = None) -> Part:
    """Shares of windows classified right, in originals and in animations of their style.

    Raises:
        InputError: A state without training clips, or no test clips of two states.
    """
    classifier = fit_state_classifier(context)
    clips = evenly(context.performances, TAKES if takes is None else takes)
    frames = round(SECONDS * context.fps)
    rng = np.random.default_rng(0)
    counts: list[tuple[int, int, int, int]] = []
    read_as: dict[str, Counter[str]] = {state: Counter() for state in STATE_NAMES}
    for seed, clip in enumerate(tqdm(clips, desc="styles")):
        speech = context.read(_another(context.performances, clip, rng), frames)
        original = context.read(clip, frames).weights
        animation = context.animate(speech.features, original, seed=seed)
        states, original_states = classifier.read(animation), classifier.read(original)
        read_as[clip.emotion].update(states)
        counts.append(
            (
                states.count(clip.emotion),
                len(states),
                original_states.count(clip.emotion),
                len(original_states),
            )
        )
    right, of, right_original, of_original = np.array(counts, np.float64).T
    share_kept = bootstrap(np.array(counts, np.float64), _share_kept)
    confusions = "; ".join(_confusions(*row) for row in read_as.items() if row[1])
    return Part(
        title="the style is kept: the state is read from the animation",
        rule_made=True,
        on=f"{len(clips)} performances of {context.actors}, each with the speech of a clip in "
        "another state",
        findings=(
            Finding("read right, animations over originals", share_kept, "%", "clips", STYLE_KEPT),
            Finding("read right, animations", ratio(right, of), "%"),
            Finding("read right, originals", ratio(right_original, of_original), "%"),
        ),
        notes=(
            f"Chance is {1 / len(STATE_NAMES):.1%} of {len(STATE_NAMES)} states. Read right in "
            f"animations, by state: {confusions}.",
        ),
        each={"windows read right": {c.name: float(n) for c, n in zip(clips, right, strict=True)}},
    )


def fit_state_classifier(context: EvaluationContext) -> StateClassifier:
    """A classifier fitted on the train split's actors, its penalty chosen on the validation's."""
    face, fps = context.pipeline.face, context.fps
    return fit_classifier(
        face, fps, motions_by_state(context, "train"), motions_by_state(context, "val")
    )


def motions_by_state(context: EvaluationContext, split: Split) -> Mapping[str, Sequence[Weights]]:
    """Motions of a split's actors by state."""
    return state_motions(context.corpus, split)


def state_motions(
    corpus: Corpus, split: Split, most: int | None = None
) -> Mapping[str, Sequence[Weights]]:
    """The same of a corpus, at most so many of a state; all where None."""
    clips: dict[str, list[Clip]] = {}
    for clip in corpus.split(split):
        # Captured faces are in no state that is known.
        if clip.emotion in STATE_NAMES and clip.lips == "made" and clip.source != NOISE:
            clips.setdefault(clip.emotion, []).append(clip)
    return {
        state: [corpus.read(clip).weights for clip in evenly(own, most or len(own))]
        for state, own in clips.items()
    }


def _another(clips: Sequence[Clip], clip: Clip, rng: np.random.Generator) -> Clip:
    others = [other for other in clips if other.emotion != clip.emotion]
    if not others:
        raise InputError(
            f"Got only test clips that are {clip.emotion}; a style needs the speech of another "
            "state, build a larger corpus."
        )
    return others[int(rng.integers(len(others)))]


def _confusions(state: str, counts: Counter[str]) -> str:
    """How often a state is read right, and as what it is read else, in words."""
    wrong = [f"{other} {count / counts.total():.0%}" for other, count in counts.most_common()]
    wrong = [words for words in wrong if not words.startswith(f"{state} ")]
    right = f"{state} {counts[state] / counts.total():.0%}"
    return f"{right} (as {', '.join(wrong)})" if wrong else right


def _share_kept(samples: np.ndarray) -> np.ndarray:
    right, of, right_original, of_original = np.moveaxis(samples.sum(axis=-2), -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (right / of) / (right_original / of_original)
