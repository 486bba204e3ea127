"""From what mediapipe scores to what our head must do to be scored so.

Place in the flow: ``at_rest`` gives the scores at rest -> here -> ``weight_fit``, which observes
the expressive shapes by it. Two small networks, learnt by ``scripts/fit_score_inverse.py`` from
pictures of our head with known weights: one guesses the weights behind scores, and so also says
something of shapes that mediapipe never scores (sneers, raised cheeks), since it knows which go
together; the other answers weights with scores, and the guess is corrected until its answer is what
was scored. All of it is ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from kmspeaker.assets import ASSETS
from kmspeaker.errors import InputError
from kmspeaker.face.rig import ARKIT_NAMES
from kmspeaker.reference.pieces import pieces

SCORE_INVERSE = ASSETS / "tracking" / "score_inverse.npz"
AMPLITUDE = 1.2
"""How much larger the answer is to be than the change that was scored: what is left of it in the
end is then about 1 on development clips (``evaluate expression``, round trip)."""
ROUNDS = 4
TRUST_IN_GUESS, TRUST_IN_GUESS_OF = 0.1, {"brow": 0.04, "eyeSquint": 0.003}
"""Of a guessed weight against an answered score, and by how a shape's name begins: a guess is the
mean of what may be behind a score, and so too small, most of all for narrow eyes, which our head
hardly answers; without any, shapes that are answered less yet would be played in full."""
SPARSE, SPARSE_OF = 0.013, {"eyeSquint": 0.004}
"""What a weight costs, and by how a shape's name begins: small changes of scores, which are mostly
none, are no expression."""


@dataclass(frozen=True)
class Perceptron:
    """Two hidden layers beside a straight way; 52 numbers in and out, zeros for zeros."""

    first: Float64[np.ndarray, "52 hidden"]
    first_bias: Float64[np.ndarray, " hidden"]
    second: Float64[np.ndarray, "hidden hidden"]
    second_bias: Float64[np.ndarray, " hidden"]
    third: Float64[np.ndarray, "hidden 52"]
    straight: Float64[np.ndarray, "52 52"]

    def __call__(self, given: Float64[np.ndarray, "frames 52"]) -> Float64[np.ndarray, "frames 52"]:
        """Its output."""
        return self._raw(given) - self._raw(np.zeros((1, given.shape[1])))

    def jacobian(
        self, given: Float64[np.ndarray, "frames 52"]
    ) -> Float64[np.ndarray, "frames 52 52"]:
        """How each output (last) rises with each input."""
        inner, outer = self._hidden(given)
        rise = (self.first * (1 - inner**2)[:, None]) @ self.second
        return (rise * (1 - outer**2)[:, None]) @ self.third + self.straight

    def _raw(self, given: Float64[np.ndarray, "frames 52"]) -> Float64[np.ndarray, "frames 52"]:
        return self._hidden(given)[1] @ self.third + given @ self.straight

    def _hidden(
        self, given: Float64[np.ndarray, "frames 52"]
    ) -> tuple[Float64[np.ndarray, "frames hidden"], Float64[np.ndarray, "frames hidden"]]:
        inner = np.tanh(given @ self.first + self.first_bias)
        return inner, np.tanh(inner @ self.second + self.second_bias)


@dataclass(frozen=True)
class ScoreInverse:
    """What mediapipe answers to our head, and the way back."""

    guess: Perceptron
    """Weights of changes of scores."""
    answer: Perceptron
    """Changes of scores of weights."""

    @classmethod
    @lru_cache(maxsize=1)
    def load(cls, path: Path = SCORE_INVERSE) -> "ScoreInverse":
        """The bundled one, or what ``scripts/fit_score_inverse.py`` wrote elsewhere.

        Raises:
            InputError: It is missing.
        """
        if not path.is_file():
            raise InputError(f"Got no {path}; reinstall the program.")
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name].astype(np.float64) for name in file.files}
        return cls(_named(arrays, "guess"), _named(arrays, "answer"))

    def weights(self, change: Float64[np.ndarray, "frames 52"]) -> Float64[np.ndarray, "frames 52"]:
        """ARKit weights that make mediapipe's scores differ from those at rest by ``change``.

        Gauss-Newton within [0, 1] on ``|answer(w) - change|² + trust |w - guess|² + 2 cost |w|``.
        """
        found = np.empty_like(change)
        for piece in pieces(len(change)):
            found[piece] = self._weights(AMPLITUDE * change[piece])
        return found

    def _weights(
        self, change: Float64[np.ndarray, "frames 52"]
    ) -> Float64[np.ndarray, "frames 52"]:
        guess = self.guess(change).clip(0, 1)
        weights = guess
        for _ in range(ROUNDS):
            rise = self.answer.jacobian(weights)
            off = change - self.answer(weights)
            gram = rise @ np.swapaxes(rise, 1, 2) + np.diag(_TRUST)
            slope = np.einsum("fio,fo->fi", rise, off) + _TRUST * (guess - weights) - _COST
            free = ~(((weights <= 0) & (slope < 0)) | ((weights >= 1) & (slope > 0)))
            gram = np.where(free[:, :, None] & free[:, None], gram, np.eye(gram.shape[1]))
            step = np.linalg.solve(gram, (slope * free)[..., None])[..., 0]
            weights = (weights + step).clip(0, 1)
        return weights


def _named(arrays: Mapping[str, Float64[np.ndarray, "..."]], name: str) -> Perceptron:
    start = f"{name}_"
    return Perceptron(
        **{key.removeprefix(start): a for key, a in arrays.items() if key.startswith(start)}
    )


def _by_shape(usual: float, of: Mapping[str, float]) -> Float64[np.ndarray, " 52"]:
    return np.array(
        [next((v for start, v in of.items() if n.startswith(start)), usual) for n in ARKIT_NAMES]
    )


_TRUST = _by_shape(TRUST_IN_GUESS, TRUST_IN_GUESS_OF)
_COST = _by_shape(SPARSE, SPARSE_OF)
