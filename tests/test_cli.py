"""The command line as a stranger uses it: good takes, and one sentence for everything else."""

import ctypes
import json
import shutil
import sys
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from arkit_head import a_head

from kmspeaker import __version__
from kmspeaker.cli import build_parser, main
from kmspeaker.errors import InputError
from kmspeaker.export import check_writable
from kmspeaker.export.render import HeadRenderer
from kmspeaker.face.rig import ARKIT_INDEX, FaceModel
from kmspeaker.heads.arkit_glb import ArkitHead
from kmspeaker.hub import MODELS_FOLDER, write_manifest
from kmspeaker.media.audio import Sound, write_wav
from kmspeaker.media.video_writer import write_video
from kmspeaker.reference.live_link import write_live_link

SILENT_LIPS_MM = 1.5
"""How far beyond the neutral gap resting lips may part."""


def voice(seconds: float, rate: int = 16_000) -> Sound:
    """Something with the rhythm of syllables; enough where the words do not matter."""
    time = np.arange(round(seconds * rate)) / rate
    tone = sum(np.sin(2 * np.pi * 140 * k * time) / k for k in range(1, 9))
    syllables = np.clip(np.sin(2 * np.pi * 3 * time), 0, None)
    return Sound((0.2 * tone * syllables).astype(np.float32), rate)


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("speech") / "speech.wav"
    write_wav(path, voice(2.0))
    return path


@pytest.fixture(scope="module")
def performance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Live Link Face recording of somebody who smiles and raises the brows."""
    path = tmp_path_factory.mktemp("performance") / "smile.csv"
    weights = np.zeros((90, 52), np.float32)
    swing = 0.4 + 0.3 * np.sin(np.arange(90) / 9)
    for name in ("mouthSmileLeft", "mouthSmileRight", "browInnerUp", "browOuterUpLeft"):
        weights[:, ARKIT_INDEX[name]] = swing
    write_live_link(path, weights, 30.0)
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder / "take.npz"


def blank_video(path: Path, seconds: float, sound: Sound | None = None) -> Path:
    frames = round(seconds * 25)
    write_video(path, (np.full((120, 160, 3), 90, np.uint8) for _ in range(frames)), 25.0, sound)
    return path


def refused(arguments: list[object], out: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Run, check the form of a refusal, and give back the sentence."""
    assert main([str(argument) for argument in arguments]) == 2
    printed = capsys.readouterr()
    lines = [line for line in printed.err.replace("\r", "\n").splitlines() if "kmspeaker:" in line]
    assert len(lines) == 1 and "Traceback" not in printed.err
    assert list(out.parent.iterdir()) == [], "a refusal leaves nothing behind"
    return lines[0]


