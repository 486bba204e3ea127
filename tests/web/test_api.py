"""The served page as programs meet it: endpoints, many callers at once, names meant to do harm."""

import json
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from gradio_client.utils import QueueError, extract_validation_message
from speaker import FakeSpeaker
from visit import Page

from kmspeaker.examples import FOLDER
from kmspeaker.export import FORMATS
from kmspeaker.media.audio import load_sound
from kmspeaker.media.video_writer import write_video
from kmspeaker.reference.live_link import write_live_link
from kmspeaker.web import serve
from kmspeaker.web.limits import Limits

SPEECH, VIDEO = FOLDER / "delighted.wav", FOLDER / "delighted.mp4"
VISITORS = 30
NAMES = {"stylize", "localize", "track", "capture", "identities", "export"}
"""Of the endpoints."""


@pytest.fixture(scope="module")
def demo():
    demo = serve(FakeSpeaker(), port=0, block=False)
    yield demo
    demo.close()


@pytest.fixture(scope="module")
def address(demo) -> str:
    return demo.local_url


@pytest.fixture(scope="module")
def client(address: str) -> Client:
    return Client(address, verbose=False)


def upload(address: str, name: str, content: bytes) -> dict:
    """A file as a browser gives it."""
    answer = httpx.post(f"{address}gradio_api/upload", files={"files": (name, content)})
    answer.raise_for_status()
    return {"path": answer.json()[0], "meta": {"_type": "gradio.FileData"}, "orig_name": name}


def call(address: str, endpoint: str, data: list, session: str | None = None) -> tuple[str, list]:
    """What curl does: ask, then read the answer's events; the last event and its data."""
    body: dict = {"data": data}
    if session:
        body["session_hash"] = session
    url = f"{address}gradio_api/call/{endpoint}"
    event = httpx.post(url, json=body, timeout=60).json()["event_id"]
    lines = httpx.get(f"{url}/{event}", timeout=120).text.strip().split("\n")
    kind = [line for line in lines if line.startswith("event:")][-1].removeprefix("event: ")
    content = [line for line in lines if line.startswith("data:")][-1].removeprefix("data: ")
    return kind, json.loads(content)


def test_the_endpoints_are_named_typed_and_explained(address: str):
    with urllib.request.urlopen(f"{address}gradio_api/info") as response:
        info = json.load(response)["named_endpoints"]
    assert set(info) == {f"/{name}" for name in NAMES}
    assert "style of a reference" in json.dumps(info["/stylize"])
    parameters = info["/stylize"]["parameters"]
    names = {p["parameter_name"] for p in parameters}
    assert names == {"speech", "reference", "identity", "seed", "controls", "second", "format"}
    needed = {p["parameter_name"] for p in parameters if not p["parameter_has_default"]}
    assert needed == {"speech", "reference"}


def test_a_client_makes_a_take_and_writes_it_in_every_quick_format(client: Client):
    files, facts = client.predict(
        handle_file(SPEECH),
        handle_file(VIDEO),
        seed=3,
        controls={"style_strength": 1.5},
        format=".csv",
        api_name="/localize",
    )
    assert [Path(path).suffix for path in files] == [".csv", ".json"]
    assert facts["seed"] == 3 and facts["use"] == "localize" and facts["fps"] == 30.0
    (again,) = client.predict(facts["take"], ".npz", "kenji", api_name="/export")
    assert "kenji" in Path(again).name
    track, seen = client.predict(handle_file(VIDEO), api_name="/track")
    assert Path(track).suffix == ".npz" and seen["seen"] == 1.0
    assert seen["doubtful"] == 0.0
    captured, told = client.predict(handle_file(VIDEO), "kenji", 0.5, ".csv", api_name="/capture")
    assert [Path(path).suffix for path in captured] == [".csv", ".json"]
    assert told["use"] == "capture" and told["identity"] == "kenji" and "model" not in told
    heads = client.predict(api_name="/identities")
    assert {"name", "description"} == set(heads[0]) and len(heads) == 12


