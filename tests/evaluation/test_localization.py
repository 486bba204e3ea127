"""Localization, disentanglement, the seam and the style, on animations whose figures are known."""

import dataclasses

import numpy as np
import pytest
from evaluation_data import FPS, context_of, performed_corpus
from tiny_model import some_weights

from kmspeaker.corpus.performances.states import STATES
from kmspeaker.errors import InputError
from kmspeaker.evaluation import disentanglement, localization, seam, style
from kmspeaker.evaluation.context import EvaluationContext
from kmspeaker.evaluation.localization_pairs import LocalizationPair, make_pairs
from kmspeaker.evaluation.seam import Seam
from kmspeaker.evaluation.state_classifier import STATE_NAMES, fit_classifier, share_right
from kmspeaker.face.landmarks import R_UPPER
from kmspeaker.face.rig import ARKIT_INDEX


@pytest.fixture(scope="module")
def context(face, tmp_path_factory):
    return context_of(face, performed_corpus(tmp_path_factory.mktemp("corpus")))


UP = np.array([0, 1, 0], np.float32)
"""A millimetre."""


def perfect(seed: int = 0) -> LocalizationPair:
    """The animations of a model that copies what it is to follow."""
    speech_motion, performance = some_weights(40, seed), some_weights(40, seed + 100)
    upper = np.array([k in UPPER for k in range(52)])
    near = 0.9 * speech_motion
    return LocalizationPair(
        name=f"pair {seed}",
        actor="mei",
        speech_motion=speech_motion,
        performance=performance,
        localized=np.where(upper, performance, speech_motion).astype(np.float32),
        temporal_only=near,
        matching=near,
        stylized=performance,
    )


UPPER = {k for name, k in ARKIT_INDEX.items() if name.startswith(("brow", "eye"))}


def value(part, figure: str) -> float:
    return next(row.estimate.value for row in part.findings if row.figure == figure)


def test_a_face_that_copies_the_performance_has_no_error_and_follows_every_curve(context):
    pairs = [dataclasses.replace(one, localized=one.performance) for one in map(perfect, range(3))]
    part = localization.measure(context, pairs)
    errors = [row for row in part.findings if row.unit == "mm"]
    assert [row.estimate.value for row in errors[:3]] == [0, 0, 0]
    assert all(row.estimate.value > 0.05 for row in errors[3:])
    for name in ("brows' height", "lids' opening"):
        assert value(part, f"correlation of the {name}") == pytest.approx(1)


def test_the_upper_error_ignores_the_mouth_and_sees_a_brow(face):
    still = np.zeros((5, 52), np.float32)
    jaw, brow = still.copy(), still.copy()
    jaw[:, ARKIT_INDEX["jawOpen"]] = 1
    brow[:, ARKIT_INDEX["browInnerUp"]] = 1
    upper = face.region == R_UPPER
    assert localization.distance(face, jaw, still, upper) < 0.2, "cheeks follow a jaw a little"
    assert localization.distance(face, brow, still, upper) > 0.3
    assert (localization.brow_height(face, brow) > 1).all()
    blink = still.copy()
    blink[:, [ARKIT_INDEX["eyeBlinkLeft"], ARKIT_INDEX["eyeBlinkRight"]]] = 1
    assert (localization.lid_opening(face, blink) < -5).all()


def test_lips_that_no_performance_touches_have_ratio_one(context):
    part = disentanglement.measure(context, [perfect(seed) for seed in range(4)])
    ratio = part.findings[0].estimate
    assert ratio.value == ratio.low == ratio.high == pytest.approx(1)
    leaking = [
        dataclasses.replace(one, temporal_only=one.performance) for one in map(perfect, range(4))
    ]
    assert disentanglement.measure(context, leaking).findings[0].estimate.value > 1.5


def test_the_seam_does_not_feel_a_rigid_motion_and_feels_a_shifted_half(face):
    seam = Seam.of(face)
    neutral = face.neutral("mei")[None, seam.vertices]
    turn = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]], np.float32)
    rigid = dataclasses.astuple(seam.creases(neutral @ turn + 3, neutral))
    assert max(rigid) < 0.01
    above = face.upper_mask[seam.vertices, None]
    shifted = seam.creases(neutral + above * UP, neutral)
    jump = (face.region[seam.vertices] == R_UPPER)[:, None]
    torn = seam.creases(neutral + jump * UP, neutral)
    assert 0 < shifted.stretches_at_borders < torn.stretches_at_borders
    assert shifted.bends_at_borders < torn.bends_at_borders


