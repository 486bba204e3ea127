"""A copy of a study's raw data in a dataset of the Hugging Face Hub, for disks that do not last.

Place in the flow: beside ``serving``, as ``study serve --mirror`` asks; nothing waits for it. The
dataset is private, and keeps no history: what a participant deletes is gone with the next copy.
"""

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2

from kmspeaker.errors import InputError
from kmspeaker.study.design import Design
from kmspeaker.study.raw_data import write_raw_data
from kmspeaker.study.store import Store, StoreUnavailable

if TYPE_CHECKING:
    from huggingface_hub import HfApi

KEPT = ("*.csv", "*.md", "*.json")
"""Parquet holds the same again."""


class Mirror:
    """Copies the raw data to a dataset, now and then.

    Args:
        store: What was answered.
        design: Of the study.
        dataset: ``OWNER/NAME``; made, private, if it is not there.
        api: Of the Hub, with the token that ``hf auth login`` or ``HF_TOKEN`` gave.
        say: Told a sentence where a copy failed; the next one is tried all the same.

    Raises:
        InputError: The dataset cannot be made or reached, or is public.
    """

    def __init__(
        self,
        store: Store,
        design: Design,
        dataset: str,
        *,
        api: "HfApi",
        say: Callable[[str], None],
    ) -> None:
        self._store, self._design, self._dataset = store, design, dataset
        self._api, self._say = api, say
        self._end = threading.Event()
        try:
            api.create_repo(dataset, repo_type="dataset", private=True, exist_ok=True)
            private = api.dataset_info(dataset).private
        except (OSError, ValueError, httpx2.HTTPError) as error:
            raise InputError(
                f"Cannot mirror to the dataset {dataset} ({_first_line(error)}); give OWNER/NAME, "
                "and a token that may write there as HF_TOKEN."
            ) from error
        if not private:
            raise InputError(
                f"Got the dataset {dataset}, which everybody can read; make it private, or name "
                "another."
            )

    def copy(self) -> None:
        """Put the raw data there as it is now, in the place of all that was."""
        with tempfile.TemporaryDirectory() as folder:
            write_raw_data(self._design, self._store.responses(), Path(folder))
            self._api.upload_folder(
                repo_id=self._dataset,
                repo_type="dataset",
                folder_path=folder,
                allow_patterns=list(KEPT),
                delete_patterns=list(KEPT),  # a table that has no rows any more
                commit_message="Ratings as they are",
            )
        self._api.super_squash_history(self._dataset, repo_type="dataset")

    @contextmanager
    def running(self, seconds: float) -> Iterator[None]:
        """Copy every so many seconds, and once more at the end."""
        thread = threading.Thread(target=self._run, args=[seconds], daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._end.set()
            thread.join()

    def _run(self, seconds: float) -> None:
        ended = False
        while not ended:
            ended = self._end.wait(seconds)
            try:
                self.copy()
            except (OSError, ValueError, httpx2.HTTPError, StoreUnavailable) as error:
                self._say(f"The mirror {self._dataset} was not reached: {_first_line(error)}.")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
