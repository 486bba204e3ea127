"""The panel of the reference: where the fit is in doubt, and which moment is neutral."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from stage_page import PATIENCE, Material, StageServer, opened, seek

from kmspeaker.face.rig import FaceModel
from kmspeaker.reference.tracking import FaceTrack
from kmspeaker.web.packing import reference_arrays

pytestmark = pytest.mark.browser

VIEWER = "document.querySelector('.km-stage').kmViewer"
BADGE, STRIP, NEUTRAL = ".km-badge", ".km-strip", ".km-neutral"


@pytest.fixture(scope="module")
def doubted(material: Material, face: FaceModel) -> dict[str, Any]:
    """The reference alone on the stage: in doubt for its second second, lost for its last."""
    reference = material.references["delighted"]
    assert reference.track is not None
    frames = np.arange(len(reference.performance))
    performance = replace(reference.performance, doubtful=(frames >= 30) & (frames < 60))
    confidence = np.where(reference.track.times < reference.track.times[-1] - 1, 1, 0)
    track = replace(reference.track, confidence=confidence.astype(np.float32))
    data = material.folder / "doubted.bin"
    data.write_bytes(reference_arrays(performance, track, face))
    head = {"key": "reference", "label": "Reference", "detail": "", "identity": "clara"}
    return {
        "heads": [{**head, "motion": str(data)}],
        "shown": ["reference"],
        "reference": {"data": str(data), "video": str(material.video), "neutral": None},
    }


@pytest.fixture
def stage(window: Page, server: StageServer, doubted: dict[str, Any]) -> Iterator[Page]:
    opened(window, server, doubted)
    yield window
    window.evaluate("window.viewer.show(null)")


def test_the_strip_marks_doubt_beside_what_is_lost_and_the_badge_says_so(stage: Page):
    expect(stage.locator(f"{STRIP} .km-mark-3")).to_have_attribute(
        "title", "Fit in doubt, 1.0 to 2.0 s"
    )
    expect(stage.locator(f"{STRIP} .km-mark-2")).to_have_count(1)
    expect(stage.locator(STRIP)).to_have_attribute(
        "aria-label", "Fit in doubt 21 %, face lost 21 %"
    )
    expect(stage.locator(".km-marks")).to_contain_text("fit in doubt 21 %")
    doubtful, lost = (
        stage.locator(f"{STRIP} .km-mark-{k}").evaluate(
            "(mark) => getComputedStyle(mark).background"
        )
        for k in (3, 2)
    )
    assert doubtful != lost
    for moment, says in ((0.5, ""), (1.5, "Fit in doubt"), (2.5, ""), (4.2, "Face lost")):
        seek(stage, moment)
        expect(stage.locator(BADGE)).to_have_text(says)


def test_the_button_tells_the_page_the_moment_that_is_on_show(stage: Page):
    stage.evaluate(
        "document.addEventListener('km-neutral', ({ detail }) => (window.told = detail.time))"
    )
    for moment in (0.5, 1.5):
        seek(stage, moment)
        stage.click(NEUTRAL)
        told = stage.evaluate("window.told")
        assert abs(told - moment) < 0.05
    seek(stage, 4.2)
    expect(stage.locator(NEUTRAL)).to_be_disabled()  # there is no face
    expect(stage.locator(".km-told")).to_be_hidden()


def test_video_points_and_head_of_a_reference_alone_are_in_step(stage: Page, material: Material):
    weights = material.references["delighted"].performance.weights
    for moment in (0.4, 1.7, 3.0):
        seek(stage, moment)
        assert abs(stage.evaluate(f"{VIEWER}.reference.video.currentTime") - moment) < 0.02
        frame = round(moment * 30)
        played = stage.evaluate(f"[...{VIEWER}.track('reference').weights]")
        drawn = np.reshape(played, (-1, 52))[frame] / 65535
        np.testing.assert_allclose(drawn, weights[frame], atol=1e-4)


def test_a_moment_is_called_neutral_kept_by_the_track_and_forgotten(page: Page, tmp_path: Path):
    page.click("#example-suspicious")
    page.wait_for_selector(".km-stage.km-has-take", timeout=PATIENCE)
    page.evaluate(f"{VIEWER}.clock.pause()")
    page.evaluate(f"{VIEWER}.clock.seek(1.0)")
    page.wait_for_function(f"Math.abs({VIEWER}.stats().time - 1) < 0.02", timeout=PATIENCE)
    page.click(NEUTRAL)
    told = page.locator(".km-told")
    expect(told).to_contain_text("Neutral: the face at", timeout=PATIENCE)
    expect(page.locator(".km-panel b")).to_have_text(["Reference 2"])
    with page.expect_download() as saving:
        page.click("#savetrack")
    saving.value.save_as(tmp_path / "track.npz")
    assert FaceTrack.load(tmp_path / "track.npz").neutral is not None
    # Its own performance is there to take away.
    with page.expect_download() as saving:
        page.click("#savecsv")
    assert saving.value.suggested_filename.startswith("km-speaker_capture_")
    page.click(".km-forget")
    expect(told).to_be_hidden(timeout=PATIENCE)
