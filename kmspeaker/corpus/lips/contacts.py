"""When lips must touch: on p, b and m each other; on f and v the teeth.

Place in the flow: the last step on the lower face of made motion, after emotion has been added, so
that no smile opens a closure; ``face.contacts`` says how.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32, Float64

from kmspeaker.corpus.lips.coarticulation import LEAD
from kmspeaker.corpus.lips.visemes import BILABIALS, LABIODENTALS, Phone, spans
from kmspeaker.face.contacts import Contacts

HOLD = (0.02, 0.75)
"""Part of the phone in which the contact is held; p and b burst before their end."""
MIN_HOLD = 0.042
"""Seconds; more than one frame at 30 frames/s, so that no sampling can miss a closure."""
APPROACH, RELEASE = 0.057, 0.055
"""Seconds from open to touching and back."""


def keep_contacts(
    contacts: Contacts,
    weights: Float[np.ndarray, "frames 52"],
    phones: Sequence[Phone],
    fps: float,
) -> Float32[np.ndarray, "frames 52"]:
    """The nearest motion to ``weights`` that makes every contact of ``phones``."""
    return contacts.enforce(weights, *contact_envelopes(phones, len(weights), fps).T)


def contact_envelopes(
    phones: Sequence[Phone], frames: int, fps: float
) -> Float64[np.ndarray, "frames 2"]:
    """How closed the lips must be in each frame, and how near the teeth the lower one, 0 to 1."""
    times = np.arange(frames) / fps
    kinds = (BILABIALS, LABIODENTALS)
    return np.stack([contact_envelope(spans(phones, kind), times) for kind in kinds], axis=1)


def contact_envelope(
    contacts: Sequence[tuple[float, float]], times: Float64[np.ndarray, " frames"]
) -> Float64[np.ndarray, " frames"]:
    """1 while a contact is held, 0 before its approach and after its release, smooth between."""
    envelope = np.zeros(len(times))
    for start, end in contacts:
        first, last = (start - LEAD + share * (end - start) for share in HOLD)
        short = max(MIN_HOLD - (last - first), 0) / 2
        early = np.clip((first - short - times) / APPROACH, 0, 1)
        late = np.clip((times - last - short) / RELEASE, 0, 1)
        envelope = np.maximum(envelope, (1 + np.cos(np.pi * (early + late).clip(0, 1))) / 2)
    return envelope
