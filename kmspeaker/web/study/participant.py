"""What a participant's page may ask: to join, go on, rate, answer, finish, withdraw, delete.

Place in the flow: the page -> here -> ``study.store``. Whoever asks is known by the code in the
``Authorization`` header alone: cookies are lost in a frame, and addresses are logged.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from kmspeaker.errors import InputError
from kmspeaker.study.participants import Participant
from kmspeaker.study.store import Store
from kmspeaker.web.study.guard import Body, Refused, bearer, read
from kmspeaker.web.study.views import Views, stored_plays, stored_rating

WITHDRAWN_MAY = ("withdraw", "delete")
"""What who has withdrawn may still ask."""

Answers = dict[str, Any]
Endpoint = Callable[[Request], Awaitable[Response]]


class Nothing(Body):
    """Of requests that have nothing to say."""


class Consent(Body):
    """Only who agrees joins."""

    consent: bool


class Rate(Body):
    """One rating, or its change."""

    page: int
    name: str
    value: float
    seconds: float
    save: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]
    plays: dict[str, int]


class Play(Body):
    """How often clips were played through."""

    page: int
    plays: dict[str, int]
    seconds: float


class Next(Body):
    """A page is done."""

    page: int


class Answer(Body):
    """One answer of the questionnaire."""

    name: str
    answer: str


class Participants:
    """The endpoints of participants.

    Args:
        store: Where all is kept.
        views: What they may see.
    """

    def __init__(self, store: Store, views: Views) -> None:
        self._store = store
        self._views = views
        self._works: dict[str, tuple[type[Body], Callable[[Participant, Any], Answers]]] = {
            "rate": (Rate, self._rate),
            "play": (Play, self._play),
            "next": (Next, self._next),
            "answer": (Answer, self._answer),
            "finish": (Nothing, self._finish),
            "withdraw": (Nothing, self._withdraw),
            "delete": (Nothing, self._delete),
        }

    def told(self, code: str, name: str, said: Body) -> Answers:
        """What a participant asks of the store, by the last word of its address.

        Raises:
            InputError: The store refuses it.
            Refused: Nobody has this code, or he has withdrawn.
        """
        try:
            who = self._store.resume(code)
        except InputError as error:
            raise Refused(401, str(error)) from error
        if who.withdrawn_at is not None and name not in WITHDRAWN_MAY:
            raise Refused(410, "You have withdrawn; nothing more is kept.")
        return self._works[name][1](who, said)

    def routes(self) -> list[Route]:
        """Every address under ``/api/``."""
        return [
            Route("/api/study", self._study, methods=["GET"]),
            Route("/api/session", self._session, methods=["GET"]),
            Route("/api/clips/{file}", self._clip, methods=["GET"]),
            Route("/api/join", self._join, methods=["POST"]),
            *(Route(f"/api/{name}", self._told(name), methods=["POST"]) for name in self._works),
        ]

    async def _study(self, request: Request) -> Response:
        del request
        return JSONResponse(self._views.study())

    async def _join(self, request: Request) -> Response:
        if not (await read(request, Consent)).consent:
            raise Refused(400, "Got no consent; only who agrees can take part.")

        def join() -> Answers:
            code, participant = self._store.join()
            return {"code": code, **self._views.session(participant)}

        return JSONResponse(await run_in_threadpool(join))

    async def _session(self, request: Request) -> Response:
        def session() -> Answers:
            return self._views.session(self._who(request))

        return JSONResponse(await run_in_threadpool(session))

    async def _clip(self, request: Request) -> Response:
        name = request.path_params["file"]

        def found() -> Path | None:
            who = self._who(request)
            try:
                return self._views.file(who, name)
            except InputError as error:
                raise Refused(500, str(error)) from error

        path = await run_in_threadpool(found)
        if path is None:
            raise Refused(404, "This clip is on none of your pages.")
        return FileResponse(path, headers={"Cache-Control": "private, no-store"})

    def _told(self, name: str) -> Endpoint:
        kind = self._works[name][0]

        async def endpoint(request: Request) -> Response:
            said = await read(request, kind)
            answer = partial(self.told, bearer(request), name, said)
            return JSONResponse(await run_in_threadpool(answer))

        return endpoint

    def _who(self, request: Request) -> Participant:
        code = bearer(request)
        try:
            return self._store.resume(code)
        except InputError as error:
            raise Refused(401, str(error)) from error

    def _rate(self, who: Participant, said: Rate) -> Answers:
        page = self._page(who, said.page)
        key, value = stored_rating(page, said.name, said.value)
        plays = stored_plays(page, said.plays)
        try:
            rating = self._store.rate(
                who, said.page, key, value, seconds=said.seconds, save=said.save, plays=plays
            )
        except InputError as error:
            self._look_elsewhere(who, said.page, error)
            raise
        return {"revision": rating.revision}

    def _play(self, who: Participant, said: Play) -> Answers:
        plays = stored_plays(self._page(who, said.page), said.plays)
        if not 0 <= said.seconds < float("inf"):
            raise InputError(f"Got {said.seconds} seconds on a page; give 0 or more.")
        self._store.play(who, said.page, plays, seconds=said.seconds)
        return {}

    def _next(self, who: Participant, said: Next) -> Answers:
        self._page(who, said.page)
        self._store.finish_page(who, said.page)
        feedback = self._views.feedback(who, said.page)
        return {"feedback": feedback, **self._views.session(who)}

    def _answer(self, who: Participant, said: Answer) -> Answers:
        self._store.answer(who, said.name, said.answer)
        return {}

    def _finish(self, who: Participant, said: Nothing) -> Answers:
        del said
        return {"completion": self._store.finish(who)}

    def _withdraw(self, who: Participant, said: Nothing) -> Answers:
        del said
        self._store.withdraw(who)
        return {}

    def _delete(self, who: Participant, said: Nothing) -> Answers:
        del said
        self._store.delete(who)
        return {}

    def _page(self, who: Participant, position: int) -> Any:
        pages = self._store.pages(who)
        if not 0 <= position < len(pages):
            raise InputError(f"Got page {position}; there are 0 to {len(pages) - 1}.")
        return pages[position]

    def _look_elsewhere(self, who: Participant, position: int, error: InputError) -> None:
        """Tell a tab that another has gone on from its page.

        Raises:
            Refused: It has.
        """
        if position in self._store.progress(who).done:
            raise Refused(409, "This page is done, in another window perhaps; go on.") from error
