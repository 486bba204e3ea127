"""The options of a training run. Each says what the paper gives, and why the default differs."""

import dataclasses
import math
from typing import Any, Literal, get_args, get_origin

from kmspeaker.errors import InputError
from kmspeaker.model.network import PRESETS, ModelConfig

LEAST = {"steps": 1, "batch": 2, "parts": 1, "validate_every": 1, "save_every": 1}
"""Smallest value of an option where that is not 0; a swap needs two windows."""


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """The defaults suit ``small`` on two CPU cores; ``PAPER`` has the paper's values."""

    size: str = "small"
    """One of ``network.PRESETS``."""
    steps: int = 5000
    """Ours; the paper gives days on its GPU, no number of steps."""
    batch: int = 16
    """Windows a step, of all processes together. Paper: 32."""
    parts: int = 1
    """Equal parts in which a step's batch is computed, one after the other or each by a process of
    its own; at least one a process. More need less memory. The network's dropout is drawn for each
    part, so runs with the same number of parts are the same on any number of processes; with
    another number they differ in dropout alone."""
    seed: int = 0

    learning_rate: float = 1e-3
    """Of Adam. Paper: 1e-4, for a much wider model and days of training."""
    warm_up: int = 200
    """Steps over which the learning rate rises (ours; the paper names none)."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """Of the learning rate after the warm-up: a cosine down to a hundredth at the last step (ours),
    or constant; the paper names none."""
    weight_decay: float = 1e-6
    """The paper's."""
    gradient_clip: float = 1.0
    """Largest norm of a step's gradient (ours; the paper names none)."""
    ema_decay: float = 0.998
    """Of the average of the weights that is saved (ours; the paper names none)."""
    precision: Literal["fp32", "bf16"] = "bf16"
    """bf16 is autocast, for speed, where the device has it (ours; the paper names none). ``python
    -m kmspeaker.training --measure`` with ``--set precision=fp32`` and without prints what it saves
    here."""

    keypoints: Literal["ours", "ibug68", "dense"] = "ours"
    """Which of ``FaceModel.keypoints`` the styles are read from: 55, 68 or about 1,660. The paper's
    ablation (Table 1); the paper's own choice is 55."""
    implicit_style: bool = False
    """``ModelConfig.implicit_style``: the paper's ablation, with ``keypoints`` dense."""
    global_style: bool = True
    """``ModelConfig.global_style``; False is the paper's ablation."""
    style_statistics: bool = True
    """``ModelConfig.style_statistics``, where the size has them; False shows what they carry."""
    relearns_styles: bool = False
    """Whether a training that begins from a model learns anew how styles are read, so that sets of
    keypoints can be compared from the same start (ours)."""
    masks: Literal["ours", "meshtalk"] = "ours"
    """Which masks the two halves of the loss have (``losses.masks``); the paper's ablation."""
    passes: Literal["both", "either", "own"] = "either"
    """Whether each item is passed with swapped speech and again with swapped temporal style (paper
    Sec. 3.2), or with one of the two at random (caption of Fig. 3): the same objective in
    expectation at half the cost, so that the same time has twice as many different windows. "own"
    swaps nothing, and both halves are supervised: the paper's ablation without disentanglement."""
    time_power: float = 2.0
    """Times of the flow are a uniform number to this power (ours; the paper does not say how they
    are drawn). Above 1 more are early, where speech and style alone decide."""
    temporal_dropout: float = 0.3
    """Share of items without temporal style. Paper Sec. 3.3: 0.1, no difference up to 0.3. Half of
    our uses have no temporal style, and training is short."""
    span_dropout: float = 0.2
    """Share of items whose temporal style and whose reference each lack a span of frames, as a
    tracked video does where the face is lost (ours; the paper's keypoints are never lost)."""
    neighbour_style: float = 0.5
    """Share of items whose global style is that of a neighbouring window of the same clip, so that
    it cannot carry the words of this one (ours; in the paper's training it is the target's)."""

    held_styles: bool = True
    """Whether every item gets a held pose and an amplitude of its own (``held_styles``), so that
    styles are without end (ours; the paper has recorded actors)."""

    readings: bool = True
    """Whether the model, once trained, is helped by what is read linearly from speech and keypoints
    (``ModelConfig.opening_share``, ``keeps_contacts``, ``upper_share``); without, an ablation shows
    what the network alone has learnt."""

    velocity_weight: float = 1.0
    """Of the error of frame differences against that of frames. The paper weights both by 100."""
    lip_weight: float = 0.2
    """Of the gaps between the lips, mm² (ours): closures are few vertices and large to the eye."""
    closure_weight: float = 0.6
    """Of the same gaps once more where lips are closed (ours): in doubt they close, since an open
    p, b or m shows more than a vowel that opens a little late."""
    lid_weight: float = 0.1
    """Of the gaps between the eyelids, mm² (ours), for the reason of ``lip_weight``."""
    brow_weight: float = 0.6
    """Of the brows' places, mm² (ours): few vertices, which blinks and gaze would outweigh."""
    eye_weight: float = 0.3
    """Of the eyeballs' vertices (ours). The paper's model has no eyes, and no keypoint shows the
    gaze, so that a large part of the upper face's error could not be lowered."""
    kl_weight: float = 1e-5
    """Of L_KL, summed over dimensions, against errors in mm² (ours). The paper's 1e-6 against 100
    weights norms whose unit and normalization it does not give."""
    kept_variance: float = 0.9999
    """Share of the offsets' variance that the motion space keeps; see ``model.motion_space``. The
    paper's 128 components keep about 0.995."""

    validate_every: int = 500
    save_every: int = 100
    video_every: int = 1000
    """Steps between videos of a held-out clip; 0 for none. One takes some seconds."""

    def __post_init__(self) -> None:
        """Refuse numbers that no training can use."""
        for name, value in dataclasses.asdict(self).items():
            least = LEAST.get(name, 0)
            if isinstance(value, bool):
                continue
            if isinstance(value, int | float) and not value >= least:  # NaN neither
                raise InputError(f"Got {name} = {value}; it must be at least {least}.")

    @classmethod
    def read(cls, settings: dict[str, str], base: "TrainingOptions") -> "TrainingOptions":
        """``base`` with settings given as text, as on a command line.

        Raises:
            InputError: there is no such option, or the text is not a value of its type.
        """
        types = {field.name: field.type for field in dataclasses.fields(cls)}
        values: dict[str, Any] = {}
        for name, text in settings.items():
            if name not in types:
                raise InputError(f"Got option {name!r}; known are {', '.join(types)}.")
            try:
                values[name] = _parse(text, types[name])
            except ValueError:
                raise InputError(
                    f"Got {name}={text!r}; it needs {_kind_in_words(types[name])}."
                ) from None
        return dataclasses.replace(base, **values)


