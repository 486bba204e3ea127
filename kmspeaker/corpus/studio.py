"""Makes one planned clip: its sound, its face, and what the encoder hears of it.

Place in the flow: ``plan`` says which clips, ``build`` asks for them one by one. Each clip's chance
comes from the corpus's seed and the clip's own name, so their order does not matter.
"""

import logging
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from kmspeaker.audio import SAMPLE_RATE, Sound
from kmspeaker.corpus.coarticulation import vocal_effort
from kmspeaker.corpus.contacts import Contacts
from kmspeaker.corpus.performances import Actor, cast, draw_direction, perform
from kmspeaker.corpus.plan import SHORTEST, Plan, plan_clips
from kmspeaker.corpus.recordings import Take, UpperFaces, read_facegood, read_video
from kmspeaker.corpus.store import Clip, Motion
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
from kmspeaker.speech import SpeechEncoder, load_encoder, speech_features

_log = logging.getLogger(__name__)

MARGIN = 0.3
"""Seconds of an utterance's own silence that are kept at its ends."""
SPEED = 0.08
"""Voices are played up to this much faster or slower."""
LIVE_LINK, FACEGOOD, VIDEOS = "capture/livelink", "capture/facegood", "grid_s1"
"""Folders below the data folder; only the first must be there."""
SEAM = 5
"""Frames over which the mouth passes from one video to the next."""


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
    tracks: Path | None = None
    """Folder that keeps the face tracks of videos between builds."""


class Studio:
    """All that the clips of one corpus share; opened once in each process."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.utterances = read_utterances(options.data / "speech")
        capture = options.data / FACEGOOD
        self.takes = read_facegood(capture, options.fps) if capture.is_dir() else ()
        videos = [f"{VIDEOS}/{path.name}" for path in (options.data / VIDEOS).glob("*.mp4")]
        self.plans = plan_clips(
            self.utterances, self.takes, videos, minutes=options.minutes, seed=options.seed
        )

    @cached_property
    def recorded(self) -> UpperFaces:
        """Real upper faces to replay."""
        return UpperFaces.read(self.options.data / LIVE_LINK, self.options.fps)

    @cached_property
    def encoder(self) -> SpeechEncoder:
        """What the model will hear with."""
        return load_encoder(self.options.encoder)

    @cached_property
    def face(self) -> FaceModel:
        """The rig."""
        return FaceModel.load()

    @cached_property
    def actors(self) -> tuple[Actor, ...]:
        """One for each identity."""
        return cast(self.face.identities, self.options.seed)

    @cached_property
    def contacts(self) -> Contacts:
        """What must touch, on the rig."""
        return Contacts.of(self.face)

    def make(self, plan: Plan, shard: str) -> tuple[Clip, Motion]:
        """One clip, whole."""
        rng = np.random.default_rng([self.options.seed, zlib.crc32(plan.name.encode())])
        fps = self.options.fps
        samples, phones, text, mouth = self._speech(rng, plan)
        frames = round(len(samples) / SAMPLE_RATE * fps)
        seconds = frames / fps
        direction = draw_direction(rng, self.actors)
        weights = perform(
            rng,
            direction,
            phones,
            vocal_effort(samples, SAMPLE_RATE, phones),
            seconds,
            contacts=self.contacts,
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
        if plan.videos:
            return self._filmed(plan)
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

    def _filmed(
        self, plan: Plan
    ) -> tuple[Float32[np.ndarray, " samples"], tuple[Phone, ...], str, np.ndarray]:
        """Talking videos one after the other; those that cannot be used are logged and left out."""
        takes: list[Take] = []
        for video in plan.videos:
            try:
                path = self.options.data / video
                takes.append(read_video(path, self.face, self.options.fps, self.options.tracks))
            except InputError as error:
                _log.warning("%s", error)
        if not takes:
            raise InputError(f"Got no usable video for clip {plan.name}; remove {plan.videos}.")
        mouth = _joined([take.mouth for take in takes])
        samples = np.concatenate(
            [
                _faded(_fitted(take.sound.samples, round(len(take.mouth) / take.fps * SAMPLE_RATE)))
                for take in takes
            ]
        )
        return samples, ((SILENCE, 0.0, len(samples) / SAMPLE_RATE),), "", mouth


def _joined(mouths: Sequence[np.ndarray]) -> Float32[np.ndarray, "frames 52"]:
    """Mouths one after the other; each begins where the one before ended."""
    ramp = np.linspace(0, 1, SEAM + 2, dtype=np.float32)[1:-1, None]
    parts = [mouths[0]]
    for mouth in mouths[1:]:
        begun = mouth.copy()
        begun[:SEAM] = ramp * begun[:SEAM] + (1 - ramp) * parts[-1][-1]
        parts.append(begun)
    return np.concatenate(parts)


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
) -> tuple[Float32[np.ndarray, " fewer_samples"], list[Phone]]:
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


def _fitted(samples: Float32[np.ndarray, " samples"], length: int) -> np.ndarray:
    """Cut or end with silence, to the length of the motion."""
    return np.pad(samples[:length], (0, max(0, length - len(samples))))
