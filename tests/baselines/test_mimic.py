import json

import pytest
import torch
import torch.nn.functional as F
from baselines.excerpts import excerpt, grams, motion_space, sized

from kmspeaker.baselines.mimic import (
    WEIGHTS,
    Mimic,
    MimicConfig,
    StyleNorm,
    contrast,
    reverse_gradient,
)


@pytest.fixture(scope="module")
def space(face):
    return motion_space(face)


@pytest.fixture
def config(face, space):
    return MimicConfig(**{**sized(face, space), "convolutions": 2, "period": 5})


@pytest.fixture
def mimic(config):
    """Small, its decoder moved away from the zero it starts at."""
    torch.manual_seed(0)
    model = Mimic(config).eval()
    torch.nn.init.normal_(model.decoder.leave.weight, std=0.2)
    return model


def take(model, frames, style=None, seeds=(0,)):
    """Says the same speech, as far as it goes."""
    config = model.config
    speech = torch.randn(200, config.d_speech, generator=torch.Generator().manual_seed(3))
    style = torch.ones(1, config.d_style) if style is None else style
    with torch.inference_mode():
        return model.make(
            speech[:frames],
            style,
            None,
            seeds=seeds,
            steps=1,
            guidance=1.0,
            progress=lambda fraction: None,
        )


def test_a_style_norm_of_no_style_begins_as_a_plain_layer_norm():
    norm = StyleNorm(8, 4)
    x = torch.randn(2, 5, 8)
    plain = F.layer_norm(x, (8,))
    assert torch.allclose(norm(x, norm.gains(torch.zeros(2, 4))), plain)
    assert not torch.allclose(norm(x, norm.gains(torch.ones(2, 4))), plain)


def test_a_reversed_gradient_keeps_the_numbers_and_turns_the_sign():
    x = torch.randn(7, requires_grad=True)
    assert torch.equal(reverse_gradient(x), x)
    (gradient,) = torch.autograd.grad(reverse_gradient(x).pow(2).sum(), x)
    assert torch.allclose(gradient, -2 * x)


def test_training_hides_the_actor_in_the_content_from_a_classifier_that_seeks_it(
    mimic, face, space
):
    """The class of the content pulls the classifier and its encoder in opposite directions."""
    motion = excerpt(mimic.config).motion[:, 0]
    actor = torch.tensor([0, 1, 2, 0])

    def cost(codes):
        return F.cross_entropy(mimic.content_class(codes.mean(1)), actor)

    codes = mimic.content_encoder(motion)
    (plain,) = torch.autograd.grad(cost(codes), codes, retain_graph=True)
    (turned,) = torch.autograd.grad(cost(reverse_gradient(codes)), codes)
    assert torch.allclose(turned, -plain)


def test_generation_with_kept_keys_is_the_decoder_fed_with_its_own_frames(mimic):
    """Also where the history has moved on, past the first frames."""
    content, style = torch.randn(3, 60, 32), torch.randn(3, 16)
    made = mimic.decoder.generate(content, style)
    with torch.no_grad():
        again = mimic.decoder(F.pad(made[:, :-1], (0, 0, 1, 0)), content, style)
    assert made.std() > 0.1
    assert torch.allclose(made, again, atol=1e-5)
    own = torch.zeros_like(made)
    for k in range(60):  # without kept keys: all is made anew for each frame
        with torch.no_grad():
            previous = F.pad(own[:, :k], (0, 0, 1, 0))
            own[:, k] = mimic.decoder(previous, content[:, : k + 1], style)[:, k]
    assert torch.allclose(made, own, atol=1e-5)


def test_unrolling_in_training_sees_what_is_made_in_use(mimic):
    content, style = torch.randn(2, 24, 32, requires_grad=True), torch.randn(2, 16)
    unrolled = mimic.train().decoder.unrolled(content, style)
    assert torch.allclose(unrolled, mimic.decoder.generate(content, style), atol=1e-5)
    (gradient,) = torch.autograd.grad(unrolled[:, 10].sum(), content)
    assert gradient[:, 10].abs().min() > 0
    assert not gradient[:, 11:].any()


