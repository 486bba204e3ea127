"""Each control moves what it says and nothing else, on the bundled model and examples."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from kmspeaker.animation.animation import FaceAnimation, Use
from kmspeaker.animation.controls import CHOICES, DEFAULTS, HELP, RANGES, Controls
from kmspeaker.animation.editing import (
    BLINKS,
    EXPRESSION,
    GAZE,
    LOWER,
    NEAR,
    fit_timing,
    head_motion,
)
from kmspeaker.animation.silence import settle_lips
from kmspeaker.errors import InputError
from kmspeaker.examples import load_examples
from kmspeaker.face.lip_contact import CLOSED
from kmspeaker.face.rig import ARKIT_INDEX, ARKIT_NAMES, UPPER_SHAPES, FaceModel
from kmspeaker.media.audio import Sound, load_sound
from kmspeaker.model.network import KMSpeaker
from kmspeaker.model.sampling import generate
from kmspeaker.pipeline import MOST_TAKES, Pipeline
from kmspeaker.reference.performance import Performance
from kmspeaker.speech.encoders import speech_features

JAW, CLOSE = ARKIT_INDEX["jawOpen"], ARKIT_INDEX["mouthClose"]
Ask = Callable[..., FaceAnimation]


@pytest.fixture(scope="module")
def sound() -> Sound:
    """Six seconds: longer than the performance, and than the network's window."""
    once = load_sound(load_examples()["delighted"].speech)
    return Sound(np.tile(once.samples, 2)[: 6 * once.sample_rate], once.sample_rate)


@pytest.fixture(scope="module")
def performance(other_performance: Performance) -> Performance:
    return other_performance


@pytest.fixture(scope="module")
def other(performance: Performance) -> Performance:
    """Someone who smiles with raised brows."""
    weights = performance.weights.copy()
    for name in ("mouthSmileLeft", "mouthSmileRight", "browInnerUp", "browOuterUpLeft"):
        weights[:, ARKIT_INDEX[name]] += 0.6
    return Performance.from_weights(weights.clip(0, 1), performance.fps)


@pytest.fixture(scope="module")
def ask(pipeline: Pipeline, sound: Sound, performance: Performance, other: Performance) -> Ask:
    """A take of the pair with the given controls."""
    features = speech_features(
        pipeline.encoder, sound, fps=pipeline.fps, frames=round(sound.seconds * pipeline.fps)
    )

    @cache
    def take(use: Use = "stylize", who="performance", **controls) -> FaceAnimation:
        with pytest.MonkeyPatch.context() as patch:  # the speech is listened to once
            patch.setattr("kmspeaker.pipeline.speech_features", lambda *_, **__: features)
            given = performance if who == "performance" else other
            asked = Controls(**controls)
            (made,) = pipeline.animate(sound, given, use=use, controls=asked, second=other)
        return made

    return take


def opening(face: FaceModel, weights: np.ndarray) -> np.ndarray:
    """Lip opening in mm beyond the neutral face's."""
    at_rest = face.lip_gap(np.zeros((1, 52), np.float32), face.identities[0])
    return face.lip_gap(weights, face.identities[0]) - at_rest


def moved(face: FaceModel, first: np.ndarray, second: np.ndarray, mask: np.ndarray) -> float:
    """Mean distance in mm where the mask is whole."""
    offsets = np.einsum("fw,wvc->fvc", first - second, face.deltas[:, mask > 0.99])
    return float(np.linalg.norm(offsets, axis=2).mean())


def restlessness(weights: np.ndarray) -> float:
    return float(np.abs(np.diff(weights, 2, axis=0)).mean())


def same_but(first: np.ndarray, second: np.ndarray, shapes: np.ndarray) -> bool:
    """Equal to the bit in all shapes but these, and different in these."""
    others = np.array_equal(first[:, ~shapes], second[:, ~shapes])
    return others and not np.array_equal(first[:, shapes], second[:, shapes])


def test_every_control_has_a_meaning_and_limits_that_hold_its_default():
    assert set(HELP) == set(DEFAULTS) == set(RANGES) | set(CHOICES)
    assert all(least <= float(DEFAULTS[name]) <= most for name, (least, most) in RANGES.items())
    assert all(DEFAULTS[name] in choices for name, choices in CHOICES.items())


@pytest.mark.parametrize("name", RANGES)
def test_numbers_out_of_range_are_refused(name: str):
    least, most = RANGES[name]
    assert Controls.read({name: least}).changed().keys() <= {name}
    for bad in (least - 0.01, most + 0.01, float("nan"), float("inf"), None, "much", True):
        with pytest.raises(InputError, match=rf"Got {name} .* must be from"):
            Controls.read({name: bad})


