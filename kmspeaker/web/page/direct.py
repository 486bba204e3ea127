"""The Direct panel: every field of ``controls.Controls`` in plain words, in groups that open."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from kmspeaker.animation.controls import CHOICES, DEFAULTS, RANGES
from kmspeaker.baselines.systems import title
from kmspeaker.web.service import MOST_TAKES


@dataclass(frozen=True)
class Text:
    """How a control is put to someone who never saw it."""

    label: str
    info: str
    step: float = 0.05
    words: Mapping[str, str] | None = None
    """For a choice: what to call each."""


GROUPS: Mapping[str, Mapping[str, Text]] = {
    "Style": {
        "style_strength": Text(
            "Style strength",
            "0 speaks plainly, 1 as the reference does, 2 exaggerates it.",
        ),
        "guidance": Text(
            "How closely a dub follows",
            "Only for dubs. 0 leaves brows and eyes free, 1 follows, more clings to every move.",
        ),
    },
    "Intensity": {
        "upper": Text("Brows, cheeks and nose", "0 keeps them at rest, 2 doubles their motion."),
        "lower": Text(
            "Mouth and jaw", "0 keeps the mouth shut, 2 doubles its motion. Lips still close."
        ),
        "smoothing": Text(
            "Smoothing",
            "Seconds over which motion is evened. Lip contacts and blinks stay sharp.",
            step=0.01,
        ),
    },
    "Head and eyes": {
        "head": Text(
            "Head",
            "Turns and nods.",
            words={"none": "Still", "reference": "As the reference"},
        ),
        "gaze": Text(
            "Gaze",
            "Where the eyes look.",
            words={"generated": "The model's", "reference": "As the reference"},
        ),
        "blinks": Text(
            "Blinks",
            "When the eyes shut.",
            words={"generated": "The model's", "reference": "As the reference"},
        ),
    },
    "Timing": {
        "offset": Text(
            "Performance later by",
            "Seconds. Moves what is followed against the speech; below 0 is earlier.",
        ),
        "fit": Text(
            "If its length differs from the speech",
            "What happens to the performance that is followed.",
            words={
                "as is": "Leave it",
                "stretch": "Stretch it to fit",
                "hold": "Hold its last moment",
            },
        ),
    },
}
"""``style_mix`` stands with the second reference, in ``Style``."""
MIX = Text(
    "Share of the second reference", "0 takes the first one's style alone, 1 the second's alone."
)


@dataclass(frozen=True)
class Direct:
    """The panel's components."""

    controls: Mapping[str, Component]
    """By the names of ``Controls``."""
    second: gr.File
    count: gr.Slider
    models: gr.CheckboxGroup
    summary: gr.HTML

    @property
    def all(self) -> list[Component]:
        """What Reset puts back, in the order of ``defaults``."""
        return [*self.controls.values(), self.second, self.count, self.models]

    def defaults(self, own_model: str) -> list[Any]:
        """What a fresh page has."""
        return [*(DEFAULTS[name] for name in self.controls), None, 1, [own_model]]


