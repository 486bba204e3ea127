import dataclasses

import numpy as np
import pytest
import torch
from tiny_model import TINY, awake, some_weights

from kmspeaker.face.rig import FaceModel
from kmspeaker.model.network import ModelConfig
from kmspeaker.training.data import Batch, Clip, ClipFrames, Draw, cut, draw_step
from kmspeaker.training.objective import Objective
from kmspeaker.training.options import PAPER, TrainingOptions

PLAIN = TrainingOptions(
    batch=4,
    lip_weight=0.0,
    closure_weight=0.0,
    lid_weight=0.0,
    brow_weight=0.0,
    eye_weight=1.0,
    precision="fp32",
)


def clips(count: int = 3) -> list[Clip]:
    return [
        Clip(
            str(k),
            "someone",
            some_weights(60 + k, seed=k).astype(np.float16),
            np.random.default_rng(k).normal(size=(60 + k, 6)).astype(np.float16),
            made_lips=k == 1,
        )
        for k in range(count)
    ]


def clip_frames() -> ClipFrames:
    return ClipFrames.of(clips(), torch.device("cpu"))


def drawn(options: TrainingOptions = PLAIN, step: int = 0, config: ModelConfig = TINY) -> Draw:
    return draw_step(clip_frames().lengths, options, config, step)


def tensors(draw: object) -> list[torch.Tensor]:
    """All that a draw holds, its held styles too."""
    values = [getattr(draw, field.name) for field in dataclasses.fields(draw)]  # type: ignore[arg-type]
    return [t for value in values for t in ([value] if torch.is_tensor(value) else tensors(value))]


def test_a_step_is_a_function_of_seed_and_step():
    first, again, other = (drawn(step=step) for step in (3, 3, 4))
    for one, same in zip(tensors(first), tensors(again), strict=True):
        assert torch.equal(one, same)
    assert not torch.equal(first.target, other.target)
    assert not torch.equal(first.noise, other.noise)


def test_windows_lie_within_their_clips():
    lengths = clip_frames().lengths
    draw = drawn(dataclasses.replace(PLAIN, batch=500))
    ends = np.cumsum(lengths)
    for firsts in (draw.target, draw.style):
        clip = np.searchsorted(ends, firsts.numpy(), side="right")
        assert (firsts.numpy() + TINY.window_frames <= ends[clip]).all()
    assert set(np.searchsorted(ends, draw.target.numpy(), side="right")) == {0, 1, 2}


@pytest.mark.parametrize("passes", ["both", "either"])
def test_one_of_speech_and_temporal_style_is_anothers_and_its_half_is_not_supervised(passes):
    draw = drawn(dataclasses.replace(PLAIN, passes=passes))
    own = draw.target[:, None]
    assert torch.equal(draw.speech == own, draw.lower)
    assert torch.equal(draw.temporal == own, draw.upper)
    assert (draw.lower ^ draw.upper).all()
    assert draw.lower.shape == (4, 2 if passes == "both" else 1)
    if passes == "both":
        assert draw.lower[:, 0].all() and draw.upper[:, 1].all()


def test_the_papers_draw_has_both_swaps_whole_windows_and_the_targets_own_style():
    draw = drawn(dataclasses.replace(PAPER, batch=2000))
    assert torch.equal(draw.style, draw.target)
    assert draw.style_present.all()
    whole_or_none = draw.temporal_present.all(1) | ~draw.temporal_present.any(1)
    assert whole_or_none.all()
    assert (~draw.temporal_present.any(1)).float().mean() == pytest.approx(0.1, abs=0.03)
    assert torch.equal(draw.speech[:, 0], draw.target) and torch.equal(
        draw.temporal[:, 1], draw.target
    )
    for others in (draw.speech[:, 1], draw.temporal[:, 0]):  # two items may share a window
        assert (others != draw.target).float().mean() > 0.95
    quarters = torch.tensor([0.25, 0.5, 0.75])
    assert torch.quantile(draw.time, quarters).tolist() == pytest.approx(quarters, abs=0.04)


