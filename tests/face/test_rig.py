import numpy as np
import pytest
from PIL import Image
from scipy.spatial import KDTree

from kmspeaker.errors import InputError
from kmspeaker.face.rig import ARKIT_INDEX, ARKIT_NAMES, PART_NAMES, FaceModel


def pose(**weights: float) -> np.ndarray:
    """One frame; a name without its side sets both."""
    frame = np.zeros((1, 52), np.float32)
    for name, weight in weights.items():
        for own in [n for n in ARKIT_NAMES if n in (name, f"{name}Left", f"{name}Right")]:
            frame[0, ARKIT_INDEX[own]] = weight
    return frame


def ramp(*names: str) -> np.ndarray:
    """The shapes rising together from 0 to 1 in eleven frames."""
    frames = np.zeros((11, 52), np.float32)
    for name in names:
        frames[:, ARKIT_INDEX[name]] = np.linspace(0, 1, 11)
    return frames


def random_weights(frames: int) -> np.ndarray:
    """About eight shapes a frame."""
    random = np.random.default_rng(0)
    weights = random.random((frames, 52)) * (random.random((frames, 52)) < 0.15)
    return weights.astype(np.float32)


def test_names_are_arkits_fifty_two_in_live_link_order():
    assert len(set(ARKIT_NAMES)) == 52
    assert ARKIT_NAMES[:3] == ("eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft")
    assert ARKIT_NAMES[14:19] == ("jawForward", "jawRight", "jawLeft", "jawOpen", "mouthClose")
    assert ARKIT_NAMES[-3:] == ("noseSneerLeft", "noseSneerRight", "tongueOut")


def test_there_are_six_women_and_six_men_each_described_and_painted(face: FaceModel):
    assert len(face.identities) == 12
    sexes = [face.people[name].description.split(",")[0] for name in face.identities]
    assert sexes.count("woman") == sexes.count("man") == 6
    ages = [int(face.people[name].description.split(",")[1]) for name in face.identities]
    assert min(ages) == 18 and max(ages) == 64
    for name in face.identities:
        with Image.open(face.texture(name)) as picture:
            assert picture.size == (2048, 1024) and picture.mode == "RGB"


def test_all_identities_share_one_topology_and_differ(face: FaceModel):
    heads = np.stack([face.neutral(name) for name in face.identities])
    assert heads.shape == (12, len(face.part), 3) and np.isfinite(heads).all()
    assert face.deltas.shape == (52, len(face.part), 3)
    skin = face.part == PART_NAMES.index("skin")
    apart = np.linalg.norm(heads[:, None, skin] - heads[None, :, skin], axis=-1).mean(-1)
    assert apart[~np.eye(12, dtype=bool)].min() > 1.8


def test_heads_have_the_size_of_heads_and_stand_upright(face: FaceModel):
    for name in face.identities:
        left, right = face.people[name].eye_centers
        assert 50 < left[0] - right[0] < 70
        np.testing.assert_allclose((left + right) / 2, 0, atol=1e-3)
        skin = face.neutral(name)[face.part == PART_NAMES.index("skin")]
        assert skin[:, 2].argmax() in np.flatnonzero(np.abs(skin[:, 0]) < 3), "the nose is in front"
        assert 80 < skin[:, 1].max() < 160 and 190 < np.ptp(skin[:, 0]) < 300


def test_unknown_identity_is_refused_with_the_nearest_name(face: FaceModel):
    with pytest.raises(InputError, match=r"'klara'.*did you mean 'clara'.*victor"):
        face.neutral("klara")
    with pytest.raises(InputError, match="'mei'"):
        face.texture("Mei")


def test_missing_face_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"rig\.npz"):
        FaceModel.load(tmp_path)


def test_no_weights_no_motion(face: FaceModel):
    still = face.vertices(np.zeros((2, 52), np.float32), "mei")
    np.testing.assert_array_equal(still[0], face.neutral("mei"))
    np.testing.assert_array_equal(still[1], still[0])


def test_motion_is_the_same_for_every_identity_and_linear_but_around_closing_lids(face: FaceModel):
    weights = random_weights(3)
    motions = [face.vertices(weights, name) - face.neutral(name) for name in ("noah", "hana")]
    np.testing.assert_allclose(motions[0], motions[1], atol=1e-3)
    half = face.vertices(weights / 2, "noah") - face.neutral("noah")
    far = face.lids.max(0) == 0
    np.testing.assert_allclose(half[:, far], motions[0][:, far] / 2, atol=1e-3)
    weights[:, [ARKIT_INDEX["eyeBlinkLeft"], ARKIT_INDEX["eyeBlinkRight"]]] = 0
    motion = face.vertices(weights, "noah") - face.neutral("noah")
    np.testing.assert_allclose(motion, np.tensordot(weights, face.deltas, 1), atol=1e-3)


