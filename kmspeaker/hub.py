"""Where trained models come from: bundled, a folder, or the Hugging Face Hub.

A model is a folder with ``config.json``, ``model.safetensors`` and a ``manifest.json`` that holds
the size and sha256 of both. Nothing that could run code when it is loaded is ever fetched or read.
"""

import hashlib
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from kmspeaker.assets import ASSETS
from kmspeaker.errors import InputError
from kmspeaker.media.files import replacing
from kmspeaker.progress import Progress

MODELS_FOLDER = ASSETS / "models"
WEIGHTS = "model.safetensors"
CONFIG = "config.json"
MANIFEST = "manifest.json"
FETCHED = (CONFIG, WEIGHTS, MANIFEST, "README.md")
ATTEMPTS = 3
"""A download that breaks off is taken up again this often, beyond what huggingface-hub does."""

_IS_SHA256 = re.compile("[0-9a-f]{64}")
HUB_NAME = re.compile(
    r"(?P<repo>[A-Za-z0-9][\w-]*(\.[\w-]+)*/[A-Za-z0-9][\w-]*(\.[\w-]+)*)"
    r"(@(?P<revision>[A-Za-z0-9][\w-]*(\.[\w-]+)*))?",
    re.ASCII,
)
"""``owner/repo@revision``; a dot stands only between letters, so nothing climbs out of a folder."""


def bundled_models() -> tuple[str, ...]:
    """Names of the models that come with the program."""
    return tuple(sorted(path.parent.name for path in MODELS_FOLDER.glob(f"*/{WEIGHTS}")))


def resolve_model(name: str, *, progress: Progress | None = None) -> Path:
    """The folder of a model, fetched from the Hub if need be; ``verify_model`` checks its files.

    Args:
        name: A bundled name, the path of a folder, or ``owner/repo@revision`` on the Hugging Face
            Hub; without a revision, ``main``.
        progress: Told the fraction of a download.

    Raises:
        InputError: No such model, no safetensors in it, or neither network nor cache has it.
    """
    if name in bundled_models():
        return MODELS_FOLDER / name
    folder = Path(name)
    if name and folder.is_dir():
        if not (folder / WEIGHTS).is_file():
            raise InputError(_no_safetensors(name))
        return folder
    hub_name = HUB_NAME.fullmatch(name)
    if hub_name is None:
        raise InputError(
            f"Got the model {name!r}; give a bundled name ({', '.join(bundled_models())}), "
            "an existing folder, or owner/repo@revision on the Hugging Face Hub."
        )
    return _fetch(hub_name["repo"], hub_name["revision"] or "main", progress)


def verify_model(folder: Path) -> str:
    """Check every file of a model against its manifest; the sha256 of the weights is its name.

    Raises:
        InputError: Which file is missing or altered.
    """
    files = _read_manifest(folder)
    for name, stated in files.items():
        path = folder / name
        if not path.is_file():
            raise InputError(f"The model in {folder} lacks {name}; fetch the model again.")
        if path.stat().st_size != stated["bytes"] or _sha256(path) != stated["sha256"]:
            raise InputError(
                f"The model in {folder} has an altered {name}, which does not match {MANIFEST}; "
                "fetch the model again."
            )
    return files[WEIGHTS]["sha256"]


@dataclass(frozen=True)
class Pinned:
    """Weights of other people's at one commit of the Hub."""

    repo: str
    revision: str
    """The commit's whole name."""
    sha256: str | None
    """Of the weights; where None, what the Hub stated for that commit, which its cache keeps."""


def fetch_pinned(pinned: Pinned) -> Path:
    """The folder of pinned weights and their config, from the cache or the Hub, and verified.

    Raises:
        InputError: Neither has them, or the weights are not those that were pinned.
    """
    import httpx2
    from huggingface_hub import HfApi, snapshot_download

    without_telemetry()
    request: dict[str, Any] = {
        "repo_id": pinned.repo,
        "revision": pinned.revision,
        "allow_patterns": [CONFIG, WEIGHTS],
    }
    folder = None
    with suppress(OSError):
        folder = Path(snapshot_download(**request, local_files_only=True))
    try:
        if folder is None or not all((folder / name).is_file() for name in (CONFIG, WEIGHTS)):
            # Fails at once, where a download tries for half a minute.
            HfApi().model_info(pinned.repo, revision=pinned.revision, timeout=10)
            folder = Path(snapshot_download(**request))
    except (OSError, ValueError, httpx2.HTTPError) as error:
        raise InputError(
            f"{pinned.repo} is not in the cache and cannot be downloaded "
            f"({_first_line(error)}); connect to the internet once, or use a model with the "
            "bundled encoder."
        ) from error
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise InputError(_no_safetensors(pinned.repo))
    name = weights.resolve().name  # the cache names files by the hash that the Hub stated
    stated = pinned.sha256 or (name if _IS_SHA256.fullmatch(name) else None)
    if stated is not None and _sha256(weights) != stated:
        raise InputError(
            f"Got {pinned.repo} with weights that are not those of the commit "
            f"{pinned.revision[:8]}; delete {folder} and fetch them again."
        )
    return folder


