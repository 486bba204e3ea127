"""What a participant's page could not save, and offered as a download, goes into the store.

Place in the flow: the participant sends the file to whoever holds the study, who gives it to
``kmspeaker study rescue``. Each change in it has a name, so one that was saved after all is not
counted twice.
"""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from kmspeaker.errors import InputError
from kmspeaker.study.store import Store
from kmspeaker.study.study_folder import Study
from kmspeaker.web.study.guard import Body, Refused
from kmspeaker.web.study.participant import Answer, Next, Nothing, Participants, Play, Rate
from kmspeaker.web.study.views import Views

MOST_BYTES = 4_000_000
"""Of a file."""
RESCUED: dict[str, type[Body]] = {
    "rate": Rate,
    "play": Play,
    "next": Next,
    "answer": Answer,
    "finish": Nothing,
}


class Sent(Body):
    """One request of the page."""

    path: Annotated[str, Field(pattern=r"^api/[a-z]+$")]
    body: dict[str, Any]


class Rescue(Body):
    """The file."""

    study: str
    code: str
    requests: list[Sent]


def rescue(study: Study, store: Store, path: Path) -> tuple[int, tuple[str, ...]]:
    """Save what a file holds, in its order.

    Returns:
        How many requests were taken, and a sentence for each that was not.

    Raises:
        InputError: It is no such file, of another study, or of nobody who takes part.
        StoreUnavailable: The store cannot be written just now.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"Got {path}, which is larger than what a page saves; look at it.")
        said = Rescue.model_validate_json(path.read_bytes())
        asked = [(sent.path.removeprefix("api/"), sent.body) for sent in said.requests]
        known = [(name, RESCUED[name].model_validate(body)) for name, body in asked]
    except OSError as error:
        raise InputError(f"Cannot read {path}; name a file that a participant saved.") from error
    except (ValidationError, KeyError) as error:
        raise InputError(
            f"Got {path}, which is not what a study's page saves; ask for the file again."
        ) from error
    if said.study != study.design.title:
        raise InputError(
            f"Got answers to the study {said.study[:80]!r}; this one is {study.design.title!r}."
        )
    participants = Participants(store, Views(study, store))
    taken, refused = 0, []
    for number, (name, body) in enumerate(known, start=1):
        try:
            participants.told(said.code, name, body)
            taken += 1
        except Refused as error:
            if error.status == 401:
                raise InputError(f"{path}: {error}") from error
            refused.append(f"{number}, {name}: {error}")
        except InputError as error:
            refused.append(f"{number}, {name}: {error}")
    return taken, tuple(refused)
