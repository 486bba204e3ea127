"""The training run: data, statistics, steps, validation, and the folder of weights at the end."""

import dataclasses
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from kmspeaker.corpus.store import Corpus
from kmspeaker.errors import InputError
from kmspeaker.face import FaceModel
from kmspeaker.keypoints import keypoint_set, keypoint_track
from kmspeaker.model import PRESETS, KMSpeaker, ModelConfig
from kmspeaker.motion import MotionSpace, rig_fingerprint
from kmspeaker.training.card import model_card
from kmspeaker.training.checkpoint import State, fresh_state
from kmspeaker.training.data import Clip, draw_batch, read_clips
from kmspeaker.training.options import TrainingOptions
from kmspeaker.training.step import Objective
from kmspeaker.training.validation import validate

LOG_FILE = "log.jsonl"
SMALLEST_SPREAD_MM = 0.05
"""Keypoints that hardly move would otherwise count as much as the lips, and amplify the tracker."""


def train(corpus: Corpus, run: Path, options: TrainingOptions, *, device: str = "auto") -> Path:
    """Train a model on a corpus, going on from the run's checkpoint if there is one.

    Args:
        corpus: with clips of the splits "train" and "val".
        run: folder of the checkpoint, the log, and at the end of ``model/``.
        options: the same as when the run was begun, but for ``steps``.
        device: "auto" takes a GPU where there is one.

    Returns:
        The folder of the finished model, which ``KMSpeaker.load`` reads.

    Raises:
        InputError: the corpus does not fit the preset, or the run was begun with other options.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    place = torch.device(device)
    face = FaceModel.load()
    preset = _preset(options, corpus)
    clips = read_clips(corpus, "train", preset.window_frames)
    held_out = read_clips(corpus, "val", preset.window_frames)
    space = MotionSpace.fit(_all_weights(clips), face.gram(), options.kept_variance)
    config = dataclasses.replace(
        preset,
        d_speech=clips[0].features.shape[1],
        n_coeffs=space.n_coeffs,
        rig=rig_fingerprint(face, preset.keypoint_set),
    )
    state = fresh_state(config, options, place)
    for model in (state.model, state.average):
        _set_statistics(model, space, clips, face)
    run.mkdir(parents=True, exist_ok=True)
    first = state.restore(run, options)
    objective = Objective.of(face, config.keypoint_set, options, place)
    log = _Log(run / LOG_FILE, first)
    bar = tqdm(range(first, options.steps), initial=first, total=options.steps, unit="step")
    for step in bar:
        parts = _step(state, objective, clips, options, step)
        log.write(step + 1, "train", parts)
        bar.set_postfix({name: f"{value:.3f}" for name, value in parts.items()}, refresh=False)
        last = step + 1 == options.steps
        if last or (step + 1) % options.save_every == 0:
            state.save(run, step + 1, options)
        if last or (step + 1) % options.validate_every == 0:
            scores = validate(state.average, face, held_out)
            log.write(step + 1, "validation", scores)
            bar.write(f"step {step + 1}: " + ", ".join(f"{k} {v:.3f}" for k, v in scores.items()))
            card = model_card(corpus, options, config, step + 1, scores)
            state.average.save(run / "model", card)
    return run / "model"


def _preset(options: TrainingOptions, corpus: Corpus) -> ModelConfig:
    if options.size not in PRESETS:
        raise InputError(f"Got size {options.size!r}; use one of {', '.join(PRESETS)}.")
    if options.batch < 2:
        raise InputError(f"Got batch {options.batch}; swapping needs at least 2.")
    preset = dataclasses.replace(PRESETS[options.size], speech_encoder=corpus.encoder)
    if corpus.fps != preset.fps:
        raise InputError(
            f"Got a corpus at {corpus.fps:g} frames/s, but the {options.size} model moves at "
            f"{preset.fps:g}; build the corpus at that rate."
        )
    return preset


def _step(
    state: State, objective: Objective, clips: Sequence[Clip], options: TrainingOptions, step: int
) -> dict[str, float]:
    """One update of the model and of its average."""
    model, optimiser = state.model, state.optimiser
    seed = options.seed * 1_000_003 + step
    torch.manual_seed(seed)  # the network's dropout
    generator = torch.Generator().manual_seed(seed)
    batch = draw_batch(clips, options, model.config.window_frames, step)
    loss, parts = objective(model, batch.to(model.motion.mean.device), generator)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), options.gradient_clip)
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(step, options)
    optimiser.step()
    # The average follows closely at first, when the weights still move far.
    decay = min(options.ema_decay, (1 + step) / (10 + step))
    with torch.no_grad():
        for slow, fast in zip(state.average.parameters(), model.parameters(), strict=True):
            slow.lerp_(fast, 1 - decay)
    return {**parts, "gradient": float(norm)}


def learning_rate(step: int, options: TrainingOptions) -> float:
    """Linear rise over ``warm_up`` steps, then a cosine down to a hundredth."""
    rise = min(1.0, (step + 1) / max(1, options.warm_up))
    done = min(1.0, step / options.steps)
    return options.learning_rate * rise * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def _all_weights(clips: Sequence[Clip]) -> np.ndarray:
    return np.concatenate([clip.weights for clip in clips]).astype(np.float32)


def _set_statistics(
    model: KMSpeaker, space: MotionSpace, clips: Sequence[Clip], face: FaceModel
) -> None:
    """Fill the model's buffers from the training clips."""
    name = model.config.keypoint_set
    keypoints = keypoint_track(face, _all_weights(clips), name)
    mean = keypoints.mean(0)
    spread = np.sqrt(np.square(keypoints - mean).mean((0, 2)))[:, None]
    speech_mean, speech_spread = _feature_statistics(clips)
    model.motion.load_state_dict(space.state_dict())
    for buffer, values in (
        (model.keypoint_mean, mean),
        (model.keypoint_scale, np.maximum(spread, SMALLEST_SPREAD_MM)),
        (model.upper, keypoint_set(face, name).upper),
        (model.speech_mean, speech_mean),
        (model.speech_scale, np.maximum(speech_spread, 1e-3)),
    ):
        buffer.copy_(torch.from_numpy(np.asarray(values)))


def _feature_statistics(clips: Sequence[Clip]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each feature, clip by clip: hours of floats would not fit."""
    frames = sum(len(clip) for clip in clips)
    mean = np.sum([clip.features.sum(0, dtype=np.float64) for clip in clips], axis=0) / frames
    squares = np.sum([np.square(clip.features - mean).sum(0) for clip in clips], axis=0)
    return mean, np.sqrt(squares / frames)


class _Log:
    """One JSON object a line; lines after the checkpoint that training goes on from are dropped."""

    def __init__(self, path: Path, first: int) -> None:
        lines = path.read_text().splitlines() if path.is_file() else []
        kept = [line for line in lines if line and json.loads(line)["step"] <= first]
        path.write_text("".join(f"{line}\n" for line in kept))
        self._path = path
        self._begun = time.monotonic()

    def write(self, step: int, kind: str, values: dict[str, float]) -> None:
        rounded = {name: round(value, 6) for name, value in values.items()}
        seconds = round(time.monotonic() - self._begun, 1)
        with self._path.open("a") as file:
            file.write(
                json.dumps({"step": step, "kind": kind, "seconds": seconds, **rounded}) + "\n"
            )
