"""Models come whole, checked, or not at all; the Hub is a stand-in on loopback."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hub_server import COMMIT, Hub, serve
from safetensors.numpy import save_file

from kmspeaker import hub as models
from kmspeaker.errors import InputError
from kmspeaker.hub import (
    Pinned,
    bundled_models,
    fetch_pinned,
    resolve_model,
    verify_model,
    write_manifest,
)

REPO = "someone/a-model"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "trained"
    folder.mkdir()
    noise = np.random.default_rng(0).standard_normal(200_000, np.float32)
    save_file({"w": noise}, folder / "model.safetensors")
    (folder / "config.json").write_text('{"d_model": 8}')
    (folder / "README.md").write_text("# A model")
    write_manifest(folder)
    return folder


@pytest.fixture
def hub(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    files["evil.py"] = b"raise SystemExit"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    with serve(Hub(REPO, files)) as hub:
        use_endpoint(monkeypatch, hub.url)
        yield hub


@pytest.fixture
def unplug(monkeypatch: pytest.MonkeyPatch):
    """After this, nobody answers where the Hub was."""
    return lambda: use_endpoint(monkeypatch, "http://127.0.0.1:9")


def use_endpoint(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """What the variable HF_ENDPOINT does when huggingface-hub is imported."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
    monkeypatch.setattr(
        "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE",
        url + "/{repo_id}/resolve/{revision}/{filename}",
    )


def test_a_model_of_the_hub_arrives_whole_and_verified(hub: Hub, folder: Path):
    told: list[float] = []
    got = resolve_model(f"{REPO}@v1", progress=told.append)
    assert verify_model(got) == verify_model(folder)
    assert sorted(path.name for path in got.iterdir()) == [
        "README.md",
        "config.json",
        "manifest.json",
        "model.safetensors",
    ]
    assert told == sorted(told) and told[-1] == 1.0


def test_a_download_that_is_cut_off_goes_on_where_it_stopped(
    hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 10_000)
    hub.cuts = 2
    told: list[float] = []
    got = resolve_model(REPO, progress=told.append)
    assert verify_model(got) == verify_model(folder)
    half = len(hub.files["model.safetensors"]) // 2
    starts = [
        int(request.rpartition("=")[2].rstrip("-"))
        for request in hub.requests
        if "bytes=" in request
    ]
    assert len(starts) == 2 and half - 10_000 < starts[0] <= half and starts[1] > starts[0]
    assert told[-1] == 1.0


def test_what_was_fetched_once_serves_without_a_network(hub: Hub, unplug):
    online = resolve_model(f"{REPO}@v1")
    unplug()
    asked = len(hub.requests)
    assert resolve_model(f"{REPO}@v1") == online
    assert len(hub.requests) == asked
    verify_model(online)


def test_what_was_fetched_once_is_not_fetched_again(hub: Hub):
    resolve_model(REPO)
    hub.requests.clear()
    resolve_model(REPO)
    assert not [r for r in hub.requests if r.startswith("GET") and "/resolve/" in r]


def test_neither_network_nor_cache_is_one_sentence(hub: Hub, unplug):
    unplug()
    with pytest.raises(InputError, match=r"not in the cache and .* cannot be reached"):
        resolve_model(f"{REPO}@v1")


def test_unknown_repositories_and_revisions_are_named(hub: Hub):
    with pytest.raises(InputError, match="no model someone/else@main"):
        resolve_model("someone/else")
    with pytest.raises(InputError, match="someone/a-model@v2"):
        resolve_model(f"{REPO}@v2")


def test_only_safetensors_are_read(hub: Hub, tmp_path: Path):
    hub.files["pytorch_model.bin"] = hub.files.pop("model.safetensors")
    with pytest.raises(InputError, match=r"no model\.safetensors"):
        resolve_model(REPO)
    assert not any("pytorch_model.bin" in request for request in hub.requests)

    pickled = tmp_path / "pickled"
    pickled.mkdir()
    (pickled / "model.pt").write_bytes(b"\x80\x04N.")
    with pytest.raises(InputError, match=r"no model\.safetensors"):
        resolve_model(str(pickled))


def test_the_hub_is_not_told_what_is_installed_here(hub: Hub):
    resolve_model(REPO)
    assert hub.agents and not any("torch" in agent for agent in hub.agents)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "nobody",
        "../../no-such",
        "/no/such",
        "someone/../model",
        "someone/a-model/more",
        "someone/a-model@../../x",
        "someone/a-model@refs/heads/main",
        "https://example.org/model",
        "someone/.hidden",
        "someone\\model",
        "someone/a-model@v1\n",
        "sömeone/a-model",
    ],
)
def test_names_that_are_no_models_are_refused_without_asking_anybody(hub: Hub, name: str):
    with pytest.raises(InputError, match="owner/repo@revision"):
        resolve_model(name)
    assert hub.requests == []


def test_a_commit_is_a_revision(hub: Hub):
    assert resolve_model(f"{REPO}@{COMMIT}").name == COMMIT


def test_a_folder_is_used_where_it_lies(folder: Path):
    assert resolve_model(str(folder)) == folder
    assert len(verify_model(folder)) == 64


def test_the_card_may_be_edited(folder: Path):
    (folder / "README.md").write_text("# A better description")
    verify_model(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "manifest.json"])
def test_missing_files_are_named(folder: Path, name: str):
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"lacks {name}"):
        verify_model(folder)


def test_one_flipped_bit_is_found(folder: Path):
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"altered model\.safetensors"):
        verify_model(folder)


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        '{"files": {}}',
        '{"files": {"config.json": 3, "model.safetensors": {}}}',
    ],
)
def test_a_damaged_manifest_is_an_altered_file(folder: Path, text: str):
    (folder / "manifest.json").write_text(text)
    with pytest.raises(InputError, match=r"altered manifest\.json"):
        verify_model(folder)


def test_a_manifest_cannot_point_out_of_its_folder(folder: Path):
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["../secret"] = {"bytes": 0, "sha256": ""}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"altered manifest\.json"):
        verify_model(folder)


def test_bundled_models_go_by_their_names(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(models, "MODELS_FOLDER", folder.parent)
    assert bundled_models() == ("trained",)
    assert resolve_model("trained") == folder


def test_other_people_s_weights_are_those_of_one_commit_or_refused(hub: Hub, folder: Path, unplug):
    weights = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    pinned = Pinned(REPO, COMMIT, weights)
    got = fetch_pinned(pinned)
    assert sorted(path.name for path in got.iterdir()) == ["config.json", "model.safetensors"]
    unplug()
    assert fetch_pinned(pinned) == got, "from the cache"
    with pytest.raises(InputError, match="not those of the commit 01234567"):
        fetch_pinned(Pinned(REPO, COMMIT, 64 * "0"))
    (got / "model.safetensors").unlink()
    with pytest.raises(InputError, match="cannot be downloaded"):
        fetch_pinned(pinned)


def test_weights_are_hashed_once_until_they_change(folder: Path, monkeypatch: pytest.MonkeyPatch):
    hashed: list[str] = []
    digest = hashlib.file_digest

    def counted(file, kind):
        hashed.append(Path(file.name).name)
        return digest(file, kind)

    monkeypatch.setattr("hashlib.file_digest", counted)
    models._hashed.cache_clear()
    assert verify_model(folder) == verify_model(folder)
    assert sorted(hashed) == ["config.json", "model.safetensors"]
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:-1] + b"?")
    with pytest.raises(InputError, match=r"altered model\.safetensors"):
        verify_model(folder)
