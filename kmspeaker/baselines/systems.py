"""Which systems there are, and how one is loaded by its name.

Place in the flow: ``pipeline`` loads through here; a folder's config says whose network it holds.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from kmspeaker.baselines.baseline import Baseline
from kmspeaker.baselines.without_network import RIVALS, Rival
from kmspeaker.errors import InputError
from kmspeaker.hub import bundled_models
from kmspeaker.model.folder import read_config
from kmspeaker.model.network import KMSpeaker

System = KMSpeaker | Baseline | Rival

BASELINES: Mapping[str, tuple[str, str]] = {
    "msmd": ("msmd", "MSMD"),
    "mimic": ("mimic", "Mimic"),
    "meshtalk": ("meshtalk", "MeshTalk"),
    "diffposetalk": ("diffposetalk", "DiffPoseTalk"),
}
"""File and class of each method; imported when asked for."""

TITLES: Mapping[str, str] = {
    "msmd": "MSMD",
    "mimic": "MIMIC",
    "meshtalk": "MeshTalk",
    "diffposetalk": "DiffPoseTalk",
    "blend": "Blend (masks)",
    "blend-no-style": "Blend (masks), no style",
    "linear": "Linear reading",
    "held": "The reference's pose, held",
    "copied": "The reference, copied",
}
"""What the systems of others, and those without a network, are called where people read."""


def title(name: str) -> str:
    """What people call the system of that name; variants from a folder keep their names."""
    return TITLES.get(name) or (f"KM-Speaker ({name})" if name in bundled_models() else name)


def baseline_class(name: str) -> type[Baseline]:
    """The method of that name.

    Raises:
        InputError: there is none.
    """
    if name not in BASELINES:
        raise InputError(f"Got the system {name!r}; known are {', '.join(BASELINES)}.")
    file, kind = BASELINES[name]
    return getattr(import_module(f"kmspeaker.baselines.{file}"), kind)


def load_system(folder: Path, device: str = "cpu") -> KMSpeaker | Baseline:
    """The network of a folder, ours or a baseline.

    Raises:
        InputError: a file is missing or altered, or the config is of a method that is not known.
    """
    settings = read_config(folder)
    if "system" not in settings:
        return KMSpeaker.load(folder, device)
    return baseline_class(str(settings["system"])).load(folder, settings, device)


def rival(name: str, ours: KMSpeaker) -> Rival:
    """One of the rivals without a network, around ours.

    Raises:
        InputError: there is none of that name.
    """
    if name not in RIVALS:
        raise InputError(f"Got the rival {name!r}; known are {', '.join(RIVALS)}.")
    return RIVALS[name](ours)
