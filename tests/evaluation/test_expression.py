"""What survives of an expression: the laws of the three measures, and the command."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import sqrtm

from kmspeaker.cli import main
from kmspeaker.errors import InputError
from kmspeaker.evaluation import expression, expression_round_trip
from kmspeaker.evaluation.expression_clips import (
    Clip,
    Takes,
    Tracked,
    emotion_named,
    find_clips,
    spread,
    track_clips,
)
from kmspeaker.evaluation.expression_legibility import Read, frames_of, legibility
from kmspeaker.evaluation.expression_reader import EMOTIONS, NEUTRAL
from kmspeaker.evaluation.expression_retrieval import halves, ranks
from kmspeaker.evaluation.expression_round_trip import (
    SHAPES,
    Pair,
    compared,
    kept,
    lips_kept,
    resting_weights,
)
from kmspeaker.evaluation.metrics import describe, frechet
from kmspeaker.examples import load_examples
from kmspeaker.face.keypoints import keypoint_track
from kmspeaker.face.rig import ARKIT_INDEX, FaceModel
from kmspeaker.media.audio import load_sound
from kmspeaker.media.video_reader import read_frames
from kmspeaker.pipeline import Pipeline
from kmspeaker.reference.performance import Performance
from kmspeaker.reference.tracking import FaceTrack

HAPPY = EMOTIONS.index("happy")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two clips, of which one is labelled, and their tracks."""
    folder = tmp_path_factory.mktemp("expression")
    clips, tracks = folder / "clips", folder / "tracks"
    clips.mkdir()
    tracks.mkdir()
    for name, example in load_examples().items():
        (clips / f"{name}.mp4").symlink_to(example.reference)
        (tracks / f"{name}.npz").symlink_to(example.reference.with_suffix(".track.npz"))
    (clips / "clips.tsv").write_text('file\temotion\nsuspicious.mp4\tneutral\nnobody"s\thappy\n')
    (clips / "broken.mp4").write_bytes(b"text")
    return clips, tracks


@pytest.fixture(scope="module")
def tracked(folders: tuple[Path, Path], face: FaceModel) -> list[Tracked]:
    found, dropped = track_clips(find_clips([folders[0]]), face, folders[1])
    assert list(dropped) == ["broken"]
    return found


def test_labels_are_read_from_names_and_tables(tmp_path):
    def named(name: str) -> str | None:
        found = emotion_named(name)
        return None if found is None else EMOTIONS[found]

    acted = ("angry", "disgusted", "fearful", "happy", "neutral", "sad")
    codes = ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
    assert tuple(named(f"1001_DFA_{code}_XX") for code in codes) == acted
    assert named("spectre_M003_level_1_disgusted_015") == "disgusted"
    assert named("spectre_W036_level_3_contempt_007") is None
    assert named("LipNet_sad_angry") is None
    rows = "a.mp4\tsurprise", "b.mp4\tneutral or friendly", "c.mp4\t", "1001_IEO_SAD_HI.flv\thappy"
    (tmp_path / "clips.tsv").write_text("\n".join(("file\temotion", *rows)))
    for row in rows:
        (tmp_path / row.split("\t")[0]).touch()
    labels = {clip.name: clip.emotion for clip in find_clips([tmp_path])}
    wanted = {"a": "surprised", "b": None, "c": None, "1001_IEO_SAD_HI": "sad"}
    assert {k: v if v is None else EMOTIONS[v] for k, v in labels.items()} == wanted


def test_frames_are_spread_over_the_middle_of_a_clip():
    assert list(spread(100, 3)) == [8, 50, 92]
    assert list(spread(2, 6)) == [0, 1]


def test_the_pictures_that_are_read_are_those_that_were_tracked(tracked):
    chosen = tracked[0].seen(3)
    every = [picture for _, picture in read_frames(tracked[0].clip.path)]
    pictures = list(frames_of(tracked[0], chosen))
    assert len(pictures) == len(chosen)
    for picture, frame in zip(pictures, chosen, strict=True):
        assert np.array_equal(picture, every[frame])


def test_what_comes_back_as_it_was_has_slope_and_correlation_one():
    rng = np.random.default_rng(0)
    walks = [rng.uniform(0, 0.3, (20, len(SHAPES))) + level for level in rng.uniform(0, 0.5, 8)]
    for factor in (1.0, 0.4):
        pairs = {str(k): Pair(walk, factor * walk + 0.1) for k, walk in enumerate(walks)}
        found = kept(pairs, "mouthSmile")
        assert found.means_slope.value == pytest.approx(factor) == found.time_slope.value
        assert found.means_correlation.value == pytest.approx(1) == found.time_correlation.value


