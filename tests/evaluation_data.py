"""Small corpora and a small model to try the evaluation on."""

import dataclasses
from pathlib import Path

import numpy as np
from tiny_model import TINY, awake

from kmspeaker.corpus.performances.states import STATES
from kmspeaker.corpus.store import Clip, Corpus, Motion, Split, write_index, write_shard
from kmspeaker.evaluation.context import EvaluationContext
from kmspeaker.face.rig import ARKIT_INDEX, FaceModel
from kmspeaker.pipeline import Pipeline
from kmspeaker.speech.encoders import load_encoder

FPS = 30.0
ENCODER = "whisper-tiny.en"
PHONES = (
    *(("SIL", 0.0, 0.6), ("B", 0.6, 0.68), ("AA", 0.68, 0.88), ("F", 0.88, 0.96)),
    *(("AE", 0.96, 1.1), ("M", 1.1, 1.2), ("AO", 1.2, 1.4), ("SIL", 1.4, 2.0)),
)
SHARD = "shard-0000.safetensors"
POSES = ("jawForward", "browDownLeft", "browInnerUp", "mouthSmileLeft", "noseSneerLeft")
POSES = (*POSES, "mouthFrownLeft", "eyeWideLeft", "mouthPucker")
"""One shape for each state, so that states are easily told apart."""


def corpus_of(face: FaceModel, folder: Path, dim: int = 6, encoder: str = ENCODER) -> Corpus:
    """Clips whose lip opening is a linear map of the features, so that ridge can be exact."""
    rng = np.random.default_rng(0)
    clips, motions = [], {}
    splits: tuple[Split, ...] = ("train", "train", "train", "val", "test")
    for number, split in enumerate(splits):
        features = rng.normal(size=(300, dim)).astype(np.float32)
        weights = np.zeros((300, 52), np.float32)
        weights[:, ARKIT_INDEX["jawOpen"]] = (0.4 + 0.1 * features[:, 0]).clip(0, 1)
        clips.append(_clip(f"clip{number}", 300, "clara", "neutral", split))
        motions[clips[-1].name] = Motion(weights, features)
    return _write(folder, clips, motions, encoder)


def performed_corpus(folder: Path, frames: int = 70, dim: int = 6) -> Corpus:
    """Two clips of every state in every split, each state a pose of its own."""
    rng = np.random.default_rng(1)
    clips, motions = [], {}
    actors: tuple[tuple[Split, str], ...] = (("train", "clara"), ("val", "sofia"), ("test", "mei"))
    for split, actor in actors:
        for state, shape in zip(STATES, POSES, strict=True):
            for number in range(2):
                weights = rng.uniform(0, 0.02, (frames, 52)).astype(np.float32)
                weights[:, ARKIT_INDEX[shape]] += 0.6
                weights[:, ARKIT_INDEX["eyeBlinkLeft"]] = rng.random() * (np.arange(frames) % 9 < 3)
                clips.append(_clip(f"{actor}_{state}_{number}", frames, actor, state, split))
                features = rng.normal(size=(frames, dim)).astype(np.float32)
                motions[clips[-1].name] = Motion(weights, features)
    return _write(folder, clips, motions, ENCODER)


def context_of(face: FaceModel, corpus: Corpus) -> EvaluationContext:
    """A tiny model, never trained, and a corpus."""
    dim = corpus.read(corpus.clips[0]).features.shape[1]
    config = dataclasses.replace(TINY, d_speech=dim)
    return EvaluationContext(
        Pipeline(face, load_encoder(ENCODER), awake(config, face=face), "tiny@0"), corpus
    )


def _clip(name: str, frames: int, actor: str, emotion: str, split: Split) -> Clip:
    return Clip(
        name, frames, SHARD, "x", actor, emotion, "none", "", PHONES, split, "made up", "CC0-1.0"
    )  # fmt: skip


def _write(folder: Path, clips: list[Clip], motions: dict[str, Motion], encoder: str) -> Corpus:
    write_shard(folder / SHARD, clips, motions, "plan")
    write_index(folder, clips, fps=FPS, encoder=encoder, seed=0)
    return Corpus.open(folder)
