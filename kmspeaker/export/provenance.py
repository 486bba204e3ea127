"""What every exported file says about itself."""

from kmspeaker import __version__
from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.face.rig import FaceModel

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


def credited_provenance(
    animation: FaceAnimation, face: FaceModel
) -> dict[str, str | int | dict[str, float | str]]:
    """``provenance`` and a line of ``copyright``, for files with no other place for that."""
    return {**provenance(animation), "copyright": credits_of(animation, face)}


def credits_of(animation: FaceAnimation, face: FaceModel) -> str:
    """Whose head it is and what the motion is, for a file's line of copyright."""
    head = face.credit(animation.identity)
    return f"Head: {head}. Motion: synthetic, generated from speech."


def licences(animation: FaceAnimation, face: FaceModel) -> dict[str, str]:
    """What holds for each thing that went into a file."""
    return {
        "head": face.credit(animation.identity),
        "motion": f"made by {GENERATOR} (Apache-2.0); the licence of {animation.model} applies",
        "speech": "belongs to whoever recorded it; ask the speaker before you publish",
    }
