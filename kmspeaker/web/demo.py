"""The page: what stands where, and which handler each control calls."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.themes import Base, LocalFont

from kmspeaker.examples import FOLDER as EXAMPLE_FOLDER
from kmspeaker.examples import Example, load_examples, portrait
from kmspeaker.limits import DEFAULT_IDENTITY_INDEX, MAX_SECONDS
from kmspeaker.web.handlers import Handlers, Speaker
from kmspeaker.web.sessions import Sessions
from kmspeaker.web.viewer import STATIC, choices, stage, three_folder, viewer_assets

MAX_FILE_MB = 200
_FORGET_SECONDS = (600, 3000)
"""How often Gradio looks for old uploads, and how old they may get."""

USES = [
    {
        "value": "stylize",
        "label": "In the manner of",
        "description": "The whole face takes its style from the video, of any length.",
        "picture": str(STATIC / "use-stylize.svg"),
    },
    {
        "value": "localize",
        "label": "Dub this performance",
        "description": "Brows, eyes and cheeks follow it frame by frame, lips say the speech.",
        "picture": str(STATIC / "use-localize.svg"),
    },
]
FORMAT_TEXTS = {
    ".glb": "GLB for Blender, engines",
    ".csv": "CSV for Live Link Face",
    ".npz": "NPZ for numpy",
    ".mp4": "MP4 with sound",
}
"""What to call each download, in the order of the page."""


def build_demo(pipeline: Speaker, *, max_seconds: float = MAX_SECONDS) -> gr.Blocks:
    """Lay out the page around a loaded pipeline.

    Args:
        pipeline: What generates; ``pipeline.Pipeline``.
        max_seconds: Longer speech or video is refused.

    Returns:
        The page; start it with ``demo.queue().launch(**launch_options())``.
    """
    root = Path(tempfile.mkdtemp(prefix="km-speaker-")).resolve()
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    sessions = Sessions(root / "visitors", _upload_folder())
    face_folder = root / "face"
    face_folder.mkdir()
    examples = load_examples()
    gr.set_static_paths(
        [STATIC, face_folder, three_folder(), pipeline.face.folder, EXAMPLE_FOLDER, sessions.root]
    )
    handlers = Handlers(pipeline, sessions, examples, max_seconds)
    assets = viewer_assets(pipeline.face, face_folder)
    identity = pipeline.face.identities[DEFAULT_IDENTITY_INDEX]
    nothing_yet = {"identity": identity, "take": None, "reference": None}

    with gr.Blocks(
        title="KM-Speaker", analytics_enabled=False, delete_cache=_FORGET_SECONDS
    ) as demo:
        gr.HTML(_header(pipeline.model_name), apply_default_css=False)
        with gr.Row(elem_classes="km-columns", equal_height=False):
            with gr.Column(elem_classes="km-inputs", scale=0, min_width=400):
                with _step("1", "Speech", "What the head will say. Any language."):
                    speech = gr.Audio(
                        label="Speech",
                        show_label=False,
                        type="filepath",
                        sources=["upload", "microphone"],
                        elem_classes="km-audio",
                    )
                with _step("2", "Face to follow", "How it will say it: a few seconds are enough."):
                    with gr.Tabs(elem_classes="km-tabs"):
                        with gr.Tab("Video"):
                            video = gr.Video(
                                label="Reference video",
                                show_label=False,
                                sources=["upload", "webcam"],
                                height=150,
                                elem_classes="km-video",
                            )
                        with gr.Tab("Saved track or CSV"):
                            file = gr.File(
                                label="Track (.npz) saved here earlier, or Live Link Face (.csv)",
                                file_types=[".npz", ".csv"],
                                height=150,
                            )
                    reference_facts = gr.HTML("", apply_default_css=False)
                    use = choices(
                        USES, name="What to take from the reference", value="stylize", elem_id="use"
                    )
                with gr.Row(elem_classes="km-go"):
                    seed = gr.Number(0, label="Seed", precision=0, minimum=0, min_width=84, scale=0)
                    generate = gr.Button("Generate", variant="primary", elem_id="generate")
                gr.HTML(_notice(max_seconds), apply_default_css=False)
            with gr.Column(elem_classes="km-result", scale=1, min_width=320):
                with gr.Row(elem_classes="km-examples"):
                    buttons = {name: _example_button(each) for name, each in examples.items()}
                screen = stage(assets, value=nothing_yet, elem_id="stage")
                person = choices(_people(pipeline), name="Head", value=identity, elem_id="people")
                facts = gr.HTML("", apply_default_css=False, elem_id="facts")
                with gr.Row(elem_classes="km-downloads"):
                    downloads = {
                        suffix: gr.Button(text, size="sm", elem_id=f"save{suffix[1:]}")
                        for suffix, text in FORMAT_TEXTS.items()
                    }
                    track = gr.Button("Track of the reference", size="sm", elem_id="savetrack")
                    ready = gr.DownloadButton(visible="hidden", elem_id="download")
        made = [screen, reference_facts, facts]
        _connect_reference(handlers, video, file, person, made)
        settings = [speech, video, file, use, person, seed]
        generate.click(handlers.generate, settings, made, **_work(screen))
        for name, button in buttons.items():
            button.click(
                handlers.play_example,
                gr.State(name),
                [*settings, *made],
                api_visibility="private",
                **_work(screen),
            )
        # The shapes are the same for all heads: changing the head needs no new take and no server.
        person.change(
            None, [person, screen], screen, js="(name, stage) => ({...stage, identity: name})"
        )
        for suffix, button in downloads.items():
            written = button.click(
                handlers.export, [gr.State(suffix), person], ready, **_work(facts)
            )
            written.success(None, js=_PRESS_DOWNLOAD)
        saved = track.click(handlers.export_track, None, ready, api_visibility="private")
        saved.success(None, js=_PRESS_DOWNLOAD)
        demo.unload(handlers.leave)
    return demo


def launch_options() -> dict[str, Any]:
    """What ``launch`` needs for this page, address apart."""
    return {
        "theme": _theme(),
        "css_paths": [STATIC / "page.css", STATIC / "viewer.css"],
        "favicon_path": STATIC / "favicon.svg",
        "footer_links": ["api", "settings"],
        "max_file_size": f"{MAX_FILE_MB}mb",
        "show_error": True,
        "run_history": False,
        "enable_monitoring": False,
        "share": False,
        "quiet": True,
    }


_PRESS_DOWNLOAD = "() => { setTimeout(() => document.querySelector('#download').click(), 50); }"


def _work(shown_on: Component) -> dict[str, Any]:
    """Options of events that keep the machine busy: one at a time, progress where one looks."""
    return {"concurrency_id": "gpu", "concurrency_limit": 1, "show_progress_on": shown_on}


def _connect_reference(
    handlers: Handlers,
    video: gr.Video,
    file: gr.File,
    person: gr.HTML,
    made: list[gr.HTML],
) -> None:
    """Read a reference as soon as it is there; a video takes a file's place and the other way."""
    for given, other, events in (
        (video, file, [video.upload, video.stop_recording, video.clear]),
        (file, video, [file.upload, file.clear]),
    ):
        gr.on(
            events,
            handlers.follow,
            [given, person],
            [*made, other],
            api_visibility="private",
            **_work(made[0]),
        )


