"""Make `assets/examples/`: the speech and the reference videos of the page's two examples.

Nothing here was recorded of anyone: voices are Kokoro's, faces are our own heads playing scripted
performances. The synthesiser is the corpus's, with what `requirements-voices.txt` names.

python -m scripts.build_examples [--kokoro KOKORO]

Without it the voices stay as they are and only the pictures are drawn anew: after a change of head.
"""

# ruff: noqa: RUF001 - phonetic letters look like others and are meant

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from kmspeaker.corpus.lips.coarticulation import Articulation, articulate
from kmspeaker.corpus.lips.contacts import keep_contacts
from kmspeaker.corpus.lips.visemes import Phone
from kmspeaker.corpus.performances.upper_face import pose
from kmspeaker.corpus.speech.forced_alignment import Aligner
from kmspeaker.corpus.speech.kokoro import Kokoro
from kmspeaker.export.render import HeadRenderer
from kmspeaker.face.contacts import Contacts
from kmspeaker.face.rig import ARKIT_INDEX, FaceModel
from kmspeaker.media.audio import SAMPLE_RATE, Sound, load_sound, write_wav
from kmspeaker.media.video_writer import write_video

EXAMPLES = Path(__file__).parent.parent / "assets" / "examples"
FPS = 30.0
DRAWN, CROP = 520, (44, 14, 476, 446)  # pixels of the renderer's picture, the part shown
PORTRAIT_SIZE = 112
PEAK = 0.8  # of the voices, where the loudest possible is 1
SPANISH = "i tˈu, dˈonde estˈaβas anˈoʧe? nˈaðje te ˈa βˈisto. kˈe rˈaɾo!"
"""¿Y tú, dónde estabas anoche? Nadie te ha visto. ¡Qué raro!"""

Keys = dict[str, list[tuple[float, float]]]
"""For each shape (both sides where none is named) its height at moments of the clip, 0 to 1."""


@dataclass(frozen=True)
class Performance:
    """What a head plays for a reference video."""

    identity: str
    voice: str
    line: str
    articulation: Articulation
    expression: dict[str, float]
    """The expression throughout."""
    keys: Keys
    blinks: tuple[float, ...]


@dataclass(frozen=True)
class Scene:
    """One example of the page."""

    name: str
    title: str
    line: str
    voice: str
    speech: str
    """English, or ``SPANISH``."""
    performance: Performance
    use: str
    identity: str
    seed: int


SCENES = (
    Scene(
        name="delighted",
        title="Delighted",
        line="English, in the style of a happy woman",
        voice="af_heart",
        speech="We looked for it everywhere, and it was in my pocket the whole time. "
        "Can you believe it?",
        performance=Performance(
            identity="sofia",
            voice="af_bella",
            line="Oh, this is wonderful! I never thought we would make it, and here we are!",
            articulation=Articulation(jaw=1.0, lips=1.1, spread=1.5, rest=1.0),
            expression={
                "mouthSmile": 0.65,
                "cheekSquint": 0.6,
                "eyeSquint": 0.15,
                "mouthUpperUp": 0.08,
            },
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
        voice="em_alex",
        speech=SPANISH,
        performance=Performance(
            identity="victor",
            voice="bm_george",
            line="So, you were at home, all night? And nobody saw you? How strange.",
            articulation=Articulation(jaw=0.8, lips=0.95, spread=0.8, asymmetry=0.25, rest=0.9),
            expression={
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
    parser.add_argument("--kokoro", type=Path, help="folder of the unpacked npm package kokoro-js")
    folder = parser.parse_args().kokoro
    kokoro = Kokoro(folder) if folder is not None else None
    face = FaceModel.load()
    (EXAMPLES / "people").mkdir(parents=True, exist_ok=True)
    for identity in face.identities:
        with HeadRenderer(face, identity, 512, 512, yaw=14.0) as renderer:
            picture = Image.fromarray(renderer.frame(pose({"mouthSmile": 0.12}).astype(np.float32)))
        middle = picture.crop((86, 30, 426, 370)).resize((PORTRAIT_SIZE, PORTRAIT_SIZE))
        middle.save(EXAMPLES / "people" / f"{identity}.webp", quality=82)
    examples = []
    for scene in SCENES:
        performance = scene.performance
        if kokoro is not None:
            write_wav(EXAMPLES / f"{scene.name}.wav", speak(kokoro, scene.voice, scene.speech))
            sound = speak(kokoro, performance.voice, performance.line)
        else:
            sound = load_sound(EXAMPLES / f"{scene.name}.mp4")
        render_video(face, performance, sound, scene.name)
        examples.append(
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
    (EXAMPLES / "examples.json").write_text(json.dumps(examples, indent=1) + "\n")
    total = sum(path.stat().st_size for path in EXAMPLES.rglob("*") if path.is_file())
    print(f"{EXAMPLES}: {total:,} bytes")


def speak(kokoro: Kokoro, voice: str, speech: str) -> Sound:
    """One voice, as loud as every other."""
    say = kokoro.pronounce if speech == SPANISH else kokoro.speak
    sound = say(speech, kokoro.voice({voice: 1.0}))
    return Sound(sound.samples * np.float32(PEAK / np.abs(sound.samples).max()), sound.sample_rate)


def render_video(face: FaceModel, performance: Performance, sound: Sound, name: str) -> None:
    """Render the performance with its own voice."""
    phones = Aligner().align(sound.resampled(SAMPLE_RATE).samples, performance.line)
    weights = keep_contacts(
        Contacts.of(face), play(performance, phones, sound.seconds), phones, FPS
    )
    with HeadRenderer(face, performance.identity, DRAWN, DRAWN, yaw=4.0) as renderer:
        frames = [crop_picture(renderer.frame(each)) for each in weights]
    write_video(EXAMPLES / f"{name}.mp4", frames, FPS, sound)
    still = Image.fromarray(frames[round(0.42 * len(frames))])
    still.crop((26, 10, 426, 410)).resize((PORTRAIT_SIZE, PORTRAIT_SIZE)).save(
        EXAMPLES / f"{name}.webp", quality=82
    )
    print(f"{name}: {sound.seconds:.1f} s, {len(frames)} frames")


def crop_picture(picture: np.ndarray) -> np.ndarray:
    left, top, right, bottom = CROP
    return np.ascontiguousarray(picture[top:bottom, left:right])


def play(performance: Performance, phones: tuple[Phone, ...], seconds: float):
    """ARKit weights (frames, 52) of a scripted performance."""
    weights = articulate(phones, seconds, fps=FPS, articulation=performance.articulation)
    times = np.arange(len(weights)) / FPS
    weights = weights + pose(performance.expression)
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


if __name__ == "__main__":
    main()