def test_gram_measures_masked_motion(face: FaceModel):
    weights = random_weights(1)
    weights[:, [ARKIT_INDEX["eyeBlinkLeft"], ARKIT_INDEX["eyeBlinkRight"]]] = 0
    for mask in (None, face.lower_mask):
        motion = face.vertices(weights, "mei")[0] - face.neutral("mei")
        motion = motion if mask is None else motion * mask[:, None]
        energy = weights[0] @ face.gram(mask) @ weights[0]
        assert energy == pytest.approx(float((motion.astype(np.float64) ** 2).sum()), rel=1e-3)


def test_every_shape_moves_and_sided_ones_move_their_own_side(face: FaceModel):
    x = face.neutral("clara")[:, 0]
    for name, delta in zip(ARKIT_NAMES, face.deltas, strict=True):
        motion = (delta**2).sum(1)
        assert 1.0 < np.sqrt(motion.max()) < 60.0, name
        left, right = motion[x > 2].sum(), motion[x < -2].sum()
        if name.startswith(("mouthLeft", "mouthRight", "jaw")):
            sideways = delta[motion > 0.25 * motion.max(), 0].mean()
            if name.endswith("Left"):
                assert sideways > 1, name
            if name.endswith("Right"):
                assert sideways < -1, name
        elif name.endswith("Left"):
            assert left > 4 * right, name
        elif name.endswith("Right"):
            assert right > 4 * left, name


@pytest.mark.parametrize(
    ("name", "axis", "sign"),
    [
        *(("eyeLookOutLeft", 0, 1), ("eyeLookInLeft", 0, -1), ("eyeLookUpLeft", 1, 1)),
        *(("eyeLookOutRight", 0, -1), ("eyeLookInRight", 0, 1), ("eyeLookDownRight", 1, -1)),
    ],
)
def test_eyes_turn_as_rigid_balls(face: FaceModel, name: str, axis: int, sign: int):
    side = 0 if name.endswith("Left") else 1
    own = face.part == PART_NAMES.index(("eye_left", "eye_right")[side])
    centre = face.people["clara"].eye_centers[side]
    rest = face.neutral("clara")[own] - centre
    turned = face.vertices(pose(**{name: 1.0}), "clara")[0, own] - centre
    pupil = rest[:, 2].argmax()
    assert sign * (turned[pupil] - rest[pupil])[axis] > 3.0
    radius = np.linalg.norm(turned, axis=1)
    np.testing.assert_allclose(radius, np.linalg.norm(rest, axis=1), atol=0.6)


GAZES = [{}, *({f"eyeLook{way}": 1.0} for way in ("Up", "Down", "In", "Out"))]


@pytest.mark.parametrize("other", [*GAZES, {"eyeWide": 1.0}, {"eyeSquint": 1.0}, {"browDown": 1.0}])
def test_lids_meet_at_full_blink_whatever_else_the_face_does(face: FaceModel, other: dict):
    """Along iBUG's four pairs of points on the lids' rims, on everybody."""
    rims = face.keypoints["ibug68"].indices
    upper, lower = rims[[37, 38, 43, 44]], rims[[41, 40, 47, 46]]
    for name in face.identities:
        shut = face.vertices(pose(eyeBlink=1.0, **other), name)[0]
        gap = shut[upper, 1] - shut[lower, 1]
        open_by = face.neutral(name)[upper, 1] - face.neutral(name)[lower, 1]
        assert (open_by > 4.0).all(), name
        assert (np.abs(gap) < 1.0).all(), (name, gap)


def test_masks_are_complementary_one_on_lips_and_zero_on_brows(face: FaceModel):
    np.testing.assert_allclose(face.lower_mask + face.upper_mask, 1, atol=1e-6)
    assert (face.lower_mask[face.region == 0] == 1).all()
    assert (face.lower_mask[face.region == 2] == 0).all()
    band = face.lower_mask[face.region == 1]
    assert band.min() > 0 and band.max() < 1
    by_landmark = face.lower_mask[face.landmark_triangles]  # (468, 3)
    lips, brows, eyes = [0, 13, 14, 17, 61, 291], [70, 105, 107, 336, 334, 300], [33, 133, 362, 263]
    assert (by_landmark[lips] == 1).all()
    assert (by_landmark[brows + eyes] == 0).all()
    cheeks = by_landmark[[205, 425]]
    assert ((cheeks > 0) & (cheeks < 1)).all()


