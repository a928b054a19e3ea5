"""A PostgreSQL server of its own for the tests: on a Unix socket, in a temporary folder."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_USER = "postgres"  # of the system: the server refuses to run as root


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        if os.environ.get("CI"):
            pytest.fail("PostgreSQL is not installed: apt-get install postgresql")
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    return found[-1].parent


class Server:
    """A server that can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self._programs = _programs()
        self.folder = folder
        self._as_user = ["runuser", "-u", _USER, "--"] if os.geteuid() == 0 else []
        self._databases = 0

    def begin(self) -> None:
        """Make the cluster and start it."""
        if self._as_user:
            user = pwd.getpwnam(_USER)
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        self._run("initdb", "-D", str(self.folder / "data"), "-U", _USER, "-A", "trust", "-N")
        self.start()

    def start(self) -> None:
        options = f"-c listen_addresses='' -c fsync=off -k {self.folder}"
        log = str(self.folder / "log")
        self._run(
            "pg_ctl", "-D", str(self.folder / "data"), "-w", "-l", log, "-o", options, "start"
        )

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")

    def new_database(self) -> str:
        """The URL of an empty database."""
        self._databases += 1
        name = f"probe{self._databases}"
        self._run("createdb", "-h", str(self.folder), "-U", _USER, name)
        return f"postgresql://{_USER}:secret@/{name}?host={self.folder}"

    def _run(self, program: str, *args: str) -> None:
        command = [*self._as_user, str(self._programs / program), *args]
        subprocess.run(command, check=True, capture_output=True, cwd="/")


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """A server, gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="probe-pg-", dir="/tmp"))
    server = Server(folder)
    try:
        server.begin()
        yield server
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
