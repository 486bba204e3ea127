from pathlib import Path

import pytest

from kmspeaker.errors import InputError
from kmspeaker.evaluation.card import write_section

CARD = "# Model\n\nWhat it is.\n\n## Limits\n\nMany.\n"


def test_a_section_stands_before_the_limits_and_is_replaced_whole(tmp_path: Path):
    card = tmp_path / "README.md"
    card.write_text(CARD)
    write_section(card, "Lips, measured", "| old |\n\nmore")
    write_section(card, "Lips, measured", "| new \\1 |")
    text = card.read_text()
    assert text == CARD.replace("## Limits", "## Lips, measured\n\n| new \\1 |\n\n## Limits")
    assert list(tmp_path.iterdir()) == [card]


def test_a_missing_card_is_said(tmp_path: Path):
    with pytest.raises(InputError, match="no model card"):
        write_section(tmp_path / "README.md", "Lips", "x")
