"""KM-Speaker: a 3D face that says your speech in the style of a reference performance.

What a program needs lies here; each name is imported when it is first used, so that importing the
package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kmspeaker.animation.animation import FaceAnimation
    from kmspeaker.animation.controls import Controls
    from kmspeaker.errors import InputError
    from kmspeaker.export import save_animation
    from kmspeaker.face.rig import FaceModel
    from kmspeaker.media.audio import Sound, load_sound
    from kmspeaker.pipeline import Pipeline
    from kmspeaker.reference.load import Reference, load_reference
    from kmspeaker.reference.performance import Performance

__version__ = "0.1.0"
__all__ = [
    "Controls",
    "FaceAnimation",
    "FaceModel",
    "InputError",
    "Performance",
    "Pipeline",
    "Reference",
    "Sound",
    "load_reference",
    "load_sound",
    "save_animation",
]

_HOMES = {
    "Controls": "animation.controls",
    "FaceAnimation": "animation.animation",
    "FaceModel": "face.rig",
    "InputError": "errors",
    "Performance": "reference.performance",
    "Pipeline": "pipeline",
    "Reference": "reference.load",
    "Sound": "media.audio",
    "load_reference": "reference.load",
    "load_sound": "media.audio",
    "save_animation": "export",
}


def __getattr__(name: str) -> Any:
    """Import a public name from the room it lives in."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
