"""Mends on the finished rig: lips that meet, teeth that sit behind them, lids that close.

MakeHuman's identities leave the lips up to 2 mm apart or pressed into each other and put the teeth
anywhere within 6 mm, and some shapes open a slit that no closed mouth shows. All is measured on the
mesh itself.
"""

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import KDTree

from facebuild import atlas
from facebuild.canvas import vertex_normals
from facebuild.coarse import SKIN, TEETH_LOWER, TEETH_UPPER, TONGUE
from facebuild.regions import Landmarks
from facebuild.rig import Rig, shown_in
from kmspeaker.face.rig import ARKIT_NAMES

CLOSED_SHAPES = (
    *("mouthPressLeft", "mouthPressRight", "mouthDimpleLeft", "mouthDimpleRight"),
    *("mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight"),
    *("mouthPucker", "mouthLeft", "mouthRight", "mouthRollLower", "mouthRollUpper"),
    *("mouthShrugLower", "mouthShrugUpper", "cheekPuff"),
)
"""Shapes under which a closed mouth stays closed."""
OVERLAP = 0.12  # how deep meeting lips sink into each other, mm
REACH = 8.0  # within about this distance of the lips the skin moves along, mm
AROUND = 14.0  # the skin beyond the lips begins so far from the rim, mm
STRETCHING = {"mouthSmile": 1.0, "mouthFunnel": 1.0, "mouthStretch": 1.0, "mouthDimple": 1.0}
SHRINK, MOST_SHRINKS = 0.96, 6
NEAR = 9.0  # lips reach this far from the rim of the mouth, mm
LID_CLOSURE = 1.03  # the lids are thicker than their rims: this much travel closes them
LANDMARKS_APART = 0.9  # most between the inner lips' landmarks at rest, mm
TAPER = 3.0  # beyond the corners the mend fades over this, mm
STEP = 1.25  # sampling of the line between the lips, mm


