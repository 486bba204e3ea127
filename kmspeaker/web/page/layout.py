"""The page: which handler each control calls. Its parts are ``inputs`` and ``result``."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.events import Dependency
from starlette.middleware import Middleware

from kmspeaker.examples import FOLDER as EXAMPLE_FOLDER
from kmspeaker.examples import load_examples, portrait
from kmspeaker.limits import DEFAULT_IDENTITY_INDEX
from kmspeaker.web.api import endpoints
from kmspeaker.web.errors import unavailable
from kmspeaker.web.handlers import Handlers, PageFields
from kmspeaker.web.limits import Limits
from kmspeaker.web.models import Loader, Models, Speaker
from kmspeaker.web.page.curves import Inspector, plotly_folder
from kmspeaker.web.page.direct import setting_script
from kmspeaker.web.page.events import PRESS_DOWNLOAD, PRIVATE
from kmspeaker.web.page.inputs import Inputs, inputs
from kmspeaker.web.page.own_head_panel import OwnHeads
from kmspeaker.web.page.result import Result, result
from kmspeaker.web.page.theme import theme
from kmspeaker.web.page.viewer import STATIC, mounting, three_folder, viewer_assets
from kmspeaker.web.queueing import ONE_AT_A_TIME, TWO_AT_A_TIME, bound_queue
from kmspeaker.web.service import Service
from kmspeaker.web.sessions import Sessions
from kmspeaker.web.visitors import KnowVisitors, TrustedProxies

_FORGET_SECONDS = (600, 3000)
"""How often Gradio looks for old uploads, and how old they may get."""
_WEAR = (
    "(name, stage) => ({...stage, identity: name,"
    " heads: stage.heads.map((head) => ({...head, identity: name}))})"
)
_ON_STAGE = (
    "(stage) => { const keys = [...document.querySelectorAll('.km-panels [data-key]')]"
    ".filter((panel) => !panel.hidden).map((panel) => panel.dataset.key);"
    " const names = document.body.classList.contains('km-nameless')"
    " ? [...document.querySelectorAll('.km-panels .km-name b')].map((name) => name.textContent)"
    " : null;"
    " return {...stage, shown: keys.length ? keys : stage.shown, names}; }"
)
"""Which heads the visitor looks at, and under which names, is known only to the browser."""

_SHOW_SPEECH = "() => document.querySelector('.km-audio').scrollIntoView({block: 'nearest'})"
_HEARD = "() => { document.dispatchEvent(new Event('km-heard')); return []; }"
_MOMENT = (
    "(moment, person) => "
    "[JSON.parse(document.querySelector('#neutral').dataset.moment ?? 'null'), person]"
)
"""Which moment is to be neutral, or none: the stage says so before it presses the button."""


def build_demo(
    pipeline: Speaker,
    *,
    limits: Limits | None = None,
    others: Mapping[str, Loader] | None = None,
) -> gr.Blocks:
    """Lay out the page around a loaded pipeline.

    Args:
        pipeline: What generates; ``pipeline.Pipeline``.
        limits: What a visitor may ask; the defaults where None.
        others: Ways to load further systems to compare, by name.

    Returns:
        The page, with its queue; start it with ``demo.launch(**launch_options())``.
    """
    limits = limits or Limits()
    root = Path(tempfile.mkdtemp(prefix="km-speaker-")).resolve()
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    sessions = Sessions(
        root / "visitors",
        _upload_folder(root),
        room=limits.room,
        shared=pipeline.face,
        alone=_upload_folder(root).is_relative_to(root),
    )
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
                form = inputs(service.models, limits, demo.load)
            with gr.Column(elem_classes="km-result", scale=1, min_width=320):
                assets = viewer_assets(pipeline.face, face_folder)
                output = result(pipeline.face, examples, assets, identity, nothing_yet)
        _connect(handlers, form, output, service.models.own_name)
        inspector = Inspector(pipeline.face, sessions)
        output.screen.change(
            inspector.inspect, None, output.curves, show_progress="hidden", **PRIVATE
        )
        output.own.connect(
            OwnHeads(service, sessions),
            person=output.person,
            stage=output.screen,
            take=output.take,
            ready=output.ready,
        )
        endpoints(service, sessions)
        demo.unload(handlers.leave)
    # No way around the queue, whose places ``bound_queue`` counts.
    demo.queue(default_concurrency_limit=4, api_open=False)
    bound_queue(demo, limits, sessions)
    return demo


def launch_options(
    limits: Limits | None = None, trusted: TrustedProxies | None = None
) -> dict[str, Any]:
    """What ``launch`` needs for this page, address apart.

    Args:
        limits: The page's.
        trusted: The proxies before it.
    """
    return {
        "theme": theme(),
        "css_paths": [STATIC / name for name in ("page.css", "viewer.css", "curves.css")],
        "favicon_path": STATIC / "favicon.svg",
        "footer_links": ["api", "settings"],
        "max_file_size": f"{(limits or Limits()).max_file_mb}mb",
        "show_error": True,
        "app_kwargs": {
            "exception_handlers": {503: unavailable},
            "middleware": [Middleware(KnowVisitors, trusted=trusted or TrustedProxies())],
        },
        "run_history": False,
        "enable_monitoring": False,
        "share": False,
        "quiet": True,
    }


def _connect(handlers: Handlers, form: Inputs, output: Result, own_model: str) -> None:
    """Bind the controls to what they do."""
    update = [output.screen, form.reference_facts, output.facts, output.take]
    work: list[Any] = [
        *_connect_voice(handlers, form),
        *_connect_reference(handlers, form, output, update),
        output.neutral.click(
            handlers.say_neutral,
            [output.moment, output.person],
            update,
            js=_MOMENT,
            **_work(output.screen),
        ),
        _connect_generate(handlers, form, output, update),
        *_connect_examples(handlers, form, output, update, own_model),
        *_connect_downloads(handlers, output),
    ]
    # The shapes are the same for all heads: changing the head needs no new take and no server.
    output.person.change(None, [output.person, output.screen], output.screen, js=_WEAR)
    form.cancel.click(handlers.cancel, None, None, cancels=work, queue=False, **PRIVATE)


def _connect_voice(handlers: Handlers, form: Inputs) -> Iterator[Dependency]:
    """The speech may be a video, and the reference's own voice may be the speech."""
    second = form.direct.second
    for source, uploads in (
        (form.speech, [form.speech.upload, form.speech.stop_recording]),
        (second, [second.upload]),
    ):
        gr.on(uploads, handlers.keep, source, None, show_progress="hidden", **PRIVATE)
    options = {"show_progress_on": form.speech, **TWO_AT_A_TIME, **PRIVATE}
    event = form.voice.upload(
        handlers.take_voice, [form.voice, form.consent], form.speech, **options
    )
    # Whether it could be used or not, the next file finds the input empty.
    for end in (event.success, event.failure):
        end(lambda: None, None, form.voice, js=_HEARD, show_progress="hidden", **PRIVATE)
    yield event
    event = form.own_voice.click(handlers.take_own_voice, None, form.speech, **options)
    event.success(None, js=_SHOW_SPEECH)
    yield event


