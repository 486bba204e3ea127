"""Where a performance's face is lost its weights mean nothing, whoever follows it."""

from dataclasses import replace

import numpy as np
import pytest

from kmspeaker.baselines.systems import TITLES
from kmspeaker.errors import InputError
from kmspeaker.pipeline import Pipeline
from kmspeaker.reference.performance import Performance

FRAMES = 40


def lost(fill: float) -> Performance:
    """A moving face that is not seen at the beginning and for ten frames later on."""
    wave = 0.3 + 0.2 * np.sin(np.arange(FRAMES)[:, None] / 5 + np.arange(52))
    performance = Performance.from_weights(wave.astype(np.float32), 30.0)
    present = np.ones(FRAMES, bool)
    present[:4] = present[20:30] = False
    weights = np.where(present[:, None], performance.weights, np.float32(fill))
    return replace(performance, weights=weights, present=present)


@pytest.mark.parametrize("name", ["small", *sorted(TITLES)])
def test_no_system_reads_a_lost_face(name: str):
    system = Pipeline.load(name, device="cpu")
    features = np.random.default_rng(0).normal(size=(FRAMES, 384)).astype(np.float32)
    style = system.style_of(lost(0))
    np.testing.assert_allclose(system.style_of(lost(1)), style, atol=1e-6)
    (one,), (other,) = (system.motion(features, style, lost(fill)) for fill in (0, 1))
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_the_last_pose_seen_stays_and_before_it_the_first():
    held = lost(1).held_weights()
    np.testing.assert_array_equal(held[:4], lost(1).weights[[4] * 4])
    np.testing.assert_array_equal(held[20:30], lost(1).weights[[19] * 10])
    np.testing.assert_array_equal(held[30:], lost(1).weights[30:])
    nobody = replace(lost(0), present=np.zeros(FRAMES, bool))
    with pytest.raises(InputError, match="without a face"):
        nobody.held_weights()
