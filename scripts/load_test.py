"""Many visitors at once: `python -m scripts.load_test --visitors 30 --minutes 10`.

Starts the app as a user would, on a free port, with every visitor behind an address of their own,
or asks the one at ``--url``. Visitors upload a speech and a video, track it, make a take, save it
and leave; now and then one asks for more than they may. Each minute a line says what was done, what
was refused by a sentence, what failed, and what the server takes of the machine. It ends with 1
where anything failed, memory grew after the third minute, or a file was left behind.
"""

import argparse
import json
import os
import queue
import random
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from kmspeaker.examples import load_examples

ROOT = Path(__file__).parents[1]
SETTLED = 3.0
"""Minutes after which memory is flat."""
GROWTH = (1.10, 100.0)
"""The last minute's median may be this many times the third's, and MB more."""
GREEDY = 0.25
"""Share of visits in which somebody asks for several things at once."""
LONGEST_START, LONGEST_END = 180.0, 400.0
PAUSE = (1.0, 6.0)
"""Seconds between two things that a visitor does."""
SENTENCES = {
    "others are waiting": "queue full",
    "jobs waiting already": "too many waiting",
    "others have a turn": "too many asked",
}
"""What a visitor may be told on a page that is well, and what it is counted as."""


@dataclass
class Tally:
    """What happened, counted by all visitors."""

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    """Seconds from asking for a take to having it."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, what: str) -> None:
        """Count something that went well or was refused by a sentence."""
        with self.lock:
            self.counts[what] += 1

    def fail(self, what: str) -> None:
        """Remember what should not have happened."""
        with self.lock:
            self.counts["failed"] += 1
            self.failures.append(what)


class Refused(Exception):
    """A sentence of ``SENTENCES`` was the answer."""


class Left(Exception):
    """The visitor leaves: time is up."""


class Visit:
    """One open page: its uploads, its calls, and the connection that says it is open."""

    def __init__(self, address: str, number: int, tally: Tally, until: float) -> None:
        """Open the page.

        Args:
            address: Of the page.
            number: Makes the visitor's own network address.
            tally: Where it is counted.
            until: When to leave, by the monotonic clock.
        """
        self._api = f"{address.rstrip('/')}/gradio_api"
        self._tally, self._until = tally, until
        self._session = secrets.token_hex(8)
        headers = {"X-Forwarded-For": f"198.51.100.{number % 256}"}
        limits = httpx.Timeout(60.0, read=None)
        self._client = httpx.Client(headers=headers, timeout=limits, trust_env=False)
        self._open = self._client.stream("GET", f"{self._api}/heartbeat/{self._session}")

    def __enter__(self) -> "Visit":
        """Be there."""
        self._open.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        """Close the page, with whatever it waits for."""
        self._open.__exit__(None, None, None)
        self._client.close()

    def upload(self, path: Path) -> dict[str, Any]:
        """A file of the visitor's own: alike in all but its last bytes, which are passed over."""
        content = path.read_bytes() + _nothing(path.suffix)
        files = {"files": (path.name, content)}
        answer = self._client.post(f"{self._api}/upload", files=files)
        answer.raise_for_status()
        return {"path": answer.json()[0], "meta": {"_type": "gradio.FileData"}}

    def ask(self, endpoint: str, *data: Any) -> str:
        """Stand in the queue; the name by which the answer is fetched."""
        body = {"data": list(data), "session_hash": self._session}
        answer = self._client.post(f"{self._api}/call/{endpoint}", json=body)
        if answer.status_code in (429, 503):
            raise self._refused(str(answer.json().get("detail")))
        answer.raise_for_status()
        return answer.json()["event_id"]

    def answer(self, endpoint: str, event: str) -> list[Any]:
        """What comes of it, or the end of the visit."""
        lines: queue.Queue[str | Exception] = queue.Queue()
        kind = ""

        def read() -> None:
            try:
                url = f"{self._api}/call/{endpoint}/{event}"
                with self._client.stream("GET", url) as stream:
                    for line in stream.iter_lines():
                        lines.put(line)
                lines.put(EOFError("the answer ended"))
            except Exception as error:  # closed under its hands where the visitor left
                lines.put(error)

        threading.Thread(target=read, daemon=True).start()
        while True:
            try:
                line = lines.get(timeout=max(0.0, self._until - time.monotonic()))
            except queue.Empty:
                raise Left from None
            if isinstance(line, Exception):
                raise line
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            if line.startswith("data: ") and kind == "complete":
                return json.loads(line.removeprefix("data: "))
            if line.startswith("data: ") and kind == "error":
                raise self._refused(line.removeprefix("data: "))

    def call(self, endpoint: str, *data: Any) -> list[Any]:
        """Ask, and wait for what comes of it."""
        if time.monotonic() > self._until:
            raise Left
        answer = self.answer(endpoint, self.ask(endpoint, *data))
        self._tally.add(endpoint)
        return answer

    def rest(self) -> None:
        """Look at what came."""
        time.sleep(max(0.0, min(random.uniform(*PAUSE), self._until - time.monotonic())))

    def _refused(self, text: str) -> Exception:
        for part, name in SENTENCES.items():
            if part in text:
                self._tally.add(name)
                return Refused(text)
        return RuntimeError(text)


