import numpy as np
import pytest

from kmspeaker.errors import InputError
from kmspeaker.face.keypoints import keypoint_set, keypoint_track
from kmspeaker.face.rig import ARKIT_INDEX, PART_NAMES, FaceModel


def test_sets_have_the_papers_sizes(face: FaceModel):
    assert (len(face.keypoints["ours"]), int(face.keypoints["ours"].upper.sum())) == (55, 47)
    assert len(face.keypoints["ibug68"]) == 68
    assert 1600 < len(face.keypoints["dense"]) < 1720


@pytest.mark.parametrize("name", ["ours", "ibug68", "dense"])
def test_keypoints_are_different_named_vertices_of_the_skin(face: FaceModel, name: str):
    keypoints = keypoint_set(face, name)
    assert len(np.unique(keypoints.indices)) == len(keypoints)
    assert len(set(keypoints.names)) == len(keypoints) == len(keypoints.upper)
    assert (face.part[keypoints.indices] == PART_NAMES.index("skin")).all()


def test_ours_is_symmetric(face: FaceModel):
    keypoints = face.keypoints["ours"]
    place = dict(zip(keypoints.names, face.neutral("clara")[keypoints.indices], strict=True))
    for name, point in place.items():
        if name.endswith("_right"):
            mirrored = place[name.replace("_right", "_left")] * [-1, 1, 1]
            np.testing.assert_allclose(point, mirrored, atol=0.5, err_msg=name)
        elif not name.endswith("_left"):
            assert abs(point[0]) < 0.5, name


def test_upper_keypoints_lie_outside_the_lower_region(face: FaceModel):
    for keypoints in face.keypoints.values():
        assert (face.region[keypoints.indices[keypoints.upper]] > 0).all()
    ours = face.keypoints["ours"]
    assert (face.region[ours.indices[~ours.upper]] == 0).all()
    assert sum(name.startswith("fold") for name in ours.names) == 8


def test_neutral_has_no_displacement(face: FaceModel):
    for name in face.keypoints:
        assert not keypoint_track(face, np.zeros((2, 52), np.float32), name).any()


def test_track_is_the_motion_of_its_vertices(face: FaceModel):
    weights = np.random.default_rng(1).random((3, 52)).astype(np.float32)
    weights[:, [ARKIT_INDEX["eyeBlinkLeft"], ARKIT_INDEX["eyeBlinkRight"]]] = 0
    for name, keypoints in face.keypoints.items():
        moved = (face.vertices(weights, "mei") - face.neutral("mei"))[:, keypoints.indices]
        np.testing.assert_allclose(keypoint_track(face, weights, name), moved, atol=1e-2)


def test_brows_move_upper_keypoints_and_the_jaw_lower_ones(face: FaceModel):
    weights = np.zeros((2, 52), np.float32)
    weights[0, ARKIT_INDEX["browInnerUp"]] = weights[1, ARKIT_INDEX["jawOpen"]] = 1
    motion = np.linalg.norm(keypoint_track(face, weights), axis=2)
    upper = face.keypoints["ours"].upper
    assert motion[0, upper].max() > 3 and motion[0, ~upper].max() < 0.5
    assert motion[1, ~upper].max() > 20 > 3 * np.median(motion[1, upper])


def test_unknown_set_is_refused(face: FaceModel):
    with pytest.raises(InputError, match=r"'55'.*ours, ibug68, dense"):
        keypoint_set(face, "55")
