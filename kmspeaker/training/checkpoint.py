"""A run's state in one safetensors file, replaced whole: a kill leaves the last one or the next."""

import dataclasses
import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from kmspeaker.errors import InputError
from kmspeaker.model import KMSpeaker, ModelConfig
from kmspeaker.training.options import TrainingOptions

CHECKPOINT_FILE = "checkpoint.safetensors"


@dataclasses.dataclass(frozen=True)
class State:
    """All that changes while training; random numbers follow from the seed and the step."""

    model: KMSpeaker
    average: KMSpeaker
    """Exponential moving average of the model's weights."""
    optimiser: torch.optim.Adam

    def save(self, run: Path, step: int, options: TrainingOptions) -> None:
        """Write the state after ``step`` steps."""
        tensors = {f"model/{name}": tensor for name, tensor in self.model.state_dict().items()}
        for name, tensor in self.average.named_parameters():
            tensors[f"average/{name}"] = tensor.detach()
        for name, parameter in self.model.named_parameters():
            for part, tensor in self.optimiser.state[parameter].items():
                tensors[f"optimiser/{part}/{name}"] = tensor
        about = {
            "step": str(step),
            "options": json.dumps(dataclasses.asdict(options)),
            "config": json.dumps(dataclasses.asdict(self.model.config)),
        }
        partial = run / f"{CHECKPOINT_FILE}.part"
        contiguous = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
        save_file(contiguous, partial, metadata=about)
        partial.replace(run / CHECKPOINT_FILE)

    def restore(self, run: Path, options: TrainingOptions) -> int:
        """Read the state back if the run has one, and answer after how many steps it was written.

        Raises:
            InputError: the run was begun with other options or on another corpus.
        """
        path = run / CHECKPOINT_FILE
        if not path.is_file():
            return 0
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        _require_same(path, "option", json.loads(about["options"]), dataclasses.asdict(options))
        config = dataclasses.asdict(self.model.config)
        _require_same(path, "model setting", json.loads(about["config"]), config)
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "average": {}, "optimiser": {}}
        for name, tensor in tensors.items():
            owner, _, rest = name.partition("/")
            parts[owner][rest] = tensor
        self.model.load_state_dict(parts["model"])
        self.average.load_state_dict(parts["model"] | parts["average"])
        for name, parameter in self.model.named_parameters():
            self.optimiser.state[parameter] = {
                # Adam counts its steps on the CPU whatever the device.
                part: tensor if part == "step" else tensor.to(parameter.device)
                for part in ("step", "exp_avg", "exp_avg_sq")
                if (tensor := parts["optimiser"].get(f"{part}/{name}")) is not None
            }
        return int(about["step"])


def fresh_state(config: ModelConfig, options: TrainingOptions, device: torch.device) -> State:
    """An untrained model whose weights follow from the seed, its average and its optimiser."""
    torch.manual_seed(options.seed)
    model, average = KMSpeaker(config), KMSpeaker(config)
    average.load_state_dict(model.state_dict())
    model.to(device).train()
    average.to(device).eval().requires_grad_(False)
    optimiser = torch.optim.Adam(
        model.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
    )
    return State(model, average, optimiser)


def _require_same(path: Path, kind: str, begun: dict, asked: dict) -> None:
    # More steps only stretch the schedule, so a finished run may be trained on.
    odd = [name for name in begun | asked if begun.get(name) != asked.get(name) and name != "steps"]
    if odd:
        name = odd[0]
        raise InputError(
            f"Got {kind} {name} = {asked.get(name)!r}, but {path} was begun with "
            f"{begun.get(name)!r}; give the same, or another folder for a new run."
        )
