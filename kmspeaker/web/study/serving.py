"""The study's pages as one ASGI application, and the server that runs it.

Place in the flow: ``kmspeaker study serve`` -> here.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from kmspeaker.errors import InputError
from kmspeaker.study.store import Store, StoreUnavailable
from kmspeaker.study.study_folder import Study
from kmspeaker.web.study.guard import Headers, Owner, Refused, refusal
from kmspeaker.web.study.owner import OwnersPage
from kmspeaker.web.study.participant import Participants
from kmspeaker.web.study.views import Views

STATIC = Path(__file__).parent / "static"
PLACE = "/study"
"""Where the app holds a study."""
_PATIENCE = 5
"""Seconds that requests have to end in, once the server is told to stop."""


def study_app(study: Study, store: Store, *, token: str | None = None) -> Starlette:
    """The application.

    Args:
        study: What is shown.
        store: Where what is answered goes.
        token: By which the owner is known; None for no owner's page.

    Raises:
        InputError: The token is so short that it can be guessed.
    """
    participants = Participants(store, Views(study, store))
    owner = OwnersPage(study, store, Owner(token))
    kinds = (Refused, StoreUnavailable, InputError, HTTPException, Exception)
    return Starlette(
        routes=[
            Route("/", _page("index.html"), methods=["GET"]),
            Route("/owner", _page("owner.html"), methods=["GET"]),
            *participants.routes(),
            *owner.routes(),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[Middleware(Headers)],
        exception_handlers=dict.fromkeys(kinds, refusal),
    )


def mount_study(page: Starlette, app: Starlette) -> None:
    """Hold a study at ``PLACE`` of a page that is open, before what the page answers itself.

    Args:
        page: The app's own.
        app: Of ``study_app``.
    """

    async def with_slash(request: Request) -> Response:
        return RedirectResponse(f"{request.url.path}/")

    page.router.routes[0:0] = [Route(PLACE, with_slash), Mount(PLACE, app=app)]


def serve_study(
    app: Starlette, *, host: str, port: int, announce: Callable[[str], None] | None = None
) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        app: Of ``study_app``.
        host: Address to listen on.
        port: A free one, see ``web.free_port``.
        announce: Told the address, once it answers.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="error",
        access_log=False,  # addresses of participants are nobody's business
        timeout_graceful_shutdown=_PATIENCE,
        server_header=False,
    )
    _Server(config, announce).run()


class _Server(uvicorn.Server):
    """Says when it answers, and ends quietly."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[str], None] | None) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: Any = None) -> None:
        """Begin to answer, and say so."""
        await super().startup(sockets)
        if self._announce is not None and self.started:
            host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
            self._announce(f"http://{host}:{self.config.port}/")

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Until told to stop, once or twice: uvicorn's own would raise the signal at the end."""
        if threading.current_thread() is threading.main_thread():
            for told in (signal.SIGINT, signal.SIGTERM):
                signal.signal(told, self.handle_exit)
        yield


def _page(name: str) -> Any:
    async def page(request: Request) -> Response:
        del request
        return FileResponse(STATIC / name)

    return page
