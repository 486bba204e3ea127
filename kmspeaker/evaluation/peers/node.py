"""Peers that are JavaScript: npm packages in the cache folder, run by Node.js on a sound.

Place in the flow: ``rhubarb``, ``wlipsync`` and ``headaudio`` name a package and a script beside
this file. The script gets the package's folder, reads the sound from its standard input and writes
JSON. ``install`` fetches the packages, and nothing else here uses the network.
"""

import json
import shutil
import subprocess
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from kmspeaker.assets import node_folder
from kmspeaker.errors import InputError
from kmspeaker.media.audio import Sound

INSTALL = "python -m kmspeaker.evaluation.peers install"
LONGEST = 600
"""Seconds a script may take for one sound."""
BROWSER_RATE = 48_000
"""Hz: at which browsers play, for peers that were made for them."""


@dataclass(frozen=True)
class NodePackage:
    """A package of npm."""

    name: str
    version: str
    """That ``install`` fetches."""

    @property
    def folder(self) -> Path:
        """Where it lies.

        Raises:
            InputError: It is not there.
        """
        folder = node_folder() / "node_modules" / self.name
        if not (folder / "package.json").is_file():
            raise InputError(f"Got no npm package {self.name}; fetch it with `{INSTALL}`.")
        return folder

    def installed(self) -> str:
        """The version that is there.

        Raises:
            InputError: None is, or what is there says no version.
        """
        stated = self.folder / "package.json"
        try:
            return str(json.loads(stated.read_text("utf-8"))["version"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"Got a damaged npm package {self.name}; fetch it again with `{INSTALL}`."
            ) from error


def install(packages: tuple[NodePackage, ...]) -> None:
    """Fetch packages into the cache folder, beside the viewer's; their own scripts are not run.

    Raises:
        InputError: There is no npm, or it fails.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise InputError("Got no npm; install Node.js with npm, for example `apt install npm`.")
    folder = node_folder()
    folder.mkdir(parents=True, exist_ok=True)
    options = ("--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder))
    wanted = [f"{package.name}@{package.version}" for package in packages]
    if subprocess.run([npm, "install", *options, *wanted], check=False).returncode:
        raise InputError(
            f"npm could not fetch {' '.join(wanted)}; see what it says above, and try again."
        )


def run_script(
    script: str, package: NodePackage, sound: Sound, rate: int, *arguments: object
) -> dict[str, Any]:
    """What a script of this folder says of a sound.

    Args:
        script: Its name; it is called with the package's folder, the sound's rate and
            ``arguments``.
        package: What it runs.
        sound: Given to it as float32 samples.
        rate: Hz, at which the script gets it.
        arguments: As the script takes them.

    Raises:
        InputError: Package or Node.js are not there, or the script fails or takes too long.
    """
    folder, node = package.folder, shutil.which("node")
    if node is None:
        raise InputError(f"Got no Node.js, which {package.name} needs; install it.")
    samples = sound.resampled(rate).samples.astype("<f4").tobytes()
    given = [str(folder.resolve()), str(rate), *map(str, arguments)]
    try:
        with as_file(files("kmspeaker.evaluation.peers")) as here:
            finished = subprocess.run(
                [node, str(here / script), *given],
                input=samples,
                capture_output=True,
                timeout=LONGEST,
                check=True,
            )
        return dict(json.loads(finished.stdout))
    except subprocess.TimeoutExpired as error:
        raise InputError(
            f"{package.name} took more than {LONGEST} s for {sound.seconds:.1f} s of sound; "
            "give a shorter one."
        ) from error
    except (subprocess.CalledProcessError, OSError, ValueError, TypeError) as error:
        said = getattr(error, "stderr", None) or str(error).encode()
        last = (said.decode("utf-8", "replace").strip().splitlines() or ["nothing"])[-1]
        raise InputError(
            f"{package.name} failed and said {last[:200]!r}; fetch it again with `{INSTALL}`."
        ) from error


def curves_of(answer: dict[str, Any], frames: int) -> dict[str, Float64[np.ndarray, " {frames}"]]:
    """By name, of a script that gives ``names`` and a row of values for each frame.

    Raises:
        InputError: It has given something else.
    """
    try:
        names, rows = list(answer["names"]), np.array(answer["rows"], np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"Got no curves from a peer's script; {_AGAIN}.") from error
    if rows.shape != (frames, len(names)) or not np.isfinite(rows).all():
        raise InputError(
            f"Got curves of shape {rows.shape} from a peer's script where "
            f"{(frames, len(names))} is needed; {_AGAIN}."
        )
    return dict(zip(names, rows.T, strict=True))


_AGAIN = f"fetch its package again with `{INSTALL}`"
