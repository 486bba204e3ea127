import torch
from baselines.excerpts import excerpt
from baselines.window_systems import conditions_of_loss, fall, small

from kmspeaker.baselines.msmd import MSMD, MSMDConfig
from kmspeaker.face.rig import FaceModel


def test_training_lowers_the_loss(face: FaceModel):
    assert fall(small(MSMD, face), face, 0, 30) < 0.6


@torch.no_grad()
def test_the_motion_is_a_deviation_and_so_much_of_each_pose_of_the_style(face: FaceModel):
    model = small(MSMD, face)
    coeffs, poses = model.config.n_coeffs, model.config.poses
    style = torch.randn(2, model.config.d_style)
    deviation = torch.randn(2, 6, coeffs)
    none = torch.cat([deviation, torch.zeros(2, 6, poses)], dim=-1)
    assert torch.equal(model.compose(none, style), deviation)
    for which, pose in enumerate(model.poses):
        amount = torch.zeros(2, 6, poses)
        amount[..., which] = torch.arange(6)
        moved = model.compose(torch.cat([deviation, amount], dim=-1), style) - deviation
        expected = torch.arange(6)[:, None] * pose(style)[:, None]
        assert torch.allclose(moved, expected, atol=1e-5)


def test_a_window_has_its_own_style_or_the_others(face: FaceModel, monkeypatch):
    data = excerpt(small(MSMD, face).config)
    own, others = (
        conditions_of_loss(small(MSMD, face, cross_style=share), face, data, 0, monkeypatch).style
        for share in (0.0, 1.0)
    )
    assert torch.equal(own.unflatten(0, (-1, 2)).flip(1), others.unflatten(0, (-1, 2)))
    assert not torch.allclose(own, others)


def test_the_shares_that_are_left_out_are_those_of_the_paper(face: FaceModel, monkeypatch):
    model = small(MSMD, face)
    data = excerpt(model.config, batch=500)
    conditions = conditions_of_loss(model, face, data, 0, monkeypatch)
    for told in (conditions.hears, conditions.styled):
        assert abs(float(told.float().mean()) - 0.9) < 0.03
    assert abs(float((conditions.hears & conditions.styled).float().mean()) - 0.81) < 0.03


def test_the_size_is_that_of_a_small_system():
    model = MSMD(MSMDConfig(n_coeffs=52))
    assert sum(parameter.numel() for parameter in model.parameters()) < 1.12e6
