"""The actors speak: ``python -m kmspeaker.corpus.speech.synthesis -o DATA/speech/acted``.

Place in the flow: it makes a folder of speech as ``voices`` reads it, with two columns more, the
actor and the state. Each clip is finished on its own, so that the command can be stopped and run
again; a clip is made anew where its line, voice or pace has changed.
"""

import argparse
import csv
import hashlib
import io
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from tqdm import tqdm

from kmspeaker.corpus.lips.visemes import SILENCE, Phone
from kmspeaker.corpus.speech.forced_alignment import Aligner
from kmspeaker.corpus.speech.kokoro import Kokoro
from kmspeaker.corpus.speech.sentences import Line, deal_lines
from kmspeaker.errors import InputError
from kmspeaker.media.audio import SAMPLE_RATE, Sound, load_sound
from kmspeaker.media.files import replacing

VOICES: Mapping[str, Mapping[str, float]] = {
    "clara": {"af_heart": 1.0},
    "amara": {"af_nova": 0.6, "bf_alice": 0.4},
    "hana": {"jf_alpha": 0.5, "af_sky": 0.5},
    "ingrid": {"bf_isabella": 0.6, "af_aoede": 0.4},
    "noah": {"am_puck": 1.0},
    "malik": {"am_onyx": 0.6, "am_michael": 0.4},
    "karim": {"am_fenrir": 0.55, "hm_omega": 0.45},
    "victor": {"bm_lewis": 0.55, "am_eric": 0.45},
    "sofia": {"bf_emma": 0.55, "ef_dora": 0.45},
    "mei": {"af_bella": 0.55, "zf_xiaobei": 0.45},
    "kenji": {"jm_kumo": 0.45, "am_liam": 0.55},
    "samuel": {"bm_george": 0.6, "am_adam": 0.4},
}
"""Kokoro's voices and their shares."""
TEMPO: Mapping[str, float] = {
    "clara": 1.0, "amara": 0.97, "hana": 1.04, "ingrid": 1.02, "noah": 1.05, "malik": 0.95,
    "karim": 1.03, "victor": 0.96, "sofia": 1.0, "mei": 1.03, "kenji": 1.0, "samuel": 0.96,
}  # fmt: skip
PACE: Mapping[str, float] = {
    "neutral": 1.0,
    "angry": 1.12,
    "fear": 1.14,
    "happy": 1.08,
    "disgust": 0.96,
    "sad": 0.84,
    "surprise": 1.08,
    "authority": 0.9,
}
"""How fast a state speaks."""
VARIATION = 0.04
"""Standard deviation of the pace from line to line, as a share."""
LOUDNESS, PEAK = 0.07, 0.9
"""Root mean square of the sound where there is speech, and the most any sample may reach."""
BIT_RATE = 24_000
LONGEST_PHONE = 0.7
"""Seconds; a longer one means that the words and the sound do not lie on each other."""
COLUMNS = (
    "clip", "speaker", "seconds", "text", "phones (ARPABET:start:end, s)", "actor", "emotion",
)  # fmt: skip
LICENCE = "Apache-2.0"
"""Of the synthesiser and its voices; the sentences are this project's own."""


@dataclass(frozen=True)
class Task:
    """A line to be spoken."""

    line: Line
    speed: float
    folder: Path
    kokoro: Path

    @property
    def key(self) -> str:
        """Changes with everything the clip depends on."""
        voice = sorted(VOICES[self.line.actor].items())
        content = json.dumps([*astuple(self.line), round(self.speed, 4), voice])
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    @property
    def sound(self) -> Path:
        """The clip's file."""
        return self.folder / "opus" / f"{self.line.name}.opus"

    @property
    def record(self) -> Path:
        """The clip's seconds and phones, written when its sound is whole."""
        return self.folder / "made" / f"{self.line.name}.json"


@dataclass(frozen=True)
class SynthesizedClip:
    """A finished clip, or why there is none."""

    line: Line
    seconds: float = 0.0
    phones: tuple[Phone, ...] = ()
    dropped: str = ""

    @property
    def row(self) -> tuple[str, ...]:
        """As it stands in ``clips.tsv``."""
        phones = " ".join(f"{name}:{start:.2f}:{end:.2f}" for name, start, end in self.phones)
        speaker, seconds = f"acted_{self.line.actor}", f"{self.seconds:.3f}"
        return (
            self.line.name, speaker, seconds, self.line.text, phones,
            self.line.actor, self.line.state,
        )  # fmt: skip


def plan_tasks(folder: Path, kokoro: Path, *, seed: int = 0) -> tuple[Task, ...]:
    """Every line with the speed at which it is said."""
    tasks = []
    for line in deal_lines():
        drawn = np.random.default_rng([seed, *line.name.encode()]).standard_normal()
        pace = TEMPO[line.actor] * PACE[line.state] * (1 + VARIATION * np.clip(drawn, -2, 2))
        tasks.append(Task(line, float(pace), folder, kokoro))
    return tuple(tasks)


def synthesise(tasks: Sequence[Task], *, jobs: int = 1) -> Iterator[SynthesizedClip]:
    """Make what is not made yet; yields each clip as it is finished, those that were there first.

    Raises:
        InputError: The synthesiser is missing.
    """
    waiting = []
    for task in tasks:
        clip = _read_record(task)
        if clip is None:
            waiting.append(task)
        else:
            yield clip
    if jobs == 1:
        yield from map(make_clip, waiting)
    else:
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            yield from pool.map(make_clip, waiting)


