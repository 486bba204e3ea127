"""Training speed of this machine: a run's own steps, on random clips of each size's rates."""

import dataclasses
import resource
import statistics
import time

import numpy as np
import torch

from kmspeaker.face.rig import FaceModel
from kmspeaker.model.motion_space import rig_fingerprint
from kmspeaker.training.checkpoint import initial_state
from kmspeaker.training.data import Clip, ClipFrames
from kmspeaker.training.distributed import Processes, join_processes
from kmspeaker.training.objective import Objective
from kmspeaker.training.optimizer_step import take_step
from kmspeaker.training.options import TrainingOptions, preset_of

CLIPS = 60
CLIP_SECONDS = 15.0
COEFFS = 35
"""Components of the motion space, about as many as those of real corpora."""
WIDE = 512
"""From this width on, a CPU is measured on few windows, since a whole batch takes long there and
much memory."""
WARM_UP = 2
LEAST_STEPS = 3
LEAST_SECONDS = 8.0


@dataclasses.dataclass(frozen=True)
class Throughput:
    """Speed and memory of the steps of one size."""

    windows_per_second: float
    """By the median step."""
    data_share: float
    """Of the time, spent waiting for data."""
    memory: float
    """GB, the most that the GPU, or else this process, has held so far."""

    def __str__(self) -> str:
        return (
            f"{self.windows_per_second:.1f} windows/s, {self.data_share:.1%} of the time waiting "
            f"for data, {self.memory:.1f} GB at most"
        )


def measure(options: TrainingOptions, device: str) -> Throughput:
    """Train a fresh model of ``options.size`` for some seconds, and forget it.

    Raises:
        InputError: there is no such size.
    """
    with join_processes(device) as processes:
        return _measure(options, processes)


def _measure(options: TrainingOptions, processes: Processes) -> Throughput:
    face, preset = FaceModel.load(), preset_of(options)
    rig = rig_fingerprint(face, preset.keypoint_set)
    config = dataclasses.replace(preset, n_coeffs=COEFFS, rig=rig)
    if config.d_model >= WIDE and processes.device.type == "cpu":
        options = dataclasses.replace(options, batch=4, parts=2)
    random = np.random.default_rng(0)
    frames = round(CLIP_SECONDS * config.fps)
    clips = [
        Clip(
            f"clip {number}",
            face.identities[0],
            random.random((frames, 52), np.float32).astype(np.float16),
            random.random((frames, config.d_speech), np.float32).astype(np.float16),
        )
        for number in range(CLIPS)
    ]
    clip_frames = ClipFrames.of(clips, processes.device)
    state = initial_state(config, options, processes.device)
    objective = Objective.of(face, config.keypoint_set, options, processes.device)
    seconds, waits, step = [], [], 0
    while len(seconds) < LEAST_STEPS or sum(seconds) < LEAST_SECONDS:
        began = time.perf_counter()
        _, waited = take_step(state, objective, clip_frames, options, processes, step)
        if step >= WARM_UP:
            seconds.append(time.perf_counter() - began)
            waits.append(waited)
        step += 1
    if processes.device.type == "cuda":
        memory = torch.cuda.max_memory_allocated(processes.device)
    else:
        memory = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Throughput(
        options.batch / statistics.median(seconds), sum(waits) / sum(seconds), memory / 1e9
    )
