"""``kmspeaker app``: open the app in a browser."""

import argparse
import os
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kmspeaker.cli.options import Commands, add_max_seconds, add_model, add_quiet
from kmspeaker.limits import SERVER_DISK_MB, SERVER_MEMORY_MB, TAKES, WAITING
from kmspeaker.progress import progress_bar

if TYPE_CHECKING:
    from starlette.applications import Starlette


def add_parser(commands: Commands) -> None:
    """The command and its options."""
    app = commands.add_parser("app", help="open the app in a browser")
    app.add_argument(
        "--host", default="127.0.0.1", help="address to listen at (default %(default)s)"
    )
    app.add_argument(
        "--port", type=int, default=7860, help="0 for any free one (default %(default)s)"
    )
    app.add_argument(
        "--open",
        action=argparse.BooleanOptionalAction,
        help="open the page in a browser (default: from a terminal on a desktop)",
    )
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
    app.add_argument(
        "--waiting",
        type=int,
        metavar="N",
        help=f"places in the queue each visitor may hold, 0 for any number (default {WAITING}; any "
        "number where only this machine can open the page)",
    )
    app.add_argument(
        "--trusted-proxies",
        metavar="ADDRESSES",
        help="addresses or networks of proxies before this page, with commas between, or "
        "`private`: visitors are told apart by the address that these forward (default: none)",
    )
    app.add_argument(
        "--memory-mb",
        type=int,
        default=SERVER_MEMORY_MB,
        help="memory for the takes and references of all visitors; beyond it those of whoever was "
        "away for longest are deleted (default %(default)s)",
    )
    app.add_argument(
        "--disk-mb",
        type=int,
        default=SERVER_DISK_MB,
        help="the same for their files (default %(default)s)",
    )
    app.add_argument(
        "--study",
        type=Path,
        metavar="STUDY",
        help="also hold this rating study, which `study build` made, under /study/; the token in "
        "$KMSPEAKER_STUDY_TOKEN opens its owner's page",
    )
    app.add_argument(
        "--study-database", metavar="URL", help="where its ratings are, as for `study serve`"
    )
    app.add_argument(
        "--study-mirror", metavar="OWNER/DATASET", help="copies its raw data, as `study serve` does"
    )
    app.add_argument("--mcp", action="store_true", help="also serve MCP clients; needs gradio[mcp]")
    add_model(app)
    add_max_seconds(app)
    add_quiet(app)
    app.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Load the model and serve the page until it is stopped."""
    from kmspeaker.cli.study import open_study
    from kmspeaker.web import free_port

    free_port(options.host, options.port)  # refuses a taken one before seconds of loading
    with ExitStack() as until_the_end:
        study = None
        if options.study is not None:
            opened = open_study(
                options.study, database=options.study_database, mirror=options.study_mirror
            )
            _, study = until_the_end.enter_context(opened)
        _serve(options, study)


def _serve(options: argparse.Namespace, study: "Starlette | None") -> None:
    from kmspeaker.web import import_page, serve

    with progress_bar(f"loading the model {options.model}", quiet=options.quiet) as progress:
        from kmspeaker.pipeline import Pipeline
        from kmspeaker.web.models import models_to_compare
        from kmspeaker.web.visitors import TrustedProxies

        TrustedProxies.read(options.trusted_proxies)  # refused before the model is loaded
        others = models_to_compare(options.models, options.device)
        pipeline = Pipeline.load(options.model, device=options.device, progress=progress)
        import_page()
    same = ("host", "port", "max_seconds", "takes", "waiting", "trusted_proxies")
    same += ("memory_mb", "disk_mb", "mcp")
    serve(
        pipeline,
        others=others,
        browser=_on_desktop() if options.open is None else options.open,
        announce=partial(print, flush=True),
        study=study,
        **{name: getattr(options, name) for name in same},
    )


def _on_desktop() -> bool:
    """Whether somebody looks at a terminal beside which a browser can open."""
    screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return bool(screen) and sys.stdout.isatty()
