"""A study over HTTP: its participants see only what is theirs, and what is odd gets a sentence."""

import io
import json
import sqlite3
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient
from studies import table, troubled, write_study

from kmspeaker.study.analysis import analyse
from kmspeaker.study.design import SCALES
from kmspeaker.study.plan import plan
from kmspeaker.study.store import Store
from kmspeaker.study.study_folder import DATABASE, Study
from kmspeaker.web.study.guard import MOST_BYTES, WRONG_TOKENS
from kmspeaker.web.study.serving import study_app

TOKEN = "a token of the owner's"
HOSTILE = "<img src=x onerror=alert(1)> & \x00 '; DROP TABLE ratings --"


def content(kind: str) -> dict[str, Any]:
    """Two systems and an anchor, a target, a check, training with feedback, two questions."""
    made = table(kind=kind, systems=2, items=2)
    made["protocol"]["muted"] = True
    made["conditions"]["above"] = {"label": "Above", "role": "target", "capture": True}
    made["training"] = [{**made["items"][0], "name": "practice", "feedback": "Look at the lips."}]
    low, high = SCALES[kind]  # pyright: ignore[reportArgumentType]
    made["attention"] = [{"after": 1, "instruction": "All the way up.", "low": low, "high": high}]
    made["questionnaire"] = [
        {"name": "work", "text": "Faces?", "answer": "choice", "choices": ["no", "yes"]},
        {"name": "remarks", "text": "Remarks?", "required": True},
    ]
    return made


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Study]:
    folder = tmp_path_factory.mktemp("studies")
    return {kind: write_study(folder / kind, content(kind)) for kind in SCALES}


@pytest.fixture
def store(studies: dict[str, Study], tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path / DATABASE}", studies["mushra"].design, wait=0.2)
    yield store
    store.close()


@pytest.fixture
def client(studies: dict[str, Study], store: Store) -> Iterator[TestClient]:
    with TestClient(study_app(studies["mushra"], store, token=TOKEN)) as client:
        yield client


def join(client: TestClient) -> tuple[dict[str, str], dict[str, Any]]:
    """The header of a new participant, and what he is told."""
    told = client.post("/api/join", json={"consent": True}).json()
    return {"Authorization": f"Bearer {told['code']}"}, told


def rating(page: dict[str, Any], /, **changes: Any) -> dict[str, Any]:
    """A body that is well."""
    body = {"page": page["position"], "name": page["asked"][0], "value": 1, "seconds": 2.5}
    return {**body, "save": "one", "plays": {}, **changes}


def rate_page(client: TestClient, own: dict[str, str], page: dict[str, Any]) -> dict[str, Any]:
    """Everything that a page asks, the first clip always the better one; what follows it."""
    plays = {clip["name"]: 1 for clip in page["clips"]}
    for name in page["asked"]:
        save = f"{page['position']}-{name}"
        value = -1 if name == "AB" else 1
        said = rating(page, name=name, value=value, save=save, plays=plays)
        assert client.post("/api/rate", json=said, headers=own).json() == {"revision": 1}
    return client.post("/api/next", json={"page": page["position"]}, headers=own).json()


def take_part(client: TestClient, own: dict[str, str], told: dict[str, Any]) -> list[str]:
    """A whole session; returns what training said."""
    feedback = []
    while told["page"] is not None:
        page, minutes = told["page"], told["minutes"]
        for clip in (*page["clips"], page["target"]):
            answer = client.get(f"/api/clips/{clip['file']}", headers=own)
            assert answer.headers["content-type"] == "video/mp4"
            assert answer.headers["cache-control"] == "private, no-store"
        told = rate_page(client, own, page)
        assert told["minutes"] <= minutes
        feedback += [told["feedback"]] if page["kind"] == "training" else []
    return feedback


