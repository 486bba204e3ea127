"""Writes a section into a model's card, so that its figures are never copied by hand."""

import re
from pathlib import Path

from kmspeaker.errors import InputError
from kmspeaker.media.files import replacing


def write_section(card: Path, title: str, body: str) -> None:
    """Write a section of second level into a card, replacing one of the same title.

    Args:
        card: the Markdown file; it stays whole if writing fails.
        title: of the section.
        body: its Markdown, without headings of first or second level.

    Raises:
        InputError: there is no such card.
    """
    if not card.is_file():
        raise InputError(f"Got no model card at {card}; give the folder of a trained model.")
    text = card.read_text()
    section = f"## {title}\n\n{body.strip()}\n\n"
    present = re.compile(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    if present.search(text):
        text = present.sub(lambda _: section, text)
    else:
        limits = text.find("\n## Limits\n")
        at = len(text) if limits < 0 else limits + 1
        text = text[:at] + section + text[at:]
    with replacing(card) as unfinished:
        unfinished.write_text(text.rstrip() + "\n")
