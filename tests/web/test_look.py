"""What can be said of the page's look without a browser: contrasts, and names for what is heard."""

import re
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[2] / "kmspeaker" / "web" / "static"
TEXT, LARGE = 4.5, 3.0
"""WCAG 2.2 AA: text, and what is large or no text but must be seen."""
PAIRS = [
    ("ink", "page", TEXT),
    ("ink", "panel", TEXT),
    ("ink", "hover", TEXT),
    ("soft", "page", TEXT),
    ("soft", "panel", TEXT),
    ("soft", "hover", TEXT),
    ("on-accent", "accent", TEXT),
    ("on-accent", "accent-strong", TEXT),
    ("accent", "panel", LARGE),
    ("accent", "page", LARGE),
    ("ink", "chosen", TEXT),
    ("soft", "chosen", TEXT),
]
"""Foreground, background, least contrast; ``chosen`` is a chosen card."""


def colours(block: str) -> dict[str, tuple[float, ...]]:
    """The custom properties of one rule of page.css that are plain colours."""
    css = (STATIC / "page.css").read_text()
    rule = css[css.index(block + " {") :].split("}")[0]
    pairs = re.findall(r"--km-([a-z-]+):\s*#([0-9a-f]{6})", rule)
    return {name: tuple(int(hex[k : k + 2], 16) / 255 for k in (0, 2, 4)) for name, hex in pairs}


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    def luminance(colour: tuple[float, ...]) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def mixed(one: tuple[float, ...], other: tuple[float, ...], share: float) -> tuple[float, ...]:
    return tuple(share * a + (1 - share) * b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground", "least"), PAIRS)
def test_text_can_be_read_on_what_it_stands_on(scheme: str, text: str, ground: str, least: float):
    palette = colours(":root") | (colours(".dark") if scheme == "dark" else {})
    palette["chosen"] = mixed(palette["accent"], palette["panel"], 0.09)
    assert contrast(palette[text], palette[ground]) >= least


def test_the_contrast_is_that_of_the_standard():
    assert contrast((0, 0, 0), (1, 1, 1)) == pytest.approx(21)
    grey = (0x76 / 255,) * 3
    assert contrast(grey, (1, 1, 1)) == pytest.approx(4.54, abs=0.01)