@pytest.mark.parametrize("name", CHOICES)
def test_words_that_are_no_choice_are_refused(name: str):
    for bad in ("often", "", None, 1):
        with pytest.raises(InputError, match=rf"Got {name} .* choose one of"):
            Controls.read({name: bad})


def test_a_page_or_table_may_give_whole_numbers_and_texts():
    asked = Controls.read({"upper": 2, "lower": "0.5", "fit": "hold"})
    assert asked == Controls(upper=2.0, lower=0.5, fit="hold")
    assert asked.changed() == {"upper": 2.0, "lower": 0.5, "fit": "hold"}
    assert Controls().changed() == {}
    with pytest.raises(InputError, match="known are style_strength"):
        Controls.read({"mood": 1})


def test_groups_of_shapes_are_the_rigs(face: FaceModel):
    """Shapes of the upper face move M_upper more than M_lower, and do not open the lips.

    But for sneers: they lift the upper lip with the nose, and still are of the upper face.
    """
    upper, lower = (np.diag(face.gram(mask)) for mask in (face.upper_mask, face.lower_mask))
    sneers = np.array([name.startswith("noseSneer") for name in ARKIT_NAMES])
    np.testing.assert_array_equal(UPPER_SHAPES, (upper > lower) | sneers)
    assert not (LOWER & UPPER_SHAPES).any() and (LOWER | UPPER_SHAPES).all()
    assert not ((GAZE | BLINKS) & EXPRESSION).any()
    shapes = np.eye(52, dtype=np.float32)[UPPER_SHAPES & ~sneers]
    assert np.abs(opening(face, shapes)).max() < 0.6


@pytest.mark.parametrize("use", ["stylize", "localize"])
def test_the_defaults_change_nothing(
    pipeline: Pipeline, sound: Sound, performance: Performance, ask: Ask, use: str
):
    take = ask(use)
    features = speech_features(pipeline.encoder, sound, fps=pipeline.fps, frames=len(take))
    followed = performance if use == "localize" else None
    assert isinstance(pipeline.model, KMSpeaker)
    plain = generate(pipeline.model, pipeline.face, features, performance, followed)
    settled = settle_lips(plain, pipeline.face, pipeline.fps)
    # Frames beyond the performance's end are empty either way, but summed in another order.
    np.testing.assert_allclose(take.weights, settled, rtol=0, atol=1e-6 if followed else 0)
    assert take.head is None and take.controls == Controls()


def test_takes_of_several_seeds_are_what_each_is_alone(
    pipeline: Pipeline, sound: Sound, performance: Performance
):
    seeds = (4, 0, 9)
    together = pipeline.animate(sound, performance, use="localize", seeds=seeds)
    assert [take.seed for take in together] == list(seeds)
    alone = pipeline.localize(sound, performance, seed=0)
    np.testing.assert_allclose(together[1].weights, alone.weights, atol=1e-4)
    assert np.abs(together[0].weights - together[2].weights).max() > 0.01
    for bad in ((), (-1,), (2**31,), range(MOST_TAKES + 1)):
        with pytest.raises(InputError, match="seed"):
            pipeline.animate(sound, performance, use="localize", seeds=bad)


def test_all_takes_are_one_batch(
    pipeline: Pipeline, sound: Sound, performance: Performance, monkeypatch: pytest.MonkeyPatch
):
    asked: list[int] = []
    network = KMSpeaker.forward

    def counted(model, x_t, *conditions):
        asked.append(len(x_t))
        return network(model, x_t, *conditions)

    monkeypatch.setattr(KMSpeaker, "forward", counted)
    pipeline.animate(sound, performance, use="stylize", seeds=(0,), steps=1)
    pipeline.animate(sound, performance, use="stylize", seeds=(0, 1, 2), steps=1)
    half = len(asked) // 2
    assert asked[half:] == [3 * windows for windows in asked[:half]]
    before = len(asked)
    monkeypatch.setattr("kmspeaker.model.sampling.MOST_WINDOWS", 2)  # long speech: several calls
    parts = pipeline.animate(sound, performance, use="stylize", seeds=(0, 1, 2), steps=1)
    assert max(asked[before:]) <= 2
    monkeypatch.undo()
    whole = pipeline.animate(sound, performance, use="stylize", seeds=(0, 1, 2), steps=1)
    for part, one in zip(parts, whole, strict=True):
        np.testing.assert_allclose(part.weights, one.weights, atol=1e-4)


