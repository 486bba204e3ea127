"""How the page opens and ends: behind a proxy, on a port that is taken, told to stop."""

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from speaker import FakeSpeaker
from studies import table, write_study

from kmspeaker.cli import main
from kmspeaker.cli.app import _on_desktop
from kmspeaker.cli.study import open_study
from kmspeaker.errors import InputError
from kmspeaker.web import free_port, serve

TESTS = Path(__file__).parents[1]
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
NOWHERE = "127.0.0.1:9"
BEHIND_SOCKS = {"ALL_PROXY": f"socks5://{NOWHERE}", "no_proxy": "localhost"}


def status(address: str) -> int:
    """Of the page at an address, asked for without any proxy."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(address, timeout=10) as page:
        return page.status


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


@pytest.mark.parametrize(
    "settings",
    [
        {"http_proxy": f"http://{NOWHERE}", "https_proxy": f"http://{NOWHERE}"},
        BEHIND_SOCKS,
    ],
    ids=["http", "socks"],
)
def test_behind_a_proxy_the_page_opens_and_says_where(
    settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    said: list[str] = []
    demo = serve(FakeSpeaker(), port=0, block=False, browser=True, announce=said.append)
    try:
        assert status(demo.local_url) == 200
    finally:
        demo.close()
    (line,) = said
    assert demo.local_url in line and "fake@00000000" in line and "10 minutes" in line
    assert "\n" not in line and opened == [demo.local_url]
    assert {name: os.environ.get(name) for name in before} == before, "others may need the proxy"


def test_a_rating_study_is_held_beside_the_page(tmp_path: Path):
    study = write_study(tmp_path / "lips", table(systems=1, items=2))
    said: list[str] = []
    with open_study(study.folder) as (_, app):
        demo = serve(FakeSpeaker(), port=0, block=False, study=app, announce=said.append)
        try:
            assert f"{demo.local_url}study/" in said[0]
            assert status(demo.local_url) == 200
            with httpx.Client(base_url=f"{demo.local_url}study", follow_redirects=True) as visitor:
                assert "Rating study" in visitor.get("").text  # without the slash at its end
                assert visitor.get("/static/main.js").status_code == 200
                joined = visitor.post("/api/join", json={"consent": True}).json()
                own = {"Authorization": f"Bearer {joined['code']}"}
                assert visitor.get("/api/session", headers=own).json()["page"]["clips"]
        finally:
            demo.close()


def test_a_taken_port_is_told_before_the_model_is_loaded(
    taken: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("kmspeaker.pipeline.Pipeline.load", None)
    assert main(["app", "--port", str(taken)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert str(taken) in line and "--port" in line
    with pytest.raises(InputError, match="--port"):
        serve(FakeSpeaker(), port=taken, block=False)


@pytest.mark.parametrize(
    ("host", "port", "says"),
    [("127.0.0.1", 65536, "to 65535"), ("127.0.0.1", -1, "from 0"), ("192.0.2.1", 0, "--host")],
)
def test_where_nothing_can_listen(host: str, port: int, says: str):
    with pytest.raises(InputError, match=says):
        free_port(host, port)


def test_a_free_port_is_the_one_that_is_asked_for(taken: int):
    any_port = free_port("127.0.0.1", 0)
    assert any_port not in (0, taken) and free_port("127.0.0.1", any_port) == any_port


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_a_program_of_its_own_opens_behind_a_proxy_and_ends_without_a_word_even_told_twice(
    told: signal.Signals, tmp_path: Path
):
    code = (
        "from functools import partial; from speaker import FakeSpeaker\n"
        "from kmspeaker.web import serve\n"
        "serve(FakeSpeaker(), port=0, announce=partial(print, flush=True))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env={
            **os.environ,
            **BEHIND_SOCKS,
            "PYTHONPATH": f"{TESTS}:{TESTS.parent}",
            "TMPDIR": str(tmp_path),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as app:
        assert app.stdout is not None
        ready = re.search(r"ready at (http://127\.0\.0\.1:\d+/)", app.stdout.readline())
        assert ready, app.stderr and app.stderr.read()
        assert status(ready[1]) == 200
        assert list(tmp_path.glob("km-speaker-*"))
        app.send_signal(told)
        app.send_signal(told)
        rest, errors = app.communicate(timeout=30)
    assert (app.returncode, rest, errors) == (0, "", "")
    assert not list(tmp_path.glob("km-speaker-*")), "nothing of visitors stays"


@pytest.mark.parametrize(
    ("screen", "terminal", "opens"),
    [
        ({"DISPLAY": ":0"}, True, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True, True),
        ({"DISPLAY": ":0"}, False, False),
        ({}, True, False),
    ],
)
def test_a_browser_opens_by_itself_where_somebody_looks(
    screen: dict[str, str], terminal: bool, opens: bool, monkeypatch: pytest.MonkeyPatch
):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in screen.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    assert _on_desktop() is opens
