"""What ``bench`` tells of the page."""

from pathlib import Path

import pytest

from kmspeaker.errors import InputError
from kmspeaker.web import benchmark

TALKATIVE = """
import json, sys
from pathlib import Path

print("* Running on {local} URL")
report = {
    "heads": 4, "pictures_per_second": 41.5, "script_ms_per_picture": 2.1,
    "behind_the_sound_ms": {
        "median": 3.0, "first_ten_seconds": 2.0, "last_ten_seconds": 7.0,
        "all_but_one_in_a_hundred": 20.0,
    },
    "after_pauses_and_seeks_ms": {"worst_of_medians": -9.0},
}
Path(sys.argv[sys.argv.index("--output") + 1]).write_text(json.dumps(report))
print("Closing server running on port: 7860 {}")
"""


def stage(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    (folder / "scripts").mkdir()
    (folder / "scripts/measure.py").write_text(script)
    monkeypatch.setattr(benchmark, "ROOT", folder)
    monkeypatch.setattr(benchmark, "STAGE", "scripts.measure")


def test_whatever_else_is_printed_the_figures_of_the_stage_are_read(monkeypatch, tmp_path: Path):
    pytest.importorskip("playwright")
    stage(monkeypatch, tmp_path, TALKATIVE)
    report = {figure.name: figure.value for figure in benchmark.stage_figures("small")}
    assert report["4 heads in Chromium, 1280x720"] == 41.5
    assert report["drift over 60 s"] == 5
    assert report["behind after 50 pauses and seeks, worst"] == -9


def test_a_browser_that_fails_is_told_in_a_sentence(monkeypatch, tmp_path: Path):
    pytest.importorskip("playwright")
    stage(monkeypatch, tmp_path, "raise SystemExit('no Chromium')")
    with pytest.raises(InputError, match="no Chromium"):
        next(benchmark.stage_figures("small"))
