"""What ``bench`` measures of the page: a take again, its weight on the wire, and the stage."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from kmspeaker.benchmark import SPEECH_SECONDS, Figure, of_length
from kmspeaker.errors import InputError
from kmspeaker.examples import load_examples
from kmspeaker.media.audio import load_sound, write_wav
from kmspeaker.pipeline import Pipeline
from kmspeaker.web.limits import Limits
from kmspeaker.web.models import Models
from kmspeaker.web.service import Order, Service
from kmspeaker.web.session import Stop
from kmspeaker.web.sessions import Sessions
from kmspeaker.web.stage_value import stage_value

ROOT = Path(__file__).resolve().parents[2]
STAGE = "scripts.measure_stage"
"""Drives the app in a browser; lies in the checkout, beside the package."""


def page_figures(pipeline: Pipeline, runs: int) -> Iterator[Figure]:
    """A second take of the same pair, from the click to the files that the stage plays."""
    example = next(iter(load_examples().values()))
    with tempfile.TemporaryDirectory() as folder:
        speech = Path(folder) / "speech.wav"
        write_wav(speech, of_length(load_sound(example.speech), SPEECH_SECONDS))
        order = Order(speech, example.reference, "localize", pipeline.face.identities[0])
        service = Service(Models(pipeline), Limits(takes=0))
        session = Sessions(Path(folder) / "visitors", Path(folder)).of("bench")
        service.make(session, order, "bench", None, Stop())
        times, weights = [], []
        for seed in range(1, runs + 1):
            started = time.perf_counter()
            (take,) = service.make(session, replace(order, seeds=(seed,)), "bench", None, Stop())
            stage_value(session, order.identity, (take.key,))
            times.append(time.perf_counter() - started)
            weights.append(sum(path.stat().st_size for path in (take.motion, take.sound)))
    yield Figure("10 s again, from click to files", statistics.median(times), "s")
    yield Figure("what it costs on the wire, with sound", statistics.median(weights) / 1000, "kB")


def stage_figures(model: str, seconds: float = 60.0) -> Iterator[Figure]:
    """Four heads played in headless Chromium at 1280x720, drawn in software.

    Raises:
        InputError: Playwright or the checkout's scripts are not here, or the browser fails.
    """
    if find_spec("playwright") is None or not (ROOT / f"{STAGE.replace('.', '/')}.py").is_file():
        raise InputError(
            "Got --browser without the package playwright or the checkout's scripts; "
            "run scripts/setup.sh in a checkout."
        )
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "stage.json"  # what is printed is not only ours
        command = [sys.executable, "-m", STAGE, "--model", model, "--seconds", f"{seconds:g}"]
        command += ["--output", str(output)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.strip() or "no word").splitlines()[-1]
            raise InputError(
                f"The stage could not be measured ({last}); "
                "Chromium and a quiet machine are needed."
            )
        measured = json.loads(output.read_text())
    behind, again = measured["behind_the_sound_ms"], measured["after_pauses_and_seeks_ms"]
    heads = f"{measured['heads']} heads in Chromium, 1280x720"
    yield Figure(heads, measured["pictures_per_second"], "pictures/s")
    yield Figure("the page's own script", measured["script_ms_per_picture"], "ms/picture")
    yield Figure("faces behind the sound, median", behind["median"], "ms")
    yield Figure("the same, 99 of 100 pictures", behind["all_but_one_in_a_hundred"], "ms")
    drift = behind["last_ten_seconds"] - behind["first_ten_seconds"]
    yield Figure(f"drift over {seconds:g} s", drift, "ms")
    yield Figure("behind after 50 pauses and seeks, worst", again["worst_of_medians"], "ms")