def test_held_and_moving_expressions_are_told_apart():
    """A head that moves but forgets the level keeps its time course alone."""
    rng = np.random.default_rng(1)
    moves = [rng.uniform(0, 0.3, (20, len(SHAPES))) for _ in range(6)]
    pairs = {str(k): Pair(move + 0.1 * k, move - move.mean(0)) for k, move in enumerate(moves)}
    found = kept(pairs, "browDown")
    assert found.time_slope.value == pytest.approx(1)
    assert found.means_slope.value == pytest.approx(0, abs=1e-9)
    still = {"a": Pair(np.ones((20, len(SHAPES))), moves[0])}
    assert kept(still, "browDown").time_slope.items == 0


def test_scores_are_compared_evenly_in_time_and_where_the_face_is_seen(tracked):
    track: FaceTrack = tracked[0].track
    hidden = track.confidence.copy()
    hidden[10:20] = 0
    frames = compared(replace(tracked[0], track=replace(track, confidence=hidden)))
    assert len(frames) <= expression_round_trip.MOST_FRAMES + 1
    assert not set(frames) & set(range(10, 20))
    steps = np.diff(track.times[frames])
    wanted = track.times[-1] / expression_round_trip.MOST_FRAMES
    assert np.median(steps) == pytest.approx(wanted, rel=0.2)


def test_lips_of_the_performance_follow_the_landmarks(tracked, face):
    assert min(lips_kept(tracked, face).values()) > 0.9


def test_a_resting_face_is_weighed_by_what_it_should_leave_alone(tracked):
    weights = np.zeros((10, 52), np.float32)
    weights[:, [ARKIT_INDEX["browDownLeft"], ARKIT_INDEX["jawOpen"]]] = 0.4
    for emotion, rows in ((NEUTRAL, 1), (HAPPY, 0), (None, 0)):
        clip = Clip(Path("a.mp4"), emotion)
        one = replace(tracked[0], clip=clip, performance=Performance.from_weights(weights, 30.0))
        found = resting_weights([one])
        assert len(found) == rows
        for each in found.values():
            assert each["browDown"] == pytest.approx(0.2)
            assert sum(each.values()) == pytest.approx(0.2)


def some_performances(count: int, frames: int = 60) -> list[Performance]:
    """Each moves a few shapes of its own about a pose of its own."""
    rng = np.random.default_rng(2)
    found = []
    for _ in range(count):
        pose, size = rng.uniform(0, 0.4, 52), rng.uniform(0, 0.4, 52)
        weights = pose + size * rng.uniform(-0.5, 0.5, (frames, 52))
        found.append(Performance.from_weights(weights.clip(0, 1).astype(np.float32), 30.0))
    return found


def test_the_distance_is_frechets(face):
    one, other = some_performances(2)

    def numbers(performance: Performance) -> np.ndarray:
        points = keypoint_track(face, performance.weights).reshape(len(performance), -1)[:, :30]
        return np.concatenate([points, np.gradient(points.astype(float), axis=0) * 3], axis=1)

    means, covariances = zip(
        *((n.mean(0), np.cov(n.T, bias=True)) for n in map(numbers, (one, other))), strict=True
    )
    root = np.real(sqrtm(covariances[0] @ covariances[1]))
    wanted = ((means[0] - means[1]) ** 2).sum() + np.trace(sum(covariances) - 2 * root)
    first_ten = [*range(30), *range(165, 195)]
    short = [
        replace(d, mean=d.mean[first_ten], root=d.root[:, first_ten])
        for d in (describe(one, face), describe(other, face))
    ]
    assert frechet(*short) == pytest.approx(wanted, rel=1e-3)
    assert frechet(short[0], short[1]) == pytest.approx(frechet(short[1], short[0]))
    assert frechet(short[0], short[0]) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("upper", [False, True])
def test_a_performance_is_found_and_a_shuffle_finds_one_of_all(face, upper):
    performances = some_performances(12)
    described = [describe(one, face, upper=upper) for one in performances]
    assert (ranks(described, described) == 1).all()
    first, second = zip(*map(halves, performances), strict=True)
    parts = [[describe(p, face, upper=upper) for p in half] for half in (second, first)]
    assert (ranks(parts[0], parts[1]) == 1).mean() > 0.8
    rolled = [(ranks([*described[k:], *described[:k]], described) == 1).mean() for k in range(12)]
    assert np.mean(rolled) == pytest.approx(1 / 12)


