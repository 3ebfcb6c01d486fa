"""What a sweep has told, as it is written down with each result: so that another replica, or a restart, tells nothing twice.

It is small: a room is remembered for two minutes after it was told, and of each agent its newest room.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.livekit.seen import Verdict

KEPT: Final = 120.0  # seconds that a told room is remembered; a verdict waits for the API for 30 at most
_MOST: Final = 2000  # rooms that are remembered
_AGENTS: Final = 50
_FORGOTTEN: Final = 3600.0  # seconds after which an agent that nobody asks for any more is no trouble
_GOOD: Final = 3  # rooms with their agents, one after the other, that end a trouble of names
#: What is wrong is whom a room asks for: the name that it asked for may be nobody's, and never be asked for again.
_NAMES: Final = frozenset({"dispatch-missing", "worker-unnamed", "name-mismatch", "deployment-mismatch"})


class Newest(Struct, frozen=True, array_like=True):
    """The newest room of an agent that could be judged; `cause` "" where it has its agent."""

    at: float
    key: str
    room: str
    cause: str = ""
    good: int = 0  # rooms with their agents that came after it, of whatever agent


class Memory(Struct, frozen=True):
    """`cursor` is up to when everything was read, by the clock that dates the logs; `told` has key → (state, when)."""

    cursor: float = 0.0
    told: dict[str, tuple[str, float]] = {}
    newest: dict[str, Newest] = {}

    @property
    def lacking(self) -> dict[str, Newest]:
        """By agent, the newest rooms that lack theirs, the newest first."""
        bad = ((agent, one) for agent, one in self.newest.items() if one.cause)
        return dict(sorted(bad, key=lambda item: -item[1].at))

    def knows(self, row: Verdict) -> bool:
        """Whether this was told of this room."""
        return self.told.get(key(row), ("",))[0] == state(row)

    def lacked(self, row: Verdict) -> bool:
        """Whether it was told already that this room lacks its agent, for whatever cause."""
        own = key(row)
        before = self.told.get(own, ("healthy",))[0]
        return before not in {"healthy", "inconclusive"} or any(one.key == own for one in self.lacking.values())

    def after(self, rows: Iterable[Verdict], cursor: float) -> Memory:
        """With these rows told."""
        cursor = max(cursor, self.cursor)
        told, newest = {k: v for k, v in self.told.items() if v[1] > cursor - KEPT}, dict(self.newest)
        for row in sorted(rows, key=lambda r: r.at or 0.0):
            told.pop(key(row), None)
            told[key(row)] = (state(row), cursor)
            if row.verdict != "inconclusive":
                _judged(newest, row)
        good = max((one.at for one in newest.values() if not one.cause), default=0.0)
        kept = {k: one for k, one in newest.items() if not _over(one, good)}
        latest = sorted(kept.items(), key=lambda item: item[1].at)[-_AGENTS:]
        return Memory(cursor, dict(list(told.items())[-_MOST:]), dict(latest))


def _judged(newest: dict[str, Newest], row: Verdict) -> None:
    own, at, agent = key(row), row.at or 0.0, row.agent or ""
    for other, one in list(newest.items()):
        if one.key == own and other != agent:  # what was told of this room before was about another agent
            del newest[other]
        elif row.verdict == "healthy" and one.cause in _NAMES and at > one.at:
            newest[other] = msgspec.structs.replace(one, good=one.good + 1)
    before = newest.get(agent)
    if before is None or before.key == own or before.at <= at:
        newest[agent] = Newest(at, own, row.room or row.room_id or "", row.cause or "")


def _over(one: Newest, good: float) -> bool:
    """Whether a room that lacked its agent says nothing of today any more."""
    return bool(one.cause) and (one.good >= _GOOD or good > one.at + _FORGOTTEN)


def key(row: Verdict) -> str:
    """A room, in few letters; its id where that is known, since a name may come again."""
    return hashlib.blake2s(
        (row.room_id or row.room or "").encode("utf-8", "surrogateescape"), digest_size=5
    ).hexdigest()


def state(row: Verdict) -> str:
    """What is told of a room, in a word."""
    return row.cause or row.verdict


def read(text: str) -> Memory:
    """What was written down; nothing where that cannot be read."""
    try:
        return msgspec.json.decode(text, type=Memory) if text else Memory()
    except msgspec.MsgspecError:
        return Memory()


def written(memory: Memory) -> str:
    """As it is written down."""
    return msgspec.json.encode(memory).decode()
