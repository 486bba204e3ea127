import numpy as np
import pytest

from kmspeaker.corpus.lips.visemes import (
    BILABIALS,
    CHANNELS,
    GROUP_NAMES,
    LABIODENTALS,
    SILENCE,
    VISEMES,
    channel_matrix,
    parse_phones,
    spans,
    viseme,
)
from kmspeaker.errors import InputError
from kmspeaker.face.rig import ARKIT_INDEX

ARPABET = """
    AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y
    Z ZH
"""
"""The 39 phones of the CMU dictionary."""


def test_every_phone_of_english_has_a_viseme():
    assert set(ARPABET.split()) | {SILENCE} == set(VISEMES)


@pytest.mark.parametrize("name", VISEMES)
def test_a_viseme_asks_only_for_shapes_that_exist_and_weights_that_a_rig_can_play(name):
    shape = VISEMES[name]
    assert set(shape.targets) <= set(CHANNELS)
    assert all(0 <= value <= 1 for value in shape.targets.values())
    assert set(shape.dominance) == set(GROUP_NAMES)
    assert all(value > 0 for value in shape.dominance.values())


def test_contacts_are_those_of_english():
    assert {"P", "B", "M"} == BILABIALS
    assert {"F", "V"} == LABIODENTALS


def test_a_channel_without_a_side_moves_both_sides_alike():
    matrix = channel_matrix()
    row = matrix[CHANNELS.index("mouthStretch")]
    assert set(np.flatnonzero(row)) == {
        ARKIT_INDEX["mouthStretchLeft"],
        ARKIT_INDEX["mouthStretchRight"],
    }
    assert matrix[CHANNELS.index("jawOpen")].sum() == 1
    assert (matrix.sum(axis=0) <= 1).all()


def test_phones_are_read_with_their_times():
    phones = parse_phones("AO:0.00:0.22 TH:0.22:0.34 SIL:0.34:0.5")
    assert phones == (("AO", 0.0, 0.22), ("TH", 0.22, 0.34), ("SIL", 0.34, 0.5))
    assert spans(phones, {"TH"}) == [(0.22, 0.34)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "without phones"),
        ("AO:0.0", "NAME:START:END"),
        ("QQ:0.0:0.1", "QQ"),
        ("AO:0.2:0.1", "out of order"),
        ("AO:0.0:0.2 B:0.1:0.3", "out of order"),
    ],
)
def test_phones_that_cannot_be_are_refused_by_name(text, message):
    with pytest.raises(InputError, match=message):
        parse_phones(text)


def test_an_unknown_phone_is_refused():
    with pytest.raises(InputError, match="XX"):
        viseme("XX")
