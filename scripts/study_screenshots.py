"""Take the pictures in `docs/study/`: `python -m scripts.study_screenshots LIPS STYLE`.

LIPS and STYLE are what `kmspeaker study build` made of `ready:lips` and `ready:style`; the pages of
the other two protocols show the clips of LIPS. Every page is taken light, dark and on a phone; what
lies between two pages, and the owner's 24 participants, are made up.
"""

import argparse
import io
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvicorn
import yaml
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from kmspeaker.study.design import SCALES, Kind
from kmspeaker.study.design_file import read_design
from kmspeaker.study.participants import Participant
from kmspeaker.study.simulation import Truth, default_effects, simulate
from kmspeaker.study.store import Store
from kmspeaker.study.study_folder import (
    DESIGN,
    MANIFEST,
    STIMULI,
    Study,
    load_study,
    write_manifest,
)
from kmspeaker.web import free_port
from kmspeaker.web.study.serving import study_app

PICTURES = Path(__file__).parents[1] / "docs" / "study"
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1200, "height": 760}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1200, "height": 760}, "color_scheme": "dark"},
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "device_scale_factor": 1.5,
        "has_touch": True,
        "is_mobile": True,
    },
}
WIDTHS = {"light": 900, "dark": 900, "phone": 390}
QUALITY = 62
FLAGS = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
PATIENCE = 120_000  # milliseconds
MOMENT = 0.75  # seconds into a clip
TOKEN = "the token of the owner"
GIVEN = (72.0, 48.0, 35.0, 61.0, 20.0)
"""Ratings on the page that is shown, of its clips from A on."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Rewrite docs/study/*.webp.")
    parser.add_argument("lips", type=Path)
    parser.add_argument("style", type=Path)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--look", choices=LOOKS, action="append", help="not all")
    parser.add_argument("--study", choices=("lips", "style", "acr", "pair"), help="one of them")
    options = parser.parse_args()
    looks = options.look or list(LOOKS)
    with tempfile.TemporaryDirectory() as made, sync_playwright() as playwright:
        studies = {
            "lips": copied(options.lips, Path(made) / "lips"),
            "style": copied(options.style, Path(made) / "style"),
            "acr": copied(options.lips, Path(made) / "acr", kind="acr"),
            "pair": copied(options.lips, Path(made) / "pair", kind="pairwise"),
        }
        browser = playwright.chromium.launch(executable_path=options.chromium, args=FLAGS)
        for name, study in studies.items():
            if options.study not in (None, name):
                continue
            with served(study) as (store, address):
                for look in looks:
                    if name == "lips":
                        whole_session(browser, address, store, look)
                    else:
                        with opened(browser, address, look, begun(store)) as page:
                            keep(rated(page), name, look)
                if name == "lips":
                    answer_all(store, study)
                    for look in looks:
                        owner(browser, address, look)
        browser.close()


def copied(folder: Path, to: Path, *, kind: Kind = "mushra") -> Study:
    """A study of the same stimuli, without ratings, by another protocol perhaps."""
    study = load_study(folder)
    shutil.copytree(folder / STIMULI, to / STIMULI)
    content = yaml.safe_load((folder / DESIGN).read_text())
    content["protocol"]["kind"] = kind
    if kind != "mushra":
        low, _ = SCALES[kind]
        content["attention"] = [{**each, "low": low, "high": low} for each in content["attention"]]
    (to / DESIGN).write_text(yaml.safe_dump(content, sort_keys=False))
    digest = read_design(to / DESIGN).digest()
    write_manifest(replace(study.manifest, design=digest), to / MANIFEST)
    return load_study(to)


@contextmanager
def served(study: Study) -> Iterator[tuple[Store, str]]:
    """Its store and its address."""
    store = Store(study.database, study.design)
    port = free_port("127.0.0.1", 0)
    app = study_app(study, store, token=TOKEN)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield store, f"http://127.0.0.1:{port}/"
    server.should_exit = True
    thread.join()
    store.close()


@contextmanager
def opened(browser: Browser, address: str, look: str, code: str = "") -> Iterator[Page]:
    """The page, of the participant of a code or of nobody yet."""
    context = browser.new_context(**LOOKS[look])
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    if code:
        page.get_by_label("I have begun already").fill(code)
        page.get_by_role("button", name="Go on").click()
    yield page
    context.close()


def keep(page: Page, name: str, look: str) -> None:
    """The window as it is."""
    page.wait_for_timeout(400)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    height = round(picture.height * WIDTHS[look] / picture.width)
    small = picture.resize((WIDTHS[look], height), Image.Resampling.LANCZOS)
    path = PICTURES / f"{name}-{look}.webp"
    small.save(path, quality=QUALITY, method=6)
    print(path, path.stat().st_size, flush=True)


def whole_session(browser: Browser, address: str, store: Store, look: str) -> None:
    """From consent to thanks."""
    code, participant = store.join()
    with opened(browser, address, look) as page:
        page.get_by_role("button", name="I agree").wait_for()
        keep(page, "consent", look)
    with opened(browser, address, look, code) as page:
        page.get_by_role("button", name="Play the tones").click()
        page.get_by_role("group", name="How many").wait_for()
        keep(page, "sound", look)
    rate(store, participant, 0)
    with opened(browser, address, look, code) as page:
        expect(page.locator(".onward .go")).to_be_enabled(timeout=PATIENCE)
        show(page)
        page.locator(".onward .go").click()
        page.locator(".feedback").scroll_into_view_if_needed()
        keep(page, "training", look)
    rate(store, participant, 1)
    with opened(browser, address, look, code) as page:
        keep(rated(page), "lips", look)
    store.finish_page(participant, 1)
    for page in store.pages(participant)[2:]:
        rate(store, participant, page.position)
        store.finish_page(participant, page.position)
    with opened(browser, address, look, code) as page:
        page.get_by_role("radio", name="Now and then").check()
        page.get_by_role("radio", name="Headphones").check()
        page.get_by_label("What did you look at").fill("At the lips; some closed too late.")
        keep(page, "questions", look)
        page.get_by_role("button", name="Finish").click()
        page.locator("#completion").wait_for()
        keep(page, "thanks", look)


def begun(store: Store) -> str:
    """The code of somebody who has practised and rated the first page."""
    code, participant = store.join()
    pages = store.pages(participant)
    first = next(page.position for page in pages if page.kind == "rating")
    for position in range(first + 1):
        rate(store, participant, position)
        if position < first:
            store.finish_page(participant, position)
    return code


def rate(store: Store, participant: Participant, position: int) -> None:
    """A page as somebody rates it who has seen it, without going on."""
    page = store.pages(participant)[position]
    low, high = store.design.scale
    for key in page.rated:
        value = GIVEN[page.stimuli.index(key)] if key in page.stimuli else 30.0
        if (low, high) != SCALES["mushra"]:
            value = high
        plays = dict.fromkeys(page.stimuli, 1)
        store.rate(
            participant, position, key, value, seconds=9, save=f"{position} {key}", plays=plays
        )


def rated(page: Page) -> Page:
    """A rating page in the middle of a clip."""
    expect(page.locator(".onward .go")).to_be_enabled(timeout=PATIENCE)
    if page.locator(".letter").count():
        page.locator(".letter").nth(1).click()
    show(page)
    return page


def show(page: Page) -> None:
    """Every clip where its mouth is open."""
    page.evaluate(
        f"""() => Promise.all([...document.querySelectorAll("video")].map((video) =>
            new Promise((seen) => {{
                video.addEventListener("seeked", seen, {{ once: true }});
                video.currentTime = {MOMENT};
            }})))"""
    )


def answer_all(store: Store, study: Study) -> None:
    """What 24 made-up participants answer, in the place of the browser's."""
    truth = Truth(default_effects(study.design))
    responses = simulate(study.design, truth, 24)
    people = [store.join()[1] for _ in range(24)]
    for row in responses.ratings:
        person = people[row["participant"]]
        key, position = row["stimulus"], row["position"]
        page = store.pages(person)[position]
        plays = dict.fromkeys(page.stimuli, 1)
        seconds, save = row["seconds"], f"{position} {key}"
        store.rate(person, position, key, row["value"], seconds=seconds, save=save, plays=plays)
    for person in people:
        for page in store.pages(person):
            store.finish_page(person, page.position)
        for name, answer in (("experience", "Now and then"), ("sound", "Headphones")):
            store.answer(person, name, answer)
        store.finish(person)


def owner(browser: Browser, address: str, look: str) -> None:
    """Who has taken part, and what was found."""
    with opened(browser, f"{address}owner", look) as page:
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Open").click()
        page.get_by_role("button", name="Analyse").click()
        page.locator(".figure .main-svg").first.wait_for()
        keep(page, "owner", look)


if __name__ == "__main__":
    main()
