"""What can be chosen about a training run. Every default that is not the paper's says why."""

import dataclasses
import math
from typing import Any, Literal, get_args, get_origin

from kmspeaker.errors import InputError
from kmspeaker.model.network import PRESETS, ModelConfig

LEAST = {"steps": 1, "batch": 2, "parts": 1, "validate_every": 1, "save_every": 1}
"""Smallest value of an option where that is not 0; swapping needs two windows."""


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """The defaults suit ``small`` on two CPU cores; ``PAPER`` has the paper's values."""

    size: str = "small"
    """One of ``model.PRESETS``."""
    steps: int = 5000
    batch: int = 16
    """Windows a step, of all processes together."""
    parts: int = 1
    """Equal parts in which a step's batch is worked off, one after the other or each by a process
    of its own; at least one a process. More need less memory. The network's dropout is drawn for
    each part, so runs with the same number of parts are the same on any number of processes; with
    another number they differ in dropout alone."""
    seed: int = 0

    learning_rate: float = 1e-3
    """The paper's 1e-4 is for a model ten times wider and days of training."""
    warm_up: int = 200
    """Steps over which the learning rate rises."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """What the learning rate does then: fall to a hundredth at the last step, or stay, as in the
    paper for all it says."""
    weight_decay: float = 1e-6
    gradient_clip: float = 1.0
    """Largest norm of a step's gradient; the paper names none."""
    ema_decay: float = 0.998
    """Of the average of the weights that is saved; the paper names none."""
    precision: Literal["fp32", "bf16"] = "bf16"
    """bf16 is autocast: on a CPU with AMX a third off a step of ``small``, and more on a GPU."""

    passes: Literal["both", "either"] = "either"
    """Whether each item is seen with swapped speech and again with swapped temporal style (Sec.
    3.2), or with one of the two at random (caption of Fig. 3): the same objective in expectation,
    and at half the cost twice as many different windows are seen in the same time."""
    time_power: float = 2.0
    """Times of the flow are drawn as a uniform number to this power. Above 1 there are more early
    ones, where speech and style alone decide and which few steps of the sampler depend on."""
    matched_share: float = 0.0
    """Share of items with nothing swapped, supervised on the whole face."""
    temporal_dropout: float = 0.3
    """Share of items without temporal style. The paper takes 0.1 and saw no difference up to 0.3;
    half of our uses have none, and training is short."""
    span_dropout: float = 0.2
    """Share of items whose temporal style and whose reference each lack a span of frames, as a
    tracked video does where the face is lost."""
    neighbour_style: float = 0.5
    """Share of items whose global style is read from a neighbouring window of the same clip, so
    that it cannot carry what is said in this one."""

    velocity_weight: float = 1.0
    """Of the error of frame differences against that of frames; equal in the paper."""
    lip_weight: float = 0.2
    """Of the gaps between the lips (mm²). Closures are small in vertices and large to the eye."""
    closure_weight: float = 0.6
    """Of the same gaps once more where lips are closed: in doubt they close, since an open p, b or
    m is seen at once and a vowel opened a little late is not."""
    lid_weight: float = 0.1
    """Of the gaps between the eyelids (mm²), for the same reason."""
    brow_weight: float = 0.6
    """Of the brows' places (mm²): few vertices, which blinks and gaze would drown out."""
    eye_weight: float = 0.3
    """Of the eyeballs' vertices. The paper's face has none, and no keypoint shows the gaze, so that
    half of what could be seen of the upper face would be an error nobody can mend."""
    kl_weight: float = 1e-5
    """Of the global style's divergence, summed over dimensions; chosen so that it is about a
    hundredth of the loss, as in the paper."""
    kept_variance: float = 0.9999
    """Share of the offsets' variance that the motion space keeps; see ``motion``."""

    validate_every: int = 500
    save_every: int = 100
    video_every: int = 1000
    """Steps between videos of a held-out clip; 0 for none. One takes some seconds."""

    def __post_init__(self) -> None:
        """Refuse numbers that no training can use."""
        for name, value in dataclasses.asdict(self).items():
            least = LEAST.get(name, 0)
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
                raise InputError(f"Got {name}={text!r}; it needs {_wanted(types[name])}.") from None
        return dataclasses.replace(base, **values)


FREE = ("steps", "validate_every", "save_every", "video_every")
"""What may change when a run is gone on with; ``steps`` only stretches the schedule."""

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
    lip_weight=0.0,
    closure_weight=0.0,
    lid_weight=0.0,
    brow_weight=0.0,
    eye_weight=1.0,
    time_power=1.0,
    kept_variance=0.995,
)


def preset_of(options: TrainingOptions) -> ModelConfig:
    """The model that ``options.size`` names.

    Raises:
        InputError: there is none of that name.
    """
    if options.size not in PRESETS:
        raise InputError(f"Got size {options.size!r}; use one of {', '.join(PRESETS)}.")
    return PRESETS[options.size]


def _parse(text: str, kind: Any) -> Any:
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            raise ValueError
        return text
    return kind(text)


def _wanted(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(get_args(kind))
    return {int: "a whole number", float: "a number", str: "a text"}[kind]
