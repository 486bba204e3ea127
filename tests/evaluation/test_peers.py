"""Other people's lip sync: what of it lies with us, and what happens where it is not installed.

None of it is installed where these run in CI. Node.js runs tiny packages made here in their stead;
calls of the real ones skip where they are absent.
"""

import json
import shutil
from importlib.metadata import PackageNotFoundError
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tiny_model import some_weights

from kmspeaker.errors import InputError
from kmspeaker.evaluation.bench import run
from kmspeaker.evaluation.bench.page import MARKDOWN
from kmspeaker.evaluation.bench.trials import Trial, TrialSet
from kmspeaker.evaluation.bench.wanted import Bench
from kmspeaker.evaluation.peers import (
    PEERS,
    __main__,
    headaudio,
    node,
    openfacefx,
    rhubarb,
    wlipsync,
)
from kmspeaker.evaluation.peers.peer import Peer, columns_of, frames_of, on_arkit
from kmspeaker.evaluation.peers.visemes import OCULUS
from kmspeaker.examples import load_examples
from kmspeaker.face.rig import ARKIT_INDEX, ARKIT_NAMES, FaceModel
from kmspeaker.media.audio import SAMPLE_RATE, Sound, load_sound
from kmspeaker.reference.performance import Performance

FPS = 30.0
MOUTH = np.array([name.startswith(("jaw", "mouth", "tongue")) for name in ARKIT_NAMES])
TONE = Sound(np.sin(np.arange(SAMPLE_RATE) * 0.1).astype(np.float32) / 2, SAMPLE_RATE)
"""A second."""
NPM = {"rhubarb": rhubarb.PACKAGE, "wlipsync": wlipsync.PACKAGE, "headaudio": headaudio.PACKAGE}

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty one."""
    monkeypatch.setenv("KMSPEAKER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def put_package(cache: Path, package: node.NodePackage, files: dict[str, str]) -> None:
    folder = cache / "node" / "node_modules" / package.name
    written = {"package.json": '{"type": "module", "version": "9.8.7"}', **files}
    for name, text in written.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def talk() -> TrialSet:
    """Two people who say a second each."""
    trials = [
        Trial(
            name,
            name,
            np.zeros((30, 6), np.float32),
            Performance.from_weights(some_weights(30), FPS),
            some_weights(30, seed),
            loudness=np.linspace(0, 1, 30),
            sound=TONE,
        )
        for seed, name in enumerate(("she", "he"))
    ]
    return TrialSet("people", "clips", "made up", tuple(trials), "none")


class TestMapping:
    def test_a_shape_without_a_side_is_both_sides_and_one_with_a_side_is_itself(self):
        assert [ARKIT_NAMES[k] for k in columns_of("mouthPress")] == [
            "mouthPressLeft",
            "mouthPressRight",
        ]
        assert columns_of("mouthLeft") == [ARKIT_INDEX["mouthLeft"]]

    def test_shapes_add_up_within_their_bounds(self):
        curves = {"a": np.array([0.0, 0.5, 1.0]), "b": np.array([0.0, 0.5, 1.0])}
        shapes = {"a": {"jawOpen": 0.5}, "b": {"jawOpen": 0.9, "mouthPress": 0.2}}
        weights = on_arkit({**curves, "unknown": np.ones(3)}, shapes)
        np.testing.assert_allclose(weights[:, ARKIT_INDEX["jawOpen"]], [0, 0.7, 1.0], atol=1e-6)
        np.testing.assert_allclose(weights[:, ARKIT_INDEX["mouthPressRight"]], [0, 0.1, 0.2])
        assert (weights != 0).any(axis=0).sum() == 3

    @pytest.mark.parametrize("shapes", [OCULUS, rhubarb.MOUTHS, wlipsync.VOWELS])
    def test_every_table_moves_the_mouth_alone(self, shapes):
        assert not on_arkit({name: np.ones(1) for name in shapes}, shapes)[0, ~MOUTH].any()

    def test_there_are_the_fifteen_visemes_of_oculus_and_five_of_them_are_vowels(self):
        assert len(OCULUS) == 15
        assert {id(shape) for shape in wlipsync.VOWELS.values()} == {
            id(OCULUS[vowel]) for vowel in ("aa", "E", "I", "O", "U")
        }


class TestRhubarb:
    def test_its_mouths_are_as_wide_as_its_manual_says(self, face: FaceModel):
        opening = {
            name: float((on_arkit({name: np.ones(1)}, rhubarb.MOUTHS) @ face.lip_opening)[0])
            for name in rhubarb.MOUTHS
        }
        assert opening["X"] == 0 and -1 < opening["A"] <= 0
        assert opening["A"] < opening["B"] < opening["C"] <= opening["H"] < opening["D"]
        assert opening["E"] <= opening["C"] and opening["G"] < opening["B"]

    def test_a_mouth_is_shown_until_the_next_begins_and_the_idle_one_before_the_first(self):
        # As recorded: the ends that it states overlap, so that only beginnings count.
        cues = [(0.1, "F"), (0.2, "C"), (0.2, "B"), (0.3, "D")]
        jaw = rhubarb.weights_of(cues, 5, 10.0)[:, ARKIT_INDEX["jawOpen"]]
        shown = [rhubarb.MOUTHS[mouth].get("jawOpen", 0) for mouth in "XFBDD"]
        np.testing.assert_allclose(jaw, shown, atol=1e-6)

    def test_no_cue_is_a_closed_mouth(self):
        assert not rhubarb.weights_of([], 4, FPS).any()

    @needs_node
    def test_it_is_given_16_bits_at_16_kHz_and_may_talk_while_it_works(self, cache: Path):
        code = """console.log("[DEBUG] busy");
        export const Rhubarb = { getLipSync: async (pcm) => {
          console.log("more");
          const most = Math.max(...new Int16Array(pcm.buffer, pcm.byteOffset, pcm.length / 2));
          return { mouthCues: [{ start: 0, value: most > 16000 ? "D" : "X" },
                               { start: pcm.length / 2 / 16000 / 2, value: "A" }] };
        } };"""
        put_package(cache, rhubarb.PACKAGE, {"dist/index.js": code})
        assert PEERS["rhubarb"].version() == "9.8.7"
        jaw = rhubarb.curves(TONE, FPS)[:, ARKIT_INDEX["jawOpen"]]
        np.testing.assert_allclose(jaw, np.repeat([0.7, 0], 15), atol=1e-6)


class TestWorklets:
    @needs_node
    def test_headaudio_hears_all_sound_until_100_ms_after_a_frame(self, cache: Path):
        worklet = """
        class Counter extends AudioWorkletProcessor {
          static get parameterDescriptors() { return [{ name: "size", defaultValue: 128 }]; }
          heard = 0;
          process([[block]], outputs, { size }) {
            this.heard += block.length;
            if (block.length !== size[0]) throw new Error("another size");
            this.port.postMessage(this.heard / sampleRate);
            return true;
          }
        }
        registerProcessor("counter", Counter);"""
        library = """
        export class HeadAudio extends AudioWorkletNode {
          visemeNames = ["viseme_sil", "viseme_aa"];
          constructor(context) {
            super(context, "counter", {});
            this.port.onmessage = ({ data }) => { this.seconds = data; };
          }
          async loadModel(url) { this.model = (await (await fetch(url)).arrayBuffer()).byteLength; }
          update(milliseconds) {
            if (Math.abs(milliseconds - 1000 / 30) > 1e-9 || this.model !== 3) throw new Error();
            this.onvalue("viseme_aa", this.seconds);
          }
        }"""
        files = {"modules/headworklet.mjs": worklet, "modules/headaudio.mjs": library}
        put_package(cache, headaudio.PACKAGE, {**files, "dist/model-en-mixed.bin": "abc"})
        jaw = headaudio.curves(TONE, FPS)[:, ARKIT_INDEX["jawOpen"]] / 0.6
        heard = np.arange(30) / FPS + headaudio.DELAY
        assert ((heard - 128 / node.BROWSER_RATE - 1e-6 <= jaw) & (jaw <= heard + 1e-6)).all()

    def test_the_profile_of_wlipsync_is_whole(self):
        profile = json.loads(Path(wlipsync.__file__).with_suffix(".json").read_text())
        entries = profile["mfccs"]
        assert {entry["name"] for entry in entries} == set(wlipsync.VOWELS)
        assert len(entries) >= profile["mfccNum"], "it compares no more coefficients than entries"
        rows = [
            [record["array"] for record in entry["mfccCalibrationDataList"]] for entry in entries
        ]
        assert np.array(rows).shape == (len(entries), profile["mfccDataCount"], profile["mfccNum"])

    @pytest.mark.parametrize(
        "answer",
        [
            {},
            {"names": ["A"], "rows": [[0.0]]},
            {"names": ["A"], "rows": [[0.0], [None]]},
            {"names": ["A", "B"], "rows": [[0.0], [1.0]]},
        ],
    )
    def test_curves_of_another_shape_are_refused(self, answer: dict):
        with pytest.raises(InputError, match="from a peer's script"):
            node.curves_of(answer, 2)


class TestOpenFaceFX:
    def test_pocketsphinx_hears_phones_one_after_the_other(self):
        pytest.importorskip("pocketsphinx", reason="it comes with requirements-train.txt")
        sound = load_sound(load_examples()["delighted"].speech, sample_rate=SAMPLE_RATE)
        phones = openfacefx.recognise(Sound(sound.samples[:SAMPLE_RATE], SAMPLE_RATE))
        assert len(phones) > 3
        assert all(start < end for start, end, _ in phones)
        assert all(a[1] == b[0] for a, b in pairwise(phones))
        assert {name for *_, name in phones} - {"sil"}

    def test_lips_meet_on_a_p_and_part_on_a_vowel(self, face: FaceModel):
        pytest.importorskip("openfacefx", reason="it comes with requirements-peers.txt")
        phones = ((0.0, 0.3, "AA"), (0.3, 0.5, "P"), (0.5, 0.8, "AA"), (0.8, 2.0, "sil"))
        weights = openfacefx.weights_of(phones, 60, FPS)
        opening = weights @ face.lip_opening
        assert opening[12] < 2 < opening[4] and opening[12] < 2 < opening[19]
        assert abs(opening[-1]) < 1 and not weights[:, ~MOUTH].any()

    def test_what_is_missing_is_named(self, monkeypatch: pytest.MonkeyPatch):
        def version(name: str) -> str:
            raise PackageNotFoundError(name)

        monkeypatch.setattr(openfacefx, "version", version)
        with pytest.raises(InputError, match=r"no package openfacefx.*requirements-peers\.txt"):
            openfacefx.curves(TONE, FPS)


class TestWhereAPeerIsMissing:
    @pytest.mark.parametrize("name", NPM)
    def test_one_sentence_says_how_to_fetch_it(self, name: str, cache: Path):
        for ask in (PEERS[name].version, lambda: PEERS[name].curves(TONE, FPS)):
            with pytest.raises(InputError, match=f"no npm package {NPM[name].name}.*peers install"):
                ask()

    def test_listing_fetches_nothing(self, cache: Path, capsys, monkeypatch):
        monkeypatch.setattr("sys.argv", ["peers"])
        monkeypatch.setattr(node.subprocess, "run", None)
        assert __main__.main() == 0
        assert capsys.readouterr().out.count("peers install") == 3 and not cache.exists()

    def test_npm_fetches_what_is_stated_and_runs_nothing_of_it(self, cache, capsys, monkeypatch):
        asked = []

        def npm(command: list[str], check: bool):
            asked.append(command)
            return type("Finished", (), {"returncode": len(asked) - 1})

        monkeypatch.setattr(node.shutil, "which", lambda name: f"/bin/{name}")
        monkeypatch.setattr(node.subprocess, "run", npm)
        monkeypatch.setattr("sys.argv", ["peers", "install"])
        assert __main__.main() == 0
        assert __main__.main() == 2 and "npm could not fetch" in capsys.readouterr().err
        assert "--ignore-scripts" in asked[0] and str(cache / "node") in asked[0]
        assert {f"{one.name}@{one.version}" for one in NPM.values()} <= set(asked[0])

    @needs_node
    def test_a_package_that_fails_is_said_with_its_last_words(self, cache: Path):
        put_package(cache, rhubarb.PACKAGE, {"dist/index.js": 'throw new Error("no wasm here");'})
        with pytest.raises(InputError, match="rhubarb-lip-sync-wasm failed and said"):
            rhubarb.curves(TONE, FPS)

    def test_the_report_says_so_and_has_the_rest(self, cache, face, tmp_path, monkeypatch):
        def nods(sound: Sound, fps: float) -> np.ndarray:
            weights = np.zeros((frames_of(sound, fps), 52), np.float32)
            weights[::3, ARKIT_INDEX["jawOpen"]] = 1
            return weights

        nodding = Peer("nodding", nods, lambda: "1.0", "Nodding: opens its mouth in every third.")
        monkeypatch.setitem(PEERS, "nodding", nodding)  # pyright: ignore[reportArgumentType]
        monkeypatch.setattr(run, "trial_sets", lambda *_: [talk()])
        (tmp_path / "a.mp4").touch()
        bench = Bench(("nodding", "rhubarb"), clips=(tmp_path,), seeds=(0,), pictures=False)
        outcome = run.run_bench(bench, tmp_path / "report")
        assert len(outcome.faults) == 1 and outcome.faults[0].startswith("rhubarb: Got no npm")
        text = (tmp_path / "report" / MARKDOWN).read_text()
        tables = [line for line in text.splitlines() if line.startswith("|")]
        assert any(line.startswith("| nodding | ") for line in tables)
        assert any(line.startswith("| loudness | ") for line in tables)
        assert not any("rhubarb" in line for line in tables) and "Got no npm package" in text
        assert nodding.note in text

    def test_a_peer_has_its_one_protocol(self, cache, face, tmp_path, monkeypatch):
        silent = Peer("silent", lambda sound, fps: np.zeros((1, 52)), lambda: "1.0", "Silent.")
        monkeypatch.setitem(PEERS, "silent", silent)  # pyright: ignore[reportArgumentType]
        monkeypatch.setattr(run, "trial_sets", lambda *_: [])
        with pytest.raises(InputError, match="silent: Got no trials of the protocol people"):
            run.run_bench(Bench(("silent",), clips=(tmp_path,)), tmp_path / "report")

    def test_a_take_of_another_length_is_a_fault_of_the_peer(self, cache, tmp_path, monkeypatch):
        short = Peer("short", lambda sound, fps: np.zeros((1, 52)), lambda: "1.0", "Short.")
        monkeypatch.setitem(PEERS, "short", short)  # pyright: ignore[reportArgumentType]
        monkeypatch.setattr(run, "trial_sets", lambda *_: [talk()])
        outcome = run.run_bench(
            Bench(("short",), clips=(tmp_path,), pictures=False), tmp_path / "report"
        )
        assert [fault.split(":")[0] for fault in outcome.faults[-1:]] == ["short, people-clips"]


@needs_node
@pytest.mark.parametrize("name", NPM)
def test_the_real_one_closes_its_mouth_in_silence(name: str, face: FaceModel):
    try:
        PEERS[name].version()
    except InputError as error:
        pytest.skip(str(error))
    weights = PEERS[name].curves(Sound(np.zeros(SAMPLE_RATE, np.float32), SAMPLE_RATE), FPS)
    assert weights.shape == (30, 52)
    assert np.abs(weights @ face.lip_opening).max() < 0.2
