"""A proof that is broken off begins anew: by a server that restarts in its middle, or since Fletcher was killed in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from bot.engine.case import SECOND, Case
from bot.errors import FletcherError
from bot.livekit.marks import CANARY

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.engine.values import Proof, Run
    from bot.steps.contract import Doing

_C = TypeVar("_C", bound=Case)


def steadily(case: _C, prove: Callable[[_C], Proof]) -> Proof:
    """Prove it; anew where it does not hold and the server restarted meanwhile, which has forgotten worker and room."""
    while True:
        servers = _servers(case)
        case.since_ns = max(case.since_ns, min((began for began, _ in servers.values()), default=0))
        proof = prove(case)
        now = _servers(case)
        if proof.result == "holds" or case.stopped or not servers or not now or now == servers:
            return proof
        if not case.left():
            return case.proof("cannot-tell", "the LiveKit server restarted while it was proven")
        case.points.clear()
        case.tell("the LiveKit server restarted meanwhile, so it is proven anew")


def _servers(case: Case) -> dict[str, tuple[int, str]]:
    """When each of the server's containers was started, and its state; none where the engine does not tell."""
    try:
        return {m.name: (int((m.started or 0) * SECOND), m.state) for m in case.world.machines("livekit")}
    except FletcherError:
        return {}


def sweep(run: Run, doing: Doing) -> None:
    """End the rooms that a proof of this run left behind when it was killed: an agent that is in one would stay."""
    try:
        for room in doing.world.api(()).rooms:
            if room.name.startswith(rooms_of(run)):
                doing.world.delete_room(room.name)
                doing.tell(f"the room {room.name} of a proof that was broken off is ended")
    except FletcherError as problem:
        doing.tell(f"whether a proof that was broken off left a room behind could not be seen ({problem})")


def rooms_of(run: Run) -> str:
    """How the names of the rooms begin that are made for a run's proofs."""
    return f"{CANARY}{run.id[:8]}-"
