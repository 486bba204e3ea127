"""Start the page; also the entry point of a Hugging Face Space.

Options are those of ``python -m kmspeaker app``; a Space tells the address by the environment.
"""

import os
import sys

from kmspeaker.cli import main

if __name__ == "__main__":
    from_environment = []
    for option, variable in (("--host", "GRADIO_SERVER_NAME"), ("--port", "GRADIO_SERVER_PORT")):
        if variable in os.environ:
            from_environment += [option, os.environ[variable]]
    if "SPACE_ID" in os.environ:  # only Hugging Face's own proxy can reach it there
        from_environment += ["--trusted-proxies", "private"]
    sys.exit(main(["app", *from_environment, *sys.argv[1:]]))
