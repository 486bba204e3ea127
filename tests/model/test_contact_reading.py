"""Lips touch each other and the teeth where a linear reading of the speech hears it."""

import numpy as np
import pytest

from kmspeaker.face.contacts import Contacts
from kmspeaker.face.lip_contact import APART, CLOSED, MET
from kmspeaker.face.rig import ARKIT_INDEX, UPPER_SHAPES
from kmspeaker.model.contact_reading import fit_contacts, keep_heard_contacts

FRAMES, DIM = 600, 6
LIPS, TEETH = slice(100, 104), slice(300, 304)


@pytest.fixture(scope="module")
def speech():
    """Features of which the second says when lips close, the fourth when the teeth are met."""
    features = np.random.default_rng(0).normal(0, 0.05, (FRAMES, DIM)).astype(np.float32)
    envelopes = np.zeros((FRAMES, 2))
    for first in range(20, FRAMES, 40):
        envelopes[first : first + 4, first // 40 % 2] = 1
    envelopes[LIPS, 0] = envelopes[TEETH, 1] = 1
    features[:, 1] += 30 * envelopes[:, 0]
    features[:, 3] += 30 * envelopes[:, 1]
    return features, envelopes


@pytest.fixture(scope="module")
def kept(speech, face):
    weights = np.zeros((FRAMES, 52), np.float32)
    weights[:, ARKIT_INDEX["jawOpen"]] = 0.3
    weights[:, ARKIT_INDEX["mouthSmileLeft"]] = weights[:, ARKIT_INDEX["browInnerUp"]] = 0.5
    fitted = fit_contacts([speech])
    assert fitted is not None
    return weights, keep_heard_contacts(weights, speech[0], *fitted, Contacts.of(face))


def test_lips_close_and_meet_the_teeth_where_they_are_heard_to(kept, face):
    weights, moved = kept
    opening, teeth = moved @ face.lip_opening, face.teeth_gap(moved, face.identities[0])
    assert (weights @ face.lip_opening).min() > APART
    assert opening[LIPS].max() < CLOSED
    assert teeth[TEETH].max() < MET


def test_all_other_frames_and_the_upper_face_stay_as_they_are(kept, speech):
    weights, moved = kept
    quiet = speech[1].sum(axis=1) == 0
    assert np.array_equal(moved[quiet], weights[quiet])
    assert np.array_equal(moved[:, UPPER_SHAPES], weights[:, UPPER_SHAPES])


def test_without_speech_of_known_phones_there_is_no_reading():
    assert fit_contacts([]) is None
