"""Which clips a corpus has: decided once, from the seed, before anything is made.

Place in the flow: ``voices`` and ``recordings`` say what there is, ``build`` makes what is planned.
Speakers are split, not clips: nobody heard in training is heard in a test.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from kmspeaker.corpus.recordings import Take
from kmspeaker.corpus.store import Split
from kmspeaker.corpus.voices import LICENCES, Utterance
from kmspeaker.errors import InputError

SHORTEST, LONGEST = 10.0, 20.0
"""Seconds of a clip."""
SHARES: tuple[tuple[Split, float], ...] = (("test", 0.10), ("val", 0.05))
"""Of the minutes; the rest trains."""
LARGEST_HELD_OUT = 180.0
"""Seconds; who has spoken longer trains, or one voice would be the whole test."""
FEWER_SPEAKERS = {"speechocean762": 0.35}
"""Share of a folder's speakers to use: learners of English are not to be the majority."""
PAUSES = 0.1
"""What the pauses between utterances add to the speech, less the silences cut from its ends."""
NOISE_EVERY = 40
"""One clip in so many is noise without speech."""
MOST_CAPTURED = 0.4
"""Share of the minutes with real lips, at most: they have few voices."""
MOST_TURNS = 3
"""How often a video is used while there is room, each time with another upper face and sound."""
VIDEO_SECONDS = 3.0
"""What a talking video is taken to last until it is read."""


@dataclass(frozen=True)
class Plan:
    """One clip to be made."""

    name: str
    speaker: str
    split: Split
    source: str
    licence: str
    utterances: tuple[int, ...] = ()
    """Indices into the utterances, in order."""
    take: int = -1
    """Index of the captured take, else -1."""
    start: float = 0.0
    seconds: float = 0.0
    """Part of the take, or length of the noise."""
    videos: tuple[str, ...] = ()
    """Talking videos one after the other, below the data folder."""


