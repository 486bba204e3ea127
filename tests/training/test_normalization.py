import dataclasses

import numpy as np
import pytest
from tiny_model import TINY, some_weights

from kmspeaker.face.keypoints import keypoint_track
from kmspeaker.face.rig import FaceModel
from kmspeaker.model.motion_space import MotionSpace
from kmspeaker.model.network import KMSpeaker
from kmspeaker.training.data import Clip
from kmspeaker.training.normalization import SMALLEST_SPREAD_MM, all_weights, set_statistics


def test_a_models_statistics_are_those_of_its_clips(face: FaceModel):
    random = np.random.default_rng(0)
    clips = [
        Clip(
            str(frames),
            "someone",
            some_weights(frames, seed=frames).astype(np.float16),
            random.normal(3, 2, (frames, TINY.d_speech)).astype(np.float16),
        )
        for frames in (40, 90)
    ]
    space = MotionSpace.fit(all_weights(clips), face.gram(), 0.99)
    model = KMSpeaker(dataclasses.replace(TINY, n_coeffs=space.n_coeffs))
    set_statistics(model, space, clips, all_weights(clips), face)
    keypoints = keypoint_track(face, all_weights(clips), TINY.keypoint_set)
    features = np.concatenate([clip.features for clip in clips]).astype(np.float64)
    assert model.keypoint_mean.numpy() == pytest.approx(keypoints.mean(0), abs=1e-5)
    spread = np.sqrt(keypoints.var(0).mean(1, keepdims=True)).clip(SMALLEST_SPREAD_MM)
    assert model.keypoint_scale.numpy() == pytest.approx(spread, rel=1e-4)
    assert model.speech_mean.numpy() == pytest.approx(features.mean(0), rel=1e-4)
    assert model.speech_scale.numpy() == pytest.approx(features.std(0), rel=1e-3)
