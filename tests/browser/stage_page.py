"""The stage alone on a page of its own: the page's own modules and real performances, no Gradio."""

import io
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
from PIL import Image
from playwright.sync_api import Page

from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.examples import load_examples
from kmspeaker.face.rig import FaceModel
from kmspeaker.media.audio import Sound, load_sound, write_wav
from kmspeaker.reference.load import Reference, load_reference
from kmspeaker.web.packing import reference_arrays, take_arrays
from kmspeaker.web.page.viewer import STATIC, viewer_assets

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Stage</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{css}
body {{ margin: 0; padding: 12px; background: var(--km-page); font-family: sans-serif }}</style>
</head><body class="{theme}"><div id="stage">{stage}</div><script type="module">
const root = window.gradio_config?.root ?? "";
const {{ mount }} = await import(root + "/gradio_api/file={static}/viewer.js");
const props = {{ assets: {assets}, value: null }};
window.viewer = mount(document.querySelector("#stage"), props, () => {{}});
</script></body></html>"""
FILES = "/gradio_api/file="


@dataclass(frozen=True)
class Material:
    """What is put on the stage: the examples' references on our rig, and one's speech."""

    folder: Path
    references: Mapping[str, Reference]
    sound: Sound
    video: Path
    """Of the reference, ``delighted``."""

    def value(self, face: FaceModel) -> dict[str, Any]:
        """A stage value of four heads; the last one is the reference."""
        delighted = self.references["delighted"].performance
        suspicious = self.references["suspicious"].performance
        jaw = delighted.weights.copy()
        jaw[:, :13] = 0  # a variant whose eyes rest
        takes = {
            "take-1": ("Take 1", "delighted · seed 1", "clara", delighted.weights, delighted.head),
            "take-2": ("Take 2", "suspicious · seed 2", "clara", suspicious.weights, None),
            "take-3": ("Take 3", "eyes at rest · seed 3", "kenji", jaw, None),
        }
        heads = []
        for key, (label, detail, identity, weights, head) in takes.items():
            motion = self.folder / f"{key}.bin"
            motion.write_bytes(take_arrays(self._animation(weights, identity, head)))
            heads.append(
                {
                    "key": key,
                    "label": label,
                    "detail": detail,
                    "identity": identity,
                    "motion": str(motion),
                }
            )
        reference = self.references["delighted"]
        data = self.folder / "reference.bin"
        data.write_bytes(reference_arrays(reference.performance, reference.track, face))
        heads.append(
            {
                "key": "reference",
                "label": "Reference",
                "detail": "tracked",
                "identity": "clara",
                "motion": str(data),
                "repeats": True,
            }
        )
        sound = self.folder / "sound.wav"
        write_wav(sound, self.sound)
        return {
            "heads": heads,
            "shown": ["take-1", "reference"],
            "sound": str(sound),
            "reference": {"data": str(data), "video": str(self.video), "repeats": True},
        }

    def _animation(self, weights: np.ndarray, identity: str, head: Any) -> FaceAnimation:
        frames = round(self.sound.seconds * 30)
        again = np.resize(np.arange(len(weights)), frames)
        return FaceAnimation(
            weights=weights[again],
            fps=30.0,
            identity=identity,
            use="stylize",
            sound=self.sound,
            model="test@00000000",
            seed=0,
            steps=3,
            head=None if head is None else head[again],
        )


def real_material(face: FaceModel, folder: Path) -> Material:
    """The examples' tracks on our rig, and one's speech."""
    examples = load_examples()
    references = {
        name: load_reference(example.reference.with_suffix(".track.npz"), face)
        for name, example in examples.items()
    }
    example = examples["delighted"]
    return Material(folder, references, load_sound(example.speech), example.reference)


class StageServer:
    """Serves the page, and any file of this machine to it; on the loopback address only."""

    def __init__(self, face: FaceModel, folder: Path) -> None:
        """Start it."""
        self._assets = viewer_assets(face, folder)
        outer = self

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                path = unquote(urlsplit(self.path).path)
                if path.startswith(FILES):
                    self._send(Path(path.removeprefix(FILES)))
                    return
                content = outer.page("dark" if "dark" in self.path else "").encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(content)

            def _send(self, path: Path) -> None:
                """The file, or the part of it that is ends for: media cannot be sought else."""
                content = path.read_bytes()
                ends = self.headers.get("Range", "").removeprefix("bytes=").split("-")
                start = int(ends[0] or 0)
                end = int(ends[1]) + 1 if len(ends) > 1 and ends[1] else len(content)
                self.send_response(206 if "Range" in self.headers else 200)
                if "Range" in self.headers:
                    self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
                self.send_header("Content-Type", self.guess_type(path))
                self.send_header("Content-Length", str(end - start))
                self.send_header("Accept-Ranges", "bytes")
                self.end_headers()
                self.wfile.write(content[start:end])

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        """Where the page lies."""
        return f"http://127.0.0.1:{self._server.server_port}/"

    def page(self, theme: str) -> str:
        """The page as HTML."""
        return PAGE.format(
            css=(STATIC / "page.css").read_text() + (STATIC / "viewer.css").read_text(),
            theme=theme,
            stage=(STATIC / "stage.html").read_text(),
            static=STATIC,
            assets=json.dumps(self._assets),
        )

    def close(self) -> None:
        """Stop it."""
        self._server.shutdown()


PATIENCE = 120_000
"""Milliseconds; a second or two do where the machine has nothing else to do."""
VIEWER = "window.viewer"
TRIANGLES = 20_000
"""What moving heads may cost a machine without a graphics card, all together."""


def opened(page: Page, server: StageServer, value: dict[str, Any], fragment: str = "") -> None:
    """The stage with its heads, paused at the start."""
    page.goto("about:blank")
    page.goto(server.address + fragment)
    page.wait_for_selector(".km-stage.km-ready")
    page.evaluate("(value) => window.viewer.show(value)", value)
    page.evaluate("window.viewer.clock.pause()")


def show(page: Page, heads: list[str], **others: Any) -> None:
    page.evaluate(f"(view) => {VIEWER}.view.change(view)", {"heads": heads, **others})
    count = 1 if others.get("solo") else len(heads)
    page.wait_for_function(f"(n) => {VIEWER}.renderer.views.length === n", arg=count)


def seek(page: Page, seconds: float) -> None:
    """Show a moment, and wait until it has been drawn as finely as it will be."""
    page.evaluate(
        f"""async (seconds) => {{
            const viewer = {VIEWER};
            viewer.clock.seek(seconds);
            const frame = () => new Promise(requestAnimationFrame);
            while (Math.abs(viewer.stats().time - seconds) > 0.02) await frame();
        }}""",
        seconds,
    )
    wait_until_settled(page)


def wait_until_settled(page: Page) -> None:
    page.evaluate(
        f"""async () => {{
            const frame = () => new Promise(requestAnimationFrame);
            for (let drawn = -1; drawn !== {VIEWER}.stats().pictures; ) {{
                drawn = {VIEWER}.stats().pictures;
                const until = performance.now() + 400;
                while (performance.now() < until) await frame();
            }}
        }}"""
    )


def picture(page: Page, part: tuple[float, float]) -> np.ndarray:
    """The faces' middle rows as they are on screen, from one share of the width to another."""
    box = page.locator(".km-view").bounding_box()
    assert box is not None
    left, right = (round(box["x"] + share * box["width"]) for share in part)
    top = round(box["y"] + 0.2 * box["height"])
    content = page.screenshot(
        clip={"x": left, "y": top, "width": right - left, "height": round(0.4 * box["height"])}
    )
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), np.float32)
