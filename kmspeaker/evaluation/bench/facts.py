"""Size, speed and memory of a system, in a process of its own.

Place in the flow: ``run`` asks for each system once; ``tables`` prints it.
"""

import resource
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from kmspeaker.errors import InputError
from kmspeaker.evaluation.bench.trials import FPS
from kmspeaker.reference.performance import Performance

SECONDS = 10.0
RUNS = 3


@dataclass(frozen=True)
class Facts:
    """Of one system on this machine."""

    version: str
    """Name and the beginning of the weights' sha256."""
    parameters: int
    """Numbers that were learnt; 0 of a rival without a network."""
    real_time_factor: float
    """Seconds for a second of motion from features, one seed and one thread."""
    peak_megabytes: float
    """Of a process that loads it and makes ten seconds."""


def measure_facts(system: str, device: str) -> Facts:
    """Load a system in a fresh process and let it make ten seconds.

    Raises:
        InputError: It cannot be loaded, or its process has died.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        try:
            return pool.submit(_facts, system, device).result()
        except BrokenProcessPool as error:
            raise InputError(
                f"The process of {system} has died, perhaps for want of memory; free some."
            ) from error


def _facts(system: str, device: str) -> Facts:
    import torch
    from torch import nn

    from kmspeaker.pipeline import Pipeline

    torch.set_num_threads(1)
    pipeline = Pipeline.load(system, device=device)
    model = pipeline.model
    parameters = (
        sum(each.numel() for each in model.parameters()) if isinstance(model, nn.Module) else 0
    )
    frames = round(SECONDS * FPS)
    rng = np.random.default_rng(0)
    features = rng.normal(size=(frames, model.config.d_speech)).astype(np.float32)
    pose = rng.uniform(0, 0.3, (100, 52)).astype(np.float32)
    style = pipeline.style_of(Performance.from_weights(pose, FPS))
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        pipeline.motion(features, style)
        times.append(time.perf_counter() - started)
    return Facts(pipeline.model_name, parameters, min(times) / SECONDS, _peak_megabytes())


def _peak_megabytes() -> float:
    """Of this process alone: on Linux ``getrusage`` counts the one that began it, too."""
    status = Path("/proc/self/status")
    if status.is_file():
        peaks = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(next(peaks).split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
