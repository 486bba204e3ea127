"""Lips that meet and lids that close: mends of neutrals and shapes along where they touch.

The scans' lips are up to 1.3 mm apart at rest, and people made by the identity modes close their
eyes only to 0.8 to 2.8 mm. All is measured on the mesh itself, along the line between both rims.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import KDTree

from facebuild import ict
from facebuild.head import Head
from facebuild.topology import LASHES, SKIN, TEARS
from kmspeaker.face.interpolation import smoothstep
from kmspeaker.face.rig import ARKIT_NAMES

CLOSED_SHAPES = (
    *("mouthPressLeft", "mouthPressRight", "mouthDimpleLeft", "mouthDimpleRight"),
    *("mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight"),
    *("mouthStretchLeft", "mouthStretchRight", "mouthPucker", "mouthLeft", "mouthRight"),
    *("mouthRollLower", "mouthRollUpper", "mouthShrugLower", "cheekPuff"),
    *("cheekSquintLeft", "cheekSquintRight", "browInnerUp", "jawForward"),
)
"""Shapes under which a closed mouth stays closed."""
STEP = 1.25  # sampling of a line, mm


@dataclass(frozen=True)
class Way:
    """How one kind of seam closes."""

    overlap: tuple[float, float]
    """How deep rims may sink into each other: the least, which is aimed at, and the most."""
    reach: float
    """Within about this distance the skin moves along, mm."""
    near: float
    """Rims reach this far from their line, mm."""
    taper: float
    """Beyond the corners the mend fades over this, mm."""
    shares: tuple[float, float]
    """Parts of a gap that the upper and the lower rim close; they sum to 1."""


LIPS = Way(overlap=(0.12, 1.5), reach=8.0, near=9.0, taper=3.0, shares=(0.4, 0.6))
LIDS = Way(overlap=(0.15, 0.6), reach=5.0, near=4.0, taper=2.0, shares=(0.8, 0.2))


class Seam:
    """The line between two rims, and the field that closes a gap along it.

    Everything is laid out on the average head at rest, so it follows the skin through every shape.

    Args:
        head: the rig.
        rim: skin vertices around the opening.
        upper: (V,) which vertices belong to the upper side.
        moving: (V,) which vertices may move.
        way: how it closes.
    """

    def __init__(
        self, head: Head, rim: np.ndarray, upper: np.ndarray, moving: np.ndarray, way: Way
    ) -> None:
        self._way = way
        rest = head.average
        ends = rest[rim[[rest[rim, 0].argmin(), rest[rim, 0].argmax()]]]
        first, last = ends[:, 0]
        places = np.linspace(first + 1, last - 1, int((last - first) / STEP))
        near = (KDTree(rest[rim]).query(rest)[0] < way.near) & head.topology.between(ict.FACE)
        self._upper = [_crossing(head, near & upper, at) for at in places]
        self._lower = [_crossing(head, near & ~upper, at) for at in places]
        x, y, _ = rest.T
        line = np.interp(x, places, np.mean(self._rims(rest), axis=0))
        beyond = np.maximum(0, np.maximum(first - x, x - last))
        fall = np.exp(-((np.hypot(y - line, beyond) / way.reach) ** 2))
        self._share = np.where(upper, -way.shares[0], way.shares[1]) * fall * moving
        fading = np.r_[first - way.taper, places, last + way.taper]
        hats = np.eye(len(fading))[1:-1]
        self._along = np.stack([np.interp(x, fading, hat) for hat in hats], 1)

    def gap(self, head: np.ndarray) -> np.ndarray:
        """Gap along the line from right to left, mm; below zero where the rims overlap."""
        low, high = self._rims(head)
        return low - high

    def closing(self, head: np.ndarray, most: float | None = None) -> np.ndarray:
        """(V, 3) displacement towards rims of ``head`` that meet; apply a few times."""
        least, usual = self._way.overlap
        gap = self.gap(head)
        amount = gap - np.clip(gap, -(usual if most is None else most), -least)
        moved = np.zeros_like(head)
        moved[:, 1] = self._share * (self._along @ gaussian_filter1d(amount, 0.7))
        return moved

    def _rims(self, head: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lowest points of the upper rim and highest ones of the lower."""
        low = [(share * head[pairs, 1]).sum(1).min() for pairs, share in self._upper]
        high = [(share * head[pairs, 1]).sum(1).max() for pairs, share in self._lower]
        return np.array(low), np.array(high)


