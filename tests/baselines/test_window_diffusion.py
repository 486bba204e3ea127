"""Laws of both baselines that diffuse windows."""

from pathlib import Path

import pytest
import torch
from baselines.excerpts import excerpt, grams
from baselines.window_systems import but, conditions_of_loss, small, told

from kmspeaker.baselines.diffposetalk import DiffPoseTalk
from kmspeaker.baselines.excerpt import squared
from kmspeaker.baselines.msmd import MSMD
from kmspeaker.baselines.window_diffusion import Errors, WindowDiffusion
from kmspeaker.face.rig import FaceModel
from kmspeaker.model.folder import read_config
from kmspeaker.model.windows import frame_noise

WINDOW = 24


@pytest.fixture(params=[MSMD, DiffPoseTalk], ids=["msmd", "diffposetalk"])
def model(request: pytest.FixtureRequest, face: FaceModel) -> WindowDiffusion:
    return small(request.param, face)


def speech(model: WindowDiffusion, frames: int) -> torch.Tensor:
    """A longer one begins with the same."""
    generator = torch.Generator().manual_seed(0)
    return torch.stack(
        [torch.randn(model.config.d_speech, generator=generator) for _ in range(frames)]
    )


def style(model: WindowDiffusion) -> torch.Tensor:
    return torch.randn(1, model.config.d_style, generator=torch.Generator().manual_seed(1))


@torch.inference_mode()
def made(model: WindowDiffusion, frames: int, *seeds: int, progress=lambda done: None):
    return model.make(
        speech(model, frames),
        style(model),
        None,
        seeds=seeds,
        steps=3,
        guidance=1.0,
        progress=progress,
    )


@pytest.mark.parametrize("frames", [1, 5, WINDOW, WINDOW + 1, 2 * WINDOW + 5])
def test_a_clip_of_any_length_is_made(model: WindowDiffusion, frames: int):
    told_done: list[float] = []
    takes = made(model, frames, 0, 1, progress=told_done.append)
    assert takes.shape == (2, frames, model.config.n_coeffs)
    assert takes.isfinite().all()
    assert told_done == sorted(told_done)
    assert told_done[-1] == 1


def test_a_take_is_its_seeds_alone_and_in_company(model: WindowDiffusion):
    together = made(model, 40, 7, 2**40, 3)
    for take, seed in zip(together, (7, 2**40, 3), strict=True):
        assert torch.allclose(made(model, 40, seed)[0], take, atol=1e-5)
    assert not torch.allclose(together[0], together[1], atol=0.01)
    assert torch.equal(made(model, 40, 7, 2**40, 3), together)


def test_longer_speech_begins_alike(model: WindowDiffusion):
    """By whole windows: within one, the frames see each other."""
    short, long = made(model, 2 * WINDOW, 5), made(model, 3 * WINDOW + 7, 5)
    assert torch.allclose(long[:, : 2 * WINDOW], short, atol=1e-5)


def test_a_frame_begins_as_the_noise_of_its_own(model: WindowDiffusion, monkeypatch):
    """A network that answers what it gets only scales the noise, by the same at every frame."""
    monkeypatch.setattr(model, "guided", lambda x_n, step, conditions: x_n)
    take = made(model, 2 * WINDOW + 5, 3)[0]
    noise = frame_noise(2 * WINDOW + 5, model.config.n_coeffs, 3)
    assert torch.allclose(take, noise * (take[0, 0] / noise[0, 0]), rtol=1e-3, atol=1e-4)


