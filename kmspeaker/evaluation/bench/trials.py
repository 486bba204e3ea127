"""What every system is asked for, and what its answer is held against.

Place in the flow: the protocols make trials from a corpus or from clips of people; ``answers`` lets
a system give its takes. Trials hold speech as features, so that no system hears it twice.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64

from kmspeaker.errors import InputError
from kmspeaker.evaluation.state_classifier import StateClassifier
from kmspeaker.face.rig import Weights
from kmspeaker.media.audio import Sound
from kmspeaker.reference.performance import Performance

FPS = 30.0
"""Of all motion on the bench."""
SEEDS = (0, 1, 2)
"""Of each trial's takes, over which its figures are averaged."""
PROTOCOLS = ("matching", "localization", "cross", "people", "expression")
CLIPS, CORPUS = "clips", "corpus"
Protocol = Literal["matching", "localization", "cross", "people"]


@dataclass(frozen=True)
class Trial:
    """One thing that every system is asked for."""

    name: str
    person: str
    """Whom the interval resamples: trials of one person are alike."""
    features: Float32[np.ndarray, "spoken dim"]
    """Of the speech."""
    style: Performance
    """What the global style is read from."""
    real: Weights
    """The motion that belongs to the speech, as many frames."""
    follow: Performance | None = None
    """Localization: what the upper face is to follow, as many frames."""
    own_style: Performance | None = None
    """Cross context: of whoever speaks, in the speech's own state."""
    state: str = ""
    """Of the style, where it is known."""
    loudness: Float64[np.ndarray, " heard"] | None = None
    """Of the speech, where its sound is known: for the rival that knows nothing else."""
    sound: Sound | None = None
    """The speech itself, for other people's lip sync; what is known by ``features`` otherwise."""

    def __post_init__(self) -> None:
        """Refuse parts that differ in length."""
        parts = [self.real, self.follow, self.loudness]
        lengths = {len(self.features), *(len(part) for part in parts if part is not None)}
        if len(lengths) > 1:
            raise InputError(
                f"Got the trial {self.name} with parts of {sorted(lengths)} frames; speech and "
                "motion must be equally long."
            )


@dataclass(frozen=True)
class TrialSet:
    """The trials of one protocol on one kind of data: a table."""

    protocol: Protocol
    data: Literal["corpus", "clips"]
    on: str
    """The data, in a few words."""
    trials: tuple[Trial, ...]
    encoder: str
    """Whose features they hold."""
    reader: StateClassifier | None = None
    """Tells the states apart, where they are known; systems have not seen it."""

    @property
    def key(self) -> str:
        """Of its files."""
        return f"{self.protocol}-{self.data}"

    @property
    def people(self) -> int:
        """How many there are."""
        return len({trial.person for trial in self.trials})

    def digest(self) -> str:
        """Sixteen hex digits that change with any number of any trial."""
        hashed = hashlib.sha256(self.key.encode())
        if self.reader is not None:
            hashed.update(self.reader.slopes.round(6).tobytes())
        for trial in self.trials:
            for part in fields(trial):
                value = getattr(trial, part.name)
                if part.name == "sound":
                    continue  # another sound has other features
                hashed.update(f"{part.name}:".encode())
                if isinstance(value, Performance):
                    hashed.update(np.ascontiguousarray(value.weights, np.float32).tobytes())
                    hashed.update(value.present.tobytes())
                elif isinstance(value, np.ndarray):
                    hashed.update(np.ascontiguousarray(value, np.float32).tobytes())
                else:
                    hashed.update(str(value).encode())
        return hashed.hexdigest()[:16]


def require_trials(trials: Sequence[Trial], what: str) -> tuple[Trial, ...]:
    """The trials, of which there must be some.

    Raises:
        InputError: There is none.
    """
    if not trials:
        raise InputError(f"Got no trial: {what}.")
    return tuple(trials)
