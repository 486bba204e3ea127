"""The model card: what was trained, on what, how, and its scores on held-out clips."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kmspeaker.corpus.store import SPLITS, Clip, Corpus
from kmspeaker.model.network import ModelConfig
from kmspeaker.training.hours import hours
from kmspeaker.training.options import TrainingOptions
from kmspeaker.training.paper_differences import (
    network_differences,
    option_differences,
    structural_differences,
)

ACTED, NOISE = "acted", "noise"
"""Sources of a corpus: speech of a synthesiser, and none at all."""
CURVE_ROWS = 8
SCORES = {
    "lip_localize": "lips, localized",
    "lip_stylize": "lips, stylized",
    "lip_error": "lip gap, mm",
    "upper_error": "upper face, mm",
}
"""Scores of ``validation.validate``, with the titles of their columns."""


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
    begun = "".join(f"Begun from {e['model']}. " for e in entries if e["kind"] == "start")
    structural = "\n".join(f"- {line}" for line in structural_differences(options, config))
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

{data_table(corpus)}

## How

{last["step"]} steps of {options.batch} windows of {config.window_frames} frames \
({config.window_frames / config.fps:.1f} s), {last["seconds"] / 3600:.1f} hours on {machine}.
{begun}Seed {options.seed}; of the corpus {corpus.seed}.

Not the paper's in any model of this program:

{structural}

Options of this training that are not the paper's: {option_differences(options)}.
Settings of this network that are not the paper's: {network_differences(config)}.

Scores during training, on clips of voices and actors it is not trained on: correlation of the lip
opening with the clip's, and errors in mm. The motion of these clips is rule-made, and this network
{"generates real people's lips" if config.tells_made_lips else "was trained on such lips"}. A face \
held still at its mean would be {last["upper_still"]:.2f} mm off in the upper face.

{curves(entries)}

## Limits

Most of the motion it was trained on is made by rule, its styles are those of made-up actors, and
its captured lips are those of few people. Nearly all speech in training is English. It does not
move the head, and a style comes through only as far as 52 ARKit shapes can show it. Laughter,
singing and speech of several people at once were not in the data.

## Not for

Putting words into a real person's mouth, passing a generated face off as somebody's recording, or
judging from a face or voice what a person feels.
"""


def data_table(corpus: Corpus) -> str:
    """Hours of distinct recordings, and those that training meets, by source."""
    rows: defaultdict[tuple[str, ...], list[Clip]] = defaultdict(list)
    for clip in corpus.clips:
        voice = {ACTED: "synthesised", NOISE: "none"}.get(clip.source, "recorded")
        lips = "captured" if clip.lips == "captured" else "made from phones"
        rows[clip.split, clip.source, voice, lips, clip.licence].append(clip)
    lines = []
    for row, clips in sorted(rows.items()):
        row_hours = hours(clips, corpus.fps)
        lines.append(f"| {' | '.join(row)} | {row_hours.unique:.2f} | {row_hours.weighted:.2f} |")

    train = corpus.split("train")
    everything = hours(train, corpus.fps)
    synthesised = hours([clip for clip in train if clip.source == ACTED], corpus.fps)
    captured = hours([clip for clip in train if clip.lips == "captured"], corpus.fps)
    voices = len({clip.speaker for clip in train if clip.source != NOISE})
    actors = {split: len({clip.actor for clip in corpus.split(split)}) for split in SPLITS}
    return f"""{everything.unique:.2f} hours of {voices} voices, {synthesised.unique:.2f} of them \
synthesised. {captured.unique:.2f} hours have lips captured
from people; all other motion is made by rule. These are hours of distinct recordings. Weighted, as
training meets them, they are {everything.weighted:.2f}, {synthesised.weighted:.2f} and \
{captured.weighted:.2f}: captured lips come again with other upper
faces and voices, acted speech in each intensity. It is performed by {actors["train"]} made-up \
actors; {actors["val"]} more act what
was validated on, and {actors["test"]} what the measures below are taken on.

| split | source | voice | lips | licence | hours | weighted hours |
|---|---|---|---|---|---|---|
{chr(10).join(lines)}"""


def curves(entries: Sequence[Mapping[str, Any]]) -> str:
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
