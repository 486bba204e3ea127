"""The training run: data, normalization, steps, validation, and the folder of the model."""

import dataclasses
import logging
import math
import platform
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from tqdm import tqdm

from kmspeaker.corpus.store import Corpus
from kmspeaker.errors import InputError
from kmspeaker.face.contacts import STIFFNESS
from kmspeaker.face.keypoints import keypoint_set
from kmspeaker.face.rig import FaceModel
from kmspeaker.hub import verify_model
from kmspeaker.model.motion_space import MotionSpace, rig_fingerprint
from kmspeaker.model.network import KMSpeaker, ModelConfig
from kmspeaker.training.card import model_card
from kmspeaker.training.checkpoint import SAMPLER, RunSetup, State, config_of_run, initial_state
from kmspeaker.training.data import Clip, ClipFrames, read_clips
from kmspeaker.training.distributed import Processes, join_processes
from kmspeaker.training.held_styles import Wearer
from kmspeaker.training.log import RunLog, read_log
from kmspeaker.training.normalization import all_weights, set_mean_style, set_statistics
from kmspeaker.training.objective import Objective, in_bf16
from kmspeaker.training.optimizer_step import take_step
from kmspeaker.training.options import TrainingOptions, preset_of
from kmspeaker.training.preview import write_preview
from kmspeaker.training.validation import validate

_log = logging.getLogger(__name__)


def train(
    corpus: Corpus,
    run: Path,
    options: TrainingOptions,
    *,
    device: str = "auto",
    start: Path | None = None,
    minutes: float = math.inf,
) -> Path:
    """Train a model on a corpus, going on from the run's checkpoint if there is one.

    On a CPU a run that was killed ends with the same bits as one that was not. Under ``torchrun``
    all processes work on the same run, and the first one writes its files.

    Args:
        corpus: with clips of the splits "train" and "val".
        run: folder of the checkpoint, the log, the videos, and of ``model/``.
        options: the same as when the run was begun, but for ``options.FREE``.
        device: "auto" takes a GPU where there is one.
        start: folder of a trained model to begin from instead of random weights. Its statistics
            and its motion space are kept. A run that has a checkpoint goes on from that.
        minutes: after which it stops even before ``options.steps``, but not before one step, with
            a checkpoint and a model as at the end; these take some seconds more.

    Returns:
        The folder of the model, which ``KMSpeaker.load`` reads.

    Raises:
        InputError: the corpus or ``start`` does not fit the preset, the run was begun otherwise,
            there is no time, or training diverged.
    """
    if not minutes > 0:
        raise InputError(f"Got {minutes:g} minutes to train for; give a number above 0.")
    deadline = time.monotonic() + 60 * minutes
    with join_processes(device) as processes:
        return _train(corpus, run, options, processes, start, deadline)


def _train(
    corpus: Corpus,
    run: Path,
    options: TrainingOptions,
    processes: Processes,
    start: Path | None,
    deadline: float,
) -> Path:
    face = FaceModel.load()
    preset = _preset(options, corpus, processes)
    clips = read_clips(corpus, "train", preset.window_frames)
    val_clips = read_clips(corpus, "val", preset.window_frames)
    clip_frames = ClipFrames.of(clips, processes.device)
    state, setup, first = _begin(run, options, preset, face, clips, clip_frames, start)
    del clips
    config = state.model.config
    objective = Objective.of(face, config.keypoint_set, options, processes.device)
    if not processes.first:
        for step in range(first, options.steps):
            take_step(state, objective, clip_frames, options, processes, step)
            if processes.any(time.monotonic() > deadline):
                break
        return run / "model"

    run.mkdir(parents=True, exist_ok=True)
    log, speed = RunLog(run, first), _Speed(options.batch)
    if start is not None and first == 0:
        log.write(0, "start", {"model": f"{start.name}@{verify_model(start)[:8]}"})
    bar = tqdm(range(first, options.steps), initial=first, total=options.steps, unit="step")
    for step in bar:
        began = time.perf_counter()
        figures, waited = take_step(state, objective, clip_frames, options, processes, step)
        speed.add(time.perf_counter() - began, waited)
        log.write(step + 1, "train", figures)
        bar.set_postfix(loss=f"{figures['loss']:.3f}", refresh=False)
        over = processes.any(time.monotonic() > deadline)
        done, last = step + 1, over or step + 1 == options.steps
        if last or done % options.validate_every == 0:
            log.write(done, "speed", speed.figures())
            scores = validate(state.average, face, val_clips)
            log.write(done, "validation", scores)
            bar.write(f"step {done}: " + ", ".join(f"{k} {v:.3f}" for k, v in scores.items()))
            machine = _machine(processes, options)
            set_mean_style(state.average, objective, clip_frames, options)
            card = model_card(corpus, options, config, read_log(run), machine)
            state.average.save(run / "model", card)
        if options.video_every and (last or done % options.video_every == 0):
            _show(run / "videos" / f"step-{done:06d}.mp4", state.average, face, val_clips)
        # Saved last: a run killed while it validates does so again.
        if last or done % options.save_every == 0:
            state.save(run, done, setup)
        if over:
            break
    log.close()
    if first < options.steps:
        bar.write(str(speed))
    return run / "model"


