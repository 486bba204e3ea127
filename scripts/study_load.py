"""Many participants at once, and the server killed: `python -m scripts.study_load`.

Builds a small study of grey clips, serves it as `kmspeaker study serve` does, and lets simulated
participants take part over HTTP, all at the same time, each with a window of its own: they fetch
every clip, rate, change their minds, answer and finish, and try again what fails. Meanwhile the
server is killed with SIGKILL and started again so many times. It ends with 1 where a rating that
was said to be saved is not there, or counted twice.
"""

import argparse
import asyncio
import os
import random
import re
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from kmspeaker.study.design import Design
from kmspeaker.study.store import Store
from kmspeaker.study.study_folder import Study
from tests.studies import table, write_study

ROOT = Path(__file__).parents[1]
SERVE = (sys.executable, "-m", "kmspeaker", "study", "serve")
SECONDS = 0.5
"""Of a clip; participants do not wait for it."""
PAUSE = 3.0
"""Seconds between a participant's ratings, on average; people take longer."""
CHANGES = 0.3
"""Share of ratings that are changed once."""


@dataclass
class Said:
    """What the server said to all participants together."""

    saved: dict[tuple[str, int, str], tuple[float, int]] = field(default_factory=dict)
    """Code, page and letter -> the rating that was said to be saved, and how often it was set."""
    finished: dict[str, str] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)
    retries: int = 0


def main() -> None:
    parser = argparse.ArgumentParser(description="Many participants at once.")
    parser.add_argument("--participants", type=int, default=200)
    parser.add_argument("--items", type=int, default=3)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--every", type=float, default=8.0, help="seconds between two kills")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        study = write_study(Path(folder) / "study", content(options.items), seconds=SECONDS)
        began = time.monotonic()
        said, kills = asyncio.run(hold(study, options.participants, options.kills, options.every))
        spent = time.monotonic() - began
        wrong = compare(study, said)
    waits = sorted(said.waits)
    print(
        f"{options.participants} participants at once, {len(said.finished)} finished in "
        f"{spent:.0f} s; {len(said.saved)} ratings said to be saved, set "
        f"{sum(times for _, times in said.saved.values())} times, {len(wrong)} of them lost or "
        f"counted twice; a rating takes {statistics.median(waits) * 1000:.0f} ms (median), "
        f"{waits[int(len(waits) * 0.95)] * 1000:.0f} ms (95 %); server killed {kills} times, "
        f"{said.retries} requests tried again"
    )
    for line in wrong[:20]:
        print(line)
    sys.exit(bool(wrong) or len(said.finished) < options.participants)


def content(items: int) -> dict[str, Any]:
    """Three systems and an anchor."""
    made = table(systems=3, items=items)
    made["questionnaire"] = [{"name": "remarks", "text": "Remarks?", "required": True}]
    return made


