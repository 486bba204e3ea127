"""The right of the page: examples, the stage, whose head it is, and the downloads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from kmspeaker.examples import Example, portrait
from kmspeaker.export import FORMATS
from kmspeaker.face.rig import FaceModel
from kmspeaker.web.page.curves import curves
from kmspeaker.web.page.own_head_panel import OwnHeadPanel, own_head_panel
from kmspeaker.web.page.viewer import choices, stage


@dataclass(frozen=True)
class Result:
    """What the visitor gets."""

    examples: Mapping[str, gr.Button]
    screen: gr.HTML
    neutral: gr.Button
    """Pressed by the stage when a moment of the reference is called neutral."""
    moment: gr.Number
    curves: gr.HTML
    person: gr.HTML
    own: OwnHeadPanel
    facts: gr.HTML
    take: gr.Dropdown
    downloads: Mapping[str, gr.Button]
    compared: gr.Button
    track: gr.Button
    ready: gr.DownloadButton


def result(
    face: FaceModel,
    examples: Mapping[str, Example],
    assets: Mapping[str, Any],
    identity: str,
    at_first: Mapping[str, Any],
) -> Result:
    """Build it.

    Args:
        face: Whose identities can be worn.
        examples: What one click shows.
        assets: Where the page's files lie, from ``viewer.viewer_assets``.
        identity: Who wears the takes until somebody else is chosen.
        at_first: The stage's value on a fresh page.
    """
    with gr.Row(elem_classes="km-examples"):
        buttons = {name: _example_button(each) for name, each in examples.items()}
    screen = stage(assets, value=dict(at_first), elem_id="stage")
    neutral = gr.Button(visible="hidden", elem_id="neutral")
    moment = gr.Number(None, visible="hidden")
    inspected = curves(face, elem_id="curves")
    person = choices(_people(face), name="Head", value=identity, elem_id="people")
    own = own_head_panel()
    facts = gr.HTML("", apply_default_css=False, elem_id="facts")
    with gr.Row(elem_classes="km-downloads"):
        take = gr.Dropdown([], label="To download", elem_id="take", min_width=120, show_label=True)
        downloads = {
            suffix: gr.Button(form.words, size="sm", elem_id=f"save{suffix[1:]}")
            for suffix, form in FORMATS.items()
        }
        compared = gr.Button("MP4 of the stage", size="sm", elem_id="savecompared")
        track = gr.Button("Track of the reference", size="sm", elem_id="savetrack")
        ready = gr.DownloadButton(visible="hidden", elem_id="download")
    return Result(
        examples=buttons,
        screen=screen,
        neutral=neutral,
        moment=moment,
        curves=inspected,
        person=person,
        own=own,
        facts=facts,
        take=take,
        downloads=downloads,
        compared=compared,
        track=track,
        ready=ready,
    )


def _people(face: FaceModel) -> list[dict[str, str]]:
    return [
        {
            "value": name,
            "label": name.capitalize(),
            "description": face.people[name].description,
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
