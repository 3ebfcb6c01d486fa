"""Whether the new worker registered: by the server's log, else by its own; or why that cannot be seen."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from bot.engine.case import POLL, SECOND, Case
from bot.engine.since import hear
from bot.errors import FletcherError
from bot.livekit.words import quote

if TYPE_CHECKING:
    from bot.engine.since import Heard, Said
    from bot.engine.values import Proof

_BLIND: Final = 20.0  # seconds after which a worker is taken for registered where no log would tell it
_DEAD: Final = frozenset({"exited", "dead", "removing"})
_ENDED: Final = 4  # looks in a row that find it ended, or started again and again


def registered(case: Case, name: str | None) -> Said | Proof | None:
    """Its registration (of any name where that is None), the proof that there is none, or None where it cannot be seen."""
    begun, dead = case.world.now(), 0
    case.tell(f"waiting for the worker to register (at most {case.block.timeout:.0f} s)")
    while True:
        server = hear(case.world, "livekit", case.since_ns)
        own, worker = list(server.of("worker-registered")), None
        if not own:
            worker = hear(case.world, "agent", case.since_ns)
            own = list(worker.of("w-registered"))
        mine = [said for said in own if name is None or said.name in {name, None}]
        if mine:
            says = f"the worker registered as {quote(mine[-1].name or '')}, {mine[-1].type or 'type not shown'}"
            case.add("registration", says, ok=True, at_ns=mine[-1].at_ns)
            return mine[-1]
        state = _ended(case)
        dead = dead + 1 if state else 0
        if dead >= _ENDED:
            case.add("registration", f"the worker ended before it registered: {state}", ok=False)
            return case.proof("refuted", "the new worker does not stay alive")
        blind = _blind(server, worker) if not own else ""
        if blind and case.world.now() - begun >= int(_BLIND * SECOND):
            case.add("registration", f"whether the worker registered cannot be seen: {blind}", ok=None)
            return None
        if not case.left():
            return _none(case, name, own)
        case.world.wait(POLL)


def _blind(server: Heard, worker: Heard | None) -> str:
    """Why neither log would tell of a registration; "" when one of them would."""
    if not server.blind or worker is None or not worker.blind:
        return ""
    return f"the server's log does not tell ({server.blind}), nor does the worker's ({worker.blind})"


def _none(case: Case, name: str | None, own: list[Said]) -> Proof:
    if case.stopped:
        return case.proof("refuted", "it was cancelled while the new worker was waited for")
    if own:
        names = ", ".join(sorted({quote(said.name or "") for said in own}))
        case.add("registration", f"the worker registered as {names}, not as {quote(name or '')}", ok=False)
        return case.proof("refuted", "the new worker has another name than it should")
    as_whom = f" as {quote(name)}" if name is not None else ""
    case.add("registration", f"no worker registered{as_whom} within {case.block.timeout:g} s", ok=False)
    return case.proof("refuted", "the new worker never registered")


def _ended(case: Case) -> str:
    """How the worker's containers are, where none of them runs on; "" when one does, or nobody tells."""
    with suppress(FletcherError):
        machines = case.world.machines("agent")
        if machines and all(machine.state in _DEAD or machine.restarts > 1 for machine in machines):
            return ", ".join(f"{m.name} {m.state}, exit code {m.exit_code}, {m.restarts} restarts" for m in machines)
    return ""
