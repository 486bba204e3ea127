"""Waiting for the app and handling its page, for the browser tests."""

import urllib.request

from playwright.sync_api import Page

SLOWEST_START = 90.0
"""Seconds; far less where the machine has nothing else to do."""


def unfold(page: Page, title: str) -> None:
    """Open a part of the page and wait until its controls keep what is typed.

    Gradio lays them out when they are first shown, and sets them back to where they start a
    moment later: before anybody has seen them, but not before a browser test has typed.
    """
    page.get_by_role("button", name=title).click()
    page.evaluate(
        """async () => {
            for (let i = 0; i < 5; i++) await new Promise(requestAnimationFrame);
        }"""
    )


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return response.status == 200
    except OSError:
        return False