def test_a_bent_strip_bends_by_its_angle():
    flat = np.array([[0, 0, 0], [0, 1, 0], [1, 0, 0], [-1, 0, 0]], np.float32)
    faces = np.array([[0, 2, 1], [0, 1, 3]], np.int32)
    seam = Seam.along(faces, np.array([True, True, False, False]))
    assert len(seam.edges) == 1 and not seam.border[0]
    for degrees in (-120, -10, 0, 35, 90):
        folded = flat.copy()
        folded[2] = [np.cos(np.radians(degrees)), 0, np.sin(np.radians(degrees))]
        bend = seam.bends(folded[None]) - seam.bends(flat[None])
        assert abs(bend[0, 0]) == pytest.approx(abs(degrees), abs=1e-3)


def test_the_original_is_as_coherent_as_itself(context):
    pairs = [dataclasses.replace(one, localized=one.performance) for one in map(perfect, range(3))]
    part = seam.measure(context, pairs)
    judged = [row for row in part.findings if row.target is not None]
    assert len(judged) == 4
    assert all(row.estimate.value == pytest.approx(1) for row in judged)


def test_pairs_are_of_different_clips_and_always_the_same(context):
    pairs = make_pairs(context, 2)
    again = make_pairs(context, 2)
    for one, other in zip(pairs, again, strict=True):
        speech, performance = one.name.split(" as ")
        assert speech != performance and one.name == other.name
        assert len(one.localized) == len(one.speech_motion) == len(one.performance)
        np.testing.assert_array_equal(one.localized, other.localized)
    lonely = dataclasses.replace(context, corpus=dataclasses.replace(context.corpus, clips=()))
    with pytest.raises(InputError, match="pairs need two"):
        make_pairs(lonely, 1)


def test_states_that_differ_are_read_and_the_classifier_is_always_the_same(context):
    motions = style.motions_by_state(context, "train")
    classifier, again = (style.fit_state_classifier(context) for _ in range(2))
    np.testing.assert_array_equal(classifier.slopes, again.slopes)
    assert share_right(classifier, style.motions_by_state(context, "test")) > 0.8
    lost = {state: clips for state, clips in motions.items() if state != "fear"}
    with pytest.raises(InputError, match="fear"):
        fit_classifier(context.pipeline.face, FPS, lost, motions)


def test_a_model_that_copies_its_style_keeps_all_of_it(context, monkeypatch):
    monkeypatch.setattr(EvaluationContext, "animate", lambda self, features, style, **_: style)
    part = style.measure(context)
    assert value(part, "read right, originals") > 0.8
    assert value(part, "read right, animations") == value(part, "read right, originals")
    assert value(part, "read right, animations over originals") == 1


def test_a_model_that_moves_the_same_in_every_style_reads_as_chance(context, monkeypatch):
    """The clips are as many of each state, so one answer is right in one of eight."""
    same = some_weights(70)
    monkeypatch.setattr(EvaluationContext, "animate", lambda self, features, style, **_: same)
    part = style.measure(context)
    assert value(part, "read right, originals") > 0.8
    assert value(part, "read right, animations") == pytest.approx(1 / len(STATE_NAMES))
    assert value(part, "read right, animations over originals") < 0.2


def test_a_style_needs_the_speech_of_another_state(context):
    only = [clip for clip in context.corpus.clips if clip.split != "test"]
    sad = [c for c in context.corpus.clips if c.split == "test" and c.emotion == "sad"]
    alone = dataclasses.replace(context.corpus, clips=(*only, *sad))
    with pytest.raises(InputError, match="only test clips that are sad"):
        style.measure(dataclasses.replace(context, corpus=alone), takes=1)


def test_actors_whom_the_model_has_seen_are_named(context):
    assert context.actors == "mei"
    known = tuple(dataclasses.replace(clip, actor="mei") for clip in context.corpus.clips)
    seen = dataclasses.replace(context, corpus=dataclasses.replace(context.corpus, clips=known))
    assert seen.actors == "mei (seen in training)"
    assert len(context.performances) == 2 * len(STATES)