def _connect_reference(
    handlers: Handlers, form: Inputs, output: Result, update: list[Component]
) -> Iterator[Dependency]:
    """A reference is read as soon as it is given; a video takes a file's place and back."""
    for source, other, events in (
        (form.video, form.file, ("upload", "stop_recording", "clear")),
        (form.file, form.video, ("upload", "clear")),
    ):
        yield gr.on(
            [getattr(source, event) for event in events],
            handlers.follow,
            [source, output.person, form.consent],
            [*update, other],
            **_work(output.screen),
        )


def _connect_generate(
    handlers: Handlers, form: Inputs, output: Result, update: list[Component]
) -> Dependency:
    """What cannot be done is said before there is a place in the queue to wait for."""

    def fields(values: dict[Component, Any]) -> PageFields:
        return form.read(values, values[output.person])

    def check(values: dict[Component, Any], request: gr.Request) -> None:
        handlers.check(fields(values), request)

    def generate(
        values: dict[Component, Any],
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - Gradio finds it by its default
    ) -> Any:
        return handlers.generate(fields(values), request, progress)

    settings: Any = {*form.all, output.person}
    check_event = form.generate.click(check, settings, None, show_progress="hidden", **PRIVATE)
    return check_event.success(generate, settings, update, **_work(output.screen))


def _connect_examples(
    handlers: Handlers, form: Inputs, output: Result, update: list[Component], own_model: str
) -> Iterator[Dependency]:
    """An example fills the inputs; its take waits for the machine only where none is bundled."""
    ready = handlers.example_takes.complete
    options = {"show_progress_on": output.screen, **PRIVATE} if ready else _work(output.screen)
    outputs = [form.speech, form.video, form.file, form.use, output.person, form.seed, *update]
    reset = setting_script(form.direct.defaults(own_model))
    for name, button in output.examples.items():
        event = button.click(handlers.play_example, gr.State(name), outputs, **options)
        event.success(None, None, form.direct.all, js=reset)
        yield event


def _connect_downloads(handlers: Handlers, output: Result) -> Iterator[Dependency]:
    """A file is written, then the hidden button that saves it is pressed."""
    options = _work(output.facts)
    for suffix, button in output.downloads.items():
        source = [gr.State(suffix), output.take, output.person]
        event = button.click(handlers.export, source, output.ready, **options)
        event.success(None, js=PRESS_DOWNLOAD)
        yield event
    event = output.compared.click(
        handlers.export_shown, output.screen, output.ready, js=_ON_STAGE, **options
    )
    event.success(None, js=PRESS_DOWNLOAD)
    yield event
    saving = output.track.click(handlers.export_track, None, output.ready, **PRIVATE)
    saving.success(None, js=PRESS_DOWNLOAD)


def _work(shown_on: Component) -> dict[str, Any]:
    """Options of events that keep the machine busy: one at a time, progress where one looks."""
    return {"show_progress_on": shown_on, **ONE_AT_A_TIME, **PRIVATE}


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
        "</header><p class='km-alert' role='alert'></p>"
    )


def _upload_folder(root: Path) -> Path:
    """Where Gradio puts uploads: a folder of this page, where nobody said another."""
    folder = Path(os.environ.setdefault("GRADIO_TEMP_DIR", str(root / "uploads")))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
