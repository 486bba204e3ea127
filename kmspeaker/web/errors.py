"""What goes wrong as a sentence: the library's own, never a stack trace."""

import functools
import html
import logging
from collections.abc import Callable
from typing import Any

import gradio as gr
from fastapi import Request
from fastapi.responses import JSONResponse

from kmspeaker.errors import InputError
from kmspeaker.progress import Progress
from kmspeaker.web.session import Stop

_log = logging.getLogger(__name__)
_SORRY = "Something went wrong here, not with your files; please try once more."
FULL = "Too many others are waiting for this page just now; please try again in a few minutes."


class Stopped(Exception):
    """Raised out of a progress callback when the visitor wants the result no more."""


def page_progress(progress: gr.Progress | None, text: str, stop: Stop | None = None) -> Progress:
    """A stage's fractions as the page's progress bar; ends the stage when it is to stop."""

    def report(fraction: float) -> None:
        if stop is not None and stop.is_set():
            raise Stopped
        if progress is not None:
            progress(fraction, desc=text)

    return report


def readable(handler: Callable) -> Callable:
    """For the page: a notice with a title."""
    return _with_notices(handler, _titled)


def readable_plain(handler: Callable) -> Callable:
    """For programs: the sentence alone."""
    return _with_notices(handler, lambda title, sentence: sentence)


def unavailable(request: Request, error: Exception) -> JSONResponse:
    """What Gradio answers with 503 where ``queueing`` found no place, so that it is read.

    Gradio's page has a sentence of its own for that number and shows the answer's for any other;
    its Python client knows the number and looks no further, and of others reads only 422's.
    """
    detail = str(getattr(error, "detail", ""))
    if detail.startswith("Queue is stopped"):
        return JSONResponse({"detail": detail}, 503)
    full = detail == FULL
    if not request.url.path.endswith("/queue/join"):
        return JSONResponse({"detail": detail}, 503 if full else 429)
    if not request.headers.get("user-agent", "").startswith("gradio_client"):
        return JSONResponse({"detail": _titled("Please come back", detail)}, 429)
    if full:
        return JSONResponse({"detail": detail}, 503)
    wrong = {"__type__": "validate", "is_valid": False, "parameter_name": "queue"}
    return JSONResponse({"detail": [{**wrong, "message": detail}]}, 422)


def _with_notices(handler: Callable, wording: Callable[[str, str], str]) -> Callable:
    def notice(title: str, sentence: str) -> gr.Error:
        return gr.Error(wording(title, sentence), title=title, print_exception=False)

    @functools.wraps(handler)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return handler(*args, **kwargs)
        except InputError as error:
            raise notice("Please check this", str(error)) from error
        except Stopped as stopped:
            raise notice("Stopped", "Stopped; nothing was made.") from stopped
        except gr.Error:
            raise
        except Exception as error:
            _log.exception("%s failed", handler.__name__)
            raise notice("Sorry", _SORRY) from error

    return wrapper


def _titled(title: str, sentence: str) -> str:
    # Gradio's page shows "Error" over every notice whatever its title, so the title is part of the
    # text (page.css hides the other). It renders HTML, and the sentence may hold a file's name.
    return f"<b class='km-title'>{html.escape(title)}</b>{html.escape(sentence)}"
