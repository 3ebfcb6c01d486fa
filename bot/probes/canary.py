"""The canary: a room of its own, made as real tokens make theirs, that has to get its agent. It costs a real session."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from bot.errors import FletcherError
from bot.findings import Finding
from bot.livekit.marks import CANARY, LOOK, MARK
from bot.livekit.versions import MATURE
from bot.livekit.waiting import now_of, serves_all
from bot.livekit.words import quote
from bot.probes import abandoned
from bot.probes.looking import Looking
from bot.probes.values import Result
from bot.probes.whom import Whom, odd_type, whom, workers_of
from bot.redact import redact
from bot.runbook.inputs import values

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.livekit.seen import ApiParticipant, ApiRoom, ApiSeen, Seen
    from bot.probes.looking import Eyes
    from bot.probes.values import Light, Probe, Standing
    from bot.world.contract import World

_SECOND: Final = 1_000_000_000
_POLL: Final = 0.5  # seconds between two looks into the room
_JOINS: Final = 12.0  # seconds in which the agent has to be ACTIVE; a cold name lookup alone takes 5
_LOADED: Final = 6.0  # seconds after its registration from which on a worker's reported load is its own
_EMPTY: Final = 30  # seconds after which the server ends the room by itself, should nobody do it
_AGES: Final = 60.0  # seconds after which no look is at work in its room any more
_PROVES: Final = 300.0  # seconds after which no run is at work in its own
_TWICE: Final = 4.0  # seconds between two looks at users' rooms that must both find them without an agent


def look(
    probe: Probe, _standing: Standing, world: World, stop: Callable[[], bool], *, eyes: Eyes | None = None
) -> Result:
    """Whether a new room gets its agent now; what it claims is no more than that."""
    begun = world.now()
    try:
        inputs = values(probe.runbook, probe.inputs)
        told = _Canary(probe, world, stop, eyes or Looking(probe)).look(inputs.get("dispatch", ""))
    except _Other as other:
        told = other.result
    except FletcherError as problem:
        told = Result(light="unknown", says=f"the LiveKit API does not tell: {problem}")
    return replace(told, says=redact(told.says), seconds=round((world.now() - begun) / _SECOND, 3))


class _Other(Exception):  # noqa: N818  # it is no error not to look
    """It ends here, with this result."""

    def __init__(self, light: Light, says: str) -> None:
        super().__init__(says)
        self.result = Result(light=light, says=says)


class _Lacks(_Other):
    """Users' rooms have no agent, whatever comes of rooms of its own."""

    def __init__(self, says: str, rooms: tuple[Finding, ...], seconds: float | None = None) -> None:
        names = ", ".join(quote(one.room) for one in rooms[:5])
        more = f"{len(rooms)} rooms of users have" if len(rooms) > 1 else "a room of users has"
        super().__init__("red", f"DEGRADED: {says}, yet {more} people and no agent: {names}")
        lacking = {abandoned.CAUSE: len(rooms)}
        self.result = replace(self.result, findings=rooms[:20], to_agent=seconds, lacking=lacking)


