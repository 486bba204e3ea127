"""What the page takes, as a table: the same numbers by which the readers refuse."""

import html

from kmspeaker.export import FORMATS
from kmspeaker.heads.glb_geometry import MOST_TRIANGLES, MOST_VERTICES
from kmspeaker.heads.mesh import MOST_BYTES as MESH_BYTES
from kmspeaker.limits import TAKES_WINDOW
from kmspeaker.media.audio import RATES
from kmspeaker.media.container import MOST_PIXELS
from kmspeaker.media.gltf import MOST_BYTES as GLB_BYTES
from kmspeaker.media.video_reader import SIDES
from kmspeaker.reference.timecode import RATES as CLOCK_RATES
from kmspeaker.reference.tracking import LONG, LONG_FPS, MAX_FPS
from kmspeaker.web.limits import Limits, spoken_time
from kmspeaker.web.service import MOST_TAKES
from kmspeaker.web.session import DOWNLOADS_KEPT, REFERENCES_KEPT, TAKES_KEPT
from kmspeaker.web.sessions import LONGEST_STAY
from kmspeaker.web.stage_value import MOST_SHOWN

Row = tuple[str, str]
_FULL_HD = 1920 * 1080 * 30
"""Pixels a second."""


def limits_rows(limits: Limits) -> list[Row]:
    """Each thing a visitor meets and how much of it there may be, in words."""
    longest, file = spoken_time(limits.max_seconds), f"{limits.max_file_mb} MB"
    window = spoken_time(TAKES_WINDOW)
    rows = [
        ("A file", f"up to {file}"),
        (
            "Speech",
            f"up to {longest}; sound or a video with sound, {RATES[0] / 1000:g} to "
            f"{RATES[1] / 1000:g} kHz",
        ),
        (
            "Video",
            f"up to {longest}; sides of {SIDES[0]} to {SIDES[1]} pixels, up to "
            f"{MOST_PIXELS / 1e6:.1f} million a picture, and in all what "
            f"{spoken_time(limits.max_picture / _FULL_HD)} of full HD have; pictures "
            f"beyond {MAX_FPS:g} a second are passed over, and beyond {LONG_FPS:g} in more than "
            f"{spoken_time(LONG)}",
        ),
        ("Saved track", f"up to {longest}"),
        (
            "Live Link Face",
            f"up to {longest}; {CLOCK_RATES[0]:g} to {CLOCK_RATES[1]:g} frames a second, up to "
            f"{limits.max_seconds * CLOCK_RATES[1]:,.0f} rows",
        ),
        (
            "Head of your own",
            f".obj and .ply up to {MESH_BYTES >> 20} MB, .glb up to {GLB_BYTES >> 20} MB; shown "
            f"up to {MOST_VERTICES:,} vertices and {MOST_TRIANGLES:,} triangles",
        ),
        ("At once", f"{MOST_TAKES} takes of a model, {MOST_SHOWN} heads on the stage"),
        (
            "Kept for you",
            f"your last {TAKES_KEPT} takes, {REFERENCES_KEPT} references and {DOWNLOADS_KEPT} "
            f"files; until you leave, or {spoken_time(LONGEST_STAY)} unused",
        ),
        ("Saved as", ", ".join(FORMATS)),
    ]
    if limits.takes:
        rows.append(
            ("Each visitor", f"{limits.takes} takes and {limits.jobs} other jobs in {window}")
        )
    own = f", {limits.waiting} of them each visitor's" if limits.waiting else ""
    rows.append(("Queue", f"{limits.queue} places{own}"))
    rows.append(
        (
            "Room for all visitors",
            f"{limits.room.memory / 1e9:g} GB of memory, {limits.room.disk / 1e9:g} GB of disk; "
            "beyond it what was unused for longest is deleted",
        )
    )
    return rows


def limits_table(limits: Limits) -> str:
    """The same as HTML, folded."""
    rows = "".join(
        f"<tr><th scope='row'>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>"
        for name, text in limits_rows(limits)
    )
    return (
        "<details class='km-limits'><summary>What this page takes</summary>"
        f"<table><tbody>{rows}</tbody></table></details>"
    )
