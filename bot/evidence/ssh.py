"""A Docker engine behind ssh: a socket on this machine whose connections the ssh program carries to the other one.

The engine's own library wants a second implementation of ssh installed before it calls the program, and waits for it
without end; ssh itself knows the person's configuration and keys, and a socket has a time limit.
"""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import tempfile
import threading
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple
from urllib.parse import urlsplit

from bot.errors import Unreachable
from bot.redact import redact

if TYPE_CHECKING:
    from collections.abc import Iterator

_FEW: Final = 16  # connections that wait to be carried
_AGAIN: Final = 0.1  # seconds until another try to take one
#: Bytes of a folder's path: a socket's has 107, of which ours takes 18 and ssh, while it makes its own, 21 (ControlPath).
_ROOM: Final = 60


class _Carrier(NamedTuple):
    """One ssh that carries a connection, and the file into which it writes what goes wrong."""

    process: subprocess.Popen[bytes]
    errors: BinaryIO


class Tunnel:
    """Where to connect to, and what ssh has said."""

    def __init__(self, path: str, argv: tuple[str, ...]) -> None:
        self.path, self._argv = path, argv
        self._carriers: list[_Carrier] = []
        self._trouble = ""
        self._changing = threading.Lock()

    def carry(self, connection: socket.socket) -> None:
        """Have a new ssh carry this connection; those that have ended are given up, with what they said."""
        with self._changing:
            for ended in [one for one in self._carriers if one.process.poll() is not None]:
                self._carriers.remove(ended)
                ended.errors.close()
            self._trouble, ends = "", connection.fileno()
            try:
                with ExitStack() as opened:
                    errors = opened.enter_context(tempfile.TemporaryFile(dir=Path(self.path).parent))
                    process = subprocess.Popen(self._argv, stdin=ends, stdout=ends, stderr=errors)
                    self._carriers.append(_Carrier(process, errors))
                    opened.pop_all()
            except OSError as problem:
                self._trouble = f"the program ssh cannot be started ({problem.strerror})"

    def said(self) -> str:
        """The last line that ssh wrote of what went wrong; "" where none of those that were there last has failed."""
        for carrier in self._carriers[-1:]:  # what fails is about to end
            with suppress(subprocess.TimeoutExpired):
                carrier.process.wait(1)
        with self._changing:
            told = [_last_line(one.errors) for one in self._carriers if one.process.poll()]
            return self._trouble or next(filter(None, reversed(told)), "")

    def stop(self) -> None:
        """End all that carry."""
        for process, errors in self._carriers:
            process.terminate()
            try:
                process.wait(1)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            errors.close()


def _last_line(errors: BinaryIO) -> str:
    lines = os.pread(errors.fileno(), 1 << 16, 0).decode("utf-8", "replace").split("\n")
    return redact(next((line.strip() for line in reversed(lines) if line.strip()), ""))


def command(address: str, shared: str) -> tuple[str, ...]:
    """`ssh://USER@HOST:PORT/SOCKET` → the command that speaks with the engine there, as Docker's own client calls it.

    All that are made with the same `shared` path log in once. Raises Unreachable for an address without a host.
    """
    try:
        url = urlsplit(address)
        host, user, port = url.hostname or "", url.username or "", url.port
    except ValueError:
        raise Unreachable(f"{redact(address)} is no address; expected ssh://USER@HOST") from None
    if not host or host.startswith("-"):
        raise Unreachable(f"{redact(address)} names no host; expected ssh://USER@HOST")
    # A question (a password, an unknown host) would wait for ever, so none is asked.
    options = ["-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5"]
    options += ["-o", "ControlMaster=auto", "-o", f"ControlPath={shared}"]
    options += ["-l", user] if user else []
    options += ["-p", str(port)] if port else []
    # A shell on the other machine reads these words.
    there = ("--host", shlex.quote(f"unix://{url.path}")) if url.path.strip("/") else ()
    return ("ssh", *options, "--", host, "docker", *there, "system", "dial-stdio")


@contextmanager
def tunnel(address: str) -> Iterator[Tunnel]:
    """Carry connections to the engine at this address until the block ends.

    Raises Unreachable when there is no ssh program, and no folder for the socket; that ssh fails shows in the
    connection, and in `Tunnel.said`.
    """
    command(address, "")  # an address that is none needs no program
    if shutil.which("ssh") is None:
        raise Unreachable(f"{redact(address)} needs the program ssh, which is not installed; install an SSH client")
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="fletcher-", dir=_short()))
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            path = str(Path(folder) / "docker.sock")
            listener.bind(path)
            listener.listen(_FEW)
        except OSError as problem:
            raise Unreachable(
                f"{redact(address)} needs a folder for a socket on this machine ({problem.strerror or problem});"
                " set TMPDIR to one that can be written to and has a short path"
            ) from problem
        made = Tunnel(path, command(address, str(Path(folder) / "ssh")))
        stack.callback(made.stop)
        ended = threading.Event()
        thread = threading.Thread(target=_carry, args=(listener, made, ended), daemon=True)
        thread.start()
        stack.callback(thread.join, 1)
        stack.callback(listener.shutdown, socket.SHUT_RDWR)  # wakes the thread
        stack.callback(ended.set)
        yield made


def _short() -> str | None:
    """The folder for temporary files, where a socket's path has room for it; None is the usual one."""
    return None if len(os.fsencode(tempfile.gettempdir())) <= _ROOM else "/tmp"  # noqa: S108  # the folder in it is made anew


def _carry(listener: socket.socket, made: Tunnel, ended: threading.Event) -> None:
    while not ended.is_set():
        try:
            connection, _ = listener.accept()
        except OSError:  # the listener was shut down, or no more files can be opened at present
            ended.wait(_AGAIN)
            continue
        with connection:
            made.carry(connection)