def test_a_frame_is_not_changed_by_what_lies_further_back_than_the_history(mimic):
    config = mimic.config
    previous, content, style = torch.randn(1, 60, config.n_coeffs), torch.randn(1, 60, 32), None
    style = torch.randn(1, config.d_style)
    with torch.no_grad():
        one = mimic.decoder(previous, content, style)
        previous[:, 10] += 1
        other = mimic.decoder(previous, content, style)
    changed = (one != other).any(-1)[0].nonzero()[:, 0]
    assert changed.min() == 10
    assert changed.max() == 10 + config.window_frames - 1


@pytest.mark.parametrize("frames", [1, 3, 24, 25, 100])
def test_takes_have_any_length_and_do_not_depend_on_their_seeds(mimic, frames):
    takes = take(mimic, frames, seeds=(4, 5))
    assert takes.shape == (2, frames, mimic.config.n_coeffs)
    assert takes.isfinite().all()
    assert torch.equal(takes[0], takes[1])


def test_a_style_changes_the_take(mimic):
    style = torch.ones(1, mimic.config.d_style)
    assert (take(mimic, 30, style) - take(mimic, 30, -style)).abs().max() > 0.01


def test_a_style_ignores_frames_without_a_face(mimic):
    motion = excerpt(mimic.config).motion[:, 0].clone()
    present = torch.ones(motion.shape[:2], dtype=torch.bool)
    present[:, 5:11] = False
    with torch.no_grad():
        one = mimic.encode_style(motion, present)
        motion[:, 5:11] = torch.nan
        other = mimic.encode_style(motion, present)
    assert one.shape == (4, mimic.config.d_style)
    assert torch.equal(one, other)


def test_content_ignores_what_is_constant_in_a_window_up_to_its_first_layer(mimic):
    """Instance norm takes the offset out; only the window's borders, padded with zero, show it."""
    encoder = mimic.content_encoder
    x = torch.randn(2, 30, 32)
    assert torch.allclose(
        encoder._normed(encoder.norms[0], 3 * x + 2),
        encoder._normed(encoder.norms[0], x),
        atol=1e-4,
    )


def test_the_contrast_is_least_where_motion_and_its_own_sound_agree():
    codes = F.one_hot(torch.arange(4), 6).float()[:, None].expand(4, 3, 6)
    sharp = torch.tensor(50.0)
    assert float(contrast(codes, codes, sharp)) == pytest.approx(0, abs=1e-6)
    assert float(contrast(codes, codes.roll(1, 0), sharp)) == pytest.approx(50, rel=1e-4)
    assert float(contrast(codes, codes, torch.tensor(0.0))) == pytest.approx(1.386, abs=1e-3)


def test_training_lowers_the_errors_of_both_paths(config, face, space):
    torch.manual_seed(0)
    model, batch, forms = Mimic(config).train(), excerpt(config), grams(face, space)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    costs: dict[str, list[float]] = {}
    for step in range(30):
        parts = model.loss(batch, forms, step)
        optimizer.zero_grad()
        parts["loss"].backward()
        optimizer.step()
        for name, part in parts.items():
            costs.setdefault(name, []).append(float(part.detach()))
    assert set(costs) == {"loss", *WEIGHTS}
    for name in ("loss", "from_content", "from_audio"):
        assert sum(costs[name][-5:]) < 0.7 * sum(costs[name][:5]), name
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


def test_a_kept_network_makes_the_same_take(mimic, tmp_path):
    mimic.half().float().save(tmp_path, "A card.")
    settings = json.loads((tmp_path / "config.json").read_text())
    assert settings["system"] == "mimic"
    assert torch.equal(take(Mimic.load(tmp_path, settings), 50), take(mimic, 50))
