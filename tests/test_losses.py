import dataclasses

import numpy as np
import pytest
import torch
from tiny_model import awake, some_weights

from kmspeaker.face import FaceModel
from kmspeaker.training.data import Clip, draw_batch
from kmspeaker.training.losses import divergence, motion_loss, region_grams
from kmspeaker.training.options import TrainingOptions
from kmspeaker.training.step import Objective

PLAIN = TrainingOptions(batch=4, lip_weight=0.0, lid_weight=0.0, precision="fp32")


@pytest.mark.parametrize("half", ["lower", "upper"])
def test_the_loss_is_the_masked_error_of_the_vertices(face: FaceModel, half: str):
    """Mean over frames and vertices of |M (X - Y)|² plus the same of frame differences."""
    target, predicted = some_weights(12), some_weights(12, seed=1)
    mask = face.lower_mask if half == "lower" else face.upper_mask
    error = np.einsum("fw,wvx->fvx", predicted - target, face.deltas * mask[:, None])
    squares = [np.square(e).sum((1, 2)).mean() / len(mask) for e in (error, np.diff(error, axis=0))]
    gram = getattr(region_grams(face, lip_weight=0.0, lid_weight=0.0), half)
    loss = motion_loss(torch.from_numpy(predicted)[None], torch.from_numpy(target)[None], gram, 2.0)
    assert float(loss) == pytest.approx(squares[0] + 2 * squares[1], rel=1e-3)


def test_shapes_of_one_half_get_no_gradient_from_the_other(face: FaceModel):
    """A shape that moves no vertex of a half leaves that half's loss as it is."""
    grams = region_grams(face, lip_weight=1.0, lid_weight=1.0)
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
    plain = region_grams(face, lip_weight=0.0, lid_weight=0.0)
    lips = region_grams(face, lip_weight=1.0, lid_weight=0.0)
    lids = region_grams(face, lip_weight=0.0, lid_weight=1.0)
    assert torch.equal(plain.upper, lips.upper) and torch.equal(plain.lower, lids.lower)
    for more, less in ((lips.lower, plain.lower), (lids.upper, plain.upper)):
        values = torch.linalg.eigvalsh((more - less).double())
        assert values.max() > 1 and values.min() > -1e-3


def test_the_divergence_of_the_standard_normal_is_nothing():
    assert float(divergence(torch.zeros(1, 5), torch.zeros(1, 5))) == 0
    assert float(divergence(torch.ones(1, 5), torch.zeros(1, 5))) == pytest.approx(2.5)


def clips(count: int = 3) -> list[Clip]:
    return [
        Clip(
            str(k),
            some_weights(60 + k, seed=k).astype(np.float16),
            np.random.default_rng(k).normal(size=(60 + k, 6)).astype(np.float16),
        )
        for k in range(count)
    ]


class TestBatches:
    def test_a_batch_is_a_function_of_seed_and_step(self):
        first, again, other = (draw_batch(clips(), PLAIN, 24, step) for step in (3, 3, 4))
        for field in dataclasses.fields(first):
            assert torch.equal(getattr(first, field.name), getattr(again, field.name))
        assert not torch.equal(first.features, other.features)

    @pytest.mark.parametrize("passes", ["both", "either"])
    def test_one_of_speech_and_upper_face_is_anothers_and_its_half_is_not_judged(self, passes):
        batch = draw_batch(clips(), dataclasses.replace(PLAIN, passes=passes), 24, 0)
        own = torch.arange(4)
        assert torch.equal(batch.speech_of == own, batch.lower)
        assert torch.equal(batch.temporal_of == own, batch.upper)
        assert (batch.lower ^ batch.upper).all()
        assert batch.lower.shape == (2 if passes == "both" else 1, 4)
        if passes == "both":
            assert batch.lower[0].all() and batch.upper[1].all()

    def test_matched_items_are_judged_whole(self):
        batch = draw_batch(clips(), dataclasses.replace(PLAIN, matched_share=1.0), 24, 0)
        assert batch.lower.all() and batch.upper.all()
        assert torch.equal(batch.speech_of[0], torch.arange(4))
        assert torch.equal(batch.temporal_of[0], torch.arange(4))

    def test_shares_are_kept(self):
        options = dataclasses.replace(PLAIN, batch=2000, span_dropout=0.25, neighbour_style=0.5)
        batch = draw_batch(clips(), options, 24, 0)
        assert (~batch.temporal_present.any(1)).float().mean() == pytest.approx(0.3, abs=0.04)
        assert (~batch.style_present.all(1)).float().mean() == pytest.approx(0.25, abs=0.04)
        assert batch.style_present.sum(1).min() >= 12
        own = (batch.style_weights == batch.weights).all((1, 2))
        assert own.float().mean() == pytest.approx(0.5, abs=0.05)

    def test_a_clip_of_exactly_one_window_can_be_drawn(self):
        clip = clips()[0]
        whole = Clip("one", clip.weights[:24], clip.features[:24])
        batch = draw_batch([whole], PLAIN, 24, 0)
        assert torch.equal(batch.weights[0], torch.from_numpy(whole.weights.astype(np.float32)))


def test_both_passes_together_are_the_mean_of_the_two(face: FaceModel):
    """One batch of two passes costs what the passes cost apart."""
    model = awake(face=face)
    batch = draw_batch(clips(), dataclasses.replace(PLAIN, passes="both"), 24, 0)
    objective = Objective.of(face, "ours", PLAIN, torch.device("cpu"))

    def loss(batch) -> float:
        return objective(model, batch, torch.Generator().manual_seed(0))[1]["loss"]

    def only(which: int):
        chosen = {
            name: getattr(batch, name)[which : which + 1]
            for name in ("speech_of", "temporal_of", "lower", "upper")
        }
        return dataclasses.replace(batch, **chosen)

    assert loss(batch) == pytest.approx((loss(only(0)) + loss(only(1))) / 2, rel=1e-4)
