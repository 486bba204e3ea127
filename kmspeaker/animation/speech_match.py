"""Whether two recordings say the same words, and which moments of them go together.

Place in the flow: ``animation.metrics`` compares the lips of an animation and of its performance
where their speech is the same. Features of both come from the bundled speech encoder, which tells
phones better than voices, and one is stretched onto the other (dynamic time warping).
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Bool, Float, Float32, Int
from scipy.ndimage import uniform_filter1d

from kmspeaker.media.audio import Sound
from kmspeaker.speech.encoders import ENCODERS, SpeechEncoder, load_encoder

SAME_WORDS = 0.5
"""``Alignment.likeness`` from which two recordings say the same words. Ours: between that of one
line in several voices or under noise, and that of other lines in one voice;
``tests/animation/test_speech_match.py`` holds how far either keeps from it."""
COMPARED = 20.0
"""Seconds of either that are compared, from its beginning."""
LONGEST_LAG = 1.0
"""Seconds by which one may begin later than the other."""
QUIET = 0.056
"""Of the loudest moment; both are silent where neither is louder (25 dB)."""
LEAST_SPOKEN = 0.5
"""Seconds of speech that two recordings must have in common."""
STEADY = 0.3
"""Seconds over which the pace is taken to be even."""


@dataclass(frozen=True)
class Alignment:
    """How two recordings go together where they suit each other best."""

    likeness: float
    """Mean cosine between the features of moments that go together, silence apart."""
    moments: Float[np.ndarray, " moments"]
    """Of the first, seconds."""
    places: Float[np.ndarray, " moments"]
    """The moments of the second that go with these."""

    @property
    def same(self) -> bool:
        """Whether they say the same words."""
        return self.likeness >= SAME_WORDS

    @property
    def line(self) -> tuple[float, float]:
        """``shift`` and ``rate``: ``(moment - shift) * rate`` is nearest to the places."""
        if np.ptp(self.moments) < LONGEST_LAG:
            return float((self.moments - self.places).mean()), 1.0
        rate, start = np.polyfit(self.moments, self.places, 1)
        return float(-start / rate), float(rate)

    def place(self, moments: Float[np.ndarray, " queries"]) -> Float[np.ndarray, " queries"]:
        """The moments of the second that go with these of the first; NaN where none is known."""
        return np.interp(moments, self.moments, self.places, left=np.nan, right=np.nan)


def align_speech(one: Sound, other: Sound) -> Alignment:
    """Stretch the second onto the first, between half and twice its pace.

    Either may begin up to ``LONGEST_LAG`` later and go on after the other has ended.
    """
    encoder = _encoder()
    (first, speaking), (second, answering) = (_encode(encoder, sound) for sound in (one, other))
    slack = min(round(LONGEST_LAG * encoder.rate), min(len(first), len(second)) // 4)
    alike = first @ second.T
    row, column = _best_path(alike, slack)
    spoken = speaking[row] | answering[column]
    enough = spoken.sum() >= LEAST_SPOKEN * encoder.rate
    likeness = float(alike[row, column][spoken].mean()) if enough else 0.0
    frames, where = np.unique(row, return_index=True)
    ahead = uniform_filter1d(
        (column[where] - frames).astype(float), round(STEADY * encoder.rate), mode="nearest"
    )
    return Alignment(likeness, frames / encoder.rate, (frames + ahead) / encoder.rate)


@cache
def _encoder() -> SpeechEncoder:
    return load_encoder(ENCODERS[0])


def _encode(
    encoder: SpeechEncoder, sound: Sound
) -> tuple[Float32[np.ndarray, "moments dim"], Bool[np.ndarray, " moments"]]:
    """Features against their mean, of length 1 each, and where somebody speaks."""
    start = Sound(sound.samples[: round(COMPARED * sound.sample_rate)], sound.sample_rate)
    features = encoder.encode(start)
    features = features - features.mean(axis=0)
    features = features / (features.std(axis=0) + 1e-3)
    features = features / (np.linalg.norm(features, axis=1, keepdims=True) + 1e-6)
    edges = np.linspace(0, len(start), len(features), endpoint=False).astype(int)
    power = np.add.reduceat(start.samples.astype(np.float64) ** 2, edges)
    return features, power > QUIET**2 * power.max()


def _best_path(
    alike: Float32[np.ndarray, "rows columns"], slack: int
) -> tuple[Int[np.ndarray, " cells"], Int[np.ndarray, " cells"]]:
    """Rows and columns of the path of the largest mean, from a first edge to a last one.

    A step goes one row and one column on, or two of either and one of the other (Sakoe and Chiba
    1978, symmetric, slope 1): no moment is left out and none is repeated more than twice.
    """
    rows, columns = alike.shape
    edge = 2
    total = np.full((rows + edge, columns + edge), -np.inf)
    weight = np.ones_like(total)
    steps = np.full((rows, columns), 3, np.int8)  # 3: the path begins here
    padded = np.pad(alike, ((edge, 0), (edge, 0))).astype(float)
    column = np.arange(columns)
    for row in range(rows):
        k = row + edge
        here, left, above = padded[k, edge:], padded[k, 1:-1], padded[k - 1, edge:]
        totals = np.stack(
            [
                total[k - 1, 1:-1] + 2 * here,
                total[k - 1, :-2] + 2 * left + here,
                total[k - 2, 1:-1] + 2 * above + here,
            ]
        )
        weights = np.stack(
            [weight[k - 1, 1:-1] + 2, weight[k - 1, :-2] + 3, weight[k - 2, 1:-1] + 3]
        )
        step = (totals / weights).argmax(axis=0)
        begins = column <= slack if row == 0 else (column == 0) & (row <= slack)
        steps[row] = np.where(begins, 3, step)
        total[k, edge:] = np.where(begins, 2 * here, totals[step, column])
        weight[k, edge:] = np.where(begins, 2, weights[step, column])
    total, weight = total[edge:, edge:], weight[edge:, edge:]
    last = np.zeros(alike.shape, bool)
    last[-1], last[:, -1] = True, True
    long_enough = weight >= 2 * (min(alike.shape) - 2 * slack)
    mean = np.where(last & long_enough, total / weight, -np.inf)
    row, column = np.unravel_index(mean.argmax(), mean.shape)
    return _cells(steps, int(row), int(column))


def _cells(
    steps: Int[np.ndarray, "rows columns"], row: int, column: int
) -> tuple[Int[np.ndarray, " cells"], Int[np.ndarray, " cells"]]:
    cells = [(row, column)]
    while steps[row, column] != 3:
        if steps[row, column] == 1:
            cells.append((row, column - 1))
        elif steps[row, column] == 2:
            cells.append((row - 1, column))
        back = ((1, 1), (1, 2), (2, 1))[steps[row, column]]
        row, column = row - back[0], column - back[1]
        cells.append((row, column))
    rows, columns = np.array(cells[::-1]).T
    return rows, columns