def test_without_style_strength_nobodys_style_is_taken_and_with_more_it_shows_more(ask: Ask):
    nobody = ask(style_strength=0.0).weights
    np.testing.assert_array_equal(nobody, ask(who="other", style_strength=0.0).weights)
    away = [
        np.abs(ask(who="other", style_strength=strength).weights - nobody).mean()
        for strength in (0.5, 1.0, 2.0)
    ]
    assert 0 < away[0] < away[1] < away[2]


def test_a_mixed_style_lies_between_the_two(
    ask: Ask, pipeline: Pipeline, sound: Sound, performance: Performance
):
    first, second = ask().weights, ask(who="other").weights
    np.testing.assert_allclose(ask(style_mix=1.0).weights, second, atol=1e-4)
    half = ask(style_mix=0.5).weights
    apart = np.abs(first - second).mean()
    assert 0 < np.abs(half - first).mean() < apart and 0 < np.abs(half - second).mean() < apart
    with pytest.raises(InputError, match="without a second reference"):
        pipeline.animate(sound, performance, use="stylize", controls=Controls(style_mix=0.5))


def test_guidance_goes_from_the_style_alone_past_the_performance(ask: Ask, face: FaceModel):
    free, followed = ask("stylize").weights, ask("localize").weights
    np.testing.assert_array_equal(ask("localize", guidance=0.0).weights, free)
    between = ask("localize", guidance=0.5).weights
    whole = moved(face, free, followed, face.upper_mask)
    assert 0 < moved(face, free, between, face.upper_mask) < whole
    beyond = ask("localize", guidance=2.0).weights
    assert moved(face, free, beyond, face.upper_mask) > whole
    further = moved(face, followed, beyond, face.upper_mask)
    assert further > moved(face, followed, beyond, face.lower_mask)
    np.testing.assert_array_equal(ask("stylize", guidance=2.0).weights, free)


@pytest.mark.parametrize("intensity", [0.0, 0.5, 2.0])
def test_upper_intensity_scales_the_upper_faces_expression_alone(ask: Ask, intensity: float):
    plain, changed = ask("localize").weights, ask("localize", upper=intensity).weights
    assert same_but(plain, changed, EXPRESSION)
    expected, least = intensity * plain[:, EXPRESSION], min(1.0, intensity) * plain[:, EXPRESSION]
    assert (changed[:, EXPRESSION] <= expected + 1e-6).all()  # no more than asked ...
    assert (changed[:, EXPRESSION] >= least - 1e-6).all()  # ... and no less than it was
    small = plain[:, EXPRESSION] < 0.1
    np.testing.assert_allclose(changed[:, EXPRESSION][small], expected[small], atol=0.01)


@pytest.mark.parametrize("intensity", [0.0, 0.5, 1.5, 2.0])
def test_lower_intensity_scales_the_mouth_alone_and_closed_lips_stay_closed(
    ask: Ask, face: FaceModel, intensity: float
):
    plain, changed = ask("localize").weights, ask("localize", lower=intensity).weights
    assert same_but(plain, changed, LOWER)
    was, now = opening(face, plain * LOWER), opening(face, changed * LOWER)
    assert was.max() > 3 and (was < CLOSED / 2).any()  # the speech both opens and closes them
    assert (now < max(1, intensity) * was.clip(0) + NEAR + 0.01).all()
    assert (now - was.clip(0))[was < CLOSED].max() < NEAR + 0.01
    if intensity < 1:
        np.testing.assert_allclose(now, intensity * was, atol=1e-3)
    else:
        assert now.max() > (0.4 * intensity + 0.6) * was.max()
    assert (changed[:, CLOSE] <= changed[:, JAW]).all()
    assert changed.min() >= 0 and changed.max() <= 1


def test_smoothing_evens_what_does_not_touch(ask: Ask, face: FaceModel):
    plain, even = ask("localize").weights, ask("localize", smoothing=0.08).weights
    assert same_but(plain, even, EXPRESSION | LOWER)
    closed = opening(face, plain) < CLOSED - 0.01
    assert closed.any()
    np.testing.assert_array_equal(even[closed][:, LOWER], plain[closed][:, LOWER])
    assert restlessness(even[:, EXPRESSION]) < 0.5 * restlessness(plain[:, EXPRESSION])
    assert restlessness(even[:, LOWER]) < restlessness(plain[:, LOWER])
    more = ask("localize", smoothing=0.2).weights
    assert restlessness(more[:, EXPRESSION]) < restlessness(even[:, EXPRESSION])
    assert (even[:, CLOSE] <= even[:, JAW]).all()


