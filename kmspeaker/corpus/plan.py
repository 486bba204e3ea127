"""Which clips a corpus has: decided once, from the seed, before anything is made.

Place in the flow: ``voices``, ``recordings`` and ``videos`` say what there is, ``build`` makes what
is planned. Speakers and actors are split, not clips: no voice, face or sentence of training
is in a test.
"""

import hashlib
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kmspeaker.corpus.config import Config
from kmspeaker.corpus.performances.recordings import Recording
from kmspeaker.corpus.performances.states import INTENSITIES, STATES
from kmspeaker.corpus.speech.voices import Utterance
from kmspeaker.corpus.store import SPLITS, Split
from kmspeaker.errors import InputError

SHORTEST, LONGEST = 10.0, 20.0
"""Seconds of a clip."""
LARGEST_HELD_OUT = 180.0
"""Seconds; who has spoken longer trains, or one voice would be the whole test."""
PAUSES = 0.1
"""What the pauses between utterances add to the speech, less the silences cut from its ends."""
BETWEEN = 0.7
"""Seconds of a pause, about."""
NOISE_EVERY = 40
"""One clip in so many is noise without speech."""


@dataclass(frozen=True)
class Plan:
    """One clip to be made: of utterances, of recordings, or of noise."""

    name: str
    speaker: str
    split: Split
    source: str
    licence: str
    utterances: tuple[Utterance, ...] = ()
    recordings: tuple[Recording, ...] = ()
    noise: float = 0.0
    """Seconds."""
    actor: str = ""
    """Who performs it; drawn at random among the split's actors where empty, with the state."""
    emotion: str = ""
    intensity: str = ""

    @property
    def seconds(self) -> float:
        """About how long the clip will be."""
        speech = sum(utterance.seconds for utterance in self.utterances)
        captured = sum(recording.seconds for recording in self.recordings)
        return speech * (1 + PAUSES) + captured + self.noise