class _Canary:
    """One look."""

    def __init__(self, probe: Probe, world: World, stop: Callable[[], bool], eyes: Eyes) -> None:
        self._probe, self._world, self._stop, self._eyes = probe, world, stop, eyes
        self._until = world.now() + int(probe.seconds * _SECOND)
        self._seeing = 0  # nanoseconds that it takes to see what is around

    def look(self, given: str) -> Result:
        """All of it."""
        api = self._world.api(None)
        self._sweep(api)
        self._settled(api)
        who = self._prepared(given)
        room = f"{LOOK}{self._world.now() // 1_000_000 % 10**9:09d}-{secrets.token_hex(3)}"
        try:
            told = self._asked(room, who)
        finally:
            left = self._ended(room)
        if left:
            told = replace(told, says=f"{told.says}; {left}")
        return told

    # --- may it be asked now ---------------------------------------------------------------------

    def _sweep(self, api: ApiSeen) -> None:
        """End what looks left behind that died; raises where another canary is at work."""
        for room in api.rooms:
            if not room.name.startswith(CANARY):
                continue
            own, age = room.name.startswith(LOOK), _age(room, api)
            if own and age > _AGES:
                self._world.delete_room(room.name)
            elif age <= (_AGES if own else _PROVES):
                raise _Other("skipped", f"another canary is at work ({quote(room.name)}), and one is asked at a time")

    def _settled(self, api: ApiSeen) -> None:
        """Raise where somebody's session is just being set up: a canary could take its agent's place.

        While all fails there is always such a session; then who has waited longer decides.
        """
        for room in api.rooms:
            people = room.participants or ()
            if room.name.startswith(CANARY) or _age(room, api) >= MATURE or all(p.agent for p in people):
                continue
            if not any(p.agent and p.state == "ACTIVE" for p in people):
                says = f"a session is just being set up in room {quote(room.name)}, and a canary would be in its way"
                raise _Lacks(says, rooms) if (rooms := self._lacking()) else _Other("skipped", says)

    def _prepared(self, given: str) -> Whom:
        """Whom it asks for, once that can be asked."""
        begun = self._world.now()
        try:
            seen = self._eyes.seen()
            self._seeing = self._world.now() - begun
        except FletcherError as problem:
            if not given:
                raise _Other("unknown", f"whom new rooms ask for cannot be seen: {problem}") from None
            return whom(_nothing(), given)
        who = whom(seen, given)
        if who.trouble:
            raise _Other("unknown", who.trouble)
        if kind := odd_type(seen, who.agent):
            says = f"the worker of {quote(who.agent)} is {kind}: it starts only when somebody joins or publishes, so a room made for it proves nothing"
            raise _Other("skipped", f"{says}; look at real rooms (log-sweep)")
        since = max((one.since for one in workers_of(seen, who.agent) if one.since is not None), default=None)
        if since is not None:
            self._wait(since + _LOADED)
            self._settled(self._world.api(None))
        return who

    def _wait(self, until: float) -> None:
        """Let time pass until then; a worker that has just registered is taken for idle. A clock that is ahead is not waited for."""
        until = min(until, self._world.now() / _SECOND + _LOADED)
        while (left := until - self._world.now() / _SECOND) > 0:
            if self._stop():
                raise _Other("skipped", f"a worker registered a moment ago, and its load is told in {left:.0f} s")
            self._world.wait(min(_POLL, left))

    # --- the room --------------------------------------------------------------------------------

    def _asked(self, room: str, who: Whom) -> Result:
        marked = json.dumps({MARK: self._probe.name, "canary": True})
        begun = self._world.now()
        try:
            self._world.create_room(room, agent=who.agent or None, metadata=marked, empty_timeout=_EMPTY)
        except FletcherError as problem:
            raise _Other("unknown", f"no room could be made: {problem}") from None
        self._alone(self._world.api(()), room)
        trouble = ""
        while True:
            try:
                people, trouble = self._world.inside(room), ""
            except FletcherError as problem:
                trouble = str(problem)
            else:
                if _active(people, who.agent):
                    return self._came(who, (self._world.now() - begun) / _SECOND)
            passed = (self._world.now() - begun) / _SECOND
            if self._stop():
                raise _Other("unknown", f"it was stopped after {passed:.0f} s, before the agent came")
            if passed >= _JOINS:
                break
            self._world.wait(_POLL)
        if trouble:
            raise _Other("unknown", f"whether the agent came cannot be seen: {trouble}")
        return self._absent(room, who)

    @staticmethod
    def _alone(api: ApiSeen, room: str) -> None:
        """Make way for another look that began at the same moment, and earlier than this one."""
        own = next((one for one in api.rooms if one.name == room), None)
        for other in api.rooms:
            first = own is not None and (other.created or 0.0, other.name) < (own.created or 0.0, own.name)
            if other.name.startswith(LOOK) and first and _age(other, api) <= _AGES:
                raise _Other("skipped", f"another canary is at work ({quote(other.name)}), and one is asked at a time")

    def _came(self, who: Whom, seconds: float) -> Result:
        """It works for a new room; how users' rooms stand is another matter."""
        says = f"dispatch for a new room works now: {_named(who)} was ACTIVE after {seconds:.1f} s ({who.why})"
        rooms = self._lacking()
        if rooms:
            return _Lacks(says, rooms, round(seconds, 3)).result
        return Result(light="green", says=says, to_agent=round(seconds, 3))

    def _lacking(self) -> tuple[Finding, ...]:
        """Users' rooms without their agent, which two looks found so; what cannot be looked at is left out."""
        try:
            api = self._world.api(abandoned.some(self._world.api(())))
            first = {one.room.id: one.room.name for one in abandoned.lacking(api)}
            if not first:
                return ()
            self._world.wait(_TWICE)
            again = abandoned.lacking(self._world.api(tuple(first.values())), serves=serves_all(api))
        except FletcherError:
            return ()
        return tuple(abandoned.finding(one) for one in again if one.room.id in first)

    def _absent(self, room: str, who: Whom) -> Result:
        says = f"a new room does not get {_named(who)}: not ACTIVE in {_JOINS:.0f} s ({who.why})"
        told: tuple[Finding, ...] = ()
        try:
            if self._world.now() + self._seeing < self._until:  # a look that takes too long tells nothing at all
                told = self._eyes.verdict(room)
            else:
                says = f"{says}; there was no time to see why: a longer `timeout` of the probe gives it more"
        except FletcherError as problem:
            says = f"{says}; why cannot be seen: {problem}"
        own = tuple(one for one in told if one.verdict != "healthy" and one.room in {room, ""})
        cause = next((one.cause for one in own if one.cause), "")
        says = f"{says}: {cause}" if cause else says
        alone = Finding(
            room=room,
            verdict="cause",
            agent=redact(who.agent),
            summary=redact(f"{says[0].upper()}{says[1:]}."),
            confidence=0.9,
        )
        return Result(light="red", says=says, findings=own or (alone,), lacking={cause or "unknown": 1})

    def _ended(self, room: str) -> str:
        """End the room; why that failed, "" when it did not."""
        try:
            self._world.delete_room(room)
        except FletcherError as problem:
            return f"its room could not be ended ({problem}), and ends by itself after {_EMPTY} s"
        return ""


def _active(people: tuple[ApiParticipant, ...], agent: str) -> bool:
    """Whether the right agent is there: by its name, where the server tells names."""
    agents = [p for p in people if p.agent and p.state == "ACTIVE"]
    named = [p for p in agents if p.agent_name]
    return any(p.agent_name == agent for p in named) if named else bool(agents)


def _age(room: ApiRoom, api: ApiSeen) -> float:
    """Seconds since it was made; one that does not tell is as old as can be."""
    return now_of(api) - room.created if room.created is not None else float("inf")


def _named(who: Whom) -> str:
    return f"agent {quote(who.agent)}" if who.agent else "an agent (automatic dispatch)"


def _nothing() -> Seen:
    from bot.livekit.seen import Seen as Empty
    from bot.livekit.story import Story

    return Empty(Story())