def test_the_speech_may_be_a_video_as_on_the_page(client: Client, tmp_path: Path):
    values = {"reference": handle_file(VIDEO), "format": ".csv", "api_name": "/stylize"}
    _, facts = client.predict(handle_file(VIDEO), **values)
    assert facts["seconds"] == pytest.approx(load_sound(VIDEO).seconds, abs=0.05)
    silent = tmp_path / "silent.mp4"
    write_video(silent, [np.zeros((64, 64, 3), np.uint8)] * 25, 25.0, None)
    with pytest.raises(AppError, match="without a sound track"):
        client.predict(handle_file(silent), **values)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"identity": "clarra"}, "clara"),
        ({"controls": {"loudness": 2}}, "loudness"),
        ({"controls": {"upper": 9}}, "upper"),
        ({"format": ".exe"}, ".exe"),
        ({"seed": -1}, "seed -1"),
        ({"reference": handle_file(SPEECH)}, "picture"),
        ({"controls": {"style_mix": 0.5}}, "second reference"),
    ],
)
def test_programs_get_the_same_sentences_without_markup(client: Client, changed: dict, says: str):
    values: dict[str, Any] = {
        "speech": handle_file(SPEECH),
        "reference": handle_file(VIDEO),
    } | changed
    with pytest.raises((AppError, ValueError), match=says) as caught:
        client.predict(**values, api_name="/stylize")
    assert "<" not in str(caught.value) and "Traceback" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "says"),
    [(("clarra", None, ".csv"), "clara"), (("", 99.0, ".csv"), "inside"), (("", 0, ".x"), ".x")],
)
def test_a_capture_that_cannot_be_is_a_sentence(client: Client, given: tuple, says: str):
    with pytest.raises((AppError, ValueError), match=says):
        client.predict(handle_file(VIDEO), *given, api_name="/capture")


def test_curl_needs_no_session_and_with_one_finds_its_takes_again(address: str):
    speech = upload(address, "hello.wav", SPEECH.read_bytes())
    video = upload(address, "face.mp4", VIDEO.read_bytes())
    data = [speech, video, "clara", 0, None, None, ".csv"]
    kind, (files, facts) = call(address, "stylize", data, "curl-1")
    assert kind == "complete" and facts["take"] == "take-1"
    assert httpx.get(files[0]["url"]).status_code == 200
    kind, (again,) = call(address, "export", ["", ".npz", ""], "curl-1")
    assert kind == "complete" and again[0]["path"].endswith(".npz")
    kind, _ = call(address, "export", ["", ".npz", ""], "curl-2")
    assert kind == "error"
    kind, _ = call(address, "export", ["", ".npz", ""])
    assert kind == "error"


def test_a_caller_cannot_name_a_file_of_the_server(address: str):
    theirs = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}
    kind, answer = call(address, "track", [theirs], "prying")
    assert kind == "error" and "root:" not in json.dumps(answer)


@pytest.mark.parametrize("name", ["../../../../tmp/up.wav", "<img src=x onerror=alert(1)>.wav"])
def test_names_that_look_like_paths_or_html_do_no_harm(address: str, name: str):
    speech = upload(address, name, SPEECH.read_bytes())
    assert ".." not in speech["path"] and "<" not in speech["path"]
    video = upload(address, "face.mp4", VIDEO.read_bytes())
    data = [speech, video, "clara", 0, None, None, ".csv"]
    kind, (files, _) = call(address, "stylize", data, f"named {len(name)}")
    assert kind == "complete" and "onerror" not in json.dumps(files)
    assert not Path("/tmp/up.wav").exists()


def test_thirty_visitors_at_once_are_all_served_each_their_own(address: str, tmp_path: Path):
    page = Page(tmp_path)
    speech = upload(address, "hello.wav", Path(page.speech(seconds=0.5)).read_bytes())
    write_live_link(tmp_path / "face.csv", np.zeros((30, 52), np.float32), 30.0)
    csv = upload(address, "face.csv", (tmp_path / "face.csv").read_bytes())

    def visit(number: int) -> tuple[str, int, str]:
        data = [speech, csv, "clara", number, None, None, ".csv"]
        kind, (files, facts) = call(address, "stylize", data, f"visitor {number}")
        return kind, facts["seed"], Path(files[0]["path"]).parent.parent.name

    with ThreadPoolExecutor(VISITORS) as pool:
        visits = list(pool.map(visit, range(VISITORS)))
    assert [kind for kind, _, _ in visits] == ["complete"] * VISITORS
    assert [seed for _, seed, _ in visits] == list(range(VISITORS))
    assert len({folder for _, _, folder in visits}) == VISITORS


def test_whoever_finds_the_queue_full_is_asked_to_come_back():
    demo = serve(FakeSpeaker(steps=100, step_seconds=0.1), port=0, block=False)
    try:
        url = f"{demo.local_url}gradio_api"
        speech, video = (upload(demo.local_url, p.name, p.read_bytes()) for p in (SPEECH, VIDEO))
        body = {"data": [speech, video, "clara", 0, None, None, ".csv"]}
        codes = [httpx.post(f"{url}/call/stylize", json=body).status_code for _ in range(45)]
        waiting = codes.index(503)
        assert codes == [200] * waiting + [503] * (45 - waiting)
        assert Limits().queue <= waiting <= Limits().queue + 2, "those that are served do not wait"
        (number,) = (k for k, fn in demo.fns.items() if fn.api_name == "stylize")
        for path, code in ((f"{url}/call/stylize", 503), (f"{url}/queue/join", 429)):
            late = body | {"fn_index": number, "session_hash": "late"}
            answer = httpx.post(path, json=late)
            assert answer.status_code == code
            assert "others are waiting" in answer.json()["detail"]
        client = Client(demo.local_url, verbose=False)
        with pytest.raises(QueueError):
            client.predict(handle_file(SPEECH), handle_file(VIDEO), api_name="/stylize")
    finally:
        demo.close()


