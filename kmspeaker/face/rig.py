"""The head: 52 ARKit shapes that every identity shares, and everything fixed on their one topology.

Place in the flow: the lowest stage. Tracking and retargeting read the landmarks, the model reads
keypoints and masks, viewer and export read vertices. Built once by ``scripts/build_face.py`` from
CC0 MakeHuman data; ``docs/face.md`` says how each index and mask was chosen.

Millimetres; y up, z out of the face, +x to the subject's left; the origin lies midway between the
eyeball centres of each identity.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int32, Integer, UInt8

from kmspeaker.assets import ASSETS
from kmspeaker.errors import InputError
from kmspeaker.face.hair import Hair
from kmspeaker.face.identities import Identity, find_identity, read_identities
from kmspeaker.face.landmarks import INNER_LOWER_LIP, INNER_UPPER_LIP
from kmspeaker.face.wrinkles import LAYERS, fold_causes, fold_layers

ARKIT_NAMES: tuple[str, ...] = (
    *("eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft"),
    *("eyeSquintLeft", "eyeWideLeft"),
    *("eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight"),
    *("eyeSquintRight", "eyeWideRight"),
    *("jawForward", "jawRight", "jawLeft", "jawOpen"),
    *("mouthClose", "mouthFunnel", "mouthPucker", "mouthRight", "mouthLeft"),
    *("mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight"),
    *("mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight"),
    *("mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
    *("mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight"),
    *("mouthUpperUpLeft", "mouthUpperUpRight"),
    *("browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    *("cheekPuff", "cheekSquintLeft", "cheekSquintRight"),
    *("noseSneerLeft", "noseSneerRight", "tongueOut"),
)
"""The 52 shapes in the order of ARKit and of Live Link Face files."""
ARKIT_INDEX: Mapping[str, int] = MappingProxyType({n: i for i, n in enumerate(ARKIT_NAMES)})
UPPER_SHAPES = np.array(
    [n.startswith(("eye", "brow", "cheekSquint", "noseSneer")) for n in ARKIT_NAMES]
)
"""True for shapes of the upper face: they move more in M_upper than in M_lower, but for sneers,
which lift the upper lip with the nose."""
PART_NAMES = (
    *("skin", "gums", "teeth_upper", "teeth_lower", "tongue"),
    *("eye_left", "eye_right", "tears", "lashes"),
)
"""What ``FaceModel.part`` counts."""

_BLINKS = (ARKIT_INDEX["eyeBlinkLeft"], ARKIT_INDEX["eyeBlinkRight"])
_FOLD_CAUSES = fold_causes(ARKIT_NAMES)
_FOLD_LAYERS = np.array(fold_layers())

FACE_FOLDER = ASSETS / "face"
Weights = Float[np.ndarray, "frames 52"]
"""ARKit weights in the order of ``ARKIT_NAMES``, each within [0, 1], one row a frame."""


@dataclass(frozen=True)
class KeypointSet:
    """Vertices that stand for the face's motion."""

    indices: Int32[np.ndarray, " keypoints"]
    upper: Bool[np.ndarray, " keypoints"]
    """True for those the temporal style sees; the global style sees all."""
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.indices)


