"""What every exported file says about itself."""

from kmspeaker import __version__
from kmspeaker.animation import FaceAnimation

GENERATOR = f"KM-Speaker {__version__}"


def provenance(animation: FaceAnimation) -> dict[str, str | int | dict[str, float | str]]:
    """Which weights spoke, how, and on whose head: names and plain values, ready for JSON.

    ``controls`` holds those that are not as by default, and is there only if one is not.
    """
    controls = animation.controls.changed()
    return {
        "generator": GENERATOR,
        "model": animation.model,
        "use": animation.use,
        "identity": animation.identity,
        "seed": animation.seed,
        "steps": animation.steps,
        "synthetic": "speech-driven animation, not a recording of a face",
        **({"controls": controls} if controls else {}),
    }
