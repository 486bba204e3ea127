"""Where the bundled data lies: heads, tracker, speech encoder, models, examples.

In a checkout it is the folder ``assets`` beside the package; a wheel carries the same files inside
the package, as ``bundled``. What comes by npm instead lies in a cache folder.
"""

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = _PACKAGE / "bundled"

ASSETS = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent / "assets"
"""Every file in it has a row in its ``manifest.json``: bytes, sha256, source and licence."""


def node_folder() -> Path:
    """Whose ``node_modules`` hold the packages of npm; ``KMSPEAKER_CACHE`` names another cache."""
    cache = os.environ.get("KMSPEAKER_CACHE")
    return (Path(cache) if cache else Path.home() / ".cache" / "kmspeaker") / "node"
