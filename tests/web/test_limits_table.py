"""The table of limits says the numbers that the readers go by."""

import re

from kmspeaker.heads import glb_geometry, mesh
from kmspeaker.media import audio, gltf, video_reader
from kmspeaker.web import session, sessions
from kmspeaker.web.limits import Limits
from kmspeaker.web.page.limits_table import limits_rows, limits_table
from kmspeaker.web.room import Room


def test_every_number_is_the_readers_own():
    limits = Limits(
        max_seconds=90.0, max_file_mb=77, takes=7, waiting=3, room=Room(int(3e9), int(5e9))
    )
    rows = dict(limits_rows(limits))
    everything = " ".join(rows.values())
    assert rows["A file"] == "up to 77 MB"
    assert all("1 min 30 s" in rows[name] for name in ("Speech", "Video", "Saved track"))
    for number in (
        f"{audio.RATES[1] / 1000:g} kHz",
        f"{video_reader.SIDES[0]} to {video_reader.SIDES[1]}",
        f"{mesh.MOST_BYTES >> 20} MB",
        f"{gltf.MOST_BYTES >> 20} MB",
        f"{glb_geometry.MOST_VERTICES:,}",
        f"last {session.TAKES_KEPT} takes",
        "10,800 rows",
        "7 takes and 21 other jobs in 10 minutes",
        f"{limits.queue} places, 3 of them each visitor's",
        "3 GB of memory, 5 GB of disk",
    ):
        assert number in everything, number
    assert sessions.LONGEST_STAY == 3600 and "60 minutes unused" in everything


def test_where_there_is_no_limit_none_is_said():
    rows = dict(limits_rows(Limits()))
    assert "Each visitor" not in rows and rows["Queue"] == "40 places"


def test_it_is_a_folded_table_for_the_page():
    table = limits_table(Limits())
    assert table.startswith("<details") and "open" not in table.split(">")[0]
    assert len(re.findall("<tr>", table)) == len(limits_rows(Limits()))