def plan_clips(
    utterances: Sequence[Utterance],
    takes: Sequence[Take],
    videos: Sequence[str],
    *,
    minutes: float,
    seed: int,
) -> tuple[Plan, ...]:
    """The clips of a corpus of about ``minutes``.

    Every speaker gives up to the same number of seconds, as many as are needed.

    Args:
        utterances: Speech with phones.
        takes: Captured lips with sound.
        videos: Talking videos, by their paths below the data folder.
        minutes: How much is wanted.
        seed: Decides everything that is drawn.

    Raises:
        InputError: There is not enough speech.
    """
    rng = np.random.default_rng(seed)
    speakers = _by_speaker(rng, utterances)
    real = _real(rng, takes, videos, MOST_CAPTURED * minutes * 60)
    wanted = minutes * 60 * (1 - 1 / NOISE_EVERY) - sum(plan.seconds for plan in real)
    wanted /= 1 + PAUSES
    chosen = _level(utterances, speakers, wanted)
    splits = _split(rng, utterances, chosen)
    plans = [
        plan
        for speaker in chosen
        for plan in _clips_of(rng, utterances, chosen[speaker], splits[speaker])
    ]
    plans += real
    plans += [
        Plan(f"noise_{i:04d}", "noise", "train", "noise", "CC0-1.0", seconds=rng.uniform(10, 14))
        for i in range(len(plans) // NOISE_EVERY)
    ]
    if not plans:
        raise InputError(
            f"Got {sum(u.seconds for u in utterances):.0f} s of speech, too little for a clip; "
            f"give at least {SHORTEST:g} s."
        )
    rng.shuffle(plans)  # type: ignore[arg-type]  # a list of objects is shuffled in place
    return tuple(plans)


def fingerprint(plans: Sequence[Plan], **settings: object) -> str:
    """Names a plan and the settings it is made with; another plan's shards are not taken over."""
    text = repr([asdict(plan) for plan in plans]) + repr(sorted(settings.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _by_speaker(rng: np.random.Generator, utterances: Sequence[Utterance]) -> dict[str, list[int]]:
    speakers: dict[str, list[int]] = defaultdict(list)
    for index, utterance in enumerate(utterances):
        speakers[utterance.speaker].append(index)
    kept: dict[str, list[int]] = {}
    for speaker, indices in sorted(speakers.items()):
        share = FEWER_SPEAKERS.get(utterances[indices[0]].source, 1.0)
        order = [int(i) for i in rng.permutation(indices)]
        if rng.random() < share and sum(utterances[i].seconds for i in indices) >= SHORTEST / 2:
            kept[speaker] = order
    return kept


def _level(
    utterances: Sequence[Utterance], speakers: dict[str, list[int]], wanted: float
) -> dict[str, list[int]]:
    """The first utterances of each speaker, up to the level that fills ``wanted`` seconds."""
    lengths = {s: np.cumsum([utterances[i].seconds for i in own]) for s, own in speakers.items()}
    totals = np.array([length[-1] for length in lengths.values()] or [0.0])
    low, high = 0.0, float(totals.max())
    for _ in range(40):
        level = (low + high) / 2
        low, high = (level, high) if np.minimum(totals, level).sum() < wanted else (low, level)
    return {s: own[: int(np.searchsorted(lengths[s], high)) + 1] for s, own in speakers.items()}


def _split(
    rng: np.random.Generator, utterances: Sequence[Utterance], chosen: dict[str, list[int]]
) -> dict[str, Split]:
    seconds = {s: sum(utterances[i].seconds for i in own) for s, own in chosen.items()}
    total = sum(seconds.values())
    splits: dict[str, Split] = dict.fromkeys(chosen, "train")
    waiting = [s for s in rng.permutation(sorted(chosen)) if seconds[s] <= LARGEST_HELD_OUT]
    for split, share in SHARES:
        held = 0.0
        while waiting and held + seconds[waiting[-1]] / 2 < share * total and len(waiting) > 1:
            speaker = waiting.pop()
            splits[speaker] = split
            held += seconds[speaker]
    return splits


def _clips_of(
    rng: np.random.Generator, utterances: Sequence[Utterance], own: list[int], split: Split
) -> list[Plan]:
    """One speaker's utterances in groups of 10 to 20 s; a short rest joins the last group."""
    groups: list[list[int]] = []
    now, target = 0.0, 0.0
    for index in own:
        seconds = utterances[index].seconds + 0.7
        if not groups or (now + seconds / 2 > target and now > SHORTEST - 2):
            groups.append([])
            now, target = 0.0, rng.uniform(SHORTEST + 1, LONGEST - 4)
        groups[-1].append(index)
        now += seconds
    if len(groups) > 1 and now < SHORTEST - 2:
        rest = groups.pop()
        groups[-1] += rest
    first = utterances[own[0]]
    return [
        Plan(
            f"{first.speaker}_{number:03d}",
            first.speaker,
            split,
            first.source,
            first.licence,
            tuple(group),
        )
        for number, group in enumerate(groups)
    ]


def _real(
    rng: np.random.Generator, takes: Sequence[Take], videos: Sequence[str], most: float
) -> list[Plan]:
    """Clips with real lips, up to ``most`` seconds; used again while there is room."""
    plans = [plan for i, take in enumerate(takes) for plan in _captured(rng, take, i)]
    for turn in range(MOST_TURNS):
        plans += [replace(plan, name=f"{plan.name}_{turn}") for plan in _filmed(rng, videos)]
    seconds = np.cumsum([plan.seconds for plan in plans])
    return plans[: int(np.searchsorted(seconds, most))]


def _captured(rng: np.random.Generator, take: Take, index: int) -> list[Plan]:
    """A take in pieces of 10 to 20 s."""
    length = len(take.mouth) / take.fps
    pieces = max(1, round(length / rng.uniform(SHORTEST + 3, LONGEST - 3)))
    return [
        Plan(
            f"{take.name}_{piece:03d}",
            take.speaker,
            "train",
            "facegood",
            LICENCES["facegood"],
            take=index,
            start=piece * length / pieces,
            seconds=length / pieces,
        )
        for piece in range(pieces)
    ]


def _filmed(rng: np.random.Generator, videos: Sequence[str]) -> list[Plan]:
    """Short talking videos of one person in groups of 10 to 20 s."""
    folders: dict[str, list[str]] = defaultdict(list)
    for video in sorted(videos):
        folders[video.rsplit("/", 1)[0]].append(video)
    plans: list[Plan] = []
    for folder, own in folders.items():
        order = [own[i] for i in rng.permutation(len(own))]
        name = folder.rsplit("/", 1)[-1]
        now = 0
        while now < len(order):
            count = int(rng.integers(4, 7))
            group = tuple(order[now : now + count])
            now += count
            plans.append(
                Plan(
                    f"{name}_{len(plans):03d}",
                    name,
                    "train",
                    name,
                    LICENCES[name],
                    seconds=len(group) * VIDEO_SECONDS,
                    videos=group,
                )
            )
    return plans
