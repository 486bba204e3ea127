import numpy as np

from kmspeaker.animation.silence import settled
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
    said = take()
    calm = settled(said, face, FPS)
    lower = ~UPPER_SHAPES
    assert speed(calm[40:80, lower]) < 0.1 * speed(said[40:80, lower])
    assert np.allclose(calm[40:80, lower].mean(0), said[40:80, lower].mean(0), atol=0.003)
    assert np.array_equal(calm[:25], said[:25])
    assert np.array_equal(calm[95:], said[95:])


def test_a_consonant_is_no_rest(face: FaceModel):
    said = take()[92:]
    assert np.array_equal(settled(said, face, FPS), said)


def test_the_upper_face_never_rests(face: FaceModel):
    said = take()
    said[:, BROW] = np.linspace(0, 1, 120) ** 2
    assert np.array_equal(settled(said, face, FPS)[:, UPPER_SHAPES], said[:, UPPER_SHAPES])


def test_weights_stay_within_their_bounds(face: FaceModel):
    said = take()
    said[:, ARKIT_INDEX["mouthClose"]] = said[:, JAW] * 0.9
    calm = settled(said, face, FPS)
    assert calm.min() >= 0 and calm.max() <= 1
    assert (calm[:, ARKIT_INDEX["mouthClose"]] <= calm[:, JAW] + 1e-6).all()


def test_rest_to_the_end_of_a_take_and_a_take_of_one_frame(face: FaceModel):
    assert speed(settled(take()[60:90], face, FPS)[5:-5, ~UPPER_SHAPES]) < 0.002
    assert settled(take()[:1], face, FPS).shape == (1, 52)
