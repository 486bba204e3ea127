"""The page: which handler each control calls. Its parts are ``page_inputs`` and ``page_result``."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from kmspeaker.examples import FOLDER as EXAMPLE_FOLDER
from kmspeaker.examples import load_examples, portrait
from kmspeaker.limits import DEFAULT_IDENTITY_INDEX
from kmspeaker.web.api import endpoints
from kmspeaker.web.errors import unavailable
from kmspeaker.web.handlers import Handlers, PageFields
from kmspeaker.web.limits import Limits
from kmspeaker.web.models import Models, Speaker
from kmspeaker.web.page.curves import Inspector, plotly_folder
from kmspeaker.web.page.direct import returning
from kmspeaker.web.page.events import PRESS_DOWNLOAD, PRIVATE
from kmspeaker.web.page.inputs import Inputs, inputs
from kmspeaker.web.page.own_head_panel import OwnFaces
from kmspeaker.web.page.result import Result, result
from kmspeaker.web.page.theme import theme
from kmspeaker.web.page.viewer import STATIC, mounting, three_folder, viewer_assets
from kmspeaker.web.service import Service
from kmspeaker.web.sessions import Sessions

_FORGET_SECONDS = (600, 3000)
"""How often Gradio looks for old uploads, and how old they may get."""
_WEAR = (
    "(name, stage) => ({...stage, identity: name,"
    " heads: stage.heads.map((head) => ({...head, identity: name}))})"
)
_ON_STAGE = (
    "(stage) => { const keys = [...document.querySelectorAll('.km-panels [data-key]')]"
    ".filter((panel) => !panel.hidden).map((panel) => panel.dataset.key);"
    " return {...stage, shown: keys.length ? keys : stage.shown}; }"
)
"""Which heads the visitor looks at is known only to the browser."""


def build_demo(
    pipeline: Speaker,
    *,
    limits: Limits | None = None,
    others: Mapping[str, Callable[[], Speaker]] | None = None,
) -> gr.Blocks:
    """Lay out the page around a loaded pipeline.

    Args:
        pipeline: What generates; ``pipeline.Pipeline``.
        limits: What a visitor may ask; the defaults where None.
        others: Ways to load further models to compare, by name.

    Returns:
        The page; start it with ``demo.queue().launch(**launch_options())``.
    """
    limits = limits or Limits()
    root = Path(tempfile.mkdtemp(prefix="km-speaker-")).resolve()
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    sessions = Sessions(root / "visitors", _upload_folder())
    sessions.watch()
    face_folder = root / "face"
    face_folder.mkdir()
    examples = load_examples()
    served = [STATIC, three_folder(), plotly_folder(), pipeline.face.folder, EXAMPLE_FOLDER]
    gr.set_static_paths([*served, face_folder, sessions.root])
    service = Service(Models(pipeline, others), limits)
    handlers = Handlers(service, sessions, examples)
    identity = pipeline.face.identities[DEFAULT_IDENTITY_INDEX]
    nothing_yet = {"identity": identity, "heads": [], "shown": [], "sound": None, "reference": None}

    with gr.Blocks(
        title="KM-Speaker", analytics_enabled=False, delete_cache=_FORGET_SECONDS
    ) as demo:
        gr.HTML(
            _header(pipeline.model_name),
            js_on_load=mounting("page.js"),
            apply_default_css=False,
            static=str(STATIC),
            shows={
                "face": str(next(iter(examples.values())).reference),
                "head": str(portrait(identity)),
            },
        )
        with gr.Row(elem_classes="km-columns", equal_height=False):
            with gr.Column(elem_classes="km-inputs", scale=0, min_width=400):
                given = inputs(service.models.names, limits, demo.load)
            with gr.Column(elem_classes="km-result", scale=1, min_width=320):
                assets = viewer_assets(pipeline.face, face_folder)
                shown = result(pipeline.face, examples, assets, identity, nothing_yet)
        _connect(handlers, given, shown, service.models.own_name)
        inspector = Inspector(pipeline.face, sessions)
        shown.screen.change(
            inspector.inspect, None, shown.curves, show_progress="hidden", **PRIVATE
        )
        shown.own.connect(
            OwnFaces(service.face, sessions),
            person=shown.person,
            stage=shown.screen,
            take=shown.take,
            ready=shown.ready,
        )
        endpoints(service, sessions)
        demo.unload(handlers.leave)
    return demo


def launch_options(limits: Limits | None = None) -> dict[str, Any]:
    """What ``launch`` needs for this page, address apart."""
    return {
        "theme": theme(),
        "css_paths": [STATIC / name for name in ("page.css", "viewer.css", "curves.css")],
        "favicon_path": STATIC / "favicon.svg",
        "footer_links": ["api", "settings"],
        "max_file_size": f"{(limits or Limits()).max_file_mb}mb",
        "show_error": True,
        "app_kwargs": {"exception_handlers": {503: unavailable}},
        "run_history": False,
        "enable_monitoring": False,
        "share": False,
        "quiet": True,
    }


def _connect(handlers: Handlers, given: Inputs, shown: Result, own_model: str) -> None:
    """Bind the controls to what they do."""
    made = [shown.screen, given.reference_facts, shown.facts, shown.take]
    stoppable = []

    def check(values: dict[Component, Any], request: gr.Request) -> None:
        handlers.check(fields_of(values), request)

    def generate(
        values: dict[Component, Any],
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - Gradio finds it by its default
    ) -> Any:
        return handlers.generate(fields_of(values), request, progress)

    def fields_of(values: dict[Component, Any]) -> PageFields:
        return given.read(values, values[shown.person])

    # A video takes a file's place and the other way.
    for source, other, events in (
        (given.video, given.file, ("upload", "stop_recording", "clear")),
        (given.file, given.video, ("upload", "clear")),
    ):
        stoppable.append(
            gr.on(
                [getattr(source, event) for event in events],
                handlers.follow,
                [source, shown.person, given.consent],
                [*made, other],
                **_work(shown.screen),
            )
        )
    settings: Any = {*given.all, shown.person}
    # What cannot be done is said before there is a place in the queue to wait for.
    checked = given.generate.click(check, settings, None, show_progress="hidden", **PRIVATE)
    stoppable.append(checked.success(generate, settings, made, **_work(shown.screen)))
    ready = handlers.example_takes.complete
    for name, button in shown.examples.items():
        filled = [given.speech, given.video, given.file, given.use, shown.person, given.seed]
        options = {"show_progress_on": shown.screen, **PRIVATE} if ready else _work(shown.screen)
        clicked = button.click(handlers.play_example, gr.State(name), [*filled, *made], **options)
        clicked.success(
            None, None, given.direct.all, js=returning(given.direct.defaults(own_model))
        )
        stoppable.append(clicked)
    # The shapes are the same for all heads: changing the head needs no new take and no server.
    shown.person.change(None, [shown.person, shown.screen], shown.screen, js=_WEAR)
    for suffix, button in shown.downloads.items():
        written = button.click(
            handlers.export,
            [gr.State(suffix), shown.take, shown.person],
            shown.ready,
            **_work(shown.facts),
        )
        written.success(None, js=PRESS_DOWNLOAD)
        stoppable.append(written)
    written = shown.compared.click(
        handlers.export_shown, shown.screen, shown.ready, js=_ON_STAGE, **_work(shown.facts)
    )
    written.success(None, js=PRESS_DOWNLOAD)
    stoppable.append(written)
    saved = shown.track.click(handlers.export_track, None, shown.ready, **PRIVATE)
    saved.success(None, js=PRESS_DOWNLOAD)
    given.cancel.click(handlers.cancel, None, None, cancels=stoppable, queue=False, **PRIVATE)


def _work(shown_on: Component) -> dict[str, Any]:
    """Options of events that keep the machine busy: one at a time, progress where one looks."""
    return {
        "concurrency_id": "gpu",
        "concurrency_limit": 1,
        "show_progress_on": shown_on,
        **PRIVATE,
    }


def _header(model_name: str) -> str:
    return (
        "<header class='km-header'><div><h1>KM-Speaker</h1>"
        "<p>Give it a voice and a face on video. A 3D head says the words of the one in the style "
        "of the other.</p></div>"
        "<button type='button' class='km-how' title='Play again' "
        "aria-label='voice + face = speaking head. Play this picture again'>"
        f"<span><i class='km-how-voice'>{'<b></b>' * 9}</i><small>voice</small></span><em>+</em>"
        "<span><video muted playsinline></video><small>face</small></span><em>=</em>"
        "<span><img alt=''><small>speaking head</small></span></button>"
        f"<p class='km-model' title='The weights that speak on this page'>{escape(model_name)}</p>"
        "</header><p class='km-told' role='alert'></p>"
    )


def _upload_folder() -> Path:
    return Path(os.environ.get("GRADIO_TEMP_DIR") or Path(tempfile.gettempdir()) / "gradio")
