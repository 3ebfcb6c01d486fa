"""Probes for what people are shown of them: how they stand, and looks that are written down as an executor writes them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from bot.engine import probe_rows
from bot.findings import Finding, Quote
from bot.probes.flips import flipped
from bot.probes.values import Mute, Probe, Result, Standing
from bot.runbook.document import Runbook, Schedule

if TYPE_CHECKING:
    from bot.engine.front import Front
    from bot.engine.values import Person
    from bot.probes.values import Light

AT: Final = 1_795_401_918.0  # seconds since the epoch: when these came into their state
SECRET_LINE: Final = "LIVEKIT_API_SECRET=abcdefghijklmnopqrstuvwxyz0123456789ABCD"
FOUND: Final = Finding(
    room="lobby <!channel>", verdict="cause", cause="worker-unnamed", agent="front-desk", summary="The worker registered without a name.", confidence=0.95,
    quotes=(
        Quote("livekit.log:411", "INFO not dispatching agent job since no worker is available", "nobody was asked"),
        Quote("agent.log:12", "registered worker", "it has no name"),
    ),
    advice="Name the worker as the token asks for it.",
)  # fmt: skip


def probe(name: str = "log-sweep", runbook: str = "", **more: Any) -> Probe:  # noqa: ANN401  # fields of a probe
    """A probe that looks once in a minute."""
    made = Runbook(id=runbook or name, title=f"What {name} looks for", path="/srv/x.md", sha256="0" * 64)
    return Probe(name=name, runbook=made, **{"schedule": Schedule(every=60.0), "orders": "", "channel": "", **more})


def red(says: str = "2 rooms lack their agent.", *findings: Finding) -> Result:
    """A look that found something."""
    return Result(
        light="red", says=says, findings=findings or (FOUND,), seconds=0.4, lacking={"worker-unnamed": 2}, lag=1.5
    )


def standing(state: str = "degraded", name: str = "log-sweep", **more: Any) -> Standing:  # noqa: ANN401  # fields of a standing
    """How a probe stands."""
    light = {"degraded": "red", "unknown": "unknown", "healthy": "green"}.get(state, "skipped")
    last = red() if state == "degraded" else Result(light=light, says=f"It is {state}.", seconds=0.1)  # type: ignore[arg-type]  # one of its words
    given = {"probe": probe(name), "state": state, "since": AT, "count": 17, "light": light, "streak": 17, "slot": int(AT) + 1020, "last": last, **more}  # fmt: skip
    return Standing(**given)


def look(front: Front, name: str, light: Light, says: str = "", *, slot: int = 0, **more: Any) -> Standing:  # noqa: ANN401  # fields of a result
    """A look of a probe, written down as whoever looks does: the slot, and how the probe stands then, in one change."""
    return looks(front, name, [light], says, slot=slot, **more)


def looks(front: Front, name: str, lights: list[Light], says: str = "", *, slot: int = 0, **more: Any) -> Standing:  # noqa: ANN401  # fields of a result
    """Several looks in one change."""
    with front._store.change() as change:  # what an executor does with it
        now = probe_rows.standing(change.c, name, to_write=True)
        slot = slot or max(now.slot, int(time.time())) + 1
        for at, light in enumerate(lights, slot):
            result = (
                red(says or "2 rooms lack their agent.")
                if light == "red"
                else Result(light=light, says=says or f"It is {light}.")
            )
            result = replace(result, **more)
            assert probe_rows.add_slots(change.c, name, [at], "taken", change.now) == 1
            assert probe_rows.done(change.c, name, at, "", result, change.now)
            now, _ = flipped(now, result, at, change.now)
        probe_rows.put(change.c, now)
    return now


def mute(front: Front, name: str, seconds: float, person: Person, why: str = "") -> None:
    """Mute a probe."""
    front.probing.mute([name], Mute(by=person.name, until=time.time() + seconds, why=why), person)
