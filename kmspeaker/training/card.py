"""The model card: what was trained, on what, how, and how well it does on clips it has not seen."""

from collections import defaultdict

from kmspeaker.corpus.store import Corpus
from kmspeaker.model import ModelConfig
from kmspeaker.training.options import TrainingOptions


def model_card(
    corpus: Corpus,
    options: TrainingOptions,
    config: ModelConfig,
    step: int,
    scores: dict[str, float],
) -> str:
    """The card in Markdown, with the Hub's front matter."""
    seconds: defaultdict[tuple[str, str, str], float] = defaultdict(float)
    for clip in corpus.clips:
        seconds[clip.split, clip.source, clip.licence] += clip.frames / corpus.fps
    sources = "\n".join(
        f"| {split} | {source} | {licence} | {total / 60:.1f} |"
        for (split, source, licence), total in sorted(seconds.items())
    )
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

| split | source | licence | minutes |
|---|---|---|---|
{sources}

{step} steps of {options.batch} windows of {config.window_frames} frames, seed {options.seed},
corpus seed {corpus.seed}.

## On held-out clips

Lip scores are correlations of the opening between the lips with that of the clip's own motion;
errors are in mm.

| score | value |
|---|---|
{chr(10).join(f"| {name} | {value:.3f} |" for name, value in scores.items())}

## Limits

The lips' motion in training is partly made by rule and partly captured from few people, so the
model knows no one's lips closely. All speech in training is English or Mandarin. It does not move
the head. A manner comes through as far as 52 ARKit shapes can show it.

## Not for

Putting words into a real person's mouth, or passing a generated face off as somebody's recording.
"""
