"""The page: what knows Gradio lives here, and calls only the library's public functions."""

import importlib.util
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from kmspeaker.errors import InputError
from kmspeaker.limits import MAX_SECONDS, TAKES

if TYPE_CHECKING:
    from kmspeaker.web.models import Speaker


def serve(
    pipeline: "Speaker",
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    max_seconds: float = MAX_SECONDS,
    takes: int | None = None,
    others: "Mapping[str, Callable[[], Speaker]] | None" = None,
    mcp: bool = False,
    block: bool = True,
) -> Any:
    """Open the page and serve it until interrupted.

    Args:
        pipeline: A loaded ``pipeline.Pipeline``.
        host: Address to listen on; ``0.0.0.0`` for every one.
        port: 0 for any free one.
        max_seconds: Longer speech or video is refused.
        takes: How many a visitor may make in ten minutes, 0 for any number; ``limits.TAKES`` where
            None, or any number if nobody but this machine can reach the page.
        others: Ways to load further models to compare, by name.
        mcp: Also offer the endpoints as tools to MCP clients, under ``/gradio_api/mcp``.
        block: Return only when the server has stopped.

    Returns:
        The running page (``gr.Blocks``).

    Raises:
        InputError: ``takes`` below 0, or ``mcp`` without the package it needs.
    """
    if takes is not None and takes < 0:
        raise InputError(f"Got --takes {takes}; it must be 0 or more.")
    if mcp and importlib.util.find_spec("mcp") is None:
        raise InputError(
            "An MCP server needs the package mcp, which is not here; pip install 'gradio[mcp]'."
        )
    from kmspeaker.web.limits import Limits
    from kmspeaker.web.page.layout import build_demo, launch_options

    if block:
        # Told to stop, leave as by the end of the program: visitors' files are deleted at exit.
        signal.signal(signal.SIGTERM, lambda *unused: sys.exit(0))
    if takes is None:
        takes = 0 if host in ("127.0.0.1", "localhost", "::1") else TAKES
    limits = Limits(max_seconds=max_seconds, takes=takes)
    demo = build_demo(pipeline, limits=limits, others=others)
    demo.queue(max_size=limits.queue, default_concurrency_limit=4)
    demo.launch(
        server_name=host,
        server_port=port or _free_port(host),
        prevent_thread_lock=not block,
        mcp_server=mcp,
        **launch_options(limits),
    )
    return demo


def _free_port(host: str) -> int:
    with socket.socket() as listener:
        listener.bind((host, 0))
        return listener.getsockname()[1]
