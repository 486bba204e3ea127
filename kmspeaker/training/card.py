"""The model card: what was trained, on what, how, and how well it does on clips it has not seen."""

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kmspeaker.corpus.store import SPLITS, Corpus
from kmspeaker.model.network import PAPER as PAPER_NETWORK
from kmspeaker.model.network import ModelConfig
from kmspeaker.training.options import FREE, PAPER, TrainingOptions

SYNTHESISED = "acted"
"""The source whose voices are a synthesiser's."""
CURVE_ROWS = 8
SIZES = ("size", "d_model", "layers", "heads", "feed_forward", "condition_width", "n_coeffs", "rig")
"""Said elsewhere in the card, or no choice."""
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
    begun = "".join(f"Begun from {e['model']}. " for e in entries if e["kind"] == "start")
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

{last["step"]} steps of {options.batch} windows of {config.window_frames} frames \
({config.window_frames / config.fps:.1f} s), {last["seconds"] / 3600:.1f} hours on {machine}.
{begun}Seed {options.seed}; of the corpus {corpus.seed}. Options that are not the paper's: \
{_deviations(options, PAPER)}. Of the network: {_deviations(config, PAPER_NETWORK)}.

Along the way on clips of voices and actors it never trains on: correlation of the opening between
the lips with the clip's own, and errors in mm. Those lips are made by rule, and this network
{"speaks with real people's" if config.tells_made_lips else "has learnt theirs"}. A face held still
at its mean would be {last["upper_still"]:.2f} mm off in the upper face.

{_curves(entries)}

## Limits

Most of the motion it learnt from is made by rule, its styles are those of made-up actors, and its
captured lips are those of few people: it knows no one's face closely. Nearly all speech in training
is English. It does not move the head, and a style comes through only as far as 52 ARKit shapes can
show it. Laughter, singing and speech of several people at once were not in the data.

## Not for

Putting words into a real person's mouth, passing a generated face off as somebody's recording, or
judging from a face or voice what a person feels.
"""


def _deviations(own: TrainingOptions | ModelConfig, papers: TrainingOptions | ModelConfig) -> str:
    """The settings that differ from the paper's, sizes and what the data decides apart."""
    mine, theirs = dataclasses.asdict(own), dataclasses.asdict(papers)
    odd = [name for name in mine if mine[name] != theirs[name] and name not in (*FREE, *SIZES)]
    return ", ".join(f"{name} {mine[name]}" for name in odd) or "none"


def _data(corpus: Corpus) -> str:
    hours: defaultdict[tuple[str, ...], float] = defaultdict(float)
    for clip in corpus.clips:
        voice = "synthesised" if clip.source == SYNTHESISED else "recorded"
        lips = "captured" if clip.lips == "captured" else "made from phones"
        row = (clip.split, clip.source, voice, lips, clip.licence)
        hours[row] += clip.frames / corpus.fps / 3600
    trained = {row: total for row, total in hours.items() if row[0] == "train"}
    synthesised, captured = (
        sum(total for row, total in trained.items() if word in row)
        for word in ("synthesised", "captured")
    )
    actors = {split: _count(corpus, split, "actor") for split in SPLITS}
    rows = [" | ".join((*row, f"{total:.2f}")) for row, total in sorted(hours.items())]
    return f"""{sum(trained.values()):.2f} hours of {_count(corpus, "train", "speaker")} voices, \
{synthesised:.2f} of them synthesised. {captured:.2f} hours have lips captured
from people; all other motion is made by rule. It is performed by {actors["train"]} made-up actors;
{actors["val"]} more act what was validated on, and {actors["test"]} what the measures below are \
taken on.

| split | source | voice | lips | licence | hours |
|---|---|---|---|---|---|
{chr(10).join(f"| {row} |" for row in rows)}"""


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
