"""The run: what happens in which order. What is recorded is not done again, so this order is only ever added to."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from bot.engine.stages import Ahead

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.engine.acting import Acting
    from bot.engine.durable import Durable
    from bot.engine.ending import Ending
    from bot.engine.rows import Part
    from bot.engine.stages import Stages

_log = logging.getLogger("fletcher.engine")


class Remedy:
    """One order from its look to its end; `durable` is set before the first one begins."""

    durable: Durable

    def __init__(self, stages: Stages, acting: Acting, ending: Ending) -> None:
        self._stages, self._acting, self._ending = stages, acting, ending

    async def __call__(self, run: str) -> str:
        """All of it; a bug of ours ends the run, so that it holds no lock for ever."""
        try:
            return await self._remedy(run)
        except Exception as bug:  # noqa: BLE001  # whatever it is
            _log.exception("the run was stopped", extra={"run": run})
            return await self._at("bug", self._ending.bug, run, type(bug).__name__)

    async def _remedy(self, run: str) -> str:
        ahead = await self._look(run)
        if ahead.way == "ask" and not await self._approved(run):
            return "ended"
        if ahead.way == "out":
            return "ended"
        await self._open(run, "", "do")
        if await self._at("enter", self._stages.enter, run) == "out":
            return "ended"
        word = await self._act(run, ahead.steps)
        if word == "on":
            word = await self._at("prove", self._ending.prove, run)
        if word in {"stop", "cancel", "refuted"}:
            await self._take_back(run)
        return await self._at("conclude", self._ending.conclude, run, word)

    async def _look(self, run: str) -> Ahead:
        def told() -> str:
            return msgspec.json.encode(self._stages.look(run)).decode()

        return msgspec.json.decode(await self.durable.recorded("look", told), type=Ahead)

    async def _approved(self, run: str) -> bool:
        """Wait for the decision; whatever wakes the run, what counts is what the store says."""
        return await self.durable.answered(run, "decision", partial(self._stages.decided, run)) == "yes"

    async def _act(self, run: str, steps: tuple[str, ...]) -> str:
        """Do the steps until one says that it goes no further; how the last one ended."""
        word = "on"
        for name in steps:
            if word == "on":
                await self._open(run, name, "do")
                word = await self._at(f"do {name}", self._acting.take, run, name)
            if word == "unknown":
                word = await self.durable.answered(
                    run, f"go on with {name}", partial(self._acting.take_told, run, name)
                )
        return word

    async def _take_back(self, run: str) -> None:
        names = msgspec.json.decode(await self._at("what to take back", self._names, run), type=tuple[str, ...])
        for name in names:
            await self._open(run, name, "undo")
            word = await self._at(f"take back {name}", self._acting.undo, run, name)
            if word == "unknown":
                back = partial(self._acting.undo_told, run, name)
                await self.durable.answered(run, f"go on taking back {name}", back)
        if names:
            await self._at("prove what was taken back", self._ending.prove_undone, run)

    async def _open(self, run: str, name: str, part: Part) -> None:
        """Wait, unrecorded, while somebody holds what would begin here."""
        if self._acting.gate.hold is not None:
            await self.durable.opened(run, partial(self._acting.gate.closed, run, name, part))

    async def _at(self, name: str, do: Callable[..., str], *args: str) -> str:
        """One recorded point."""
        return await self.durable.recorded(name, partial(do, *args))

    def _names(self, run: str) -> str:
        return msgspec.json.encode(self._acting.undo_names(run)).decode()