def test_shares_are_kept():
    options = dataclasses.replace(PLAIN, batch=2000, span_dropout=0.25, neighbour_style=0.5)
    draw = drawn(options)
    assert (~draw.temporal_present.any(1)).float().mean() == pytest.approx(0.3, abs=0.04)
    assert (~draw.style_present.all(1)).float().mean() == pytest.approx(0.25, abs=0.04)
    assert draw.style_present.sum(1).min() >= 12
    assert (draw.style == draw.target).float().mean() == pytest.approx(0.5, abs=0.05)
    assert draw.time.mean() == pytest.approx(1 / (1 + options.time_power), abs=0.03)


def test_a_clip_of_exactly_one_window_can_be_drawn():
    clip = clips()[0]
    whole = Clip("one", "someone", clip.weights[:24], clip.features[:24])
    one = ClipFrames.of([whole], torch.device("cpu"))
    batch = cut(one, draw_step(one.lengths, PLAIN, TINY, 0))
    assert torch.equal(batch.weights[0], torch.from_numpy(whole.weights.astype(np.float32)))


def test_what_is_cut_is_what_was_drawn():
    """Of clip, speech and upper face alike, though each is cut but once."""
    source, draw = clip_frames(), drawn(dataclasses.replace(PLAIN, passes="both", batch=7))
    batch = cut(source, draw)
    frames = torch.arange(TINY.window_frames)
    for row in range(7):
        target = source.weights[draw.target[row] + frames].float()
        assert torch.equal(batch.weights[row], target)
        for which in range(2):
            speech = source.features[draw.speech[row, which] + frames].float()
            temporal = source.weights[draw.temporal[row, which] + frames].float()
            assert torch.equal(batch.features[batch.speech_rows[which, row]], speech)
            assert torch.equal(batch.temporal_weights[7 * which + row], temporal)


@pytest.mark.parametrize("passes", ["both", "either"])
def test_the_loss_of_a_batch_is_the_mean_of_its_parts(face: FaceModel, passes):
    """So processes that share a batch follow the gradient of the whole."""
    options = dataclasses.replace(PLAIN, passes=passes, kl_weight=1.0, batch=6)
    objective = Objective.of(face, "ours", options, torch.device("cpu"))
    model = awake(face=face)
    draw = drawn(options, config=model.config)

    def loss(draw: Draw) -> dict[str, float]:
        return {k: float(v) for k, v in objective(model, cut(clip_frames(), draw))[1].items()}

    whole, parts = loss(draw), [loss(draw.part(k, 3)) for k in range(3)]
    for name, value in whole.items():
        assert np.mean([part[name] for part in parts]) == pytest.approx(value, rel=1e-4)
    assert whole["loss"] == pytest.approx(whole["lower"] + whole["upper"] + whole["kl"], rel=1e-5)


def test_both_passes_together_are_the_mean_of_the_two(face: FaceModel):
    """One batch of two passes costs what the passes cost apart."""
    model = awake(face=face)
    options = dataclasses.replace(PLAIN, passes="both")
    batch = cut(clip_frames(), drawn(options, config=model.config))
    objective = Objective.of(face, "ours", options, torch.device("cpu"))

    def loss(batch: Batch) -> float:
        return float(objective(model, batch)[0].detach())

    def only(which: int) -> Batch:
        chosen = {
            name: getattr(batch, name)[which : which + 1]
            for name in ("speech_rows", "lower", "upper")
        }
        own = slice(4 * which, 4 * which + 4)
        temporal = batch.temporal_weights[own]
        held = batch.temporal_held[own]
        return dataclasses.replace(batch, temporal_weights=temporal, temporal_held=held, **chosen)

    assert loss(batch) == pytest.approx((loss(only(0)) + loss(only(1))) / 2, rel=1e-4)


def test_a_window_knows_whether_its_lips_were_made():
    draw = drawn(dataclasses.replace(PLAIN, batch=50))
    ends = np.cumsum(clip_frames().lengths)
    clip = np.searchsorted(ends, draw.target.numpy(), side="right")
    assert cut(clip_frames(), draw).made_lips.tolist() == (clip == 1).tolist()


def test_without_disentanglement_nothing_is_swapped_and_both_halves_are_supervised():
    draw = drawn(dataclasses.replace(PLAIN, passes="own"))
    assert torch.equal(draw.speech[:, 0], draw.target)
    assert torch.equal(draw.temporal[:, 0], draw.target)
    assert draw.lower.all() and draw.upper.all()
