"""What the engine acts with on this machine: eyes, hands and the proof, put together for an executor."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bot.engine.contract import Parts
    from bot.engine.values import Order
    from bot.policy import Policy
    from bot.probes.ask import Asking
    from bot.probes.values import Result, Standing
    from bot.world.contract import World


@contextmanager
def real(policy: Policy | None) -> Iterator[Parts]:
    """The parts of this machine; what they hold of a run's target is given back at the end."""
    from bot.engine.contract import Parts
    from bot.engine.eyes import Looking
    from bot.engine.prover import Prover
    from bot.steps.check import ask
    from bot.steps.kinds import kind_of

    with ExitStack() as held:
        worlds: dict[str, World] = {}

        def world(order: Order) -> World:
            if order.id not in worlds:
                worlds[order.id] = held.enter_context(_world(order))
            return worlds[order.id]

        probe = _Looks(held)
        yield Parts(
            eyes=Looking(), make_world=world, kind=kind_of, ask=ask, prover=Prover(), policy=policy, probe=probe.look
        )


class _Looks:
    """Who looks at probes, made at the first look, so that without any nothing of it is loaded."""

    def __init__(self, held: ExitStack) -> None:
        self._held, self._lock = held, Lock()
        self._asking: Asking | None = None

    def look(self, standing: Standing, stop: Callable[[], bool]) -> Result:
        """One look."""
        with self._lock:
            if self._asking is None:
                from bot.doors.engine import folder
                from bot.probes.ask import Asking

                self._asking = self._held.enter_context(Asking(os.environ, folder()))
        return self._asking.look(standing, stop)


@contextmanager
def _world(order: Order) -> Iterator[World]:
    from bot.engine.eyes import target_of
    from bot.world.real import RealWorld

    with RealWorld(target_of(order, os.environ), Path(order.here)) as world:
        yield world
