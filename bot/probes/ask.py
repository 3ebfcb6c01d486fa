"""One look of a probe: what its runbook asks of what runs, for a result. Whatever fails in it is told as unknown."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from msgspec.structs import replace

from bot.errors import FletcherError, UsageError
from bot.probes.values import Result
from bot.redact import redact
from bot.runbook import document as doc
from bot.runbook.inputs import values
from bot.runbook.troubles import named, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bot.probes.health import Health
    from bot.probes.sweep import Sweep
    from bot.probes.values import Probe, Standing
    from bot.settings import Target
    from bot.world.contract import World


def _without(parts: tuple[doc.HealthPart, ...], told: str) -> tuple[doc.HealthPart, ...]:
    """The parts that are left to look at. Raises UsageError where one is left out that there is not, or all are."""
    skipped = {name for part in told.split(",") if (name := part.strip())}
    if odd := sorted(skipped - {*doc.HEALTH}):
        raise UsageError(
            f"there is no part {named(odd[0])} to leave out{nearest(odd[0], doc.HEALTH)}: set `without` to some of {', '.join(parts)}"
        )
    wanted = tuple(part for part in parts if part not in skipped)
    if not wanted:
        raise UsageError("`without` leaves out every part, so that nothing is left to look at")
    return wanted


class Asking:
    """Looks for an executor: what is opened for a target is kept from look to look, and given back at the end.

    `environment` is where the targets' keys are. `data` is the folder in which Fletcher keeps its own, None where nobody
    says. May be used by several threads.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ, data: Path | None = None) -> None:
        self._environment, self._data = environment, data
        self._opened = ExitStack()
        self._lock = threading.Lock()
        self._worlds: dict[tuple[str, ...], World] = {}
        self._kept: dict[tuple[str, ...], Sweep | Health] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            for one in self._kept.values():
                one.close()
            self._kept.clear()
            self._worlds.clear()
            self._opened.close()

    def look(self, standing: Standing, stop: Callable[[], bool]) -> Result:
        """What one look came to; `stop` says whether it should end. It raises nothing: what fails is unknown."""
        began = time.monotonic()
        try:
            result = self._look(standing, stop)
        except FletcherError as problem:
            result = Result(light="unknown", says=redact(str(problem)))
        except Exception as problem:  # noqa: BLE001  # a look that fails says nothing of what it looks at
            self._forget(standing.probe)
            result = Result(
                light="unknown", says=redact(f"the look failed: {type(problem).__name__}: {problem}")[:2000]
            )
        last = standing.last
        memory = result.memory or (last.memory if last is not None else "")  # what was told stays told
        return replace(result, seconds=result.seconds or round(time.monotonic() - began, 3), memory=memory)

    def _look(self, standing: Standing, stop: Callable[[], bool]) -> Result:
        probe = standing.probe
        inputs = values(probe.runbook, probe.inputs)
        for evidence in (block.evidence for block in probe.runbook.looks):
            match evidence:
                case doc.Lacking():
                    return self._sweep(probe, inputs).look(standing, stop)
                case doc.Health(parts=parts):
                    return self._health(probe).look(standing, _without(parts, inputs.get("without", "")), stop)
                case doc.Abandoned():
                    from bot.probes import abandoned

                    return abandoned.look(probe, standing, self._world(probe), stop, ended=standing.over.__contains__)
                case doc.Joined() if not probe.runbook.steps:
                    from bot.probes import canary

                    return canary.look(probe, standing, self._world(probe), stop)
        from bot.probes.checks import made

        with tempfile.TemporaryDirectory(prefix="fletcher-probe-") as scratch:
            return made(probe, inputs, self._target(probe), self._world(probe), Path(scratch), stop)

    # --- what is kept --------------------------------------------------------------------------

    def _target(self, probe: Probe) -> Target:
        """The deployment that the probe names. Raises UsageError, WrongDocument."""
        from bot.settings import targets

        here = Path(probe.here)
        return targets(self._environment, here, here / probe.config if probe.config else None).choose(
            probe.target or None
        )

    def _world(self, probe: Probe) -> World:
        key = (probe.here, probe.config, probe.target)
        with self._lock:
            if key not in self._worlds:
                from bot.world.real import RealWorld

                made = RealWorld(self._target(probe), Path(probe.here).absolute(), self._environment)
                self._worlds[key] = self._opened.enter_context(made)
            return self._worlds[key]

    def _sweep(self, probe: Probe, inputs: Mapping[str, str]) -> Sweep:
        from bot.probes.sweep import Sweep

        key = ("sweep", probe.name, probe.here, probe.config, probe.target, meant := inputs.get("rooms", "*"))
        with self._lock:
            kept = self._kept.get(key)
            if not isinstance(kept, Sweep):
                kept = self._kept[key] = Sweep(self._target(probe), Path(probe.here).absolute(), meant)
            return kept

    def _health(self, probe: Probe) -> Health:
        from bot.probes.health import Health

        key = ("health", probe.name, probe.here, probe.config, probe.target)
        with self._lock:
            kept = self._kept.get(key)
            if not isinstance(kept, Health):
                kept = self._kept[key] = Health(self._target(probe), Path(probe.here).absolute(), self._data)
            return kept

    def _forget(self, probe: Probe) -> None:
        """Begin anew the next time, since nobody knows in what state it was left."""
        with self._lock:
            for key in [key for key in self._kept if key[1] == probe.name]:
                with suppress(Exception):
                    self._kept.pop(key).close()
