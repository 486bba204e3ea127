"""Makes one planned clip: its sound, its face, and what the encoder hears of it.

Place in the flow: ``plan`` says which clips, ``build`` asks for them one by one. Each clip's chance
comes from the corpus's seed and the clip's own name, so their order does not matter.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32

from kmspeaker.animation.silence import still_lips
from kmspeaker.corpus.config import Config
from kmspeaker.corpus.lips.coarticulation import vocal_effort
from kmspeaker.corpus.lips.contacts import Contacts
from kmspeaker.corpus.lips.visemes import SILENCE, Phone, spans
from kmspeaker.corpus.performances.recordings import Take, UpperFaces, in_step
from kmspeaker.corpus.performances.states import Actor, Direction, cast, draw_direction, perform
from kmspeaker.corpus.plan import SHORTEST, Plan
from kmspeaker.corpus.speech.voices import Utterance, at_speed, augmented, load_voice, room_tone
from kmspeaker.corpus.store import Clip, Motion
from kmspeaker.face.rig import FaceModel
from kmspeaker.media.audio import SAMPLE_RATE, Sound
from kmspeaker.speech.encoders import SpeechEncoder, load_encoder, speech_features

MARGIN = 0.3
"""Seconds of an utterance's own silence that are kept at its ends."""
SPEED = 0.08
"""Voices are played up to this much faster or slower."""
OTHER_VOICES = (0.85, 1.2)
"""Captured lips and their sound are played at a speed between these: few people stand for many."""
NATURAL, CAPTURED = 0.3, 0.6
"""Share of clips that get another voice; real lips have few voices of their own."""
HEIGHTENED_SPEED, HEIGHTENED_GAIN = 1.05, 10 ** (3 / 20)
LIVE_LINK = "capture/livelink"
"""Folder of real upper faces, below the data folder."""
BREATH = 0.15
"""Seconds at either end of a silence in which lips still come from speech or prepare for it."""
SEAM = 5
"""Frames over which the mouth passes from one take to the next."""
Samples = Float32[np.ndarray, " samples"]


@dataclass(frozen=True)
class Spoken:
    """What is heard in a clip, and what is known of it."""

    samples: Samples
    phones: tuple[Phone, ...]
    text: str = ""
    mouth: Float32[np.ndarray, "frames 52"] | None = None
    """Captured lips."""


class Studio:
    """All that the clips of one corpus share; opened once in each process."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.face = FaceModel.load()
        self.contacts = Contacts.of(self.face)
        self.recorded = UpperFaces.read(config.data / LIVE_LINK, config.fps)
        self.encoder: SpeechEncoder = load_encoder(config.encoder)
        self.actors: dict[str, Actor] = {
            actor.identity: actor for actor in cast(self.face.identities, config.seed)
        }

    def make(self, plan: Plan, shard: str) -> tuple[Clip, Motion]:
        """One clip, whole."""
        rng = np.random.default_rng([self.config.seed, zlib.crc32(plan.name.encode())])
        fps = self.config.fps
        spoken = _spoken(rng, plan)
        samples, mouth = spoken.samples, spoken.mouth
        frames = round(len(samples) / SAMPLE_RATE * fps) if mouth is None else len(mouth)
        direction = self._direction(rng, plan)
        weights = perform(
            rng,
            direction,
            spoken.phones,
            vocal_effort(samples, SAMPLE_RATE, spoken.phones),
            frames / fps,
            contacts=self.contacts,
            recorded=self.recorded,
            mouth=mouth,
            fps=fps,
        )
        if plan.split == "train":
            samples = augmented(rng, samples, new_voice=NATURAL if mouth is None else CAPTURED)
        features = speech_features(
            self.encoder, Sound(samples, SAMPLE_RATE), fps=fps, frames=frames
        )
        known = mouth is None or any(take.phones for take in plan.takes)
        clip = Clip(
            plan.name,
            frames,
            shard,
            plan.speaker,
            direction.actor.identity,
            direction.emotion,
            direction.intensity,
            spoken.text,
            spoken.phones if known else (),
            plan.split,
            plan.source,
            plan.licence,
            "made" if mouth is None else "captured",
        )
        return clip, Motion(weights, features)

    def _direction(self, rng: np.random.Generator, plan: Plan) -> Direction:
        if plan.actor:
            return Direction(self.actors[plan.actor], plan.emotion, plan.intensity)
        return draw_direction(rng, [self.actors[name] for name in self.config.actors[plan.split]])


def _spoken(rng: np.random.Generator, plan: Plan) -> Spoken:
    """Clean sound, its phones and text, and the captured mouth where there is one."""
    train = plan.split == "train"
    if plan.takes:
        low, high = OTHER_VOICES if train else (1.0, 1.0)
        return reel(plan.takes, float(np.exp(rng.uniform(np.log(low), np.log(high)))))
    if not plan.utterances:
        level = np.float32(10 ** (rng.uniform(-65, -35) / 20))
        white = rng.standard_normal(round(plan.noise * SAMPLE_RATE)).astype(np.float32)
        samples = room_tone(rng, len(white), white) * level
        return Spoken(samples, ((SILENCE, 0.0, len(samples) / SAMPLE_RATE),))
    speed = 1.0
    if train and rng.random() < 0.5:
        speed = float(rng.uniform(1 - SPEED, 1 + SPEED))
    heightened = plan.intensity == "heightened"
    samples, phones = join(rng, plan.utterances, speed * (HEIGHTENED_SPEED if heightened else 1.0))
    if heightened:
        louder = samples * np.float32(HEIGHTENED_GAIN)
        samples = louder / np.float32(max(1.0, np.abs(louder).max(initial=0.0)))
    return Spoken(samples, phones, " / ".join(utterance.text for utterance in plan.utterances))


def reel(takes: Sequence[Take], speed: float = 1.0) -> Spoken:
    """Takes one after the other, sound, lips and phones together ``speed`` times as fast."""
    fps = takes[0].fps
    whole = _joined([take.mouth for take in takes])
    frames = int(len(whole) / speed)
    mouth = in_step(whole, speed * fps, fps=fps, late=0.0, frames=frames)
    samples = at_speed(np.concatenate([_faded(take.sound()) for take in takes]), speed)
    seconds = frames / fps
    starts = np.cumsum([0.0, *(take.seconds for take in takes)])
    phones = [
        (name, (start + s) / speed, min((start + e) / speed, seconds))
        for start, take in zip(starts, takes, strict=False)
        for name, s, e in take.phones
        if name != SILENCE and (start + s) / speed < seconds
    ]
    if phones:
        mouth = still_lips(mouth, _silent(filled(phones, seconds), frames, fps), fps)
    text = " / ".join(take.text for take in takes if take.text)
    return Spoken(
        _fitted(samples, round(seconds * SAMPLE_RATE)), filled(phones, seconds), text, mouth
    )


def _silent(phones: Sequence[Phone], frames: int, fps: float) -> Bool[np.ndarray, " frames"]:
    """Frames well within silences, where real lips wander and a tracker trembles."""
    silent = np.zeros(frames, bool)
    for start, end in spans(phones, {SILENCE}):
        first = 0 if start == 0 else start + BREATH
        silent[round(first * fps) : max(0, round((end - BREATH) * fps))] = True
    return silent


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