def lips_of(head: Head) -> Seam:
    """The line between the lips."""
    rest, topology = head.average, head.topology
    rim = _rim(head, ict.MOUTH_SOCKET)
    inside = topology.between(ict.MOUTH_SOCKET)
    ends = rim[[rest[rim, 0].argmin(), rest[rim, 0].argmax()]]
    half = np.abs(rest[ends, 0]).mean()
    # Above and below the line: what the jaw takes along is below.
    jaw = head.shape("jawOpen")[:, 1]
    across = np.clip(np.abs(rest[:, 0]) / half, 0, 1)
    upper = jaw > jaw[rim].min() / 2 * (1 - across) + jaw[ends].mean() * across
    front = rest[rim, 2].min() - 3
    depth = np.where(inside, np.clip((rest[:, 2] - front + 8) / 8, 0, 1), 1)
    return Seam(head, rim, upper, depth * (head.part == SKIN), LIPS)


def lids_of(head: Head, side: str) -> Seam:
    """The line between an eye's lids."""
    own = np.sign(head.average[:, 0]) == (1 if side == "Left" else -1)
    rim = _rim(head, ict.EYE_SOCKETS)
    rim = rim[own[rim]]
    blink = head.shape(f"eyeBlink{side}")[:, 1]
    eye = head.average[rim].mean(0)
    upper = _above(head, rim, eye, blink)
    moving = own * np.isin(head.part, (SKIN, TEARS, LASHES)) * 1.0
    return Seam(head, rim, upper, moving, LIDS)


def lid_mask(head: Head, side: str) -> np.ndarray:
    """(V,) 1 around an eye's lids, 0 from 11 mm on: where a closed lid heeds no other shape."""
    own = np.sign(head.average[:, 0]) == (1 if side == "Left" else -1)
    rim = _rim(head, ict.EYE_SOCKETS)
    away = KDTree(head.average[rim[own[rim]]]).query(head.average)[0]
    lids = own & np.isin(head.part, (SKIN, TEARS, LASHES))
    return lids * (1 - smoothstep((away - 2.0) / 9.0))


def _above(head: Head, rim: np.ndarray, eye: np.ndarray, blink: np.ndarray) -> np.ndarray:
    """(V,) which vertices lie above the line from the inner to the outer corner of an eye."""
    rest = head.average
    ends = rest[rim[[rest[rim, 0].argmin(), rest[rim, 0].argmax()]]]
    corners = np.interp(rest[:, 0], ends[:, 0], ends[:, 1])
    upper = rest[:, 1] > corners
    falls = blink < 0.45 * blink[rim].min()  # the upper lid's rim, wherever it lies
    near = KDTree(rest[rim]).query(rest)[0] < 3
    return np.where(near & falls, True, upper)


def mend_mouth(head: Head) -> None:
    """Close the lips of every identity and of the shapes that keep them closed."""
    lips = lips_of(head)
    for face in (head.average, *head.neutrals.values()):
        for _ in range(4):
            face += lips.closing(face)
    both = head.average + head.shape("jawOpen")
    for _ in range(4):
        close = head.shape("mouthClose")
        close += lips.closing(both + close, most=0.5)
    for name in CLOSED_SHAPES:
        own = head.deltas[ARKIT_NAMES.index(name)]
        for _ in range(3):
            own += lips.closing(head.average + own, most=9.0)


def mend_lids(head: Head) -> None:
    """A blink that closes the average eye, and neutrals whose lids it closes just as well."""
    for side in ("Left", "Right"):
        lids = lids_of(head, side)
        blink = head.shape(f"eyeBlink{side}")
        for _ in range(8):
            blink += lids.closing(head.average + blink)
        for face in head.neutrals.values():
            for _ in range(8):
                face += lids.closing(face + blink)


def _rim(head: Head, inside: tuple[int, int]) -> np.ndarray:
    """Vertices of the face that share a triangle with a cavity's."""
    face = head.topology.between(ict.FACE)
    within = head.topology.between(inside)
    mixed = head.triangles[face[head.triangles].any(1) & within[head.triangles].any(1)]
    return np.unique(mixed[face[mixed]])


def _crossing(head: Head, own: np.ndarray, at: float) -> tuple[np.ndarray, np.ndarray]:
    """Where edges between ``own`` vertices cross the plane x = ``at``: ends and their shares."""
    inside = head.triangles[own[head.triangles].all(1)]
    pairs = np.vstack([inside[:, [i, (i + 1) % 3]] for i in range(3)])
    left, right = head.average[pairs, 0].T
    pairs, left, right = (a[(left - at) * (right - at) < 0] for a in (pairs, left, right))
    share = (at - left) / (right - left)
    return pairs, np.stack([1 - share, share], 1)
