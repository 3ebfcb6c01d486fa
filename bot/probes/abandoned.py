"""The watcher's look: rooms in which people wait and no agent is, or is on its way; and one try after the other to send one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple
from zlib import crc32

import msgspec

from bot import spans
from bot.errors import FletcherError
from bot.findings import Finding, Quote
from bot.livekit.marks import CANARY
from bot.livekit.waiting import STARTS, now_of, serves_all, serves_some, stands
from bot.livekit.words import ago, quote
from bot.probes.values import Result, Want
from bot.redact import redact
from bot.runbook.inputs import values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bot.livekit.seen import ApiRoom, ApiSeen
    from bot.livekit.waiting import Waiting
    from bot.probes.values import Light, Probe, Standing
    from bot.world.contract import World

RUNBOOK: Final = "agent-watch"
CAUSE: Final = "abandoned"  # as rooms that lack their agent are counted
_AT_ONCE: Final = 40  # rooms that one look looks into: each leaves lines in the server's log
_SURE: Final = 4.0  # seconds for which a room must have been seen so: an agent may just be connecting anew
_BUSY: Final = 45.0  # seconds for which a try may hold the deployment's lock (it waits 30 for its agent), so that another would be refused
_OPEN: Final = 900.0  # seconds after which no question is open any more, where nobody tells what became of a run
_VOID: Final = 10  # runs of a room that sent nobody, such as one that a lock refused, after which no more is ordered
_AGAIN: Final = 60.0  # seconds after such a run until the next one
_BACK_OFF: Final = 10.0  # seconds after a try that brought no agent; then twice as long each time
_GIVEN_UP: Final = 3600.0  # seconds without automatic dispatch after which it is none, where others serve
_KEPT: Final = 500  # rooms of which is remembered that an agent was there


class _Lacks(msgspec.Struct):
    """A room that lacks its agent: since when it is seen so (0 while it has it), how many tries were asked for, and when the last was.

    `void` are those of them of which the run ended and sent nobody.
    """

    since: float = 0.0
    tries: int = 0
    at: float = 0.0
    void: int = 0


class Memory(msgspec.Struct):
    """What the next look has to know.

    `lacks` is by room id, as is `had`: who was active there. `serves`: agents came to rooms that ask for nobody,
    `served` is when that was seen last. `after` is the id of the room that was looked into last, `turn` that of the last among those that lack their agent: with many,
    each has its turn.
    """

    lacks: dict[str, _Lacks] = {}
    had: dict[str, str] = {}
    serves: bool = False
    served: float = 0.0
    after: str = ""
    turn: str = ""


class _Next(NamedTuple):
    """What is to be done about a room now: a try, where one is due, and what is said of it."""

    want: Want | None
    says: str
    new: bool = False


_MEMORY: Final = msgspec.json.Decoder(Memory)  # prepared before there is a second thread


def look(
    probe: Probe, standing: Standing, world: World, stop: Callable[[], bool], *, ended: Callable[[str], bool] | None = None
) -> Result:  # fmt: skip
    """Rooms whose people wait for nobody, and the tries that are due.

    `ended` says whether the run of this id has come to its end without anybody's no, where somebody can tell: then one that
    sent nobody makes way for the next, and is not counted as a try.
    """
    before = standing.last.memory if standing.last is not None else ""
    try:
        inputs = values(probe.runbook, probe.inputs)
        memory = _remembered(before)
        listed = world.api(())
        asked = _asked(listed.rooms, memory, now_of(listed))
        api = world.api(tuple(room.name for room in asked)) if asked and not stop() else listed
    except FletcherError as problem:
        return Result(light="unknown", says=redact(f"the rooms could not be looked at: {problem}"), memory=before)
    if stop():
        return Result(light="unknown", says="it was stopped before it had looked at the rooms", memory=before)
    _turned(asked, memory, now_of(listed))
    return _Watch(inputs, memory, ended).told(api, {room.id for room in asked})


def open_still(result: Result) -> bool:
    """Whether only a further look tells if a room lacks its agent."""
    return result.light == "green" and any(one.since for one in _remembered(result.memory).lacks.values())


def some(api: ApiSeen) -> tuple[str, ...]:
    """The rooms with people, by name: as many as one look looks into, and of more others each time."""
    there = [room.name for room in api.rooms if room.people != 0 and not room.name.startswith(CANARY)]
    begin = crc32(f"{now_of(api):.0f}".encode()) % len(there) if len(there) > _AT_ONCE else 0
    return tuple((there[begin:] + there[:begin])[:_AT_ONCE])


def lacking(api: ApiSeen, *, serves: bool = False) -> tuple[Waiting, ...]:
    """The rooms of one look into which nobody comes: what a probe that proved something else has to know.

    `serves`: it is known already that agents come to rooms that ask for nobody.
    """
    now, serves = now_of(api), serves or serves_all(api)
    found = (stands(room, now, serves=serves) for room in api.rooms if room.participants is not None)
    return tuple(one for one in found if one.state == "lacks")


def finding(one: Waiting, says: str = "") -> Finding:
    """Such a room, as it is told."""
    place = one.room.place
    return Finding(
        room=redact(one.room.name), verdict="cause", agent=redact(one.agent), confidence=0.8,
        summary=redact(f"In room {quote(one.room.name)} {one.says}{f'; {says}' if says else ''}."),
        quotes=(Quote(redact(f"{place.source}:{place.line}"), redact(place.text), "who is in the room, by the API"),),
        missing=("server log: why it has no agent",),
        advice="`fletcher diagnose --room` says why; `fletcher run agent-watch --room` sends an agent once",
    )  # fmt: skip


def _remembered(text: str) -> Memory:
    try:
        return _MEMORY.decode(text) if text else Memory()
    except msgspec.DecodeError:  # of another version
        return Memory()


def _asked(rooms: Iterable[ApiRoom], memory: Memory, now: float) -> list[ApiRoom]:
    """The rooms that are looked into: those with a try at work, and of the others those whose turn it is.

    Half of the places at most are for rooms that are known to lack their agent, so that these hide no other.
    """
    there = [r for r in rooms if r.people != 0 and r.id and not r.name.startswith(CANARY)]
    lacks = [r for r in there if r.id in memory.lacks]
    others = [r for r in there if r.id not in memory.lacks]
    lacks.sort(key=lambda r: (not _busy(memory.lacks[r.id], now), r.id <= memory.turn, r.id))
    others.sort(key=lambda r: (r.id <= memory.after, r.id))
    first = lacks[: max(_AT_ONCE // 2, _AT_ONCE - len(others))]
    return [*first, *others[: _AT_ONCE - len(first)]]


def _busy(known: _Lacks, now: float) -> bool:
    """Whether a try of a room may be at work."""
    return known.tries > 0 and now - known.at < _BUSY


def _turned(asked: list[ApiRoom], memory: Memory, now: float) -> None:
    """Remember whose turn it was."""
    lacks = [room.id for room in asked if room.id in memory.lacks and not _busy(memory.lacks[room.id], now)]
    others = [room.id for room in asked if room.id not in memory.lacks]
    memory.turn, memory.after = (lacks or [memory.turn])[-1], (others or [memory.after])[-1]


class _Watch:
    """One look, once the rooms were told."""

    def __init__(self, inputs: dict[str, str], memory: Memory, ended: Callable[[str], bool] | None) -> None:
        starts = spans.duration(inputs.get("starts", ""))
        self._starts = starts if isinstance(starts, float) else STARTS
        self._most = int(inputs.get("tries") or 3)
        self._wanted = inputs.get("agent_name") or None
        self._inputs, self._memory, self._ended = inputs, memory, ended
        self._metadata = inputs.get("metadata", "")

    def told(self, api: ApiSeen, asked: set[str]) -> Result:
        """What it came to."""
        memory, now = self._memory, now_of(api)
        self._serve(api, now)
        found = [self._stands(room, now) for room in api.rooms if room.id in asked]
        lacks = {one.room.id: one for one in found if one.state == "lacks"}
        self._keep(found, {room.id for room in api.rooms}, now)
        sure = [one for key, one in lacks.items() if now - memory.lacks[key].since >= _SURE]
        sure.sort(key=lambda one: (memory.lacks[one.room.id].tries, memory.lacks[one.room.id].since, one.room.id))
        free = not any(self._holds(one, now) for one in found)
        wants: list[Want] = []
        findings = []
        for one in sure:
            then = self._next(one, now, free=free)
            free = free and not then.new
            wants += [then.want] if then.want is not None else []
            findings.append(finding(one, then.says))
        return Result(
            light="red" if sure else _light(found), says=redact(_says(found, sure, len(lacks))), findings=tuple(findings[:20]),
            wants=tuple(wants), lacking={CAUSE: len(sure)} if sure else {}, memory=msgspec.json.encode(memory).decode(),
        )  # fmt: skip

    def _serve(self, api: ApiSeen, now: float) -> None:
        """Whether automatic dispatch serves: also while its worker is gone, until for long only other agents come."""
        memory = self._memory
        if serves_all(api):
            memory.serves, memory.served = True, now
        elif now - memory.served > _GIVEN_UP and serves_some(api):
            memory.serves = False

    def _stands(self, room: ApiRoom, now: float) -> Waiting:
        wanted = self._wanted if self._wanted is not None else self._memory.had.get(room.id)
        return stands(room, now, wanted=wanted, serves=self._memory.serves, starts=self._starts)

    def _keep(self, found: list[Waiting], alive: set[str], now: float) -> None:
        """Remember since when rooms lack their agent and who was there; of rooms that are over nothing."""
        memory = self._memory
        for one in found:
            key = one.room.id
            agents = [p for p in one.room.participants or () if p.agent and p.state == "ACTIVE"]
            if agents:
                memory.had.pop(key, None)
                memory.had[key] = agents[0].agent_name
            if one.state == "lacks":
                known = memory.lacks.setdefault(key, _Lacks())
                known.since = known.since or now
            elif key in memory.lacks and one.state != "unknown":
                memory.lacks[key].since = 0.0  # should it lack one again, that is new; its tries are counted on
                if not memory.lacks[key].tries:
                    del memory.lacks[key]
        memory.lacks = {key: told for key, told in memory.lacks.items() if key in alive}
        kept = [(key, name) for key, name in memory.had.items() if key in alive]
        memory.had = dict(kept[-_KEPT:])

    def _holds(self, one: Waiting, now: float) -> bool:
        """Whether a try of this room may be at work."""
        known = self._memory.lacks.get(one.room.id)
        if known is None or one.state in {"served", "empty"} or not _busy(known, now):
            return False
        return self._ended is None or not self._ended(_id(one, known.tries))

    def _next(self, one: Waiting, now: float, *, free: bool) -> _Next:
        """The try that is due; one at a time, since a run keeps others from the deployment that it works on."""
        known = self._memory.lacks[one.room.id]
        done = {int(n): at for run, at in one.tries.items() if (n := _number(one, run))}
        known.tries = max(known.tries, *done, 0)
        if not known.tries:
            return self._try(one, 1, now) if free else _Next(None, "another room's try is at work")
        sent = self._sent(one, known, done)
        over = self._ended is not None and self._ended(_id(one, known.tries))
        if sent is None and not over and now - known.at < _OPEN:
            # The same again: whoever orders it knows that it was ordered.
            return _Next(self._want(one, known.tries), f"run {_id(one, known.tries)} is to send one")
        void = over and sent is None
        tried = known.tries - known.void - void
        if tried >= self._most:
            return _Next(None, f"{tried} tries brought none that stayed, and no more than {self._most} are made")
        if known.void + void > _VOID:
            return _Next(
                None,
                f"{known.void + void} runs ended and sent nobody; `fletcher runs` tells why, and no more is ordered",
            )
        due = known.at + _AGAIN if void else (sent if sent is not None else known.at) + _BACK_OFF * 2 ** (tried - 1)
        if now < due:
            came = f"run {_id(one, known.tries)} sent nobody" if void else f"try {tried} brought none that stayed"
            return _Next(None, f"{came}; the next is due in {ago(due - now)}")
        if not free:
            return _Next(None, "another room's try is at work")
        known.void += void
        return self._try(one, known.tries + 1, now)

    @staticmethod
    def _sent(one: Waiting, known: _Lacks, done: dict[int, float]) -> float | None:
        """When the agent was sent for by the last try, or by anybody since; None where nobody did."""
        if known.tries in done:
            return done[known.tries]
        since = [d.created for d in one.room.dispatches or () if d.agent_name == one.agent and d.created is not None]
        return max((at for at in since if known.at and at >= known.at), default=None)

    def _try(self, one: Waiting, number: int, now: float) -> _Next:
        known = self._memory.lacks[one.room.id]
        known.tries, known.at = number, now
        return _Next(
            self._want(one, number), f"try {number - known.void} of {self._most}: run {_id(one, number)}", new=True
        )

    def _want(self, one: Waiting, number: int) -> Want:
        known = any(d.agent_name == one.agent for d in one.room.dispatches or ())
        inputs = {
            "room": one.room.name, "agent_name": one.agent, "reason": f"try {number} of {self._most}",
            "metadata": self._metadata if known else "", "starts": self._inputs.get("starts", ""),
        }  # fmt: skip
        why = f"try {number} of {self._most} for room {quote(one.room.name)}: {one.says}"
        why += "" if known else "; with which metadata is not known, so with none"
        return Want(id=_id(one, number), runbook=RUNBOOK, why=redact(why), rooms=(one.room.name,), inputs=inputs)


def _id(one: Waiting, number: int) -> str:
    return f"watch-{one.room.id}-{number}"


def _number(one: Waiting, run: str) -> str:
    found = re.fullmatch(rf"watch-{re.escape(one.room.id)}-(\d{{1,6}})", run)
    return found[1] if found else ""


def _light(found: list[Waiting]) -> Light:
    return "unknown" if found and all(one.state == "unknown" for one in found) else "green"


def _says(found: list[Waiting], sure: list[Waiting], lacks: int) -> str:
    people = [one for one in found if one.state in {"served", "coming", "lacks"}]
    unread = sum(one.state == "unknown" for one in found)
    told = f"; of {unread} the API does not tell" if unread else ""
    of = f"of {len(people)} room{'s' if len(people) != 1 else ''} with people"
    if sure:
        names = ", ".join(quote(one.room.name) for one in sure[:5])
        verb = "have" if len(sure) != 1 else "has"
        return f"{len(sure)} {of} {verb} no agent, and none is on its way: {names}{' …' if len(sure) > 5 else ''}{told}"
    if lacks:
        return f"{lacks} {of} without an agent just now; the next look tells whether that lasts{told}"
    if not people:
        return f"nobody waits in a room that wants an agent{told}"
    coming = sum(one.state == "coming" for one in people)
    soon = f", {coming} may still get it" if coming else ""
    there = len(people) - coming
    return f"{there} {of} {'has its' if there == 1 else 'have their'} agent{soon}{told}"
