import csv
import json
import shutil

import numpy as np
import pytest

from kmspeaker.audio import SAMPLE_RATE
from kmspeaker.corpus import studio as studio_module
from kmspeaker.corpus.build import CLIPS_A_SHARD, build
from kmspeaker.corpus.plan import plan_clips
from kmspeaker.corpus.recordings import read_video
from kmspeaker.corpus.store import Clip, Corpus, Motion, write_index, write_shard
from kmspeaker.corpus.studio import Options, Studio, filled, join
from kmspeaker.corpus.voices import at_speed, augmented, read_utterances
from kmspeaker.errors import InputError
from kmspeaker.speech import speech_features


@pytest.fixture(scope="module")
def data(shared, tmp_path_factory):
    """A few utterances of each folder, and two captured upper faces."""
    folder = tmp_path_factory.mktemp("data")
    for source in (shared / "data/speech").iterdir():
        rows = (source / "clips.tsv").read_text().splitlines()
        speakers: dict[str, list[str]] = {}
        for row in rows[1:]:
            speakers.setdefault(row.split("\t")[1], []).append(row)
        kept = [row for own in list(speakers.values())[:2] for row in own[:2]]
        target = folder / "speech" / source.name
        (target / "opus").mkdir(parents=True)
        (target / "clips.tsv").write_text("\n".join([rows[0], *kept]) + "\n")
        for row in kept:
            name = row.split("\t")[0] + ".opus"
            shutil.copy(source / "opus" / name, target / "opus" / name)
    captured = folder / "capture/livelink"
    captured.mkdir(parents=True)
    for name in ("S07-001.csv.gz", "facial.csv.gz"):
        shutil.copy(shared / "data/capture/livelink" / name, captured / name)
    return folder


