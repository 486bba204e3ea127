"""Start the page; also the entry point of a Hugging Face Space.

Options are those of ``python -m kmspeaker app``; a Space tells the address by the environment.
"""

import os
import sys

from kmspeaker.cli import main

VARIABLES = {
    "--host": "GRADIO_SERVER_NAME",
    "--port": "GRADIO_SERVER_PORT",
    "--study": "KMSPEAKER_STUDY",
    "--study-database": "KMSPEAKER_STUDY_DATABASE",
    "--study-mirror": "KMSPEAKER_STUDY_MIRROR",
}
"""Options that a Space, which gives none, may set."""

if __name__ == "__main__":
    from_environment = []
    for option, variable in VARIABLES.items():
        if variable in os.environ:
            from_environment += [option, os.environ[variable]]
    if "SPACE_ID" in os.environ:  # only Hugging Face's own proxy can reach it there
        from_environment += ["--trusted-proxies", "private"]
    sys.exit(main(["app", *from_environment, *sys.argv[1:]]))
