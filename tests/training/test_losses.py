from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_model import some_weights

from kmspeaker.face.rig import ARKIT_INDEX, FaceModel
from kmspeaker.training.losses import closure_loss, kl_divergence, motion_loss, region_grams
from kmspeaker.training.options import PAPER, TrainingOptions

PLAIN = TrainingOptions(
    lip_weight=0.0, closure_weight=0.0, lid_weight=0.0, brow_weight=0.0, eye_weight=1.0
)


@pytest.mark.parametrize("half", ["lower", "upper"])
def test_the_loss_is_the_masked_error_of_the_vertices(face: FaceModel, half: str):
    """Mean over frames and vertices of |M (X - Y)|² plus the same of frame differences."""
    target, predicted = some_weights(12), some_weights(12, seed=1)
    mask = face.lower_mask if half == "lower" else face.upper_mask
    error = np.einsum("fw,wvx->fvx", predicted - target, face.deltas * mask[:, None])
    squares = [np.square(e).sum((1, 2)).mean() / len(mask) for e in (error, np.diff(error, axis=0))]
    gram = getattr(region_grams(face, PLAIN), half)
    loss = motion_loss(torch.from_numpy(predicted)[None], torch.from_numpy(target)[None], gram, 2.0)
    assert float(loss) == pytest.approx(squares[0] + 2 * squares[1], rel=1e-3)


def test_the_papers_options_leave_only_the_masked_error_of_the_vertices(face: FaceModel):
    grams, vertices = region_grams(face, PAPER), len(face.part)
    for gram, mask in ((grams.lower, face.lower_mask), (grams.upper, face.upper_mask)):
        moved = (face.deltas * mask[:, None]).reshape(52, -1).astype(np.float64)
        assert gram.numpy() == pytest.approx(moved @ moved.T / vertices, rel=1e-3, abs=1e-5)
    assert PAPER.closure_weight == 0


def test_shapes_of_one_half_get_no_gradient_from_the_other(face: FaceModel):
    """A shape that moves no vertex of a half leaves that half's loss as it is."""
    grams = region_grams(face, TrainingOptions())
    weights = torch.zeros(1, 4, 52, requires_grad=True)
    target = torch.from_numpy(some_weights(4))[None]
    for half, mask in (("lower", face.lower_mask), ("upper", face.upper_mask)):
        (gradient,) = torch.autograd.grad(
            motion_loss(weights, target, getattr(grams, half), 1.0).sum(), weights
        )
        reach = np.abs(face.deltas * mask[:, None]).sum((1, 2))
        if (still := torch.from_numpy(reach == 0)).any():
            assert gradient[..., still].abs().max() < 1e-9
        assert gradient[..., ~still].abs().max() > 1e-4


def test_weights_on_gaps_add_what_they_say(face: FaceModel):
    plain = region_grams(face, PLAIN)
    lips = region_grams(face, replace(PLAIN, lip_weight=1.0))
    lids = region_grams(face, replace(PLAIN, lid_weight=1.0))
    brows = region_grams(face, replace(PLAIN, brow_weight=1.0))
    for more in (lids, brows):
        assert torch.equal(plain.lower, more.lower)
    assert torch.equal(plain.upper, lips.upper)
    for more, less in (
        (lips.lower, plain.lower),
        (lids.upper, plain.upper),
        (brows.upper, plain.upper),
    ):
        values = torch.linalg.eigvalsh((more - less).double())
        assert values.max() > 1 and values.min() > -1e-3


def test_only_closed_lips_count_for_closures(face: FaceModel):
    grams = region_grams(face, PLAIN)
    still, speaking = torch.zeros(1, 6, 52), torch.zeros(1, 6, 52)
    speaking[:, 3:, ARKIT_INDEX["jawOpen"]] = 0.5
    assert float(closure_loss(still, speaking, grams)) == 0
    assert float(closure_loss(speaking, still, grams)) > 1
    assert float(closure_loss(speaking, speaking, grams)) == 0


def test_eyeballs_count_by_their_weight(face: FaceModel):
    looking = ARKIT_INDEX["eyeLookUpLeft"]
    whole, none = (region_grams(face, replace(PLAIN, eye_weight=share)) for share in (1.0, 0.0))
    half = region_grams(face, replace(PLAIN, eye_weight=0.5))
    assert torch.allclose(half.upper, (whole.upper + none.upper) / 2, atol=1e-6)
    assert none.upper[looking, looking] < whole.upper[looking, looking]


def test_the_divergence_of_the_standard_normal_is_nothing():
    assert float(kl_divergence(torch.zeros(1, 5), torch.zeros(1, 5))) == 0
    assert float(kl_divergence(torch.ones(1, 5), torch.zeros(1, 5))) == pytest.approx(2.5)