async def hold(study: Study, participants: int, kills: int, every: float) -> tuple[Said, int]:
    """The study, from the first who joins to the last who finishes."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    server, said, killed = await started(study, port), Said(), 0
    limits = httpx.Limits(max_connections=participants)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", limits=limits, timeout=60
    ) as client:
        everybody = asyncio.gather(*(take_part(client, said, k) for k in range(participants)))
        while not everybody.done():
            await asyncio.wait([everybody], timeout=every)
            if killed < kills and not everybody.done():
                server.send_signal(signal.SIGKILL)
                server.wait()
                killed += 1
                server = await started(study, port)
        await everybody
    server.terminate()
    server.wait()
    return said, killed


async def started(study: Study, port: int) -> subprocess.Popen[str]:
    """A server that answers."""
    server = subprocess.Popen(
        [*SERVE, str(study.folder), "--port", str(port)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    line = await asyncio.to_thread(server.stdout.readline)
    if not re.search(r"is open at", line):
        raise RuntimeError(f"The server does not open: {line}")
    return server


async def take_part(client: httpx.AsyncClient, said: Said, seed: int) -> None:
    """One session, as the page holds it."""
    chance = random.Random(seed)
    await asyncio.sleep(chance.uniform(0, 2))
    told = await ask(client, said, "join", {"consent": True})
    code = told["code"]
    own = {"Authorization": f"Bearer {code}"}
    while told["page"] is not None:
        page = told["page"]
        for clip in page["clips"]:
            await fetch(client, said, f"/api/clips/{clip['file']}", own)
        plays = {clip["name"]: 1 for clip in page["clips"]}
        names = [name for name in page["asked"] for _ in range(1 + (chance.random() < CHANGES))]
        chance.shuffle(names)
        for name in names:
            await asyncio.sleep(chance.expovariate(1 / PAUSE))
            value = float(chance.randrange(101))
            body = {"page": page["position"], "name": name, "value": value, "seconds": 3.0}
            body |= {"save": secrets.token_hex(8), "plays": plays}
            began = time.monotonic()
            await ask(client, said, "rate", body, own)
            said.waits.append(time.monotonic() - began)
            key = code, page["position"], name
            said.saved[key] = value, said.saved.get(key, (0.0, 0))[1] + 1
        told = await ask(client, said, "next", {"page": page["position"]}, own)
    await ask(client, said, "answer", {"name": "remarks", "answer": f"I am {seed}."}, own)
    said.finished[code] = (await ask(client, said, "finish", {}, own))["completion"]


async def ask(
    client: httpx.AsyncClient,
    said: Said,
    path: str,
    body: dict[str, Any],
    headers: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Ask until it is answered, as the page does."""
    while True:
        try:
            answer = await client.post(f"/api/{path}", json=body, headers=headers)
        except httpx.TransportError:
            answer = None
        if answer is not None and answer.status_code < 500:
            if answer.status_code != 200:
                raise RuntimeError(f"{path}: {answer.status_code} {answer.text}")
            return answer.json()
        said.retries += 1
        await asyncio.sleep(0.5)


async def fetch(client: httpx.AsyncClient, said: Said, path: str, headers: dict[str, str]) -> None:
    """A clip, whole."""
    while True:
        try:
            answer = await client.get(path, headers=headers)
            if answer.status_code == 200 and answer.content[4:8] == b"ftyp":
                return
        except httpx.TransportError:
            pass
        said.retries += 1
        await asyncio.sleep(0.5)


def compare(study: Study, said: Said) -> list[str]:
    """What is not as it was said."""
    store = Store(study.database, study.design, stimuli_hash=study.stimuli_hash)
    wrong = []
    kept = history(store, study.design)
    for (code, position, letter), (value, times) in said.saved.items():
        participant = store.resume(code)
        page = store.pages(participant)[position]
        stimulus = page.stimuli["ABCDEFGHIJKL".index(letter)]
        found = kept.pop((participant.number, position, stimulus), None)
        if found != (value, times):
            wrong.append(f"page {position}, {stimulus}: {value, times} was saved, {found} is kept")
    wrong += [f"{key} was never said to be saved" for key in kept]
    for code, completion in said.finished.items():
        if store.resume(code).completion_code != completion:
            wrong.append(f"a completion code is not {completion}")
    store.close()
    return wrong


def history(store: Store, design: Design) -> dict[tuple[int, int, str], tuple[float, int]]:
    """Participant, page and stimulus -> the rating as kept, and how many there are of it."""
    responses = store.responses()
    times: dict[tuple[int, int, str], int] = {}
    for row in responses.history:
        key = row["participant"], row["position"], row["stimulus"]
        times[key] = times.get(key, 0) + 1
    kept = {}
    for row in responses.ratings:
        key = row["participant"], row["position"], row["stimulus"]
        assert row["revision"] == times[key] and row["design_hash"] == design.digest()
        kept[key] = row["value"], times[key]
    return kept


if __name__ == "__main__":
    main()
