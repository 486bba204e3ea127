import dataclasses
import json

import pytest
import torch
from baselines.excerpts import excerpt, grams, motion_space, sized

from kmspeaker.baselines.excerpt import Grams
from kmspeaker.baselines.meshtalk import (
    ExpressionEncoder,
    MeshTalk,
    MeshTalkConfig,
    choose,
    cross_modal,
    forth_and_back,
)
from kmspeaker.face.rig import ARKIT_INDEX


@pytest.fixture(scope="module")
def space(face):
    return motion_space(face)


@pytest.fixture
def config(face, space):
    small = {"d_style": 3 * 32, "heads": 8, "classes": 8, "d_audio": 16, "layers": 2}
    return MeshTalkConfig(**{**sized(face, space), **small})


@pytest.fixture
def meshtalk(config):
    torch.manual_seed(0)
    return MeshTalk(config).eval()


def take(model, frames, performance=None, style=None, seeds=(0,)):
    """Says the same speech, as far as it goes."""
    config = model.config
    generator = torch.Generator().manual_seed(3)
    speech = torch.randn(200, config.d_speech, generator=generator)
    if style is None:
        style = torch.randn(1, config.d_style, generator=generator)
    with torch.inference_mode():
        return model.make(
            speech[:frames],
            style,
            performance,
            seeds=seeds,
            steps=1,
            guidance=1.0,
            progress=lambda fraction: None,
        )


def test_a_choice_is_one_class_a_head():
    logits = torch.randn(2, 5, 4, 8)
    for drawn in (True, False):
        chosen = choose(logits, drawn=drawn)
        assert torch.allclose(chosen.sum(-1), torch.ones(2, 5, 4))
        assert torch.allclose(chosen.max(-1).values, torch.ones(2, 5, 4))
    assert torch.equal(choose(logits, drawn=False).argmax(-1), logits.argmax(-1))


def test_a_drawn_choice_has_the_gradients_of_a_softmax():
    """Straight through: they are there, and of no effect along what changes no probability."""
    logits = torch.randn(6, 8, requires_grad=True)
    values = torch.arange(8.0)
    (gradient,) = torch.autograd.grad((choose(logits, drawn=True) @ values).sum(), logits)
    assert gradient.abs().min() > 0
    assert torch.allclose(gradient.sum(-1), torch.zeros(6), atol=1e-5)


def test_classes_are_drawn_by_their_probabilities():
    torch.manual_seed(0)
    shares = torch.tensor([0.1, 0.2, 0.7])
    drawn = choose(shares.log().expand(20_000, 3), drawn=True).mean(0)
    assert torch.allclose(drawn, shares, atol=0.02)


@pytest.mark.parametrize(
    ("shape", "free", "bound"),
    [
        ("jawOpen", "upper", "lower"),
        ("mouthFunnel", "upper", "lower"),
        ("browInnerUp", "lower", "upper"),
        ("eyeBlinkLeft", "lower", "upper"),
    ],
)
def test_the_cross_modal_loss_leaves_the_mouth_free_of_the_expression(
    face, space, shape, free, bound
):
    """What is made of it feels no pull there, nor what is made of sound at brows and lids."""
    error = space.encode(space.mean + torch.eye(52)[ARKIT_INDEX[shape]])[None, None]
    made = torch.zeros_like(error).requires_grad_()
    terms = cross_modal(made, made, error, grams(face, space))
    pull = {
        name: float((torch.autograd.grad(term, made, retain_graph=True)[0] * error).sum().abs())
        for name, term in terms.items()
    }
    assert pull[free] < 0.02 * pull[bound]


def test_each_term_is_nothing_where_its_own_input_is_right(face, space):
    motion, wrong = torch.randn(2, 2, 3, space.n_coeffs)
    forms = grams(face, space)
    terms = cross_modal(motion, wrong, motion, forms)
    assert float(terms["upper"]) == 0 < float(terms["lower"])
    terms = cross_modal(wrong, motion, motion, forms)
    assert float(terms["lower"]) == 0 < float(terms["upper"])


