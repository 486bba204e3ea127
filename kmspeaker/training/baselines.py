"""Training a baseline: the same clips in the same held styles, steps and checkpoints as ours."""

import dataclasses
import math
import time
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn
from tqdm import tqdm

from kmspeaker.baselines.baseline import Baseline, BaselineConfig
from kmspeaker.baselines.excerpt import Excerpt, Grams
from kmspeaker.baselines.systems import baseline_class
from kmspeaker.corpus.store import Corpus
from kmspeaker.errors import InputError
from kmspeaker.face.contacts import STIFFNESS
from kmspeaker.face.rig import FaceModel
from kmspeaker.model.motion_space import MotionSpace, rig_fingerprint
from kmspeaker.training.baseline_card import baseline_card
from kmspeaker.training.checkpoint import CHECKPOINT_FILE, RunSetup, State
from kmspeaker.training.data import ClipFrames, read_clips
from kmspeaker.training.excerpts import actor_labels, draw_excerpt
from kmspeaker.training.held_styles import Wearer
from kmspeaker.training.log import RunLog, read_log
from kmspeaker.training.normalization import all_weights, feature_statistics
from kmspeaker.training.optimizer_step import learning_rate, step_seed
from kmspeaker.training.validation import validate

MEAN_STYLE_STEPS = 16


@dataclasses.dataclass(frozen=True)
class BaselineOptions:
    """Of a run; its authors' values suit days on a GPU, these an hour on one core."""

    system: str
    """A key of ``baselines.systems.BASELINES``."""
    steps: int = 3000
    batch: int = 16
    seed: int = 0
    learning_rate: float = 1e-3
    """Of Adam, tuned for each by its validation curve."""
    warm_up: int = 100
    schedule: Literal["cosine", "constant"] = "cosine"
    weight_decay: float = 1e-6
    gradient_clip: float = 1.0
    ema_decay: float = 0.995
    kept_variance: float = 0.9999
    """As ``TrainingOptions.kept_variance``."""
    validate_every: int = 500
    save_every: int = 200


