"""What of a model is not the paper's: what no option changes, and options that differ."""

import dataclasses

from kmspeaker.model.network import PAPER as PAPER_NETWORK
from kmspeaker.model.network import ModelConfig
from kmspeaker.training.options import FREE, PAPER, TrainingOptions

STRUCTURAL = (
    "The face is a rig of 52 ARKit shapes, those of the eyes included, and not 13,473 captured "
    "vertices without eyes: the motion space is the PCA of ARKit weights under the rig's Gram "
    "matrix, so it has at most 52 components where the paper has 128.",
    "Cross-attention sees the speech of a band around each frame ({reach:g} s before and after); "
    "the paper names no band.",
    "How speech, styles and time enter the flow, the number of heads, the order of norms and the "
    "positional encodings are our choices where the paper's Table 4 does not give them.",
    "The time of the flow passes through an MLP that the paper's Table 4 does not list.",
    "Dropout of attention acts on its output, not on its weights.",
    "The speech encoder is the one that the corpus was built with, {encoder}; the paper's is "
    "w2v-BERT 2.0.",
    "Losses are means over vertices and frames in mm²; the paper gives neither the unit nor the "
    "normalization of its norms, so its weights of 100, 100 and 1e-6 do not carry over.",
    "The number of steps ({steps}) and the precision ({precision}) are guesses; the paper gives "
    "neither.",
    "Speech longer than a window is generated in overlapping windows that are blended at every "
    "step of the sampler; the paper does not say what follows a window.",
)
"""Differences of every model of ours, whatever its size and options."""
NOT_COMPARED = (
    *("size", "d_model", "layers", "heads", "feed_forward", "condition_width", "n_coeffs", "rig"),
    *("speech_encoder", "seed", "parts", "precision"),
)
"""Fields that the card states elsewhere, or that are no choice."""


def structural_differences(options: TrainingOptions, config: ModelConfig) -> tuple[str, ...]:
    """A sentence for each difference that every model of ours has."""
    return tuple(
        sentence.format(
            reach=config.speech_reach,
            encoder=config.speech_encoder,
            steps=options.steps,
            precision=options.precision,
        )
        for sentence in STRUCTURAL
    )


def option_differences(options: TrainingOptions) -> str:
    """The options that are not the paper's, by name and value; "none" without any."""
    return _differences(options, PAPER)


def network_differences(config: ModelConfig) -> str:
    """The settings of the network that are not the paper's; "none" without any."""
    return _differences(config, PAPER_NETWORK)


def _differences(own: TrainingOptions | ModelConfig, paper: TrainingOptions | ModelConfig) -> str:
    values, paper_values = dataclasses.asdict(own), dataclasses.asdict(paper)
    different = [
        f"{name} {value}"
        for name, value in values.items()
        if value != paper_values[name] and name not in (*FREE, *NOT_COMPARED)
    ]
    return ", ".join(different) or "none"