@contextmanager
def _step(number: str, title: str, line: str) -> Iterator[None]:
    with gr.Column(elem_classes="km-step"):
        gr.HTML(f"<h2><i>{number}</i>{title}<span>{line}</span></h2>", apply_default_css=False)
        yield


def _people(pipeline: Speaker) -> list[dict[str, str]]:
    face = pipeline.face
    return [
        {
            "value": name,
            "label": name.capitalize(),
            "description": face.descriptions[name],
            "picture": str(portrait(name)),
        }
        for name in face.identities
    ]


def _example_button(example: Example) -> gr.Button:
    return gr.Button(
        f"{example.title}\n{example.line}",
        icon=example.picture,
        elem_classes="km-example",
        elem_id=f"example-{example.name}",
    )


def _header(model_name: str) -> str:
    return (
        "<header class='km-header'><div><h1>KM-Speaker</h1>"
        "<p>Give it a voice and a face on video. A 3D head says the words of the one in the manner "
        "of the other.</p></div>"
        f"<p class='km-model' title='The weights that speak on this page'>{escape(model_name)}</p>"
        "</header>"
    )


def _notice(max_seconds: float) -> str:
    return (
        "<p class='km-notice'>Voices and faces are personal: give only what you may use. "
        "Your files lie in a folder of your own on this server, serve your takes and nothing "
        "else, and are deleted when you close the page, within the hour in any case. "
        f"Up to {max_seconds / 60:g} minutes and {MAX_FILE_MB} MB.</p>"
    )


def _theme() -> Base:
    font = [
        LocalFont("IBM Plex Sans", weights=(400, 700)),
        "ui-sans-serif",
        "system-ui",
        "sans-serif",
    ]
    mono = [LocalFont("IBM Plex Mono", weights=(400, 700)), "ui-monospace", "monospace"]
    return Base(
        primary_hue="sky",
        neutral_hue="stone",
        font=font,
        font_mono=mono,
        radius_size="lg",
    ).set(
        body_background_fill="var(--km-page)",
        body_background_fill_dark="var(--km-page)",
        block_background_fill="var(--km-panel)",
        block_background_fill_dark="var(--km-panel)",
        block_border_color="var(--km-line)",
        block_border_color_dark="var(--km-line)",
        border_color_primary="var(--km-line)",
        border_color_primary_dark="var(--km-line)",
        button_primary_background_fill="var(--km-accent)",
        button_primary_background_fill_dark="var(--km-accent)",
        button_primary_background_fill_hover="var(--km-accent-strong)",
        button_primary_background_fill_hover_dark="var(--km-accent-strong)",
        button_primary_text_color="var(--km-on-accent)",
        button_primary_text_color_dark="var(--km-on-accent)",
    )


def _upload_folder() -> Path:
    return Path(os.environ.get("GRADIO_TEMP_DIR") or Path(tempfile.gettempdir()) / "gradio")
