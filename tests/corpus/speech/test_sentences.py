# ruff: noqa: RUF001 -- phonetic letters look like others

import re
import tomllib
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from kmspeaker.corpus.performances.states import STATES
from kmspeaker.corpus.speech.forced_alignment import split_words
from kmspeaker.corpus.speech.kokoro import SPOKEN_LIGHTLY, spell
from kmspeaker.corpus.speech.sentences import (
    LINES_PER_STATE,
    SPLIT_OF_ACTOR,
    deal_lines,
    read_sentences,
)
from kmspeaker.corpus.speech.synthesis import PACE, TEMPO, VOICES
from kmspeaker.errors import InputError

LINES = deal_lines()
CONFIG = Path(__file__).resolve().parents[3] / "configs/open.toml"


def test_no_sentence_is_in_two_splits_or_written_twice():
    splits = defaultdict(set)
    for line in LINES:
        splits[split_words(line.text)].add(SPLIT_OF_ACTOR[line.actor])
    assert all(len(found) == 1 for found in splits.values())
    written = [
        split_words(text)
        for casts in read_sentences().values()
        for texts in casts.values()
        for text in texts
    ]
    assert len(written) == len(set(written))


def test_every_actor_has_lines_in_every_state(face):
    assert set(SPLIT_OF_ACTOR) == set(face.identities)
    counts = Counter((line.actor, line.state) for line in LINES)
    expected = {"train": LINES_PER_STATE, "val": 4, "test": 5}
    for actor, split in SPLIT_OF_ACTOR.items():
        for state in STATES:
            assert counts[actor, state] == expected[split]
    assert len(LINES) == counts.total()


def test_the_shipped_configuration_has_the_actors_in_the_same_splits():
    config = tomllib.loads(CONFIG.read_text())
    split_of = {actor: split for split, actors in config["actors"].items() for actor in actors}
    assert split_of == SPLIT_OF_ACTOR


def test_an_actor_never_says_a_sentence_twice_and_few_share_one():
    said = Counter((line.actor, line.text) for line in LINES)
    assert max(said.values()) == 1
    assert max(Counter(line.text for line in LINES).values()) <= 3


def test_every_word_has_a_pronunciation_and_sentences_are_of_a_length_to_be_said_in_a_breath():
    for text in {line.text for line in LINES}:
        spell(text)
        assert 6 <= len(split_words(text)) <= 14, text
        assert re.fullmatch(r"[A-Za-z ,.!?']+", text), text


def test_the_lines_are_full_of_lip_sounds():
    lip_letters = [sum(letter in "pbmfvwo" for letter in line.text.lower()) for line in LINES]
    assert sum(lip_letters) / sum(len(line.text) for line in LINES) > 0.2


def test_any_beginning_of_the_lines_has_all_actors_and_states():
    beginning = LINES[: len(SPLIT_OF_ACTOR) * len(STATES)]
    assert len({(line.actor, line.state) for line in beginning}) == len(beginning)


def test_names_of_clips_are_unique():
    assert len({line.name for line in LINES}) == len(LINES)


def test_twelve_voices_differ_and_every_state_has_a_pace():
    assert set(VOICES) == set(TEMPO) == set(SPLIT_OF_ACTOR)
    assert len({tuple(sorted(blend.items())) for blend in VOICES.values()}) == len(VOICES)
    for actor, blend in VOICES.items():
        women = {name[1] for name in blend} == {"f"}
        assert women == (actor in {"clara", "mei", "amara", "sofia", "hana", "ingrid"})
        assert sum(blend.values()) == pytest.approx(1)
    assert set(PACE) == set(STATES)
    assert PACE["sad"] < PACE["authority"] < PACE["neutral"] < PACE["angry"]


def test_a_sentence_is_spelt_with_its_stresses_and_its_punctuation():
    assert spell("The wind, was Bob's!") == "ðə wˈɪnd, wəz bˈɑbz!"
    assert "the" in SPOKEN_LIGHTLY.split()


def test_a_word_that_cannot_be_said_is_named():
    with pytest.raises(InputError, match="'zwxqt'"):
        spell("The zwxqt is here.")
