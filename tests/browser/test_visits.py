"""Visitors beside each other: consent, a place in the queue, stopping, a server started anew."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from app_page import SLOWEST_START, answers
from gradio_client import Client, handle_file
from playwright.sync_api import Browser, Page, expect

from kmspeaker.examples import FOLDER

pytestmark = pytest.mark.browser

PATIENCE = 120_000
"""Milliseconds."""
SPEECH, VIDEO = FOLDER / "delighted.wav", FOLDER / "delighted.mp4"


class SlowApp:
    """A page whose takes last as long as it is told, in a process that can be killed."""

    def __init__(self, seconds: float = 60.0) -> None:
        self.seconds = seconds
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}/"
        self.start()

    def start(self) -> None:
        script = Path(__file__).parent / "slow_app.py"
        library = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        command = [sys.executable, script, str(self.port), str(self.seconds)]
        self.process = subprocess.Popen(command, env=library)
        deadline = time.monotonic() + SLOWEST_START
        while not answers(self.address):
            assert self.process.poll() is None and time.monotonic() < deadline
            time.sleep(0.2)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def crowd(self) -> None:
        """Let as many wait as may."""
        api = f"{self.address}gradio_api"
        sent = [("files", (path.name, path.read_bytes())) for path in (SPEECH, VIDEO)]
        paths = httpx.post(f"{api}/upload", files=sent, timeout=60).json()
        files = [{"path": path, "meta": {"_type": "gradio.FileData"}} for path in paths]
        body = {"data": [*files, "clara", 0, None, None, ".csv"]}
        while httpx.post(f"{api}/call/stylize", json=body, timeout=60).status_code == 200:
            pass


@pytest.fixture(scope="module")
def app() -> Iterator[SlowApp]:
    app = SlowApp()
    yield app
    app.kill()


def visit(browser: Browser, app: SlowApp) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(app.address)
    page.wait_for_selector(".km-stage.km-ready")
    return page


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    expect.set_options(timeout=PATIENCE)
    yield
    expect.set_options(timeout=5_000)


def test_visits(browser: Browser, app: SlowApp):
    """One walk, since starting browser and server costs more than all of it."""
    page = visit(browser, app)

    # Inputs rest until the box is ticked, and the browser remembers it.
    gated = "[...document.querySelectorAll('.km-gated')].map((each) => each.inert)"
    assert page.evaluate(gated) and all(page.evaluate(gated))
    page.check("#consent input")
    page.wait_for_function(f"!{gated}.some(Boolean)")
    page.reload()
    page.wait_for_selector(".km-stage.km-ready")
    page.wait_for_function(f"!{gated}.some(Boolean)")

    # Behind somebody else there is a place in the queue; Stop leaves it, and gives Generate back.
    somebody = Client(app.address, verbose=False)
    take = somebody.submit(handle_file(SPEECH), handle_file(VIDEO), api_name="/stylize")
    page.click("#example-delighted")
    expect(page.locator("#stage")).to_contain_text("queue: 1/1")
    expect(page.locator("#cancel")).to_be_visible()
    page.click("#cancel")
    expect(page.locator("#generate")).to_be_visible()
    take.cancel()

    # The server dies during a take and starts again: the page comes back and says so.
    page.click("#example-suspicious")
    expect(page.locator("#cancel")).to_be_visible()
    app.kill()
    app.start()
    expect(page.locator(".km-alert")).to_contain_text("started again")
    page.wait_for_selector(".km-stage.km-ready")

    # More visitors than may wait: one more is told so, in our words, and asked to come back.
    app.crowd()
    page.click("#example-delighted")
    expect(page.locator(".toast-body")).to_contain_text("Too many others are waiting")
    expect(page.locator("#generate")).to_be_visible()
    page.context.close()
