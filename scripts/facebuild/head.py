"""The rig under construction: scans on our topology, neutrals, eyes and teeth in their places."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import KDTree

from facebuild import ict, shapes
from facebuild.ict import BadSourceError, Scans
from facebuild.people import Person
from facebuild.topology import (
    EYE_LEFT,
    EYE_RIGHT,
    GUMS,
    LASHES,
    TEARS,
    TEETH_LOWER,
    TEETH_UPPER,
    TONGUE,
    Topology,
    cut,
    sphere,
)
from kmspeaker.face.interpolation import smoothstep
from kmspeaker.face.rig import ARKIT_NAMES

INNER_LIPS = (60, 61, 62, 63, 64, 65, 66, 67)
"""Of iBUG's points."""
DEEPEST, FOREMOST = -2.5, 0.5
"""How far teeth may move back and forward to stay behind the lips, mm."""
TONGUE_SCALE, TONGUE_SHIFT = (0.92, 0.75, 0.95), (0.0, -5.0, -3.0)
"""How the tongue is flattened and laid down and back; the scans' fills an open mouth."""
APART = 0.05
"""mm by which two vertices of different parts differ at least."""
EYES_OPEN = 0.55
"""How much wider than the scans' the eyes rest open, as a share of the scanned eyeWide."""
OWN_MODES = range(2, 60)
"""Modes that draw a person's own features; the first two are size and sex."""


@dataclass
class Head:
    """Arrays over vertices V, mm."""

    topology: Topology
    deltas: np.ndarray  # (52, V, 3)
    average: np.ndarray  # (V, 3)
    neutrals: dict[str, np.ndarray]  # (V, 3)
    eye_centers: dict[str, np.ndarray]  # left, right: (2, 3)
    eye_radius: float
    mirror: np.ndarray  # (V,) the vertex on the other side, or itself on the midline

    @property
    def triangles(self) -> np.ndarray:
        """(T, 3)."""
        return self.topology.triangles

    @property
    def part(self) -> np.ndarray:
        """(V,)."""
        return self.topology.part

    def shape(self, name: str) -> np.ndarray:
        """(V, 3) displacement at weight 1; a view."""
        return self.deltas[ARKIT_NAMES.index(name)]


@dataclass(frozen=True)
class Macros:
    """Macro heads and directions as coefficients of the scans' 100 identity modes."""

    heads: dict[str, np.ndarray]
    directions: dict[str, np.ndarray]

    @classmethod
    def load(cls, path: Path) -> "Macros":
        """Read ``ict_from_macros.npz``.

        Raises:
            BadSourceError: it is not there.
        """
        if not path.is_file():
            raise BadSourceError(f"Got no {path}; it holds the sliders' heads.")
        with np.load(path, allow_pickle=False) as file:
            return cls(
                dict(zip(map(str, file["keys"]), file["coef_diff"], strict=True)),
                dict(zip(map(str, file["dir_names"]), file["dirs"], strict=True)),
            )

    def coefficients(self, person: Person) -> np.ndarray:
        """(100,) of one of the cast."""
        own = np.zeros(ict.MODES)
        drawn = np.random.default_rng(person.seed).normal(0, person.own, len(OWN_MODES))
        own[list(OWN_MODES)] = np.clip(drawn, -2 * person.own, 2 * person.own)
        own += sum(share * self.heads[name] for name, share in person.heads.items())
        return own + sum(share * self.directions[n] for n, share in person.details.items())


def build_head(
    scans: Scans, coefficients: dict[str, np.ndarray], resting: dict[str, dict[str, float]]
) -> Head:
    """Everyone on one topology, before any mend; the origin lies between each one's eyes.

    Args:
        scans: the model.
        coefficients: (100,) identity modes of each.
        resting: shapes of the scans, without a side, that are part of how some look at rest.
    """
    topology = cut(scans)
    modes = np.stack([topology.blend @ mode for mode in scans.modes])
    plain = topology.blend @ scans.neutral
    _lay_tongue_down(plain, topology)
    for side in ("L", "R"):
        plain += EYES_OPEN * (topology.blend @ scans.shapes[f"eyeWide_{side}"])
    balls = {side: shapes.eyeball(scans, topology, side) for side in ("Left", "Right")}
    centres = {side: sphere(scans.neutral[slice(*ict.EYES[side])])[0] for side in balls}
    plain[topology.part == TEARS, 2] -= APART  # else some lie exactly on the lids, as do
    plain[topology.part == LASHES, 2] += APART  # roots of lashes
    neutrals, eyes = {}, {}
    for name, chosen in {"": np.zeros(ict.MODES), **coefficients}.items():
        moved = np.tensordot(chosen, modes, axes=1)
        for shape, share in resting.get(name, {}).items():
            for side in ("L", "R"):
                moved += share * (topology.blend @ scans.shapes[f"{shape}_{side}"])
        _keep_teeth_behind_lips(moved, plain, topology)
        head = plain + moved
        own = []
        for (side, ball), part in zip(balls.items(), (EYE_LEFT, EYE_RIGHT), strict=True):
            centre = centres[side] + moved[topology.part == part].mean(0)
            head[topology.part == part] = centre + ball
            own.append(centre)
        middle = np.mean(own, axis=0)
        neutrals[name], eyes[name] = head - middle, np.array(own) - middle
    average = neutrals.pop("")
    del eyes[""]
    return Head(
        topology=topology,
        deltas=shapes.arkit_shapes(scans, topology),
        average=average,
        neutrals=neutrals,
        eye_centers=eyes,
        eye_radius=sphere(scans.neutral[slice(*ict.EYES["Left"])])[1],
        mirror=_mirror(average, topology.part),
    )


def _lay_tongue_down(plain: np.ndarray, topology: Topology) -> None:
    """Flatten the tongue on the mouth's floor; its root, where the floor is, hardly moves."""
    tongue = topology.part == TONGUE
    own = plain[tongue]
    low, high = np.percentile(own[:, 1], (2, 98))
    raised = smoothstep((own[:, 1] - low) / (0.5 * (high - low)))[:, None]
    middle = np.array([0, low, own[:, 2].mean()])
    laid = (own - middle) * TONGUE_SCALE + middle + TONGUE_SHIFT
    plain[tongue] = own + raised * (laid - own)


def _keep_teeth_behind_lips(moved: np.ndarray, plain: np.ndarray, topology: Topology) -> None:
    """Shift gums, teeth and tongue as one, so that they go where the lips go."""
    lips = moved[topology.index(tuple(ict.IBUG[k] for k in INNER_LIPS))].mean(0)
    inside = np.isin(topology.part, (GUMS, TEETH_UPPER, TEETH_LOWER, TONGUE))
    front = np.isin(topology.part, (TEETH_UPPER, TEETH_LOWER)) & (plain[:, 2] > 93)
    shift = lips - moved[front].mean(0)
    moved[inside] += [0, shift[1], np.clip(shift[2], DEEPEST, FOREMOST)]


def _mirror(head: np.ndarray, part: np.ndarray) -> np.ndarray:
    """The nearest vertex of the same part (the other eye's for an eye) across the midline."""
    other = part.copy()
    other[part == EYE_LEFT], other[part == EYE_RIGHT] = EYE_RIGHT, EYE_LEFT
    keyed = np.c_[head, part.astype(float) * 1000]
    across = np.c_[head * [-1, 1, 1], other.astype(float) * 1000]
    return np.asarray(KDTree(keyed).query(across)[1])
