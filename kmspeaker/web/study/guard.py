"""What a request must be like, and what it is told where it is not.

Place in the flow: around ``participant`` and ``owner``. Every refusal is JSON with a sentence for
the person and a status for the page.
"""

import time
from collections import defaultdict, deque
from collections.abc import Callable
from secrets import compare_digest
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kmspeaker.errors import InputError
from kmspeaker.study.store import StoreUnavailable

MOST_BYTES = 64 * 1024
"""Of what a request may say."""
WRONG_TOKENS, TOKEN_MINUTE = 10, 60.0
"""So many wrong tokens of one address in so many seconds, and none is read for a while."""
MOST_ADDRESSES = 10_000
SHORTEST_TOKEN = 16
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'{styles}; img-src 'self' data:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self' https://huggingface.co"
)
_WORDS = {
    404: "There is nothing at this address.",
    405: "This address does not answer requests of that kind.",
    500: "Something went wrong on the server; it can be tried again.",
}


class Refused(Exception):
    """A request that is not answered: a status and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        self.status = status
        super().__init__(sentence)


class Body(BaseModel):
    """What a request says: exactly these fields, each of its own type."""

    model_config = ConfigDict(extra="forbid", strict=True)


Said = TypeVar("Said", bound=Body)


async def read(request: Request, kind: type[Said]) -> Said:
    """What a request says.

    Raises:
        Refused: It is too large, no JSON, or has other fields than these.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Refused(415, "Got a request that is no JSON; load the page anew.")
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > MOST_BYTES:
            raise Refused(413, f"Got a request of more than {MOST_BYTES >> 10} KiB; say less.")
    try:
        return kind.model_validate_json(bytes(content))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part)[:40] for part in first["loc"]) or "a request"
        raise Refused(400, f"Got {where} that cannot be used: {first['msg']}.") from error


def bearer(request: Request) -> str:
    """The code or token of a request's header.

    Raises:
        Refused: It has none.
    """
    kind, _, word = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not word.strip():
        raise Refused(401, "Got a request without a code; type yours on the first page.")
    return word.strip()


class Owner:
    """Knows the owner by his token, and does not let it be guessed.

    Args:
        token: None where there is no owner's page.
        clock: Seconds that only grow.
    """

    def __init__(self, token: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        if token is not None and len(token) < SHORTEST_TOKEN:
            raise InputError(
                f"Got a token of {len(token)} letters; give {SHORTEST_TOKEN} or more, such as what "
                "`openssl rand -hex 16` prints."
            )
        self._token = token
        self._clock = clock
        self._wrong: defaultdict[str, deque[float]] = defaultdict(deque)

    def check(self, request: Request) -> None:
        """Let the owner in, and nobody else.

        Raises:
            Refused: The token is wrong, too many were, or there is no owner's page.
        """
        if self._token is None:
            raise Refused(
                404, "This study was served without a token for its owner; see --token-file."
            )
        who = request.client.host if request.client else "unknown"
        now = self._clock()
        wrong = self._wrong[who]
        while wrong and now - wrong[0] > TOKEN_MINUTE:
            wrong.popleft()
        if len(wrong) >= WRONG_TOKENS:
            raise Refused(429, "Got too many wrong tokens; wait a minute.")
        if not compare_digest(bearer(request).encode(), self._token.encode()):
            wrong.append(now)
            if len(self._wrong) > MOST_ADDRESSES:
                self._wrong.clear()
            raise Refused(401, "Got a token that is not the owner's.")
        del self._wrong[who]


class Headers:
    """ASGI middleware: nothing is fetched from elsewhere, run from within, guessed or kept."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer with these headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # plotly, on the owner's page, sets styles of its own.
        styles = " 'unsafe-inline'" if scope["path"] == "/owner" else ""

        async def sent(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = _POLICY.format(styles=styles)
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, sent)


async def refusal(request: Request, error: Exception) -> Response:
    """Whatever went wrong, as JSON with a sentence."""
    del request
    headers: dict[str, str] = {}
    more: dict[str, str] = {}
    if isinstance(error, Refused):
        status, sentence = error.status, str(error)
    elif isinstance(error, StoreUnavailable):
        status, sentence = 503, str(error)
        headers, more = {"Retry-After": "2"}, {"reason": error.reason}
    elif isinstance(error, InputError):
        status, sentence = 400, str(error)
    elif isinstance(error, HTTPException):
        status, sentence = error.status_code, _WORDS.get(error.status_code, error.detail)
    else:
        status, sentence = 500, _WORDS[500]
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"sentence": sentence, **more}, status, headers)
