"""Real people's motion for the corpus: upper faces to replay, and lips that came with their sound.

Place in the flow: read once by ``build``. Captured upper faces have no sound; played on other
speech, mirrored, stretched and mixed from different moments, they teach that the upper face is not
to be guessed from the voice. Lips come from FACEGOOD's captures here, and from ``videos``.
"""

import gzip
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64

from kmspeaker.corpus.lips.visemes import Phone
from kmspeaker.corpus.speech.voices import licence_of
from kmspeaker.errors import InputError
from kmspeaker.face.interpolation import sample_rows
from kmspeaker.face.rig import ARKIT_INDEX, ARKIT_NAMES, UPPER_SHAPES
from kmspeaker.media.audio import SAMPLE_RATE, load_sound
from kmspeaker.reference.live_link import read_live_link

BROWS = np.array([name.startswith(("brow", "noseSneer")) for name in ARKIT_NAMES])
EYES = UPPER_SHAPES & ~BROWS
TALK = 0.6
"""Share of replayed upper faces that are of people who talk, where there are any."""
FACEGOOD_RATE = 30.0
FACEGOOD_SHAPES: dict[str, tuple[tuple[str, float], ...]] = {
    "mouth_stretch_c": (("jawOpen", 0.62),),
    "mouth_oh_c": (("mouthFunnel", 0.35), ("mouthPucker", 0.25), ("jawOpen", 0.10)),
    "mouth_oo_c": (("mouthPucker", 0.6), ("mouthFunnel", 0.2)),
    "mouth_funnel_dl": (("mouthFunnel", 0.25),),
    "mouth_funnel_dr": (("mouthFunnel", 0.25),),
    "mouth_funnel_ul": (("mouthFunnel", 0.25),),
    "mouth_funnel_ur": (("mouthFunnel", 0.25),),
    "mouth_pucker_l": (("mouthPucker", 0.5),),
    "mouth_pucker_r": (("mouthPucker", 0.5),),
    "mouth_lipCornerPull_l": (("mouthSmileLeft", 1.0),),
    "mouth_lipCornerPull_r": (("mouthSmileRight", 1.0),),
    "mouth_lipStretch_l": (("mouthStretchLeft", 1.0),),
    "mouth_lipStretch_r": (("mouthStretchRight", 1.0),),
    "mouth_lowerLipDepress_l": (("mouthLowerDownLeft", 1.0),),
    "mouth_lowerLipDepress_r": (("mouthLowerDownRight", 1.0),),
    "mouth_upperLipRaise_l": (("mouthUpperUpLeft", 1.0),),
    "mouth_upperLipRaise_r": (("mouthUpperUpRight", 1.0),),
    "mouth_press_l": (("mouthPressLeft", 0.5),),
    "mouth_press_r": (("mouthPressRight", 0.5),),
    "mouth_suck_dl": (("mouthRollLower", 0.5),),
    "mouth_suck_dr": (("mouthRollLower", 0.5),),
    "mouth_suck_ul": (("mouthRollUpper", 0.5),),
    "mouth_suck_ur": (("mouthRollUpper", 0.5),),
    "mouth_chinRaise_u": (("mouthShrugUpper", 1.0),),
}
"""FACEGOOD's moving channels on our rig: its own map, with gains set by eye on both heads."""


@dataclass(frozen=True)
class UpperFaces:
    """Captured performances at one rate, only their upper faces."""

    performances: tuple[Float32[np.ndarray, "_ 52"], ...]
    talkers: tuple[Float32[np.ndarray, "_ 52"], ...] = ()

    @classmethod
    def read(
        cls, folder: Path, fps: float, talkers: Sequence[Float32[np.ndarray, "_ 52"]] = ()
    ) -> "UpperFaces":
        """All Live Link Face files of a folder, gzipped or not, resampled to ``fps``.

        ``talkers`` are upper faces of people who talk, at ``fps``, of which ``TALK`` of the replays
        are: how brows and lids move in talk is not how they move when they are shown.

        Raises:
            InputError: There are none.
        """
        paths = sorted(path for path in folder.glob("*.csv*") if path.suffix in (".csv", ".gz"))
        if not paths:
            raise InputError(f"Got no Live Link Face .csv in {folder}; put at least one there.")
        shown = tuple(_upper_only(path, fps) for path in paths)
        return cls(shown, tuple(weights * UPPER_SHAPES for weights in talkers))

    def replay(self, rng: np.random.Generator, frames: int) -> Float64[np.ndarray, "frames 52"]:
        """An upper face that nobody has played: brows of one moment with eyes of another."""
        whole = self._moment(rng, frames)
        if rng.random() < 0.5:
            return whole * (BROWS * rng.uniform(0.6, 1.3) + EYES * rng.uniform(0.85, 1.1))
        other = self._moment(rng, frames)
        return whole * BROWS * rng.uniform(0.6, 1.3) + other * EYES * rng.uniform(0.85, 1.1)

    def _moment(self, rng: np.random.Generator, frames: int) -> Float64[np.ndarray, "frames 52"]:
        talk = self.talkers and rng.random() < TALK
        performances = self.talkers if talk else self.performances
        lengths = np.array([len(weights) for weights in performances], float)
        weights = performances[rng.choice(len(lengths), p=lengths / lengths.sum())]
        pace = rng.uniform(0.8, 1.25)
        # Forwards and back again, so that a short performance has no seam.
        turn = 2 * (len(weights) - 1)
        position = (rng.uniform(0, len(weights) - 1) + pace * np.arange(frames)) % turn
        position = np.where(position > len(weights) - 1, turn - position, position)
        below = position.astype(int)
        share = (position - below)[:, None]
        above = np.minimum(below + 1, len(weights) - 1)
        moment = weights[below] * (1 - share) + weights[above] * share
        return mirror(moment) if rng.random() < 0.5 else moment.astype(np.float64)


