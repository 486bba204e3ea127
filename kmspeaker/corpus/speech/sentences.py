"""What the actors say, and which actor belongs to which split.

Place in the flow: ``synthesis`` speaks these lines. No sentence is in two splits: the validation
and test actors have their own, the training actors share a pool of which each gets a part.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from kmspeaker.corpus.store import Split

SPLIT_OF_ACTOR: Mapping[str, Split] = {
    "clara": "train",
    "amara": "train",
    "hana": "train",
    "ingrid": "train",
    "noah": "train",
    "malik": "train",
    "karim": "train",
    "victor": "train",
    "sofia": "val",
    "mei": "test",
    "kenji": "test",
    "samuel": "test",
}
TRAINING = tuple(actor for actor, split in SPLIT_OF_ACTOR.items() if split == "train")
LINES_PER_STATE = 12
"""Of each training actor."""


@dataclass(frozen=True)
class Line:
    """One sentence as one actor says it."""

    actor: str
    state: str
    number: int
    """Counts the actor's lines in this state from 0."""
    text: str

    @property
    def name(self) -> str:
        """Of the clip."""
        return f"acted_{self.actor}_{self.state}_{self.number:02d}"


def read_sentences() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """The sentences of each state, by whom they are for: ``train`` or an actor."""
    file = resources.files("kmspeaker.corpus.speech") / "sentences.toml"
    states = tomllib.loads(file.read_text(encoding="utf-8"))
    return {
        state: {speaker: tuple(texts) for speaker, texts in own.items()}
        for state, own in states.items()
    }


def deal_lines() -> tuple[Line, ...]:
    """Every line of every actor; any beginning of them has all actors and states alike.

    A training actor gets ``LINES_PER_STATE`` in a row of the pool, taken as a ring; the next one
    starts where a fraction of the pool has gone by, so that all sentences are said about equally
    often.
    """
    lines: list[Line] = []
    for state, sentences in read_sentences().items():
        pool = sentences["train"]
        for seat, actor in enumerate(TRAINING):
            first = seat * len(pool) // len(TRAINING)
            lines += [
                Line(actor, state, number, pool[(first + number) % len(pool)])
                for number in range(LINES_PER_STATE)
            ]
        for actor, split in SPLIT_OF_ACTOR.items():
            if split != "train":
                lines += [
                    Line(actor, state, number, text) for number, text in enumerate(sentences[actor])
                ]
    return tuple(sorted(lines, key=lambda line: line.number))