def _begin(
    run: Path,
    options: TrainingOptions,
    preset: ModelConfig,
    face: FaceModel,
    clips: Sequence[Clip],
    clip_frames: ClipFrames,
    start: Path | None,
) -> tuple[State[KMSpeaker], RunSetup, int]:
    """The state to go on from, the run's setup, and the number of steps it has taken."""
    keypoints = keypoint_set(face, options.keypoints)
    rig = rig_fingerprint(face, options.keypoints)
    preset = dataclasses.replace(
        preset,
        d_speech=clip_frames.features.shape[1],
        keypoint_set=options.keypoints,
        n_keypoints=len(keypoints),
        n_upper_keypoints=int(keypoints.upper.sum()),
        implicit_style=options.implicit_style,
        global_style=options.global_style,
        style_statistics=(
            preset.style_statistics and options.style_statistics and not options.implicit_style
        ),
        rig=rig,
    )
    device, data = clip_frames.weights.device, clip_frames.fingerprint

    earlier = config_of_run(run)
    if earlier is not None:
        _require_rig(earlier, rig, f"a run in {run}")
        config = dataclasses.replace(preset, n_coeffs=earlier.n_coeffs)
        state, setup = initial_state(config, options, device), RunSetup(options, config, data)
        return state, setup, state.restore(run, setup)

    if start is not None:
        trained = KMSpeaker.load(start)
        rig_of_start = rig_fingerprint(face, trained.config.keypoint_set)
        _require_rig(trained.config, rig_of_start, f"a model in {start}")
        config = _config_from(trained.config, preset, start)
        state = initial_state(config, options, device)
        weights = all_weights(clips, _wearer(face, options), seed=options.seed)
        set_statistics(state.model, trained.motion, clips, weights, face)
        _take_over(state.model, trained, options)
    else:
        weights = all_weights(clips, _wearer(face, options), seed=options.seed)
        space = MotionSpace.fit(weights, face.gram(), options.kept_variance)
        config = dataclasses.replace(preset, n_coeffs=space.n_coeffs)
        state = initial_state(config, options, device)
        set_statistics(state.model, space, clips, weights, face)
    state.average.load_state_dict(state.model.state_dict())
    return state, RunSetup(options, config, data), 0


ABLATED = (
    *("keypoint_set", "n_keypoints", "n_upper_keypoints", "rig"),
    *("implicit_style", "global_style", "style_statistics"),
)
"""Settings in which an ablation may differ from the model it begins from."""
READS_STYLES = (
    *("global_style", "temporal_style", "statistics_in", "statistics_out"),
    *("temporal_in", "temporal_out"),
)
"""Parts of the network that read keypoints, or what is read from them."""


class _Speed:
    """Windows a second, and the share of the time spent waiting for data."""

    def __init__(self, batch: int) -> None:
        self._batch, self._steps, self._seconds, self._waited = batch, 0, 0.0, 0.0

    def add(self, seconds: float, waited: float) -> None:
        self._steps += 1
        self._seconds += seconds
        self._waited += waited

    def figures(self) -> dict[str, float]:
        return {
            "windows_per_second": self._batch * self._steps / self._seconds,
            "data_share": self._waited / self._seconds,
        }

    def __str__(self) -> str:
        figures = self.figures()
        return (
            f"{figures['windows_per_second']:.1f} windows/s, "
            f"{figures['data_share']:.1%} of the time waiting for data"
        )


def _preset(options: TrainingOptions, corpus: Corpus, processes: Processes) -> ModelConfig:
    parts = max(options.parts, processes.count)
    if options.batch % parts or parts % processes.count:
        raise InputError(
            f"Got a batch of {options.batch} in {parts} parts for {processes.count} processes; "
            "the parts must divide the batch, and the processes the parts."
        )
    preset = dataclasses.replace(preset_of(options), speech_encoder=corpus.encoder)
    if corpus.fps != preset.fps:
        raise InputError(
            f"Got a corpus at {corpus.fps:g} frames/s, but the {options.size} model moves at "
            f"{preset.fps:g}; build the corpus at that rate."
        )
    return preset


def _config_from(trained: ModelConfig, preset: ModelConfig, folder: Path) -> ModelConfig:
    """The config of a model to begin from, which must be the preset's but for ``ABLATED``."""
    config = dataclasses.replace(preset, n_coeffs=trained.n_coeffs)
    for name, value in dataclasses.asdict(config).items():
        trained_value = getattr(trained, name)
        if trained_value != value and name not in (*SAMPLER, *ABLATED, "dropout"):
            raise InputError(
                f"Got a model in {folder} with {name} = {trained_value!r}, but this training "
                f"needs {value!r}; choose another --size, another corpus or another model."
            )
    return config


def _wearer(face: FaceModel, options: TrainingOptions) -> Wearer | None:
    return Wearer.of(face, STIFFNESS) if options.held_styles else None


def _take_over(model: KMSpeaker, trained: KMSpeaker, options: TrainingOptions) -> None:
    """What another model has learnt and measured, as far as it fits; the rest begins anew."""
    own, others = model.state_dict(), trained.state_dict()
    relearnt = READS_STYLES if options.relearns_styles else ()
    fits = {
        name: tensor
        for name, tensor in others.items()
        if name in own and own[name].shape == tensor.shape and name.split(".")[0] not in relearnt
    }
    model.load_state_dict(own | fits)


def _require_rig(config: ModelConfig, rig: str, what: str) -> None:
    if config.rig != rig:
        raise InputError(
            f"Got {what} of another face rig or keypoint set ({config.rig}, here it is {rig}); "
            "its numbers mean nothing on this face, so begin anew in another folder."
        )


def _show(path: Path, model: KMSpeaker, face: FaceModel, clips: Sequence[Clip]) -> None:
    try:
        write_preview(path, model, face, clips[0])
    except InputError as error:
        _log.warning("No video of step %s: %s", path.stem, error)


def _machine(processes: Processes, options: TrainingOptions) -> str:
    if processes.device.type == "cuda":
        kind = torch.cuda.get_device_name(processes.device)
    else:
        kind = f"CPU process ({platform.machine()}, {torch.get_num_threads()} threads)"
    precision = "bf16" if in_bf16(processes.device, options) else "fp32"
    return f"{processes.count} x {kind}, {precision}"
