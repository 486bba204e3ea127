"""Who is for what: training, development and test have no person in common.

Place in the flow: ``people.toml`` beside this file names everybody once; ``performances.videos``
takes from it who may train, ``evaluation`` who may be measured.
"""

import tomllib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Literal, cast, get_args

Use = Literal["training", "left_out", "development", "test"]
USES: tuple[Use, ...] = get_args(Use)


@cache
def read_people() -> Mapping[Use, Mapping[str, tuple[str, ...]]]:
    """For each use the people, and the patterns of their files below a data folder."""
    table = tomllib.loads(files("kmspeaker.corpus").joinpath("people.toml").read_text("utf-8"))
    assert set(table) == set(USES), table.keys()
    return {
        cast(Use, use): {person: tuple(patterns) for person, patterns in own.items()}
        for use, own in table.items()
    }


def use_of(folder: str, name: str) -> Use | None:
    """What a file is for; None where nobody has said whose it is.

    Args:
        folder: as below the data folder, for example ``natural``.
        name: of the file.
    """
    place = f"{folder}/{name}"
    for use in ("training", "left_out", "development", "test"):
        patterns = [pattern for own in read_people()[use].values() for pattern in own]
        if any(fnmatchcase(place, pattern) for pattern in patterns):
            return use
    return None
