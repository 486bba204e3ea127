"""How a model moves beside real people: laws of bands, pauses, closures, halves and slopes."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from kmspeaker.cli import main
from kmspeaker.errors import InputError
from kmspeaker.evaluation import kept_style, people, talk
from kmspeaker.evaluation.expression_clips import FPS, Clip
from kmspeaker.evaluation.kept_style import Kept, slope
from kmspeaker.evaluation.ridge import fit_ridge_on
from kmspeaker.examples import load_examples
from kmspeaker.face.rig import ARKIT_INDEX, FaceModel
from kmspeaker.media.audio import SAMPLE_RATE, Sound, load_sound
from kmspeaker.pipeline import Pipeline
from kmspeaker.reference.performance import Performance

TIMES = np.arange(300) / FPS


def speech_with_pauses(*spans: tuple[float, float], seconds: float = 8.0) -> Sound:
    """Noise that is silent in some spans."""
    noise = np.random.default_rng(0).normal(0, 0.1, round(seconds * SAMPLE_RATE))
    for start, end in spans:
        noise[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)] *= 1e-3
    return Sound(noise.astype(np.float32), SAMPLE_RATE)


class TestTalk:
    def test_pauses_are_between_words_and_long_enough(self):
        sound = speech_with_pauses((0, 1), (2, 2.4), (3, 3.1), (4, 5), (7.5, 8))
        found = talk.pauses(sound, 240)
        assert [(round(a / FPS, 1), round(b / FPS, 1)) for a, b in found] == [(2, 2.4), (4, 5)]

    def test_openings_in_pauses_are_shares_of_the_clips_own_opening(self):
        opening = np.full(240, 10.0)
        opening[60:72], opening[120:150] = 4.0, 1.0
        opening[66:72] = 6.0
        found = talk.pausing(opening, [(60, 72), (120, 150)])
        assert found.short == pytest.approx([0.5]) and found.long == pytest.approx([0.1])
        assert found.before == pytest.approx([0.6, 0.1])

    def test_bands_hold_what_moves_in_them(self):
        slow, fast = (np.sin(2 * np.pi * rate * TIMES) for rate in (0.8, 7.5))
        both = slow + 0.5 * fast
        assert np.corrcoef(talk.in_band(both, 0.0, 1.5), slow)[0, 1] > 0.98
        assert np.corrcoef(talk.in_band(both, 4.0, 8.0), fast)[0, 1] > 0.98
        assert talk.nervousness(slow) < 0.01 < 0.1 < talk.nervousness(both)

    def test_closures_are_hit_by_who_closes_then_and_by_chance_by_who_is_always_shut(self):
        real = 5 + 5 * np.cos(2 * np.pi * 0.8 * TIMES)
        same, never, always = (talk.closing(real, c) for c in (real, real + 9, np.zeros_like(real)))
        assert same.hit == same.closures > 4 and same.right_frames == same.closed_frames
        assert same.by_chance < 0.8 * same.closures
        assert never.hit == never.closed_frames == 0
        assert always.hit == always.closures == always.by_chance
        assert always.right_frames < 0.5 * always.closed_frames

    def test_nobody_is_told(self):
        with pytest.raises(InputError, match="clips of talk"):
            talk.part([], lambda features: features[:, 0], None)
        with pytest.raises(InputError, match="give clips with sound"):
            talk.fit_talk_ridge([])

    def test_the_ridge_finds_a_linear_law(self):
        random = np.random.default_rng(0)
        features = random.normal(size=(4000, 3)).astype(np.float32)
        ridge = fit_ridge_on([(features, 2.0 * features[:, 1].astype(np.float64))], strength=1.0)
        fresh = random.normal(size=(50, 3)).astype(np.float32)
        assert ridge.predict(fresh)[2:-2] == pytest.approx(2 * fresh[2:-2, 1], abs=0.02)


class TestKeptStyle:
    def test_a_slope_is_what_is_kept_across_references(self):
        given = np.random.default_rng(0).normal(size=(40, 6))
        for share in (0.0, 0.4, 1.0):
            assert slope(given, share * given + 3).value == pytest.approx(share, abs=1e-9)

    def references(self, amounts: np.ndarray, share: float, liveliness: float) -> list[Kept]:
        sway = np.sin(2 * np.pi * 0.5 * TIMES)
        brow = ARKIT_INDEX["browInnerUp"]

        def motion(amount: float, size: float) -> np.ndarray:
            weights = np.zeros((300, 52), np.float32)
            weights[:, brow] = amount + size * sway
            return weights

        return [
            Kept(
                f"r{i}",
                Performance.from_weights(motion(a, 0.1), FPS),
                tuple(motion(share * a + 0.1, 0.1 * liveliness) for _ in range(3)),
                motion(a, 0.1),
            )
            for i, a in enumerate(amounts)
        ]

    def test_the_table_tells_how_much_is_kept(self, face: FaceModel):
        kept = self.references(np.linspace(0.1, 0.6, 12), share=0.5, liveliness=0.7)
        rows = {f.figure: f.estimate.value for f in kept_style.part(kept, face, "").findings}
        assert rows["slope of the mean upper keypoints"] == pytest.approx(0.5, abs=0.02)
        assert rows["slope of browInnerUp"] == pytest.approx(0.5, abs=0.02)
        assert "slope of mouthSmile" not in rows  # no reference smiles
        assert rows["dynamics of the upper keypoints, takes over references"] == pytest.approx(
            0.7, abs=0.02
        )
        assert rows["diversity over seeds, upper keypoints"] == 0
        assert rows["upper keypoints off the performance: dubs"] == 0
        assert rows["upper keypoints off the performance: its upper weights copied"] == 0
        assert rows["keypoints no mouth reaches off the performance: a linear readout"] < 0.03
        assert rows["upper keypoints off the performance: its mean pose"] > 0.05

    def test_takes_that_keep_all_are_found_and_others_are_not(self, face: FaceModel):
        name = "takes find their reference, all keypoints: mean reciprocal rank"

        def found(share: float) -> float:
            kept = self.references(np.linspace(0.1, 0.7, 12), share, 1.0)
            shifted = [
                Kept(
                    k.name, k.reference, tuple(t - 0.1 * (t > 0.1) for t in k.stylized), k.localized
                )
                for k in kept
            ]
            part = kept_style.part(shifted, face, "")
            return {f.figure: f.estimate.value for f in part.findings}[name]

        assert found(1.0) > 0.9 > 0.5 > found(0.0)

    def test_a_slope_needs_three_references(self, face: FaceModel):
        with pytest.raises(InputError, match="three or more"):
            kept_style.part(self.references(np.array([0.1, 0.2]), 1.0, 1.0), face, "")

    def test_recordings_come_in_pieces_gzipped_or_not(self, tmp_path):
        header = "Timecode,BlendShapeCount," + ",".join(
            name[0].upper() + name[1:] for name in ARKIT_INDEX
        )
        rows = [
            f"00:00:{k // 30:02d}:{k % 30:02d}.000,52," + "0.1," * 51 + "0.1" for k in range(360)
        ]
        text = "\n".join([header, *rows]) + "\n"
        (tmp_path / "a.csv").write_text(text)
        (tmp_path / "b.csv.gz").write_bytes(gzip.compress(text.encode()))
        pieces = kept_style.read_recordings([tmp_path])
        assert [name for name, _ in pieces] == ["a 0", "a 1", "b 0", "b 1"]
        assert all(len(piece) == pytest.approx(180, abs=2) for _, piece in pieces)
        with pytest.raises(InputError, match=r"no Live Link Face \.csv"):
            kept_style.read_recordings([tmp_path / "nowhere"])


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Four clips, two of them the same, and their tracks."""
    folder = tmp_path_factory.mktemp("people")
    clips, tracks = folder / "films", folder / "tracks"
    clips.mkdir()
    tracks.mkdir()
    for name, example in load_examples().items():
        for copy in ("", "_again"):
            (clips / f"{name}{copy}.mp4").symlink_to(example.reference)
            track = example.reference.with_suffix(".track.npz")
            (tracks / f"{name}{copy}.npz").symlink_to(track)
    return clips, tracks


