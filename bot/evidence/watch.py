"""Look at what runs again and again: logs are read on from where they were, so that no line is lost or seen twice."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Self

from bot.errors import Unreachable, UsageError
from bot.evidence.attach import attach
from bot.evidence.live import BACK, Live, ask_api, machines_of, read_folder
from bot.evidence.sources import ABSENT, Source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bot.evidence.attach import Attached
    from bot.evidence.containers import Container
    from bot.evidence.docker import Engine, EngineInfo
    from bot.evidence.spool import Spool
    from bot.livekit.seen import ApiSeen
    from bot.settings import Target

_SPOOL: Final = 16 << 20  # bytes of a log beyond which what is older than the window is given up
_REMADE: Final = 60.0  # seconds at least between two such times
_CLOCK: Final = 10.0  # seconds after which the engine's clock is looked at again
_ASKED: Final = 10.0  # seconds at least between two questions to the API: each leaves a line in the server's log


class Watched:
    """One target that is looked at repeatedly; a context manager that gives back what it holds.

    `keep` tells of a line that is older than the window whether it still matters, such as a worker's registration.
    """

    def __init__(self, target: Target, here: Path, keep: Callable[[bytes], bool]) -> None:
        self._target, self._here, self._keep = target, here, keep
        self._connection = ExitStack()
        self._engine: Engine | None = None
        self._info: EngineInfo | None = None
        self._attached: Attached | None = None
        self._spools: dict[str, Spool] = {}
        self._unread: dict[str, str] = {}
        self._of_agents: set[str] = set()
        self._clock = 0.0  # how far the engine's clock is ahead of this machine's
        self._upto = 0.0  # when, by that clock, everything was read last
        self._remade = self._asked = self._looked = float("-inf")  # by a clock that nobody sets
        self._api: ApiSeen | None = None
        self._folder = read_folder(target, None, here, [])
        #: What stands in the way at present, such as an engine that is away; "" when nothing does.
        self.trouble = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        for spool in self._spools.values():
            spool.close()

    @property
    def now(self) -> float:
        """Up to when everything is known, by the clock that the logs are written by.

        It stands still while a log that was read before is away: that it tells nothing meanwhile proves nothing.
        """
        known = self._upto and any(spool.size() for spool in self._spools.values())
        return self._upto if known else time.time() + self._clock

    def read(self) -> bool:
        """Read on what was logged since; whether there is anything new. What is away is waited for."""
        new = False
        for _ in range(2):  # one connection that breaks off is no engine that is away
            new |= self._read_all()
            if not self.trouble:
                break
            self._connection.close()
            self._engine = None
        self._forget()
        return new

    def _read_all(self) -> bool:
        new = False
        try:
            engine = self._connected()
            began = time.time() + self._clock  # what is logged from now on may be seen only next time
            attached = self._attach(engine)
            for container in (*attached.livekit, *attached.agents):
                new |= self._read(engine, container)
            self._of_agents |= {f"docker logs {c.name}" for c in attached.agents}
            self.trouble = self._lost(attached)
            if not self.trouble:
                self._upto = began
        except Unreachable as problem:
            self.trouble = str(problem)
        return new

    def _connected(self) -> Engine:
        from bot.evidence.docker import connect

        if self._engine is None:
            self._engine = self._connection.enter_context(connect(self._target))
            self._looked = float("-inf")
        if time.monotonic() - self._looked >= _CLOCK:
            self._looked = time.monotonic()
            self._info = self._engine.info()
            self._clock = self._info.now - time.time()
        return self._engine

    def _attach(self, engine: Engine) -> Attached:
        """What is followed; once it was found it stays this project, which others that run meanwhile do not replace."""
        try:
            attached = attach(engine.containers(), self._target, self._here)
        except UsageError as problem:
            if self._attached is None:
                raise
            raise Unreachable(f"the compose project {self._attached.project} has no container now") from problem
        if self._attached is None:
            self._folder = read_folder(self._target, attached, self._here, [])
            self._target = replace(self._target, compose_project=attached.project)
        self._attached = attached
        return attached

    def _lost(self, attached: Attached) -> str:
        """Why a log that was read before cannot be read on; "" when none is."""
        names = [c.name for c in (*attached.livekit, *attached.agents)]
        return next((self._unread[name] for name in names if name in self._unread and self._spools[name].size()), "")

    def _read(self, engine: Engine, container: Container) -> bool:
        from bot.evidence.spool import Spool

        spool = self._spools.get(container.name)
        if spool is None:
            spool = self._spools[container.name] = Spool(f"docker logs {container.name}")
        try:
            new = spool.read(engine, container) > 0
        except Unreachable as problem:  # one log that cannot be read keeps nobody from the others
            self._unread[container.name] = str(problem)
            return False
        self._unread.pop(container.name, None)
        return new

    def _forget(self) -> None:
        """Give up what is older than the window, so that an hour of it takes no more room than a quarter."""
        if time.monotonic() - self._remade < _REMADE:
            return
        self._remade = time.monotonic()
        for spool in self._spools.values():
            if spool.size() > _SPOOL:
                spool.compact(self.now - BACK, self._keep)

    def look(self, rooms: tuple[str, ...], *, ask: bool) -> Live:
        """What was seen up to now; with `ask` the API tells of these rooms, unless it was asked a moment ago."""
        sources = [Source(f"docker logs {name}", ABSENT, note=why) for name, why in self._unread.items()]
        if ask and time.monotonic() - self._asked >= _ASKED:
            self._asked = time.monotonic()
            self._api = ask_api(self._target, self._attached, rooms, sources)
        elif not ask:
            self._api = None
        if self.trouble:
            sources.append(Source("Docker", ABSENT, note=self.trouble))
        setup, folder = self._folder
        return Live(
            self.now, tuple(self._spools.values()), frozenset(self._of_agents), self._api, machines_of(self._attached), (),
            setup, folder, tuple(sources), self._info, self._attached,
        )  # fmt: skip
