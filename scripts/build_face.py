"""Build ``assets/face``: ``build_face.py SOURCE LOOKS``.

SOURCE is a checkout of github.com/ICT-VGL/ICT-FaceKit (commit da5f95a) or ``ict_facekit.npz``
packed of it; LOOKS the folder of skins, brows, eyes, hair and macro heads that belong to it.
``docs/face.md`` says what each step does. Landmarks are measured on what this builds: after a
change of the mesh run ``build_landmarks.py`` and then this again.
"""

import argparse
import json
import sys
from pathlib import Path

import build_occlusion
import numpy as np
from facebuild import corners, hair, ict, places, seams, skins, wrinkles
from facebuild.head import Head, Macros, build_head
from facebuild.ict import BadSourceError, Scans
from facebuild.people import CAST, Person

from kmspeaker.face.identities import NEUTRAL_STEPS
from kmspeaker.face.rig import ARKIT_NAMES, FACE_FOLDER

SMALLEST_MOVE = 0.02  # mm at weight 1; what moves less is left out
FOLDING = ((18, 35, 65), (0.75, 1.0, 1.5))  # depth of lines by age


def main() -> None:
    parser = argparse.ArgumentParser(description="Build assets/face from ICT-FaceKit.")
    parser.add_argument("source", type=Path)
    parser.add_argument("looks", type=Path)
    parser.add_argument("--out", type=Path, default=FACE_FOLDER)
    parser.add_argument("--keep-light", action="store_true", help="do not measure occlusion anew")
    options = parser.parse_args()
    try:
        build(options.source, options.looks, options.out, keep_light=options.keep_light)
    except BadSourceError as error:
        sys.exit(str(error))


def build(source: Path, looks: Path, out: Path, *, keep_light: bool = False) -> None:
    """Write everything.

    Raises:
        BadSourceError: something of ``source`` or ``looks`` is missing or altered.
    """
    scans = ict.read_scans(source)
    macros = Macros.load(looks / "ict_from_macros.npz")
    people = {name: macros.coefficients(person) for name, person in CAST.items()}
    resting = {name: person.resting for name, person in CAST.items()}
    head = build_head(scans, people | corners.coefficients(macros), resting)
    seams.mend_mouth(head)
    seams.mend_lids(head)
    heads_of_sliders = corners.take_out(head)
    for folder in (out, out / "textures", out / "hair"):
        folder.mkdir(parents=True, exist_ok=True)
    picture, folds = wrinkles.draw(head)
    picture.save(out / "wrinkles.png", optimize=True)
    landmarks = places.Landmarks.read(out / "landmarks.json", head)
    arrays = rig_arrays(head, landmarks, folds)
    np.savez_compressed(out / "rig.npz", allow_pickle=False, **arrays)
    write_modes(scans, head, landmarks, out / "identity_modes.npz")
    corners.write(heads_of_sliders, out / "macros.npz")
    descriptions = {name: described(person) for name, person in CAST.items()}
    (out / "identities.json").write_text(json.dumps(descriptions, indent=1) + "\n")
    for name, person in CAST.items():
        texture = skins.paint(looks, person)
        texture.save(out / "textures" / f"{name}.jpg", quality=skins.QUALITY, subsampling=0)
    write_hair(looks, head, scans, out / "hair")
    if not keep_light:
        build_occlusion.main(out)


def described(person: Person) -> dict[str, object]:
    """What ``identities.json`` says of one."""
    return {
        "sex": person.sex,
        "age": person.age,
        "origin": person.origin,
        "hair": person.hair,
        "hair_colour": person.hair_colour,
        "folding": round(float(np.interp(person.age, *FOLDING)), 2),
    }


def write_hair(looks: Path, head: Head, scans: Scans, out: Path) -> None:
    """Every style that somebody wears."""
    for style in sorted({person.hair for person in CAST.values() if person.hair}):
        hair.write_style(looks, style, head, scans, out)


def rig_arrays(head: Head, landmarks: places.Landmarks, folds: np.ndarray) -> dict[str, np.ndarray]:
    """What ``FaceModel.load`` reads; shapes as whole numbers of what moves, times a scale each."""
    topology = head.topology
    mask, region = places.lower_mask(head)
    edge, rim = places.mouth_contacts(head, landmarks)
    render_source, render_uv, render_faces = split_seams(head)
    largest = np.abs(head.deltas).max(axis=2)
    scales = largest.max(axis=1) / 32767
    shape, vertex = np.nonzero(largest > SMALLEST_MOVE)
    neutrals = np.stack(list(head.neutrals.values()))
    arrays = {
        "delta_starts": np.searchsorted(shape, np.arange(len(ARKIT_NAMES) + 1)).astype(np.int32),
        "delta_vertices": vertex.astype(np.uint16),
        "delta_moves": np.round(head.deltas[shape, vertex] / scales[shape, None]).astype(np.int16),
        "delta_scales": scales.astype(np.float32),
        "faces": topology.triangles,
        "part": topology.part,
        "source_vertices": topology.source.astype(np.int32),
        "lower_mask": mask.astype(np.float32),
        "region": region,
        "render_source": render_source,
        "render_uv": render_uv,
        "render_faces": render_faces,
        "landmark_triangles": landmarks.triangles,
        "landmark_weights": landmarks.weights,
        "lids": as_bytes(np.stack([seams.lid_mask(head, side) for side in ("Left", "Right")])),
        "fold_masks": as_bytes(folds),
        "neutrals": np.round(neutrals * NEUTRAL_STEPS).astype(np.int16),
        "eye_centers": np.stack(list(head.eye_centers.values())).astype(np.float32),
        "eye_radius": np.float32(head.eye_radius),
        "incisor_edge": edge,
        "lower_lip_rim": rim,
    }
    for name, (indices, upper, names) in places.keypoint_sets(head, landmarks, region).items():
        arrays |= {f"{name}_indices": indices, f"{name}_upper": upper, f"{name}_names": names}
    return arrays


def write_modes(scans: Scans, head: Head, landmarks: places.Landmarks, path: Path) -> None:
    """The average and every identity mode where the landmarks lie, for fits to videos."""
    modes = np.stack([landmarks.on(head.topology.blend @ mode) for mode in scans.modes])
    scale = np.abs(modes).max() / 32767
    np.savez_compressed(
        path,
        allow_pickle=False,
        average=landmarks.on(head.average).astype(np.float32),
        modes=np.round(modes / scale).astype(np.int16),
        scale=np.float32(scale),
    )


def as_bytes(shares: np.ndarray) -> np.ndarray:
    """0 to 1 as 0 to 255."""
    return np.round(shares * 255).astype(np.uint8)


def split_seams(head: Head) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices doubled wherever one has two places in the picture."""
    spots = np.round(head.topology.uv.reshape(-1, 2) * 2**20).astype(np.int64)
    corners = np.c_[head.triangles.ravel(), spots]
    rows, inverse = np.unique(corners, axis=0, return_inverse=True)
    uv = (rows[:, 1:] / 2**20).astype(np.float32)
    return rows[:, 0].astype(np.int32), uv, inverse.reshape(-1, 3).astype(np.int32)


if __name__ == "__main__":
    main()
