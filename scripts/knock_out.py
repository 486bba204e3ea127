"""What each of our additions carries: the model without it, on people it was not trained on.

python -m scripts.knock_out --clips CLIPS ... --recordings LIVE_LINK ... --tracks TRACKS

Paths are set to zero and settings of the sampler to the paper's in the trained model, which has not
learnt to do without them: a training without a path would lose less. Options of the training have
no row: ``training.bench`` trains the model on without them.
"""

import argparse
import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from kmspeaker.animation.silence import settle_lips
from kmspeaker.corpus.people import use_of
from kmspeaker.evaluation import kept_style, talk
from kmspeaker.evaluation.expression_clips import FPS, find_clips, track_clips
from kmspeaker.evaluation.lips import agreement
from kmspeaker.evaluation.report import Finding
from kmspeaker.examples import load_examples
from kmspeaker.media.audio import Sound, load_sound
from kmspeaker.model.network import KMSpeaker
from kmspeaker.pipeline import Pipeline
from kmspeaker.reference.performance import Performance

Change = Callable[[KMSpeaker], None]
SHOWN = (
    "slope of the mean upper keypoints",
    "dynamics of the upper keypoints, takes over references",
    "keypoints no mouth reaches off the performance: dubs",
)
"""Rows of ``kept_style``."""


def without(*paths: str) -> Change:
    """Sets linear paths to zero."""

    def change(model: KMSpeaker) -> None:
        for name in paths:
            layer = model.get_submodule(name)
            assert isinstance(layer, nn.Linear | nn.Conv1d)
            nn.init.zeros_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    return change


def sampled(**settings: Any) -> Change:
    """Changes settings of the sampler."""

    def change(model: KMSpeaker) -> None:
        model.config = dataclasses.replace(model.config, **settings)

    return change


VARIANTS: Mapping[str, Change] = {
    "all of it": lambda model: None,
    "no statistics of the style": without("statistics_in", "statistics_out"),
    "no style vector": without("global_style.out"),
    "no speech beside the attention": without("speech_in", "speech_out"),
    "no convolution over speech": without("speech.context"),
    "no temporal style beside the norms": without("temporal_in", "temporal_out"),
    "equal steps": sampled(bend=1.0),
    "noise below too": sampled(lower_noise=1.0),
    "no more noise above": sampled(upper_noise=1.0),
    "no reading of the opening": sampled(opening_share=0.0),
    "the opening read alone": sampled(opening_share=1.0),
    "no reading of contacts": sampled(keeps_contacts=False),
    "no reading of the upper face": sampled(upper_share=0.0),
    "1 step": sampled(steps=1),
    "8 steps": sampled(steps=8),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default="small")
    parser.add_argument("--clips", type=Path, nargs="+", required=True)
    parser.add_argument("--recordings", type=Path, nargs="+", required=True)
    parser.add_argument("--tracks", type=Path)
    parser.add_argument("--every", type=int, default=3, help="of the references, one in so many")
    asked = parser.parse_args()
    pipeline = Pipeline.load(asked.model, device="cpu")
    sound = load_sound(load_examples()["delighted"].speech)
    clips = [
        clip
        for clip in find_clips(asked.clips)
        if use_of(clip.path.parent.name, clip.path.name) not in ("training", "left_out")
    ]
    tracked, _ = track_clips(clips, pipeline.face, asked.tracks)
    talkers, _ = talk.read_talkers(tracked, pipeline.face, pipeline.encoder)
    references = [(one.clip.name, one.performance) for one in tracked][:: asked.every]
    pieces = kept_style.read_recordings(asked.recordings)[:: asked.every]
    columns = ("lips", "slope", "dynamics", "dubs, mm")
    heads = [f"{name}, {on}" for on in ("clips", "recordings") for name in columns[1:]]
    print("| without | lips, median | lips, mean | " + " | ".join(heads) + " |")
    print("|---" * (3 + len(heads)) + "|")
    for name, change in VARIANTS.items():
        model = copy.deepcopy(pipeline.model)
        assert isinstance(model, KMSpeaker)
        change(model)
        changed = dataclasses.replace(pipeline, model=model)
        follows = lips(changed, talkers)
        row = [np.median(follows), np.mean(follows)]
        for given in (references, pieces):
            row += style(changed, given, sound)
        print(f"| {name} | " + " | ".join(f"{value:.2f}" for value in row) + " |", flush=True)


def lips(pipeline: Pipeline, talkers: Sequence[talk.Talker]) -> list[float]:
    """Correlation of each talker's lips with a take's in the mean style."""
    face = pipeline.face
    follows: list[float] = []
    for one in talkers:
        (weights,) = pipeline.motion(one.features, pipeline.model.style_mean[None])
        opening = settle_lips(weights, face, FPS).astype(np.float64) @ face.lip_opening
        follows.append(agreement(one.times, one.opening, one.times, opening).correlation)
    return follows


def style(
    pipeline: Pipeline, references: Sequence[tuple[str, Performance]], sound: Sound
) -> list[float]:
    """``SHOWN`` of references."""
    kept = kept_style.make_kept(references, pipeline, sound)
    found: dict[str, Finding] = {
        finding.figure: finding
        for finding in kept_style.part(kept, pipeline.face, "references").findings
    }
    return [found[name].estimate.value for name in SHOWN]


if __name__ == "__main__":
    main()
