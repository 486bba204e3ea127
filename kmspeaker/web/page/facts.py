"""Facts under the stage, as HTML: who spoke, how fast, and how well a face was seen."""

import html
from collections.abc import Sequence

from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.web.session import SessionReference


def take_facts(takes: Sequence[FaceAnimation], reference_seconds: float) -> str:
    """Who spoke, and how long each stage took, or each system where there are several, as HTML.

    The page shows the first sentence alone while names are hidden.
    """
    first = takes[0]
    by_model = {take.model: sum(take.stage_seconds.values()) for take in takes}
    total = sum(by_model.values())
    stages = {"reference": reference_seconds}
    stages |= first.stage_seconds if len(by_model) == 1 else by_model
    parts = "".join(
        f"<li><span>{html.escape(stage)}</span><b>{seconds:.2f} s</b></li>"
        for stage, seconds in stages.items()
    )
    seeds = ", ".join(str(seed) for seed in dict.fromkeys(take.seed for take in takes))
    together = "" if len(takes) == 1 else f" {len(takes)} takes together."
    if len(by_model) == 1:
        who = f"Spoken by <b>{html.escape(first.model)}</b>, seed {seeds}, {first.steps} steps."
        speed = f", {first.seconds / total:.1f} times faster than real time" if total > 0 else ""
    else:
        who, speed = f"Spoken by <b>{len(by_model)} systems</b>, seed {seeds}.", ""
    return (
        "<p class='km-facts km-hidden-names'>Who spoke is hidden until you press Reveal; takes are "
        "saved by name after that.</p>"
        f"<div class='km-facts'><p>{who} {first.seconds:.1f} s of speech in {total:.1f} s{speed}."
        f"{together}</p><ul>{parts}</ul></div>"
    )


def reference_facts(reference: SessionReference) -> str:
    """How long it is and how well the face was seen, as HTML."""
    performance = reference.performance
    visible = float(performance.present.mean())
    bridged = float(performance.bridged.sum()) / performance.fps
    text = f"{performance.seconds:.1f} s of performance, face seen in {visible:.0%}"
    if bridged >= 0.1:
        text += f" ({bridged:.1f} s of it bridged)"
    if performance.doubtful.any():
        text += f", the fit in doubt in {performance.doubtful.mean():.0%}"
    notes = "".join(f" {html.escape(note)}" for note in reference.notes)
    heard = " km-heard" if reference.heard else ""  # page.css offers the video's own voice then
    return f"<p class='km-facts{heard}'>{text}. Read in {reference.read_seconds:.1f} s.{notes}</p>"
