"""What people would bring to a corpus, made of the bundled examples: speech with phones, captures.

Each sentence of the examples is cut where its speaker pauses; phrases in another order, in another
voice, are other sentences by other people.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np

from kmspeaker.corpus.lips.visemes import Phone, parse_phones
from kmspeaker.corpus.speech.synthesis import COLUMNS, encode_opus
from kmspeaker.corpus.speech.voices import change_pitch
from kmspeaker.examples import FOLDER
from kmspeaker.face.rig import ARKIT_INDEX
from kmspeaker.media.audio import SAMPLE_RATE, Sound, load_sound
from kmspeaker.reference.performance import Performance

TEXTS = {
    "delighted.wav": "We looked for it everywhere, and it was in my pocket the whole time. "
    "Can you believe it?",
    "delighted.mp4": "Oh, this is wonderful! I never thought we would make it, and here we are!",
    "suspicious.mp4": "So, you were at home, all night? And nobody saw you? How strange.",
}
"""What is said in the English files of the examples."""
PHONES = {
    "delighted.wav": """
        SIL:0.00:0.26 W:0.26:0.34 IY:0.34:0.39 L:0.39:0.45 UH:0.45:0.51 K:0.51:0.57 T:0.57:0.64
        F:0.64:0.69 ER:0.69:0.77 IH:0.77:0.81 T:0.81:0.84 EH:0.84:0.96 V:0.96:1.01 R:1.01:1.06
        IY:1.06:1.12 W:1.12:1.20 EH:1.20:1.30 R:1.30:1.45 AE:1.45:1.71 N:1.71:1.74 D:1.74:1.77
        IH:1.77:1.80 T:1.80:1.83 W:1.83:1.87 AH:1.87:1.90 Z:1.90:1.99 IH:1.99:2.03 N:2.03:2.07
        M:2.07:2.13 AY:2.13:2.23 P:2.23:2.38 AA:2.38:2.48 K:2.48:2.59 AH:2.59:2.64 T:2.64:2.69
        DH:2.69:2.73 AH:2.73:2.76 HH:2.76:2.86 OW:2.86:2.91 L:2.91:3.00 T:3.00:3.11 AY:3.11:3.30
        M:3.30:3.42 SIL:3.42:3.84 K:3.84:3.94 AE:3.94:3.97 N:3.97:4.02 Y:4.02:4.11 UW:4.11:4.15
        B:4.15:4.20 IH:4.20:4.23 L:4.23:4.35 IY:4.35:4.48 V:4.48:4.54 IH:4.54:4.65 T:4.65:4.84
        SIL:4.84:5.24""",
    "delighted.mp4": """
        SIL:0.00:0.41 OW:0.41:0.70 DH:0.70:0.81 IH:0.81:0.87 S:0.87:1.00 IH:1.00:1.06 Z:1.06:1.15
        W:1.15:1.26 AH:1.26:1.30 N:1.30:1.36 D:1.36:1.41 ER:1.41:1.45 F:1.45:1.55 AH:1.55:1.58
        L:1.58:1.73 SIL:1.73:2.15 AY:2.15:2.18 N:2.18:2.24 EH:2.24:2.30 V:2.30:2.35 ER:2.35:2.41
        TH:2.41:2.54 AO:2.54:2.64 T:2.64:2.67 W:2.67:2.71 IY:2.71:2.75 W:2.75:2.78 UH:2.78:2.84
        D:2.84:2.87 M:2.87:2.95 EY:2.95:3.06 K:3.06:3.16 IH:3.16:3.27 T:3.27:3.35 AE:3.35:3.40
        N:3.40:3.43 D:3.43:3.47 HH:3.47:3.56 IY:3.56:3.60 R:3.60:3.67 W:3.67:3.75 IY:3.75:3.85
        AA:3.85:3.97 R:3.97:4.12 SIL:4.12:4.64""",
    "suspicious.mp4": """
        SIL:0.00:0.23 S:0.23:0.34 OW:0.34:0.45 Y:0.45:0.54 UW:0.54:0.60 W:0.60:0.65 ER:0.65:0.74
        AE:0.74:0.77 T:0.77:0.84 HH:0.84:0.93 OW:0.93:1.11 M:1.11:1.21 AO:1.21:1.40 L:1.40:1.47
        N:1.47:1.55 AY:1.55:1.70 T:1.70:1.89 SIL:1.89:2.10 AE:2.10:2.15 N:2.15:2.19 D:2.19:2.23
        N:2.23:2.29 OW:2.29:2.38 B:2.38:2.45 AH:2.45:2.49 D:2.49:2.53 IY:2.53:2.60 S:2.60:2.74
        AO:2.74:2.89 Y:2.89:3.05 UW:3.05:3.20 SIL:3.20:3.38 HH:3.38:3.46 AW:3.46:3.54 S:3.54:3.67
        T:3.67:3.74 R:3.74:3.81 EY:3.81:4.01 N:4.01:4.12 JH:4.12:4.27 SIL:4.27:4.81""",
}
"""When, in seconds."""
CUTS = {"delighted.wav": (3.6,), "delighted.mp4": (1.9,), "suspicious.mp4": (2.0, 3.3)}
"""Seconds, in pauses, between the phrases of a text; each phrase ends a sentence."""
APP_HEADER = (
    "Timecode,BlendShapeCount,EyeBlinkLeft,EyeLookDownLeft,EyeLookInLeft,EyeLookOutLeft,"
    "EyeLookUpLeft,EyeSquintLeft,EyeWideLeft,EyeBlinkRight,EyeLookDownRight,EyeLookInRight,"
    "EyeLookOutRight,EyeLookUpRight,EyeSquintRight,EyeWideRight,JawForward,JawRight,JawLeft,"
    "JawOpen,MouthClose,MouthFunnel,MouthPucker,MouthRight,MouthLeft,MouthSmileLeft,"
    "MouthSmileRight,MouthFrownLeft,MouthFrownRight,MouthDimpleLeft,MouthDimpleRight,"
    "MouthStretchLeft,MouthStretchRight,MouthRollLower,MouthRollUpper,MouthShrugLower,"
    "MouthShrugUpper,MouthPressLeft,MouthPressRight,MouthLowerDownLeft,MouthLowerDownRight,"
    "MouthUpperUpLeft,MouthUpperUpRight,BrowDownLeft,BrowDownRight,BrowInnerUp,BrowOuterUpLeft,"
    "BrowOuterUpRight,CheekPuff,CheekSquintLeft,CheekSquintRight,NoseSneerLeft,NoseSneerRight,"
    "TongueOut,HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw,LeftEyePitch,LeftEyeRoll,RightEyeYaw,"
    "RightEyePitch,RightEyeRoll"
)
"""The first line of a file of the Live Link Face app."""


@dataclass(frozen=True)
class Spoken:
    """Sound at ``SAMPLE_RATE`` with what is said in it, and when."""

    sound: Sound
    text: str
    phones: tuple[Phone, ...]


def spoken_example(file: str = "delighted.wav") -> Spoken:
    """A file of ``TEXTS``."""
    sound = load_sound(FOLDER / file, sample_rate=SAMPLE_RATE)
    return Spoken(sound, TEXTS[file], parse_phones(PHONES[file]))


def phrases() -> list[Spoken]:
    """The parts of the examples between pauses."""
    parts = []
    for file, text in TEXTS.items():
        whole = spoken_example(file)
        edges = (0.0, *CUTS[file], whole.sound.seconds)
        sentences = re.findall(r"\w[^.!?]*[.!?]", text)
        for sentence, start, end in zip(sentences, edges[:-1], edges[1:], strict=True):
            parts.append(_cut(whole, sentence, start, end))
    return parts


def _cut(whole: Spoken, text: str, start: float, end: float) -> Spoken:
    samples = whole.sound.samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
    phones = [
        (name, round(max(first, start) - start, 2), round(min(last, end) - start, 2))
        for name, first, last in whole.phones
        if last > start and first < end
    ]
    return Spoken(Sound(samples, SAMPLE_RATE), text, tuple(phones))


def _join(parts: Sequence[Spoken], pitch: float) -> Spoken:
    phones: list[Phone] = []
    now = 0.0
    for part in parts:
        phones += [(name, now + start, now + end) for name, start, end in part.phones]
        now += part.sound.seconds
    samples = np.concatenate([part.sound.samples for part in parts])
    sound = Sound(change_pitch(samples, pitch), SAMPLE_RATE)
    return Spoken(sound, " ".join(part.text for part in parts), tuple(phones))


def write_data(folder: Path, captured: Sequence[Performance]) -> None:
    """A data folder as a build reads it: some people's speech, some acted speech, some captures."""
    pairs = list(permutations(phrases(), 2))
    texts = (pairs[k] for k in np.random.default_rng(0).permutation(len(pairs)))
    voices = iter(np.linspace(0.85, 1.2, 9))
    for source in ("readers", "talkers", "learners"):
        people = [(f"{source}_{n}", float(next(voices))) for n in range(2)]
        lines = [
            (speaker, _join(next(texts), pitch)) for speaker, pitch in people for _ in range(2)
        ]
        _write_speech(folder / "speech" / source, COLUMNS[:5], [(*line, ()) for line in lines])
    roles = (("clara", "sad"), ("sofia", "neutral"), ("mei", "happy"))
    acted = [
        (f"acted_{role[0]}", _join(next(texts), pitch), role)
        for role, pitch in zip(roles, voices, strict=True)
        for _ in range(4)
    ]
    _write_speech(folder / "speech/acted", COLUMNS, acted)
    captures = folder / "capture/livelink"
    captures.mkdir(parents=True)
    for number, performance in enumerate(captured):
        write_capture(captures / f"{number}.csv", performance)