@pytest.mark.parametrize("kind", SCALES)
def test_a_whole_session_tells_no_condition_and_is_kept_whole(
    kind: str, studies: dict[str, Study], tmp_path: Path
):
    study = studies[kind]
    store = Store(f"sqlite:///{tmp_path / DATABASE}", study.design)
    answers: list[str] = []
    with TestClient(study_app(study, store)) as client:
        client.event_hooks["response"].append(lambda answer: answers.append(str(answer.read())))
        for _ in range(2):  # so that pairs are shown both ways round
            own, told = join(client)
            assert set(take_part(client, own, told)) == {"Look at the lips."}
            assert client.post("/api/finish", json={}, headers=own).status_code == 400
            client.post("/api/answer", json={"name": "remarks", "answer": HOSTILE}, headers=own)
            completion = client.post("/api/finish", json={}, headers=own).json()["completion"]
            again = client.get("/api/session", headers=own).json()
            assert (again["page"], again["completion"]) == (None, completion)
    asked = sum(len(page.rated) for page in plan(study.design, 0))
    said = " ".join(answers)
    for secret in ("system-", "System", "anchor", "Anchor", "item-", "delighted", "Above"):
        assert secret not in said
    responses = store.responses()
    pages = {(row["participant"], row["position"]): row for row in responses.pages}
    assert len(responses.ratings) == 2 * asked
    for row in responses.ratings:
        page = pages[row["participant"], row["position"]]
        assert row["plays"] >= 1 and page["done_at"] is not None
        if "|" in row["stimulus"]:  # the left one was better, whichever that was
            first = row["stimulus"].split("|")[0] == json.loads(page["stimuli"])[0]
            assert row["value"] == (-1 if first else 1)
    store.close()


@pytest.mark.parametrize(
    ("change", "status", "sentence"),
    [
        ({"value": 101}, 400, "0 to 100"),
        ({"value": -0.1}, 400, "0 to 100"),
        ({"value": "50"}, 400, "Got value"),
        ({"value": None}, 400, "Got value"),
        ({"page": 99}, 400, "page 99"),
        ({"page": -1}, 400, "page -1"),
        ({"page": 10**30}, 400, "Got page"),
        ({"name": "Z"}, 400, "Z"),
        ({"name": "system-0"}, 400, "system-0"),
        ({"seconds": -1}, 400, "how long"),
        ({"save": ""}, 400, "Got save"),
        ({"save": "x" * 65}, 400, "Got save"),
        ({"save": "\x00"}, 400, "Got save"),
        ({"plays": {"Z": 1}}, 400, "plays of 'Z'"),
        ({"plays": {"A": -1}}, 400, "-1 plays"),
        ({"plays": {"A": 10**9}}, 400, "plays"),
        ({"admin": True}, 400, "Got admin"),
    ],
)
def test_a_rating_that_cannot_be_is_refused_with_a_sentence(
    client: TestClient, store: Store, change: dict[str, Any], status: int, sentence: str
):
    own, told = join(client)
    answer = client.post("/api/rate", json=rating(told["page"], **change), headers=own)
    assert answer.status_code == status
    assert sentence in answer.json()["sentence"]
    assert not store.responses().ratings


@pytest.mark.parametrize(
    ("body", "kind", "status", "sentence"),
    [
        (b"{", "application/json", 400, "cannot be used"),
        (b"[]", "application/json", 400, "cannot be used"),
        (b'{"value": NaN}', "application/json", 400, "Got"),
        (b"\xff\xfe", "application/json", 400, "cannot be used"),
        (b"consent=true", "application/x-www-form-urlencoded", 415, "no JSON"),
        (b" " * (MOST_BYTES + 1), "application/json", 413, "64 KiB"),
    ],
)
def test_a_request_that_is_none(
    client: TestClient, body: bytes, kind: str, status: int, sentence: str
):
    own, _ = join(client)
    headers = {**own, "Content-Type": kind}
    for path in ("join", "rate", "play", "next", "answer", "finish", "withdraw", "delete"):
        answer = client.post(f"/api/{path}", content=body, headers=headers)
        assert answer.status_code == status and sentence in answer.json()["sentence"], path
    assert client.get("/api/session", headers=own).json()["begun"] is False


def test_nobody_joins_without_consent(client: TestClient):
    answer = client.post("/api/join", json={"consent": False})
    assert answer.status_code == 400 and "no consent" in answer.json()["sentence"]