def test_the_command_measures_all_and_writes_them(folders, tmp_path, capsys):
    clips, tracks = folders
    out = tmp_path / "figures.json"
    arguments = ["evaluate", "people", "--clips", str(clips), "--ridge", str(clips)]
    assert main([*arguments, "--tracks", str(tracks), "--json", str(out)]) == 0
    printed = capsys.readouterr().out
    for title in ("lips move as the person's", "matching context", "style of a reference"):
        assert title in printed
    figures = json.loads(out.read_text())
    assert set(figures) == set(people.MEASURES)
    rows = {f["figure"]: f["estimate"] for f in figures["matching"]["findings"]}
    assert rows["MSE: the first half, copied"]["items"] == 2 * len(load_examples())
    assert rows["FDD: the first half's mean pose, held"]["value"] > 0


def test_what_cannot_be_measured_is_refused_in_a_sentence(folders, pipeline: Pipeline):
    clips, tracks = folders
    speech = load_sound(load_examples()["delighted"].speech)
    some = [Clip(sorted(clips.iterdir())[0], None)]
    with pytest.raises(InputError, match="talk,matching,style"):
        people.measure(pipeline, some, speech, only=("tales",))
    with pytest.raises(InputError, match="three or more"):
        people.measure(pipeline, some, speech, tracks=tracks, only=("style",))
