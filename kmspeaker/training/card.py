"""The model card: what was trained, on what, how, and how well it does on clips it has not seen."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kmspeaker.corpus.store import Clip, Corpus
from kmspeaker.model import ModelConfig
from kmspeaker.training.options import TrainingOptions

CURVE_ROWS = 8
SCORES = {
    "lip_localize": "lips, localized",
    "lip_stylize": "lips, stylized",
    "lip_error": "lip gap, mm",
    "upper_error": "upper face, mm",
}
"""Of ``validation.validate``, with the words for a column."""


def model_card(
    corpus: Corpus,
    options: TrainingOptions,
    config: ModelConfig,
    entries: Sequence[Mapping[str, Any]],
    machine: str,
) -> str:
    """The card in Markdown, with the Hub's front matter.

    Args:
        corpus: it was trained on.
        options: of the training.
        config: of the model.
        entries: lines of the run's log, up to the last validation.
        machine: what it ran on, in words.
    """
    last = entries[-1]
    still = last["upper_still"]
    return f"""---
license: apache-2.0
library_name: kmspeaker
tags: [speech-driven-animation, facial-animation, flow-matching]
---
# KM-Speaker, {options.size}

Speech and a reference performance to 52 ARKit weights at {config.fps:g} frames/s, by the method of
KM-Speaker (arXiv 2606.28568). Width {config.d_model}, {config.layers} layers, {config.n_coeffs}
motion coefficients, speech features of {config.speech_encoder}; all sizes are in `config.json`.

## Trained on

{_data(corpus)}

## How

{last["step"]} steps of {options.batch} windows of {config.window_frames} frames
({config.window_frames / config.fps:.1f} s), {last["seconds"] / 3600:.1f} hours on {machine}. Seed
{options.seed}; of the corpus {corpus.seed}.

On held-out clips along the way: correlation of the opening between the lips with the clip's own,
and errors. A face that held still at its mean would have an upper-face error of {still:.2f} mm.

{_curves(entries)}

## Limits

The lips' motion in training is partly made by rule and partly captured from few people, so the
model knows no one's lips closely. All speech in training is English or Mandarin. It does not move
the head. A manner comes through as far as 52 ARKit shapes can show it.

## Not for

Putting words into a real person's mouth, or passing a generated face off as somebody's recording.
"""


def _data(corpus: Corpus) -> str:
    seconds: defaultdict[tuple[str, str, str, str], float] = defaultdict(float)
    for clip in corpus.clips:
        row = (clip.split, clip.source, _nature(clip), clip.licence)
        seconds[row] += clip.frames / corpus.fps
    rows = "\n".join(
        f"| {split} | {source} | {nature} | {licence} | {total / 3600:.2f} |"
        for (split, source, nature, licence), total in sorted(seconds.items())
    )
    used = {key: total for key, total in seconds.items() if key[0] == "train"}
    whole = sum(used.values()) / 3600
    captured = sum(total for key, total in used.items() if "captured" in key[2]) / 3600
    actors = {split: _count(corpus, split, "actor") for split in ("train", "val", "test")}
    return f"""{whole:.2f} hours, of them {captured:.2f} with captured lips; the rest is made by
rule from phones and performed by {actors["train"]} made-up actors ({actors["val"]} more in val,
{actors["test"]} in test). {_count(corpus, "train", "speaker")} voices.

| split | source | lips | licence | hours |
|---|---|---|---|---|
{rows}"""


def _nature(clip: Clip) -> str:
    return "made by rule" if clip.phones else "captured"


def _count(corpus: Corpus, split: str, what: str) -> int:
    return len({getattr(clip, what) for clip in corpus.clips if clip.split == split})


def _curves(entries: Sequence[Mapping[str, Any]]) -> str:
    """Some validations from first to last, each with the mean loss of the steps since the last."""
    validations = [entry for entry in entries if entry["kind"] == "validation"]
    shown = sorted(set(np.linspace(0, len(validations) - 1, CURVE_ROWS).round().astype(int)))
    rows, since = [], 0
    for entry in (validations[index] for index in shown):
        losses = [
            e["loss"]
            for e in entries
            if e["kind"] == "train" and since < e["step"] <= entry["step"]
        ]
        numbers = [float(np.mean(losses)), *(entry[name] for name in SCORES)]
        rows.append(f"| {entry['step']} | " + " | ".join(f"{n:.3f}" for n in numbers) + " |")
        since = entry["step"]
    head = ["step", "loss", *SCORES.values()]
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *rows])
