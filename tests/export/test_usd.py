"""What the USD library makes of our USD: the same head, motion, picture and sound."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from takes import moving_take, turning

from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.animation.controls import Controls
from kmspeaker.export import provenance, save_animation
from kmspeaker.face.hair import OPAQUE
from kmspeaker.face.head_pose import turn_head
from kmspeaker.face.rig import ARKIT_NAMES, FaceModel

Usd, UsdGeom, UsdShade, UsdSkel, UsdValidation = (
    pytest.importorskip(f"pxr.{name}", reason="needs usd-core of requirements-dev.txt")
    for name in ("Usd", "UsdGeom", "UsdShade", "UsdSkel", "UsdValidation")
)


@pytest.fixture(scope="module")
def animation(face: FaceModel) -> FaceAnimation:
    return turning(moving_take(face, frames=20))


@pytest.fixture(scope="module")
def files(animation: FaceAnimation, face: FaceModel, tmp_path_factory) -> tuple[Path, ...]:
    return save_animation(animation, face, tmp_path_factory.mktemp("usd") / "Take 1.usda")


@pytest.fixture(scope="module")
def stage(files: tuple[Path, ...]) -> Any:
    return Usd.Stage.Open(str(files[0]))


def test_no_validator_of_the_library_complains(stage: Any):
    registry = UsdValidation.ValidationRegistry()
    context = UsdValidation.ValidationContext(registry.GetOrLoadAllValidators())
    said = [f"{error.GetName()}: {error.GetMessage()}" for error in context.Validate(stage)]
    assert said == []


def test_a_frame_is_a_time_code_and_the_file_says_who_spoke(stage: Any, animation: FaceAnimation):
    assert stage.GetTimeCodesPerSecond() == animation.fps
    assert (stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (0, len(animation) - 1)
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1
    assert provenance(animation).items() <= stage.GetRootLayer().customLayerData.items()


def test_points_and_topology_are_the_faces(stage: Any, face: FaceModel, animation: FaceAnimation):
    mesh = UsdGeom.Mesh(stage.GetPrimAtPath("/Head/Face"))
    points = 1000 * np.array(mesh.GetPointsAttr().Get())
    np.testing.assert_allclose(points, face.neutral(animation.identity), atol=1e-3)
    corners = np.array(mesh.GetFaceVertexIndicesAttr().Get()).reshape(-1, 3)
    np.testing.assert_array_equal(corners, face.faces)
    places = UsdGeom.PrimvarsAPI(mesh).GetPrimvar("st").ComputeFlattened()
    np.testing.assert_allclose(places, face.render_uv[face.render_faces].reshape(-1, 2), atol=1e-5)


def test_weights_at_every_frame_are_ours(stage: Any, animation: FaceAnimation):
    motion = UsdSkel.Animation(stage.GetPrimAtPath("/Head/Animation"))
    assert tuple(motion.GetBlendShapesAttr().Get()) == ARKIT_NAMES
    weights = motion.GetBlendShapeWeightsAttr()
    assert weights.GetTimeSamples() == list(range(len(animation)))
    for frame, expected in enumerate(animation.weights):
        np.testing.assert_allclose(weights.Get(frame), expected, atol=1e-4)


@pytest.mark.parametrize("frame", [0, 9, 19])
def test_it_plays_the_vertices_of_the_face(
    stage: Any, face: FaceModel, animation: FaceAnimation, frame: int
):
    """As the USD library computes them, from shapes, weights and the turning joint."""
    root = UsdSkel.Root(stage.GetPrimAtPath("/Head"))
    cache = UsdSkel.Cache()
    cache.Populate(root, Usd.TraverseInstanceProxies())
    (binding,) = cache.ComputeSkelBindings(root, Usd.TraverseInstanceProxies())
    skeleton = cache.GetSkelQuery(binding.GetSkeleton())
    skin, hair = sorted(binding.GetSkinningTargets(), key=lambda t: t.GetPrim().GetName())
    assert (skin.GetPrim().GetName(), hair.GetPrim().GetName()) == ("Face", "Hair")
    shapes = UsdSkel.BlendShapeQuery(UsdSkel.BindingAPI(skin.GetPrim()))
    weights = skeleton.GetAnimQuery().ComputeBlendShapeWeights(frame)
    weights = skin.GetBlendShapeMapper().Remap(weights)
    points = UsdGeom.Mesh(skin.GetPrim()).GetPointsAttr().Get()
    assert shapes.ComputeDeformedPoints(
        *shapes.ComputeSubShapeWeights(weights),
        shapes.ComputeBlendShapePointIndices(),
        shapes.ComputeSubShapePointOffsets(),
        points,
    )
    assert skin.ComputeSkinnedPoints(skeleton.ComputeSkinningTransforms(frame), points, frame)
    assert animation.head is not None
    expected = face.vertices(animation.weights[[frame]], animation.identity)[0]
    expected = turn_head(expected, animation.head[frame])
    off = np.linalg.norm(1000 * np.array(points) - expected, axis=1)
    # Shapes leave out what they hardly move; around closing lids a file is linear, the face is not.
    assert off[face.lids.max(0) == 0].max() < 0.05 * animation.weights[frame].sum() + 2e-3
    assert off.max() < 2


def test_every_face_has_one_material_with_the_texture_beside_the_file(
    stage: Any, face: FaceModel, files: tuple[Path, ...], animation: FaceAnimation
):
    mesh = UsdGeom.Imageable(stage.GetPrimAtPath("/Head/Face"))
    subsets = UsdShade.MaterialBindingAPI(mesh).GetMaterialBindSubsets()
    faces = np.concatenate([subset.GetIndicesAttr().Get() for subset in subsets])
    np.testing.assert_array_equal(np.sort(faces), np.arange(len(face.faces)))
    for subset in subsets:
        material, _ = UsdShade.MaterialBindingAPI(subset).ComputeBoundMaterial()
        source, _, _ = material.ComputeSurfaceSource()
        picture, *_ = source.GetInput("diffuseColor").GetConnectedSource()
        path = Path(picture.GetPrim().GetAttribute("inputs:file").Get().resolvedPath)
        assert path == files[1]
    assert files[1].read_bytes() == face.texture(animation.identity).read_bytes()


def test_hair_is_cut_out_of_its_picture_and_turns_with_the_head(
    stage: Any, face: FaceModel, files: tuple[Path, ...], animation: FaceAnimation
):
    hair = face.hair(animation.identity)
    assert hair is not None
    mesh = UsdGeom.Mesh(stage.GetPrimAtPath("/Head/Hair"))
    worn = hair.style.worn(face.neutral(animation.identity))
    np.testing.assert_allclose(1000 * np.array(mesh.GetPointsAttr().Get()), worn, atol=1e-3)
    corners = np.array(mesh.GetFaceVertexIndicesAttr().Get()).reshape(-1, 3)
    np.testing.assert_array_equal(corners, hair.style.faces)
    binding = UsdSkel.BindingAPI(mesh.GetPrim())
    assert [str(path) for path in binding.GetSkeletonRel().GetTargets()] == ["/Head/Skeleton"]
    material, _ = UsdShade.MaterialBindingAPI(mesh).ComputeBoundMaterial()
    source, _, _ = material.ComputeSurfaceSource()
    assert source.GetInput("opacityThreshold").Get() == pytest.approx(OPAQUE)
    for name, channel in (("diffuseColor", "rgb"), ("opacity", "a")):
        picture, output, _ = source.GetInput(name).GetConnectedSource()
        assert output == channel
        path = Path(picture.GetPrim().GetAttribute("inputs:file").Get().resolvedPath)
        assert path == files[3] and path.name == "Take 1.hair.png"
    seen, own = (np.asarray(each.convert("RGBA")) for each in (Image.open(path), hair.texture()))
    np.testing.assert_array_equal(seen, own)


def test_the_sound_starts_with_the_motion(stage: Any, files: tuple[Path, ...]):
    speech = stage.GetPrimAtPath("/Head/Speech")
    assert speech.GetTypeName() == "SpatialAudio"
    assert Path(speech.GetAttribute("filePath").Get().resolvedPath) == files[2]
    assert speech.GetAttribute("startTime").Get() == 0


def test_names_and_controls_that_need_quotes_and_a_still_head(
    face: FaceModel, animation: FaceAnimation, tmp_path: Path
):
    odd = replace(
        animation,
        head=None,
        model='mine "2" \\ ünï@0',
        controls=Controls(style_strength=1.5, fit="hold"),
    )
    path, *_ = save_animation(odd, face, tmp_path / "take @ 'noon' #1.usda")
    stage = Usd.Stage.Open(str(path))
    assert provenance(odd).items() <= stage.GetRootLayer().customLayerData.items()
    sound = stage.GetPrimAtPath("/Head/Speech").GetAttribute("filePath").Get()
    assert Path(sound.resolvedPath) == path.with_suffix(".wav")
    motion = UsdSkel.Animation(stage.GetPrimAtPath("/Head/Animation"))
    assert not motion.GetRotationsAttr().ValueMightBeTimeVarying()
