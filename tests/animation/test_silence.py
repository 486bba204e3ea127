import numpy as np

from kmspeaker.animation.silence import settle_lips
from kmspeaker.face.rig import ARKIT_INDEX, UPPER_SHAPES, FaceModel

FPS = 30.0
JAW, BROW = ARKIT_INDEX["jawOpen"], ARKIT_INDEX["browInnerUp"]


def take() -> np.ndarray:
    """One second of speech, two of trembling silence, one of speech with an m in its middle."""
    rng = np.random.default_rng(0)
    weights = np.zeros((120, 52), np.float32)
    weights[:30, JAW] = 0.3
    weights[90:, JAW] = 0.3
    weights[102:106, JAW] = 0.0
    weights += rng.uniform(0, 0.02, weights.shape).astype(np.float32)
    return weights


def speed(weights: np.ndarray) -> float:
    return float(np.abs(np.diff(weights, axis=0)).mean())


def test_lips_that_rest_are_still_and_speech_stays_as_it_was(face: FaceModel):
    speech_motion = take()
    calm = settle_lips(speech_motion, face, FPS)
    lower = ~UPPER_SHAPES
    assert speed(calm[40:80, lower]) < 0.1 * speed(speech_motion[40:80, lower])
    assert np.allclose(calm[40:80, lower].mean(0), speech_motion[40:80, lower].mean(0), atol=0.003)
    assert np.array_equal(calm[:25], speech_motion[:25])
    assert np.array_equal(calm[95:], speech_motion[95:])


def test_a_consonant_is_no_rest(face: FaceModel):
    speech_motion = take()[92:]
    assert np.array_equal(settle_lips(speech_motion, face, FPS), speech_motion)


def test_the_upper_face_never_rests(face: FaceModel):
    speech_motion = take()
    speech_motion[:, BROW] = np.linspace(0, 1, 120) ** 2
    assert np.array_equal(
        settle_lips(speech_motion, face, FPS)[:, UPPER_SHAPES], speech_motion[:, UPPER_SHAPES]
    )


def test_weights_stay_within_their_bounds(face: FaceModel):
    speech_motion = take()
    speech_motion[:, ARKIT_INDEX["mouthClose"]] = speech_motion[:, JAW] * 0.9
    calm = settle_lips(speech_motion, face, FPS)
    assert calm.min() >= 0 and calm.max() <= 1
    assert (calm[:, ARKIT_INDEX["mouthClose"]] <= calm[:, JAW] + 1e-6).all()


def test_rest_to_the_end_of_a_take_and_a_take_of_one_frame(face: FaceModel):
    assert speed(settle_lips(take()[60:90], face, FPS)[5:-5, ~UPPER_SHAPES]) < 0.002
    assert settle_lips(take()[:1], face, FPS).shape == (1, 52)
