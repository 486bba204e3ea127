"""What each phone asks of lips, jaw and tongue, and how strongly.

Place in the flow: the table that ``coarticulation`` blends. Targets are weights of symmetric mouth
shapes on the rig; dominances say how far a phone insists on its target against its neighbours
(Cohen & Massaro 1993), one number for each group of articulators, so that a sibilant holds the jaw
while it leaves the lips to the vowel beside it (JALI, Edwards et al. 2016).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from jaxtyping import Float64

from kmspeaker.errors import InputError
from kmspeaker.face.rig import ARKIT_INDEX, ARKIT_NAMES

Phone = tuple[str, float, float]
"""ARPABET without stress digit, start and end in seconds."""

GROUPS: Mapping[str, tuple[str, ...]] = {
    "jaw": ("jawOpen", "jawForward"),
    "lips": (
        *("mouthLowerDown", "mouthUpperUp", "mouthRollLower", "mouthRollUpper", "mouthPress"),
        *("mouthShrugLower",),
    ),
    "round": ("mouthFunnel", "mouthPucker"),
    "spread": ("mouthStretch", "mouthSmile"),
    "tongue": ("tongueOut",),
}
"""Channels that move together, by group. A channel without a side drives both sides alike."""
CHANNELS: tuple[str, ...] = tuple(channel for group in GROUPS.values() for channel in group)
GROUP_NAMES: tuple[str, ...] = tuple(GROUPS)

SILENCE = "SIL"

Contact = Literal["lips", "teeth"]


@dataclass(frozen=True)
class Viseme:
    """One phone's targets and its hold on each group of articulators."""

    targets: Mapping[str, float]
    """Weight of each channel that is not zero."""
    dominance: Mapping[str, float]
    """Peak dominance by group; 1 is a phone that does not give way."""
    contact: Contact | None = None
    """What must touch: the two lips, or the lower lip and the upper teeth."""
    vowel: bool = False
    """Vowels take their size from the voice."""
    glide: "Viseme | None" = field(default=None, repr=False)
    """Where a diphthong goes."""


def _vowel(
    jaw: float,
    lower: float,
    upper: float,
    *,
    grip: tuple[float, float, float, float],
    **shapes: float,
) -> Viseme:
    """A vowel; ``grip`` is its dominance over jaw, lips, rounding and spreading."""
    return Viseme(
        {"jawOpen": jaw, "mouthLowerDown": lower, "mouthUpperUp": upper, **shapes},
        dict(zip(GROUP_NAMES, (*grip, 0.4), strict=True)),
        vowel=True,
    )


def _consonant(
    jaw: float,
    hold: tuple[float, float, float, float, float],
    contact: Contact | None = None,
    **shapes: float,
) -> Viseme:
    """A consonant; ``hold`` is its dominance in the order of ``GROUP_NAMES``."""
    return Viseme(
        {"jawOpen": jaw, **shapes}, dict(zip(GROUP_NAMES, hold, strict=True)), contact=contact
    )


_AA = _vowel(0.41, 0.33, 0.15, grip=(1.1, 0.6, 0.55, 0.25))
_AO = _vowel(0.26, 0.14, 0.03, grip=(1.25, 0.65, 0.9, 0.3), mouthFunnel=0.25, mouthPucker=0.16)
_EH = _vowel(0.33, 0.48, 0.24, grip=(1.6, 0.4, 0.45, 0.4), mouthStretch=0.11, mouthSmile=0.05)
_IH = _vowel(0.28, 0.45, 0.26, grip=(1.0, 0.35, 0.3, 0.45), mouthStretch=0.07, mouthSmile=0.05)
_IY = _vowel(0.26, 0.54, 0.32, grip=(1.2, 0.45, 0.7, 0.6), mouthStretch=0.13, mouthSmile=0.05)
_UH = _vowel(0.04, 0.12, 0.06, grip=(1.2, 0.6, 0.45, 0.3), mouthFunnel=0.16, mouthPucker=0.24)
_UW = _vowel(0.08, 0.03, 0.01, grip=(1.8, 1.3, 1.0, 0.55), mouthFunnel=0.08, mouthPucker=0.65)
_OH = _vowel(0.28, 0.12, 0.04, grip=(1.6, 0.6, 1.25, 0.3), mouthFunnel=0.24, mouthPucker=0.33)

