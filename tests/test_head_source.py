"""The head is built from ICT-FaceKit as published; what is wrong with others is named."""

import json
from pathlib import Path

import numpy as np
import pytest

from scripts.facebuild import ict
from scripts.facebuild.ict import BadSourceError, read_scans


@pytest.fixture(scope="module")
def packed(shared: Path) -> Path:
    return shared / "face" / "ict" / "ict_facekit.npz"


@pytest.fixture
def checkout(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of three of its files, which the builder then takes for all."""
    with np.load(packed, allow_pickle=False) as file:
        names = [str(name) for name in file["shape_names"]]
        blink = file["shape_deltas"][names.index("eyeBlink_L")].astype(np.float64)
        mode = file["identity_deltas"][0].astype(np.float64)
        neutral, polygons, places, uv = (
            file[name] for name in ("neutral", "polygons", "polygon_uv", "uv")
        )
    faces = [
        "f " + " ".join(f"{v + 1}/{t + 1}" for v, t in zip(corners, spots, strict=True) if v >= 0)
        for corners, spots in zip(polygons.tolist(), places.tolist(), strict=True)
    ]
    folder = tmp_path / "FaceXModel"
    folder.mkdir()
    for name, vertices in (
        ("generic_neutral_mesh", neutral),
        ("eyeBlink_L", neutral + blink),
        ("identity000", neutral + mode),
    ):
        lines = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in vertices.tolist()]
        lines += [f"vt {u:.6f} {v:.6f}" for u, v in uv.tolist()]
        (folder / f"{name}.obj").write_text("\n".join(lines + faces) + "\n")
    every = json.loads(ict._SUMS.read_text())
    few = tmp_path / "sums.json"
    kept = ("neutral", "eyeBlink_L", "identity000")
    few.write_text(json.dumps({name: every[name] for name in kept}))
    monkeypatch.setattr(ict, "_SUMS", few)
    return tmp_path


def test_the_packed_file_and_a_checkout_are_the_same_model(packed: Path, checkout: Path):
    one, other = read_scans(packed), read_scans(checkout)
    np.testing.assert_allclose(one.neutral, other.neutral, atol=1e-3)
    np.testing.assert_array_equal(one.triangles, other.triangles)
    np.testing.assert_allclose(one.uv, other.uv, atol=1e-5)
    np.testing.assert_allclose(one.shapes["eyeBlink_L"], other.shapes["eyeBlink_L"], atol=0.02)
    np.testing.assert_allclose(one.modes[0], other.modes[0], atol=0.02)


def test_a_missing_an_altered_and_a_damaged_file_are_named(checkout: Path):
    blink = checkout / "FaceXModel" / "eyeBlink_L.obj"
    whole = blink.read_text()
    lines = whole.splitlines()
    lines[:900] = ["v 0 0 0"] * 900
    blink.write_text("\n".join(lines))
    with pytest.raises(BadSourceError, match="altered eyeBlink_L"):
        read_scans(checkout)
    blink.write_text(whole.replace("\nv ", "\nv x", 1))
    with pytest.raises(BadSourceError, match=r"eyeBlink_L\.obj with a line that is no OBJ"):
        read_scans(checkout)
    blink.write_text(whole[whole.index("\n") + 1 :])
    with pytest.raises(BadSourceError, match="26,718 vertices"):
        read_scans(checkout)
    blink.unlink()
    with pytest.raises(BadSourceError, match=r"without eyeBlink_L\.obj"):
        read_scans(checkout)


def test_what_is_no_source_is_refused_in_a_sentence(tmp_path: Path):
    with pytest.raises(BadSourceError, match="without FaceXModel"):
        read_scans(tmp_path)
    (tmp_path / "other.npz").write_bytes(b"PK")
    with pytest.raises(BadSourceError, match="not the packed model"):
        read_scans(tmp_path / "other.npz")
    with pytest.raises(BadSourceError, match="give a checkout"):
        read_scans(tmp_path / "nowhere")
