"""A model's folder: ``config.json``, ``model.safetensors``, its card and its manifest.

Place in the flow: ours and the baselines are kept and read here. Only safetensors are read, which
cannot run code.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from kmspeaker.errors import InputError
from kmspeaker.hub import CONFIG, WEIGHTS, verify_model, write_manifest
from kmspeaker.media.files import replacing

CARD_FILE = "README.md"


def write_folder(folder: Path, model: nn.Module, config: Mapping[str, Any], card: str) -> None:
    """Write a model; what was learnt goes in half precision.

    Statistics (the buffers) stay as they are: coefficients and keypoints are measured by them.

    Args:
        folder: made if absent; files of the same names are replaced.
        model: its parameters and buffers are kept.
        config: what ``read_config`` gives back.
        card: the model card, Markdown: what it was trained on, how well it does.

    Raises:
        InputError: a file cannot be written there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    learnt = {name for name, _ in model.named_parameters()}
    tensors = {
        name: (tensor.half() if name in learnt else tensor).detach().cpu().contiguous()
        for name, tensor in model.state_dict().items()
    }
    with replacing(folder / WEIGHTS) as unfinished:
        save_file(tensors, unfinished)
        unfinished.chmod(0o644)  # safetensors keeps files from other users
    for name, text in ((CONFIG, json.dumps(config, indent=2) + "\n"), (CARD_FILE, card)):
        with replacing(folder / name) as unfinished:
            unfinished.write_text(text)
    write_manifest(folder)


def read_config(folder: Path) -> dict[str, Any]:
    """The settings of a model whose files are those of its manifest.

    Raises:
        InputError: a file is missing or altered, or the config is no JSON object.
    """
    verify_model(folder)
    path = folder / CONFIG
    try:
        settings = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError):
        settings = None
    if not isinstance(settings, dict):
        raise InputError(f"Got {path}, which is not JSON; take the whole folder anew.")
    return settings


def require_settings(folder: Path, settings: Mapping[str, Any], known: set[str]) -> None:
    """Refuse a config that has other settings than a program knows.

    Raises:
        InputError: which are unknown or missing.
    """
    if set(settings) != known:
        odd = sorted(set(settings) ^ known)
        raise InputError(
            f"Got {folder / CONFIG} with unknown or missing settings ({', '.join(odd)}); it was "
            "written by another version of KM-Speaker."
        )


def read_weights(folder: Path, model: nn.Module) -> None:
    """Fill a model, in single precision.

    Raises:
        InputError: the tensors are not the model's.
    """
    path = folder / WEIGHTS
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise InputError(f"Got {path}, which is no safetensors file ({error}).") from None
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    got = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    wrong = sorted(name for name in expected | got if expected.get(name) != got.get(name))
    if wrong:
        raise InputError(
            f"Got {path} whose tensors are not those of {CONFIG} beside it (first: "
            f"{wrong[0]}); take the whole folder anew."
        )
    model.load_state_dict(tensors)
