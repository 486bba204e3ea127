"""The head cut out of the base mesh: one topology, 52 shared shapes, one neutral per identity."""

from dataclasses import dataclass

import numpy as np
from facebuild.cast import ORIGINS, Person
from facebuild.wheel import Wheel

from kmspeaker.face import ARKIT_NAMES, PART_NAMES

MM = 100.0  # MakeHuman's unit is the decimetre
OLD = 90.0  # age of MakeHuman's "old" targets, years
YOUNG = 25.0


@dataclass
class Rig:
    """Everything on the kept vertices, mm."""

    base_index: np.ndarray  # (V,) vertex of the base mesh
    quads: np.ndarray  # (Q, 4)
    quad_uv: np.ndarray  # (Q, 4) into the base mesh's uv
    quad_part: np.ndarray  # (Q,)
    deltas: np.ndarray  # (52, V, 3)
    average: np.ndarray  # (V, 3)
    neutrals: dict[str, np.ndarray]
    eye_centers: dict[str, np.ndarray]  # left, right: (2, 3)
    eye_radius: float
    mirror: np.ndarray  # (V,)

    @property
    def part(self) -> np.ndarray:
        """(V,) index into ``PART_NAMES``."""
        part = np.zeros(len(self.base_index), np.uint8)
        part[self.quads] = self.quad_part[:, None]
        return part

    def shape(self, name: str) -> np.ndarray:
        """(V, 3) displacement at weight 1."""
        return self.deltas[ARKIT_NAMES.index(name)]


def build_rig(wheel: Wheel, cast: dict[str, Person]) -> Rig:
    """Cut, scale, mend and centre."""
    mesh = wheel.mesh
    shapes = np.stack([wheel.shape(name) for name in ARKIT_NAMES])
    average = mesh.vertices + macro(wheel, female=0.5, origin=dict.fromkeys(ORIGINS, 1 / 3))
    selected = _crop(wheel, average, shapes)
    quads = np.vstack([mesh.quads[s] for s in selected])
    kept = np.unique(quads)
    place = np.full(len(mesh.vertices), -1)
    place[kept] = np.arange(len(kept))
    mirror = place[wheel.mirror()[kept]]
    rig = Rig(
        base_index=kept,
        quads=place[quads],
        quad_uv=np.vstack([mesh.quad_uv[s] for s in selected]),
        quad_part=np.repeat(np.arange(len(selected)), [s.sum() for s in selected]),
        deltas=shapes[:, kept] * MM,
        average=average[kept] * MM,
        neutrals={
            name: (mesh.vertices + identity(wheel, person))[kept] * MM
            for name, person in cast.items()
        },
        eye_centers={},
        eye_radius=0.0,
        mirror=mirror,
    )
    _mend(rig)
    _centre(rig)
    return rig


def macro(
    wheel: Wheel,
    *,
    female: float,
    origin: dict[str, float],
    age: float = YOUNG,
    weight: float = 0.0,
) -> np.ndarray:
    """MakeHuman's macro targets: sex, origin (sums to 1), age in years, weight in [-1, 1]."""
    old = np.clip((age - YOUNG) / (OLD - YOUNG), 0, 1)
    moved = np.zeros_like(wheel.mesh.vertices)
    body = "maxweight" if weight > 0 else "minweight"
    for sex, sex_share in (("female", female), ("male", 1 - female)):
        for years, age_share in (("young", 1 - old), ("old", old)):
            if sex_share * age_share == 0:
                continue
            build = f"macrodetails/universal-{sex}-{years}-averagemuscle"
            part = (1 - abs(weight)) * wheel.target(f"{build}-averageweight")
            if weight:
                part += abs(weight) * wheel.target(f"{build}-{body}")
            for name, share in origin.items():
                part += share * wheel.target(f"macrodetails/{name}-{sex}-{years}")
            moved += sex_share * age_share * part
    return moved


def identity(wheel: Wheel, person: Person) -> np.ndarray:
    """One person's displacement of the base mesh, dm."""
    moved = macro(
        wheel,
        female=person.female,
        origin=person.blend,
        age=person.age,
        weight=person.weight,
    )
    for name, amount in person.details.items():
        if name.split("/")[0] in ("eyes", "ears", "cheek"):
            folder, target = name.split("/")
            moved += amount * sum(wheel.target(f"{folder}/{side}-{target}") for side in "lr")
        else:
            moved += amount * wheel.target(name)
    return moved


def _crop(wheel: Wheel, average: np.ndarray, shapes: np.ndarray) -> list[np.ndarray]:
    """Which quads belong to each part, decided once on the average person."""
    mesh = wheel.mesh
    centre = average[mesh.quads].mean(1)
    jaw = np.abs(shapes[ARKIT_NAMES.index("jawOpen")]).max(1) > 0
    jaw[13380:] = False  # helper geometry (teeth, tongue, clothes) follows the 13,380 body vertices
    chin = average[jaw, 1].min()
    skin = (mesh.group == "body") & (centre[:, 1] > chin - 0.55) & (np.abs(centre[:, 0]) < 1.05)
    chosen = {
        "skin": skin,
        "teeth_upper": mesh.group == "helper-upper-teeth",
        "teeth_lower": mesh.group == "helper-lower-teeth",
        "tongue": mesh.group == "helper-tongue",
        "eye_left": mesh.group == "helper-l-eye",
        "eye_right": mesh.group == "helper-r-eye",
        "lashes": np.char.find(mesh.group, "eyelashes") >= 0,
    }
    return [chosen[name] for name in PART_NAMES]


def _mend(rig: Rig) -> None:
    """What the source data gets wrong, judged by eye (docs/face.md)."""
    part = rig.part
    for side in ("Left", "Right"):
        rig.deltas[ARKIT_NAMES.index(f"eyeBlink{side}")] *= 0.80
    for head in (rig.average, *rig.neutrals.values()):
        head += 0.05 * rig.shape("mouthClose")
        for name, scale, shift in (
            ("tongue", (1, 0.72, 1), (0, -8.5, -7.0)),
            ("teeth_upper", (1, 1.25, 1.02), (0, -3.0, 1.5)),
            ("teeth_lower", (1, 1.15, 1), (0, 1.2, 1.0)),
        ):
            own = part == PART_NAMES.index(name)
            middle = head[own].mean(0)
            head[own] = (head[own] - middle) * scale + middle + shift


def _centre(rig: Rig) -> None:
    """Put the origin midway between the eyeballs and remember where they are."""
    part = rig.part
    for name, head in [("", rig.average), *rig.neutrals.items()]:
        spheres = [
            fit_sphere(head[part == PART_NAMES.index(f"eye_{side}")]) for side in ("left", "right")
        ]
        centres = np.stack([s[0] for s in spheres])
        head -= centres.mean(0)
        if name:
            rig.eye_centers[name] = centres - centres.mean(0)
        else:
            rig.eye_radius = float(np.mean([s[1] for s in spheres]))


def fit_sphere(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre and radius of the sphere closest to ``points`` in the algebraic sense."""
    design = np.c_[2 * points, np.ones(len(points))]
    solved = np.linalg.lstsq(design, (points**2).sum(1), rcond=None)[0]
    return solved[:3], float(np.sqrt(solved[3] + solved[:3] @ solved[:3]))
