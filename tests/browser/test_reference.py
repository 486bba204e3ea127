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


@pytest.fixture(scope="module")
def far(material: Material, face: FaceModel) -> dict[str, Any]:
    """The reference small in a wide picture, in which it moves to the right."""
    reference = material.references["delighted"]
    track = reference.track
    assert track is not None
    corner = np.zeros((len(track), 1, 3), np.float32)
    corner[..., 0], corner[..., 1] = 300 + 2.5 * np.arange(len(track))[:, None], 200
    landmarks = track.landmarks * 150 / track.width + corner
    small = replace(track, landmarks=landmarks, width=1280, height=720)
    data = material.folder / "far.bin"
    data.write_bytes(reference_arrays(reference.performance, small, face))
    head = {"key": "reference", "label": "Reference", "detail": "", "identity": "clara"}
    return {
        "heads": [{**head, "motion": str(data)}],
        "shown": ["reference"],
        "reference": {"data": str(data), "video": str(material.video), "neutral": None},
    }


DRAWN = """() => {
    const { canvas, context, video } = window.viewer.reference;
    const { pixels } = window.viewer.reference.pixelsOf(Math.round(window.viewer.clock.time * 30));
    const [area, picture] = [canvas.getBoundingClientRect(), video.getBoundingClientRect()];
    const points = [];
    for (let i = 0; i < pixels.length; i += 2) {
        const x = picture.left + (pixels[i] / 1280) * picture.width - area.left;
        const y = picture.top + (pixels[i + 1] / 720) * picture.height - area.top;
        const at = [x / area.width * canvas.width, y / area.height * canvas.height].map(Math.floor);
        const around = context.getImageData(at[0] - 2, at[1] - 2, 5, 5).data;
        const opacity = Math.max(...around.filter((_, k) => k % 4 === 3));
        points.push([x / area.width, y / area.height, opacity]);
    }
    return points;
}"""
"""Where each keypoint is in the panel, going by where the video is, and whether a dot is there."""


def test_the_face_is_shown_from_close_by_and_all_of_the_picture_on_demand(
    window: Page, server: StageServer, far: dict[str, Any]
):
    opened(window, server, far)
    close = window.locator(".km-whole")
    widths = {}
    for moment in (0.5, 4.0):
        seek(window, moment)
        points = np.array(window.evaluate(DRAWN))
        assert (points[:, 2] > 150).mean() > 0.9, "dots on the keypoints; lids may blink meanwhile"
        assert (points[:, :2] > 0.05).all(), "all of the face is in view, wherever it is"
        assert (points[:, :2] < 0.95).all()
        widths["close"] = np.ptp(points[:, 0])
    expect(close).to_have_attribute("aria-pressed", "false")
    close.focus()
    window.keyboard.press("Enter")
    expect(close).to_have_attribute("aria-pressed", "true")
    seek(window, 0.5)
    points = np.array(window.evaluate(DRAWN))
    assert (points[:, 2] > 150).mean() > 0.9
    assert np.ptp(points[:, 0]) < widths["close"] / 4
    assert "picture=whole" in window.evaluate("window.viewer.view.link")
    close.click()
    expect(close).to_have_attribute("aria-pressed", "false")
    window.evaluate("window.viewer.show(null)")


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