def test_mask_falls_with_distance_in_centimetres(face: FaceModel):
    band = np.flatnonzero(face.region == 1)
    lower = np.flatnonzero(face.region == 0)
    heads = np.stack([face.neutral(name) for name in face.identities])
    for vertex in band[:: len(band) // 20]:
        distance = np.linalg.norm(heads[:, lower] - heads[:, [vertex]], axis=-1).min(1) / 10
        # Masks are laid on the average head; a person's distances differ somewhat.
        assert face.lower_mask[vertex] == pytest.approx(1 / (1 + distance.mean()), abs=0.08)


def test_neutral_lips_are_closed(face: FaceModel):
    for name in face.identities:
        assert -1.0 < face.lip_gap(pose(), name)[0] < 2.5, name


def test_jaw_opens_the_lips_and_mouth_close_keeps_them_shut(face: FaceModel):
    for name in face.identities:
        opening = face.lip_gap(ramp("jawOpen"), name)
        assert (np.diff(opening) > 2.0).all(), name
        shut = face.lip_gap(ramp("jawOpen", "mouthClose"), name)
        assert np.abs(shut - shut[0]).max() < 0.8, name


@pytest.mark.parametrize("name", ["mouthPress", "mouthSmile", "mouthPucker", "mouthDimple"])
def test_shapes_of_a_closed_mouth_keep_it_closed(face: FaceModel, name: str):
    for identity in face.identities:
        gap = face.lip_gap(np.vstack([pose(), pose(**{name: 1.0})]), identity)
        assert gap[1] < gap[0] + 0.3, identity


def test_upper_teeth_stay_and_lower_teeth_follow_the_jaw(face: FaceModel):
    jaw = face.deltas[ARKIT_INDEX["jawOpen"]]
    assert np.abs(jaw[face.part == PART_NAMES.index("teeth_upper")]).max() < 0.01
    assert (jaw[face.part == PART_NAMES.index("teeth_lower"), 1] < -10).all()


def test_lower_lip_reaches_the_upper_teeth_when_rolled_in(face: FaceModel):
    for name in face.identities:
        opening = face.teeth_gap(ramp("jawOpen"), name)
        assert opening[-1] > opening[0] + 15, name
        f = pose(jawOpen=0.08, mouthRollLower=0.6, mouthUpperUp=0.3)
        assert face.teeth_gap(f, name)[0] < 4.0, name


def test_landmarks_lie_on_the_moving_skin(face: FaceModel):
    assert face.landmark_weights.min() > -1e-4
    np.testing.assert_allclose(face.landmark_weights.sum(1), 1, atol=1e-5)
    assert (face.part[face.landmark_triangles] == PART_NAMES.index("skin")).all()
    weights = random_weights(4)
    weights[:, [ARKIT_INDEX["eyeBlinkLeft"], ARKIT_INDEX["eyeBlinkRight"]]] = 0
    corners = face.vertices(weights, "kenji")[:, face.landmark_triangles]
    expected = (corners * face.landmark_weights[..., None]).sum(2)
    np.testing.assert_allclose(face.landmarks(weights, "kenji"), expected, atol=1e-2)
    moved = face.landmarks(weights, "kenji") - face.landmarks(0 * weights, "kenji")
    np.testing.assert_allclose(moved, np.tensordot(weights, face.landmark_deltas(), 1), atol=1e-2)


def test_render_mesh_is_the_mesh_with_seams_split(face: FaceModel):
    np.testing.assert_array_equal(face.render_source[face.render_faces], face.faces)
    assert len(np.unique(np.c_[face.render_source, face.render_uv], axis=0)) == len(
        face.render_source
    )
    assert face.render_uv.min() >= 0 and face.render_uv.max() <= 1
    corners = face.neutral("mei")[face.faces]
    area = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    assert (area > 0).mean() > 0.995


def test_lines_deepen_with_what_folds_the_skin_there_and_with_age(face: FaceModel):
    still = face.wrinkling(pose(), "noah")
    assert still.shape == (1, len(face.part), 2) and not still.any()
    frown = face.wrinkling(pose(browDown=1.0), "noah")[0]
    between = np.linalg.norm(face.neutral("noah") - [0, 15, 35], axis=1) < 12
    assert frown[between].max() > 0.5 and frown[face.neutral("noah")[:, 1] < -60].max() == 0
    old = face.wrinkling(pose(browDown=1.0), "ingrid")[0]
    assert old.max() > 1.5 * frown.max()
    left = face.wrinkling(pose(mouthSmileLeft=1.0), "noah")[0].max(1) > 0.05
    x = face.neutral("noah")[:, 0]
    assert left[x > 10].any() and not left[x < -10].any()


def test_hair_stands_on_the_scalp_of_whoever_wears_it(face: FaceModel):
    worn = {name: hair for name in face.identities if (hair := face.hair(name)) is not None}
    assert len(worn) >= 8
    for name, hair in worn.items():
        strands = hair.style.worn(face.neutral(name))
        skin = face.neutral(name)[face.part == PART_NAMES.index("skin")]
        away = KDTree(skin).query(strands)[0]
        assert np.percentile(away, 20) < 15, name
        picture = hair.texture()
        assert picture.mode == "RGBA" and picture.size == (512, 512)


def test_a_face_has_at_most_twenty_thousand_vertices(face: FaceModel):
    assert len(face.part) <= 20_000
