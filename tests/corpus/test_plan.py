"""What a corpus is made of: its configuration, its plan and its splits."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kmspeaker.corpus.config import Config, read_config
from kmspeaker.corpus.performances.recordings import Recording
from kmspeaker.corpus.performances.states import INTENSITIES, STATES
from kmspeaker.corpus.plan import Plan, fingerprint, plan_clips, sentences
from kmspeaker.corpus.speech.voices import Utterance
from kmspeaker.corpus.store import SPLITS
from kmspeaker.errors import InputError

OPEN = Path(__file__).resolve().parents[2] / "configs/open.toml"


@pytest.fixture(scope="module")
def config() -> Config:
    return read_config(OPEN)


def test_the_actors_are_split_eight_one_three(config, face):
    assert [len(config.actors[split]) for split in SPLITS] == [8, 1, 3]
    assert sorted(name for own in config.actors.values() for name in own) == sorted(face.identities)


def test_places_are_relative_to_the_file(config):
    assert config.data == OPEN.parent / "../data"
    assert "data" not in config.recipe() and config.recipe()["minutes"] == config.minutes


@pytest.mark.parametrize(
    ("find", "put", "message"),
    [
        ("seed = 0", "sead = 0", r"unknown key 'sead'.*\bseed\b"),
        ("minutes = 300", 'minutes = "many"', "minutes"),
        ("minutes = 300", "minutes = -1", "minutes = -1"),
        ("captured = 0.42", "captured = 1.5", "captured"),
        ("seed = 0", "seed = true", "seed"),
        ("seed = 0", "seed = ", "not TOML"),
        ('val = ["sofia"]', 'val = ["mei"]', "mei in two splits"),
        ('val = ["sofia"]', "", "actors with train, test"),
        ('data = "../data"', "", "no 'data'"),
        ("grid_s1 = 0.0", 'grid_s1 = "late"', "lips_late"),
    ],
)
def test_a_configuration_that_cannot_be_meant_is_told(tmp_path, find, put, message):
    text = OPEN.read_text()
    assert find in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(find, put, 1))
    with pytest.raises(InputError, match=message):
        read_config(path)
    with pytest.raises(InputError, match="nowhere"):
        read_config(tmp_path / "nowhere.toml")


def an_utterance(name: str, text: str, **changes) -> Utterance:
    phones = (("AA", 0.0, 4.0),)
    known = Utterance(name, "someone", Path("x"), 4.0, text, phones, "ours", "CC0-1.0")
    return replace(known, **changes)


def acted(config: Config) -> list[Utterance]:
    """Six sentences by each actor in each state; no sentence of one split is said in another."""
    return [
        an_utterance(
            f"{actor}{emotion}{n}",
            f"{emotion} {split} {'abcdef'[n]}",
            speaker=f"acted_{actor}",
            actor=actor,
            emotion=emotion,
        )
        for split, actors in config.actors.items()
        for actor in actors
        for emotion in STATES
        for n in range(6)
    ]


def test_acted_speech_is_performed_by_its_actor_in_its_state_and_every_intensity(config):
    plans = plan_clips(replace(config, minutes=1000.0, acted=1.0), acted(config), ())
    scenes = [plan for plan in plans if plan.actor]
    splits = {name: split for split, own in config.actors.items() for name in own}
    performed: dict[Utterance, set[str]] = {}
    for plan in scenes:
        assert plan.split == splits[plan.actor] and 8 < plan.seconds < 30
        for utterance in plan.utterances:
            assert (utterance.actor, utterance.emotion) == (plan.actor, plan.emotion)
            performed.setdefault(utterance, set()).add(plan.intensity)
    assert len(performed) == len(acted(config))
    for utterance, intensities in performed.items():
        assert intensities == ({"none"} if utterance.emotion == "neutral" else set(INTENSITIES))


def test_acted_speech_and_real_lips_keep_to_their_shares(config):
    few = replace(config, minutes=20.0, acted=0.3)
    plans = plan_clips(few, acted(config), [a_recording(f"recording{n}") for n in range(400)])
    minutes = {
        "acted": sum(plan.seconds for plan in plans if plan.actor) / 60,
        "captured": sum(plan.seconds for plan in plans if plan.recordings) / 60,
    }
    assert minutes["acted"] == pytest.approx(6, abs=0.7)
    assert minutes["captured"] == pytest.approx(0.43 * 20, abs=0.5)


def test_an_actor_whom_no_split_names_and_an_unknown_state_are_told(config):
    with pytest.raises(InputError, match=r"'bored'.*\bx\b.*happy"):
        plan_clips(config, [an_utterance("x", "a", actor="clara", emotion="bored")], ())
    with pytest.raises(InputError, match=r"'nobody'.*\bx\b"):
        plan_clips(config, [an_utterance("x", "a", actor="nobody", emotion="sad")], ())


def test_no_sentence_is_in_two_splits_whatever_its_punctuation(config):
    utterances = acted(config)
    utterances += [an_utterance(f"n{n}", f"Sad, TEST {'abcdef'[n]}!") for n in range(6)]
    utterances += [an_utterance(f"m{n}", f"only here {'abcdef'[n]}") for n in range(6)]
    plans = plan_clips(replace(config, minutes=1000.0, acted=1.0), utterances, ())
    check_splits(plans)
    names = {utterance.name for plan in plans for utterance in plan.utterances}
    assert {"n0", "n5"}.isdisjoint(names) and {"m0", "m5"} <= names


def talkers() -> list[Utterance]:
    """One has read for an hour, sixty talk for a minute; every other line is everybody's."""
    counts = {"reader": 900, **{f"talker {spelt(n)}": 10 + n % 7 for n in range(60)}}
    return [
        an_utterance(f"{speaker}_{n}", f"{'all' if n % 2 else speaker} {spelt(n)}", speaker=speaker)
        for speaker, count in counts.items()
        for n in range(count)
    ]


