"""The processes of one run: one alone, or those that ``torchrun`` started, each with its device.

All hold the same weights. Each computes some parts of a step's batch, the gradients are summed, and
so each takes the step that one process alone would have taken. (The paper trains on one GPU.)
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from kmspeaker.errors import InputError

PATIENCE = timedelta(hours=1)
"""How long processes wait for the first one, which alone validates and saves."""


@dataclass(frozen=True)
class Processes:
    """This process among those of the run."""

    rank: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process writes the run's files."""
        return self.rank == 0

    def parts_of_this(self, parts: int) -> range:
        """Which of ``parts`` parts of a batch, a multiple of ``count``, this process computes."""
        each = parts // self.count
        return range(self.rank * each, (self.rank + 1) * each)

    def sum_in_place(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over the processes, in place."""
        if self.count == 1:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(flat)
        sums = flat.split([tensor.numel() for tensor in tensors])
        for tensor, total in zip(tensors, sums, strict=True):
            tensor.copy_(total.view_as(tensor))

    def any(self, here: bool) -> bool:
        """Whether it is so in any process."""
        if self.count == 1:
            return here
        there = torch.tensor([float(here)], device=self.device)
        dist.all_reduce(there)
        return there.item() > 0


@contextmanager
def join_processes(device: str) -> Iterator[Processes]:
    """This process alone, or as one of those that ``torchrun`` started.

    Args:
        device: "auto" takes a GPU where there is one; each process of a machine takes its own.

    Raises:
        InputError: there is no GPU left for this process.
    """
    count, here = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("LOCAL_RANK", "0"))
    gpus = torch.cuda.device_count()
    if device == "cpu" or (device == "auto" and not gpus):
        place = torch.device("cpu")
    elif here < gpus:
        place = torch.device("cuda", here)
        torch.cuda.set_device(place)
    else:
        raise InputError(
            f"Got {here + 1} or more processes on a machine with {gpus} GPUs; start one for each "
            "GPU or give --device cpu."
        )
    if count == 1:
        yield Processes(0, 1, place)
        return
    dist.init_process_group("nccl" if place.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield Processes(dist.get_rank(), count, place)
    finally:
        dist.destroy_process_group()
