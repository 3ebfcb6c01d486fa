"""Whom a new room of this deployment asks for, from what its tokens, its rooms and its workers show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from bot.livekit.case import Case
from bot.livekit.marks import CANARY
from bot.livekit.roster import workers_now
from bot.livekit.words import deployed, listed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.livekit.roster import Present
    from bot.livekit.seen import Seen
    from bot.livekit.setup import Place

NOBODY: Final = "none"  # as the input `dispatch`: automatic dispatch
SET: Final = 'set `inputs = {dispatch = "AGENT"}` (or "none") of the probe'
_ROOM: Final = frozenset({"JT_ROOM", ""})


@dataclass(frozen=True, slots=True)
class Whom:
    """The agent that a new room asks for, "" for nobody, and by what that is known; or (`trouble`) why it is not."""

    agent: str = ""
    why: str = ""
    trouble: str = ""


def whom(seen: Seen, given: str) -> Whom:
    """What was said, else what the tokens ask for, else the rooms of late, else the workers that are there."""
    if given:
        return Whom("" if given == NOBODY else given, "as the probe's input says")
    told, rooms = _by_tokens(seen), _rooms(seen)
    if told is None:
        every = {name for asked in rooms for name in asked}
        return _one(every, "the rooms of late asked for {}") if every else _by_workers(seen)
    named = rooms[-1] - {""} if rooms else frozenset()
    if told.trouble or not named or told.agent in named:
        return told
    why = f"{told.why}, and the newest room asked for {listed(sorted(named))}"
    return Whom(trouble=f"whom new rooms ask for is not clear: {why}. {_do()}")


def workers_of(seen: Seen, agent: str) -> tuple[Present, ...]:
    """The workers of that name which are there; of one that nothing names is not known whose it is."""
    return tuple(one for one in workers_now(seen) if one.there and one.name == agent)


def odd_type(seen: Seen, agent: str) -> str:
    """The job type of this agent's workers, where they start for no room as such; "" where they do, or nothing tells."""
    types = {one.type for one in workers_of(seen, agent)}
    types = types or {w.job_type or "" for w in seen.setup.workers if w.agent_name == agent}
    return next(iter(sorted(types)), "") if types and not types & _ROOM else ""


def _by_tokens(seen: Seen) -> Whom | None:
    """What source and configuration ask for; None where they do not tell."""
    asks = [*seen.setup.dispatchers, *(d for server in seen.setup.server for d in server.presets)]
    names = {d.agent_name if d.agent_name is not None else d.name_default for d in asks}
    places = ", ".join(dict.fromkeys(_where(d.place) for d in asks[:3]))
    if not asks:
        made = seen.setup.token_makers
        if not made or seen.setup.unread:
            return None
        return Whom("", f"the project's tokens ask for nobody ({_where(made[0].place)})")
    if None in names:
        return None  # it is known at run time only, and the rooms show it
    if named := next((d for d in asks if d.deployment), None):
        says = f"{_where(named.place)} asks for the deployment {deployed([named.deployment or ''])}, for which a canary cannot ask"
        return Whom(trouble=f"{says}: look at the rooms themselves (log-sweep)")
    return _one((name or "" for name in names), f"the project asks for {{}} ({places})")


def _rooms(seen: Seen) -> list[frozenset[str]]:
    """Whom each room asked for that the logs and the API show, the newest last; rooms of which nothing tells it are left out."""
    seen.story.settle()
    case = Case(seen)
    told: dict[str, tuple[float, set[str]]] = {}
    for alive in seen.api.rooms if seen.api is not None else ():
        if alive.dispatches:
            told[alive.id or alive.name] = alive.created or 0.0, {d.agent_name for d in alive.dispatches}
    names = {alive.id or alive.name: alive.name for alive in (seen.api.rooms if seen.api is not None else ())}
    for room in seen.story.rooms.values():
        if case.birth_asked(room)[0] is not None:
            at = room.birth if room.birth is not None else room.first
            told[room.id or room.name] = at or 0.0, {want.name for want in case.wants(room)}
            names[room.id or room.name] = room.name
    rows = sorted((at, key) for key, (at, _) in told.items() if not names[key].startswith(CANARY))
    return [frozenset(told[key][1] - {""} or told[key][1]) for _, key in rows]


def _by_workers(seen: Seen) -> Whom:
    there = [one for one in workers_now(seen) if one.there]
    names = {one.name for one in there if one.name is not None}
    if not names:
        return Whom(trouble=f"whom new rooms ask for is not known: no token, no room and no worker shows it. {_do()}")
    return _one(names, "nothing shows what tokens ask for, so it asks for the worker that is there, {}")


def _one(names: Iterable[str], why: str) -> Whom:
    """The only name; several disagree."""
    found = sorted(set(names))
    told = listed(found) if found != [""] else "nobody"
    if len(found) > 1:
        return Whom(trouble=f"whom new rooms ask for is not clear: {why.format(told)}. {_do()}")
    return Whom(found[0], why.format(told))


def _where(place: Place) -> str:
    return f"{PurePath(place.source).name}:{place.line}"


def _do() -> str:
    return SET[0].upper() + SET[1:]
