"""Places to wait in: how many there are, and how many of them one visitor may have.

Gradio queues every call and knows one bound for all of them. Here what keeps the machine busy has
bounds of its own, so that a page whose queue is full still answers what costs nothing.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from kmspeaker.web.errors import FULL
from kmspeaker.web.limits import Limits
from kmspeaker.web.sessions import Sessions
from kmspeaker.web.visitors import visitor_of

ONE_AT_A_TIME: dict[str, Any] = {"concurrency_id": "gpu", "concurrency_limit": 1}
"""Options of events that keep the whole machine busy: takes, tracking, fits, files written."""
TWO_AT_A_TIME: dict[str, Any] = {"concurrency_id": "files", "concurrency_limit": 2}
"""Options of events that read or write a file in a moment: heads, templates, a video's voice."""
_WORK = frozenset({"gpu", "files"})


def bound_queue(demo: gr.Blocks, limits: Limits, sessions: Sessions) -> None:
    """Let no more wait than there are places, and no visitor have more than their own.

    Args:
        demo: The page, whose ``queue`` was called.
        limits: ``queue`` and ``waiting``.
        sessions: To which uploads belong from the moment that something is asked with them.
    """
    queue, push = demo._queue, demo._queue.push

    async def bounded(body: Any, request: Any, username: str | None) -> Any:
        fn = demo.fns.get(body.fn_index) if body.fn_index is not None else None
        if fn is not None and fn.concurrency_id in _WORK:
            events = [
                event
                for name, group in queue.event_queue_per_concurrency_id.items()
                if name in _WORK
                for event in group.queue
            ]
            if len(events) >= limits.queue:
                return False, FULL, "queue_full"
            me = visitor_of(request, body.session_hash)
            mine = sum(visitor_of(event.request, event.session_hash) == me for event in events)
            if limits.waiting and mine >= limits.waiting:
                return False, limits.waiting_sentence(), "queue_full"
        answer = await push(body=body, request=request, username=username)
        if answer[0] and body.session_hash:
            sessions.claim(body.session_hash, _files(body.data))
        return answer

    queue.push = bounded


def _files(data: Any) -> Iterator[Path]:
    """What a call names as files."""
    if isinstance(data, list):
        for each in data:
            yield from _files(each)
    elif isinstance(data, dict):
        path = data.get("path")
        if isinstance(path, str) and "\0" not in path:
            yield Path(path)
        for each in data.values():
            yield from _files(each)