def train_baseline(
    corpus: Corpus, run: Path, options: BaselineOptions, *, minutes: float = math.inf
) -> Path:
    """Train a baseline on a corpus, going on from the run's checkpoint if there is one.

    Args:
        corpus: with clips of the splits "train" and "val".
        run: folder of the checkpoint, the log and of ``model/``.
        options: the same as when the run was begun, but for ``options.FREE``.
        minutes: after which it stops even before ``options.steps``, with a checkpoint and a model.

    Returns:
        The folder of the model, which ``Pipeline.load`` reads.

    Raises:
        InputError: an unknown system, a corpus that does not fit, a run that was begun otherwise,
            or a gradient that is not finite.
    """
    deadline = time.monotonic() + 60 * minutes
    kind = baseline_class(options.system)
    face = FaceModel.load()
    wearer = Wearer.of(face, STIFFNESS)
    window = _defaults(kind, options).window_frames
    clips = read_clips(corpus, "train", window)
    val_clips = read_clips(corpus, "val", window)
    clip_frames = ClipFrames.of(clips, torch.device("cpu"))
    actors = actor_labels(clips)
    weights = all_weights(clips, wearer, seed=options.seed)
    space = MotionSpace.fit(weights, face.gram(), options.kept_variance)
    config = dataclasses.replace(
        _defaults(kind, options),
        speech_encoder=corpus.encoder,
        d_speech=clip_frames.features.shape[1],
        n_coeffs=space.n_coeffs,
        actors=int(actors.max()) + 1,
        rig=rig_fingerprint(face, "ours"),
    )
    if corpus.fps != config.fps:
        raise InputError(
            f"Got a corpus at {corpus.fps:g} frames/s, but {options.system} moves at "
            f"{config.fps:g}; build the corpus at that rate."
        )
    torch.manual_seed(options.seed)
    model, average = kind(config), kind(config)
    speech_mean, speech_deviation = feature_statistics(clips)
    del clips, weights
    model.motion.load_state_dict(space.state_dict())
    model.speech_mean.copy_(torch.from_numpy(speech_mean))
    model.speech_scale.copy_(torch.from_numpy(np.maximum(speech_deviation, 1e-3)))
    average.load_state_dict(model.state_dict())
    model.train()
    average.eval().requires_grad_(False)
    optimiser = torch.optim.Adam(
        model.parameters(),
        lr=options.learning_rate,
        weight_decay=options.weight_decay,
        fused=True,
    )
    state = State(model, average, optimiser)
    setup = RunSetup(options, config, clip_frames.fingerprint)
    first = state.restore(run, setup) if (run / CHECKPOINT_FILE).is_file() else 0
    grams = Grams.of(face, model.motion)
    run.mkdir(parents=True, exist_ok=True)
    log, rate = RunLog(run, first), options.learning_rate
    bar = tqdm(range(first, options.steps), initial=first, total=options.steps, unit="step")
    for step in bar:
        excerpt = draw_excerpt(
            model, clip_frames, actors, wearer, batch=options.batch, seed=options.seed, step=step
        )
        figures = _step(state, excerpt, grams, options, step)
        log.write(step + 1, "train", figures)
        bar.set_postfix(loss=f"{figures['loss']:.3f}", refresh=False)
        done, over = step + 1, time.monotonic() > deadline
        last = over or done == options.steps
        if last or done % options.validate_every == 0:
            scores = validate(average, face, val_clips)
            log.write(done, "validation", scores)
            bar.write(f"step {done}: " + ", ".join(f"{k} {v:.3f}" for k, v in scores.items()))
            _set_mean_style(average, clip_frames, actors, wearer, options)
            steps = f"{done} steps of {options.batch} excerpts, learning rate {rate:g}"
            average.save(run / "model", baseline_card(corpus, kind, config, steps, read_log(run)))
        # Saved last: a run killed while it validates does so again.
        if last or done % options.save_every == 0:
            state.save(run, done, setup)
        if over:
            break
    log.close()
    return run / "model"


def _defaults(kind: type[Baseline], options: BaselineOptions) -> BaselineConfig:
    return kind.config_class(system=options.system)


def _step(
    state: State[Baseline], excerpt: Excerpt, grams: Grams, options: BaselineOptions, step: int
) -> dict[str, float]:
    model, optimiser = state.model, state.optimiser
    torch.manual_seed(step_seed(options.seed, step, 0))  # all that the method leaves to chance
    optimiser.zero_grad(set_to_none=True)
    losses = model.loss(excerpt, grams, step)
    losses["loss"].backward()
    norm = float(torch.nn.utils.clip_grad_norm_(model.parameters(), options.gradient_clip))
    if not math.isfinite(norm):
        raise InputError(
            f"The gradient of step {step + 1} is not finite; begin anew with a smaller "
            "learning_rate."
        )
    rate = learning_rate(step, options)
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.step()
    # A phase's parameters have not moved before it: their average begins with it.
    since = step - model.phase_of(step)
    decay = min(options.ema_decay, (1 + since) / (10 + since))
    get_ema_multi_avg_fn(decay)(list(state.average.parameters()), list(model.parameters()), None)
    figures = {name: float(value.detach()) for name, value in losses.items()}
    return {**figures, "gradient": norm, "learning_rate": rate}


@torch.no_grad()
def _set_mean_style(
    model: Baseline,
    clip_frames: ClipFrames,
    actors: np.ndarray,
    wearer: Wearer,
    options: BaselineOptions,
) -> None:
    styles = []
    for step in range(MEAN_STYLE_STEPS):
        excerpt = draw_excerpt(
            model, clip_frames, actors, wearer, batch=options.batch, seed=options.seed, step=step
        )
        motion = excerpt.motion[:, 0]
        styles.append(model.encode_style(motion, torch.ones(motion.shape[:2], dtype=torch.bool)))
    model.style_mean.copy_(torch.cat(styles).mean(0))
