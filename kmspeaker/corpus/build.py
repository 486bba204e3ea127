"""Builds a corpus: plans are turned into clips, shard by shard, by many processes.

Each shard appears whole or not at all and each clip's chance comes from the seed and its own name,
so that a build can be killed and resumed, and is the same with any number of processes.
"""

import time
import zlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from kmspeaker.audio import SAMPLE_RATE, Sound
from kmspeaker.corpus.coarticulation import vocal_effort
from kmspeaker.corpus.contacts import Contacts
from kmspeaker.corpus.performances import Actor, cast, draw_direction, perform
from kmspeaker.corpus.plan import SHORTEST, Plan, fingerprint, plan_clips
from kmspeaker.corpus.recordings import UpperFaces, read_facegood
from kmspeaker.corpus.store import Clip, Motion, shard_clips, write_index, write_shard
from kmspeaker.corpus.visemes import SILENCE, Phone
from kmspeaker.corpus.voices import (
    Utterance,
    at_speed,
    augmented,
    load_voice,
    read_utterances,
    room_tone,
)
from kmspeaker.errors import InputError
from kmspeaker.face import FaceModel
from kmspeaker.performance import Progress
from kmspeaker.speech import SpeechEncoder, load_encoder, speech_features

CLIPS_A_SHARD = 24
MARGIN = 0.3
"""Seconds of an utterance's own silence that are kept at its ends."""
SPEED = 0.08
"""Voices are played up to this much faster or slower."""
LIVE_LINK, FACEGOOD = "capture/livelink", "capture/facegood"
RECIPE = 1
"""Raise it when the same plan makes other clips, so that no old shard is taken over."""


@dataclass(frozen=True)
class Options:
    """What is built, from what."""

    data: Path
    """Folder with ``speech/`` and ``capture/``."""
    output: Path
    minutes: float = 130.0
    seed: int = 0
    fps: float = 30.0
    encoder: str = "whisper-tiny.en"


@dataclass(frozen=True)
class Report:
    """What a build did."""

    clips: tuple[Clip, ...]
    minutes: float
    speakers: int
    seconds: float
    """Time taken by the shards made now."""
    built_minutes: float
    """Minutes made now; the rest was there."""

    @property
    def real_time_factor(self) -> float:
        """Seconds of work for a second of corpus."""
        return self.seconds / max(60 * self.built_minutes, 1e-9)


def build(options: Options, *, jobs: int = 1, progress: Progress | None = None) -> Report:
    """Build or resume a corpus in ``options.output``.

    Raises:
        InputError: The data cannot be used (the clip is named), or another corpus lies there.
    """
    studio = _Studio(options)
    plans = studio.plans
    mark = fingerprint(plans, fps=options.fps, encoder=options.encoder, recipe=RECIPE)
    options.output.mkdir(parents=True, exist_ok=True)
    shards = [plans[i : i + CLIPS_A_SHARD] for i in range(0, len(plans), CLIPS_A_SHARD)]
    done: dict[int, tuple[Clip, ...]] = {}
    for number in range(len(shards)):
        path = _shard_path(options, number)
        clips = shard_clips(path, mark)
        if clips is not None:
            done[number] = clips
        elif path.exists():
            raise InputError(
                f"Got another corpus in {options.output} ({path.name} is of another plan or "
                "damaged); choose an empty folder or remove it."
            )
    waiting = [number for number in range(len(shards)) if number not in done]
    found, began = set(done), time.perf_counter()
    with ProcessPoolExecutor(
        max(1, min(jobs, len(waiting))), get_context("spawn"), _open_studio, (options,)
    ) as pool:
        for number, clips in pool.map(_make_shard, waiting, [mark] * len(waiting)):
            done[number] = clips
            if progress is not None:
                progress(len(done) / len(shards))
    seconds = time.perf_counter() - began
    clips = tuple(clip for number in sorted(done) for clip in done[number])
    write_index(options.output, clips, fps=options.fps, encoder=options.encoder, seed=options.seed)
    made = sum(clip.frames for number in done if number not in found for clip in done[number])
    return Report(
        clips,
        sum(clip.frames for clip in clips) / options.fps / 60,
        len({clip.speaker for clip in clips}),
        seconds,
        made / options.fps / 60,
    )


