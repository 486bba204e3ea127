"""What a report is to be made of: systems, protocols and data, and the trials that follow.

Place in the flow: ``run`` measures what is wanted here; what cannot be is a sentence of ``Faults``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from kmspeaker.baselines.without_network import RIVALS
from kmspeaker.corpus.people import use_of
from kmspeaker.corpus.store import Corpus
from kmspeaker.errors import InputError
from kmspeaker.evaluation.bench import corpus_trials, people_trials
from kmspeaker.evaluation.bench.tables import TITLES
from kmspeaker.evaluation.bench.trials import PROTOCOLS, SEEDS, TrialSet
from kmspeaker.evaluation.expression_clips import Clip, find_clips, track_clips
from kmspeaker.face.rig import FaceModel
from kmspeaker.hub import bundled_models
from kmspeaker.speech.encoders import load_encoder

SEQUENCES, PAIRS = 60, 100
"""Trials of a protocol, and pairs of localization as in the paper's Table 2."""


@dataclass(frozen=True)
class Bench:
    """What is to be measured."""

    systems: tuple[str, ...]
    """As ``Pipeline.load`` takes them; the first is tested against the others."""
    protocols: tuple[str, ...] = ()
    """Some of ``PROTOCOLS``; all that there is data for where empty, but for ``expression``."""
    corpus: Path | None = None
    clips: tuple[Path, ...] = ()
    """Folders of videos of people whom training has not seen."""
    tracks: Path | None = None
    sequences: int = SEQUENCES
    pairs: int = PAIRS
    seeds: tuple[int, ...] = SEEDS
    device: str = "cpu"
    pictures: bool = True

    def __post_init__(self) -> None:
        """Refuse what no report could be made of."""
        for name in self.protocols:
            if name not in PROTOCOLS:
                raise InputError(f"Got the protocol {name!r}; use some of {','.join(PROTOCOLS)}.")
        if self.corpus is None and not self.clips:
            raise InputError("Got nothing to measure on; name a --corpus or folders of --clips.")
        if min(self.sequences, self.pairs) < 1 or not self.seeds:
            raise InputError(
                f"Got {self.sequences} sequences, {self.pairs} pairs and {len(self.seeds)} seeds; "
                "give one or more of each."
            )
        if len(set(self.systems)) != len(self.systems) or not self.systems:
            raise InputError(f"Got the systems {','.join(self.systems)}; name each once.")


@dataclass
class Faults:
    """Sentences of what could not be measured, told as they come."""

    tell: Callable[[str], None]
    sentences: list[str] = field(default_factory=list)

    def add(self, sentence: str) -> None:
        """One more."""
        self.sentences.append(sentence)
        self.tell(sentence)

    def once(self, sentence: str) -> None:
        """One more, unless it has been said."""
        if sentence not in self.sentences:
            self.add(sentence)


def default_systems() -> tuple[str, ...]:
    """The models that come with the program, and the rivals without a network."""
    return (*bundled_models(), *RIVALS)


def unseen_clips(bench: Bench, faults: Faults) -> list[Clip]:
    """The clips that training has not seen."""
    if not bench.clips:
        return []
    try:
        return [
            clip
            for clip in find_clips(bench.clips)
            if use_of(clip.path.parent.name, clip.path.name) not in ("training", "left_out")
        ]
    except InputError as error:
        faults.add(str(error))
        return []


def trial_sets(
    bench: Bench, clips: Sequence[Clip], face: FaceModel, faults: Faults, encoder: str
) -> list[TrialSet]:
    """Of every protocol and kind of data, what can be made."""
    asked = bench.protocols or tuple(name for name in PROTOCOLS if name != "expression")
    makers: list[tuple[str, Callable[[], TrialSet]]] = []
    if bench.corpus is not None:
        folder = bench.corpus
        opened = lru_cache(1)(lambda: Corpus.open(folder))
        reader = lru_cache(1)(lambda: corpus_trials.fit_reader(opened(), face))

        def read(trials: TrialSet) -> TrialSet:
            """The set with a classifier of states, where one can be fitted."""
            try:
                return replace(trials, reader=reader())
            except InputError as error:
                faults.once(f"No state is read from takes: {error}")
                return trials

        makers += [
            ("matching", lambda: read(corpus_trials.matching(opened(), face, bench.sequences))),
            ("localization", lambda: corpus_trials.localization(opened(), face, bench.pairs)),
            ("cross", lambda: read(corpus_trials.cross(opened(), face, bench.sequences))),
        ]
    if clips:
        spoken = lru_cache(1)(
            lambda: people_trials.read_spoken(
                track_clips(clips, face, bench.tracks)[0], load_encoder(encoder, bench.device)
            )
        )
        makers += [
            ("matching", lambda: people_trials.matching(spoken(), encoder, bench.sequences)),
            ("localization", lambda: people_trials.localization(spoken(), encoder, bench.pairs)),
            ("cross", lambda: people_trials.cross(spoken(), encoder, bench.sequences)),
            ("people", lambda: people_trials.people(spoken(), encoder, bench.sequences)),
        ]
    for name in bench.protocols:
        if name not in {protocol for protocol, _ in makers} and not (
            name == "expression" and clips
        ):
            faults.add(f"Got the protocol {name!r}, which needs people; name folders of --clips.")
    found: list[TrialSet] = []
    for name, make in makers:
        if name in asked:
            try:
                found.append(make())
            except InputError as error:
                faults.once(str(error))  # a corpus that is none is none to all
    return sorted(found, key=lambda trials: list(TITLES).index(trials.key))
