"""A PostgreSQL of the tests: a cluster of its own in a temporary folder, gone with it; nothing of this machine's is used.

`python -m tests.postgres` makes sure that the programs are there: it installs Debian's package where they are not. With a
command behind it, places of the tests keep their runs in such a server while the command runs.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVER: Final = "FLETCHER_TEST_POSTGRES"  # the address of the server in which places of the tests keep their runs
_SETTINGS: Final = {
    "fsync": "off",  # it is never the server that is killed
    "max_connections": "400",
    "shared_buffers": "64MB",
    "unix_socket_directories": "''",
    "listen_addresses": "'127.0.0.1'",
}


def programs() -> Path | None:
    """The folder of the server's programs, the newest; None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    at = shutil.which("pg_ctl")
    return Path(at).resolve().parent if at else None


class Cluster:
    """A server that can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        found = programs()
        if found is None:
            raise FileNotFoundError("no PostgreSQL: `python -m tests.postgres` installs it")
        self._bin, self._data, self._log = found, folder / "data", folder / "log"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._user = "postgres" if os.getuid() == 0 else None  # it refuses to be root
        if self._user:
            os.chown(folder, pwd.getpwnam(self._user).pw_uid, -1)
        self._do("initdb", "--pgdata", str(self._data), "--username=postgres", "--auth=trust", "--no-sync")
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.writelines(f"{name} = {value}\n" for name, value in {**_SETTINGS, "port": self.port}.items())
        self.start()

    def address(self, database: str = "postgres") -> str:
        """Where a database of it is."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it."""
        self._do("pg_ctl", "--pgdata", str(self._data), "--log", str(self._log), "--wait", "start")

    def stop(self) -> None:
        """Stop it, whoever is connected."""
        self._do("pg_ctl", "--pgdata", str(self._data), "--mode", "immediate", "--wait", "stop")

    def _do(self, name: str, *args: str) -> None:
        done = subprocess.run(
            [self._bin / name, *args], user=self._user, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, cwd="/",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr + (self._log.read_text() if self._log.exists() else "")


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Such a server, for a while."""
    folder = Path(mkdtemp(prefix="fletcher-pg-"))
    folder.chmod(0o755)
    try:
        one = Cluster(folder)
        try:
            yield one
        finally:
            with suppress(AssertionError):  # a test may have stopped it
                one.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def address(folder: Path) -> str:
    """The database of a place of the tests, made where it is missing; "" where their runs are kept in files."""
    server = os.environ.get(SERVER, "")
    return database(server, "t" + sha256(str(folder).encode()).hexdigest()[:16]) if server else ""


def database(server: str, name: str) -> str:
    """A database of that server, made where it is missing."""
    import psycopg

    with psycopg.connect(server, autocommit=True) as c:
        if c.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):  # somebody else was faster
                c.execute(f'CREATE DATABASE "{name}"')
    return f"{server.rsplit('/', 1)[0]}/{name}"


def rows(address: str, statement: str, *values: object) -> list[tuple[object, ...]]:
    """What a statement finds in our tables."""
    import psycopg

    with psycopg.connect(address, autocommit=True, options="-c search_path=fletcher") as c:
        done = c.execute(statement, values or None)
        return done.fetchall() if done.description else []


def main(command: list[str]) -> int:
    """Install it where it is missing; carry a command out with a server for the places of the tests."""
    if (code := _installed()) or not command:
        return code
    with cluster() as server:
        return subprocess.run(command, env={**os.environ, SERVER: server.address()}, check=False).returncode


def _installed() -> int:
    if programs() is not None:
        return 0
    if os.getuid() != 0 or shutil.which("apt-get") is None:
        print("PostgreSQL is missing: install your system's package of the server", file=sys.stderr)
        return 4
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "postgresql"],
    ):
        for _ in range(3):
            if subprocess.run(command, env=environment, check=False, stdout=subprocess.DEVNULL).returncode == 0:
                break
            time.sleep(2)
    return 0 if programs() is not None else 4


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
