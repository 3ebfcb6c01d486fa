"""Which state of a run may follow which. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.engine.values import RunState

_STOPPED: Final[frozenset[RunState]] = frozenset({"cancelled", "refused", "failed"})
_PROVEN: Final[frozenset[RunState]] = frozenset({"fixed", "done", "rolled-back", "rollback-failed", "not-verified"})

#: What may follow a state; what has ended stays so. `unknown` waits for a person and goes on.
NEXT: Final[Mapping[RunState, frozenset[RunState]]] = {
    "queued": _STOPPED | {"looking"},
    "looking": _STOPPED | {"waiting", "running", "healthy", "inconclusive", "done", "expired"},
    "waiting": _STOPPED | {"running", "declined", "expired"},
    "running": _STOPPED | _PROVEN | {"unknown"},
    "unknown": frozenset({"running"}),
}


def follows(before: RunState, after: RunState) -> bool:
    """Whether this may come next; the same again may, since what a crash interrupted is done anew."""
    return before == after or after in NEXT.get(before, frozenset())
