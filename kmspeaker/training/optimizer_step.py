"""One step of training: a batch, its gradient, and the update of the weights and their average."""

import math
import time
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

from kmspeaker.errors import InputError
from kmspeaker.model.network import KMSpeaker
from kmspeaker.training.checkpoint import State
from kmspeaker.training.data import ClipFrames, cut, draw_step
from kmspeaker.training.distributed import Processes
from kmspeaker.training.objective import Objective
from kmspeaker.training.options import TrainingOptions


def take_step(
    state: State[KMSpeaker],
    objective: Objective,
    clip_frames: ClipFrames,
    options: TrainingOptions,
    processes: Processes,
    step: int,
) -> tuple[dict[str, float], float]:
    """Update the model and its average in place.

    Returns:
        The losses of the whole batch by name, with the learning rate and the norm of the gradient;
        and the seconds spent waiting for data.

    Raises:
        InputError: the gradient is not finite; the weights are as they were.
    """
    model, optimiser = state.model, state.optimiser
    began = time.perf_counter()
    draw = draw_step(clip_frames.lengths, options, model.config, step)
    waited = time.perf_counter() - began
    optimiser.zero_grad(set_to_none=True)
    parts = max(options.parts, processes.count)
    names: list[str] = []
    sums = torch.zeros(0)
    for part in processes.parts_of_this(parts):
        began = time.perf_counter()
        batch = cut(clip_frames, draw.part(part, parts))
        waited += time.perf_counter() - began
        torch.manual_seed(step_seed(options.seed, step, part))  # the network's dropout
        loss, losses = objective(model, batch)
        (loss / parts).backward()
        names, values = list(losses), torch.stack(list(losses.values())) / parts
        sums = sums + values if len(sums) else values
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    processes.sum_in_place([sums, *gradients])
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), options.gradient_clip)
    *means, size = torch.cat([sums, norm[None]]).tolist()  # waits for the device once a step
    if not math.isfinite(size):
        raise InputError(
            f"The gradient of step {step + 1} is not finite; go on from the last checkpoint with "
            "precision=fp32, or begin anew with a smaller learning_rate."
        )
    rate = learning_rate(step, options)
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.step()
    # The average follows closely at first, when the weights still move far.
    decay = min(options.ema_decay, (1 + step) / (10 + step))
    update_average = get_ema_multi_avg_fn(decay)
    update_average(list(state.average.parameters()), list(model.parameters()), None)
    figures = dict(zip(names, means, strict=True))
    return {**figures, "gradient": size, "learning_rate": rate}, waited


@runtime_checkable
class Schedule(Protocol):
    """What ``learning_rate`` needs of a run's options."""

    @property
    def steps(self) -> int: ...  # noqa: D102
    @property
    def learning_rate(self) -> float: ...  # noqa: D102
    @property
    def warm_up(self) -> int: ...  # noqa: D102
    @property
    def schedule(self) -> str: ...  # noqa: D102


def learning_rate(step: int, options: Schedule) -> float:
    """Linear rise over ``warm_up`` steps, then by ``schedule`` a cosine down to a hundredth."""
    warm_up = min(1.0, (step + 1) / max(1, options.warm_up))
    done = min(1.0, step / options.steps) if options.schedule == "cosine" else 0.0
    return options.learning_rate * warm_up * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def step_seed(*numbers: int) -> int:
    """Seeds of neighbouring steps must not be neighbours: torch keeps only 32 bits of them."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
