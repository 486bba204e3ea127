"""What was measured of a system on a set of trials, kept so that a report can be taken up again.

Place in the flow: ``run`` looks here before it asks a system, and writes as soon as it was asked.
A result is found by what it was made from: the system's weights, the trials, the seeds and the
formulas.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kmspeaker import __version__
from kmspeaker.evaluation.bench.trials import TrialSet
from kmspeaker.evaluation.judge import MEASURES
from kmspeaker.face.rig import Weights
from kmspeaker.media.files import replacing

DIGITS = 4
"""Of the weights that are kept for pictures."""


@dataclass(frozen=True)
class Answers:
    """Of one system on one set."""

    system: str
    trials: str
    """The set's key."""
    values: Mapping[str, Mapping[str, float]]
    """By measure and trial, means over seeds."""
    examples: Mapping[str, Weights]
    """The first seed's takes of some trials."""
    real_time_factor: float
    """Seconds of work for a second of motion, of this machine and all seeds at once."""

    def vector(self, measure: str, names: Sequence[str]) -> np.ndarray:
        """The values of some trials; NaN where there is none."""
        own = self.values.get(measure, {})
        return np.array([own.get(name, np.nan) for name in names], np.float64)


def place_of(cache: Path, system: str, trials: TrialSet, seeds: Sequence[int]) -> Path:
    """Where the answers of a system (its name with the hash of its weights) are kept."""
    formulas = {name: measure.definition for name, measure in MEASURES.items()}
    recipe = json.dumps([system, trials.digest(), list(seeds), formulas, __version__])
    digest = hashlib.sha256(recipe.encode()).hexdigest()[:16]
    plain = "".join(letter if letter.isalnum() else "-" for letter in system.rsplit("@", 1)[0])
    return cache / f"{trials.key}-{plain[-40:]}-{digest}.json"


def load(path: Path) -> Answers | None:
    """Answers that are kept; None where there are none, or what is there is no such thing."""
    record = read_json(path)
    try:
        return None if record is None else _answers(record)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def save(answers: Answers, path: Path) -> None:
    """Keep answers.

    Raises:
        InputError: The file cannot be written.
    """
    record = {
        "system": answers.system,
        "trials": answers.trials,
        "values": answers.values,
        "examples": {
            name: np.round(weights.astype(np.float64), DIGITS).tolist()
            for name, weights in answers.examples.items()
        },
        "real_time_factor": answers.real_time_factor,
    }
    write_json(record, path)


def read_json(path: Path) -> dict[str, Any] | None:
    """What a file of the cache holds; None where it cannot be read."""
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_json(record: Mapping[str, Any], path: Path) -> None:
    """A file of the cache, whole or not at all.

    Raises:
        InputError: It cannot be written.
    """
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(record) + "\n", encoding="utf-8")


def _answers(record: Mapping[str, Any]) -> Answers:
    return Answers(
        record["system"],
        record["trials"],
        {
            name: {trial: float(value) for trial, value in own.items()}
            for name, own in record["values"].items()
        },
        {name: np.array(rows, np.float32) for name, rows in record["examples"].items()},
        float(record["real_time_factor"]),
    )
