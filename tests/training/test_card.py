"""The model card: hours of distinct recordings, and what is not the paper's."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from tiny_model import TINY

from kmspeaker.corpus.config import Config
from kmspeaker.corpus.performances.recordings import Recording
from kmspeaker.corpus.plan import Plan, plan_clips
from kmspeaker.corpus.speech.voices import Utterance
from kmspeaker.corpus.store import Clip, Corpus
from kmspeaker.model.network import PAPER as PAPER_NETWORK
from kmspeaker.training.card import model_card
from kmspeaker.training.hours import hours
from kmspeaker.training.options import PAPER, TrainingOptions
from kmspeaker.training.paper_differences import network_differences, option_differences

FPS = 30.0
SECONDS = 15.0
"""Of each recording, which makes a clip of its own."""
TURNS = {"lips_few": 10.0, "lips_many": 3.0}


def recording(source: str, number: int) -> Recording:
    return Recording(
        name=f"{source}{number}",
        speaker=f"speaker_of_{source}",
        source=source,
        licence="CC0",
        path=Path("none.wav"),
        mouth=np.zeros((round(SECONDS * FPS), 52), np.float32),
        fps=FPS,
    )


def utterance(number: int, actor: str = "", emotion: str = "") -> Utterance:
    sentence = " ".join("abcdefgh"[number % 8] * (1 + number // 8) for _ in range(4))
    return Utterance(
        name=f"u{number}",
        speaker=actor or f"reader_{number}",
        path=Path("none.wav"),
        seconds=SECONDS,
        text=f"{sentence} {actor} {emotion}",
        phones=(("AA", 0.0, 1.0),),
        source="acted" if actor else "read",
        licence="CC0",
        actor=actor,
        emotion=emotion,
    )


def clip(plan: Plan) -> Clip:
    captured = bool(plan.recordings)
    seconds = SECONDS * (len(plan.recordings) + len(plan.utterances)) + plan.noise
    return Clip(
        name=plan.name,
        frames=round(seconds * FPS),
        shard="shard-0000.safetensors",
        speaker=plan.speaker,
        actor=plan.actor or "clara",
        emotion=plan.emotion or "neutral",
        intensity=plan.intensity or "moderate",
        text="",
        phones=(("AA", 0.0, 1.0),),
        split=plan.split,
        source=plan.source,
        licence=plan.licence,
        lips="captured" if captured else "made",
    )


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """Two recordings ten times, four three times, three sentences acted, five read once."""
    config = Config(
        data=Path("none"),
        actors={"train": ("clara",), "val": ("sofia",), "test": ("mei",)},
        minutes=1000.0,
        captured=1.0,
        acted=1.0,
        turns=TURNS,
        held_out={"val": 0.0, "test": 0.0},
    )
    recordings = [recording("lips_few", k) for k in range(2)]
    recordings += [recording("lips_many", k) for k in range(4)]
    utterances = [utterance(0, "clara", "happy"), utterance(1, "clara", "happy")]
    utterances += [utterance(2, "clara", "neutral"), *(utterance(k) for k in range(3, 8))]
    plans = plan_clips(config, utterances, recordings)
    clips = tuple(clip(plan) for plan in plans if not plan.noise)
    return Corpus(Path("none"), FPS, TINY.speech_encoder, 0, clips, {}, {})


def recordings_in_hours(count: int) -> float:
    return count * SECONDS / 3600


def test_a_recording_counts_once_however_often_it_is_repeated(corpus):
    by_source = {
        source: hours([clip for clip in corpus.clips if clip.source == source], FPS)
        for source in {clip.source for clip in corpus.clips}
    }
    expected = {
        "lips_few": (2, 2 * TURNS["lips_few"]),
        "lips_many": (4, 4 * TURNS["lips_many"]),
        "acted": (3, 2 * 2 + 1),  # happy in two intensities, neutral in one
        "read": (5, 5),
    }
    assert by_source.keys() == expected.keys()
    for source, (unique, weighted) in expected.items():
        assert by_source[source].unique == pytest.approx(recordings_in_hours(unique)), source
        assert by_source[source].weighted == pytest.approx(recordings_in_hours(weighted)), source
    assert hours(corpus.clips, FPS).unique == pytest.approx(recordings_in_hours(2 + 4 + 3 + 5))


def card_of(corpus: Corpus, options: TrainingOptions, config=PAPER_NETWORK) -> str:
    scores = dict.fromkeys(
        ("lip_localize", "lip_stylize", "lip_error", "upper_error", "upper_still"), 0.5
    )
    entries = [
        {"kind": "train", "step": 1, "seconds": 1.0, "loss": 2.0},
        {"kind": "validation", "step": 1, "seconds": 1.0, **scores},
    ]
    return model_card(corpus, options, config, entries, "a machine")


def test_the_card_has_unique_hours_and_weighted_ones_beside_them(corpus):
    longer = tuple(dataclasses.replace(clip, frames=100 * clip.frames) for clip in corpus.clips)
    card = card_of(dataclasses.replace(corpus, clips=longer), PAPER)
    unique, weighted = (100 * recordings_in_hours(count) for count in (2, 20))
    row = f"| train | lips_few | recorded | captured | CC0 | {unique:.2f} | {weighted:.2f} |"
    assert row in card
    captured = 100 * recordings_in_hours(2 + 4)
    assert f"{captured:.2f} hours have lips captured" in card


def test_a_card_of_the_papers_size_and_options_lists_what_is_not_the_papers(corpus):
    config = dataclasses.replace(PAPER_NETWORK, n_coeffs=45, speech_encoder="whisper-tiny.en")
    card = card_of(corpus, PAPER, config)
    section = card[card.index("Not the paper's in any model") : card.index("## Limits")]
    listed = re.findall(r"^- (.*)$", section, re.MULTILINE)
    for words in (
        "at most 52 components where the paper has 128",
        "0.2 s before and after",
        "Dropout of attention",
        "(400000) and the precision (bf16) are guesses",
        "built with, whisper-tiny.en",
        "MLP",
        "normalization of its norms",
    ):
        assert sum(words in line for line in listed) == 1, words
    assert "Options of this training that are not the paper's: none." in section


def test_options_that_differ_are_named_with_their_values():
    assert option_differences(PAPER) == network_differences(PAPER_NETWORK) == "none"
    options = dataclasses.replace(PAPER, warm_up=7, steps=9)
    assert option_differences(options) == "warm_up 7"
    config = dataclasses.replace(PAPER_NETWORK, d_model=64, fps=30.0)
    assert network_differences(config) == "fps 30.0"
