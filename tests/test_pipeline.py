"""From speech and a video of a face to an animation: the bundled examples and model."""

from dataclasses import replace

import numpy as np
import pytest

from kmspeaker.examples import load_examples
from kmspeaker.face.landmarks import LIP_RING
from kmspeaker.face.rig import FaceModel
from kmspeaker.media.audio import Sound, load_sound
from kmspeaker.pipeline import Pipeline
from kmspeaker.reference.performance import Performance


@pytest.fixture(scope="module")
def sound() -> Sound:
    """A sentence of three seconds and a half."""
    speech = load_sound(load_examples()["delighted"].speech)
    return Sound(speech.samples[: round(3.6 * speech.sample_rate)], speech.sample_rate)


@pytest.fixture(scope="module")
def performance(example_performance: Performance) -> Performance:
    return example_performance


def upper_error(face: FaceModel, weights: np.ndarray, performance: Performance) -> float:
    """Mean distance in mm of the upper face to the performance."""
    upper = face.upper_mask > 0.99
    frames = min(len(weights), len(performance))
    difference = weights[:frames] - performance.weights[:frames]
    offsets = np.einsum("fw,wvc->fvc", difference, face.deltas[:, upper])
    return float(np.linalg.norm(offsets, axis=2).mean())


def test_frames_follow_the_speech_and_stay_on_the_rig(
    pipeline: Pipeline, sound: Sound, performance: Performance
):
    animation = pipeline.stylize(sound, performance)
    assert len(animation) == round(sound.seconds * pipeline.fps)
    assert np.isfinite(animation.weights).all()
    assert animation.weights.min() >= 0 and animation.weights.max() <= 1
    assert animation.model.startswith("small@") and len(animation.model) == len("small@") + 8
    assert set(animation.stage_seconds) == {"listen", "generate"}


def test_calls_leave_nothing_behind(pipeline: Pipeline, sound: Sound, performance: Performance):
    before = pipeline.stylize(sound, performance, seed=5, steps=3).weights
    pipeline.localize(
        sound, Performance.from_weights(performance.weights[::-1].copy(), performance.fps), steps=3
    )
    assert np.array_equal(before, pipeline.stylize(sound, performance, seed=5, steps=3).weights)


def test_dubbing_follows_the_upper_face_where_style_alone_does_not(
    pipeline: Pipeline, sound: Sound, performance: Performance
):
    dubbed = pipeline.localize(sound, performance)
    styled = pipeline.stylize(sound, performance)
    followed = upper_error(pipeline.face, dubbed.weights, performance)
    assert followed < 0.7 * upper_error(pipeline.face, styled.weights, performance)


def test_lips_listen_to_the_speech_whoever_performs(
    pipeline: Pipeline, sound: Sound, performance: Performance
):
    """Another performance changes the lips less than other speech does."""
    face = pipeline.face
    other_performance = Performance.from_weights(
        np.roll(performance.weights, 40, axis=0), performance.fps
    )
    other_sound = Sound(np.roll(sound.samples, len(sound) // 2), sound.sample_rate)
    gaps = [
        face.lip_gap(pipeline.localize(*given).weights, face.identities[0])
        for given in (
            (sound, performance),
            (sound, other_performance),
            (other_sound, performance),
        )
    ]
    assert np.abs(gaps[1] - gaps[0]).mean() < 0.5 * np.abs(gaps[2] - gaps[0]).mean()


def test_where_the_performance_shows_no_face_its_style_alone_is_followed(
    pipeline: Pipeline, sound: Sound, performance: Performance
):
    nothing_seen = np.zeros(len(performance), bool)
    nothing_seen[-1] = True  # the style needs one frame with a face
    frames = round(sound.seconds * pipeline.fps)
    blind = replace(performance, present=nothing_seen, bridged=nothing_seen & False)
    dubbed = pipeline.localize(sound, blind, steps=3).weights
    styled = pipeline.stylize(sound, blind, steps=3).weights
    last_seen = round((len(performance) - 1) * pipeline.fps / performance.fps)
    np.testing.assert_allclose(
        dubbed[: min(frames, last_seen) - 40], styled[: min(frames, last_seen) - 40], atol=0.05
    )


def test_progress_names_each_stage_and_ends_whole(
    pipeline: Pipeline, sound: Sound, performance: Performance
):
    told: list[tuple[str, float]] = []
    pipeline.stylize(sound, performance, steps=3, progress=lambda *step: told.append(step))
    assert [stage for stage, _ in told][:1] == ["listen"]
    assert told[-1] == ("generate", 1.0)
    fractions = [fraction for stage, fraction in told if stage == "generate"]
    assert fractions == sorted(fractions) and len(fractions) >= 3


@pytest.mark.parametrize(
    "style",
    [
        "suspicious",
        "delighted",
    ],
)
def test_lips_rest_in_a_silence_before_the_speech(
    pipeline: Pipeline, sound: Sound, face: FaceModel, style: str
):
    seconds = 1.5
    silence = np.zeros(round(seconds * sound.sample_rate), np.float32)
    speech = sound.samples[round(0.3 * sound.sample_rate) : round(3.3 * sound.sample_rate)]
    padded = Sound(np.concatenate([silence, speech, silence]), sound.sample_rate)
    track = load_examples()[style].reference.with_suffix(".track.npz")
    weights = pipeline.stylize(padded, pipeline.reference(track).performance).weights
    lips = np.tensordot(weights, face.landmark_deltas()[:, LIP_RING], axes=1)
    quiet, spoken = round((seconds - 0.1) * pipeline.fps), round((seconds + 0.1) * pipeline.fps)
    resting = np.linalg.norm(lips[6:quiet].std(axis=0))
    assert resting < 0.3 * np.linalg.norm(lips[spoken:-spoken].std(axis=0))
