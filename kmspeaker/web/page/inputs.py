"""The left of the page: consent, speech, the face to follow, what to take from it, and Generate."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from kmspeaker.web.handlers import PageFields
from kmspeaker.web.limits import Limits
from kmspeaker.web.models import Models
from kmspeaker.web.page.direct import Direct, direct
from kmspeaker.web.page.limits_table import limits_table
from kmspeaker.web.page.viewer import STATIC, choices

USES = [
    {
        "value": "stylize",
        "label": "Speak in this style",
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
_REMEMBER = (
    "(consent) => { try { localStorage.setItem('km-consent', consent ? 'yes' : ''); } catch {} }"
)
_REMEMBERED = (
    "() => { try { return localStorage.getItem('km-consent') === 'yes'; } catch { return false; } }"
)
_TELL = "() => document.dispatchEvent(new Event('km-consent'))"


@dataclass(frozen=True)
class Inputs:
    """What the visitor sets."""

    consent: gr.Checkbox
    speech: gr.Audio
    voice: gr.File
    """Takes what ``speech`` refuses, filled by ``speech.js``: a video, or sound of a rare kind."""
    own_voice: gr.Button
    """Shown where the reference is a video with sound."""
    video: gr.Video
    file: gr.File
    reference_facts: gr.HTML
    use: gr.HTML
    direct: Direct
    seed: gr.Number
    generate: gr.Button
    cancel: gr.Button

    def read(self, values: Mapping[Component, Any], identity: str) -> PageFields:
        """The inputs' values, as Gradio gives them for a set of inputs."""
        panel = self.direct
        return PageFields(
            speech=values[self.speech],
            video=values[self.video],
            file=values[self.file],
            use=values[self.use],
            identity=identity,
            seed=values[self.seed],
            consent=values[self.consent],
            count=values[panel.count],
            second=values[panel.second],
            models=values[panel.models],
            controls={name: values[component] for name, component in panel.controls.items()},
        )

    @property
    def all(self) -> set[Component]:
        """What ``read`` reads."""
        simple = {self.consent, self.speech, self.video, self.file, self.use, self.seed}
        return simple | set(self.direct.all)


def inputs(models: Models, limits: Limits, load: Any) -> Inputs:
    """Build them.

    Args:
        models: The systems that can speak.
        limits: Said in the notice.
        load: The page's ``load`` event, to remember the consent.
    """
    with gr.Column(elem_classes="km-consent"):
        consent = gr.Checkbox(
            label="Before your first upload: I may use the voices and faces I give here.",
            container=False,
            elem_id="consent",
        )
        gr.HTML(
            "<p>Voices and faces are personal. Yours make your takes and serve nothing else, lie "
            "where nobody can guess, and are deleted when you close the page, within the hour in "
            "any case.</p>",
            apply_default_css=False,
        )
    private: Any = {"api_visibility": "private", "show_progress": "hidden"}
    load(None, None, consent, js=_REMEMBERED, **private)
    consent.input(None, consent, None, js=_REMEMBER, **private)
    consent.change(None, None, None, js=_TELL, **private)
    with _step("1", "Speech", "What the head will say: sound or a video, any language."):
        speech = gr.Audio(
            label="Speech",
            show_label=False,
            type="filepath",
            sources=["upload", "microphone"],
            elem_classes=["km-audio", "km-gated"],
        )
        voice = gr.File(
            label="Speech from a video", type="filepath", visible="hidden", elem_id="voice"
        )
    with _step("2", "Face to follow", "How it will say it: a few seconds are enough."):
        with gr.Tabs(elem_classes="km-tabs"):
            with gr.Tab("Video"):
                video = gr.Video(
                    label="Reference video",
                    show_label=False,
                    sources=["upload", "webcam"],
                    height=150,
                    elem_classes=["km-video", "km-gated"],
                )
            with gr.Tab("Saved track or CSV"):
                file = gr.File(
                    label="Track (.npz) saved here earlier, or Live Link Face (.csv)",
                    file_types=[".npz", ".csv"],
                    height=150,
                    elem_classes="km-gated",
                )
        reference_facts = gr.HTML("", apply_default_css=False)
        own_voice = gr.Button("Use the video's own voice", size="sm", elem_id="own-voice")
        use = choices(USES, name="What to take from the reference", value="stylize", elem_id="use")
    panel = direct(models.names, models.missing)
    with gr.Row(elem_classes="km-go"):
        seed = gr.Number(0, label="Seed", precision=0, minimum=0, min_width=84, scale=0)
        generate = gr.Button("Generate", variant="primary", elem_id="generate")
        cancel = gr.Button("Stop", variant="stop", elem_id="cancel")
    gr.HTML(
        f"<p class='km-notice'>{limits.sentence()}</p>{limits_table(limits)}",
        apply_default_css=False,
    )
    return Inputs(
        consent=consent,
        speech=speech,
        voice=voice,
        own_voice=own_voice,
        video=video,
        file=file,
        reference_facts=reference_facts,
        use=use,
        direct=panel,
        seed=seed,
        generate=generate,
        cancel=cancel,
    )


@contextmanager
def _step(number: str, title: str, line: str) -> Iterator[None]:
    with gr.Column(elem_classes="km-step"):
        gr.HTML(f"<h2><i>{number}</i>{title}<span>{line}</span></h2>", apply_default_css=False)
        yield
