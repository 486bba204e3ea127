from itertools import pairwise

import numpy as np
import pytest
from recordings import spoken_example

from kmspeaker.corpus.lips.visemes import SILENCE
from kmspeaker.corpus.speech.forced_alignment import (
    LONGEST_CLOSURE,
    Aligner,
    pronunciation,
    shorten_closures,
    split_words,
)
from kmspeaker.errors import InputError
from kmspeaker.media.audio import SAMPLE_RATE


@pytest.fixture(scope="module")
def aligner():
    return Aligner()


@pytest.fixture(scope="module")
def clip():
    """Seconds of speech, its text and its phones as they are known."""
    spoken = spoken_example()
    return spoken.sound.samples, spoken.text, spoken.phones


def test_phones_lie_where_they_are_known_to_lie(aligner, clip):
    samples, text, known = clip
    found = aligner.align(samples, text)
    said = [phone for phone in found if phone[0] != SILENCE]
    expected = [phone for phone in known if phone[0] != SILENCE]
    assert [name for name, _, _ in said] == [name for name, _, _ in expected]
    late = np.array([a[1] - b[1] for a, b in zip(said, expected, strict=True)])
    assert np.median(np.abs(late)) < 0.02


def test_phones_follow_each_other_without_gaps_and_silences_do_not_repeat(aligner, clip):
    samples, text, _ = clip
    phones = aligner.align(samples, text)
    for before, after in pairwise(phones):
        assert before[2] == pytest.approx(after[1])
        assert before[1] < before[2]
        assert (before[0], after[0]) != (SILENCE, SILENCE)
    assert phones[-1][2] <= len(samples) / SAMPLE_RATE


def test_vowels_are_loud_and_silences_are_not(aligner, clip):
    samples, text, _ = clip
    phones = aligner.align(samples, text)

    def level(names: set[str]) -> float:
        pieces = [
            samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
            for name, start, end in phones
            if name in names
        ]
        return float(np.sqrt(np.mean(np.concatenate(pieces) ** 2)))

    assert level({"AA", "AE", "AY", "EH", "IY", "OW"}) > 20 * level({SILENCE})


def test_the_letter_a_is_said_by_its_name_before_a_digit():
    assert pronunciation("letter_a") == ("EY1",)
    assert split_words("Bin blue at A two, now. A man!")[3:] == (
        "letter_a", "two", "now", "a", "man",
    )  # fmt: skip


def test_an_unknown_word_is_named(aligner, clip):
    with pytest.raises(InputError, match="'zwxqt'"):
        aligner.align(clip[0], "author of the zwxqt trail")


@pytest.mark.parametrize("text", ["", " ...", "!?"])
def test_a_text_without_words_is_refused(aligner, clip, text):
    with pytest.raises(InputError, match="no words"):
        aligner.align(clip[0], text)


def test_a_number_in_digits_is_refused_for_it_may_be_said_in_many_ways(aligner, clip):
    with pytest.raises(InputError, match="number 1984"):
        aligner.align(clip[0], "It was in 1984.")


def test_words_that_do_not_fit_are_refused_and_the_next_clip_aligns_all_the_same(aligner, clip):
    samples, text, _ = clip
    first = aligner.align(samples, text)
    with pytest.raises(InputError, match="cannot be heard"):
        aligner.align(samples[: SAMPLE_RATE // 5], text)
    assert aligner.align(samples, text) == first


def test_a_possessive_is_pronounced_from_its_owner():
    assert pronunciation("pity's") == (*(pronunciation("pity") or ()), "Z")
    assert pronunciation("zwxqt's") is None


@pytest.mark.parametrize("before", [(), ((SILENCE, 0.0, 0.2),)])
def test_a_plosive_after_silence_does_not_keep_the_silence(before):
    start = 0.2 if before else 0.0
    rest = (("L", 1.0, 1.1), ("P", 1.1, 1.6))
    assert shorten_closures((*before, ("P", start, 1.0), *rest)) == (
        (SILENCE, 0.0, 1.0 - LONGEST_CLOSURE),
        ("P", 1.0 - LONGEST_CLOSURE, 1.0),
        *rest,
    )
