"""``python -m kmspeaker bench``: the speed and memory of this machine, on the bundled examples."""

import json
import os
import platform
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from kmspeaker.errors import InputError
from kmspeaker.examples import load_examples
from kmspeaker.export import save_animation
from kmspeaker.media.audio import Sound, load_sound, write_wav
from kmspeaker.media.video_reader import read_frames
from kmspeaker.media.video_writer import write_video
from kmspeaker.pipeline import Pipeline
from kmspeaker.reference.retarget import retarget
from kmspeaker.reference.tracking import track_video
from kmspeaker.speech.encoders import speech_features

SPEECH_SECONDS = 10.0
TRACKED_SIZE = (640, 480)
START_LIMIT_SECONDS = 120.0


@dataclass(frozen=True)
class Figure:
    """One measured number: the median of several runs."""

    name: str
    value: float
    unit: str


def run_bench(
    model: str,
    *,
    device: str,
    runs: int,
    as_json: bool,
    further: Sequence[Callable[[Pipeline, int], Iterator[Figure]]] = (),
) -> None:
    """Measure everything and print it, as a table or as JSON.

    Args:
        model: As ``Pipeline.load`` takes it.
        device: As ``Pipeline.load`` takes it.
        runs: Each figure is the median of this many.
        as_json: Print JSON instead of a table.
        further: What else to measure, given the pipeline and ``runs``.

    Raises:
        InputError: if ``runs`` is not positive, or the model cannot be loaded.
    """
    if runs < 1:
        raise InputError(f"Got --runs {runs}; it must be 1 or more.")
    figures = []
    for figure in measure(model, device=device, runs=runs, further=further):
        figures.append(figure)
        if not as_json:
            _say(f"{figure.name:<44} {figure.value:10.2f} {figure.unit}")
    if as_json:
        machine = {"cpu_cores": os.cpu_count(), "python": platform.python_version()}
        report = {"machine": machine, "model": model, "runs": runs}
        _say(json.dumps({**report, "figures": [asdict(figure) for figure in figures]}, indent=1))


def measure(
    model: str,
    *,
    device: str,
    runs: int,
    further: Sequence[Callable[[Pipeline, int], Iterator[Figure]]] = (),
) -> Iterator[Figure]:
    """Yield each figure as soon as it is known.

    Raises:
        InputError: the model cannot be loaded, or the app does not start.
    """
    pipeline = Pipeline.load(model, device=device)
    example = next(iter(load_examples().values()))
    sound = of_length(load_sound(example.speech), SPEECH_SECONDS)
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        fps = 25.0
        write_video(clip, _resized(example.reference), fps, None)
        track = track_video(clip)
        seconds = _median(runs, lambda: track_video(clip))
        yield Figure("tracking, 640x480", len(track.times) / seconds, "frames/s")
        performance = retarget(track, pipeline.face, fps=pipeline.model.config.fps)
        seconds = _median(runs, lambda: retarget(track, pipeline.face))
        yield Figure("retargeting", len(track.times) / seconds, "frames/s")

        frames = round(SPEECH_SECONDS * pipeline.model.config.fps)
        fps = pipeline.model.config.fps
        seconds = _median(
            runs, lambda: speech_features(pipeline.encoder, sound, fps=fps, frames=frames)
        )
        yield Figure("speech features", SPEECH_SECONDS / seconds, "x real time")

        stages, totals = [], []
        animation = pipeline.localize(sound, performance)  # warms up
        for _ in range(runs):
            started = time.perf_counter()
            animation = pipeline.localize(sound, performance)
            save_animation(animation, pipeline.face, Path(folder) / "take.glb")
            totals.append(time.perf_counter() - started)
            stages.append(animation.stage_seconds["generate"])
        yield Figure(
            f"generation, {animation.model}, {animation.steps} steps",
            SPEECH_SECONDS / statistics.median(stages),
            "x real time",
        )
        yield Figure("10 s of speech and a track to a .glb", statistics.median(totals), "s")

        track.save(Path(folder) / "track.npz")
        write_wav(Path(folder) / "speech.wav", sound)
        command = [
            *(sys.executable, "-m", "kmspeaker", "localize", f"{folder}/speech.wav"),
            *(f"{folder}/track.npz", "-o", f"{folder}/again.glb"),
            *("--model", model, "--device", device),
        ]
        seconds = _median(runs, lambda: subprocess.run(command, check=True, capture_output=True))
        yield Figure("the same as one command, from a cold start", seconds, "s")
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        yield Figure("peak memory of that command", peak, "GB")
        command = [sys.executable, "-m", "kmspeaker", "track", str(clip), "-o", f"{folder}/t.npz"]
        subprocess.run(command, check=True, capture_output=True)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        yield Figure("peak memory of any command", peak, "GB")
        seconds = statistics.median(_app_start_seconds(model, device) for _ in range(runs))
        yield Figure("app start to page ready", seconds, "s")
    for figures in further:
        yield from figures(pipeline, runs)


def _median(runs: int, call: Callable[[], object]) -> float:
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def of_length(sound: Sound, seconds: float) -> Sound:
    """The sound repeated and cut to a length."""
    samples = round(seconds * sound.sample_rate)
    repeats = -(-samples // len(sound.samples))
    return Sound(np.tile(sound.samples, repeats)[:samples], sound.sample_rate)


def _resized(video: Path) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    for _, frame in read_frames(video):
        yield np.asarray(Image.fromarray(frame).resize(TRACKED_SIZE))


def _app_start_seconds(model: str, device: str) -> float:
    """From the command to the first page served."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "kmspeaker", "app", "--port", str(port)]
    started = time.perf_counter()
    app = subprocess.Popen(
        [*command, "--model", model, "--device", device],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while time.perf_counter() - started < START_LIMIT_SECONDS:
            if app.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as page:
                    if page.status == 200:
                        return time.perf_counter() - started
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise InputError("The app did not start; run `python -m kmspeaker app` to see why.")
    finally:
        app.terminate()
        app.wait()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
