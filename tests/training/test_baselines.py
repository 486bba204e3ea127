"""Baselines are trained on what ours is trained on, and a run goes on where it was stopped."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from baselines.plain_system import PlainConfig, PlainSystem
from tiny_model import some_weights, write_corpus

from kmspeaker.baselines import systems
from kmspeaker.corpus.store import Corpus
from kmspeaker.errors import InputError
from kmspeaker.face.contacts import STIFFNESS
from kmspeaker.face.rig import FaceModel
from kmspeaker.training import baselines, bench
from kmspeaker.training.baselines import BaselineOptions, train_baseline
from kmspeaker.training.data import Clip, ClipFrames
from kmspeaker.training.excerpts import actor_labels, draw_excerpt
from kmspeaker.training.held_styles import Wearer
from kmspeaker.training.log import read_log

OPTIONS = BaselineOptions("plain", steps=6, batch=4, warm_up=0, validate_every=3, save_every=2)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return Corpus.open(write_corpus(tmp_path_factory.mktemp("data") / "corpus"))


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch):
    """A system that is no more than a linear layer stands for all."""
    monkeypatch.setattr(systems, "baseline_class", lambda name: PlainSystem)
    monkeypatch.setattr(baselines, "baseline_class", lambda name: PlainSystem)


def weights_of(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def test_training_lowers_the_loss_and_leaves_a_system_that_speaks(tmp_path, corpus, face):
    options = dataclasses.replace(OPTIONS, steps=60, learning_rate=3e-2, validate_every=1000)
    folder = train_baseline(corpus, tmp_path, options)
    losses = [entry["loss"] for entry in read_log(tmp_path) if entry["kind"] == "train"]
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:10])
    system = systems.load_system(folder)
    assert isinstance(system, PlainSystem) and system.style_mean.any()
    features = np.zeros((50, system.config.d_speech), np.float32)
    (weights,) = system.animate(face, features, system.style_mean[None])
    assert weights.shape == (50, 52) and weights.min() >= 0 and weights.max() <= 1
    assert "no more than a linear layer" in (folder / "README.md").read_text()


def test_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path, corpus):
    whole = train_baseline(corpus, tmp_path / "whole", OPTIONS)
    train_baseline(
        corpus, tmp_path / "parts", dataclasses.replace(OPTIONS, schedule="cosine"), minutes=1e-6
    )  # one step
    assert read_log(tmp_path / "parts")[-1]["step"] == 1
    parts = train_baseline(corpus, tmp_path / "parts", OPTIONS)
    assert weights_of(whole) == weights_of(parts)
    with pytest.raises(InputError, match="learning_rate"):
        train_baseline(
            corpus, tmp_path / "parts", dataclasses.replace(OPTIONS, learning_rate=1e-5, steps=9)
        )


def test_one_command_trains_all_and_says_what_it_does_not_know(
    tmp_path, corpus, monkeypatch, capsys
):
    monkeypatch.setattr(bench, "BASELINES", {"one": OPTIONS, "two": OPTIONS})
    monkeypatch.setattr(bench, "KNOWN", ("one", "two"))
    asked = [str(corpus.folder), "-o", str(tmp_path), "--steps", "1"]
    assert bench.main(asked) == 0
    assert all((tmp_path / name / "model" / "config.json").is_file() for name in ("one", "two"))
    assert bench.main([*asked, "--systems", "one,three"]) == 2
    assert "'three'" in capsys.readouterr().err


def excerpt_of(step: int, lengths: tuple[int, ...] = (30, 50), batch: int = 64):
    clips = [
        Clip(
            str(k),
            "ab"[k % 2],
            some_weights(n, seed=k).astype(np.float16),
            np.arange(n)[:, None].repeat(12, 1).astype(np.float16) + 1000 * k,
        )
        for k, n in enumerate(lengths)
    ]
    frames = ClipFrames.of(clips, torch.device("cpu"))
    model = PlainSystem(PlainConfig("plain", window_frames=20, n_coeffs=52, d_speech=12))
    wearer = Wearer.of(FaceModel.load(), STIFFNESS)
    return draw_excerpt(model, frames, actor_labels(clips), wearer, batch=batch, seed=0, step=step)


def test_an_excerpt_is_two_windows_of_one_clip_and_says_whether_they_are_neighbours():
    excerpt = excerpt_of(0)
    first, second = excerpt.speech[:, 0, :, 0], excerpt.speech[:, 1, :, 0]
    assert torch.equal(first[:, 0] // 1000, second[:, -1] // 1000)
    assert torch.equal(excerpt.actor, (first[:, 0] // 1000).long())
    follows = second[:, 0] == first[:, -1] + 1
    assert torch.equal(follows, excerpt.adjacent)
    assert follows[excerpt.actor == 1].all()  # 50 frames have room for two windows of 20
    assert torch.equal(first.diff(dim=1), torch.ones_like(first[:, 1:]))


def test_a_step_is_a_function_of_seed_and_step():
    one, again, other = (excerpt_of(step) for step in (3, 3, 4))
    assert torch.equal(one.motion, again.motion)
    assert not torch.equal(one.motion, other.motion)
