"""The pictures of the documents are drawn by scripts that run."""

import sys
from dataclasses import replace
from pathlib import Path

import av
import pytest
from PIL import Image

from kmspeaker.export import save_comparison
from scripts import draw_states


def test_the_eight_states_become_a_sheet_and_a_video_with_sound(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def save_beginning(takes, *rest, **options):
        save_comparison([replace(t, weights=t.weights[:2]) for t in takes], *rest, **options)

    sheet, video = tmp_path / "states.png", tmp_path / "states.mp4"
    given = f"draw_states --data {data} -o {sheet} --video {video} --actors mei --size 100"
    monkeypatch.setattr(sys, "argv", given.split())
    monkeypatch.setattr(draw_states, "save_comparison", save_beginning)
    draw_states.main()
    assert Image.open(sheet).size == (8 * 64, 9 + 68)
    with av.open(str(video)) as written:
        (pictures,) = written.streams.video
        assert (pictures.width, pictures.height) == (1280, 720) and written.streams.audio
        assert pictures.frames == 2