def plan_clips(
    config: Config, utterances: Sequence[Utterance], recordings: Sequence[Recording]
) -> tuple[Plan, ...]:
    """The clips of a corpus of about ``config.minutes``.

    Real lips and acted speech have their shares at most; natural speech fills the rest, up to the
    same number of seconds from every speaker, as many as are needed.

    Raises:
        InputError: There is not enough speech, or an actor that no split names.
    """
    rng = np.random.default_rng(config.seed)
    seconds = config.minutes * 60
    acted = _plan_acted(rng, config, [u for u in utterances if u.actor], config.acted * seconds)
    captured = _plan_captured(rng, recordings, config.turns, config.captured * seconds)
    rest = seconds * (1 - 1 / NOISE_EVERY) - sum(plan.seconds for plan in (*acted, *captured))
    natural = _plan_natural(rng, config, [u for u in utterances if not u.actor], max(rest, 0.0))
    plans = _drop_shared_sentences([*acted, *captured, *natural])
    plans += [
        Plan(f"noise_{i:04d}", "noise", "train", "noise", "CC0-1.0", noise=rng.uniform(10, 14))
        for i in range(len(plans) // NOISE_EVERY)
    ]
    if not plans:
        raise InputError(
            f"Got {sum(u.seconds for u in utterances):.0f} s of speech, too little for a clip; "
            f"give at least {SHORTEST:g} s."
        )
    rng.shuffle(plans)  # type: ignore[arg-type]  # a list of objects is shuffled in place
    return tuple(plans)


def sentences(texts: Iterable[str]) -> set[str]:
    """The texts without capitals, punctuation and double spaces."""
    plain = (" ".join(re.sub(r"[^a-z ]", "", text.lower()).split()) for text in texts)
    return {sentence for sentence in plain if sentence}


def fingerprint(plans: Sequence[Plan], **settings: object) -> str:
    """Names a plan and the settings it is made with; another plan's shards are not taken over.

    Where the data lies is no part of it.
    """
    state = hashlib.sha256(repr(sorted(settings.items())).encode())
    for plan in plans:
        speech = [(u.name, u.phones) for u in plan.utterances]
        lips = [(r.name, r.start, len(r.mouth), r.phones) for r in plan.recordings]
        facts = (plan.name, plan.speaker, plan.split, plan.source, plan.licence, plan.noise)
        state.update(repr((facts, plan.actor, plan.emotion, plan.intensity, speech, lips)).encode())
    return state.hexdigest()[:16]


def _plan_acted(
    rng: np.random.Generator, config: Config, utterances: Sequence[Utterance], most: float
) -> list[Plan]:
    """Acted speech in its actor's state and every intensity, up to ``most`` seconds."""
    splits: dict[str, Split] = {
        name: split for split, names in config.actors.items() for name in names
    }
    scenes: dict[tuple[str, str], list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        if utterance.actor not in splits:
            raise InputError(
                f"Got the actor {utterance.actor!r} in clip {utterance.name}, whom no split of the "
                "config names; name each actor in one."
            )
        if utterance.emotion not in STATES:
            raise InputError(
                f"Got the state {utterance.emotion!r} in clip {utterance.name}; known are "
                f"{', '.join(STATES)}."
            )
        scenes[utterance.actor, utterance.emotion].append(utterance)
    groups: list[list[Plan]] = []
    for (actor, emotion), own in sorted(scenes.items()):
        order = [own[i] for i in rng.permutation(len(own))]
        intensities = ("none",) if emotion == "neutral" else tuple(INTENSITIES)
        for number, group in enumerate(_group_utterances(rng, order)):
            plan = _plan_of(f"{actor}_{emotion}_{number:03d}", splits[actor], group)
            plan = replace(plan, actor=actor, emotion=emotion)
            groups.append(
                [replace(plan, name=f"{plan.name}_{i}", intensity=i) for i in intensities]
            )
    plans: list[Plan] = []
    left = most
    for index in rng.permutation(len(groups)):
        seconds = sum(plan.seconds for plan in groups[index])
        if seconds <= left:
            plans += groups[index]
            left -= seconds
    return plans


def _plan_natural(
    rng: np.random.Generator, config: Config, utterances: Sequence[Utterance], seconds: float
) -> list[Plan]:
    """Speech of people who do not act, about ``seconds`` of it."""
    speakers: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        speakers[utterance.speaker].append(utterance)
    eligible: dict[str, list[Utterance]] = {}
    for speaker, own in sorted(speakers.items()):
        share = config.fewer_speakers.get(own[0].source, 1.0)
        order = [own[i] for i in rng.permutation(len(own))]
        if rng.random() < share and _seconds(own) >= SHORTEST / 2:
            eligible[speaker] = order
    selection = _level_speakers(rng, eligible, seconds / (1 + PAUSES))
    splits = _split_speakers(rng, selection, config.held_out)
    return [
        _plan_of(f"{speaker}_{number:03d}", splits[speaker], group)
        for speaker, own in selection.items()
        for number, group in enumerate(_group_utterances(rng, own))
    ]


def _level_speakers(
    rng: np.random.Generator, speakers: Mapping[str, Sequence[Utterance]], seconds: float
) -> dict[str, Sequence[Utterance]]:
    """The first utterances of each speaker, up to the level that fills ``seconds``."""
    lengths = {s: np.cumsum([u.seconds for u in own]) for s, own in speakers.items()}
    totals = np.array([length[-1] for length in lengths.values()] or [0.0])
    low, high = 0.0, float(totals.max())
    for _ in range(40):
        level = (low + high) / 2
        low, high = (level, high) if np.minimum(totals, level).sum() < seconds else (low, level)
    selection: dict[str, Sequence[Utterance]] = {}
    for speaker in rng.permutation(list(speakers)):  # too many for one utterance of each
        if seconds > 0:
            count = int(np.searchsorted(lengths[speaker], high)) + 1
            selection[speaker] = speakers[speaker][:count]
            seconds -= _seconds(selection[speaker])
    return selection


def _split_speakers(
    rng: np.random.Generator,
    speakers: Mapping[str, Sequence[Utterance]],
    shares: Mapping[Split, float],
) -> dict[str, Split]:
    """Whole speakers for test and validation until each has its share of the seconds."""
    seconds = {speaker: _seconds(own) for speaker, own in speakers.items()}
    total = sum(seconds.values())
    splits: dict[str, Split] = dict.fromkeys(speakers, "train")
    waiting = [s for s in rng.permutation(sorted(speakers)) if seconds[s] <= LARGEST_HELD_OUT]
    for split in ("test", "val"):
        held = 0.0
        while waiting and held + seconds[waiting[-1]] / 2 < shares[split] * total:
            if len(waiting) == 1:  # somebody must train
                break
            speaker = waiting.pop()
            splits[speaker] = split
            held += seconds[speaker]
    return splits


def _group_utterances(
    rng: np.random.Generator, utterances: Sequence[Utterance]
) -> list[tuple[Utterance, ...]]:
    """Utterances in groups of 10 to 20 s; a short rest joins the last group."""
    groups: list[list[Utterance]] = []
    now, target = 0.0, 0.0
    for utterance in utterances:
        seconds = utterance.seconds + BETWEEN
        if not groups or (now + seconds / 2 > target and now > SHORTEST - 2):
            groups.append([])
            now, target = 0.0, rng.uniform(SHORTEST + 1, LONGEST - 4)
        groups[-1].append(utterance)
        now += seconds
    if len(groups) > 1 and now < SHORTEST - 2:
        rest = groups.pop()
        groups[-1] += rest
    return [tuple(group) for group in groups]


def _plan_of(name: str, split: Split, utterances: tuple[Utterance, ...]) -> Plan:
    first = utterances[0]
    return Plan(name, first.speaker, split, first.source, first.licence, utterances=utterances)


def _plan_captured(
    rng: np.random.Generator,
    recordings: Sequence[Recording],
    turns: Mapping[str, float],
    most: float,
) -> list[Plan]:
    """Clips with real lips, up to ``most`` seconds; all of them train."""
    speakers: dict[str, list[Recording]] = defaultdict(list)
    for recording in recordings:
        speakers[recording.speaker].append(recording)
    plans: list[Plan] = []
    for turn in range(math.ceil(max(turns.values(), default=1.0))):
        once = [
            Plan(
                f"{speaker}_{turn}_{number:03d}",
                speaker,
                "train",
                group[0].source,
                group[0].licence,
                recordings=group,
            )
            for speaker, own in sorted(speakers.items())
            for number, group in enumerate(
                _first(_group_recordings(rng, own), turns.get(own[0].source, 1.0) - turn)
            )
        ]
        plans += [once[i] for i in rng.permutation(len(once))]
    ends = np.cumsum([plan.seconds for plan in plans])
    return plans[: int(np.searchsorted(ends, most))]


def _first(
    groups: Sequence[tuple[Recording, ...]], share: float
) -> Sequence[tuple[Recording, ...]]:
    return groups[: math.ceil(len(groups) * min(max(share, 0.0), 1.0))]


def _group_recordings(
    rng: np.random.Generator, recordings: Sequence[Recording]
) -> list[tuple[Recording, ...]]:
    """One person's recordings in clips of 10 to 20 s: long ones cut, short ones joined."""
    groups: list[tuple[Recording, ...]] = []
    short: list[Recording] = []
    for recording in (recordings[i] for i in rng.permutation(len(recordings))):
        if recording.seconds > LONGEST:
            groups += [(piece,) for piece in _cut(rng, recording)]
            continue
        short.append(recording)
        if sum(each.seconds for each in short) > rng.uniform(SHORTEST, LONGEST - 3):
            groups.append(tuple(short))
            short = []
    if groups and sum(each.seconds for each in short) < SHORTEST / 2:
        return [*groups[:-1], (*groups[-1], *short)]
    return [*groups, tuple(short)]


def _cut(rng: np.random.Generator, recording: Recording) -> list[Recording]:
    count = max(1, round(recording.seconds / rng.uniform(SHORTEST + 3, LONGEST - 3)))
    edges = np.linspace(0, len(recording.mouth), count + 1).astype(int)
    return [
        replace(
            recording,
            name=f"{recording.name}@{first}",
            mouth=recording.mouth[first:last],
            start=recording.start + first / recording.fps,
        )
        for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    ]


def _drop_shared_sentences(plans: Sequence[Plan]) -> list[Plan]:
    """Without what a later split says too: the test keeps it, then validation."""
    disjoint: list[Plan] = []
    reserved: set[str] = set()
    for split in reversed(SPLITS):
        own = [plan for plan in plans if plan.split == split]
        for plan in own:
            utterances, recordings = (
                tuple(item for item in items if not sentences([item.text]) & reserved)
                for items in (plan.utterances, plan.recordings)
            )
            rest = replace(plan, utterances=utterances, recordings=recordings)
            if rest.seconds >= min(plan.seconds, SHORTEST / 2):
                disjoint.append(rest)
        reserved |= sentences(u.text for plan in own for u in (*plan.utterances, *plan.recordings))
    return disjoint


def _seconds(utterances: Iterable[Utterance]) -> float:
    return sum(utterance.seconds for utterance in utterances)
