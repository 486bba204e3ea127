"""``kmspeaker app``: open the app in a browser."""

import argparse
from pathlib import Path

from kmspeaker.cli.options import Commands, add_max_seconds, add_model
from kmspeaker.limits import TAKES


def add_parser(commands: Commands) -> None:
    """The command and its options."""
    app = commands.add_parser("app", help="open the app in a browser")
    app.add_argument("--host", default="127.0.0.1")
    app.add_argument("--port", type=int, default=7860)
    app.add_argument(
        "--models", type=Path, metavar="FOLDER", help="folder of more models to compare on the page"
    )
    app.add_argument(
        "--takes",
        type=int,
        metavar="N",
        help="takes each visitor may make in ten minutes, 0 for any number (default "
        f"{TAKES}; any number where only this machine can open the page)",
    )
    app.add_argument("--mcp", action="store_true", help="also serve MCP clients; needs gradio[mcp]")
    add_model(app)
    add_max_seconds(app)
    app.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Load the model and serve the page until it is stopped."""
    from kmspeaker.pipeline import Pipeline
    from kmspeaker.web import serve
    from kmspeaker.web.models import models_to_compare

    others = models_to_compare(options.models, options.device)
    pipeline = Pipeline.load(options.model, device=options.device)
    same = ("host", "port", "max_seconds", "takes", "mcp")
    serve(pipeline, others=others, **{name: getattr(options, name) for name in same})