class _Studio:
    """All that the clips of one corpus share; opened once in each process."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.utterances = read_utterances(options.data / "speech")
        capture = options.data / FACEGOOD
        self.takes = read_facegood(capture, options.fps) if capture.is_dir() else ()
        self.plans = plan_clips(
            self.utterances, self.takes, minutes=options.minutes, seed=options.seed
        )

    @cached_property
    def recorded(self) -> UpperFaces:
        return UpperFaces.read(self.options.data / LIVE_LINK, self.options.fps)

    @cached_property
    def encoder(self) -> SpeechEncoder:
        return load_encoder(self.options.encoder)

    @cached_property
    def stage(self) -> tuple[tuple[Actor, ...], dict[str, Contacts]]:
        face = FaceModel.load()
        actors = cast(face.identities, self.options.seed)
        return actors, {name: Contacts.of(face, name) for name in face.identities}

    def make(self, plan: Plan, shard: str) -> tuple[Clip, Motion]:
        """One clip, whole."""
        rng = np.random.default_rng([self.options.seed, zlib.crc32(plan.name.encode())])
        fps = self.options.fps
        samples, phones, text, mouth = self._speech(rng, plan)
        frames = round(len(samples) / SAMPLE_RATE * fps)
        seconds = frames / fps
        actors, contacts = self.stage
        direction = draw_direction(rng, actors)
        weights = perform(
            rng,
            direction,
            phones,
            vocal_effort(samples, SAMPLE_RATE, phones),
            seconds,
            contacts=contacts[direction.actor.identity],
            recorded=self.recorded,
            mouth=None if mouth is None else mouth[:frames],
            fps=fps,
        )
        if plan.split == "train":
            samples = augmented(rng, samples)
        features = speech_features(
            self.encoder, Sound(samples, SAMPLE_RATE), fps=fps, frames=frames
        )
        clip = Clip(
            plan.name,
            frames,
            shard,
            plan.speaker,
            direction.actor.identity,
            direction.emotion,
            direction.intensity,
            text,
            () if mouth is not None else phones,
            plan.split,
            plan.source,
            plan.licence,
        )
        return clip, Motion(weights, features)

    def _speech(
        self, rng: np.random.Generator, plan: Plan
    ) -> tuple[Float32[np.ndarray, " samples"], tuple[Phone, ...], str, np.ndarray | None]:
        """Clean sound, its phones and text, and the captured mouth where there is one."""
        if plan.take >= 0:
            take = self.takes[plan.take]
            first = round(plan.start * take.fps)
            frames = int(plan.seconds * take.fps)
            start = round(first / take.fps * SAMPLE_RATE)
            samples = take.sound.samples[start : start + round(frames / take.fps * SAMPLE_RATE)]
            silence = ((SILENCE, 0.0, len(samples) / SAMPLE_RATE),)
            return samples, silence, "", take.mouth[first : first + frames]
        if not plan.utterances:
            level = np.float32(10 ** (rng.uniform(-65, -35) / 20))
            white = rng.standard_normal(round(plan.seconds * SAMPLE_RATE)).astype(np.float32)
            samples = room_tone(rng, len(white), white) * level
            return samples, ((SILENCE, 0.0, len(samples) / SAMPLE_RATE),), "", None
        speed = 1.0
        if plan.split == "train" and rng.random() < 0.5:
            speed = float(rng.uniform(1 - SPEED, 1 + SPEED))
        chosen = [self.utterances[index] for index in plan.utterances]
        samples, phones = join(rng, chosen, speed)
        return samples, phones, " / ".join(utterance.text for utterance in chosen), None


def join(
    rng: np.random.Generator, utterances: Sequence[Utterance], speed: float = 1.0
) -> tuple[Float32[np.ndarray, " samples"], tuple[Phone, ...]]:
    """Utterances with a speaker's pauses between, and the new time of every phone."""
    parts: list[np.ndarray] = []
    phones: list[Phone] = []
    now = 0

    def pause(seconds: float, like: np.ndarray) -> None:
        nonlocal now
        tone = room_tone(rng, round(seconds * SAMPLE_RATE), like)
        parts.append(tone)
        now += len(tone)

    for number, utterance in enumerate(utterances):
        samples, spoken = _trimmed(load_voice(utterance), utterance.phones)
        samples = at_speed(samples, speed)
        if number == 0:
            pause(rng.uniform(0.0, 0.6), samples)
        begin = now / SAMPLE_RATE
        phones += [(name, begin + s / speed, begin + e / speed) for name, s, e in spoken]
        parts.append(_faded(samples))
        now += len(samples)
        long = rng.random() < 0.12
        pause(rng.uniform(1.5, 3.0) if long else rng.uniform(0.2, 0.9), samples)
        if number == len(utterances) - 1 and now < SHORTEST * SAMPLE_RATE:
            pause(min(SHORTEST - now / SAMPLE_RATE, 2.5), samples)
    joined = np.concatenate(parts).astype(np.float32)
    return joined, filled(phones, len(joined) / SAMPLE_RATE)


