"""A process that starts programs for Fletcher and can end all of what each of them started. It is run, not imported.

Each program gets a warden: a process of its own that adopts whatever the program leaves behind (`PR_SET_CHILD_SUBREAPER`,
prctl(2)), so that everything that was started, double-forked and in sessions of its own too, stays below it. A warden
whose line to Fletcher is closed ends all of it; so nothing goes on when Fletcher is killed. Only the standard library
is here, since this starts anew for every Fletcher.

Where there is no subreaper (other systems than Linux) a program's own process group is ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from typing import Final, TypedDict

_SUBREAPER: Final = 36  # PR_SET_CHILD_SUBREAPER, linux/prctl.h
_GRACE: Final = 2.0  # seconds from SIGTERM to SIGKILL
_LAST: Final = 3.0  # seconds for what was killed to go
_LINUX: Final = sys.platform.startswith("linux")


class _Order(TypedDict):
    """What is to be started."""

    argv: list[str]
    cwd: str
    environment: dict[str, str]


def keep(door: socket.socket) -> None:
    """Make a warden for each pair of descriptors that comes: where its program writes to, and its line to Fletcher."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Handlers, since a program would inherit that a signal is ignored. Who stops Fletcher's whole group means Fletcher.
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        _, descriptors, _, _ = socket.recv_fds(door, 1, 2)
        if len(descriptors) != 2:
            return
        if os.fork() == 0:
            try:
                door.close()
                _Warden(*descriptors).attend()
            finally:
                os._exit(0)
        for descriptor in descriptors:
            os.close(descriptor)


class _Warden:
    """Over one program."""

    def __init__(self, output: int, line: int) -> None:
        self._output, self._line = output, socket.socket(fileno=line)
        self._started: subprocess.Popen[bytes] | None = None  # kept, since one that is dropped waits for its program
        self._program = 0
        self._code: int | None = None
        self._woken, wakes = os.pipe()
        os.set_blocking(wakes, False)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def attend(self) -> None:
        """Start the program and tell how it ended; end it, with all that it started, once the line is closed."""
        order = self._order()
        if order is None:
            return
        if _LINUX:
            ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
        try:
            self._started = subprocess.Popen(
                order["argv"], cwd=order["cwd"] or None, env=order["environment"], stdin=subprocess.DEVNULL,
                stdout=self._output, stderr=self._output, start_new_session=True,
            )  # fmt: skip
            self._program = self._started.pid
        except OSError as problem:
            self._tell({"errno": problem.errno, "path": str(problem.filename or "")})
            return
        except ValueError:
            self._tell({"errno": 0, "path": ""})
            return
        finally:
            os.close(self._output)
        both: list[socket.socket | int] = [self._line, self._woken]
        while True:
            ready, _, _ = select.select(both, [], [])
            if self._woken in ready:  # read before looking: what ends from here on wakes us again
                os.read(self._woken, 1 << 12)
            self._childless()
            if self._code is not None:
                self._tell({"code": self._code})
                return
            if self._line in ready:
                self._tell({"left": self._end()})
                return

    def _order(self) -> _Order | None:
        data = b""
        while len(data) < 8 or len(data) < 8 + int.from_bytes(data[:8]):
            more = self._line.recv(1 << 16)
            if not more:
                return None
            data += more
        order: _Order = json.loads(data[8:])
        return order

    def _tell(self, report: dict[str, object]) -> None:
        with contextlib.suppress(OSError):  # nobody listens any more
            self._line.sendall(json.dumps(report).encode())

    def _childless(self) -> bool:
        """Take what has ended; whether nothing is left. What has no parent any more is a child of ours."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if pid == self._program:
                self._code = os.waitstatus_to_exitcode(status)

    def _end(self) -> list[int]:
        """End everything that was started; the processes that could not be ended."""
        begun, told = time.monotonic(), set[int]()
        while not self._childless():
            spent, family = time.monotonic() - begun, self._family()
            if spent > _GRACE + _LAST:
                return family
            for pid in family:
                if spent > _GRACE:
                    _send(pid, signal.SIGKILL)
                elif pid not in told:
                    _send(pid, signal.SIGTERM)
                    _send(pid, signal.SIGCONT)  # one that is stopped hears nothing
            told.update(family)
            ready, _, _ = select.select([self._woken], [], [], 0.02)
            if ready:
                os.read(self._woken, 1 << 12)
        return []

    def _family(self) -> list[int]:
        """Everything below this process, parents first: one whose child is ended must not go on to its next command.

        A process group is told by its negative number.
        """
        if not _LINUX:
            return [-self._program]
        children: dict[int, list[int]] = {}
        for name in os.listdir("/proc"):  # noqa: PTH208  # as below
            if name.isdecimal():
                with contextlib.suppress(OSError):
                    state, parent = _stat(int(name))
                    if state not in {"Z", "X"}:
                        children.setdefault(parent, []).append(int(name))
        found = [os.getpid()]
        for pid in found:  # which grows meanwhile
            found += children.pop(pid, [])
        return found[1:]


def _stat(pid: int) -> tuple[str, int]:
    """State and parent of a process: the two words behind its name, which may hold anything (proc(5))."""
    with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123  # pathlib takes longer to load than all else here
        words = file.read().rpartition(b")")[2].split()
    return words[0].decode(), int(words[1])


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(OSError):  # it has ended, or is another user's
        os.kill(pid, number)


if __name__ == "__main__":
    keep(socket.socket(fileno=0))
