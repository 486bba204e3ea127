"""Files that appear whole or not at all."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kmspeaker.errors import InputError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name to write to that takes the place of ``path`` once the block has ended well.

    Raises:
        InputError: The disk is full or the folder closed to us.
    """
    unfinished = _unfinished(path)
    try:
        yield unfinished
        unfinished.replace(path)
    except OSError as error:
        raise InputError(_cannot_write(path, error)) from error
    finally:
        unfinished.unlink(missing_ok=True)


def check_place(path: Path) -> None:
    """Refuse a name that no file can be made under.

    Raises:
        InputError: It is a folder's, or no file can be made in its folder.
    """
    try:
        if path.is_dir():
            raise InputError(f"Got the folder {path} as output; name a file in it.")
        if not path.parent.is_dir():
            raise InputError(f"There is no folder {path.parent} for {path.name}; make it first.")
        probe = _unfinished(path)
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise InputError(_cannot_write(path, error)) from error


def _unfinished(path: Path) -> Path:
    return path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")


def _cannot_write(path: Path, error: OSError) -> str:
    return f"Cannot write {path}: {error.strerror or error}; choose another folder or make room."