def test_codes_open_ones_own_session_and_nothing_else(client: TestClient, store: Store):
    own, told = join(client)
    file = told["page"]["clips"][0]["file"]
    for header in ({}, {"Authorization": "Bearer "}, {"Authorization": "Basic abc"}):
        assert client.get("/api/session", headers=header).status_code == 401
    forged = {"Authorization": f"Bearer {told['code'][:-1]}"}
    for answer in (
        client.get("/api/session", headers=forged),
        client.get(f"/api/clips/{file}", headers=forged),
        client.get(f"/api/session?code={told['code']}"),
        client.post("/api/rate", json=rating(told["page"]), headers=forged),
    ):
        assert answer.status_code == 401 and answer.json()["sentence"]
        assert answer.headers["www-authenticate"] == "Bearer"
    typed = {"Authorization": f"Bearer {told['code'].lower().replace('-', ' ')}"}
    assert client.get("/api/session", headers=typed).status_code == 200
    assert client.post("/api/withdraw", json={}, headers=own).status_code == 200
    assert client.get("/api/session", headers=own).json()["withdrawn"] is True
    late = client.post("/api/rate", json=rating(told["page"]), headers=own)
    assert late.status_code == 410 and "withdrawn" in late.json()["sentence"]
    assert client.post("/api/delete", json={}, headers=own).status_code == 200
    assert client.get("/api/session", headers=own).status_code == 401
    assert not store.responses().participants