def test_an_expression_knows_frames_before_and_none_after():
    torch.manual_seed(0)
    encoder = ExpressionEncoder(10, 16)
    motion = torch.randn(2, 20, 10)
    one = encoder(motion)
    motion[:, 8] += 1
    changed = (encoder(motion) != one).any(-1).all(0)
    assert one.shape == (2, 20, 16)
    assert not changed[:8].any()
    assert changed[8:12].all()


@pytest.mark.parametrize("frames", [1, 3, 24, 25, 150])
def test_takes_have_any_length_and_do_not_depend_on_their_seeds(meshtalk, frames):
    for performance in (None, torch.randn(frames, meshtalk.config.n_coeffs)):
        takes = take(meshtalk, frames, performance, seeds=(4, 5))
        assert takes.shape == (2, frames, meshtalk.config.n_coeffs)
        assert takes.isfinite().all()
        assert torch.equal(takes[0], takes[1])


def test_dubbing_follows_the_performance_and_not_the_style(meshtalk):
    one, other = 3 * torch.randn(2, 40, meshtalk.config.n_coeffs)
    style = torch.randn(1, meshtalk.config.d_style)
    dubbed = take(meshtalk, 40, one)
    assert torch.equal(dubbed, take(meshtalk, 40, one, style))
    assert not torch.equal(dubbed, take(meshtalk, 40, other))


def test_expressions_play_forth_and_back_without_a_jump():
    keys = torch.tensor([[0.0], [1.0], [5.0], [3.0]])
    played = forth_and_back(keys, 90, 30)[:, 0]
    assert played[0] == played[60] == 0
    assert played[10] == 1 and played[20] == 5 and played[30] == 3
    assert torch.allclose(played[31:60], played[1:30].flip(0), atol=1e-5)
    assert torch.allclose(played[60:], played[:30])
    assert played.diff().abs().max() <= 4 / 10 + 1e-5


def test_a_single_expression_is_held():
    assert torch.equal(forth_and_back(torch.ones(1, 3), 7, 4), torch.ones(7, 3))


def test_a_style_ignores_frames_without_a_face(meshtalk):
    motion = excerpt(meshtalk.config).motion[:, 0].clone()
    present = torch.ones(motion.shape[:2], dtype=torch.bool)
    present[:, :2] = present[:, 9:14] = False
    with torch.no_grad():
        one = meshtalk.encode_style(motion, present)
        motion[~present] = torch.nan
        other = meshtalk.encode_style(motion, present)
        motion[:, :2], motion[:, 9:14] = motion[:, 2:3], motion[:, 8:9]
        held = meshtalk.encode_style(motion, torch.ones_like(present))
    assert one.shape == (4, meshtalk.config.d_style)
    assert torch.equal(one, other) and torch.equal(one, held)


def test_training_lowers_every_error(config):
    """Of two halves of a face that weigh the same, one that is said and one that nobody hears."""
    torch.manual_seed(0)
    model, batch = MeshTalk(config).train(), excerpt(config, 8)
    unsaid = torch.arange(config.n_coeffs) % 2 == 1
    motion = excerpt(config, 8, seed=1).motion.where(unsaid, batch.motion)
    batch = dataclasses.replace(batch, motion=motion)
    whole = torch.eye(config.n_coeffs)
    forms = Grams(whole, (~unsaid).float().diag(), unsaid.float().diag())
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    costs: dict[str, list[float]] = {}
    for step in range(60):
        parts = model.loss(batch, forms, step)
        optimizer.zero_grad()
        parts["loss"].backward()
        optimizer.step()
        for name, part in parts.items():
            costs.setdefault(name, []).append(float(part.detach()))
    assert set(costs) == {"loss", "matched", "upper", "lower"}
    for name, values in costs.items():
        assert sum(values[-5:]) < 0.8 * sum(values[:5]), name
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


def test_a_kept_network_makes_the_same_take(meshtalk, tmp_path):
    meshtalk.half().float().save(tmp_path, "A card.")
    settings = json.loads((tmp_path / "config.json").read_text())
    assert settings["system"] == "meshtalk"
    assert torch.equal(take(MeshTalk.load(tmp_path, settings), 50), take(meshtalk, 50))
