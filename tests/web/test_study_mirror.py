"""The raw data of a study is copied to a private dataset, again and again, and once at the end."""

import time
from pathlib import Path

import pytest
from hub_server import Hub, serve
from huggingface_hub import HfApi
from studies import a_design

from kmspeaker.errors import InputError
from kmspeaker.study.store import Store
from kmspeaker.web.study.mirror import Mirror

DATASET = "somebody/ratings"


def test_the_raw_data_is_copied_and_a_failure_is_said_and_tried_again(tmp_path: Path):
    store = Store(f"sqlite:///{tmp_path / 's.db'}", a_design())
    participant = store.join()[1]
    said: list[str] = []
    with serve(Hub(DATASET, {})) as hub:
        api = HfApi(endpoint=hub.url, token="hf_token")
        mirror = Mirror(store, store.design, DATASET, api=api, say=said.append)
        assert '"visibility":"private"' in hub.requests[0]
        hub.down = True
        with mirror.running(0.05):
            while not said:
                time.sleep(0.01)
            hub.down = False
            while "participants.csv" not in hub.files:
                time.sleep(0.01)
            assert "ratings.csv" not in hub.files
            store.rate(participant, 0, "system-0", 70, seconds=1, save="a")
        assert b"system-0,rating" in hub.files["ratings.csv"]  # at the end
        assert {Path(name).suffix for name in hub.files} == {".csv", ".md", ".json"}
        store.delete(participant)
        mirror.copy()
        assert not [name for name in hub.files if name.endswith(".csv")]
        assert {"codebook.md", "design.json"} <= set(hub.files)
        assert hub.requests[-1].startswith(f"POST /api/datasets/{DATASET}/super-squash")
        assert len(set(said)) == 1 and DATASET in said[0] and "\n" not in said[0]
    store.close()


@pytest.mark.parametrize(
    ("hub", "sentence"),
    [(Hub(DATASET, {}, down=True), "HF_TOKEN"), (Hub(DATASET, {}, private=False), "private")],
    ids=["not to be made", "public"],
)
def test_a_dataset_of_no_use_is_told_before_anybody_takes_part(
    hub: Hub, sentence: str, tmp_path: Path
):
    store = Store(f"sqlite:///{tmp_path / 's.db'}", a_design())
    with serve(hub):
        api = HfApi(endpoint=hub.url, token="hf_token")
        with pytest.raises(InputError, match=sentence):
            Mirror(store, store.design, DATASET, api=api, say=print)
    store.close()
