"""How faces at rest differ: ICT-FaceKit's identity modes, where mediapipe's landmarks lie.

Place in the flow: ``reference.neutral_fit`` takes what a clip shows of a person, their expressions
taken off, for the most likely face of these. Written by ``scripts/build_face.py``.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from kmspeaker.errors import InputError


@dataclass(frozen=True)
class IdentityModes:
    """``average + coefficients @ modes`` is a face; the coefficients are standard normal."""

    average: Float64[np.ndarray, "468 3"]
    """mm, as the rig."""
    modes: Float64[np.ndarray, "modes 468 3"]
    """At one standard deviation, mm."""

    @classmethod
    def load(cls, folder: Path) -> "IdentityModes":
        """Read ``identity_modes.npz`` of a face's folder.

        Raises:
            InputError: It is not there.
        """
        path = folder / "identity_modes.npz"
        if not path.is_file():
            raise InputError(f"Got no {path.name} in {folder}; reinstall the program.")
        with np.load(path, allow_pickle=False) as file:
            return cls(
                file["average"].astype(np.float64),
                file["modes"].astype(np.float64) * float(file["scale"]),
            )

    def most_likely(
        self, shape: Float64[np.ndarray, "468 3"], noise: Float64[np.ndarray, "468 3"]
    ) -> tuple[Float64[np.ndarray, " modes"], Float64[np.ndarray, "468 3"]]:
        """Maximum a posteriori coefficients of a shape seen with noise, and the face of these.

        Args:
            shape: Landmarks, mm, where the average's are.
            noise: Standard deviation of each coordinate, mm; endless where it says nothing.
        """
        precision = (1 / noise.ravel()) ** 2
        ways = self._ways
        gram = (ways * precision) @ ways.T + np.eye(len(ways))
        coefficients = np.linalg.solve(gram, (ways * precision) @ (shape - self.average).ravel())
        return coefficients, self.average + np.tensordot(coefficients, self.modes, axes=1)

    @cached_property
    def _ways(self) -> Float64[np.ndarray, "modes coordinates"]:
        return self.modes.reshape(len(self.modes), -1)
