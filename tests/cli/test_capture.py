"""Face capture: the performance as it is, with its own sound, in every format, and no model."""

import json
import wave
import zipfile
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from kmspeaker.animation.capture import captured, own_sound
from kmspeaker.cli import main
from kmspeaker.export import FORMATS
from kmspeaker.face.rig import FaceModel
from kmspeaker.media.audio import Sound, load_sound
from kmspeaker.media.video_reader import read_frames
from kmspeaker.media.video_writer import write_video
from kmspeaker.reference.live_link import write_live_link
from kmspeaker.reference.load import load_reference
from kmspeaker.reference.performance import Performance
from kmspeaker.reference.tracking import FaceTrack

TONE = Sound((0.4 * np.sin(np.arange(48_000) * 0.06)).astype(np.float32), 48_000)
"""A second of it."""


@pytest.fixture(scope="module")
def frames(speaking_clip: Path) -> list[np.ndarray]:
    return [frame for _, frame in read_frames(speaking_clip)][:20]


@pytest.fixture(scope="module")
def clip(frames: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A face for 0.8 s, with a tone."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_video(path, frames, 25.0, TONE)
    return path


@pytest.fixture(scope="module")
def saved(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its track, with the face at 0.2 s for its neutral."""
    path = tmp_path_factory.mktemp("track") / "clip.npz"
    assert main(["track", str(clip), "-o", str(path), "--neutral", "0.2"]) == 0
    return path


def test_the_performance_leaves_as_it_was_read_with_the_sound_of_the_video(
    clip: Path, saved: Path, face: FaceModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "clip.glb"
    assert main(["capture", str(clip), "-o", str(out), "--neutral", "0.2"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert "face seen in 100%, fit in doubt in" in last and "with its own sound" in last
    with wave.open(str(out.with_suffix(".wav"))) as heard:
        assert heard.getnframes() / heard.getframerate() == pytest.approx(0.8, abs=0.02)
        samples = np.frombuffer(heard.readframes(heard.getnframes()), "<i2")
    assert np.sqrt(np.mean((samples / 32767) ** 2)) == pytest.approx(0.4 / np.sqrt(2), rel=0.1)
    # The saved track keeps what was said to be neutral, and stands in for the video.
    assert FaceTrack.load(saved).neutral is not None
    again = tmp_path / "again.npz"
    assert main(["capture", str(saved), "-o", str(again), "--identity", "victor"]) == 0
    assert "silent" in capsys.readouterr().out.splitlines()[-1]
    performance = load_reference(saved, face).performance
    with np.load(again) as arrays:
        np.testing.assert_allclose(arrays["weights"], performance.weights, atol=1e-6)
        assert arrays["head"].shape == (len(performance), 3)
        assert str(arrays["use"]) == "capture" and str(arrays["identity"]) == "victor"


@pytest.mark.parametrize("ending", list(FORMATS))
def test_every_format_says_that_nothing_was_generated(ending: str, tmp_path: Path):
    source, out = tmp_path / "source.csv", tmp_path / f"take{ending}"
    weights = np.random.default_rng(0).uniform(0, 0.5, (6, 52)).astype(np.float32)
    write_live_link(source, weights, 30.0)
    assert main(["capture", str(source), "-o", str(out)]) == 0
    told = provenance_in(out)
    assert "nothing was generated" in told and '"capture"' in told
    assert '"seed"' not in told and '"steps"' not in told and '"model"' not in told


def provenance_in(path: Path) -> str:
    """What the file says of where it came from."""
    match path.suffix:
        case ".zip":
            return zipfile.ZipFile(path).read("manifest.json").decode()
        case ".npz":
            with np.load(path) as arrays:
                return json.dumps(
                    {k: str(arrays[k]) for k in arrays if arrays[k].dtype.kind == "U"}
                )
        case ".mp4":
            with av.open(str(path)) as container:
                return container.metadata["comment"]
        case ".csv":
            return path.with_name(f"{path.name}.json").read_text()
    return path.read_bytes().decode("utf-8", "ignore")


def test_sound_is_cut_or_filled_with_silence_to_the_motion():
    performance = Performance.from_weights(np.zeros((60, 52), np.float32), 30.0)
    longer = captured(performance, TONE, "clara").sound
    assert longer.seconds == performance.seconds
    assert np.array_equal(longer.samples[:48_000], TONE.samples)
    assert not longer.samples[48_000:].any()
    shorter = captured(Performance.from_weights(performance.weights[:15], 30.0), TONE, "clara")
    assert np.array_equal(shorter.sound.samples, TONE.samples[:24_000])
    assert captured(performance, None, "clara").sound.seconds == performance.seconds


def test_only_a_video_has_sound_of_its_own(clip: Path, saved: Path, tmp_path: Path):
    sound = own_sound(clip)
    assert sound is not None and sound.seconds == pytest.approx(load_sound(clip).seconds)
    assert own_sound(saved) is None
    write_video(tmp_path / "mute.mp4", [np.zeros((64, 64, 3), np.uint8)] * 5, 25.0)
    assert own_sound(tmp_path / "mute.mp4") is None


@pytest.mark.parametrize(
    ("neutral", "says"),
    [
        ("9", "neutral moment 9 s of a clip of"),
        ("-1", "neutral moment -1 s"),
        ("absent.png", "Cannot read"),
        ("blank.png", "no face in blank.png"),
    ],
)
@pytest.mark.parametrize("command", ["capture", "track"])
def test_what_cannot_be_neutral_is_a_sentence_and_nothing_is_written(
    command: str,
    neutral: str,
    says: str,
    saved: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (200, 200)).save("blank.png")
    assert main([command, str(saved), "-o", "out.npz", "--neutral", neutral]) == 2
    printed = capsys.readouterr().err
    assert says in printed and "Traceback" not in printed
    assert not Path("out.npz").exists()


def test_a_csv_says_itself_what_is_neutral(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    write_live_link(tmp_path / "a.csv", np.zeros((9, 52), np.float32), 30.0)
    where = [str(tmp_path / name) for name in ("a.csv", "a.glb")]
    assert main(["capture", where[0], "-o", where[1], "--neutral", "0.1"]) == 2
    assert "says itself what is neutral" in capsys.readouterr().err


def test_a_picture_of_the_person_at_rest_is_kept_by_the_track(
    saved: Path, frames: list[np.ndarray], tmp_path: Path
):
    Image.fromarray(frames[5]).save(tmp_path / "rest.jpg", quality=95)
    out = tmp_path / "told.npz"
    assert main(["track", str(saved), "-o", str(out), "--neutral", str(tmp_path / "rest.jpg")]) == 0
    told, before = FaceTrack.load(out).neutral, FaceTrack.load(saved).neutral
    assert told is not None and before is not None
    # Of the same moment, and still not the same frames.
    assert 0 < np.abs(told.landmarks - before.landmarks).max() < 20


@pytest.mark.parametrize(
    ("options", "says"),
    [(["--fps", "0"], "--fps 0"), (["--identity", "nobody"], "nobody")],
)
def test_other_bad_options_are_a_sentence(
    options: list[str], says: str, saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["capture", str(saved), "-o", str(tmp_path / "a.glb"), *options]) == 2
    assert says in capsys.readouterr().err


def test_time_codes_that_do_not_tell_a_rate_need_it_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    source, out = tmp_path / "take.csv", tmp_path / "again.csv"
    write_live_link(source, np.full((50, 52), 0.5), 30.0)
    header, *rows = source.read_text().splitlines()
    untimed = [",".join([str(k), *row.split(",")[1:]]) for k, row in enumerate(rows)]
    source.write_text("\n".join([header, *untimed]))
    command = ["capture", str(source), "-o", str(out)]
    assert main(command) == 2
    assert "--reference-fps" in capsys.readouterr().err
    assert main([*command, "--reference-fps", "25", "--fps", "25"]) == 0
    assert len(out.read_text().splitlines()) == 51