def make_clip(task: Task) -> SynthesizedClip:
    """Speak, write, listen again and align; only then is the clip recorded as made.

    Raises:
        InputError: The synthesiser is missing.
    """
    line = task.line
    kokoro, aligner = _kokoro(task.kokoro), _aligner()
    speech = kokoro.speak(line.text, kokoro.voice(VOICES[line.actor]), speed=task.speed)
    try:
        _write(task.sound, encode_opus(level_loudness(speech.resampled(SAMPLE_RATE))))
        sound = load_sound(task.sound, sample_rate=SAMPLE_RATE)
        phones = _check_phones(aligner.align(sound.samples, line.text))
        clip = SynthesizedClip(line, sound.seconds, phones)
    except InputError as error:
        clip = SynthesizedClip(line, dropped=str(error))
        task.sound.unlink(missing_ok=True)
    record = {
        "key": task.key,
        "seconds": clip.seconds,
        "phones": clip.phones,
        "dropped": clip.dropped,
    }
    _write(task.record, json.dumps(record).encode())
    return clip


def write_index(folder: Path, clips: Sequence[SynthesizedClip]) -> None:
    """``clips.tsv`` and ``LICENCE``; clips that were dropped are not in it."""
    text = io.StringIO()
    rows = csv.writer(text, delimiter="\t", quoting=csv.QUOTE_NONE, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows(sorted(clip.row for clip in clips if not clip.dropped))
    _write(folder / "LICENCE", f"{LICENCE}\n".encode())
    _write(folder / "clips.tsv", text.getvalue().encode())


def level_loudness(sound: Sound) -> Sound:
    """As loud as every other clip: ``LOUDNESS`` where there is speech, and never clipped."""
    size = sound.sample_rate // 50
    pieces = sound.samples[: len(sound) // size * size].reshape(-1, size)
    levels = np.sqrt((pieces**2).mean(1))
    spoken = levels[levels > 0.1 * levels.max(initial=0)]
    if not len(spoken):
        raise InputError("Got silence from the synthesiser; reinstall it.")
    gain = min(LOUDNESS / float(spoken.mean()), PEAK / float(np.abs(sound.samples).max()))
    return Sound(sound.samples * np.float32(gain), sound.sample_rate)


def encode_opus(sound: Sound) -> bytes:
    """An Opus file; the same sound gives the same bytes."""
    file = io.BytesIO()
    with av.open(file, "w", format="ogg", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libopus", rate=sound.sample_rate, layout="mono")
        stream.bit_rate = BIT_RATE
        frame = AudioFrame.from_ndarray(sound.samples[None], "flt", "mono")
        frame.sample_rate = sound.sample_rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def _check_phones(phones: tuple[Phone, ...]) -> tuple[Phone, ...]:
    for name, start, end in phones:
        if name != SILENCE and end - start > LONGEST_PHONE:
            raise InputError(f"Got a phone {name} of {end - start:.2f} s at {start:.2f} s.")
    return phones


def _read_record(task: Task) -> SynthesizedClip | None:
    try:
        record = json.loads(task.record.read_bytes())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    if record["key"] != task.key or not (record["dropped"] or task.sound.is_file()):
        return None
    phones = tuple((str(name), float(start), float(end)) for name, start, end in record["phones"])
    return SynthesizedClip(task.line, record["seconds"], phones, record["dropped"])


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as unfinished:
        unfinished.write_bytes(content)


@cache
def _kokoro(folder: Path) -> Kokoro:
    return Kokoro(folder)


@cache
def _aligner() -> Aligner:
    return Aligner()


def main() -> int:
    """Speak all lines, or those that are missing, and write the index."""
    parser = argparse.ArgumentParser(
        prog="python -m kmspeaker.corpus.speech.synthesis",
        description="Let the actors speak their lines; run again to resume.",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the clips")
    parser.add_argument(
        "--kokoro",
        type=Path,
        default=Path("node_modules/kokoro-js"),
        help="folder of the unpacked npm package kokoro-js (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    arguments = parser.parse_args()
    began = time.monotonic()
    clips: list[SynthesizedClip] = []
    try:
        Kokoro(arguments.kokoro)
        tasks = plan_tasks(arguments.output, arguments.kokoro, seed=arguments.seed)
        for clip in tqdm(synthesise(tasks, jobs=arguments.jobs), total=len(tasks), unit="clip"):
            clips.append(clip)
        write_index(arguments.output, clips)
    except InputError as error:
        sys.stderr.write(f"kmspeaker.corpus.speech.synthesis: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("kmspeaker.corpus.speech.synthesis: stopped; run it again to resume.\n")
        return 130
    usable = [clip for clip in clips if not clip.dropped]
    sys.stdout.write(
        f"{arguments.output}: {len(usable)} clips, {sum(clip.seconds for clip in usable) / 60:.1f} "
        f"minutes of {len(Counter(clip.line.actor for clip in usable))} actors, in "
        f"{time.monotonic() - began:.0f} s; {len(clips) - len(usable)} dropped\n"
    )
    for clip in clips:
        if clip.dropped:
            sys.stdout.write(f"  {clip.line.name}: {clip.dropped}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