def visit(page: Visit, tally: Tally, greedy: bool) -> None:
    """What one visitor does."""
    example = random.choice(list(load_examples().values()))
    speech, video = page.upload(example.speech), page.upload(example.reference)
    if greedy:
        events = []
        for _ in range(4):
            try:
                events.append(page.ask("track", video))
            except Refused:
                break
        for event in events:
            page.answer("track", event)
            tally.add("track")
    page.call("track", video)
    page.rest()
    started = time.monotonic()
    page.call("stylize", speech, video, "", random.randrange(1000), None, None, ".csv")
    with tally.lock:
        tally.waits.append(time.monotonic() - started)
    page.rest()
    page.call("export", "", ".glb", "")
    page.rest()


def visitor(address: str, number: int, tally: Tally, until: float) -> None:
    """Visit after visit, until time is up."""
    time.sleep(random.uniform(0, 5))
    while time.monotonic() < until:
        try:
            with Visit(address, number, tally, until) as page:
                visit(page, tally, random.random() < GREEDY)
                tally.add("visits")
        except Left:
            return
        except Refused:
            time.sleep(max(0.0, min(random.uniform(5, 15), until - time.monotonic())))
        except Exception as error:
            if time.monotonic() < until:
                tally.fail(f"{type(error).__name__}: {error}")
                time.sleep(1)


@dataclass(frozen=True)
class Server:
    """Where the page is, and what it takes of the machine, if it is on this one."""

    address: str
    process: subprocess.Popen[str] | None = None
    folder: Path | None = None

    def memory(self) -> float:
        """MB."""
        if self.process is None:
            return float("nan")
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        return float(found[1]) / 1000 if found else float("nan")

    def files(self) -> list[Path]:
        """Of visitors."""
        if self.folder is None:
            return []
        kept = [path for path in self.folder.rglob("*") if path.is_file()]
        return [path for path in kept if {"visitors", "uploads"} & set(path.parts)]

    def disk(self) -> float:
        """MB."""
        total = 0
        for path in self.files():
            if path.is_file():
                total += path.stat().st_size
        return total / 1e6


