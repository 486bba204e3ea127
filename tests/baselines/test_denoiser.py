from dataclasses import replace
from typing import Any

import pytest
import torch
from baselines.window_systems import but, told

from kmspeaker.baselines.denoiser import Conditions, Denoiser, WindowDiffusionConfig

FRAMES, PREVIOUS = 24, 4
SIZES = WindowDiffusionConfig(
    system="",
    d_model=32,
    layers=1,
    heads=2,
    feed_forward=32,
    d_style=16,
    window_frames=FRAMES,
    previous_frames=PREVIOUS,
    d_speech=12,
    n_coeffs=9,
)


def small(**settings: Any) -> Denoiser:
    torch.manual_seed(0)
    config = replace(SIZES, **settings)
    return Denoiser(config, n_out=config.n_coeffs).eval()


def answered(network: Denoiser, conditions: Conditions, step: int = 40) -> torch.Tensor:
    batch = len(conditions.style)
    x_n = torch.randn(batch, FRAMES, 9, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        return network(x_n, torch.full((batch,), step), conditions, conditions.style)


def changed(one: torch.Tensor, other: torch.Tensor) -> list[int]:
    """Frames that differ in any item."""
    return (one - other).abs().amax((0, 2)).gt(1e-5).nonzero().flatten().tolist()


@pytest.mark.parametrize("reach", [0, 2])
def test_a_frame_hears_its_own_speech_and_as_far_as_it_reaches(reach: int):
    """In one layer the cross-attention is the last to look at other frames, but for the token's."""
    network = small(reach=reach)
    conditions = told(SIZES)
    speech = conditions.speech.clone()
    speech[:, PREVIOUS + 7] += 1
    other = answered(network, but(conditions, speech=speech))
    assert changed(answered(network, conditions), other) == list(range(7 - reach, 8 + reach))


def test_the_motion_before_reaches_every_frame_that_follows_it():
    network = small()
    conditions = told(SIZES)
    moved = but(conditions, previous=conditions.previous + 1)
    whole = list(range(FRAMES))
    assert changed(answered(network, conditions), answered(network, moved)) == whole
    beginning = answered(network, but(conditions, follows=False))
    assert torch.equal(beginning, answered(network, but(moved, follows=False)))
    assert changed(beginning, answered(network, conditions)) == whole


def test_a_window_that_begins_a_clip_does_not_hear_what_lies_before():
    network = small(layers=2)
    conditions = but(told(SIZES), follows=False)
    speech = conditions.speech.clone()
    speech[:, :PREVIOUS] += 1
    assert torch.equal(
        answered(network, conditions), answered(network, but(conditions, speech=speech))
    )


def test_the_step_and_the_style_reach_every_frame():
    network = small()
    conditions = told(SIZES)
    whole = list(range(FRAMES))
    assert changed(answered(network, conditions), answered(network, conditions, step=400)) == whole
    other = but(conditions, style=conditions.style.flip(0) + 1)
    assert changed(answered(network, conditions), answered(network, other)) == whole


def test_items_do_not_reach_each_other():
    network = small()
    conditions = told(SIZES)
    x_n = torch.randn(3, FRAMES, 9)
    step = torch.tensor([3, 70, 500])
    with torch.no_grad():
        together = network(x_n, step, conditions, conditions.style)
        for item in range(3):
            one = conditions[item : item + 1]
            alone = network(x_n[item : item + 1], step[item : item + 1], one, one.style)
            assert torch.allclose(alone[0], together[item], atol=1e-5)


def test_a_network_without_previous_frames_has_none():
    network = small(previous_frames=0)
    conditions = told(replace(SIZES, previous_frames=0))
    assert conditions.previous.shape[1] == 0
    assert answered(network, conditions).shape[1] == FRAMES
