"""A system answers a trial, and its takes are judged.

Place in the flow: ``run`` asks one system all trials of a set; what comes back is ``results``'.
Every system is called alike: its style of the reference, its motion for the features, and lips that
are settled as the program settles them.
"""

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from kmspeaker.animation.silence import settle_lips
from kmspeaker.errors import InputError
from kmspeaker.evaluation.bench.results import Answers
from kmspeaker.evaluation.bench.trials import FPS, Trial, TrialSet
from kmspeaker.evaluation.judge import Judge
from kmspeaker.evaluation.metrics import describe, frechet, style_cosine
from kmspeaker.evaluation.state_classifier import StateClassifier
from kmspeaker.evaluation.talk import pauses_in
from kmspeaker.face.rig import ARKIT_INDEX, Weights
from kmspeaker.pipeline import Pipeline
from kmspeaker.reference.performance import Performance

EXAMPLES = 2
"""Trials of each set whose takes are kept, for the page's pictures."""
LOUDNESS = "loudness"
"""The rival that opens the jaw as far as the speech is loud."""


Ask = Callable[[Trial, Performance], Sequence[Weights]]
"""The takes of a trial in a style, one for each seed."""


def asker(pipeline: Pipeline, seeds: Sequence[int]) -> Ask:
    """How a system is asked."""

    def ask(trial: Trial, style: Performance) -> Sequence[Weights]:
        own = pipeline.style_of(style)
        features = trial.features.astype(np.float32)
        takes = pipeline.motion(features, own, trial.follow, seeds=seeds)
        return [settle_lips(take, pipeline.face, FPS) for take in takes]

    return ask


def ask_loudness(trial: Trial, style: Performance) -> Sequence[Weights]:
    """A jaw that opens with the loudness of the speech, and nothing else.

    Raises:
        InputError: The trial's sound is not known.
    """
    del style
    if trial.loudness is None:
        raise InputError("Got features without their sound; loudness is a rival on people's clips.")
    weights = np.zeros((len(trial.features), len(ARKIT_INDEX)), np.float32)
    level = trial.loudness / max(float(trial.loudness.max()), 1e-9)
    weights[:, ARKIT_INDEX["jawOpen"]] = level
    return [weights]


def answer(ask: Ask, judge: Judge, trials: TrialSet, system: str) -> Answers:
    """All trials of a set, judged.

    Raises:
        InputError: The system refuses one, or gives another number of frames.
    """
    shown = {trials.trials[k].name for k in _spread(len(trials.trials), EXAMPLES)}
    values: dict[str, dict[str, float]] = {}
    examples: dict[str, Weights] = {}
    spent = frames = 0.0
    for trial in trials.trials:
        started = time.perf_counter()
        takes = ask(trial, trial.style)
        own = ask(trial, trial.own_style) if trial.own_style is not None else ()
        spent += time.perf_counter() - started
        frames += sum(len(take) for take in (*takes, *own))
        for take in (*takes, *own):
            if len(take) != len(trial.real):
                raise InputError(
                    f"Got {len(take)} frames from {system} for {trial.name}, which has "
                    f"{len(trial.real)}; a take must be as long as its speech."
                )
        for measure, value in judged(
            judge, trials.protocol, trial, takes, own, trials.reader
        ).items():
            values.setdefault(measure, {})[trial.name] = value
        if trial.name in shown:
            examples[trial.name] = takes[0]
    return Answers(system, trials.key, values, examples, spent / max(frames / FPS, 1e-9))


def judged(
    judge: Judge,
    protocol: str,
    trial: Trial,
    takes: Sequence[Weights],
    own: Sequence[Weights],
    reader: StateClassifier | None = None,
) -> dict[str, float]:
    """The measures of a protocol, each the mean over takes."""
    if protocol == "matching":
        found = _mean([judge.errors(take, trial.real) for take in takes])
        found |= _mean([judge.style(take, trial.style) for take in takes])
        return found | judge.chance(takes, trial.real) | _read(reader, trial, takes)
    if protocol == "localization":
        assert trial.follow is not None
        followed = trial.follow.weights
        creases = judge.creases(followed)
        return _mean(
            [
                judge.upper_errors(take, followed, creases) | judge.lip_errors(take, trial.real)
                for take in takes
            ]
        )
    if protocol == "people":
        pauses = [] if trial.loudness is None else pauses_in(trial.loudness)
        return _mean([judge.talk(take, trial.real, pauses) for take in takes])
    assert trial.own_style is not None
    return _cross(judge, trial, takes, own) | _read(reader, trial, takes)


def _cross(
    judge: Judge, trial: Trial, takes: Sequence[Weights], own: Sequence[Weights]
) -> dict[str, float]:
    """How near a take comes to the foreign style, and what that costs its lips."""
    assert trial.own_style is not None
    found = _mean([judge.style(take, trial.style) for take in takes])
    foreign, speaker = (describe(one, judge.face) for one in (trial.style, trial.own_style))
    made = [describe(Performance.from_weights(take, FPS), judge.face) for take in takes]
    found["style found"] = float(
        np.mean([frechet(one, foreign) < frechet(one, speaker) for one in made])
    )
    lips, matching = (
        _mean([judge.lip_errors(take, trial.real) for take in several]) for several in (takes, own)
    )
    found |= {name: lips[name] for name in ("LVE mean", "LVE max")}
    found["LVE mean in the own style"] = matching["LVE mean"]
    found["kept"] = lips["LVE mean"] / max(matching["LVE mean"], 1e-6)
    return found


def _read(
    reader: StateClassifier | None, trial: Trial, takes: Sequence[Weights]
) -> dict[str, float]:
    """What a classifier of states says of takes and of their style; nothing where there is none."""
    if reader is None:
        return {}
    style = reader.embedding(trial.style.weights[trial.style.present])
    found = {"SCS": float(np.mean([style_cosine(reader.embedding(t), style) for t in takes]))}
    if trial.state:
        found["state read"] = float(
            np.mean([answer == trial.state for take in takes for answer in reader.read(take)])
        )
    return found


def _mean(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _spread(length: int, count: int) -> list[int]:
    """Evenly within a list."""
    return sorted({int((k + 0.5) * length / count) for k in range(count)}) if length else []