@contextmanager
def started(model: str) -> Iterator[Server]:
    """The app as a user starts it, in folders of its own."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "TMPDIR": folder}
        environment.pop("GRADIO_TEMP_DIR", None)
        command = [sys.executable, "app.py", "--port", "0", "--no-open", "--model", model]
        command += ["--trusted-proxies", "127.0.0.1"]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            deadline, ready = time.monotonic() + LONGEST_START, None
            while ready is None and time.monotonic() < deadline:
                line = process.stdout.readline()
                if not line:
                    sys.exit("The app did not start.")
                ready = re.search(r"ready at (http://\S+)", line)
            if ready is None:
                sys.exit("The app did not start in time.")
            yield Server(ready[1], process, Path(folder))
        finally:
            process.terminate()
            process.wait(60)


@dataclass(frozen=True)
class Sample:
    """The server at a moment."""

    minute: float
    memory: float
    disk: float


def watch(server: Server, tally: Tally, minutes: float) -> list[Sample]:
    """Print a line each minute until time is up."""
    began, samples, printed = time.monotonic(), [], 0
    print(HEADER, flush=True)
    while (now := (time.monotonic() - began) / 60) < minutes:
        samples.append(Sample(now, server.memory(), server.disk()))
        if now >= printed + 1:
            printed += 1
            print(_line(printed, tally, samples[-1]), flush=True)
        time.sleep(2)
    last = Sample(minutes, server.memory(), server.disk())
    print(_line(minutes, tally, last), flush=True)
    return [*samples, last]


HEADER = (
    "minute visits tracks takes saved | queue full, own places, own turns | failed | memory MB, "
    "disk MB"
)


def _line(minute: float, tally: Tally, sample: Sample) -> str:
    with tally.lock:
        counts = Counter(tally.counts)
    done = [counts[name] for name in ("visits", "track", "stylize", "export")]
    refused = [counts[name] for name in SENTENCES.values()]
    return (
        f"{minute:6.3g} {done[0]:6} {done[1]:6} {done[2]:5} {done[3]:5} | "
        f"{refused[0]:10}, {refused[1]:10}, {refused[2]:9} | {counts['failed']:6} | "
        f"{sample.memory:9.0f}, {sample.disk:7.1f}"
    )


def grown(samples: list[Sample]) -> str | None:
    """Whether memory grew after ``SETTLED`` minutes, in a sentence; None where too little is known.

    Compared are medians of the minute before and of the last one.
    """
    end = samples[-1].minute
    before = [s.memory for s in samples if SETTLED - 1 <= s.minute < SETTLED]
    after = [s.memory for s in samples if s.minute >= max(SETTLED, end - 1)]
    if end < SETTLED + 1 or not before or not after:
        return None
    first, last = statistics.median(before), statistics.median(after)
    most = GROWTH[0] * first + GROWTH[1]
    word = "flat" if last <= most else "GROWN"
    return f"memory {word}: {first:.0f} MB in minute 3, {last:.0f} in the last, up to {most:.0f}"


def nothing_left(server: Server) -> list[Path]:
    """What is still there of visitors who all have left, after a while."""
    deadline = time.monotonic() + LONGEST_END
    while (left := server.files()) and time.monotonic() < deadline:
        time.sleep(1)
    return left


def measure(server: Server, visitors: int, minutes: float) -> bool:
    """Let them in; whether all was well."""
    tally, until = Tally(), time.monotonic() + 60 * minutes
    for number in range(visitors):
        arguments = (server.address, number, tally, until)
        threading.Thread(target=visitor, args=arguments, daemon=True).start()
    samples = watch(server, tally, minutes)
    left = nothing_left(server)
    verdict = grown(samples)
    print(verdict or f"memory: {SETTLED + 1:g} minutes are needed to say whether it is flat")
    print(f"files left: {len(left)}" + "".join(f"\n  {path}" for path in left[:10]))
    if tally.waits:
        print(f"from asking for a take to having it: median {statistics.median(tally.waits):.1f} s")
    for text, count in Counter(tally.failures).most_common(10):
        print(f"failed {count} times: {text}")
    return not tally.failures and not left and "GROWN" not in (verdict or "")


def main() -> int:
    """Start, measure, say how it went."""
    parser = argparse.ArgumentParser(description="Many visitors of the app at once.")
    parser.add_argument("--visitors", type=int, default=30)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--model", default="small")
    parser.add_argument("--url", help="a page that runs already; its machine is not measured")
    options = parser.parse_args()
    random.seed(0)
    if options.url:
        return 0 if measure(Server(options.url), options.visitors, options.minutes) else 1
    with started(options.model) as server:
        return 0 if measure(server, options.visitors, options.minutes) else 1


def _nothing(suffix: str) -> bytes:
    """A part of a file that readers pass over, different each time."""
    filling = secrets.token_bytes(16)
    if suffix == ".wav":
        return b"junk" + len(filling).to_bytes(4, "little") + filling
    return (8 + len(filling)).to_bytes(4) + b"free" + filling


if __name__ == "__main__":
    sys.exit(main())
