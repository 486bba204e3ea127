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
