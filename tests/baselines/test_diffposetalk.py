import math

import pytest
import torch
from baselines.excerpts import excerpt, grams
from baselines.window_systems import conditions_of_loss, fall, small

from kmspeaker.baselines.diffposetalk import DiffPoseTalk, DiffPoseTalkConfig, nt_xent
from kmspeaker.face.rig import FaceModel

STYLE_STEPS = 30


def test_training_lowers_the_loss_of_each_phase(face: FaceModel):
    model = small(DiffPoseTalk, face, style_steps=STYLE_STEPS)
    assert fall(model, face, 0, STYLE_STEPS) < 0.5
    assert fall(model, face, STYLE_STEPS, 30) < 0.6


def test_each_phase_teaches_its_own_part(face: FaceModel):
    model = small(DiffPoseTalk, face, style_steps=STYLE_STEPS).train()
    data, forms = excerpt(model.config), grams(face, model.motion)

    def taught(step: int) -> set[str]:
        model.zero_grad(set_to_none=True)
        model.loss(data, forms, step)["loss"].backward()
        named = model.named_parameters()
        return {name.split(".")[0] for name, one in named if one.grad is not None}

    assert taught(STYLE_STEPS - 1) == {"style_encoder"}
    assert taught(STYLE_STEPS) == {"denoiser", "null_style"}


def test_a_frozen_encoder_has_no_dropout(face: FaceModel, monkeypatch):
    model = small(DiffPoseTalk, face)
    data = excerpt(model.config)
    present = torch.ones(len(data) * 2, model.config.window_frames, dtype=torch.bool)
    with torch.no_grad():
        style = model.encode_style(data.motion.flatten(0, 1), present).unflatten(0, (-1, 2))
    conditions = conditions_of_loss(model.train(), face, data, 10**6, monkeypatch)
    assert torch.allclose(conditions.style.unflatten(0, (-1, 2)), style.flip(1), atol=1e-5)


def test_the_shares_that_are_left_out_are_those_of_the_paper(face: FaceModel, monkeypatch):
    model = small(DiffPoseTalk, face)
    data = excerpt(model.config, batch=500)
    conditions = conditions_of_loss(model, face, data, 10**6, monkeypatch)
    hears, styled = conditions.hears, conditions.styled
    assert not (styled & ~hears).any()
    assert abs(float((~hears).float().mean()) - 0.1) < 0.03
    assert abs(float((hears & ~styled).float().mean()) - 0.45) < 0.04


@torch.no_grad()
def test_a_window_without_its_end_has_the_style_of_what_is_there(face: FaceModel):
    model = small(DiffPoseTalk, face)
    motion = torch.randn(2, 24, model.config.n_coeffs)
    present = torch.arange(24).expand(2, -1) < 10
    short = model.encode_style(motion[:, :10], torch.ones(2, 10, dtype=torch.bool))
    assert torch.allclose(model.encode_style(motion, present), short, atol=1e-5)


@pytest.mark.parametrize("pairs", [2, 5])
def test_contrast_of_styles_that_share_nothing_is_known(pairs: int):
    """Each clip a direction of its own: only the other window of the clip is alike."""
    style = torch.eye(8)[:pairs, None].repeat(1, 2, 1)
    others = 2 * pairs - 2
    assert float(nt_xent(style, 0.1)) == pytest.approx(math.log1p(others * math.exp(-10)), abs=1e-6)
    assert float(nt_xent(style * 7, 0.1)) == pytest.approx(float(nt_xent(style, 0.1)), abs=1e-6)
    same = torch.ones(pairs, 2, 8)
    assert float(nt_xent(same, 0.1)) == pytest.approx(math.log(2 * pairs - 1), rel=1e-5)


def test_contrast_counts_a_style_that_is_nearer_to_another_clips():
    style = torch.eye(8)[:2, None].repeat(1, 2, 1)
    swapped = torch.stack([style[:, 0], style.flip(0)[:, 1]], dim=1)
    assert float(nt_xent(swapped, 0.1)) > 9 > float(nt_xent(style, 0.1))


def test_the_size_is_that_of_a_small_system():
    model = DiffPoseTalk(DiffPoseTalkConfig(n_coeffs=52))
    assert sum(parameter.numel() for parameter in model.parameters()) < 1.12e6
