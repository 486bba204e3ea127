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
from kmspeaker.limits import MAX_SECONDS, SERVER_DISK_MB, SERVER_MEMORY_MB, TAKES, WAITING

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from kmspeaker.web.models import Loader, Speaker


def serve(
    pipeline: "Speaker",
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    max_seconds: float = MAX_SECONDS,
    takes: int | None = None,
    waiting: int | None = None,
    memory_mb: int = SERVER_MEMORY_MB,
    disk_mb: int = SERVER_DISK_MB,
    trusted_proxies: str | None = None,
    others: "Mapping[str, Loader] | None" = None,
    mcp: bool = False,
    browser: bool = False,
    announce: Callable[[str], None] | None = None,
    study: "Starlette | None" = None,
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
        waiting: Places in the queue that a visitor may hold, 0 for any number; ``limits.WAITING``
            where None, with the same exception.
        memory_mb: What all visitors' takes and references may take together; beyond it those of the
            visitor who was away for longest are deleted.
        disk_mb: The same of their files.
        trusted_proxies: Addresses and networks of proxies, with commas between, or ``private``:
            the visitor is whom the last of them names in ``X-Forwarded-For``. Where None it is
            whoever opens the connection, and that header is not read.
        others: Ways to load further systems to compare, by name; ``models.models_to_compare``.
        mcp: Also offer the endpoints as tools to MCP clients, under ``/gradio_api/mcp``.
        browser: Also open the page in this machine's browser.
        announce: Told in one line, once the page answers: where, with which model and limits.
        study: A rating study's application, ``web.study.serving.study_app``, held under /study/.
        block: Return only when the server has stopped, which Ctrl-C and SIGTERM ask it to.

    Returns:
        The running page (``gr.Blocks``).

    Raises:
        InputError: A limit out of its range, proxies that are no addresses, ``mcp`` without the
            package it needs, or a port that is taken.
    """
    for name, number in (("takes", takes), ("waiting", waiting)):
        if number is not None and number < 0:
            raise InputError(f"Got --{name} {number}; it must be 0 or more.")
    for name, size in (("memory-mb", memory_mb), ("disk-mb", disk_mb)):
        if size <= 0:
            raise InputError(f"Got --{name} {size}; it must be more than 0.")
    if mcp and importlib.util.find_spec("mcp") is None:
        raise InputError(
            "An MCP server needs the package mcp, which is not here; pip install 'gradio[mcp]'."
        )
    port = free_port(host, port)
    import_page()
    from kmspeaker.web.heap import share_heaps
    from kmspeaker.web.limits import Limits
    from kmspeaker.web.page.layout import build_demo, launch_options
    from kmspeaker.web.room import Room
    from kmspeaker.web.visitors import TrustedProxies

    trusted = TrustedProxies.read(trusted_proxies)
    share_heaps()

    stop = threading.Event()
    if block:
        # Told to stop, once or twice, leave by the end of the program, undisturbed: visitors'
        # files are deleted at exit.
        for told in (signal.SIGINT, signal.SIGTERM):
            signal.signal(told, lambda *unused: stop.set())
    public = bool(trusted.networks) or host not in ("127.0.0.1", "localhost", "::1")
    limits = Limits(
        max_seconds=max_seconds,
        takes=(TAKES if public else 0) if takes is None else takes,
        waiting=(WAITING if public else 0) if waiting is None else waiting,
        room=Room(memory_mb * 1_000_000, disk_mb * 1_000_000),
    )
    demo = build_demo(pipeline, limits=limits, others=others)
    try:
        with _no_proxy(), _environment("FORWARDED_ALLOW_IPS", ""):  # ``visitors`` reads it instead
            demo.launch(
                server_name=f"[{host}]" if ":" in host else host,
                server_port=port,
                prevent_thread_lock=True,
                mcp_server=mcp,
                **launch_options(limits, trusted),
            )
    except Exception as error:  # Gradio raises plain ones where it cannot reach itself
        raise InputError(
            f"The page does not open at {host}, port {port} ({error}); "
            "choose another with --host or --port."
        ) from error
    address = str(demo.local_url)
    held = ""
    if study is not None:
        from kmspeaker.web.study.serving import PLACE, mount_study

        mount_study(demo.app, study)
        held = f" The rating study is at {address.rstrip('/')}{PLACE}/."
    if announce is not None:
        announce(
            f"KM-Speaker is ready at {address} with the model {pipeline.model_name}. "
            f"{limits.sentence()}{held} Ctrl-C stops it."
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
    with _environment("no_proxy", "*"):
        yield


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    former = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if former is None:
            del os.environ[name]
        else:
            os.environ[name] = former
