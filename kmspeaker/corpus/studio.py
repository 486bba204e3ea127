"""Makes one planned clip: its sound, its face, and its speech features.

Place in the flow: ``plan`` says which clips, ``build`` asks for them one by one. Each clip's random
numbers come from the corpus's seed and the clip's own name, so their order does not matter.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32

from kmspeaker.animation.silence import still_lips
from kmspeaker.corpus.config import Config
from kmspeaker.corpus.lips.coarticulation import vocal_effort
from kmspeaker.corpus.lips.visemes import SILENCE, Phone, spans
from kmspeaker.corpus.performances.recordings import (
    Recording,
    UpperFaces,
    mirror,
    synchronize,
)
from kmspeaker.corpus.performances.states import (
    Actor,
    Role,
    draw_actors,
    draw_role,
    synthesize_performance,
)
from kmspeaker.corpus.plan import SHORTEST, Plan
from kmspeaker.corpus.speech.voices import Utterance, augment, change_speed, load_voice, room_tone
from kmspeaker.corpus.store import Clip, Motion
from kmspeaker.face.contacts import Contacts
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
"""Frames over which the mouth passes from one recording to the next."""
Samples = Float32[np.ndarray, " samples"]


@dataclass(frozen=True)
class ClipSpeech:
    """The sound of a clip with its phones and text, and the lips that came with it."""

    samples: Samples
    phones: tuple[Phone, ...]
    text: str = ""
    mouth: Float32[np.ndarray, "frames 52"] | None = None
    """Captured lips; None where they are to be made from the phones."""


class Studio:
    """All that the clips of one corpus share; opened once in each process."""

    def __init__(self, config: Config, recordings: Sequence[Recording] = ()) -> None:
        self.config = config
        self.face = FaceModel.load()
        self.contacts = Contacts.of(self.face)
        talkers = [recording.mouth for recording in recordings if recording.whole]
        self.upper_faces = UpperFaces.read(config.data / LIVE_LINK, config.fps, talkers)
        self.encoder: SpeechEncoder = load_encoder(config.encoder)
        self.actors: dict[str, Actor] = {
            actor.identity: actor for actor in draw_actors(self.face.identities, config.seed)
        }

    def make(self, plan: Plan, shard: str) -> tuple[Clip, Motion]:
        """One clip, whole."""
        rng = np.random.default_rng([self.config.seed, zlib.crc32(plan.name.encode())])
        fps = self.config.fps
        speech = _draw_speech(rng, plan)
        samples, mouth = speech.samples, speech.mouth
        frames = round(len(samples) / SAMPLE_RATE * fps) if mouth is None else len(mouth)
        role = self._role_of(rng, plan)
        if mouth is not None and all(recording.whole for recording in plan.recordings):
            weights = mirror(mouth) if rng.random() < 0.5 else mouth
        else:
            weights = synthesize_performance(
                rng,
                role,
                speech.phones,
                vocal_effort(samples, SAMPLE_RATE, speech.phones),
                frames / fps,
                contacts=self.contacts,
                upper_faces=self.upper_faces,
                mouth=mouth,
                fps=fps,
            )
        if plan.split == "train":
            samples = augment(rng, samples, new_voice=NATURAL if mouth is None else CAPTURED)
        features = speech_features(
            self.encoder, Sound(samples, SAMPLE_RATE), fps=fps, frames=frames
        )
        has_phones = mouth is None or any(recording.phones for recording in plan.recordings)
        clip = Clip(
            plan.name,
            frames,
            shard,
            plan.speaker,
            role.actor.identity,
            role.emotion,
            role.intensity,
            speech.text,
            speech.phones if has_phones else (),
            plan.split,
            plan.source,
            plan.licence,
            "made" if mouth is None else "captured",
        )
        return clip, Motion(weights, features)

    def _role_of(self, rng: np.random.Generator, plan: Plan) -> Role:
        if plan.actor:
            return Role(self.actors[plan.actor], plan.emotion, plan.intensity)
        return draw_role(rng, [self.actors[name] for name in self.config.actors[plan.split]])


def _draw_speech(rng: np.random.Generator, plan: Plan) -> ClipSpeech:
    """Clean sound, its phones and text, and the captured mouth where there is one."""
    train = plan.split == "train"
    if plan.recordings:
        low, high = OTHER_VOICES if train else (1.0, 1.0)
        return join_recordings(
            plan.recordings, float(np.exp(rng.uniform(np.log(low), np.log(high))))
        )
    if not plan.utterances:
        level = np.float32(10 ** (rng.uniform(-65, -35) / 20))
        white = rng.standard_normal(round(plan.noise * SAMPLE_RATE)).astype(np.float32)
        samples = room_tone(rng, len(white), white) * level
        return ClipSpeech(samples, ((SILENCE, 0.0, len(samples) / SAMPLE_RATE),))
    speed = 1.0
    if train and rng.random() < 0.5:
        speed = float(rng.uniform(1 - SPEED, 1 + SPEED))
    heightened = plan.intensity == "heightened"
    samples, phones = join_utterances(
        rng, plan.utterances, speed * (HEIGHTENED_SPEED if heightened else 1.0)
    )
    if heightened:
        louder = samples * np.float32(HEIGHTENED_GAIN)
        samples = louder / np.float32(max(1.0, np.abs(louder).max(initial=0.0)))
    return ClipSpeech(samples, phones, " / ".join(utterance.text for utterance in plan.utterances))


def join_recordings(recordings: Sequence[Recording], speed: float = 1.0) -> ClipSpeech:
    """Takes one after the other, sound, lips and phones together ``speed`` times as fast."""
    fps = recordings[0].fps
    whole = _join_mouths([recording.mouth for recording in recordings])
    frames = int(len(whole) / speed)
    mouth = synchronize(whole, speed * fps, fps=fps, late=0.0, frames=frames)
    samples = change_speed(
        np.concatenate([_fade(recording.sound()) for recording in recordings]), speed
    )
    seconds = frames / fps
    starts = np.cumsum([0.0, *(recording.seconds for recording in recordings)])
    phones = [
        (name, (start + s) / speed, min((start + e) / speed, seconds))
        for start, recording in zip(starts, recordings, strict=False)
        for name, s, e in recording.phones
        if name != SILENCE and (start + s) / speed < seconds
    ]
    if phones:
        mouth = still_lips(mouth, _silent_frames(fill_silences(phones, seconds), frames, fps), fps)
    text = " / ".join(recording.text for recording in recordings if recording.text)
    return ClipSpeech(
        _fit_length(samples, round(seconds * SAMPLE_RATE)),
        fill_silences(phones, seconds),
        text,
        mouth,
    )


def _silent_frames(phones: Sequence[Phone], frames: int, fps: float) -> Bool[np.ndarray, " frames"]:
    """Frames well within silences, where real lips wander and a tracker trembles."""
    silent = np.zeros(frames, bool)
    for start, end in spans(phones, {SILENCE}):
        first = 0 if start == 0 else start + BREATH
        silent[round(first * fps) : max(0, round((end - BREATH) * fps))] = True
    return silent


def _join_mouths(mouths: Sequence[np.ndarray]) -> Float32[np.ndarray, "frames 52"]:
    """Mouths one after the other; each begins where the one before ended."""
    ramp = np.linspace(0, 1, SEAM + 2, dtype=np.float32)[1:-1, None]
    parts = [mouths[0]]
    for mouth in mouths[1:]:
        blended = mouth.copy()
        blended[:SEAM] = ramp * blended[:SEAM] + (1 - ramp) * parts[-1][-1]
        parts.append(blended)
    return np.concatenate(parts)


def join_utterances(
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
        samples, spoken = _trim(load_voice(utterance), utterance.phones)
        samples = change_speed(samples, speed)
        if number == 0:
            pause(rng.uniform(0.0, 0.6), samples)
        begin = now / SAMPLE_RATE
        phones += [(name, begin + s / speed, begin + e / speed) for name, s, e in spoken]
        parts.append(_fade(samples))
        now += len(samples)
        long = rng.random() < 0.12
        pause(rng.uniform(1.5, 3.0) if long else rng.uniform(0.2, 0.9), samples)
        if number == len(utterances) - 1 and now < SHORTEST * SAMPLE_RATE:
            pause(min(SHORTEST - now / SAMPLE_RATE, 2.5), samples)
    whole = np.concatenate(parts).astype(np.float32)
    return whole, fill_silences(phones, len(whole) / SAMPLE_RATE)


def fill_silences(phones: Sequence[Phone], seconds: float) -> tuple[Phone, ...]:
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


def _trim(
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


def _fade(samples: Float32[np.ndarray, " samples"]) -> Float32[np.ndarray, " samples"]:
    ramp = np.linspace(0, 1, min(160, len(samples) // 2), dtype=np.float32)
    samples = samples.copy()
    samples[: len(ramp)] *= ramp
    samples[len(samples) - len(ramp) :] *= ramp[::-1]
    return samples


def _fit_length(samples: Float32[np.ndarray, " samples"], length: int) -> np.ndarray:
    """Cut or end with silence, to the length of the motion."""
    return np.pad(samples[:length], (0, max(0, length - len(samples))))