def test_files_are_served_in_parts_to_whom_they_belong_and_the_manifest_to_nobody(
    tmp_path: Path,
):
    few = table(systems=1, items=4, pages=1)
    study = write_study(tmp_path / "study", few)
    store = Store(study.database, study.design)
    client = TestClient(study_app(study, store))
    (own, told), (other, others) = join(client), join(client)
    files = [{clip["file"] for clip in each["page"]["clips"]} for each in (told, others)]
    assert not files[0] & files[1]
    path = f"/api/clips/{files[0].pop()}"
    part = client.get(path, headers={**own, "Range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, b"ftyp")
    assert client.get(path, headers=other).status_code == 404
    for name in ("manifest.json", "design.yaml", "..%2Fmanifest.json", DATABASE):
        for folder in ("api/clips", "static", "stimuli", "api", "."):
            answer = client.get(f"/{folder}/{name}", headers=own)
            assert answer.status_code in (404, 405), (folder, name)
            assert answer.json()["sentence"]
    store.close()


def test_a_clip_that_was_changed_while_the_study_runs_is_not_shown(
    client: TestClient, studies: dict[str, Study]
):
    own, told = join(client)
    path = studies["mushra"].folder / "stimuli" / told["page"]["clips"][0]["file"]
    address, kept = f"/api/clips/{path.name}", path.read_bytes()
    assert client.get(address, headers=own).content == kept
    for spoil in (lambda: path.write_bytes(kept[:-1] + b"x"), path.unlink):
        spoil()
        answer = client.get(address, headers=own)
        assert answer.status_code == 500
        assert "not what it was when the study began" in answer.json()["sentence"]
    path.write_bytes(kept)
    assert client.get(address, headers=own).content == kept


def test_a_code_that_is_used_again_after_the_end_changes_nothing(client: TestClient, store: Store):
    own, told = join(client)
    last = told["page"]
    while told["page"] is not None:
        last, told = told["page"], rate_page(client, own, told["page"])
    client.post("/api/answer", json={"name": "remarks", "answer": "Fine."}, headers=own)
    completion = client.post("/api/finish", json={}, headers=own).json()["completion"]
    late = client.post("/api/rate", json=rating(last, save="late"), headers=own)
    assert late.status_code == 409
    changed = client.post("/api/answer", json={"name": "remarks", "answer": "Bad."}, headers=own)
    assert changed.status_code == 400 and "is finished" in changed.json()["sentence"]
    assert client.post("/api/finish", json={}, headers=own).json()["completion"] == completion
    assert [row["answer"] for row in store.responses().answers] == ["Fine."]


def test_two_tabs_count_once_and_one_hears_that_the_other_has_gone_on(
    client: TestClient, store: Store
):
    own, told = join(client)
    page = told["page"]
    for _ in range(3):
        assert client.post("/api/rate", json=rating(page), headers=own).json() == {"revision": 1}
    rate_page(client, own, page | {"asked": page["asked"][1:]})
    assert len(store.responses().history) == len(page["asked"])
    assert client.post("/api/rate", json=rating(page), headers=own).status_code == 200
    late = client.post("/api/rate", json=rating(page, save="two"), headers=own)
    assert late.status_code == 409 and "another window" in late.json()["sentence"]
    twice = client.post("/api/next", json={"page": page["position"]}, headers=own)
    assert twice.json()["page"]["position"] == page["position"] + 1
    ahead = client.post("/api/next", json={"page": page["position"] + 2}, headers=own)
    assert ahead.status_code == 400 and "earlier one is open" in ahead.json()["sentence"]


def test_a_locked_database_is_said_and_can_be_tried_again(
    client: TestClient, store: Store, tmp_path: Path
):
    own, told = join(client)
    other = sqlite3.connect(tmp_path / DATABASE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answer = client.post("/api/rate", json=rating(told["page"]), headers=own)
    assert answer.status_code == 503 and answer.headers["retry-after"]
    assert answer.json()["reason"] == "busy" and "nothing was saved" in answer.json()["sentence"]
    other.execute("ROLLBACK")
    other.close()
    assert client.post("/api/rate", json=rating(told["page"]), headers=own).status_code == 200
    assert len(store.responses().ratings) == 1


def test_a_full_disk_and_a_disk_that_is_only_read_are_said_and_nothing_is_lost(
    client: TestClient, store: Store
):
    own, told = join(client)

    def rate(number: int) -> Response:
        said = rating(told["page"], value=number % 101, save=f"save-{number}")
        return client.post("/api/rate", json=said, headers=own)

    assert rate(0).status_code == 200
    for trouble, reason, sentence in (
        ("max_page_count=1", "full", "disk of the study's storage is full"),
        ("query_only=1", "gone", "cannot be reached"),
    ):
        with troubled(store, trouble):
            saved = len(store.responses().history)
            answer = next(answer for k in range(saved, 500) if (answer := rate(k)).is_error)
            assert answer.status_code == 503 and answer.headers["retry-after"]
            assert answer.json()["reason"] == reason and sentence in answer.json()["sentence"]
            kept = client.get("/api/session", headers=own).json()  # what there is can be read
            saved = len(store.responses().history)
            assert kept["page"]["ratings"] == {"A": (saved - 1) % 101}
            joining = client.post("/api/join", json={"consent": True})
            assert joining.status_code == 503 or reason == "full"  # or there is still room for it
        assert rate(saved).status_code == 200
        assert len(store.responses().history) == saved + 1


def test_the_owner_is_known_by_a_header_alone(client: TestClient):
    own, _ = join(client)
    owner = {"Authorization": f"Bearer {TOKEN}"}
    state = client.get("/api/owner/state", headers=owner).json()
    assert (state["joined"], state["finished"]) == (1, 0)
    for path in ("state", "results", "data.zip", "report.zip"):
        assert client.get(f"/api/owner/{path}?token={TOKEN}").status_code == 401
    for _ in range(WRONG_TOKENS):
        assert client.get("/api/owner/state", headers=own).status_code == 401
    assert client.get("/api/owner/state", headers=owner).status_code == 429


def test_the_owner_sees_what_was_found_and_takes_the_data_home(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("kmspeaker.study.analysis.analyse", partial(analyse, draws=20))
    for _ in range(3):
        own, told = join(client)
        while told["page"] is not None:
            told = rate_page(client, own, told["page"])
        client.post("/api/answer", json={"name": "remarks", "answer": HOSTILE}, headers=own)
        client.post("/api/finish", json={}, headers=own)
    owner = {"Authorization": f"Bearer {TOKEN}"}
    state = client.get("/api/owner/state", headers=owner).json()
    assert (state["joined"], state["finished"]) == (3, 3)
    found = client.get("/api/owner/results", headers=owner).json()
    assert found["participants"] == 3 and len(found["figures"]) == len(found["titles"]) >= 2
    assert "System 0" in json.dumps(found["tables"])
    archive = client.get("/api/owner/data.zip", headers=owner).content
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        assert {"ratings.csv", "ratings.parquet", "codebook.md"} <= set(files.namelist())
        assert HOSTILE.replace("\x00", "") in files.read("answers.csv").decode()


def test_without_a_token_there_is_no_owners_page(studies: dict[str, Study], store: Store):
    client = TestClient(study_app(studies["mushra"], store))
    answer = client.get("/api/owner/state", headers={"Authorization": "Bearer None"})
    assert answer.status_code == 404 and "--token-file" in answer.json()["sentence"]


@pytest.mark.parametrize("path", ["/", "/owner", "/static/main.js", "/api/study", "/nothing"])
def test_no_page_runs_or_fetches_what_is_not_its_own(client: TestClient, path: str):
    answer = client.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self';" in policy
    assert ("unsafe" in policy) == (path == "/owner")
    assert answer.headers["cache-control"] == "no-store"
    assert "<script>" not in answer.text and "http://" not in answer.text