@dataclass(frozen=True)
class Recording:
    """Real lips and the sound they came with."""

    name: str
    speaker: str
    source: str
    licence: str
    path: Path
    """Of the sound, or of the video that has it."""
    mouth: Float32[np.ndarray, "frames 52"]
    fps: float
    start: float = 0.0
    """Seconds of the sound at which frame 0 lies."""
    text: str = ""
    phones: tuple[Phone, ...] = ()
    """In seconds from ``start``; empty where nobody has written down what is said."""
    whole: bool = False
    """Whether ``mouth`` holds the upper face of the same moment too, which then stays."""

    @property
    def seconds(self) -> float:
        """Duration."""
        return len(self.mouth) / self.fps

    def sound(self) -> Float32[np.ndarray, " samples"]:
        """As long as the motion, at ``SAMPLE_RATE``."""
        first = round(self.start * SAMPLE_RATE)
        length = round(self.seconds * SAMPLE_RATE)
        samples = _load_samples(self.path)[first : first + length]
        return np.pad(samples, (0, length - len(samples)))


@lru_cache(maxsize=32)
def _load_samples(path: Path) -> Float32[np.ndarray, " samples"]:
    """The whole sound of a file; many recordings may be parts of it."""
    return load_sound(path, sample_rate=SAMPLE_RATE).samples


def mirror(weights: np.ndarray) -> np.ndarray:
    """Weights (frames, 52) of the same face seen in a mirror."""
    return weights[:, _MIRROR]


def read_facegood(folder: Path, fps: float, late: float) -> tuple[Recording, ...]:
    """FACEGOOD's recordings on our rig, in step with their sound.

    Args:
        folder: Its ``.npz`` and ``.opus`` files.
        fps: Rate of the motion.
        late: Seconds by which lips follow the sound.

    Raises:
        InputError: NaN in one of them.
    """
    return tuple(_facegood_recording(path, fps, late) for path in sorted(folder.glob("*.npz")))


def synchronize(
    motion: np.ndarray, rate: float, *, fps: float, late: float, frames: int
) -> Float32[np.ndarray, "frames 52"]:
    """Motion of ``rate`` that follows its sound by ``late`` seconds: at ``fps`` and in step."""
    position = (np.arange(frames) / fps + late) * rate
    return sample_rows(motion.astype(np.float32), position)


def _facegood_recording(path: Path, fps: float, late: float) -> Recording:
    with np.load(path, allow_pickle=False) as file:
        weights = file["weights"].astype(np.float64)
        names = [str(name) for name in file["names"]]
    if not np.isfinite(weights).all():
        raise InputError(f"Got NaN in {path}; fetch the capture again.")
    mapped = np.zeros((len(weights), len(ARKIT_NAMES)))
    for source, parts in FACEGOOD_SHAPES.items():
        for name, gain in parts:
            mapped[:, ARKIT_INDEX[name]] += gain * weights[:, names.index(source)]
    voice = path.with_suffix(".opus")
    seconds = load_sound(voice, sample_rate=SAMPLE_RATE).seconds
    frames = int(min(seconds, len(weights) / FACEGOOD_RATE - late) * fps)
    return Recording(
        f"facegood_{path.stem}",
        "facegood",
        "facegood",
        licence_of(path.parent),
        voice,
        synchronize(mapped, FACEGOOD_RATE, fps=fps, late=late, frames=frames).clip(0, 1),
        fps,
    )


def _upper_only(path: Path, fps: float) -> Float32[np.ndarray, "frames 52"]:
    if path.suffix == ".gz":
        with tempfile.TemporaryDirectory() as folder:
            unpacked = Path(folder) / path.stem
            unpacked.write_bytes(gzip.decompress(path.read_bytes()))
            weights = read_live_link(unpacked, fps).weights
    else:
        weights = read_live_link(path, fps).weights
    weights = weights * UPPER_SHAPES
    # A face at rest is zero here; each phone and person has an offset of its own.
    still = [i for i in np.flatnonzero(UPPER_SHAPES) if not ARKIT_NAMES[i].startswith("eyeLook")]
    weights[:, still] = (weights[:, still] - np.quantile(weights[:, still], 0.1, axis=0)).clip(0)
    return weights.astype(np.float32)


def _swap(names: Sequence[str]) -> np.ndarray:
    def other(name: str) -> str:
        if "Left" in name:
            return name.replace("Left", "Right")
        return name.replace("Right", "Left")

    return np.array([names.index(other(name)) for name in names])


_MIRROR = _swap(ARKIT_NAMES)
