"""Which clips a corpus has: decided once, from the seed, before anything is made.

Place in the flow: ``voices``, ``recordings`` and ``videos`` say what there is, ``build`` makes what
is planned. Speakers and actors are split, not clips: nobody heard or seen in training is met again
in a test, and no sentence either.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kmspeaker.corpus.config import Config
from kmspeaker.corpus.performances.recordings import Take
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
    """One clip to be made: of utterances, of takes, or of noise."""

    name: str
    speaker: str
    split: Split
    source: str
    licence: str
    utterances: tuple[Utterance, ...] = ()
    takes: tuple[Take, ...] = ()
    noise: float = 0.0
    """Seconds."""
    actor: str = ""
    """Who performs it how; drawn among the split's actors where nothing is said."""
    emotion: str = ""
    intensity: str = ""

    @property
    def seconds(self) -> float:
        """About how long the clip will be."""
        spoken = sum(utterance.seconds for utterance in self.utterances)
        return spoken * (1 + PAUSES) + sum(take.seconds for take in self.takes) + self.noise


def plan_clips(
    config: Config, utterances: Sequence[Utterance], takes: Sequence[Take]
) -> tuple[Plan, ...]:
    """The clips of a corpus of about ``config.minutes``.

    Real lips and acted speech have their shares at most; natural speech fills the rest, up to the
    same number of seconds from every speaker, as many as are needed.

    Raises:
        InputError: There is not enough speech, or an actor that no split names.
    """
    rng = np.random.default_rng(config.seed)
    wanted = config.minutes * 60
    acted = _acted(rng, config, [u for u in utterances if u.actor], config.acted * wanted)
    real = _captured(rng, takes, config.turns, config.captured * wanted)
    rest = wanted * (1 - 1 / NOISE_EVERY) - sum(plan.seconds for plan in (*acted, *real))
    natural = _natural(rng, config, [u for u in utterances if not u.actor], max(rest, 0.0))
    plans = _no_sentence_twice([*acted, *real, *natural])
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
    """What is said, whatever its capitals, punctuation and spaces."""
    said = (" ".join(re.sub(r"[^a-z ]", "", text.lower()).split()) for text in texts)
    return {sentence for sentence in said if sentence}


def fingerprint(plans: Sequence[Plan], **settings: object) -> str:
    """Names a plan and the settings it is made with; another plan's shards are not taken over.

    Where the data lies is no part of it.
    """
    state = hashlib.sha256(repr(sorted(settings.items())).encode())
    for plan in plans:
        said = [(u.name, u.phones) for u in plan.utterances]
        seen = [(t.name, t.start, len(t.mouth), t.phones) for t in plan.takes]
        known = (plan.name, plan.speaker, plan.split, plan.source, plan.licence, plan.noise)
        state.update(repr((known, plan.actor, plan.emotion, plan.intensity, said, seen)).encode())
    return state.hexdigest()[:16]


