"""A visitor of a room, as the tests see him: what he is told, and how to wait for it."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from tests.stack.progress import StackError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Event = dict[str, Any]


class Visitor:
    """One real client that is in a room until it is closed."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], room: str) -> None:
        self.room, self.events = room, list[Event]()
        self._told: queue.Queue[Event | None] = queue.Queue()
        self._process = subprocess.Popen(
            argv,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def wait(self, event: str, seconds: float) -> Event | None:
        """Wait until this has happened (`joined`, `agent`, `text`, `left` …); None when it has not in time."""
        until = time.monotonic() + seconds
        while True:
            for seen in self.events:
                if seen["event"] == event:
                    return seen
            try:
                told = self._told.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                return None
            if told is None:
                return None
            self.events.append(told)

    def joined(self, seconds: float = 20) -> Self:
        """Wait until the visitor is in the room.

        Raises:
            StackError: he does not get in.

        """
        if self.wait("joined", seconds) is None:
            self.leave()
            raise StackError(f"nobody gets into room {self.room!r}")
        return self

    def agent_came(self, seconds: float = 12) -> bool:
        """Tell whether an agent is in the room, or comes into it within these seconds."""
        return self.wait("agent", seconds) is not None

    def leave(self) -> None:
        """Leave the room as a person does who closes the page."""
        if self._process.poll() is None and self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
        self.vanish()

    def vanish(self) -> None:
        """Be gone at once, without a word, as a person whose battery is empty."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with suppress(ValueError):
                self._told.put(json.loads(line))
        self._told.put(None)