@pytest.mark.parametrize(("control", "shapes"), [("gaze", GAZE), ("blinks", BLINKS)])
def test_gaze_and_blinks_of_the_reference_are_its_own(
    ask: Ask, performance: Performance, control: str, shapes: np.ndarray
):
    plain, taken = ask().weights, ask(**{control: "reference"}).weights
    assert same_but(plain, taken, shapes)
    shown = len(performance)
    np.testing.assert_allclose(
        taken[:shown, shapes], performance.weights[:, shapes].clip(0, 1), atol=1e-6
    )
    np.testing.assert_array_equal(taken[shown + 15 :], plain[shown + 15 :])  # it has ended


def test_the_head_moves_as_the_reference_and_the_face_does_not_know(
    ask: Ask, performance: Performance
):
    plain, turned = ask(), ask(head="reference")
    np.testing.assert_array_equal(plain.weights, turned.weights)
    assert plain.head is None and turned.head is not None
    assert turned.head.shape == (len(turned), 3)
    shown = len(performance)
    for own, taken in zip(performance.head.T, turned.head[:shown].T, strict=True):
        assert np.corrcoef(own, taken)[0, 1] > 0.9
    assert not turned.head[shown + 15 :].any()


def test_a_lost_face_lets_the_head_ease_to_rest(performance: Performance):
    frames = len(performance)
    lost = replace(
        performance,
        present=np.arange(frames) < 30,
        head=np.full((frames, 3), 0.3, np.float32),
    )
    head = head_motion(fit_timing(lost, frames, 30.0, Controls()))
    assert np.allclose(head[:25], 0.3) and not head[50:].any()
    assert np.abs(np.diff(head, axis=0)).max() < 0.05
    assert not head_motion(replace(lost, present=np.zeros(frames, bool))).any()


@pytest.mark.parametrize("offset", [-0.5, 0.5])
def test_an_offset_moves_the_performance_against_the_speech(
    ask: Ask, performance: Performance, offset: float
):
    frames, shift = 2 * len(performance), round(offset * 30)
    plain = fit_timing(performance, frames, 30.0, Controls())
    later = fit_timing(performance, frames, 30.0, Controls(offset=offset))
    if shift > 0:
        assert not later.present[:shift].any()
    rolled = np.roll(plain.present, shift)
    np.testing.assert_array_equal(
        later.present[max(shift, 0) : frames + shift], rolled[max(shift, 0) : frames + shift]
    )
    seen = np.flatnonzero(later.present)
    np.testing.assert_allclose(later.weights[seen], plain.weights[seen - shift], atol=1e-6)
    # Without anything that follows the performance in time, there is nothing to move.
    np.testing.assert_array_equal(ask().weights, ask(offset=offset).weights)
    assert not np.array_equal(ask("localize").weights, ask("localize", offset=offset).weights)


@pytest.mark.parametrize("frames", [60, 180])
def test_a_performance_of_another_length_is_left_stretched_or_held(
    performance: Performance, frames: int
):
    own, common = len(performance), min(len(performance), frames)
    whole = replace(performance, present=np.ones(own, bool))
    as_is, stretched, held = (
        fit_timing(whole, frames, whole.fps, Controls(fit=fit))
        for fit in ("as is", "stretch", "hold")
    )
    assert {len(as_is), len(stretched), len(held)} == {frames}
    for left in (as_is, held):
        np.testing.assert_array_equal(left.weights[:common], whole.weights[:common])
    assert as_is.present.sum() == common and held.present.all() and stretched.present.all()
    np.testing.assert_array_equal(
        held.weights[common:], np.repeat(whole.weights[-1:], frames - common, axis=0)
    )
    rate = own / frames
    for frame in (0, frames // 3, frames - 1):
        at = min(round(frame * rate), own - 1)
        near = whole.weights[max(0, at - 1) : at + 2]
        assert (stretched.weights[frame] <= near.max(0) + 1e-6).all()
        assert (stretched.weights[frame] >= near.min(0) - 1e-6).all()


def test_how_it_is_fitted_moves_only_what_follows_it_in_time(ask: Ask):
    for fit in ("stretch", "hold"):
        np.testing.assert_array_equal(ask().weights, ask(fit=fit).weights)
        followed = ask("localize", fit=fit).weights
        assert not np.array_equal(followed, ask("localize").weights)
        assert same_but(ask(gaze="reference").weights, ask(gaze="reference", fit=fit).weights, GAZE)


def test_a_hold_keeps_the_last_frame_with_a_face(performance: Performance):
    present = np.arange(len(performance)) < 40
    held = fit_timing(replace(performance, present=present), 120, 30.0, Controls(fit="hold"))
    assert held.present.all()
    np.testing.assert_array_equal(held.weights[-1], performance.weights[39])
