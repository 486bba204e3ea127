"""The page: what knows Gradio lives here, and calls only the library's public functions."""

import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

from kmspeaker.limits import MAX_SECONDS

if TYPE_CHECKING:
    from kmspeaker.web.handlers import Speaker


def serve(
    pipeline: "Speaker",
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    max_seconds: float = MAX_SECONDS,
    block: bool = True,
) -> Any:
    """Open the page and serve it until interrupted.

    Args:
        pipeline: A loaded ``pipeline.Pipeline``.
        host: Address to listen on; ``0.0.0.0`` for every one.
        port: 0 for any free one.
        max_seconds: Longer speech or video is refused.
        block: Return only when the server has stopped.

    Returns:
        The running page (``gr.Blocks``).
    """
    from kmspeaker.web.demo import build_demo, launch_options

    if block:
        # Told to stop, leave as by the end of the program: visitors' files are deleted at exit.
        signal.signal(signal.SIGTERM, lambda *unused: sys.exit(0))
    demo = build_demo(pipeline, max_seconds=max_seconds)
    demo.queue(max_size=20, default_concurrency_limit=4)
    demo.launch(
        server_name=host,
        server_port=port or _free_port(host),
        prevent_thread_lock=not block,
        **launch_options(),
    )
    return demo


def _free_port(host: str) -> int:
    with socket.socket() as listener:
        listener.bind((host, 0))
        return listener.getsockname()[1]