def test_a_window_goes_on_from_the_one_before(model: WindowDiffusion):
    """The second window of the same speech and noise is another where the first was another."""
    heard = speech(model, 2 * WINDOW)
    other = heard.clone()
    other[: WINDOW - model.config.previous_frames] += 1  # none of which the second window hears

    def second(heard: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            takes = model.make(
                heard,
                style(model),
                None,
                seeds=[0],
                steps=3,
                guidance=1.0,
                progress=lambda done: None,
            )
        return takes[:, WINDOW:]

    assert not torch.allclose(second(heard), second(other), atol=1e-4)


@torch.no_grad()
def test_what_is_not_told_is_its_null(model: WindowDiffusion):
    conditions = told(model.config)
    x_n, step = torch.randn(3, WINDOW, model.config.n_coeffs), torch.tensor([1, 80, 500])

    def predicted(**changes: object) -> torch.Tensor:
        return model.predict(x_n, step, but(conditions, **changes))

    other = torch.randn_like(conditions.speech)
    unheard = predicted(hears=False)
    assert torch.equal(unheard, predicted(hears=False, speech=other))
    assert not torch.allclose(unheard, predicted())
    null = model.null_style.expand_as(conditions.style)
    assert torch.equal(predicted(styled=False), predicted(style=null))
    assert not torch.allclose(predicted(styled=False), predicted())


@torch.no_grad()
@pytest.mark.parametrize(("audio", "style"), [(1.0, 1.0), (1.15, 1.15), (2.0, 1.3), (1.0, 0.0)])
def test_guidance_leads_from_null_to_speech_and_on_to_the_style(face, audio, style):
    model = small(DiffPoseTalk, face, audio_guidance=audio, style_guidance=style)
    conditions, x_n = told(model.config), torch.randn(3, WINDOW, model.config.n_coeffs)
    step = torch.full((3,), 60)
    null, heard, both = (
        model.predict(x_n, step, but(conditions, hears=hears, styled=styled))
        for hears, styled in ((False, False), (True, False), (True, True))
    )
    expected = null + audio * (heard - null) + style * (both - heard)
    assert torch.allclose(model.guided(x_n, 60, conditions), expected, atol=1e-5)


def test_the_second_window_follows_where_it_is_adjacent(model, face, monkeypatch):
    data = excerpt(model.config)
    conditions = conditions_of_loss(model, face, data, 10**6, monkeypatch)
    first, second = conditions.follows.unflatten(0, (-1, 2)).T
    assert not first.any()
    assert torch.equal(second, data.adjacent)
    before = model.config.previous_frames
    assert torch.equal(conditions.previous[1::2], data.motion[:, 0, -before:])
    assert torch.equal(conditions.speech[1::2, :before], data.speech[:, 0, -before:])
    assert torch.equal(conditions.speech[:, before:], data.speech.flatten(0, 1))


def test_errors_are_those_of_vertices(face: FaceModel, model: WindowDiffusion):
    """Of a motion that is off by the same everywhere, which alone is not smooth at the joint."""
    gram = grams(face, model.motion).whole
    true = torch.randn(2, 10, model.config.n_coeffs)
    off = torch.randn(model.config.n_coeffs)
    size = float(squared(off, gram))
    errors = Errors.of(true + off, true, torch.tensor([False, True]), gram)
    assert float(errors.position) == pytest.approx(size, rel=1e-3)
    assert float(errors.velocity) == pytest.approx(size / 20, rel=1e-3)
    straight = torch.arange(10.0)[None, :, None] * off
    errors = Errors.of(straight, straight, torch.tensor([True]), gram)
    assert float(errors.position) == float(errors.velocity) == 0
    assert float(errors.roughness) == pytest.approx(0, abs=1e-6 * size)
    bent = torch.arange(10.0)[None, :, None] ** 2 * off
    errors = Errors.of(bent, bent, torch.tensor([True]), gram)
    assert float(errors.roughness) == pytest.approx(4 * size, rel=1e-3)


def test_a_loss_is_that_of_its_seed(model: WindowDiffusion, face: FaceModel):
    data, forms = excerpt(model.config), grams(face, model.motion)
    model.train()

    def loss(seed: int) -> float:
        torch.manual_seed(seed)
        return float(model.loss(data, forms, 10**6)["loss"].detach())

    assert loss(1) == loss(1) != loss(2)


@torch.no_grad()
def test_frames_without_a_face_do_not_count_for_the_style(model: WindowDiffusion):
    motion = torch.randn(2, WINDOW, model.config.n_coeffs)
    present = torch.ones(2, WINDOW, dtype=torch.bool)
    present[0, 3:9] = present[1, 10:] = False
    hidden = torch.where(present[..., None], motion, torch.randn_like(motion) * 9)
    seen = model.encode_style(motion, present)
    assert seen.shape == (2, model.config.d_style)
    assert torch.allclose(seen, model.encode_style(hidden, present), atol=1e-5)
    everything = torch.ones_like(present)
    whole = model.encode_style(motion, everything)
    assert not torch.allclose(whole, model.encode_style(hidden, everything), atol=0.01)


def test_what_is_kept_makes_the_same_takes(model: WindowDiffusion, tmp_path: Path):
    for parameter in model.parameters():
        parameter.data = parameter.data.half().float()  # as they are kept
    model.speech_scale.fill_(2.0)
    model.save(tmp_path, "A card.")
    loaded = type(model).load(tmp_path, read_config(tmp_path))
    assert loaded.config == model.config
    assert torch.equal(loaded.speech_scale, model.speech_scale)
    assert isinstance(loaded, WindowDiffusion)
    assert torch.equal(made(loaded, 30, 4), made(model, 30, 4))