@dataclass(frozen=True)
class FaceModel:
    """The rig: ``vertices = neutral(identity) + weights @ deltas``, but a closed lid stays closed.

    Around the lids what all other shapes do fades with ``eyeBlink``, so that lids that meet do so
    wherever the eye looks. All else is linear, and what the model works on is linear everywhere.
    """

    deltas: Float32[np.ndarray, "52 vertices 3"]
    """Displacement of each vertex at weight 1, mm, the same for every identity."""
    faces: Int32[np.ndarray, "faces 3"]
    part: UInt8[np.ndarray, " vertices"]
    """Index into ``PART_NAMES``."""
    lower_mask: Float32[np.ndarray, " vertices"]
    """M_lower of the paper's App. B.3 (beta 1, centimetres)."""
    upper_mask: Float32[np.ndarray, " vertices"]
    """1 - ``lower_mask``."""
    region: UInt8[np.ndarray, " vertices"]
    """``landmarks.R_LOWER``, ``BAND`` or ``R_UPPER``."""
    render_source: Int32[np.ndarray, " render_vertices"]
    """The vertex each render vertex copies: seams are split so that each has one texture place."""
    render_uv: Float32[np.ndarray, "render_vertices 2"]
    """Texture place, origin at the lower left."""
    render_faces: Int32[np.ndarray, "faces 3"]
    landmark_triangles: Int32[np.ndarray, "468 3"]
    landmark_weights: Float32[np.ndarray, "468 3"]
    """Barycentric place of each of mediapipe's landmarks on its triangle of vertices."""
    lids: Float32[np.ndarray, "2 vertices"]
    """1 around the left and the right eye's lids, 0 away from them."""
    fold_masks: Float32[np.ndarray, "folds vertices"]
    """Where each of ``wrinkles.FOLDS`` is, 0 to 1."""
    keypoints: Mapping[str, KeypointSet]
    """``ours`` (55, of them 47 upper), ``ibug68`` and ``dense``."""
    people: Mapping[str, Identity]
    """Who can wear the motion, by name."""
    eye_radius: float
    incisor_edge: Int32[np.ndarray, " edge"]
    """Vertices along the cutting edge of the upper front teeth."""
    lower_lip_rim: Int32[np.ndarray, " rim"]
    """Vertices on the middle of the lower lip that may touch that edge."""
    folder: Path
    """Where it was read from; ``heads.sliders`` and the renderer find their data there."""

    @classmethod
    def load(cls, folder: Path | None = None) -> "FaceModel":
        """Read the rig that ``scripts/build_face.py`` wrote.

        Args:
            folder: Where ``rig.npz``, ``identities.json`` and ``textures/`` lie; the bundled face
                when not given.

        Raises:
            InputError: A file is missing.
        """
        folder = FACE_FOLDER if folder is None else folder
        if not (folder / "rig.npz").is_file():
            raise InputError(f"Got no face in {folder}; it needs rig.npz, reinstall the program.")
        with np.load(folder / "rig.npz", allow_pickle=False) as file:
            rig = {name: file[name] for name in file.files}
        return cls(
            deltas=_dense(rig, len(rig["part"])),
            faces=rig["faces"],
            part=rig["part"],
            lower_mask=rig["lower_mask"],
            upper_mask=1 - rig["lower_mask"],
            region=rig["region"],
            render_source=rig["render_source"],
            render_uv=rig["render_uv"],
            render_faces=rig["render_faces"],
            landmark_triangles=rig["landmark_triangles"],
            landmark_weights=rig["landmark_weights"],
            lids=rig["lids"].astype(np.float32) / 255,
            fold_masks=rig["fold_masks"].astype(np.float32) / 255,
            keypoints={
                name: KeypointSet(
                    rig[f"{name}_indices"],
                    rig[f"{name}_upper"],
                    tuple(str(n) for n in rig[f"{name}_names"]),
                )
                for name in ("ours", "ibug68", "dense")
            },
            people=read_identities(folder, rig),
            eye_radius=float(rig["eye_radius"]),
            incisor_edge=rig["incisor_edge"],
            lower_lip_rim=rig["lower_lip_rim"],
            folder=folder,
        )

    @property
    def identities(self) -> tuple[str, ...]:
        """Every identity's name."""
        return tuple(self.people)

    def neutral(self, identity: str) -> Float32[np.ndarray, "vertices 3"]:
        """The face at rest.

        Raises:
            InputError: There is no such identity.
        """
        return find_identity(self.people, identity).neutral

    def texture(self, identity: str) -> Path:
        """The identity's colours, a picture for ``render_uv``.

        Raises:
            InputError: There is no such identity.
        """
        return find_identity(self.people, identity).texture

    def credit(self, identity: str) -> str:
        """Whose head it is, and its licence.

        Raises:
            InputError: There is no such identity.
        """
        return find_identity(self.people, identity).credit

    def with_identity(
        self,
        name: str,
        neutral: Float32[np.ndarray, "vertices 3"],
        *,
        like: str | None = None,
        texture: Path | None = None,
        description: str = "own face",
        credit: str = "provided by the user",
    ) -> "FaceModel":
        """This face with one more identity; this one stays as it is.

        Args:
            name: what to call it; takes the place of one that was added under the same name.
            neutral: the face at rest, mm, on this topology.
            like: whose skin, hair and lines it has; the most similar identity's where None.
            texture: a picture for ``render_uv`` instead of that skin.
            description: for lists of people.
            credit: whose head it is, and its licence.

        Raises:
            InputError: a bundled identity has the name, or ``neutral`` is no face of this topology.
        """
        if name in self.people and self.people[name].bundled:
            raise InputError(f"Got the name {name!r}, which a bundled head has; choose another.")
        if neutral.shape != self.deltas.shape[1:] or not np.isfinite(neutral).all():
            raise InputError(
                f"Got a face of shape {neutral.shape}; it needs {self.deltas.shape[1:]} finite "
                "numbers, one row a vertex of the rig."
            )
        like_whom = self.people[self.most_similar(neutral) if like is None else like]
        eyes = []
        for eye, centre in zip(("eye_left", "eye_right"), like_whom.eye_centers, strict=True):
            ball = self.part == PART_NAMES.index(eye)
            own, theirs = neutral[ball], like_whom.neutral[ball]
            size = np.std(own, axis=0).sum() / np.std(theirs, axis=0).sum()
            eyes.append(own.mean(0) + size * (centre - theirs.mean(0)))
        own = replace(
            like_whom,
            neutral=neutral,
            eye_centers=np.stack(eyes),
            texture=like_whom.texture if texture is None else texture,
            description=description,
            credit=credit,
            bundled=False,
        )
        return replace(self, people={**self.people, name: own})

    def most_similar(self, neutral: Float32[np.ndarray, "vertices 3"]) -> str:
        """The bundled identity whose skin comes closest to a face at rest."""
        skin = self.part == PART_NAMES.index("skin")
        bundled = {name: one.neutral for name, one in self.people.items() if one.bundled}
        return min(bundled, key=lambda name: float(((bundled[name] - neutral)[skin] ** 2).sum()))

    def vertices(self, weights: Weights, identity: str) -> Float32[np.ndarray, "frames vertices 3"]:
        """The moving face, mm."""
        moved = _combine(weights, self.deltas)
        for shape, mask, lid in zip(_BLINKS, self.lids, self._lid_vertices, strict=True):
            closed = weights[:, shape, None, None].astype(np.float32)
            others = moved[:, lid] - closed * self.deltas[shape, lid]
            moved[:, lid] -= closed * mask[lid, None] * others
        return moved + self.neutral(identity)

    def wrinkling(
        self, weights: Weights, identity: str
    ) -> Float32[np.ndarray, "frames vertices layers"]:
        """How deep the lines of each of ``wrinkles.LAYERS`` are at each vertex, 1 for a young skin.

        Raises:
            InputError: There is no such identity.
        """
        folding = find_identity(self.people, identity).folding
        depth = np.clip(weights.astype(np.float32) @ _FOLD_CAUSES.T, 0, 1)
        layers = [
            np.clip(depth[:, layer == _FOLD_LAYERS] @ self.fold_masks[layer == _FOLD_LAYERS], 0, 1)
            for layer in range(LAYERS)
        ]
        return folding * np.stack(layers, axis=2)

    def hair(self, identity: str) -> Hair | None:
        """What the identity wears on the head.

        Raises:
            InputError: There is no such identity, or the hair's file is missing.
        """
        return find_identity(self.people, identity).hair

    def landmarks(self, weights: Weights, identity: str) -> Float32[np.ndarray, "frames 468 3"]:
        """Mediapipe's 468 landmarks on the moving face, mm."""
        at_rest = self._at_landmarks(self.neutral(identity)[None])
        return _combine(weights, self._landmark_deltas) + at_rest

    def landmark_deltas(self) -> Float32[np.ndarray, "52 468 3"]:
        """How each shape moves the landmarks at weight 1, mm."""
        return self._landmark_deltas

    def gram(
        self, mask: Float[np.ndarray, " vertices"] | None = None
    ) -> Float64[np.ndarray, "52 52"]:
        """Inner products of the shapes, mm²: ``w @ gram @ w`` is the squared motion of ``w``.

        Args:
            mask: Multiplies each vertex's motion before it is squared (paper Sec. 3.2).
        """
        deltas = self.deltas if mask is None else self.deltas * mask[:, None].astype(np.float32)
        flat = deltas.reshape(len(deltas), -1).astype(np.float64)
        return flat @ flat.T

    def lip_gap(self, weights: Weights, identity: str) -> Float32[np.ndarray, " frames"]:
        """How far the inner lips are open on the midline, mm; below zero where they press."""
        lips = [INNER_UPPER_LIP, INNER_LOWER_LIP]
        at_rest = self._at_landmarks(self.neutral(identity)[None])[0, lips, 1]
        height = weights.astype(np.float32) @ self._landmark_deltas[:, lips, 1] + at_rest
        return height[:, 0] - height[:, 1]

    @cached_property
    def lip_opening(self) -> Float32[np.ndarray, " 52"]:
        """How far each shape at weight 1 opens the lips on the midline, mm; the same on any head.

        ``weights @ face.lip_opening`` is zero where the lips are as in the neutral face.
        """
        deltas = self._landmark_deltas
        return deltas[:, INNER_UPPER_LIP, 1] - deltas[:, INNER_LOWER_LIP, 1]

    def teeth_gap(self, weights: Weights, identity: str) -> Float32[np.ndarray, " frames"]:
        """From the lower lip to the edge of the upper front teeth, mm (closed for f and v)."""
        neutral = self.neutral(identity)
        edge, lip = (
            _combine(weights, self.deltas[:, indices]) + neutral[indices]
            for indices in (self.incisor_edge, self.lower_lip_rim)
        )
        apart = np.linalg.norm(edge[:, :, None] - lip[:, None], axis=-1)
        return apart.min(axis=(1, 2))

    @cached_property
    def _lid_vertices(self) -> tuple[Integer[np.ndarray, " left"], Integer[np.ndarray, " right"]]:
        left, right = (np.flatnonzero(mask) for mask in self.lids)
        return left, right

    @cached_property
    def _landmark_deltas(self) -> Float32[np.ndarray, "52 468 3"]:
        return self._at_landmarks(self.deltas)

    def _at_landmarks(
        self, field: Float32[np.ndarray, "frames vertices 3"]
    ) -> Float32[np.ndarray, "frames 468 3"]:
        return np.einsum("lc,flcx->flx", self.landmark_weights, field[:, self.landmark_triangles])


def without_side(name: str) -> str:
    """A shape's name for both sides; left and right of jaw and mouth are shapes of their own."""
    if name in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
        return name
    return name.removesuffix("Left").removesuffix("Right")


def _dense(rig: Mapping[str, np.ndarray], vertices: int) -> Float32[np.ndarray, "52 vertices 3"]:
    """The shapes, of which ``rig.npz`` holds only what moves: whole numbers times a scale each."""
    starts = rig["delta_starts"]
    deltas = np.zeros((len(starts) - 1, vertices, 3), np.float32)
    shape = np.repeat(np.arange(len(deltas)), np.diff(starts))
    deltas[shape, rig["delta_vertices"]] = rig["delta_moves"] * rig["delta_scales"][shape, None]
    return deltas


def _combine(
    weights: Weights, deltas: Float32[np.ndarray, "52 points 3"]
) -> Float32[np.ndarray, "frames points 3"]:
    moved = weights.astype(np.float32) @ deltas.reshape(len(deltas), -1)
    return moved.reshape(len(weights), -1, 3)