class Lips:
    """The line where the lips meet, and the field that closes a gap along it.

    Everything is laid out on the average head at rest, so it follows the skin through every shape.
    """

    def __init__(self, rig: Rig) -> None:
        head, x = rig.average, rig.average[:, 0]
        # In the texture the mouth is a hole of the head's patch, its rim shared with the cavity's.
        rim = np.intersect1d(shown_in(rig, atlas.HEAD), shown_in(rig, atlas.CAVITY))
        place = np.full((len(head), 2), np.nan)
        place[rig.triangles] = rig.uv
        outside = np.zeros(len(head), bool)
        outside[shown_in(rig, atlas.HEAD)] = True
        for triangle, uv in zip(rig.triangles, rig.uv, strict=True):
            if (uv[:, 1] > atlas.HEAD[1]).all():
                place[triangle] = uv
        end = rim[place[rim, 0].argmin()]
        ends = np.array([end, rig.mirror[end]])
        half = np.abs(head[end, 0])
        upper = place[:, 1] > place[ends, 1].mean()
        self.around = np.flatnonzero(outside & (KDTree(head[rim]).query(head)[0] > AROUND))
        near = outside & (KDTree(head[rim]).query(head)[0] < NEAR)
        places = np.linspace(1 - half, half - 1, int(2 * half / STEP))
        self._upper = [_crossing(rig, near & upper, at) for at in places]
        self._lower = [_crossing(rig, near & ~upper, at) for at in places]
        jaw = rig.shape("jawOpen")[:, 1]
        across = np.clip(np.abs(x) / half, 0, 1)
        upper = jaw > jaw[rim].min() / 2 * (1 - across) + jaw[ends].mean() * across
        front = head[rim, 2].min() - 3
        skin = rig.part == SKIN
        line = np.interp(x, places, np.mean(self._rims(head), axis=0))
        distance = np.hypot(head[:, 1] - line, np.maximum(0, np.abs(x) - half))
        into_cavity = np.clip((head[:, 2] - front + 8) / 8, 0, 1)
        self._share = np.where(upper, -0.4, 0.6) * np.exp(-((distance / REACH) ** 2))
        self._share *= skin * into_cavity
        fading = np.r_[-half - TAPER, places, half + TAPER]
        hats = np.eye(len(fading))[1:-1]
        self._along = np.stack([np.interp(x, fading, hat) for hat in hats], 1)

    def gap(self, head: np.ndarray) -> np.ndarray:
        """Gap along the mouth from right to left, mm; below zero where the lips overlap."""
        low, high = self._rims(head)
        return low - high

    def closing(self, head: np.ndarray, keep_overlap: float = 1.5) -> np.ndarray:
        """(V, 3) displacement towards lips of ``head`` that meet; apply a few times."""
        gap = self.gap(head)
        amount = gaussian_filter1d(gap - np.clip(gap, -keep_overlap, -OVERLAP), 1.0)
        moved = np.zeros_like(head)
        moved[:, 1] = self._share * (self._along @ amount)
        return moved

    def pressing(self, amount: float, head: np.ndarray) -> np.ndarray:
        """(V, 3) displacement that moves the lips of ``head`` together by ``amount``, mm."""
        moved = np.zeros_like(head)
        moved[:, 1] = amount * self._share * self._along.sum(1)
        return moved

    def _rims(self, head: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lowest points of the upper lip and highest ones of the lower."""
        low = [(share * head[pairs, 1]).sum(1).min() for pairs, share in self._upper]
        high = [(share * head[pairs, 1]).sum(1).max() for pairs, share in self._lower]
        return np.array(low), np.array(high)


def _crossing(rig: Rig, own: np.ndarray, at: float) -> tuple[np.ndarray, np.ndarray]:
    """Where edges between ``own`` vertices cross the plane x = ``at``: ends and their shares."""
    inside = rig.triangles[own[rig.triangles].all(1)]
    pairs = np.vstack([inside[:, [i, (i + 1) % 3]] for i in range(3)])
    left, right = rig.average[pairs, 0].T
    pairs, left, right = (a[(left - at) * (right - at) < 0] for a in (pairs, left, right))
    share = (at - left) / (right - left)
    return pairs, np.stack([1 - share, share], 1)


def mend_lids(rig: Rig) -> None:
    """Open every identity's eyes so far that its lids just meet at eyeBlink 1."""
    sockets = np.concatenate([shown_in(rig, box) for box in atlas.SOCKETS])
    rim = np.intersect1d(shown_in(rig, atlas.HEAD), sockets)
    for side, sign in (("Left", 1), ("Right", -1)):
        blink = rig.shape(f"eyeBlink{side}")
        for name, head in rig.neutrals.items():
            eye = rig.eye_centers[name][0 if sign > 0 else 1]
            own = rim[np.abs(head[rim, 0] - eye[0]) < 5]
            falls = blink[own, 1] < -3
            upper, lower = own[falls], own[~falls]
            open_by = head[upper, 1].mean() - head[lower, 1].mean()
            travel = blink[lower, 1].mean() - blink[upper, 1].mean()
            head += np.clip(open_by / travel - LID_CLOSURE, -0.12, 0.08) * blink


def mend_mouth(rig: Rig, landmarks: Landmarks) -> None:
    """Close the lips of every identity and of the shapes that keep them closed; seat the teeth."""
    lips = Lips(rig)
    for head in (rig.average, *rig.neutrals.values()):
        for _ in range(3):
            head += lips.closing(head)
        # Thin lips meet in front of mediapipe's inner landmarks: press them a little for those too.
        apart = float(landmarks.gap(head))
        head += lips.pressing(max(0.0, apart - LANDMARKS_APART), head)
    both = rig.average + rig.shape("jawOpen")
    for _ in range(3):
        close = rig.shape("mouthClose")
        close += lips.closing(both + close)
    for name in CLOSED_SHAPES:
        for _ in range(3):
            own = rig.deltas[ARKIT_NAMES.index(name)]
            own += lips.closing(rig.average + own, keep_overlap=9.0)
    _seat_teeth(rig, landmarks, lips)


def _seat_teeth(rig: Rig, landmarks: Landmarks, lips: Lips) -> None:
    """Put teeth and tongue behind the lips, in an arch that no cheek or chin is pressed against."""
    teeth = np.isin(rig.part, (TEETH_UPPER, TEETH_LOWER))
    inside = teeth | (rig.part == TONGUE)
    place = rig.average[teeth].mean(0) - landmarks.inner_lips(rig.average).mean(0)
    for head in rig.neutrals.values():
        wanted = landmarks.inner_lips(head).mean(0) + place
        head[inside] += [0, *(wanted - head[teeth].mean(0))[1:]]
        front = np.array([0, 0, head[teeth, 2].max()])
        for _ in range(MOST_SHRINKS):
            if not _sticks_out(rig, head, teeth, lips):
                break
            head[teeth] = (head[teeth] - front) * [SHRINK, 1, SHRINK] + front - [0, 0, 0.2]


def _sticks_out(rig: Rig, head: np.ndarray, teeth: np.ndarray, lips: Lips) -> bool:
    """Whether teeth or gums come within a millimetre of the outer skin in a wide expression."""
    for name, weight in STRETCHING.items():
        sides = ("Left", "Right") if f"{name}Left" in ARKIT_NAMES else ("",)
        posed = head + weight * sum(rig.shape(name + side) for side in sides)
        normals = vertex_normals(posed, rig.triangles)
        skin = posed[lips.around]
        nearest = lips.around[np.asarray(KDTree(skin).query(posed[teeth])[1])]
        depth = ((posed[nearest] - posed[teeth]) * normals[nearest]).sum(1)
        if depth.min() < 1.0:
            return True
    return False
