"""The defaults that the command line and the app share, light enough to import for ``--help``."""

DEFAULT_MODEL = "small"
"""A bundled model; see ``hub.resolve_model`` for what else a name can be."""

DEFAULT_IDENTITY_INDEX = 0
"""Which of ``FaceModel.identities`` speaks by default."""

MAX_SECONDS = 600.0
"""Longer speech or video is refused; ``--max-seconds`` changes it."""

TAKES = 20
"""Takes each visitor of a public page may make within ``TAKES_WINDOW``; ``--takes`` changes it."""

TAKES_WINDOW = 600.0
"""Seconds."""

JOBS_PER_TAKE = 3
"""Other work for each take a visitor may make: videos read, files written, heads tried."""

WAITING = 2
"""Places in the queue that each visitor of a public page may hold; ``--waiting`` changes it."""

QUEUE = 40
"""Places in the queue of all visitors together."""

SERVER_MEMORY_MB = 2000
"""Of all visitors' takes and references together; ``--memory-mb`` changes it."""

SERVER_DISK_MB = 4000
"""Of all visitors' files together; ``--disk-mb`` changes it."""
