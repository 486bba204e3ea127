"""Does the skin crease where the upper and the lower face meet?

A face that follows one motion above and another below may crease in between (paper Fig. 13, which
gives no measure; this one is ours). Measured is the middle band of the masks: how much each edge of
the skin bends and stretches against the neutral face, over the whole band and where it meets the
halves, since the paper's masks jump there (App. B.3). The rival is the paper's Blend, which lays
the performance's upper half over the lower half of an animation. The performances are rule-made.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Float32, Int32, Int64

from kmspeaker.evaluation.bootstrap import median, ratio, significance
from kmspeaker.evaluation.context import EvaluationContext
from kmspeaker.evaluation.localization_pairs import LocalizationPair
from kmspeaker.evaluation.report import Finding, Part, Target
from kmspeaker.face.landmarks import BAND
from kmspeaker.face.rig import PART_NAMES, FaceModel, Weights

SKIN = PART_NAMES.index("skin")
EVERY = 6
"""Every so many frames one is measured: a crease lasts, and all of them would take minutes."""
WITHIN = Target(least=0.9, most=1.1)

CONTESTANTS = ("original", "localized", "blend")

Field = Float32[np.ndarray, "frames vertices 3"]


@dataclass(frozen=True)
class Creases:
    """Root mean squares over edges and frames: a seam is a few edges that bend much."""

    bends: float
    """Degrees."""
    bends_at_borders: float
    stretches: float
    """Share of an edge's length."""
    stretches_at_borders: float


WORDS = {
    "bends": "bends in the band",
    "bends_at_borders": "bends at its borders",
    "stretches": "stretches in the band",
    "stretches_at_borders": "stretches at its borders",
}


@dataclass(frozen=True)
class Seam:
    """Edges of the skin that touch the band, and the two triangles beside each."""

    vertices: Int64[np.ndarray, " seam"]
    """Indices into the face's vertices; all other arrays index into these."""
    edges: Int64[np.ndarray, "edges 2"]
    """Into ``vertices``."""
    tips: Int64[np.ndarray, "edges 2"]
    """The third corner of each edge's two triangles."""
    border: Bool[np.ndarray, " edges"]
    """Whether an edge leads out of the band."""

    @classmethod
    def of(cls, face: FaceModel) -> "Seam":
        """The edges of a face's skin at its middle band."""
        return cls.along(face.faces, (face.region == BAND) & (face.part == SKIN))

    @classmethod
    def along(cls, faces: Int32[np.ndarray, "faces 3"], band: Bool[np.ndarray, " all"]) -> "Seam":
        """The edges that touch vertices of ``band`` and have a triangle on each side."""
        tips: dict[tuple[int, int], list[int]] = {}
        for corners in faces[band[faces].any(axis=1)].tolist():
            for k in range(3):
                a, b, tip = corners[k], corners[(k + 1) % 3], corners[(k + 2) % 3]
                if band[a] or band[b]:
                    tips.setdefault((min(a, b), max(a, b)), []).append(tip)
        inner = [(*edge, *both) for edge, both in tips.items() if len(both) == 2]
        corners_of = np.array(inner, np.int64).reshape(-1, 4)
        vertices, places = np.unique(corners_of, return_inverse=True)
        places = places.reshape(-1, 4)
        border = np.logical_not(band[corners_of[:, :2]].all(axis=1))
        return cls(vertices, places[:, :2], places[:, 2:], border)

    def bends(self, places: Field) -> Float[np.ndarray, "frames edges"]:
        """The angle between the two triangles of each edge, degrees; 0 where they are flat."""
        start, end = (places[:, self.edges[:, k]] for k in (0, 1))
        along = end - start
        one, two = (places[:, self.tips[:, k]] - start for k in (0, 1))
        left, right = _cross(along, one), _cross(two, along)
        length = np.linalg.norm(along, axis=2)
        turn = (_cross(left, right) * along).sum(axis=2) / length
        return np.degrees(np.arctan2(turn, (left * right).sum(axis=2)))

    def lengths(self, places: Field) -> Float[np.ndarray, "frames edges"]:
        """Length of each edge, mm."""
        return np.linalg.norm(places[:, self.edges[:, 1]] - places[:, self.edges[:, 0]], axis=2)

    def creases(self, places: Field, neutral: Float32[np.ndarray, "1 vertices 3"]) -> Creases:
        """Bends and stretches of a moving face against the neutral one."""
        bend = (self.bends(places) - self.bends(neutral) + 180) % 360 - 180
        stretch = self.lengths(places) / self.lengths(neutral) - 1
        return Creases(
            bends=_root_mean_square(bend),
            bends_at_borders=_root_mean_square(bend[:, self.border]),
            stretches=_root_mean_square(stretch),
            stretches_at_borders=_root_mean_square(stretch[:, self.border]),
        )


def measure(context: EvaluationContext, pairs: Sequence[LocalizationPair]) -> Part:
    """Bends and stretches of localized animations and of Blend, over those of the performances."""
    face = context.pipeline.face
    seam = Seam.of(face)
    creases = [_creases(face, seam, pair) for pair in pairs]
    curves = {
        (who, measure.name): np.array([getattr(one[who], measure.name) for one in creases])
        for who in CONTESTANTS
        for measure in fields(Creases)
    }
    rows: list[Finding] = []
    for name, words in WORDS.items():
        original = curves["original", name]
        for who, target in (("localized", WITHIN), ("blend", None)):
            figure = f"{words} over those of the originals{', Blend' * (who == 'blend')}"
            over = ratio(curves[who, name], original)
            rows.append(Finding(figure, over, of="pairs", target=target))
    bent = {who: curves[who, "bends_at_borders"] for who in CONTESTANTS}
    rows += [
        Finding(f"{WORDS['bends_at_borders']}, {who}", median(values), "degrees", "pairs")
        for who, values in bent.items()
    ]
    return Part(
        title="the whole face is coherent: no crease between the halves",
        rule_made=True,
        on=f"the same {len(pairs)} pairs",
        findings=tuple(rows),
        notes=(
            "Root mean square over edges and frames of the change of the angle between "
            "neighbouring triangles, and of the length of edges, against the neutral face; "
            "originals are the performances. Bends at the borders, Blend against ours: "
            f"{significance(bent['blend'], bent['localized'])}.",
        ),
    )


def _creases(face: FaceModel, seam: Seam, pair: LocalizationPair) -> dict[str, Creases]:
    neutral = face.neutral(pair.actor)[None, seam.vertices]
    motions = {
        "original": pair.performance,
        "localized": pair.localized,
        "stylized": pair.stylized,
    }
    moved = {who: offsets(face, motion[::EVERY], seam) for who, motion in motions.items()}
    above = face.upper_mask[seam.vertices, None]
    moved["blend"] = above * moved["original"] + (1 - above) * moved["stylized"]
    return {who: seam.creases(moved[who] + neutral, neutral) for who in CONTESTANTS}


def offsets(face: FaceModel, weights: Weights, seam: Seam) -> Field:
    """Motion of the seam's vertices, mm, (frames, vertices, 3)."""
    deltas = face.deltas[:, seam.vertices]
    return (weights @ deltas.reshape(len(deltas), -1)).reshape(len(weights), -1, 3)


def _cross(one: Field, other: Field) -> Field:
    """``np.cross``, which is four times slower on many short vectors."""
    (a, b, c), (d, e, f) = (np.moveaxis(each, 2, 0) for each in (one, other))
    return np.stack([b * f - c * e, c * d - a * f, a * e - b * d], axis=2)


def _root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt((values**2).mean()))
