"""A real browser, the real app in its own process, and the stage alone on a page."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from app_page import SLOWEST_START, answers
from playwright.sync_api import Browser, Page, sync_playwright
from stage_page import PATIENCE, Material, StageServer, real_material

from kmspeaker.face.rig import FaceModel

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--autoplay-policy=no-user-gesture-required",
]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        if os.environ.get("CI"):
            pytest.fail(f"CI must have {CHROMIUM}; scripts/test.sh installs it.")
        pytest.skip(f"needs {CHROMIUM}, which scripts/test.sh installs")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    app = subprocess.Popen(
        [sys.executable, "app.py", "--port", str(port)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    url = f"http://127.0.0.1:{port}/"
    deadline = time.monotonic() + SLOWEST_START
    while not answers(url):
        if app.poll() is not None or time.monotonic() > deadline:
            app.kill()
            pytest.fail(f"The app did not start: {app.communicate()[0]}")
        time.sleep(0.2)
    yield url
    app.terminate()
    app.wait(SLOWEST_START)


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector(".km-stage.km-ready", timeout=60_000)
    yield page
    context.close()


@pytest.fixture(scope="module")
def material(face: FaceModel, tmp_path_factory: pytest.TempPathFactory) -> Material:
    return real_material(face, tmp_path_factory.mktemp("stage"))


@pytest.fixture(scope="module")
def value(material: Material, face: FaceModel) -> dict[str, Any]:
    return material.value(face)


@pytest.fixture(scope="module")
def server(face: FaceModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StageServer]:
    server = StageServer(face, tmp_path_factory.mktemp("face"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def window(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    yield page
    context.close()
