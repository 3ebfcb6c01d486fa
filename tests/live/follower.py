"""`fletcher diagnose --follow --json` as a person lets it run beside a stack, and what it has said so far."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Self

from tests.live.ways import surroundings

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from typing import IO

    from tests.stack.stack import Stack

Row = dict[str, Any]


class Follower:
    """One call, from its start until it is ended; `rows` are what it printed, `said` what it told beside that."""

    def __init__(self, stack: Stack) -> None:
        self.rows: list[Row] = []
        self.said: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-m", "bot", "diagnose", "--follow", "--json"],
            cwd=stack.project,
            env=surroundings(stack.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        kept: tuple[tuple[IO[str], Callable[[str], None]], ...] = (
            (self._process.stdout, lambda line: self.rows.append(json.loads(line))),
            (self._process.stderr, self.said.append),
        )
        self._readers = [threading.Thread(target=_read, args=one, daemon=True) for one in kept]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._ended()

    def told(self, room: str, seconds: float = 40) -> list[tuple[str, str | None]]:
        """Wait until this room is told, and return verdict and cause of each time that it was."""
        self._wait(lambda: bool(self._of(room)), seconds)
        return [(row["verdict"], row["cause"]) for row in self._of(room)]

    def heard(self, words: str, seconds: float = 40) -> list[str]:
        """Wait until something with these words was said beside the rows, and return all that was."""
        self._wait(lambda: any(words in line for line in self.said), seconds)
        return [line for line in self.said if words in line]

    @property
    def rooms(self) -> list[tuple[str | None, str | None]]:
        """Name and id of the room of each row."""
        return [(row["room"], row["room_id"]) for row in self.rows if "room" in row]

    def end(self, by: signal.Signals) -> int:
        """End it as a person or a service manager does, and return its exit code."""
        self._process.send_signal(by)
        return self._ended()

    def _ended(self) -> int:
        code = self._process.wait(30)
        for reader in self._readers:
            reader.join()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        return code

    def _of(self, room: str) -> list[Row]:
        return [row for row in self.rows if row.get("room") == room]

    def _wait(self, happened: Callable[[], bool], seconds: float) -> None:
        until = time.monotonic() + seconds
        while not happened() and self._process.poll() is None and time.monotonic() < until:
            time.sleep(0.1)


def _read(pipe: IO[str], keep: Callable[[str], None]) -> None:
    for line in pipe:
        keep(line)
