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
from typing import TYPE_CHECKING, BinaryIO, Final
from urllib.parse import urlsplit

from bot.errors import Unreachable
from bot.redact import redact

if TYPE_CHECKING:
    from collections.abc import Iterator

_FEW: Final = 16  # connections that wait to be carried


class Tunnel:
    """Where to connect to, and what ssh has said."""

    def __init__(self, path: str, said: BinaryIO) -> None:
        self.path, self._said = path, said
        self.carriers: list[subprocess.Popen[bytes]] = []

    def said(self) -> str:
        """The last line that ssh wrote of what went wrong; "" while it has not failed."""
        for carrier in self.carriers[-1:]:  # what fails is about to end
            with suppress(subprocess.TimeoutExpired):
                carrier.wait(1)
        if not any(carrier.poll() for carrier in self.carriers):
            return ""
        lines = os.pread(self._said.fileno(), 1 << 16, 0).decode("utf-8", "replace").split("\n")
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

    Raises Unreachable when there is no ssh program; that ssh fails shows in the connection, and in `Tunnel.said`.
    """
    command(address, "")  # an address that is none needs no program
    if shutil.which("ssh") is None:
        raise Unreachable(f"{redact(address)} needs the program ssh, which is not installed; install an SSH client")
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="fletcher-"))
        said = stack.enter_context(tempfile.TemporaryFile())
        made = Tunnel(str(Path(folder) / "docker.sock"), said)
        argv = command(address, str(Path(folder) / "ssh"))
        stack.callback(_stop, made)
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(made.path)
        listener.listen(_FEW)
        thread = threading.Thread(target=_carry, args=(listener, argv, made, said), daemon=True)
        thread.start()
        stack.callback(thread.join, 1)
        stack.callback(listener.shutdown, socket.SHUT_RDWR)  # wakes the thread
        yield made


def _carry(listener: socket.socket, argv: tuple[str, ...], made: Tunnel, said: BinaryIO) -> None:
    with suppress(OSError):  # the listener was shut down
        while True:
            connection, _ = listener.accept()
            with connection:
                ends = connection.fileno()
                made.carriers.append(subprocess.Popen(argv, stdin=ends, stdout=ends, stderr=said))


def _stop(made: Tunnel) -> None:
    for carrier in made.carriers:
        carrier.terminate()
        try:
            carrier.wait(1)
        except subprocess.TimeoutExpired:
            carrier.kill()
            carrier.wait()
