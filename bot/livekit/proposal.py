"""A verdict and the names at play → which remedy is proposed, for which name, on which side, and why.

A name under which rooms were served is never changed: then the odd side is. Only where no room was served and exactly
one name is seen, worker and tokens can do without one; else both sides get the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Literal

from bot.livekit.words import listed, quote

if TYPE_CHECKING:
    from bot.livekit.names import Names

Side = Literal["worker", "token"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is proposed for one cause.

    `agent` is the name that both sides have afterwards, "" for none. `odd` is the side that is to be changed, None when
    that depends on what is at hand. `refusal` says why nothing can be proposed, "" when something is.
    """

    remedy: str
    agent: str
    odd: Side | None
    why: str
    refusal: str = ""


def dispatch_proposal(cause: str, wanted: str, names: Names) -> Proposal:
    """What treats a disagreement between worker and dispatch; `wanted` is the agent that the verdict names."""
    match cause:
        case "room-already-existed":
            why = "the room lives on, and a token's dispatch only counts when a room is made: CreateDispatch asks again"
            return Proposal("create-dispatch", wanted, None, why)
        case "dispatch-missing":
            return _missing(wanted, names)
        case "worker-unnamed":
            return _unnamed(wanted, names)
        case "name-mismatch":
            return _mismatch(wanted, names)
    return Proposal("", "", None, "", f"{cause} is treated by no remedy")


def _alone(name: str, names: Names) -> bool:
    return names.whole and not names.served and names.known == (name,)


def _missing(worker: str, names: Names) -> Proposal:
    if _alone(worker, names):
        why = f"no room was served yet, and {quote(worker)} is the only name: with one agent none is needed"
        return Proposal("auto-dispatch", "", "worker", why)
    if worker in names.served:
        why = f"rooms were served under {quote(worker)}, so the name stays; what does not ask for it is the odd side"
    else:
        why = f"{_several(names, worker)}, so each room has to ask for the one it wants"
    return Proposal("explicit-dispatch", worker, "token", why)


def _unnamed(asked: str, names: Names) -> Proposal:
    if "" in names.served:
        why = (
            "rooms were served by the worker without a name, so it stays without; the dispatch by name is the odd side"
        )
        return Proposal("auto-dispatch", "", "token", why)
    if _alone(asked, names):
        why = f"no room was served yet, and {quote(asked)} is the only name: with one agent none is needed"
        return Proposal("auto-dispatch", "", "token", why)
    why = f"{_several(names, asked)}, so the worker needs the one that is asked for"
    return Proposal("explicit-dispatch", asked, "worker", why)


def _mismatch(asked: str, names: Names) -> Proposal:
    workers = [name for name in names.running or names.written if name and name != asked]
    if asked in names.written and any(name in names.written for name in workers):
        refusal = f"the source has a worker of its own that is named {quote(asked)}, and none of that name runs: start it, or say which name both sides shall have (agent_name)"
        return Proposal("explicit-dispatch", asked, None, f"{quote(asked)} is another agent", refusal)
    served = [name for name in workers if name in names.served]
    if asked in names.served and served:
        refusal = f"rooms were served under {quote(asked)} and under {listed(served)}, and neither name may be changed by guess; say which it shall be (agent_name)"
        return Proposal("explicit-dispatch", "", None, "both names have served rooms", refusal)
    if asked in names.served:
        why = f"rooms were served under {quote(asked)}, so that name stays; the worker is the odd side"
        return Proposal("explicit-dispatch", asked, "worker", why)
    near = max(served or workers, key=lambda name: _likeness(name, asked), default="")
    if served:
        why = f"rooms were served under {quote(near)}, so that name stays; what asks for {quote(asked)} is the odd side"
        return Proposal("explicit-dispatch", near, "token", why)
    if not near:
        why = f"{quote(asked)} is asked for, and no worker has it"
        return Proposal("explicit-dispatch", asked, "worker", why)
    why = f"no room was served under {quote(near)} or {quote(asked)} yet; with two names both sides have to say the same one"
    return Proposal("explicit-dispatch", near, None, why)


def _several(names: Names, name: str) -> str:
    others = [other for other in names.known if other != name]
    if others:
        return (
            f"{listed(others)} is seen beside {quote(name)}"
            if len(others) == 1
            else f"{listed(others)} are seen beside {quote(name)}"
        )
    if not names.served:
        return "the server's log does not go back to its start, so that rooms may have been served before"
    return (
        f"rooms were served under {listed(sorted(names.served))}"
        if any(names.served)
        else "rooms were served by a worker without a name"
    )


def _likeness(name: str, other: str) -> float:
    return SequenceMatcher(None, name.casefold().strip(), other.casefold().strip()).ratio()