FREE = ("steps", "validate_every", "save_every", "video_every", "readings")
"""Options that may change when a run goes on; ``steps`` only stretches the schedule."""

PAPER = TrainingOptions(
    size="paper",
    steps=400_000,
    batch=32,
    learning_rate=1e-4,
    warm_up=0,
    schedule="constant",
    gradient_clip=math.inf,
    ema_decay=0.0,
    precision="bf16",
    passes="both",
    temporal_dropout=0.1,
    span_dropout=0.0,
    neighbour_style=0.0,
    held_styles=False,
    lip_weight=0.0,
    closure_weight=0.0,
    lid_weight=0.0,
    brow_weight=0.0,
    eye_weight=1.0,
    time_power=1.0,
    kept_variance=0.995,
)
"""The paper's values, and none of our additions. Its card lists what is still not the paper's
(``paper_differences``); ``steps``, ``precision`` and ``kl_weight`` are guesses."""


def preset_of(options: TrainingOptions) -> ModelConfig:
    """The model that ``options.size`` names.

    Raises:
        InputError: there is none of that name.
    """
    if options.size not in PRESETS:
        raise InputError(f"Got size {options.size!r}; use one of {', '.join(PRESETS)}.")
    preset = PRESETS[options.size]
    if options.readings:
        return preset
    return dataclasses.replace(preset, opening_share=0.0, keeps_contacts=False, upper_share=0.0)


def _parse(text: str, kind: Any) -> Any:
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            raise ValueError
        return text
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise ValueError
        return text.lower() == "true"
    return kind(text)


def _kind_in_words(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(get_args(kind))
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    return words[kind]
