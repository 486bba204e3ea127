"""A network and a corpus small enough that every law is checked in seconds."""

import dataclasses
from pathlib import Path

import numpy as np
import torch

from kmspeaker.corpus.store import Clip, Motion, write_index, write_shard
from kmspeaker.face.rig import ARKIT_INDEX, FaceModel, Weights
from kmspeaker.model.motion_space import MotionSpace, rig_fingerprint
from kmspeaker.model.network import PRESETS, SMALL, KMSpeaker, ModelConfig

TINY = dataclasses.replace(
    SMALL,
    d_model=16,
    layers=2,
    heads=2,
    feed_forward=24,
    condition_width=16,
    window_frames=24,
    window_overlap=8,
    d_speech=6,
    n_coeffs=8,
    steps=2,
)


def some_weights(frames: int, seed: int = 0) -> Weights:
    """Smooth random weights of all shapes."""
    random = np.random.default_rng(seed)
    drawn = random.normal(0.15, 0.6, (frames + 8, 52))
    smooth = np.stack([drawn[k : k + frames] for k in range(8)]).mean(0)
    return smooth.clip(0, 1).astype(np.float32)


def awake(config: ModelConfig = TINY, seed: int = 0, face: FaceModel | None = None) -> KMSpeaker:
    """A model whose adaptive norms are no longer at their silent start; on ``face`` if given."""
    torch.manual_seed(seed)
    space = MotionSpace(config.n_coeffs)
    if face is not None:
        space = MotionSpace.fit(some_weights(400), face.gram(), 0.99)
        rig = rig_fingerprint(face, config.keypoint_set)
        config = dataclasses.replace(config, n_coeffs=space.n_coeffs, rig=rig)
    model = KMSpeaker(config).eval()
    for parameter in model.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.3)
    model.motion.load_state_dict(space.state_dict())
    if face is not None:
        model.upper.copy_(torch.from_numpy(face.keypoints[config.keypoint_set].upper))
    return model


def write_corpus(folder: Path, *, clips: int = 6, frames: int = 60) -> Path:
    """Clips whose jaw follows the first speech feature, and whose brows follow nothing."""
    folder.mkdir()
    records, motions = [], {}
    for index in range(clips):
        name = f"clip{index}"
        weights = some_weights(frames, seed=index)
        random = np.random.default_rng([index, 1])
        features = random.normal(size=(frames, TINY.d_speech)).astype(np.float32)
        weights[:, ARKIT_INDEX["jawOpen"]] = 0.3 + 0.25 * np.tanh(features[:, 0])
        motions[name] = Motion(weights, features)
        records.append(
            Clip(
                name=name,
                frames=frames,
                shard="shard-0000.safetensors",
                speaker="someone",
                actor="someone",
                emotion="neutral",
                intensity="moderate",
                text="",
                phones=(("AA", 0.0, 1.0),),
                split="val" if index == 0 else "train",
                source="made up",
                licence="CC0",
            )
        )
    write_shard(folder / "shard-0000.safetensors", records, motions, "made up")
    write_index(folder, records, fps=TINY.fps, encoder=TINY.speech_encoder, seed=0)
    return folder


def with_tiny_preset(monkeypatch) -> None:
    """Make ``tiny`` a size that training can be asked for."""
    monkeypatch.setitem(PRESETS, "tiny", TINY)