_LIPS_CLOSE = _consonant(
    0.0,
    (1.05, 1.5, 0.12, 0.28, 0.2),
    "lips",
    mouthPress=0.08,
    mouthRollLower=0.20,
    mouthRollUpper=0.14,
)
_LIP_TO_TEETH = _consonant(
    0.04,
    (1.0, 1.05, 0.2, 0.3, 0.3),
    "teeth",
    mouthRollLower=0.50,
    mouthUpperUp=0.15,
)
_DENTAL = _consonant(
    0.03, (1.6, 0.5, 0.15, 0.25, 1.0), mouthLowerDown=0.23, mouthUpperUp=0.10, tongueOut=0.34
)
_ALVEOLAR = _consonant(
    0.15, (0.4, 0.25, 0.10, 0.2, 0.6), mouthLowerDown=0.40, mouthUpperUp=0.18, tongueOut=0.04
)
_NASAL = _consonant(
    0.04, (0.35, 0.12, 0.14, 0.2, 0.6), mouthLowerDown=0.31, mouthUpperUp=0.10, tongueOut=0.04
)
_SIBILANT = _consonant(
    0.11,
    (0.95, 0.55, 0.5, 0.65, 0.6),
    mouthLowerDown=0.45,
    mouthUpperUp=0.24,
    mouthStretch=0.06,
)
_POSTALVEOLAR = _consonant(
    0.09,
    (0.9, 0.55, 1.1, 0.4, 0.6),
    mouthFunnel=0.33,
    mouthPucker=0.24,
    mouthLowerDown=0.22,
    mouthUpperUp=0.12,
)
_VELAR = _consonant(0.22, (0.4, 0.16, 0.08, 0.15, 0.3), mouthLowerDown=0.34, mouthUpperUp=0.15)

VISEMES: Mapping[str, Viseme] = {
    "AA": _AA,
    "AE": _vowel(0.33, 0.40, 0.19, grip=(0.7, 0.5, 0.4, 0.55), mouthStretch=0.06, mouthSmile=0.02),
    "AH": _vowel(0.17, 0.29, 0.16, grip=(1.3, 0.5, 0.3, 0.3), mouthStretch=0.03),
    "AO": _AO,
    "AW": replace(_AA, glide=_UH),
    "AY": replace(_AA, glide=_IH),
    "EH": _EH,
    "ER": _vowel(0.14, 0.20, 0.10, grip=(0.9, 0.6, 0.7, 0.3), mouthFunnel=0.14, mouthPucker=0.22),
    "EY": replace(_EH, glide=_IY),
    "IH": _IH,
    "IY": _IY,
    "OW": replace(_OH, glide=_UW),
    "OY": replace(_AO, glide=_IH),
    "UH": _UH,
    "UW": _UW,
    "P": _LIPS_CLOSE,
    "B": _LIPS_CLOSE,
    "M": _LIPS_CLOSE,
    "F": _LIP_TO_TEETH,
    "V": _LIP_TO_TEETH,
    "TH": _DENTAL,
    "DH": _DENTAL,
    "T": _ALVEOLAR,
    "D": _ALVEOLAR,
    "N": _NASAL,
    "S": _SIBILANT,
    "Z": _SIBILANT,
    "SH": _POSTALVEOLAR,
    "ZH": _POSTALVEOLAR,
    "CH": _POSTALVEOLAR,
    "JH": _POSTALVEOLAR,
    "K": _VELAR,
    "G": _VELAR,
    "NG": _VELAR,
    "HH": _consonant(0.18, (0.10, 0.10, 0.05, 0.05, 0.2), mouthLowerDown=0.25),
    "L": _consonant(
        0.14, (1.8, 0.3, 0.10, 0.2, 1.0), mouthLowerDown=0.35, mouthUpperUp=0.09, tongueOut=0.14
    ),
    "R": _consonant(
        0.02, (2.2, 1.5, 2.5, 0.45, 0.5), mouthFunnel=0.06, mouthPucker=0.40, mouthLowerDown=0.04
    ),
    "W": _consonant(0.0, (2.8, 2.8, 1.9, 0.8, 0.4), mouthFunnel=0.06, mouthPucker=0.84),
    "Y": _consonant(
        0.17,
        (0.55, 0.5, 0.4, 0.8, 0.4),
        mouthLowerDown=0.45,
        mouthUpperUp=0.18,
        mouthStretch=0.09,
        mouthSmile=0.02,
    ),
    SILENCE: Viseme({}, dict.fromkeys(GROUP_NAMES, 1.0)),
}
"""Every ARPABET phone of the corpora, and silence.

Found by ``calibration``: this table and the timings of ``coarticulation`` moved together until the
blend followed the tracked lips of one speaker of GRID, held near the values of an earlier table by
a prior, so that phones that are rare there keep theirs; then rounded. He opens his jaw by more and
rounds his lips by less than the table: half of his jaw is in it, his rounding is not. How well the
table follows his lips, and how well a free fit does, which opens long before he speaks, prints
``python -m kmspeaker.corpus.lips.calibration configs/open.toml``.
"""