@pytest.mark.parametrize("use", ["stylize", "localize"])
def test_a_take_is_as_long_as_the_speech_and_says_what_was_written(
    use: str, speech: Path, performance: Path, out: Path, capsys: pytest.CaptureFixture[str]
):
    assert main([use, str(speech), str(performance), "-o", str(out), "--steps", "2"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert str(out) in last and "generate" in last and "small@" in last
    with np.load(out) as take:
        assert take["weights"].shape == (60, 52)
        assert take["vertices"].shape[::2] == (60, 3) and take["vertices"].dtype == np.float32
        assert float(take["fps"]) == 30.0
        assert str(take["identity"]) in FaceModel.load().identities


def test_same_seed_same_take(speech: Path, performance: Path, tmp_path: Path):
    takes = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        path = tmp_path / f"{name}.npz"
        arguments = ["stylize", speech, performance, "-o", path, "--seed", seed, "--steps", 2]
        assert main([str(argument) for argument in arguments]) == 0
        with np.load(path) as take:
            takes.append(take["weights"])
    assert np.array_equal(takes[0], takes[1])
    assert not np.array_equal(takes[0], takes[2])


def test_takes_are_directed_and_each_says_how(speech: Path, performance: Path, tmp_path: Path):
    out = tmp_path / "take.csv"
    arguments = ["localize", speech, performance, "-o", out, "--steps", 2, "--seed", 5]
    direction = ["--takes", 2, "--upper", 0.5, "--fit", "as-is", "--head", "reference"]
    second = ["--second", performance, "--style-mix", 0.25]
    assert main([str(argument) for argument in [*arguments, *direction, *second]]) == 0
    for seed in (5, 6):
        facts = json.loads((tmp_path / f"take-seed{seed}.csv.json").read_text())
        assert facts["seed"] == seed
        assert facts["controls"] == {"upper": 0.5, "head": "reference", "style_mix": 0.25}


def test_a_head_of_ones_own_speaks(
    speech: Path, performance: Path, out: Path, capsys: pytest.CaptureFixture[str]
):
    mine = a_head(out.with_name("mine.glb"), list(ARKIT_INDEX))
    take = out.with_suffix(".glb")
    command = ["stylize", str(speech), str(performance), "--face", str(mine), "-o"]
    assert main([*command, str(take)]) == 0
    spoken, _ = ArkitHead.read(take).glb.document["animations"]
    assert spoken["name"] == "stylize"
    assert main([*command, str(out)]) == 2
    assert "saved as .glb" in capsys.readouterr().err


def test_silence_rests(face: FaceModel, performance: Path, tmp_path: Path, out: Path):
    silence = tmp_path / "silence.wav"
    write_wav(silence, Sound(np.zeros(48_000, np.float32), 16_000))
    neutral = tmp_path / "neutral.csv"
    write_live_link(neutral, np.zeros((60, 52), np.float32), 30.0)
    assert main(["stylize", str(silence), str(neutral), "-o", str(out)]) == 0
    with np.load(out) as take:
        gap = face.lip_gap(take["weights"], str(take["identity"]))
    closed = face.lip_gap(np.zeros((1, 52), np.float32), face.identities[0])[0]
    assert np.median(gap) < closed + SILENT_LIPS_MM
    assert np.abs(np.diff(gap)).mean() < 0.1, "mm a frame: it mumbles"


@pytest.mark.parametrize(
    ("rate", "channels", "width"), [(8_000, 1, 1), (192_000, 1, 2), (48_000, 6, 2)]
)
def test_unusual_sound_is_fine(
    rate: int, channels: int, width: int, performance: Path, tmp_path: Path, out: Path
):
    path = tmp_path / "odd.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(_pcm(voice(1.0, rate).samples, width, channels))
    assert main(["stylize", str(path), str(performance), "-o", str(out), "--steps", "1"]) == 0


def _pcm(samples: np.ndarray, width: int, channels: int) -> bytes:
    wide = np.repeat(samples[:, None], channels, axis=1)
    if width == 1:
        return (wide * 127 + 128).astype(np.uint8).tobytes()
    return (wide * 32767).astype("<i2").tobytes()


def bad_speech(kind: str, folder: Path) -> tuple[Path, str]:
    """A file that cannot be spoken, and a word its refusal must hold."""
    path = folder / "speech.wav"
    if kind == "missing":
        return path, "speech.wav"
    if kind == "empty":
        path.write_bytes(b"")
        return path, "empty"
    if kind == "text":
        path.write_text("Dear diary, this is not a recording.\n" * 40)
        return path, "sound"
    if kind == "no sound in it":
        return blank_video(folder / "silent.mp4", 1.0), "sound"
    if kind == "a tenth of a second":
        write_wav(path, voice(0.1))
        return path, "0.1"
    if kind == "thirty minutes":
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(1)
            file.setframerate(8_000)
            file.writeframes(b"\x80" * (8_000 * 1_800))
        return path, "--max-seconds"
    from scipy.io import wavfile

    samples = voice(1.0).samples.copy()
    samples[5_000:6_000] = np.nan
    wavfile.write(path, 16_000, samples)
    return path, "NaN"


@pytest.mark.parametrize(
    "kind",
    [
        "missing",
        "empty",
        "text",
        "no sound in it",
        "a tenth of a second",
        "thirty minutes",
        "not numbers",
    ],
)
def test_speech_that_cannot_be_used(
    kind: str, performance: Path, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
):
    path, word = bad_speech(kind, tmp_path)
    assert word in refused(["stylize", path, performance, "-o", out], out, capsys)


@pytest.mark.parametrize(
    "kind", ["missing", "empty", "text", "truncated", "no face", "face mostly lost", "no frames"]
)
def test_references_that_cannot_be_used(
    kind: str,
    speech: Path,
    tmp_path: Path,
    out: Path,
    example_video: Path,
    capsys: pytest.CaptureFixture[str],
):
    path = tmp_path / "reference.mp4"
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("not a video\n" * 100)
    elif kind == "truncated":
        whole = example_video.read_bytes()
        path.write_bytes(whole[: len(whole) // 3])
    elif kind == "no face":
        blank_video(path, 2.0)
    elif kind == "face mostly lost":
        write_video(path, _face_then_wall(example_video), 25.0, None)
    elif kind == "no frames":
        path = tmp_path / "reference.wav"
        write_wav(path, voice(1.0))
    sentence = refused(["stylize", speech, path, "-o", out], out, capsys)
    assert len(sentence) < 400


def _face_then_wall(clip: Path) -> Iterator[np.ndarray]:
    from kmspeaker.media.video_reader import read_frames

    seen = [frame for _, frame in read_frames(clip)][:25]
    yield from seen
    for _ in range(200):
        yield np.full_like(seen[0], 90)


def test_options_that_cannot_be_used(
    speech: Path, performance: Path, out: Path, capsys: pytest.CaptureFixture[str]
):
    take = ["stylize", speech, performance, "-o", out]
    assert "identity" in refused([*take, "--identity", "nobody"], out, capsys)
    assert "steps" in refused([*take, "--steps", 0], out, capsys)
    assert "seeds" in refused([*take, "--takes", 0], out, capsys)
    assert "seed -1" in refused([*take, "--seed", -1], out, capsys)
    assert "from 0 to 2" in refused([*take, "--upper", 3], out, capsys)
    assert "second reference" in refused([*take, "--style-mix", 0.5], out, capsys)
    assert "bundled" in refused([*take, "--model", "../../etc/passwd"], out, capsys)
    assert "cuda" in refused([*take, "--device", "cuda"], out, capsys)
    for wrong in (out.with_suffix(".fbx"), out.parent / "absent" / "take.glb", Path("/proc/x.glb")):
        refused(["stylize", speech, performance, "-o", wrong], out, capsys)


def bad_model(kind: str, folder: Path) -> Path:
    path = folder / "model"
    shutil.copytree(MODELS_FOLDER / "small", path)
    weights, config = path / "model.safetensors", path / "config.json"
    settings = json.loads(config.read_text())
    if kind == "missing":
        weights.unlink()
    elif kind == "altered":
        content = bytearray(weights.read_bytes())
        content[-1] ^= 1
        weights.write_bytes(content)
    elif kind == "unknown setting":
        config.write_text(json.dumps(settings | {"flux_capacitor": 1.21}))
        write_manifest(path)
    elif kind == "another encoder":
        config.write_text(json.dumps(settings | {"speech_encoder": "hubert-base"}))
        write_manifest(path)
    return path


@pytest.mark.parametrize("kind", ["missing", "altered", "unknown setting", "another encoder"])
def test_models_that_cannot_be_used(
    kind: str,
    speech: Path,
    performance: Path,
    tmp_path: Path,
    out: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    model = bad_model(kind, tmp_path)
    refused(["stylize", speech, performance, "-o", out, "--model", model], out, capsys)


def test_alone_it_shows_what_there_is_with_two_examples(capsys: pytest.CaptureFixture[str]):
    assert main([]) == 0
    shown = capsys.readouterr().out
    examples = [line for line in shown.splitlines() if line.startswith("  kmspeaker ")]
    assert len(examples) == 2
    for example in examples:
        assert build_parser().parse_args(example.split()[1:]).run


def test_the_version_is_the_package_s(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"kmspeaker {__version__}\n"


def test_a_log_has_a_line_a_stage_and_quiet_none(
    speech: Path, performance: Path, out: Path, capsys: pytest.CaptureFixture[str]
):
    command = ["stylize", str(speech), str(performance), "-o", str(out), "--steps", "2"]
    assert main(command) == 0
    printed = capsys.readouterr()
    stages = ["load", "reference", "listen", "generate", "write"]
    lines = [line for line in printed.err.splitlines() if line.endswith(" ...")]
    assert [line.removesuffix(" ...") for line in lines] == stages
    assert "\r" not in printed.err and len(printed.out.splitlines()) == 1
    for quiet in (["-q", *command], [*command, "--quiet"]):
        assert main(quiet) == 0
        printed = capsys.readouterr()
        assert not printed.err and len(printed.out.splitlines()) == 1


@pytest.fixture
def no_opengl(monkeypatch: pytest.MonkeyPatch):
    """A machine without the library that VTK draws with; there even looking would end the test."""
    load = ctypes.CDLL

    def absent(name: str | None, *arguments: Any, **options: Any) -> ctypes.CDLL:
        if name and "EGL" in name:
            raise OSError(f"{name}: cannot open shared object file: No such file or directory")
        return load(name, *arguments, **options)

    monkeypatch.setattr(ctypes, "CDLL", absent)
    monkeypatch.setattr(sys, "platform", "linux")


@pytest.mark.usefixtures("no_opengl")
@pytest.mark.parametrize("ending", [".mp4", ".zip"])
def test_without_an_opengl_library_pictures_are_refused_before_any_work(
    ending: str,
    speech: Path,
    performance: Path,
    out: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("kmspeaker.pipeline.Pipeline.load", None)
    monkeypatch.setattr("kmspeaker.media.audio.load_sound", None)
    take = ["stylize", speech, performance, "-o", out.with_suffix(ending)]
    assert "install libegl1 and libgles2" in refused(take, out, capsys)
    pairs = ["batch", speech.parent, "-o", out.parent / "dubs", "--format", ending]
    assert "install libegl1 and libgles2" in refused(pairs, out, capsys)
    for drawn_by_others in (".glb", ".usda", ".csv", ".npz"):
        check_writable(out.with_suffix(drawn_by_others))


@pytest.mark.usefixtures("no_opengl")
def test_without_an_opengl_library_drawing_is_refused_too(face: FaceModel):
    with pytest.raises(InputError, match="libegl1"):
        HeadRenderer(face, face.identities[0])


def test_identities_are_listed_with_who_they_are(capsys: pytest.CaptureFixture[str]):
    assert main(["identities"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 12 and all(len(line.split()) > 2 for line in lines)


def test_track_writes_a_track_and_its_overlay(speaking_clip: Path, tmp_path: Path):
    track, overlay = tmp_path / "track.npz", tmp_path / "overlay.mp4"
    assert main(["track", str(speaking_clip), "-o", str(track), "--overlay", str(overlay)]) == 0
    assert track.stat().st_size and overlay.stat().st_size
