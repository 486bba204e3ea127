"""A run's state in one safetensors file, replaced whole: a kill leaves the last one or the next."""

import dataclasses
import json
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from kmspeaker.errors import InputError
from kmspeaker.media.files import replacing
from kmspeaker.model.network import KMSpeaker, ModelConfig
from kmspeaker.training.options import FREE, TrainingOptions

CHECKPOINT_FILE = "checkpoint.safetensors"


@dataclasses.dataclass(frozen=True)
class RunSetup:
    """What a run was begun with; it can only go on with the same."""

    options: Any
    """``TrainingOptions``, or a baseline's dataclass."""
    config: Any
    """``ModelConfig``, or a baseline's dataclass."""
    data: str
    """``ClipFrames.fingerprint``."""


Network = TypeVar("Network", bound=nn.Module)


@dataclasses.dataclass(frozen=True)
class State(Generic[Network]):
    """All that changes while training; random numbers follow from the seed and the step."""

    model: Network
    average: Network
    """Exponential moving average of the model's weights."""
    optimiser: torch.optim.Adam

    def save(self, run: Path, step: int, setup: RunSetup) -> None:
        """Write the state after ``step`` steps."""
        tensors = {f"model/{name}": tensor for name, tensor in self.model.state_dict().items()}
        for name, tensor in self.average.named_parameters():
            tensors[f"average/{name}"] = tensor.detach()
        for name, parameter in self.model.named_parameters():
            for part, tensor in self.optimiser.state[parameter].items():
                tensors[f"optimiser/{part}/{name}"] = tensor
        metadata = {
            "step": str(step),
            "options": json.dumps(dataclasses.asdict(setup.options)),
            "config": json.dumps(dataclasses.asdict(setup.config)),
            "data": setup.data,
        }
        contiguous = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
        with replacing(run / CHECKPOINT_FILE) as unfinished:
            save_file(contiguous, unfinished, metadata=metadata)

    def restore(self, run: Path, setup: RunSetup) -> int:
        """Read the state of a run back.

        Returns:
            The number of steps after which it was written.

        Raises:
            InputError: the run was begun with other options, another model or another corpus.
        """
        path = run / CHECKPOINT_FILE
        metadata = _metadata(path)
        _require_same(path, metadata, setup)
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "average": {}, "optimiser": {}}
        for name, tensor in tensors.items():
            owner, _, rest = name.partition("/")
            parts[owner][rest] = tensor
        self.model.load_state_dict(parts["model"])
        self.average.load_state_dict(parts["model"] | parts["average"])
        for name, parameter in self.model.named_parameters():
            self.optimiser.state[parameter] = {
                part: tensor.to(parameter.device)
                for part in ("step", "exp_avg", "exp_avg_sq")
                if (tensor := parts["optimiser"].get(f"{part}/{name}")) is not None
            }
        return int(metadata["step"])


SAMPLER = (
    *("steps", "bend", "lower_noise", "upper_noise"),
    *("opening_share", "keeps_contacts", "upper_share"),
)
"""Settings of a model that say how it is sampled; training does not depend on them."""


def config_of_run(run: Path) -> ModelConfig | None:
    """The config of the model that a run trains; None if it has no checkpoint.

    Raises:
        InputError: the checkpoint cannot be read, or was written by another version.
    """
    path = run / CHECKPOINT_FILE
    if not path.is_file():
        return None
    try:
        return ModelConfig(**json.loads(_metadata(path)["config"]))
    except TypeError as error:
        raise InputError(
            f"Got {path} of another version of KM-Speaker ({error}); give another folder."
        ) from None


def initial_state(
    config: ModelConfig, options: TrainingOptions, device: torch.device
) -> State[KMSpeaker]:
    """An untrained model whose weights follow from the seed, its average, and Adam."""
    torch.manual_seed(options.seed)
    model, average = KMSpeaker(config), KMSpeaker(config)
    average.load_state_dict(model.state_dict())
    model.to(device).train()
    average.to(device).eval().requires_grad_(False)
    optimiser = torch.optim.Adam(
        model.parameters(),
        lr=options.learning_rate,
        weight_decay=options.weight_decay,
        fused=True,
    )
    return State(model, average, optimiser)


def _metadata(path: Path) -> dict[str, str]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise InputError(f"Cannot read {path} ({error}); remove it to begin anew.") from None
    if missing := {"step", "options", "config"} - set(metadata):
        raise InputError(f"Got {path}, which lacks {min(missing)}: it is no checkpoint of a run.")
    return metadata


def _require_same(path: Path, metadata: dict[str, str], setup: RunSetup) -> None:
    # A checkpoint of an earlier version lacks what was then no choice.
    before = json.loads(metadata["options"])
    if isinstance(setup.options, TrainingOptions):
        before = dataclasses.asdict(TrainingOptions()) | before
    for name, value in dataclasses.asdict(setup.options).items():
        if before.get(name) != value and name not in FREE:
            raise _mismatch(path, f"option {name}", value, before.get(name))
    config: dict[str, Any] = json.loads(metadata["config"])
    for name, value in dataclasses.asdict(setup.config).items():
        if name in config and config[name] != value and name not in SAMPLER:
            raise _mismatch(path, f"model setting {name}", value, config[name])
    if metadata.get("data", setup.data) != setup.data:
        raise InputError(
            f"Got another corpus than {path} was begun on; give that one, or begin a new run on "
            f"this corpus with --from {path.parent / 'model'}."
        )


def _mismatch(path: Path, name: str, now: object, before: object) -> InputError:
    return InputError(
        f"Got {name} = {now!r}, but {path} was begun with {before!r}; give the same, or another "
        "folder for a new run."
    )
