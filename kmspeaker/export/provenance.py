"""What every exported file says about itself."""

from kmspeaker import __version__
from kmspeaker.animation import FaceAnimation

GENERATOR = f"KM-Speaker {__version__}"


def provenance(animation: FaceAnimation) -> dict[str, str | int]:
    """Which weights spoke, how, and on whose head: names and plain values, ready for JSON."""
    return {
        "generator": GENERATOR,
        "model": animation.model,
        "use": animation.use,
        "identity": animation.identity,
        "seed": animation.seed,
        "steps": animation.steps,
        "synthetic": "speech-driven animation, not a recording of a face",
    }
