"""``kmspeaker.training`` with the size ``tiny``, as a process of its own for the tests."""

import sys

from tiny_model import TINY

from kmspeaker.model.network import PRESETS
from kmspeaker.training.__main__ import main

if __name__ == "__main__":
    PRESETS["tiny"] = TINY
    sys.exit(main())
