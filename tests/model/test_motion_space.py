import numpy as np
import pytest
import torch
from tiny_model import some_weights

from kmspeaker.face.rig import ARKIT_INDEX, FaceModel
from kmspeaker.model.motion_space import MotionSpace, playable, rig_fingerprint


@pytest.fixture(scope="module")
def space(face: FaceModel) -> MotionSpace:
    return MotionSpace.fit(some_weights(500), face.gram(), 0.995)


def test_decoding_what_was_encoded_gives_the_same_coefficients(space: MotionSpace):
    coefficients = torch.randn(20, space.n_coeffs)
    again = space.encode(space.decode(coefficients))
    assert torch.allclose(again, coefficients, atol=1e-4)


def test_coefficients_of_the_training_data_are_white(space: MotionSpace):
    coefficients = space.encode(torch.from_numpy(some_weights(500)))
    covariance = torch.cov(coefficients.T)
    assert torch.allclose(coefficients.mean(0), torch.zeros(space.n_coeffs), atol=1e-3)
    assert torch.allclose(covariance, torch.eye(space.n_coeffs), atol=0.02)


@pytest.mark.parametrize("variance", [0.9, 0.995, 0.9999])
def test_the_components_are_those_of_the_vertices(face: FaceModel, variance: float):
    weights = some_weights(200)
    space = MotionSpace.fit(weights, face.gram(), variance)
    offsets = (weights - weights.mean(0)) @ face.deltas.reshape(52, -1)
    energy = np.square(np.linalg.svd(offsets, compute_uv=False))
    share = np.cumsum(energy) / energy.sum()
    assert share[space.n_coeffs - 1] >= variance > share[space.n_coeffs - 2]
    lost = (space.decode(space.encode(torch.from_numpy(weights))).numpy() - weights) @ (
        face.deltas.reshape(52, -1)
    )
    assert np.square(lost).sum() / energy.sum() == pytest.approx(
        1 - share[space.n_coeffs - 1], rel=0.02
    )


def test_playable_weights_stay_as_they_are(face: FaceModel):
    weights = some_weights(50)
    weights[:, ARKIT_INDEX["mouthClose"]] *= weights[:, ARKIT_INDEX["jawOpen"]]
    assert np.allclose(playable(weights, face.gram()), weights, atol=1e-3)


def test_unplayable_weights_become_the_closest_playable_ones(face: FaceModel):
    wild = some_weights(50) * 3 - 0.8
    bounded = playable(wild, face.gram())
    assert bounded.min() >= 0 and bounded.max() <= 1
    close, jaw = ARKIT_INDEX["mouthClose"], ARKIT_INDEX["jawOpen"]
    assert (bounded[:, close] <= bounded[:, jaw]).all()

    def distance(weights: np.ndarray) -> float:
        return float(np.square((weights - wild) @ face.deltas.reshape(52, -1)).sum())

    clipped = wild.clip(0, 1)
    clipped[:, close] = np.minimum(clipped[:, close], clipped[:, jaw])
    assert distance(bounded) < distance(clipped)


def test_the_fingerprint_tells_rigs_and_keypoint_sets_apart(face: FaceModel):
    assert rig_fingerprint(face, "ours") == rig_fingerprint(face, "ours")
    assert rig_fingerprint(face, "ours") != rig_fingerprint(face, "ibug68")
