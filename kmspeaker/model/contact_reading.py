"""When lips touch each other and the teeth, read from the speech linearly, and done (ours).

A network that minimises squared errors leaves lips a little apart on some p, b and m, since a
millimetre counts little there; to the eye it counts most. When they must touch is nearly a linear
function of the encoder's features, and how is known on the mesh (``face.contacts``). The reading is
fitted when training begins, on speech whose phones are known, and travels with the weights.
"""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float, Float64

from kmspeaker.face.contacts import Contacts
from kmspeaker.model.linear_reading import Features, solve_ridge, with_context

STRENGTH = 1e3
"""Penalty of the regression; suits an hour of speech."""
HEARD, SURE = 0.15, 0.5
"""Of the reading, which is 1 where a contact is held: above the first lips begin to close, from the
second on they touch."""

Envelopes = Float[np.ndarray, "frames 2"]
"""How closed the lips are, and how near the teeth the lower one; 0 to 1."""


def fit_contacts(
    speech: Iterable[tuple[Features, Envelopes]],
) -> tuple[Float64[np.ndarray, "inputs 2"], Float64[np.ndarray, " 2"]] | None:
    """Slopes and offsets from features with context to the envelopes; None without any speech."""
    frames, normal, moment = 0, np.zeros(()), np.zeros(())
    inputs_sum, envelopes_sum = np.zeros(()), np.zeros(2)
    for features, envelopes in speech:
        inputs = with_context(features).astype(np.float32)
        normal = normal + (inputs.T @ inputs).astype(np.float64)
        moment = moment + (inputs.T @ envelopes.astype(np.float32)).astype(np.float64)
        inputs_sum = inputs_sum + inputs.sum(0, dtype=np.float64)
        envelopes_sum = envelopes_sum + envelopes.sum(0, dtype=np.float64)
        frames += len(inputs)
    if not frames:
        return None
    centre, mean = inputs_sum / frames, envelopes_sum / frames
    slope = solve_ridge(
        normal - frames * np.outer(centre, centre),
        moment - frames * np.outer(centre, mean),
        STRENGTH,
    )
    return slope, mean - centre @ slope


def keep_heard_contacts(
    weights: Float[np.ndarray, "frames 52"],
    features: Features,
    slope: Float[np.ndarray, "inputs 2"],
    offset: Float[np.ndarray, " 2"],
    contacts: Contacts,
) -> Float64[np.ndarray, "frames 52"]:
    """The nearest motion to ``weights`` whose lips touch where they are heard to.

    Frames without a contact come back as they were.

    Args:
        weights: Of a whole take.
        features: Of its speech.
        slope: From ``fit_contacts``.
        offset: The same.
        contacts: Of the rig.
    """
    reading = with_context(features) @ slope + offset
    share = ((reading - HEARD) / (SURE - HEARD)).clip(0, 1)
    envelopes = (1 - np.cos(np.pi * share)) / 2
    heard = (envelopes > 0).any(axis=1)
    kept = weights.astype(np.float64)
    kept[heard] = contacts.enforce(weights[heard], *envelopes[heard].T)
    return kept