def _write_speech(
    folder: Path,
    columns: Sequence[str],
    lines: Sequence[tuple[str, Spoken, tuple[str, ...]]],
) -> None:
    (folder / "opus").mkdir(parents=True)
    (folder / "LICENCE").write_text("Apache-2.0\n")
    rows = ["\t".join(columns)]
    for number, (speaker, spoken, role) in enumerate(lines):
        name = f"{folder.name}_{number}"
        (folder / "opus" / f"{name}.opus").write_bytes(encode_opus(spoken.sound))
        phones = " ".join(f"{phone}:{start:.2f}:{end:.2f}" for phone, start, end in spoken.phones)
        seconds = f"{spoken.sound.seconds:.3f}"
        rows.append("\t".join((name, speaker, seconds, spoken.text, phones, *role)))
    (folder / "clips.tsv").write_text("\n".join(rows) + "\n")


def write_capture(path: Path, performance: Performance) -> None:
    """A file as the Live Link Face app writes it at 30 frames/s, with rows that have no face."""
    path.write_text("\n".join(_capture_lines(performance)) + "\n")


def _capture_lines(performance: Performance) -> Iterator[str]:
    yield APP_HEADER
    columns = APP_HEADER.split(",")
    shapes = [ARKIT_INDEX[name[0].lower() + name[1:]] for name in columns[2:54]]
    for frame, weights in enumerate(performance.weights):
        # Sixtieths of a second, of which every other one is written, and thousandths of one.
        second, sixtieth = divmod(2 * frame + 19, 60)
        code = f"12:24:{second:02}:{sixtieth:02}.960"
        if performance.present[frame]:
            numbers = [*weights[shapes], *performance.head[frame], *np.zeros(6)]
            yield ",".join((code, "61", *(f"{number:.10f}" for number in numbers)))
        else:
            yield f"{code},0"
