"""Where the bundled data lies: heads, tracker, speech encoder, models, examples.

In a checkout it is the folder ``assets`` beside the package; a wheel carries the same files inside
the package, as ``bundled``.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = _PACKAGE / "bundled"

ASSETS = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent / "assets"
"""Every file in it has a row in its ``manifest.json``: bytes, sha256, source and licence."""