@pytest.fixture(scope="module")
def built(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    seen: list[float] = []
    report = build(Options(data, folder, minutes=0.8), progress=seen.append)
    assert seen and seen[-1] == 1.0
    assert report.real_time_factor > 0
    return Corpus.open(folder)


def test_a_corpus_is_speech_and_motion_of_equal_length(built):
    assert built.fps == 30.0 and built.encoder == "whisper-tiny.en"
    assert 0.3 < built.minutes < 2
    for clip in built.clips:
        motion = built.read(clip)
        assert motion.weights.shape == (clip.frames, 52)
        assert motion.features.shape == (clip.frames, 384)
        assert motion.weights.min() >= 0 and motion.weights.max() <= 1
        assert clip.phones[-1][2] <= clip.frames / built.fps + 0.05
        assert clip.licence


def test_nobody_is_in_two_splits(shared):
    utterances = read_utterances(shared / "data/speech")
    plans = plan_clips(utterances, (), (), minutes=60.0, seed=0)
    speakers = {
        split: {plan.speaker for plan in plans if plan.split == split}
        for split in ("train", "val", "test")
    }
    assert all(speakers.values())
    assert not speakers["train"] & (speakers["val"] | speakers["test"])
    assert not speakers["val"] & speakers["test"]
    assert len(set().union(*speakers.values())) > 30
    seconds = {
        split: sum(utterances[i].seconds for p in plans if p.split == split for i in p.utterances)
        for split in speakers
    }
    assert 0.05 < seconds["test"] / sum(seconds.values()) < 0.15
    used = [i for plan in plans for i in plan.utterances]
    assert len(used) == len(set(used))


def test_features_are_made_by_the_call_of_use(data, tmp_path, monkeypatch):
    heard: list[tuple[str, int, float, int]] = []

    def listen(encoder, sound, *, fps, frames):
        heard.append((encoder.name, sound.sample_rate, fps, frames))
        assert frames == round(sound.seconds * fps)
        return speech_features(encoder, sound, fps=fps, frames=frames)

    monkeypatch.setattr(studio_module, "speech_features", listen)
    studio = Studio(Options(data, tmp_path, minutes=0.8))
    plan = next(plan for plan in studio.plans if plan.utterances)
    clip, motion = studio.make(plan, "shard-0000.safetensors")
    assert heard == [("whisper-tiny.en", SAMPLE_RATE, 30.0, clip.frames)]
    assert len(motion.features) == clip.frames


def test_the_same_seed_builds_the_same_corpus_and_a_killed_build_goes_on(built, data, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(built.folder, copy)
    shards = sorted(copy.glob("shard-*"))
    shards[0].unlink()
    (copy / "corpus.json").unlink()
    build(Options(data, copy, minutes=0.8))
    again = Corpus.open(copy)
    assert again.clips == built.clips
    for clip in built.clips[:3]:
        ours, theirs = built.read(clip), again.read(clip)
        np.testing.assert_array_equal(ours.weights, theirs.weights)
        np.testing.assert_array_equal(ours.features, theirs.features)


def test_another_corpus_is_not_overwritten(built, data):
    before = (built.folder / "corpus.json").read_bytes()
    with pytest.raises(InputError, match="another corpus"):
        build(Options(data, built.folder, minutes=0.8, seed=1))
    assert (built.folder / "corpus.json").read_bytes() == before


def test_joined_utterances_keep_their_phones_on_their_sound(data):
    utterances = read_utterances(data / "speech")[:3]
    plain, phones = join(np.random.default_rng(0), utterances)
    fast, quick = join(np.random.default_rng(0), utterances, 1.25)
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
    assert filled([("AA", 0.5, 1.0), ("SIL", 1.0, 1.2)], 2.0) == (
        ("SIL", 0.0, 0.5),
        ("AA", 0.5, 1.0),
        ("SIL", 1.0, 2.0),
    )


def test_augmented_speech_is_as_long_and_in_the_same_place():
    click = np.zeros(SAMPLE_RATE, np.float32)
    click[8000] = 0.5
    for seed in range(12):
        heard = augmented(np.random.default_rng(seed), click)
        assert len(heard) == len(click) and np.abs(heard).max() <= 1
        quiet = np.abs(heard[:7900]).max()
        assert np.abs(heard[7900:8100]).max() > quiet
    assert len(at_speed(click, 1.25)) == SAMPLE_RATE / 1.25


def test_talking_videos_become_lips_with_their_sound(shared, face, tmp_path):
    path = shared / "data/grid_s1/bbaf2n.mp4"
    take = read_video(path, face, 30.0, tmp_path)
    assert len(take.mouth) / 30 == pytest.approx(take.sound.seconds, abs=0.15)
    assert (tmp_path / "bbaf2n.npz").is_file()
    again = read_video(path, face, 30.0, tmp_path)
    np.testing.assert_array_equal(again.mouth, take.mouth)


# What is wrong with a corpus is told by the name of the clip.


def a_clip(frames: int = 40, **changes) -> Clip:
    known = {
        "name": "someone_000",
        "frames": frames,
        "shard": "shard-0000.safetensors",
        "speaker": "someone",
        "actor": "clara",
        "emotion": "neutral",
        "intensity": "none",
        "text": "",
        "phones": (("AA", 0.0, 1.0),),
        "split": "train",
        "source": "made up",
        "licence": "CC0-1.0",
    }
    return Clip(**{**known, **changes})


def a_corpus(folder, clip: Clip, frames: int = 40):
    motion = Motion(np.zeros((frames, 52), np.float32), np.zeros((frames, 6), np.float32))
    write_shard(folder / clip.shard, [clip], {clip.name: motion}, "plan")
    write_index(folder, [clip], fps=30.0, encoder="whisper-tiny.en", seed=0)
    return folder


def change_index(folder, **changes) -> None:
    index = json.loads((folder / "corpus.json").read_text())
    index["clips"][0].update(changes)
    (folder / "corpus.json").write_text(json.dumps(index))


def test_an_unfinished_or_damaged_corpus_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"corpus\.json"):
        Corpus.open(tmp_path)
    folder = a_corpus(tmp_path, a_clip())
    assert Corpus.open(folder).clips == (a_clip(),)
    change_index(folder, phones=[["QQ", 0, 1]])
    with pytest.raises(InputError, match="QQ"):
        Corpus.open(folder)
    change_index(folder, phones=[], licence="")
    with pytest.raises(InputError, match=r"someone_000.*licence"):
        Corpus.open(folder)
    change_index(folder, licence="CC0-1.0", colour="red")
    with pytest.raises(InputError, match="colour"):
        Corpus.open(folder)
    (folder / "corpus.json").write_text("{")
    with pytest.raises(InputError, match="JSON"):
        Corpus.open(folder)


def test_a_missing_shard_is_told_with_its_clip(tmp_path):
    folder = a_corpus(tmp_path, a_clip())
    (folder / "shard-0000.safetensors").unlink()
    with pytest.raises(InputError, match=r"shard-0000.*someone_000"):
        Corpus.open(folder)


@pytest.mark.parametrize(("frames", "value", "told"), [(39, 0.0, "39 frames"), (40, np.nan, "NaN")])
def test_arrays_that_cannot_be_a_clip_are_not_written(tmp_path, frames, value, told):
    motion = Motion(np.full((frames, 52), value, np.float32), np.zeros((frames, 6), np.float32))
    with pytest.raises(InputError, match=f"{told}.*someone_000|someone_000.*{told}"):
        write_shard(
            tmp_path / "shard-0000.safetensors", [a_clip()], {"someone_000": motion}, "plan"
        )
    assert not list(tmp_path.iterdir())


def test_unequal_arrays_are_told_when_read(tmp_path):
    folder = a_corpus(tmp_path, a_clip())
    change_index(folder, frames=50)
    corpus = Corpus.open(folder)
    with pytest.raises(InputError, match=r"someone_000.*40 frames"):
        corpus.read(corpus.clips[0])


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("a\tsomeone\t1.0\tword\t", "without phones"),
        ("a\tsomeone\t1.0\tword\tQQ:0:1", "QQ"),
        ("a\tsomeone\t1.0", "3 columns"),
    ],
)
def test_speech_that_cannot_be_used_is_told_by_its_clip(tmp_path, row, told):
    folder = tmp_path / "cathy"
    folder.mkdir()
    (folder / "clips.tsv").write_text(f"clip\tspeaker\tseconds\ttext\tphones\n{row}\n")
    with pytest.raises(InputError, match=rf"(?s)\ba\b.*{told}|{told}.*\(a\)"):
        read_utterances(tmp_path)


def test_speech_of_unknown_licence_is_refused_until_it_is_named(tmp_path, data):
    folder = tmp_path / "ours"
    folder.mkdir()
    (folder / "clips.tsv").write_text("clip\tspeaker\tseconds\ttext\tphones\nx\ty\t1\tz\tAA:0:1\n")
    with pytest.raises(InputError, match="LICENCE"):
        read_utterances(tmp_path)
    (folder / "LICENCE").write_text("CC0-1.0\n")
    assert read_utterances(tmp_path)[0].licence == "CC0-1.0"


def test_shards_are_of_a_size_that_streams(built):
    names = [clip.shard for clip in built.clips]
    assert max(names.count(name) for name in set(names)) <= CLIPS_A_SHARD
    with (built.folder / "corpus.json").open() as file:
        assert csv.reader(file)