def viseme(phone: str) -> Viseme:
    """The row of a phone.

    Raises:
        InputError: It is no ARPABET phone.
    """
    if phone not in VISEMES:
        raise InputError(
            f"Got phone {phone!r}; known are {', '.join(VISEMES)} (ARPABET, no stress digit)."
        )
    return VISEMES[phone]


def channel_matrix() -> Float64[np.ndarray, "channels 52"]:
    """How the symmetric channels spread over the ARKit weights."""
    matrix = np.zeros((len(CHANNELS), len(ARKIT_NAMES)))
    for row, channel in enumerate(CHANNELS):
        for name in (channel, f"{channel}Left", f"{channel}Right"):
            if name in ARKIT_INDEX:
                matrix[row, ARKIT_INDEX[name]] = 1.0
    return matrix


def parse_phones(text: str) -> tuple[Phone, ...]:
    """Read ``AO:0.00:0.22 TH:0.22:0.34``, the phones of a ``clips.tsv``.

    Raises:
        InputError: Malformed, an unknown phone, or times that run backwards.
    """
    phones: list[Phone] = []
    for word in text.split():
        try:
            name, start, end = word.split(":")
            phone = (name, float(start), float(end))
        except ValueError:
            raise InputError(
                f"Got phone {word!r}; write it as NAME:START:END in seconds."
            ) from None
        viseme(name)
        if phone[2] < phone[1] or (phones and phone[1] < phones[-1][2] - 1e-6):
            raise InputError(f"Got phone {word!r} out of order; each must follow the one before.")
        phones.append(phone)
    if not phones:
        raise InputError("Got a clip without phones; align its text first.")
    return tuple(phones)


def spans(phones: Sequence[Phone], names: frozenset[str] | set[str]) -> list[tuple[float, float]]:
    """Start and end of every phone that is one of ``names``."""
    return [(start, end) for name, start, end in phones if name in names]


BILABIALS = frozenset(name for name, shape in VISEMES.items() if shape.contact == "lips")
LABIODENTALS = frozenset(name for name, shape in VISEMES.items() if shape.contact == "teeth")
OPEN_VOWELS = frozenset({"AA", "AE", "AO", "AW", "AY"})
"""Vowels on which any speaker opens the mouth."""
