"""``python -m kmspeaker``."""

import sys

from kmspeaker.cli import main

sys.exit(main())