def spelt(number: int) -> str:
    """In letters, for sentences are compared by these."""
    return "".join("abcdefghij"[int(digit)] for digit in str(number))


def test_nobody_and_no_sentence_of_many_people_is_in_two_splits(config):
    utterances = talkers()
    plans = plan_clips(replace(config, minutes=150.0), utterances, ())
    check_splits(plans)
    seconds = {
        split: sum(plan.seconds for plan in plans if plan.split == split) for split in SPLITS
    }
    assert 0.05 < seconds["test"] / sum(seconds.values()) < 0.15
    assert len({plan.speaker for plan in plans}) > 30
    used = [utterance for plan in plans for utterance in plan.utterances]
    assert len(used) == len(set(used))


def check_splits(plans: tuple[Plan, ...]) -> None:
    heard: dict[str, str] = {}
    met: dict[str, str] = {}
    for plan in plans:
        assert met.setdefault(plan.speaker, plan.split) == plan.split, plan.speaker
        for sentence in sentences(u.text for u in (*plan.utterances, *plan.recordings)):
            assert heard.setdefault(sentence, plan.split) == plan.split, sentence
    assert set(met.values()) == set(SPLITS)


def test_sentences_are_compared_by_their_letters():
    assert sentences(["Don't  stop, Bob!"]) == sentences(["dont stop bob"]) == {"dont stop bob"}
    assert sentences(["...", ""]) == set()


def a_recording(name: str, seconds: float = 3.0, **changes) -> Recording:
    mouth = np.zeros((round(seconds * 30), 52), np.float32)
    return replace(Recording(name, "him", "film", "CC-BY-4.0", Path("x"), mouth, 30.0), **changes)


def test_recordings_become_clips_of_ten_to_twenty_seconds(config):
    recordings = [a_recording("long", 100.0), *(a_recording(f"t{n}") for n in range(40))]
    plans = [
        p for p in plan_clips(replace(config, turns={"film": 2.0}), (), recordings) if p.recordings
    ]
    assert all(5 <= plan.seconds < 25 and plan.split == "train" for plan in plans)
    assert np.median([plan.seconds for plan in plans]) == pytest.approx(15, abs=3)
    pieces = sorted(
        (t.start, len(t.mouth)) for p in plans for t in p.recordings if "long" in t.name
    )
    assert sum(length for _, length in pieces) == 2 * 3000
    names = [plan.name for plan in plans]
    assert len(names) == len(set(names))
    assert sum(recording.name == "t7" for plan in plans for recording in plan.recordings) == 2


def test_few_voices_are_used_more_often_than_many(config):
    recordings = [
        *(a_recording(f"t{n}") for n in range(20)),
        *(a_recording(f"s{n}", source="show", speaker="her") for n in range(20)),
    ]
    plans = plan_clips(replace(config, turns={"film": 3.0, "show": 1.0}), (), recordings)
    used = Counter(recording.name for plan in plans for recording in plan.recordings)
    assert (used["t7"], used["s7"]) == (3, 1)


def test_of_one_voice_that_talks_long_a_share_can_be_used(config):
    recordings = [a_recording(f"t{n}") for n in range(100)]
    for turns, share in ((0.4, 0.4), (1.5, 1.5), (1.0, 1.0)):
        plans = plan_clips(replace(config, turns={"film": turns}), (), recordings)
        used = Counter(recording.name for plan in plans for recording in plan.recordings)
        assert used.total() == pytest.approx(100 * share, abs=8)
        assert max(used.values()) == np.ceil(turns)


def test_where_the_data_lies_does_not_change_the_plan(config):
    plans = plan_clips(replace(config, minutes=20.0), acted(config), ())
    moved = [replace(u, path=Path("elsewhere")) for u in acted(config)]
    again = plan_clips(replace(config, minutes=20.0), moved, ())
    assert fingerprint(plans, fps=30) == fingerprint(again, fps=30) != fingerprint(plans, fps=25)
    assert re.fullmatch("[0-9a-f]{16}", fingerprint(plans))