def _acted(
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
        for number, said in enumerate(_groups(rng, order)):
            plan = _spoken(f"{actor}_{emotion}_{number:03d}", splits[actor], said)
            plan = replace(plan, actor=actor, emotion=emotion)
            groups.append(
                [replace(plan, name=f"{plan.name}_{i}", intensity=i) for i in intensities]
            )
    kept: list[Plan] = []
    left = most
    for index in rng.permutation(len(groups)):
        seconds = sum(plan.seconds for plan in groups[index])
        if seconds <= left:
            kept += groups[index]
            left -= seconds
    return kept


def _natural(
    rng: np.random.Generator, config: Config, utterances: Sequence[Utterance], wanted: float
) -> list[Plan]:
    """Speech of people who do not act, about ``wanted`` seconds."""
    speakers: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        speakers[utterance.speaker].append(utterance)
    kept: dict[str, list[Utterance]] = {}
    for speaker, own in sorted(speakers.items()):
        share = config.fewer_speakers.get(own[0].source, 1.0)
        order = [own[i] for i in rng.permutation(len(own))]
        if rng.random() < share and _seconds(own) >= SHORTEST / 2:
            kept[speaker] = order
    chosen = _level(rng, kept, wanted / (1 + PAUSES))
    splits = _split(rng, chosen, config.held_out)
    return [
        _spoken(f"{speaker}_{number:03d}", splits[speaker], said)
        for speaker, own in chosen.items()
        for number, said in enumerate(_groups(rng, own))
    ]


def _level(
    rng: np.random.Generator, speakers: Mapping[str, Sequence[Utterance]], wanted: float
) -> dict[str, Sequence[Utterance]]:
    """The first utterances of each speaker, up to the level that fills ``wanted`` seconds."""
    lengths = {s: np.cumsum([u.seconds for u in own]) for s, own in speakers.items()}
    totals = np.array([length[-1] for length in lengths.values()] or [0.0])
    low, high = 0.0, float(totals.max())
    for _ in range(40):
        level = (low + high) / 2
        low, high = (level, high) if np.minimum(totals, level).sum() < wanted else (low, level)
    chosen: dict[str, Sequence[Utterance]] = {}
    for speaker in rng.permutation(list(speakers)):  # too many for one utterance of each
        if wanted > 0:
            chosen[speaker] = speakers[speaker][: int(np.searchsorted(lengths[speaker], high)) + 1]
            wanted -= _seconds(chosen[speaker])
    return chosen


def _split(
    rng: np.random.Generator,
    chosen: Mapping[str, Sequence[Utterance]],
    shares: Mapping[Split, float],
) -> dict[str, Split]:
    seconds = {speaker: _seconds(own) for speaker, own in chosen.items()}
    total = sum(seconds.values())
    splits: dict[str, Split] = dict.fromkeys(chosen, "train")
    waiting = [s for s in rng.permutation(sorted(chosen)) if seconds[s] <= LARGEST_HELD_OUT]
    for split in ("test", "val"):
        held = 0.0
        while waiting and held + seconds[waiting[-1]] / 2 < shares[split] * total:
            if len(waiting) == 1:  # somebody must train
                break
            speaker = waiting.pop()
            splits[speaker] = split
            held += seconds[speaker]
    return splits


def _groups(
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


def _spoken(name: str, split: Split, said: tuple[Utterance, ...]) -> Plan:
    first = said[0]
    return Plan(name, first.speaker, split, first.source, first.licence, utterances=said)


def _captured(
    rng: np.random.Generator, takes: Sequence[Take], turns: Mapping[str, int], most: float
) -> list[Plan]:
    """Clips with real lips, up to ``most`` seconds; all of them train."""
    speakers: dict[str, list[Take]] = defaultdict(list)
    for take in takes:
        speakers[take.speaker].append(take)
    plans: list[Plan] = []
    for turn in range(max(turns.values(), default=1)):
        once = [
            Plan(
                f"{speaker}_{turn}_{number:03d}",
                speaker,
                "train",
                group[0].source,
                group[0].licence,
                takes=group,
            )
            for speaker, own in sorted(speakers.items())
            if turn < turns.get(own[0].source, 1)
            for number, group in enumerate(_reels(rng, own))
        ]
        plans += [once[i] for i in rng.permutation(len(once))]
    ends = np.cumsum([plan.seconds for plan in plans])
    return plans[: int(np.searchsorted(ends, most))]


def _reels(rng: np.random.Generator, takes: Sequence[Take]) -> list[tuple[Take, ...]]:
    """One person's takes in clips of 10 to 20 s: long ones cut, short ones joined."""
    reels: list[tuple[Take, ...]] = []
    short: list[Take] = []
    for take in (takes[i] for i in rng.permutation(len(takes))):
        if take.seconds > LONGEST:
            reels += [(piece,) for piece in _pieces(rng, take)]
            continue
        short.append(take)
        if sum(take.seconds for take in short) > rng.uniform(SHORTEST, LONGEST - 3):
            reels.append(tuple(short))
            short = []
    if reels and sum(take.seconds for take in short) < SHORTEST / 2:
        return [*reels[:-1], (*reels[-1], *short)]
    return [*reels, tuple(short)]


def _pieces(rng: np.random.Generator, take: Take) -> list[Take]:
    count = max(1, round(take.seconds / rng.uniform(SHORTEST + 3, LONGEST - 3)))
    edges = np.linspace(0, len(take.mouth), count + 1).astype(int)
    return [
        replace(
            take,
            name=f"{take.name}@{first}",
            mouth=take.mouth[first:last],
            start=take.start + first / take.fps,
        )
        for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    ]


def _no_sentence_twice(plans: Sequence[Plan]) -> list[Plan]:
    """Without what a later split says too: the test keeps it, then validation."""
    kept: list[Plan] = []
    heard: set[str] = set()
    for split in reversed(SPLITS):
        own = [plan for plan in plans if plan.split == split]
        for plan in own:
            said = tuple(u for u in plan.utterances if not sentences([u.text]) & heard)
            seen = tuple(take for take in plan.takes if not sentences([take.text]) & heard)
            left = replace(plan, utterances=said, takes=seen)
            if left.seconds >= min(plan.seconds, SHORTEST / 2):
                kept.append(left)
        heard |= sentences(u.text for plan in own for u in (*plan.utterances, *plan.takes))
    return kept


def _seconds(utterances: Iterable[Utterance]) -> float:
    return sum(utterance.seconds for utterance in utterances)
