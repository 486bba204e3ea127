"""A held style is worn by any motion, and what the words close stays closed."""

import dataclasses

import numpy as np
import pytest
import torch
from tiny_model import some_weights

from kmspeaker.face.contacts import STIFFNESS
from kmspeaker.face.lip_contact import CLOSED
from kmspeaker.face.rig import ARKIT_INDEX, UPPER_SHAPES, FaceModel
from kmspeaker.training.held_styles import PLAIN, HeldStyle, Wearer, draw_held_styles


@pytest.fixture(scope="module")
def wearer(face: FaceModel) -> Wearer:
    return Wearer.of(face, STIFFNESS)


def talk(face: FaceModel, items: int, frames: int = 90) -> torch.Tensor:
    """Motion whose lips close every half second."""
    random = np.random.default_rng(1)
    weights = 0.3 * some_weights(items * frames, seed=2).reshape(items, frames, 52)
    jaw = np.abs(np.sin(np.arange(frames) / 15 * np.pi))
    weights[:, :, ~UPPER_SHAPES] = 0.0
    weights[:, :, ARKIT_INDEX["jawOpen"]] = 0.3 * jaw * random.uniform(0.5, 1, (items, 1))
    return torch.from_numpy(weights.astype(np.float32))


def test_a_quarter_stay_as_they_were_and_others_hold_what_a_face_can():
    styles = draw_held_styles(np.random.default_rng(0), 2000)
    plain = ~styles.pose.any(1)
    assert PLAIN - 0.03 < plain.float().mean() < PLAIN + 0.1  # some draw nothing to hold
    assert (styles.pose >= 0).all() and (styles.pose <= 1).all()
    for name in ("eyeBlinkLeft", "eyeLookUpRight", "jawOpen"):
        assert not styles.pose[:, ARKIT_INDEX[name]].any()
    held = (styles.pose > 0).float().mean(0)
    for name in ("browDownLeft", "browInnerUp", "mouthSmileLeft", "eyeWideRight"):
        assert held[ARKIT_INDEX[name]] > 0.08


def test_closed_lips_stay_closed_in_any_held_style(face: FaceModel, wearer: Wearer):
    motion = talk(face, 200)
    styles = draw_held_styles(np.random.default_rng(3), 200)
    worn = wearer(motion, styles).numpy()
    before, after = motion.numpy() @ face.lip_opening, worn @ face.lip_opening
    closed = before < CLOSED
    assert closed.any()
    assert np.mean(after[closed] < CLOSED + 0.3) > 0.97


def test_the_pose_is_worn_and_liveliness_moves_the_upper_face_alone(
    face: FaceModel, wearer: Wearer
):
    motion = talk(face, 1) * 0.5
    brow = ARKIT_INDEX["browInnerUp"]
    pose = torch.zeros(1, 52)
    pose[0, brow] = 0.4
    worn = wearer(motion, HeldStyle(pose, torch.tensor([1.6])))
    upper = worn[0, :, brow].numpy()
    plain = motion[0, :, brow].numpy()
    assert upper.mean() == pytest.approx(plain.mean() + 0.4, abs=0.02)
    assert upper.std() == pytest.approx(1.6 * plain.std(), rel=0.05)
    kept = [ARKIT_INDEX[name] for name in ("eyeBlinkLeft", "eyeLookUpLeft", "jawOpen")]
    assert torch.allclose(worn[..., kept], motion[..., kept], atol=1e-2)


def test_a_plain_style_changes_nothing(face: FaceModel, wearer: Wearer):
    motion = talk(face, 2)
    plain = HeldStyle(torch.zeros(2, 52), torch.ones(2))
    assert torch.allclose(wearer(motion, plain), motion, atol=1e-6)


def test_a_part_of_the_items_has_their_styles():
    styles = draw_held_styles(np.random.default_rng(4), 6)
    part = styles[2:4]
    for field in dataclasses.fields(styles):
        assert torch.equal(getattr(part, field.name), getattr(styles, field.name)[2:4])