def filled(phones: Sequence[Phone], seconds: float) -> tuple[Phone, ...]:
    """The phones with silence wherever they leave a gap; silences that touch are one."""
    whole: list[Phone] = []
    now = 0.0
    for name, start, end in [*phones, ("", seconds, seconds)]:
        if start > now + 1e-3:
            whole.append((SILENCE, now, start))
        if name:
            whole.append((name, max(start, now), max(end, now)))
        now = max(now, end)
    merged: list[Phone] = []
    for phone in whole:
        if phone[0] == SILENCE and merged and merged[-1][0] == SILENCE:
            phone = (SILENCE, merged.pop()[1], phone[2])
        merged.append(phone)
    return tuple((name, round(start, 4), round(end, 4)) for name, start, end in merged)


def _trimmed(
    samples: Float32[np.ndarray, " samples"], phones: Sequence[Phone]
) -> tuple[Float32[np.ndarray, " samples"], list[Phone]]:
    """An utterance with at most ``MARGIN`` of silence at either end, and only its spoken phones."""
    spoken = [phone for phone in phones if phone[0] != SILENCE]
    if not spoken:
        return samples, list(phones)
    start = max(0.0, spoken[0][1] - MARGIN)
    end = min(len(samples) / SAMPLE_RATE, spoken[-1][2] + MARGIN)
    kept = samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
    return kept, [(name, s - start, e - start) for name, s, e in spoken]


def _faded(samples: Float32[np.ndarray, " samples"]) -> Float32[np.ndarray, " samples"]:
    ramp = np.linspace(0, 1, min(160, len(samples) // 2), dtype=np.float32)
    samples = samples.copy()
    samples[: len(ramp)] *= ramp
    samples[len(samples) - len(ramp) :] *= ramp[::-1]
    return samples


_studio: _Studio | None = None


def _open_studio(options: Options) -> None:
    import torch

    global _studio
    torch.set_num_threads(1)
    _studio = _Studio(options)


def _make_shard(number: int, mark: str) -> tuple[int, tuple[Clip, ...]]:
    assert _studio is not None
    options = _studio.options
    path = _shard_path(options, number)
    first = number * CLIPS_A_SHARD
    made = [_studio.make(plan, path.name) for plan in _studio.plans[first : first + CLIPS_A_SHARD]]
    clips = tuple(clip for clip, _ in made)
    write_shard(path, clips, {clip.name: motion for clip, motion in made}, mark)
    return number, clips


def _shard_path(options: Options, number: int) -> Path:
    return options.output / f"shard-{number:04d}.safetensors"
