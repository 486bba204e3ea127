"""The upper face follows, the lips do not, the seam holds, and the style is read."""

import dataclasses

import numpy as np
import pytest
from judged import FPS, performed_corpus, subject_of
from tiny_model import some_weights

from kmspeaker.corpus.performances.states import STATES
from kmspeaker.errors import InputError
from kmspeaker.evaluation import disentanglement, localization, seam, style
from kmspeaker.evaluation.disentanglement import lip_errors
from kmspeaker.evaluation.localization_pairs import Dub, make_dubs
from kmspeaker.evaluation.seam import Seam
from kmspeaker.evaluation.state_classifier import fit_reader, share_read
from kmspeaker.face.landmarks import R_UPPER
from kmspeaker.face.rig import ARKIT_INDEX


@pytest.fixture(scope="module")
def subject(face, tmp_path_factory):
    return subject_of(face, performed_corpus(tmp_path_factory.mktemp("corpus")))


UP = np.array([0, 1, 0], np.float32)
"""A millimetre."""


def perfect(seed: int = 0) -> Dub:
    """What a model would give that is its corpus."""
    spoken, performed = some_weights(40, seed), some_weights(40, seed + 100)
    upper = np.array([k in UPPER for k in range(52)])
    localized = np.where(upper, performed, spoken).astype(np.float32)
    near = 0.9 * spoken
    return Dub(f"pair {seed}", "mei", spoken, performed, localized, near, near, performed)


UPPER = {k for name, k in ARKIT_INDEX.items() if name.startswith(("brow", "eye"))}


def value(part, figure: str) -> float:
    return next(row.estimate.value for row in part.findings if row.figure == figure)


def test_a_face_that_copies_the_performance_has_no_error_and_follows_every_curve(subject):
    dubs = [dataclasses.replace(one, localized=one.performed) for one in map(perfect, range(3))]
    part = localization.measure(subject, dubs)
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
    assert localization.distance(face, jaw, still, upper) < 0.04
    assert localization.distance(face, brow, still, upper) > 0.05
    assert (localization.brow_height(face, brow) > 1).all()
    blink = still.copy()
    blink[:, [ARKIT_INDEX["eyeBlinkLeft"], ARKIT_INDEX["eyeBlinkRight"]]] = 1
    assert (localization.lid_opening(face, blink) < -5).all()


def test_lips_that_no_performance_touches_have_ratio_one(subject):
    part = disentanglement.measure(subject, [perfect(seed) for seed in range(4)])
    ratio = part.findings[0].estimate
    assert ratio.value == ratio.low == ratio.high == pytest.approx(1)
    leaking = [dataclasses.replace(one, followed=one.performed) for one in map(perfect, range(4))]
    assert disentanglement.measure(subject, leaking).findings[0].estimate.value > 1.5


def test_the_same_motion_has_no_lip_error_and_the_largest_is_not_below_the_mean(face):
    one, other = some_weights(20, 1), some_weights(20, 2)
    assert lip_errors(face, one, one) == (0, 0)
    mean, largest = lip_errors(face, one, other)
    assert 0 < mean <= largest


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


def test_the_original_is_as_coherent_as_itself(subject):
    dubs = [dataclasses.replace(one, localized=one.performed) for one in map(perfect, range(3))]
    part = seam.measure(subject, dubs)
    judged = [row for row in part.findings if row.target is not None]
    assert len(judged) == 4
    assert all(row.estimate.value == pytest.approx(1) for row in judged)


def test_pairs_are_of_different_clips_and_always_the_same(subject):
    dubs = make_dubs(subject, 2)
    again = make_dubs(subject, 2)
    for one, other in zip(dubs, again, strict=True):
        speech, performance = one.name.split(" as ")
        assert speech != performance and one.name == other.name
        assert len(one.localized) == len(one.spoken) == len(one.performed)
        np.testing.assert_array_equal(one.localized, other.localized)
    lonely = dataclasses.replace(subject, corpus=dataclasses.replace(subject.corpus, clips=()))
    with pytest.raises(InputError, match="pairs need two"):
        make_dubs(lonely, 1)


def test_states_that_differ_are_read_and_the_reader_is_always_the_same(subject):
    motions = style.motions_by_state(subject, "train")
    reader, again = style.read_emotions(subject), style.read_emotions(subject)
    np.testing.assert_array_equal(reader.slopes, again.slopes)
    assert share_read(reader, style.motions_by_state(subject, "test")) > 0.9
    lost = {state: clips for state, clips in motions.items() if state != "fear"}
    with pytest.raises(InputError, match="fear"):
        fit_reader(subject.pipeline.face, FPS, lost, motions)


def test_a_style_that_is_lost_is_seen_to_be_lost(subject):
    part = style.measure(subject, takes=3)
    assert value(part, "read right, originals") > 0.6
    assert value(part, "read right, takes") <= 1
    only = [clip for clip in subject.corpus.clips if clip.split != "test"]
    sad = [c for c in subject.corpus.clips if c.split == "test" and c.emotion == "sad"]
    alone = dataclasses.replace(subject.corpus, clips=(*only, *sad))
    with pytest.raises(InputError, match="only test clips that are sad"):
        style.measure(dataclasses.replace(subject, corpus=alone), takes=1)


def test_actors_whom_the_model_has_seen_are_named(subject):
    assert subject.actors == "mei"
    known = tuple(dataclasses.replace(clip, actor="mei") for clip in subject.corpus.clips)
    seen = dataclasses.replace(subject, corpus=dataclasses.replace(subject.corpus, clips=known))
    assert seen.actors == "mei (seen in training)"
    assert len(subject.performed) == 2 * len(STATES)
