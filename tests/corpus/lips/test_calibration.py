from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kmspeaker.corpus.lips.calibration import (
    MeasuredLips,
    Rule,
    agreement,
    error,
    fit,
    judge,
    measure_matrix,
)
from kmspeaker.corpus.lips.coarticulation import articulate, find_pulls
from kmspeaker.corpus.performances.recordings import Recording

FPS = 30.0
NAMES = ("SIL", "AA", "S", "IY", "T", "UW", "N", "EH", "SIL", "L", "AE", "R", "OW", "K", "SIL")


@pytest.fixture(scope="module")
def measure(face) -> np.ndarray:
    return measure_matrix(face)


def clip(measure: np.ndarray, seed: int) -> MeasuredLips:
    """A clip whose lips are the rule's own."""
    rng = np.random.default_rng(seed)
    ends = np.cumsum([0.4 if name == "SIL" else rng.uniform(0.06, 0.18) for name in NAMES])
    starts = np.concatenate([[0.0], ends[:-1]])
    phones = tuple(zip(NAMES, starts.tolist(), ends.tolist(), strict=True))
    seconds = round(ends[-1] * FPS) / FPS
    effort = rng.uniform(0.8, 1.2, len(phones))
    mouth = articulate(phones, seconds, fps=FPS, effort=effort)
    recording = Recording("clip", "one", "made", "CC0-1.0", Path("clip"), mouth, FPS, phones=phones)
    return MeasuredLips(recording, effort, find_pulls(phones, seconds, effort), mouth @ measure)


def test_the_rule_agrees_with_itself(face, measure):
    correlations = agreement([clip(measure, seed) for seed in range(3)], face, measure)
    assert min(correlations.values()) > 0.99


def test_the_blend_in_torch_is_the_rules_but_for_its_smoothing(measure):
    lips = clip(measure, 0)
    with torch.no_grad():
        blended = Rule(measure)(lips).numpy()
    assert np.abs(blended - lips.measured).max() < 1.0  # mm; smoothing rounds its corners
    assert min(judge(Rule(measure), [lips]).values()) > 0.98


def test_a_fit_finds_what_was_moved_and_leaves_what_was_not_seen(measure):
    rule, other = Rule(measure), Rule(measure)
    row = {name: row for row, _, names in rule.rows.values() for name in names}
    with torch.no_grad():
        other.moves["lead"] += 0.03
        clips = [clip(measure, seed) for seed in range(3)]
        clips = [replace(lips, measured=other(lips).numpy()) for lips in clips]
    spread = torch.from_numpy(clips[0].measured.var(0))

    def off() -> float:
        with torch.no_grad():
            return sum(float(error(rule, lips, spread)[0]) for lips in clips)

    before = off()
    fit(rule, clips, steps=16)
    assert off() < 0.8 * before
    assert 0.002 < rule.moves["lead"].item() < 0.04
    assert not rule.moves["targets"][row["ER"]].any()
    assert "ER: jawOpen 0.14" in rule.describe()
