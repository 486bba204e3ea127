"""What a director may ask of an animation beyond speech, reference and seed.

Place in the flow: command line and page fill it in, ``pipeline`` and ``editing`` obey it, exports
write it down. One control moves one thing: ``HELP`` says which.
"""

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from kmspeaker.errors import InputError

Head = Literal["none", "reference"]
Source = Literal["generated", "reference"]
Fit = Literal["as is", "stretch", "hold"]


def _number(least: float, most: float, meaning: str) -> dict[str, Any]:
    return {"range": (least, most), "help": meaning}


def _choice(kind: Any, meaning: str) -> dict[str, Any]:
    return {"choices": get_args(kind), "help": meaning}


@dataclass(frozen=True)
class Controls:
    """How an animation departs from what speech and reference give; the defaults change nothing.

    ``HELP``, ``RANGES`` and ``CHOICES`` hold each field's meaning and limits for a page or a
    command line.

    Raises:
        InputError: A number outside its range, or a word that is none of its choices.
    """

    style_strength: float = field(
        default=1.0,
        metadata=_number(0.0, 2.0, "the reference's style: 0 none of it, 1 as read, 2 exaggerated"),
    )
    guidance: float = field(
        default=1.0,
        metadata=_number(
            0.0, 3.0, "localize: how closely the upper face follows; 0 not at all, 1 as learnt"
        ),
    )
    upper: float = field(
        default=1.0,
        metadata=_number(
            0.0, 2.0, "intensity of brows, lids' expression, cheeks and nose; 0 leaves them at rest"
        ),
    )
    lower: float = field(
        default=1.0,
        metadata=_number(
            0.0, 2.0, "intensity of mouth and jaw; lips that close still close; 0 leaves them shut"
        ),
    )
    smoothing: float = field(
        default=0.0,
        metadata=_number(
            0.0, 0.25, "seconds over which motion is evened; lip contacts and eyes stay as they are"
        ),
    )
    head: Head = field(default="none", metadata=_choice(Head, "motion of the head"))
    gaze: Source = field(default="generated", metadata=_choice(Source, "where the eyes look"))
    blinks: Source = field(default="generated", metadata=_choice(Source, "when the eyes shut"))
    offset: float = field(
        default=0.0,
        metadata=_number(
            -10.0, 10.0, "seconds by which the performance comes later than the speech"
        ),
    )
    fit: Fit = field(
        default="as is",
        metadata=_choice(
            Fit, "a performance of another length: as it is, stretched, or its end held"
        ),
    )
    style_mix: float = field(
        default=0.0,
        metadata=_number(
            0.0, 1.0, "share of the second reference's style, 0 only the first, 1 only the second"
        ),
    )

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        _check(asdict(self))

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "Controls":
        """Controls from a page's or a table's values: numbers may be whole, or written as text.

        Raises:
            InputError: An unknown name, or a value that is out of range.
        """
        unknown = sorted(set(values) - set(DEFAULTS))
        if unknown:
            raise InputError(f"Got the control {unknown[0]!r}; known are {', '.join(DEFAULTS)}.")
        read = {name: _as_number(name, value) for name, value in values.items()}
        _check(read)
        return cls(**read)

    def changed(self) -> dict[str, float | str]:
        """The controls that are not as by default, by name."""
        return {name: value for name, value in asdict(self).items() if value != DEFAULTS[name]}


def _check(values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if name in CHOICES:
            if value not in CHOICES[name]:
                known = ", ".join(repr(choice) for choice in CHOICES[name])
                raise InputError(f"Got {name} {value!r}; choose one of {known}.")
            continue
        least, most = RANGES[name]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or not least <= value <= most:
            raise InputError(f"Got {name} {value!r}; it must be from {least:g} to {most:g}.")


def _as_number(name: str, value: Any) -> Any:
    """The value as a float where the control is a number and the value reads as one."""
    if name in RANGES and isinstance(value, int | float | str) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):
            return float(value)
    return value


HELP: Mapping[str, str] = {f.name: f.metadata["help"] for f in fields(Controls)}
"""What each control does, in a line."""
RANGES: Mapping[str, tuple[float, float]] = {
    f.name: f.metadata["range"] for f in fields(Controls) if "range" in f.metadata
}
"""Least and most of each number."""
CHOICES: Mapping[str, tuple[str, ...]] = {
    f.name: f.metadata["choices"] for f in fields(Controls) if "choices" in f.metadata
}
"""The words each other control may be."""
NEUTRAL = Controls()
"""All defaults."""
DEFAULTS: Mapping[str, float | str] = asdict(NEUTRAL)
"""Each control's default."""
