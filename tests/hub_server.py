"""A stand-in for the Hugging Face Hub on loopback: what huggingface-hub asks of it."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """One repository, and what was asked of it."""

    repo: str
    files: dict[str, bytes]
    url: str = ""
    cuts: int = 0
    """How many of the next transfers of weights break off half-way."""
    requests: list[str] = field(default_factory=list)
    """``METHOD path range`` of every request."""
    down: bool = False
    """Whether what is written is refused."""
    private: bool = True
    agents: list[str] = field(default_factory=list)


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """Answer on a free port until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            span = self.headers.get("Range", "")
            hub.requests.append(f"{self.command} {path} {span}".strip())
            hub.agents.append(self.headers.get("User-Agent", ""))
            if path.startswith(f"/api/models/{hub.repo}/revision/"):
                if path.rpartition("/")[2] not in ("main", "v1", COMMIT):
                    return self.fail("RevisionNotFound")
                return self.send_json({"id": hub.repo, "sha": COMMIT, "siblings": []})
            if path == f"/api/datasets/{hub.repo}":
                about = {"id": hub.repo, "private": hub.private, "sha": COMMIT, "siblings": []}
                return self.send_json(about)
            if re.match(f"/api/(models|datasets)/{hub.repo}/tree/", path):
                return self.send_json(
                    [
                        {"type": "file", "path": name, "size": len(data), "oid": etag(data)}
                        for name, data in hub.files.items()
                    ]
                )
            name = path.removeprefix(f"/{hub.repo}/resolve/{COMMIT}/")
            if name in hub.files:
                return self.send_file(hub.files[name], span)
            return self.fail("RepoNotFound")

        def do_POST(self) -> None:
            said = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            hub.requests.append(f"POST {self.path} {said[:200].decode()}")
            dataset = f"/api/datasets/{hub.repo}"
            if hub.down:
                return self.fail("RepoNotFound")
            if self.path == "/api/repos/create":
                return self.send_json({"url": f"{hub.url}/datasets/{hub.repo}"})
            if self.path == f"{dataset}/preupload/main":
                files = [each["path"] for each in json.loads(said)["files"]]
                modes = [{"path": p, "uploadMode": "regular", "shouldIgnore": False} for p in files]
                return self.send_json({"files": modes})
            if self.path == f"{dataset}/commit/main":
                for line in said.splitlines():
                    change = json.loads(line)
                    if change["key"] == "deletedFile":
                        del hub.files[change["value"]["path"]]
                    if change["key"] == "file":
                        content = base64.b64decode(change["value"]["content"])
                        hub.files[change["value"]["path"]] = content
                url = f"{hub.url}/datasets/{hub.repo}/commit/{COMMIT}"
                return self.send_json({"commitUrl": url, "commitOid": COMMIT})
            if self.path == f"{dataset}/super-squash/main":
                return self.send_json({})
            return self.fail("RepoNotFound")

        def send_file(self, data: bytes, span: str) -> None:
            asked = re.fullmatch(r"bytes=(\d+)-", span)
            start = int(asked[1]) if asked else 0
            self.send_response(206 if asked else 200)
            if asked:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(data) - start))
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("ETag", f'"{etag(data)}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if self.command == "HEAD":
                return
            if hub.cuts and len(data) > 100_000:
                hub.cuts -= 1
                self.wfile.write(data[start : (start + len(data)) // 2])
                self.close_connection = True
            else:
                self.wfile.write(data[start:])

        def send_json(self, value: object) -> None:
            body = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def fail(self, code: str) -> None:
            self.send_response(404)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def etag(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()
