"""A corpus is built whole, resumed, and the same wherever the work is done."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from recordings import TEXTS

from kmspeaker.cli import main
from kmspeaker.corpus import studio as studio_module
from kmspeaker.corpus.build import CLIPS_A_SHARD, build
from kmspeaker.corpus.config import Config, read_config
from kmspeaker.corpus.performances.recordings import Recording
from kmspeaker.corpus.performances.videos import Video, read_videos, retarget_video
from kmspeaker.corpus.plan import Plan, sentences
from kmspeaker.corpus.speech.forced_alignment import Aligner
from kmspeaker.corpus.speech.voices import read_utterances
from kmspeaker.corpus.store import SPLITS, Corpus
from kmspeaker.corpus.studio import Studio, fill_silences, join_recordings, join_utterances
from kmspeaker.errors import InputError
from kmspeaker.examples import FOLDER
from kmspeaker.face.rig import UPPER_SHAPES
from kmspeaker.media.audio import SAMPLE_RATE, Sound, write_wav
from kmspeaker.media.video_writer import write_video
from kmspeaker.parallel import Workers
from kmspeaker.speech.encoders import speech_features

OPEN = Path(__file__).resolve().parents[2] / "configs/open.toml"


@pytest.fixture(scope="module")
def config(data) -> Config:
    return replace(read_config(OPEN), data=data, minutes=5.0, acted=1.0, videos=(), tracks=None)


@pytest.fixture(scope="module")
def built(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    seen: list[float] = []
    report = build(config, folder, progress=seen.append)
    assert seen[-1] == 1.0 and seen == sorted(seen)
    assert report.real_time_factor > 0
    assert any("MB an hour" in line for line in report.lines())
    return report.corpus


def test_a_corpus_is_speech_and_motion_of_equal_length(built):
    assert built.fps == 30.0 and built.encoder == "whisper-tiny.en"
    assert 1 < built.minutes < 6
    assert 80e6 < built.bytes_an_hour < 120e6
    for clip in built.clips:
        motion = built.read(clip)
        assert motion.weights.shape == (clip.frames, 52)
        assert motion.features.shape == (clip.frames, 384)
        assert motion.weights.min() >= 0 and motion.weights.max() <= 1
        assert clip.phones[-1][2] <= clip.frames / built.fps + 0.05
        assert clip.licence


def test_no_speaker_actor_or_sentence_is_in_two_splits(built, config):
    for split in SPLITS:
        assert built.split(split)
        assert {clip.actor for clip in built.split(split)} <= set(config.actors[split])
    for known in (
        lambda clip: {clip.speaker},
        lambda clip: {clip.actor},
        lambda clip: sentences(clip.text.split(" / ")),
    ):
        split_of: dict[str, str] = {}
        for clip in built.clips:
            for item in known(clip):
                assert split_of.setdefault(item, clip.split) == clip.split


def test_acted_speech_keeps_its_state_in_both_intensities(built):
    acted = [clip for clip in built.clips if clip.source == "acted"]
    assert {(clip.actor, clip.emotion) for clip in acted} == {
        ("clara", "sad"),
        ("sofia", "neutral"),
        ("mei", "happy"),
    }
    assert all(clip.speaker == f"acted_{clip.actor}" for clip in acted)
    for clip in acted:
        if clip.intensity == "heightened":
            twin = clip.name.replace("heightened", "moderate")
            (moderate,) = (other for other in acted if other.name == twin)
            assert sentences([moderate.text]) == sentences([clip.text])
            assert moderate.split == clip.split


def test_features_are_made_by_the_call_of_use(data, config, monkeypatch):
    heard: list[tuple[str, int, float, int]] = []

    def listen(encoder, sound, *, fps, frames):
        heard.append((encoder.name, sound.sample_rate, fps, frames))
        assert frames == round(sound.seconds * fps)
        return speech_features(encoder, sound, fps=fps, frames=frames)

    monkeypatch.setattr(studio_module, "speech_features", listen)
    said = read_utterances(data / "speech")[:2]
    plan = Plan("x", "x", "train", "x", "CC0-1.0", utterances=said)
    clip, motion = Studio(config).make(plan, "shard-0000.safetensors")
    assert heard == [("whisper-tiny.en", SAMPLE_RATE, 30.0, clip.frames)]
    assert len(motion.features) == clip.frames


def shards(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("shard-*")}


def test_a_killed_build_goes_on_and_two_processes_make_the_same_bytes(built, config, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(built.folder, copy)
    kept, *others = sorted(copy.glob("shard-*"))
    for path in (*others, copy / "corpus.json"):
        path.unlink()
    began = kept.stat().st_mtime_ns
    again = build(config, copy).corpus
    assert kept.stat().st_mtime_ns == began
    assert again.clips == built.clips and shards(copy) == shards(built.folder)
    shutil.rmtree(copy)
    build(config, copy, workers=Workers(jobs=2))
    assert shards(copy) == shards(built.folder)
    assert (copy / "corpus.json").read_bytes() == (built.folder / "corpus.json").read_bytes()


def test_ray_makes_the_same_bytes(built, config, tmp_path):
    build(config, tmp_path, workers=Workers(jobs=2, ray="local"))
    assert shards(tmp_path) == shards(built.folder)


def test_another_corpus_is_not_overwritten(built, config):
    before = (built.folder / "corpus.json").read_bytes()
    with pytest.raises(InputError, match="another corpus"):
        build(replace(config, seed=1), built.folder)
    assert (built.folder / "corpus.json").read_bytes() == before


def test_a_damaged_shard_is_told_and_left_as_it_is(built, config, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(built.folder, copy)
    shard = min(copy.glob("shard-*"))
    shard.write_bytes(shard.read_bytes()[:1000])
    with pytest.raises(InputError, match=rf"{shard.name}.*damaged"):
        build(config, copy)
    assert shard.stat().st_size == 1000


def test_an_actor_without_a_face_is_told_before_anything_is_made(config, tmp_path):
    actors = {**config.actors, "val": ("sophia",)}
    with pytest.raises(InputError, match=r"sophia.*sofia"):
        build(replace(config, actors=actors), tmp_path / "corpus")
    assert not (tmp_path / "corpus").exists()


def test_a_file_is_not_taken_for_the_folder(config, tmp_path):
    (tmp_path / "corpus").write_text("mine")
    with pytest.raises(InputError, match="is a file"):
        build(config, tmp_path / "corpus")
    assert (tmp_path / "corpus").read_text() == "mine"


def test_the_command_tells_what_is_wrong(tmp_path, capsys):
    assert main(["corpus", "build", str(tmp_path / "x.toml"), "-o", str(tmp_path / "c")]) == 2
    assert "x.toml" in capsys.readouterr().err
    assert main(["corpus", "build", str(OPEN), "-o", str(tmp_path / "c"), "--jobs", "0"]) == 2
    assert "0 jobs" in capsys.readouterr().err


def test_joined_utterances_keep_their_phones_on_their_sound(data):
    utterances = [u for u in read_utterances(data / "speech") if u.seconds > 3][:3]
    plain, phones = join_utterances(np.random.default_rng(0), utterances)
    fast, quick = join_utterances(np.random.default_rng(0), utterances, 1.25)
    spoken = [phone for phone in phones if phone[0] != "SIL"]
    assert [name for name, _, _ in spoken] == [
        n for u in utterances for n, _, _ in u.phones if n != "SIL"
    ]
    lengths = [e - s for _, s, e in spoken]
    shorter = [e - s for name, s, e in quick if name != "SIL"]
    np.testing.assert_allclose(np.array(shorter) * 1.25, lengths, atol=2e-3)
    assert len(fast) < len(plain)
    ends = [0.0, *[end for _, _, end in phones]]
    assert all(
        start == pytest.approx(end) for (_, start, _), end in zip(phones, ends, strict=False)
    )

    def level(names: set[str], inside: bool) -> float:
        pieces = [
            plain[round(s * SAMPLE_RATE) : round(e * SAMPLE_RATE)]
            for name, s, e in phones
            if (name in names) == inside
        ]
        return float(np.sqrt(np.mean(np.concatenate(pieces) ** 2)))

    assert level({"AA", "AO", "IY", "EY", "AH"}, True) > 5 * level({"SIL"}, True)


def test_gaps_are_filled_with_silence():
    assert fill_silences([("AA", 0.5, 1.0), ("SIL", 1.0, 1.2)], 2.0) == (
        ("SIL", 0.0, 0.5),
        ("AA", 0.5, 1.0),
        ("SIL", 1.0, 2.0),
    )


def test_a_reel_plays_sound_lips_and_phones_at_one_speed(tmp_path):
    """A click, the frame that opens the jaw with it, and its phone stay together."""
    recordings = [a_click(tmp_path / f"{at}.wav", at) for at in (0.5, 1.0)]
    for speed in (0.85, 1.0, 1.2):
        spoken = join_recordings(recordings, speed)
        assert spoken.mouth is not None
        assert len(spoken.samples) == round(len(spoken.mouth) / 30 * SAMPLE_RATE)
        loud = np.flatnonzero(np.abs(spoken.samples) > 0.1) / SAMPLE_RATE
        open_ = np.flatnonzero(spoken.mouth[:, 0] > 0.3) / 30
        said = [start for name, start, _ in spoken.phones if name == "AA"]
        for number, expected in enumerate((0.5 / speed, 3.0 / speed)):
            near = [times[np.abs(times - expected).argmin()] for times in (loud, open_)]
            assert [*near, said[number]] == pytest.approx([expected] * 3, abs=1 / 30)
        assert spoken.text == "ah / ah"


def a_click(path: Path, at: float) -> Recording:
    samples = np.zeros(2 * SAMPLE_RATE, np.float32)
    samples[round(at * SAMPLE_RATE) :][:80] = 0.8
    write_wav(path, Sound(samples, SAMPLE_RATE))
    mouth = np.zeros((60, 52), np.float32)
    mouth[round(at * 30), 0] = 1.0
    phones = (("SIL", 0.0, at), ("AA", at, at + 0.2))
    return Recording("click", "him", "film", "MIT", path, mouth, 30.0, text="ah", phones=phones)


def test_real_lips_tremble_in_no_silence_and_are_left_alone_where_nobody_knows_the_words(tmp_path):
    trembling = np.random.default_rng(0).uniform(0.2, 0.4, (60, 52)).astype(np.float32)
    recording = replace(a_click(tmp_path / "click.wav", 1.0), mouth=trembling)
    mouth, unknown = (
        join_recordings([replace(recording, phones=p)]).mouth for p in (recording.phones, ())
    )
    assert mouth is not None and unknown is not None
    moved = np.abs(np.diff(mouth[:, ~UPPER_SHAPES], axis=0)).mean(1)
    assert moved[3:20].max() < 0.3 * moved[26:36].min()
    assert np.array_equal(mouth[26:36], trembling[26:36])
    assert np.array_equal(unknown, trembling)


def write_films(data: Path) -> Path:
    """A folder of talking videos: one, of the bundled examples."""
    films = data / "films"
    films.mkdir()
    (films / "LICENCE").write_text("CC0-1.0\n")
    shutil.copy(FOLDER / "delighted.mp4", films)
    (films / "clips.tsv").write_text(f"file\ttext\ndelighted.mp4\t{TEXTS['delighted.mp4']}\n")
    return films


def test_talking_videos_become_lips_with_their_sound_and_phones(face, example_track, tmp_path):
    write_films(tmp_path)
    (video,) = read_videos(tmp_path, ["films"])
    recording = retarget_video(video, face, Aligner(), tmp_path, fps=30.0)
    assert isinstance(recording, Recording)
    assert recording.seconds == pytest.approx(len(example_track) / 30, abs=0.15)
    assert len(recording.sound()) == round(recording.seconds * SAMPLE_RATE)
    assert [name for name, _, _ in recording.phones if name != "SIL"][:3] == ["OW", "DH", "IH"]
    assert (tmp_path / "films" / "delighted.npz").is_file()
    late = retarget_video(video, face, Aligner(), tmp_path, fps=30.0, late=0.1)
    assert isinstance(late, Recording)
    np.testing.assert_allclose(late.mouth[:-3], recording.mouth[3:], atol=1e-5)


def test_a_video_that_cannot_be_used_is_counted_with_its_reason(config, data, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(data, folder)
    films = write_films(folder)
    noise = np.random.default_rng(0).integers(0, 255, (50, 96, 96, 3)).astype(np.uint8)
    silence = Sound(np.zeros(2 * SAMPLE_RATE, np.float32), SAMPLE_RATE)
    write_video(films / "empty.mp4", noise, 25.0, silence)
    with (films / "clips.tsv").open("a") as index:
        index.write("empty.mp4\tbin blue\n")
    few = replace(config, data=folder, videos=("films",), minutes=0.5, turns={})
    corpus = build(few, tmp_path / "corpus").corpus
    assert corpus.dropped == {"films": {"no face found": 1}}
    assert Corpus.open(corpus.folder).dropped == corpus.dropped
    (clip,) = (clip for clip in corpus.clips if clip.lips == "captured")
    assert clip.text == TEXTS["delighted.mp4"] and clip.split == "train"
    assert {"M", "F", "V"} <= {name for name, _, _ in clip.phones}


def test_a_folder_of_videos_tells_what_it_lacks(tmp_path):
    with pytest.raises(InputError, match=r"clips\.tsv"):
        read_videos(tmp_path, ["films"])
    folder = tmp_path / "films"
    folder.mkdir()
    (folder / "LICENCE").write_text("CC0-1.0\n")
    (folder / "clips.tsv").write_text("file\ttext\tspeaker\na.mp4\thello\tbob\n")
    with pytest.raises(InputError, match=r"a\.mp4"):
        read_videos(tmp_path, ["films"])
    (folder / "a.mp4").touch()
    assert read_videos(tmp_path, ["films"]) == (
        Video(folder / "a.mp4", "films", "films_bob", "hello", "CC0-1.0"),
    )


def test_shards_are_of_a_size_that_streams(built):
    names = [clip.shard for clip in built.clips]
    assert max(names.count(name) for name in set(names)) <= CLIPS_A_SHARD