def test_one_visitor_at_a_time_keeps_the_machine_busy_and_every_format_has_a_button(demo):
    shown = {getattr(block, "elem_id", None) for block in demo.blocks.values()}
    assert {f"save{suffix[1:]}" for suffix in FORMATS} <= shown
    busy = [fn for fn in demo.fns.values() if fn.concurrency_id == "gpu"]
    assert busy and all(fn.concurrency_limit == 1 for fn in busy)
    names = {fn.api_name for fn in demo.fns.values() if fn.api_visibility == "public"}
    assert names == NAMES


@pytest.fixture(scope="module")
def public():
    """A page behind a proxy on this machine, busy for long: each visitor may have two waiting."""
    demo = serve(
        FakeSpeaker(steps=600, step_seconds=0.1),
        port=0,
        block=False,
        trusted_proxies="127.0.0.1",
        waiting=2,
    )
    yield demo
    demo.close()


def asked(address: str, who: str, endpoint: str = "track", agent: str = "curl") -> httpx.Response:
    """Work asked for by somebody behind the proxy."""
    video = {"path": str(VIDEO), "meta": {"_type": "gradio.FileData"}}
    body = {"data": [video], "session_hash": who.rpartition(" ")[2]}
    headers = {"X-Forwarded-For": who, "User-Agent": agent}
    return httpx.post(f"{address}gradio_api/call/{endpoint}", json=body, headers=headers)


def test_each_visitor_has_places_of_their_own_whatever_they_forge(public):
    address = public.local_url
    first = [asked(address, f"192.0.2.{k}, 203.0.113.1") for k in range(5)]
    codes = [answer.status_code for answer in first]
    assert codes in ([200, 200, 200, 429, 429], [200, 200, 429, 429, 429])  # one may run already
    assert "2 jobs waiting already" in first[-1].json()["detail"]
    assert "<" not in first[-1].json()["detail"]
    other = [asked(address, "203.0.113.1, 203.0.113.2").status_code for _ in range(3)]
    assert other == [200, 200, 429]
    free = httpx.post(
        f"{address}gradio_api/call/identities",
        json={"data": []},
        headers={"X-Forwarded-For": "203.0.113.1"},
    )
    assert free.status_code == 200, "what costs nothing needs no place"


def test_the_page_and_the_python_client_get_the_sentence_too(public):
    address = public.local_url
    number = next(k for k, fn in public.fns.items() if fn.api_name == "track")
    video = {"path": str(VIDEO), "meta": {"_type": "gradio.FileData"}}
    body = {"data": [video], "fn_index": number, "session_hash": "somebody"}
    answers = {}
    for agent, count in (("Mozilla/5.0", 3), ("gradio_client/2", 1)):
        headers = {"X-Forwarded-For": "203.0.113.3", "User-Agent": agent}
        for _ in range(count):
            answers[agent] = httpx.post(
                f"{address}gradio_api/queue/join", json=body, headers=headers
            )
    browser, python = answers.values()
    assert browser.status_code == 429 and "jobs waiting already" in browser.json()["detail"]
    message = extract_validation_message(python)
    assert message is not None and "jobs waiting already" in message


def test_there_is_no_way_around_the_queue_and_no_word_of_a_proxy_is_taken_unasked(
    public, address: str
):
    for path in ("run", "api"):
        answer = httpx.post(f"{public.local_url}gradio_api/{path}/track", json={"data": [None]})
        assert answer.status_code in (400, 401, 403, 404), answer.text
    assert public.server.config.forwarded_allow_ips == ""


def test_an_upload_is_the_visitors_from_the_moment_they_ask_with_it(public):
    address = public.local_url
    video = upload(address, "mine.mp4", VIDEO.read_bytes() + bytes((0, 0, 0, 9, *b"free", 1)))
    headers = {"X-Forwarded-For": "203.0.113.9"}
    with httpx.stream("GET", f"{address}gradio_api/heartbeat/leaving", headers=headers):
        body = {"data": [video], "session_hash": "leaving"}
        answer = httpx.post(f"{address}gradio_api/call/track", json=body, headers=headers)
        assert answer.status_code == 200 and Path(video["path"]).is_file()
    deadline = time.monotonic() + 20
    while Path(video["path"]).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(video["path"]).exists()
