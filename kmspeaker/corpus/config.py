"""What a corpus is made of: one TOML file, read into one frozen value.

Place in the flow: the first thing a build reads. Folders are relative to the file; they say where
things lie, every other key says what is made of them.
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from kmspeaker.corpus.store import SPLITS, Split
from kmspeaker.errors import InputError

PLACES = ("data", "tracks")
"""Keys that say where things lie, and are no part of what is made."""


@dataclass(frozen=True)
class Config:
    """One corpus; see ``configs/open.toml`` for the one we ship."""

    data: Path
    """Folder with ``speech/``, ``capture/`` and the folders of videos."""
    actors: Mapping[Split, tuple[str, ...]]
    """Who performs the clips of each split."""
    tracks: Path | None = None
    """Folder that keeps the face tracks of videos between builds; else they lie in the corpus."""
    minutes: float = 120.0
    """How much, at most."""
    seed: int = 0
    fps: float = 30.0
    encoder: str = "whisper-tiny.en"
    captured: float = 0.4
    """Share of the minutes with real lips, at most: they have few voices."""
    turns: Mapping[str, float] = field(default_factory=dict)
    """How often the real lips of a source are used, while there is room: another upper face and
    voice each time; once where a source is not named, and below 1 a share of them once."""
    acted: float = 0.4
    """Share of the minutes that is acted speech, at most."""
    held_out: Mapping[Split, float] = field(default_factory=lambda: {"val": 0.05, "test": 0.10})
    """Shares of the natural speech, by speakers; the rest trains."""
    fewer_speakers: Mapping[str, float] = field(default_factory=dict)
    """Share of a speech folder's speakers to use, where it is not to have its full weight."""
    videos: tuple[str, ...] = ()
    """Folders of talking videos below ``data``."""
    lips_late: Mapping[str, float] = field(default_factory=dict)
    """Seconds by which the lips of a source follow its sound; negative where they lead."""

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be meant, and an actor of two splits."""
        for key in ("minutes", "fps"):
            if not 0 < getattr(self, key) < float("inf"):
                raise InputError(f"Got {key} = {getattr(self, key)}; it must be above 0.")
        for name, turns in self.turns.items():
            if not 0 < turns < float("inf"):
                raise InputError(f"Got turns.{name} = {turns}; it must be above 0.")
        shares = {"captured": self.captured, "acted": self.acted}
        shares |= {f"held_out.{split}": share for split, share in self.held_out.items()}
        shares |= {f"fewer_speakers.{name}": share for name, share in self.fewer_speakers.items()}
        for key, share in shares.items():
            if not 0 <= share <= 1:
                raise InputError(f"Got {key} = {share}; a share lies between 0 and 1.")
        for key, splits in (("actors", SPLITS), ("held_out", ("val", "test"))):
            if set(getattr(self, key)) != set(splits):
                raise InputError(
                    f"Got {key} with {', '.join(getattr(self, key)) or 'nothing'}; it needs "
                    f"{', '.join(splits)}."
                )
        everyone = [name for names in self.actors.values() for name in names]
        for name in everyone:
            if everyone.count(name) > 1:
                raise InputError(f"Got the actor {name} in two splits; each performs in one.")
        for split, names in self.actors.items():
            if not names:
                raise InputError(f"Got no actors for {split}; name at least one.")

    def recipe(self) -> dict[str, Any]:
        """Every key but the places, as plain data."""
        return {key: value for key, value in asdict(self).items() if key not in PLACES}


def read_config(path: Path | str) -> Config:
    """Read a corpus's TOML file.

    Raises:
        InputError: No such file, not TOML, a key that is unknown, missing, or of a wrong kind.
    """
    path = Path(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"Cannot read {path} ({error}); give the TOML file of a corpus."
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"Got {path}, which is not TOML: {error}.") from error
    options = {option.name: option for option in fields(Config)}
    for key in table:
        if key not in options:
            raise InputError(
                f"Got the unknown key {key!r} in {path}; known are {', '.join(options)}."
            )
    for key, option in options.items():
        if option.default is MISSING and option.default_factory is MISSING and key not in table:
            raise InputError(f"Got no {key!r} in {path}; it is needed.")
    values = {key: _read(key, value, path) for key, value in table.items()}
    return Config(**values)


def _read(key: str, value: Any, path: Path) -> Any:
    try:
        return _KINDS[key](value, path)
    except (TypeError, ValueError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"Got {key} = {value!r} in {path}, which is of a wrong kind.") from error


def _place(value: Any, path: Path) -> Path:
    return path.parent / _of(str)(value, path)


def _of(kind: type) -> Callable[[Any, Path], Any]:
    def read(value: Any, path: Path) -> Any:
        del path
        kinds = (int, float) if kind is float else kind
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise TypeError
        return kind(value)

    return read


def _names(value: Any, path: Path) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError
    return tuple(_of(str)(name, path) for name in value)


def _table(read: Callable[[Any, Path], Any]) -> Callable[[Any, Path], dict[str, Any]]:
    return lambda value, path: {key: read(own, path) for key, own in value.items()}


_KINDS: Mapping[str, Callable[[Any, Path], Any]] = {
    "data": _place,
    "actors": _table(_names),
    "tracks": _place,
    "minutes": _of(float),
    "seed": _of(int),
    "fps": _of(float),
    "encoder": _of(str),
    "captured": _of(float),
    "turns": _table(_of(float)),
    "acted": _of(float),
    "held_out": _table(_of(float)),
    "fewer_speakers": _table(_of(float)),
    "videos": _names,
    "lips_late": _table(_of(float)),
}