def direct(models: tuple[str, ...], missing: tuple[str, ...] = ()) -> Direct:
    """Build the panel.

    Args:
        models: Names of the systems that can speak, the page's own first.
        missing: Names of those whose weights are not here.
    """
    controls: dict[str, Component] = {}
    with gr.Accordion("Direct the take", open=False, elem_id="direct", elem_classes="km-direct"):
        gr.HTML(
            "<p class='km-lead'>Every setting is optional; at its default it changes nothing.</p>",
            apply_default_css=False,
        )
        second = None
        for group, texts in GROUPS.items():
            with gr.Accordion(group, open=False, elem_classes="km-group"):
                for name, text in texts.items():
                    controls[name] = _control(name, text)
                if group == "Style":
                    second = gr.File(
                        label="A second reference to blend in (video, track or CSV)",
                        file_types=["video", ".npz", ".csv"],
                        height=92,
                        elem_classes="km-second",
                    )
                    controls["style_mix"] = _control("style_mix", MIX)
        assert second is not None
        with gr.Accordion("Number of takes and systems", open=False, elem_classes="km-group"):
            count = gr.Slider(
                1,
                MOST_TAKES,
                value=1,
                step=1,
                label="Takes at once",
                info="Each has its own seed, counted up from the one below. Default 1.",
            )
            speakers = gr.CheckboxGroup(
                [(title(name), name) for name in models],
                value=[models[0]],
                label="Systems that speak",
                info="Each makes its own takes of the same pair, side by side on the stage.",
                visible=len(models) > 1,
                elem_id="models",
            )
            everyone = gr.Button(
                "Compare all",
                size="sm",
                visible=len(models) > 1,
                elem_id="compare-all",
                elem_classes="km-quiet",
            )
            if missing:
                gr.HTML(f"<p class='km-lead'>{_missing(missing)}</p>", apply_default_css=False)
        reset = gr.Button("Reset all", size="sm", elem_id="reset", elem_classes="km-quiet")
    # Said also while the panel is closed: a forgotten setting is not taken for the model's fault.
    summary = gr.HTML("", apply_default_css=False, elem_id="direct-summary")
    panel = Direct(controls, second, count, speakers, summary)
    reset.click(None, None, panel.all, js=setting_script(panel.defaults(models[0])))
    everyone.click(None, None, speakers, js=setting_script([list(models)]))
    names = {name: _label(name) for name in controls}
    told: list[Component] = [*controls.values(), speakers]
    gr.on(
        [component.change for component in told],  # pyright: ignore[reportAttributeAccessIssue]
        None,
        told,
        summary,
        js=_summary_script(names),
        api_visibility="private",
        show_progress="hidden",
    )
    return panel


def _control(name: str, text: Text) -> Component:
    default = DEFAULTS[name]
    if name in CHOICES:
        words = text.words or {}
        named = [(words.get(choice, choice.capitalize()), choice) for choice in CHOICES[name]]
        usual = {value: label for label, value in named}[str(default)]
        return gr.Radio(
            named,
            value=default,
            label=text.label,
            info=f"{text.info} Default: {usual}.",
            elem_id=f"control-{name}",
        )
    least, most = RANGES[name]
    return gr.Slider(
        least,
        most,
        value=float(default),
        step=text.step,
        label=text.label,
        info=f"{text.info} Default {default:g}.",
        elem_id=f"control-{name}",
    )


def _label(name: str) -> str:
    texts = {key: text for group in GROUPS.values() for key, text in group.items()}
    return {**texts, "style_mix": MIX}[name].label


def _missing(names: tuple[str, ...]) -> str:
    """What cannot be chosen, and how it can be had."""
    titles = [title(name) for name in names]
    listed = titles[0] if len(titles) == 1 else f"{', '.join(titles[:-1])} and {titles[-1]}"
    return (
        f"The weights of {listed} are not installed: update KM-Speaker to get them, or train them "
        "with <code>python -m kmspeaker.training.bench</code> and open the app with "
        "<code>--models FOLDER</code>."
    )


def setting_script(values: list[Any]) -> str:
    """A script that gives components these values."""
    return f"() => {json.dumps(values)}"


def _summary_script(names: Mapping[str, str]) -> str:
    """The script that says which controls are not as usual, and how many systems will speak."""
    labels, usual = json.dumps(list(names.values())), json.dumps([DEFAULTS[name] for name in names])
    return (
        "(...values) => {"
        " const speakers = values.pop().length;"
        f" const labels = {labels}, usual = {usual};"
        " const moved = labels.filter((label, i) => values[i] !== usual[i])"
        "  .map((label) => label.toLowerCase());"
        " const directed = moved.length ? `Directed: ${moved.join(', ')}.` : '';"
        " const many = speakers > 1 ? `${speakers} systems will speak, side by side.` : '';"
        " const said = [directed, many].filter(Boolean).join(' ');"
        " return said ? `<p class='km-summary'>${said}</p>` : '';"
        "}"
    )
