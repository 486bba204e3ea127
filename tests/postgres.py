"""A PostgreSQL server of a test's own: on a socket in a folder, gone afterwards."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def programs() -> Path | None:
    """Where the newest server's programs lie; Debian keeps them off the PATH."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[-3])
    )
    if found:
        return found[-1].parent
    on_path = shutil.which("postgres")
    return None if on_path is None else Path(on_path).resolve().parent


@contextmanager
def server(binaries: Path) -> Iterator[str]:
    """The URL of a fresh database."""
    # Not pytest's folders: the server does not run as root, and may not enter them.
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="study-", dir=memory))
    account: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
        account = ["runuser", "-u", "postgres", "--"]

    def call(program: str, *options: str) -> None:
        command = [*account, str(binaries / program), "-D", str(folder / "data"), *options]
        with (folder / "output").open("ab") as output:
            subprocess.run(
                command, check=True, stdout=output, stderr=output, timeout=60, cwd=folder
            )

    try:
        call("initdb", "-U", "study", "-A", "trust", "-E", "UTF8", "--no-sync")
        call("pg_ctl", "-w", "-o", f"-k {folder} -c listen_addresses='' -c fsync=off", "start")
        try:
            yield f"postgresql://study@/postgres?host={folder}"
        finally:
            call("pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
