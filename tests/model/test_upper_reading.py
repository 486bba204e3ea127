"""The upper face of a dub is the performance's, as far as keypoints tell it."""

import dataclasses

import numpy as np
import pytest
from tiny_model import some_weights

from kmspeaker.face.rig import ARKIT_INDEX, UPPER_SHAPES, FaceModel
from kmspeaker.model.upper_reading import FOLLOWED, follow_upper, upper_face_read
from kmspeaker.reference.performance import Performance

FPS = 30.0


@pytest.mark.parametrize("keypoints", ["ours", "dense"])
def test_upper_keypoints_tell_the_upper_face_whatever_the_mouth_does(
    face: FaceModel, keypoints: str
):
    weights = 0.6 * some_weights(30)
    read = upper_face_read(face, weights, keypoints)
    assert not read[:, ~UPPER_SHAPES].any()
    np.testing.assert_allclose(read[:, FOLLOWED], weights[:, FOLLOWED], atol=0.08)
    for name in ("browInnerUp", "browDownLeft", "eyeBlinkRight"):
        np.testing.assert_allclose(
            read[:, ARKIT_INDEX[name]], weights[:, ARKIT_INDEX[name]], atol=0.04
        )


def follow(face: FaceModel, performance: Performance, frames: int = 40, **asked) -> np.ndarray:
    take = np.full((frames, 52), 0.5)
    (followed,) = follow_upper(
        take[None], face, performance, **{"keypoints": "ours", "share": 1.0, **asked}
    )
    return followed


def test_only_shapes_that_keypoints_show_are_followed_and_only_where_a_face_is_seen(
    face: FaceModel,
):
    performance = Performance.from_weights(0.6 * some_weights(30), FPS)
    lost = np.ones(30, bool)
    lost[10:15] = False
    followed = follow(face, dataclasses.replace(performance, present=lost))
    assert (followed[:, ~FOLLOWED] == 0.5).all()
    assert (followed[10:15] == 0.5).all() and (followed[30:] == 0.5).all()
    read = upper_face_read(face, performance.weights)
    np.testing.assert_allclose(followed[:3, FOLLOWED], read[:3, FOLLOWED], atol=1e-9)
    jumps = np.abs(np.diff(followed, axis=0)).max(axis=1)
    assert jumps.max() < 0.25  # the face comes and goes without a jump


def test_the_share_and_the_guidance_say_how_far(face: FaceModel):
    performance = Performance.from_weights(0.6 * some_weights(40), FPS)
    read = upper_face_read(face, performance.weights)[:, FOLLOWED]
    assert (follow(face, performance, share=0.0) == 0.5).all()
    half = follow(face, performance, share=0.5)[:, FOLLOWED]
    np.testing.assert_allclose(half, (0.5 + read) / 2, atol=1e-9)
    np.testing.assert_array_equal(follow(face, performance, guidance=0.5)[:, FOLLOWED], half)
    further = follow(face, performance, guidance=1.5)[:, FOLLOWED]
    np.testing.assert_allclose(further - further.mean(0), 1.5 * (read - read.mean(0)), atol=1e-9)
