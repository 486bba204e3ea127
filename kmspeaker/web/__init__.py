"""The page: what knows Gradio lives here, and calls only the library's public functions."""

import errno
import importlib
import importlib.util
import os
import signal
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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
    browser: bool = False,
    announce: Callable[[str], None] | None = None,
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
        browser: Also open the page in this machine's browser.
        announce: Told in one line, once the page answers: where, with which model and limits.
        block: Return only when the server has stopped, which Ctrl-C and SIGTERM ask it to.

    Returns:
        The running page (``gr.Blocks``).

    Raises:
        InputError: ``takes`` below 0, ``mcp`` without the package it needs, or a port that is
            taken.
    """
    if takes is not None and takes < 0:
        raise InputError(f"Got --takes {takes}; it must be 0 or more.")
    if mcp and importlib.util.find_spec("mcp") is None:
        raise InputError(
            "An MCP server needs the package mcp, which is not here; pip install 'gradio[mcp]'."
        )
    port = free_port(host, port)
    import_page()
    from kmspeaker.web.limits import Limits
    from kmspeaker.web.page.layout import build_demo, launch_options

    stop = threading.Event()
    if block:
        # Told to stop, once or twice, leave by the end of the program, undisturbed: visitors'
        # files are deleted at exit.
        for told in (signal.SIGINT, signal.SIGTERM):
            signal.signal(told, lambda *unused: stop.set())
    if takes is None:
        takes = 0 if host in ("127.0.0.1", "localhost", "::1") else TAKES
    limits = Limits(max_seconds=max_seconds, takes=takes)
    demo = build_demo(pipeline, limits=limits, others=others)
    demo.queue(max_size=limits.queue, default_concurrency_limit=4)
    try:
        with _no_proxy():
            demo.launch(
                server_name=f"[{host}]" if ":" in host else host,
                server_port=port,
                prevent_thread_lock=True,
                mcp_server=mcp,
                **launch_options(limits),
            )
    except Exception as error:  # Gradio raises plain ones where it cannot reach itself
        raise InputError(
            f"The page does not open at {host}, port {port} ({error}); "
            "choose another with --host or --port."
        ) from error
    address = str(demo.local_url)
    if announce is not None:
        announce(
            f"KM-Speaker is ready at {address} with the model {pipeline.model_name}. "
            f"{limits.sentence()} Ctrl-C stops it."
        )
    if browser:
        webbrowser.open(address)
    if block:
        stop.wait()
        demo.close(verbose=False)
    return demo


def import_page() -> None:
    """Import what the page is made of, which takes as long as loading a model."""
    with _no_proxy():
        importlib.import_module("kmspeaker.web.page.layout")


def free_port(host: str, port: int) -> int:
    """The port, or any free one where it is 0.

    Raises:
        InputError: Another program has it, or nothing can listen there.
    """
    if not 0 <= port <= 65535:
        raise InputError(f"Got --port {port}; it must be from 0, any free one, to 65535.")
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        ):
            with socket.socket(family, kind, protocol) as listener:
                # What has just been stopped does not count as taken.
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind((address[0], port, *address[2:]))
                port = listener.getsockname()[1]
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InputError(
                f"Port {port} of {host} is taken by another program; choose another with --port, "
                "or any free one with --port 0."
            ) from error
        raise InputError(
            f"Cannot listen at {host}, port {port} ({error.strerror or error}); choose another "
            "with --host or --port."
        ) from error
    return port


@contextmanager
def _no_proxy() -> Iterator[None]:
    """Without proxies meanwhile: a starting page calls itself, and local addresses need none.

    Naming these in ``no_proxy`` is not enough: Gradio's clients set up every proxy, some while it
    is imported, and for SOCKS they need a package.
    """
    former = os.environ.get("no_proxy")
    os.environ["no_proxy"] = "*"
    try:
        yield
    finally:
        if former is None:
            del os.environ["no_proxy"]
        else:
            os.environ["no_proxy"] = former
