"""What every exported file says about itself."""

from kmspeaker import __version__
from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.face.rig import FaceModel

GENERATOR = f"KM-Speaker {__version__}"


def provenance(animation: FaceAnimation) -> dict[str, str | int | dict[str, float | str]]:
    """Which weights spoke, how, and on whose head: names and plain values, ready for JSON.

    ``controls`` holds those that are not as by default, and is there only if one is not. A capture
    has neither weights nor seed, since nothing was generated.
    """
    if not animation.generated:
        return {
            "generator": GENERATOR,
            "use": animation.use,
            "identity": animation.identity,
            "synthetic": "a synthetic head moved by a captured performance; nothing was generated",
        }
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
    motion = "synthetic, generated from speech" if animation.generated else "a captured performance"
    return f"Head: {head}. Motion: {motion}."


def licences(animation: FaceAnimation, face: FaceModel) -> dict[str, str]:
    """What holds for each thing that went into a file."""
    made = f"made by {GENERATOR} (Apache-2.0); the licence of {animation.model} applies"
    played = "belongs to whoever performed it; ask them before you publish"
    return {
        "head": face.credit(animation.identity),
        "motion": made if animation.generated else played,
        "speech": "belongs to whoever recorded it; ask the speaker before you publish",
    }