def readings(emotion: int, sure: float = 0.7) -> np.ndarray:
    found = np.full((1, len(EMOTIONS)), (1 - sure) / (len(EMOTIONS) - 1))
    found[:, emotion] = sure
    return found


def test_figures_of_a_reader_are_shares_of_clips_and_means_over_heads():
    real = {"smiles": readings(HAPPY), "rests": readings(NEUTRAL), "who": readings(2)}
    nothing = np.full((1, len(EMOTIONS)), np.nan)
    head = {
        "smiles": np.concatenate([readings(NEUTRAL), readings(HAPPY), nothing]),
        "rests": np.repeat(readings(NEUTRAL), 3, axis=0),
        "who": np.repeat(readings(2), 3, axis=0),
    }
    emotions = {"smiles": HAPPY, "rests": NEUTRAL, "who": None}
    read = Read(emotions, {"real": real, "retarget": head})
    found = legibility(read, "retarget")
    assert found.accuracy.value == pytest.approx((1 / 3 + 1) / 2) == found.agreement.value
    assert found.expressive_as_neutral.value == pytest.approx(1 / 3)
    assert found.neutral_accuracy.value == 1 and found.other_agreement.value == 1
    assert found.certainty.value == pytest.approx(((0.05 + 0.7) / 3 + 0.7) / 2)
    assert legibility(read, "real").accuracy.value == 1
    assert not legibility(Read(emotions, {"retarget": head}), "retarget").agreement.items


def test_the_command_measures_all_three_and_writes_them(folders, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(expression_round_trip, "MOST_FRAMES", 4)
    clips, tracks = folders
    command = ["evaluate", "expression", "--clips", str(clips), "--tracks", str(tracks)]
    command += ["--stages", "real,retarget", "--heads", "clara", "--frames", "1"]
    assert main([*command, "--json", str(tmp_path / "found.json")]) == 0
    printed = capsys.readouterr().out
    assert "Not used: broken" in printed and "among 2 clips" in printed
    parts = json.loads((tmp_path / "found.json").read_text())
    assert list(parts) == list(expression.MEASURES)
    rows = {row["figure"]: row["estimate"] for row in parts["reader"]["findings"]}
    assert rows["real video: accuracy"]["items"] == 1
    assert rows["retargeted: the same, unlabelled expressive clips"]["items"] <= 1


def test_takes_are_read_and_looked_for_and_made_once(tracked, face, pipeline: Pipeline):
    sound = load_sound(load_examples()["delighted"].speech)
    sound = replace(sound, samples=sound.samples[: sound.sample_rate // 2])
    loaded: list[Pipeline] = []

    def load() -> Pipeline:
        loaded.append(pipeline)
        return pipeline

    takes = Takes(load, sound)
    made = expression.made_in_style(tracked, ("real", "stylize", "localize"), takes)
    assert {name: set(each) for name, each in made.items()} == {
        "take, style alone": {"delighted", "suspicious"},
        "take, dubbed": {"delighted", "suspicious"},
    }
    assert len(loaded) == 1 and takes.of(tracked[0], "stylize") is takes.of(tracked[0], "stylize")
    found = expression.expression_retrieval.part(tracked, made, face)
    assert len(found.findings) == 18
    assert all(row.estimate.value > 0 for row in found.findings if "rank" in row.figure)


def test_what_cannot_be_measured_is_refused_in_a_sentence(folders, tmp_path, face):
    clips = find_clips([folders[0]])
    with pytest.raises(InputError, match="no folder"):
        find_clips([tmp_path / "nowhere"])
    with pytest.raises(InputError, match="no video"):
        find_clips([tmp_path])
    with pytest.raises(InputError, match="no clip with a face"):
        track_clips([clip for clip in clips if clip.name == "broken"], face, None)
    with pytest.raises(InputError, match="the measure 'smell'"):
        expression.measure(clips, face, only=("smell",))
    with pytest.raises(InputError, match="nobody"):
        expression.measure(clips, face, heads=("nobody",))
    with pytest.raises(InputError, match="one or more"):
        expression.measure(clips, face, frames=0)
