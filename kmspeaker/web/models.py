"""The systems a visitor may compare: one is loaded from the start, others when first asked for."""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from kmspeaker.animation.animation import FaceAnimation, Use
from kmspeaker.animation.controls import Controls
from kmspeaker.baselines.systems import BASELINES, TITLES
from kmspeaker.baselines.without_network import RIVALS
from kmspeaker.errors import InputError
from kmspeaker.face.rig import FaceModel
from kmspeaker.hub import bundled_models
from kmspeaker.media.audio import Sound
from kmspeaker.progress import Progress
from kmspeaker.reference.load import Reference
from kmspeaker.reference.performance import Performance

LOADED_AT_ONCE = 12
"""Systems kept in memory; the one longest unused makes room. Face and encoder are shared, a rival
without a network is built around the page's own model, and a baseline has a few megabytes."""


@runtime_checkable
class Speaker(Protocol):
    """What the page needs of ``pipeline.Pipeline``."""

    @property
    def face(self) -> FaceModel: ...  # noqa: D102
    @property
    def model_name(self) -> str: ...  # noqa: D102

    def reference(  # noqa: D102
        self, path: Path, *, progress: Progress | None = None, max_seconds: float = ...
    ) -> Reference: ...

    def animate(  # noqa: D102
        self,
        sound: Sound,
        performance: Performance,
        /,
        *,
        use: Use,
        identity: str | None = None,
        seeds: Sequence[int] = (0,),
        controls: Controls = ...,
        second: Performance | None = None,
        progress: Callable[[str, float], None] | None = None,
    ) -> tuple[FaceAnimation, ...]: ...


Loader = Callable[[Speaker], Speaker]
"""Loads a system beside the page's own."""


class Models:
    """By name; the page's own is the first."""

    def __init__(self, own: Speaker, others: Mapping[str, Loader] | None = None) -> None:
        """Start with one loaded model and ways to load others."""
        self.own = own
        self.own_name = own.model_name.rsplit("@", 1)[0]
        self._loaders = {k: v for k, v in (others or {}).items() if k != self.own_name}
        self._loaded: dict[str, Speaker] = {}
        self._lock = threading.Lock()

    @property
    def names(self) -> tuple[str, ...]:
        """The page's own first."""
        return (self.own_name, *self._loaders)

    @property
    def missing(self) -> tuple[str, ...]:
        """Known systems whose weights are not here; none where there is nothing to compare."""
        return tuple(name for name in BASELINES if self._loaders and name not in self.names)

    def check(self, name: str) -> None:
        """Refuse an unknown name.

        Raises:
            InputError: It names the known ones.
        """
        if name not in self.names:
            raise InputError(f"Got the model {name!r}; choose one of {', '.join(self.names)}.")

    def get(self, name: str) -> Speaker:
        """The model of that name, loaded if it is not yet.

        Raises:
            InputError: Unknown, or not what its manifest says.
        """
        self.check(name)
        if name == self.own_name:
            return self.own
        with self._lock:
            speaker = self._loaded.pop(name, None) or self._loaders[name](self.own)
            self._loaded[name] = speaker
            while len(self._loaded) > LOADED_AT_ONCE - 1:
                del self._loaded[next(iter(self._loaded))]
            return speaker


def models_to_compare(folder: Path | None, device: str) -> dict[str, Loader]:
    """Ways to load all systems by name: ours, those in ``folder``, the baselines, the rivals.

    Raises:
        InputError: There is none in ``folder``.
    """
    places = {name: name for name in (*bundled_models(), *RIVALS)}
    if folder is not None:
        more = {path.parent.name: str(path.parent) for path in folder.glob("*/model.safetensors")}
        if not more:
            raise InputError(
                f"Got {folder} with no model in it; "
                "name a folder of folders with model.safetensors."
            )
        places |= dict(sorted(more.items()))
    ours = [name for name in places if name not in TITLES]
    others = [name for name in TITLES if name in places]
    return {name: _loader(places[name], device) for name in (*ours, *others)}


def _loader(place: str, device: str) -> Loader:
    def load(own: Speaker) -> Speaker:
        from kmspeaker.pipeline import Pipeline

        beside = own if isinstance(own, Pipeline) else None
        return Pipeline.load(place, device=device, beside=beside)

    return load
