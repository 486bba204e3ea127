"""Small networks of the two baselines that diffuse windows, and how tests train them."""

from dataclasses import replace
from typing import Any, TypeVar

import pytest
import torch
from baselines.excerpts import excerpt, grams, motion_space, sized

from kmspeaker.baselines.baseline import BaselineConfig
from kmspeaker.baselines.denoiser import Conditions
from kmspeaker.baselines.excerpt import Excerpt
from kmspeaker.baselines.window_diffusion import WindowDiffusion
from kmspeaker.face.rig import FaceModel

M = TypeVar("M", bound=WindowDiffusion)


def small(kind: type[M], face: FaceModel, **settings: Any) -> M:
    """Of seeded weights, in evaluation mode; the null style is not zero, as after training."""
    space = motion_space(face)
    torch.manual_seed(0)
    config: Any = kind.config_class(**{**sized(face, space), **settings})
    model = kind(config)
    model.motion.load_state_dict(space.state_dict())
    torch.nn.init.normal_(model.null_style)
    return model.eval()


def fall(model: WindowDiffusion, face: FaceModel, first: int, steps: int) -> float:
    """The mean loss of the last ten steps over that of the first ten, on one excerpt."""
    data, forms = excerpt(model.config), grams(face, model.motion)
    optimiser = torch.optim.Adam(model.parameters(), 5e-3)
    model.train()
    losses = []
    for step in range(first, first + steps):
        torch.manual_seed(step)
        loss = model.loss(data, forms, step)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    return sum(losses[-10:]) / sum(losses[:10])


def conditions_of_loss(
    model: WindowDiffusion,
    face: FaceModel,
    data: Excerpt,
    step: int,
    monkeypatch: pytest.MonkeyPatch,
) -> Conditions:
    """What the windows of a batch are made from at a step."""
    seen = []
    denoised = model.denoised

    def watched(data: Excerpt, conditions: Conditions) -> torch.Tensor:
        seen.append(conditions)
        return denoised(data, conditions)

    with monkeypatch.context() as patch:
        patch.setattr(model, "denoised", watched)
        torch.manual_seed(0)
        model.loss(data, grams(face, model.motion), step)
    return seen[0]


def told(config: BaselineConfig, batch: int = 3) -> Conditions:
    """Random conditions, all of them told."""
    generator = torch.Generator().manual_seed(3)
    heard = config.previous_frames + config.window_frames
    return Conditions(
        torch.randn(batch, heard, config.d_speech, generator=generator),
        torch.randn(batch, config.previous_frames, config.n_coeffs, generator=generator),
        torch.ones(batch, dtype=torch.bool),
        torch.randn(batch, config.d_style, generator=generator),
        *(torch.ones(batch, dtype=torch.bool) for _ in range(2)),
    )


def but(conditions: Conditions, **changes: Any) -> Conditions:
    """The same with some changed; a bool holds for all items."""
    whole = {
        name: torch.full_like(conditions.hears, value) if isinstance(value, bool) else value
        for name, value in changes.items()
    }
    return replace(conditions, **whole)
