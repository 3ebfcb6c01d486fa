"""Run programs: with an environment of their own, a deadline, and an end for everything that they start."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import selectors
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from bot.errors import Unreachable
from bot.world.contract import Ended

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from threading import Event

_KEEPER: Final = Path(__file__).with_name("keeper.py")
_LOOK: Final = 0.05  # seconds between two looks at `stop`
_PATIENCE: Final = 10.0  # seconds for a warden to end everything; it needs 5 at most
_PIPE: Final = 1 << 20  # bytes that a pipe can hold at most, so that a program left behind cannot keep us reading
_BLOCK: Final = 1 << 16


class Processes:
    """Starts programs through a keeper (`keeper.py`), which is started with the first one. A context manager.

    May be used by several threads at once; no thread is made.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keeper: subprocess.Popen[bytes] | None = None
        self._door: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the keeper; programs that run are ended with it by whoever runs them."""
        with self._lock:
            self._close()

    def run(
        self, argv: Sequence[str], *, cwd: str, environment: Mapping[str, str], seconds: float,
        tell: Callable[[bytes], None], stop: Event,
    ) -> Ended:  # fmt: skip
        """Run a program to its end; standard input is empty, and both streams come to `tell` as one.

        `environment` is all that it gets. What it leaves running when it ends by itself goes on, unheard; after
        `seconds`, once `stop` is set, or when `tell` raises, everything it started is ended: SIGTERM, then SIGKILL.
        Raises Unreachable when it cannot be started, and (of kind "lost") when it cannot be told how it ended.
        """
        order = json.dumps({"argv": list(argv), "cwd": cwd, "environment": dict(environment)}).encode()
        with ExitStack() as opened:
            line, theirs = socket.socketpair()
            opened.enter_context(line)
            output, into = os.pipe()
            opened.callback(os.close, output)
            try:
                self._hand_over(into, theirs)
            finally:
                os.close(into)
                theirs.close()
            try:
                with contextlib.suppress(BrokenPipeError):  # a warden that is gone is noticed below
                    line.sendall(len(order).to_bytes(8) + order)
                report, why = _followed(line, output, seconds, tell, stop)
            except BaseException:
                _abandon(line)
                raise
        return _ended(report, why, argv, cwd)

    def _hand_over(self, into: int, line: socket.socket) -> None:
        with self._lock:
            for last in (False, True):
                try:
                    socket.send_fds(self._opened(), [b"r"], [into, line.fileno()])
                except OSError as problem:
                    self._close()  # a keeper that was killed is replaced
                    if last:
                        raise Unreachable(f"no program can be started: {problem.strerror}") from problem
                else:
                    return

    def _opened(self) -> socket.socket:
        if self._door is None:
            ours, theirs = socket.socketpair()
            try:
                self._keeper = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(_KEEPER)], stdin=theirs.fileno(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                    cwd="/", env={}, start_new_session=True,
                )  # fmt: skip
            except BaseException:
                ours.close()
                raise
            finally:
                theirs.close()
            self._door = ours
        return self._door

    def _close(self) -> None:
        if self._door is not None:
            self._door.close()
            self._door = None
        if self._keeper is not None:
            self._keeper.wait()
            self._keeper = None


def _followed(
    line: socket.socket, output: int, seconds: float, tell: Callable[[bytes], None], stop: Event
) -> tuple[bytes, str]:
    """The warden's report, and why it was told to end everything; "" when it was not."""
    os.set_blocking(output, False)
    deadline, why, report = time.monotonic() + seconds, "", b""
    with selectors.DefaultSelector() as both:
        both.register(line, selectors.EVENT_READ)
        both.register(output, selectors.EVENT_READ)
        while True:
            ready = {key.fd for key, _ in both.select(max(0.0, min(_LOOK, deadline - time.monotonic())))}
            if output in ready and not _passed_on(output, tell):
                both.unregister(output)
            if line.fileno() in ready:
                more = line.recv(_BLOCK)
                if not more:
                    break
                report += more
            if not why and (stop.is_set() or time.monotonic() >= deadline):
                why = "stopped" if stop.is_set() else "timeout"
                line.shutdown(socket.SHUT_WR)
                deadline = time.monotonic() + _PATIENCE
            elif why and time.monotonic() >= deadline:
                return b"", why
    for _ in range(_PIPE // _BLOCK):
        if not _passed_on(output, tell):
            break
    return report, why


def _passed_on(output: int, tell: Callable[[bytes], None]) -> bool:
    """Tell what is there; whether there may be more."""
    try:
        data = os.read(output, _BLOCK)
    except BlockingIOError:
        return False
    if data:
        tell(data)
    return bool(data)


def _abandon(line: socket.socket) -> None:
    """Have everything ended, and wait until it is."""
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_WR)
        line.settimeout(_PATIENCE)
        while line.recv(_BLOCK):
            pass


def _ended(report: bytes, why: str, argv: Sequence[str], cwd: str) -> Ended:
    told = json.loads(report) if report else {}
    if "code" in told:
        return Ended(told["code"])
    if "errno" in told:
        raise Unreachable(_not_started(told["errno"], told["path"], argv, cwd))
    if told.get("left"):
        left = ", ".join(map(str, told["left"]))
        raise Unreachable(
            f"{argv[0]} was to be ended ({why}), but these of its processes go on: {left}; end them by hand"
        )
    if "left" not in told:
        raise Unreachable(
            f"how {argv[0]} ended is not known: the process that watched over it was killed; see whether it still runs"
        )
    return Ended(None, why)


def _not_started(number: int, path: str, argv: Sequence[str], cwd: str) -> str:
    """Why a program could not be started, with what to do about it."""
    if cwd and path == cwd:
        return f"{argv[0]} cannot be started in {cwd}: that folder is not there, or may not be entered"
    if number == errno.ENOENT:
        return f"there is no program {argv[0]} on PATH: install it, or start Fletcher with a PATH that leads to it"
    if number == errno.E2BIG:
        return f"{argv[0]} cannot be started: its script or its inputs are longer than the system takes; put the script into a file"
    if number in {errno.EACCES, errno.ENOEXEC}:
        return f"{argv[0]} cannot be started: it may not be executed, see its mode"
    return f"{argv[0]} cannot be started: {os.strerror(number).lower() if number else 'a NUL is in its arguments'}"