def write_manifest(folder: Path) -> None:
    """State size and sha256 of the files that make the model; its card stays free to be edited."""
    files = {
        name: {"bytes": (folder / name).stat().st_size, "sha256": _sha256(folder / name)}
        for name in (CONFIG, WEIGHTS)
    }
    with replacing(folder / MANIFEST) as unfinished:
        unfinished.write_text(json.dumps({"files": files}, indent=2) + "\n")


def without_telemetry() -> None:
    """Keep huggingface-hub from saying who we are; its own switch is read only when it starts."""
    from huggingface_hub import constants

    constants.HF_HUB_DISABLE_TELEMETRY = True


def _fetch(repo: str, revision: str, progress: Progress | None) -> Path:
    import httpx2
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import DryRunError

    without_telemetry()
    name = f"{repo}@{revision}"
    request: dict[str, Any] = {
        "repo_id": repo,
        "revision": revision,
        "allow_patterns": list(FETCHED),
    }
    try:
        plan = snapshot_download(**request, dry_run=True, tqdm_class=_progress_bar(None, 0))
    except DryRunError as error:  # no answer, or none that helps
        return _find_cached(request, name, error.__cause__)
    except (OSError, httpx2.HTTPError) as error:
        raise InputError(
            f"Cannot fetch {name} from the Hugging Face Hub ({_first_line(error)}); "
            "check the revision and the connection."
        ) from error
    if WEIGHTS not in {file.filename for file in plan}:
        raise InputError(_no_safetensors(name))
    missing = sum(file.file_size or 0 for file in plan if file.will_download)
    bar = _progress_bar(progress, missing)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return Path(snapshot_download(**request, tqdm_class=bar))
        except (OSError, httpx2.HTTPError) as error:
            if attempt == ATTEMPTS or not isinstance(error, httpx2.TransportError):
                raise InputError(
                    f"The download of {name} broke off ({_first_line(error)}); "
                    "run the same again, whole files are kept."
                ) from error
    raise AssertionError("the last attempt returns or raises")


def _find_cached(request: dict[str, Any], name: str, reason: BaseException | None) -> Path:
    """What an earlier download left, for when the Hub does not help."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        folder = Path(snapshot_download(**request, local_files_only=True))
    except OSError as error:
        if isinstance(reason, RepositoryNotFoundError):
            raise InputError(
                f"The Hugging Face Hub has no model {name} that you may read; check the name."
            ) from error
        raise InputError(
            f"The model {name} is not in the cache and the Hugging Face Hub cannot be reached; "
            "connect to the internet, or choose a bundled model."
        ) from error
    if not (folder / WEIGHTS).is_file():
        raise InputError(_no_safetensors(name))
    return folder


def _progress_bar(progress: Progress | None, total: int) -> type:
    """What huggingface-hub takes for a progress bar: counts the bytes that came to disk."""
    from huggingface_hub.utils import tqdm

    class Bar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.counts = kwargs.get("name") == "huggingface_hub.snapshot_download"
            super().__init__(*args, **kwargs | {"disable": True})

        def update(self, n: int | float | None = 1) -> None:
            self.n += n or 0
            if progress and self.counts and total:
                progress(min(1.0, self.n / total))

    return Bar


def _read_manifest(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(f"The model in {folder} lacks {MANIFEST}; fetch the model again.")
    try:
        files = json.loads(path.read_text())["files"]
        stated = {name: {key: files[name][key] for key in ("bytes", "sha256")} for name in files}
        if not {CONFIG, WEIGHTS} <= stated.keys():
            raise KeyError(WEIGHTS)
        if any(Path(name).name != name for name in stated):
            raise ValueError("a file outside the folder")
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"The model in {folder} has an altered {MANIFEST}; fetch the model again."
        ) from error
    return stated


def _sha256(path: Path) -> str:
    """Of a file; counted anew only when the file is another than it was."""
    stat = path.stat()
    return _hashed(path.resolve(), stat.st_size, stat.st_mtime_ns, stat.st_ino)


@lru_cache(maxsize=64)
def _hashed(path: Path, *state: int) -> str:
    del state
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _no_safetensors(name: str) -> str:
    return (
        f"Got the model {name}, which has no {WEIGHTS}; other kinds of weights are not read, "
        "because loading them can run code."
    )


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
