"""`dispatch` blocks: an agent is asked for in a room that is alive; the dispatch carries our mark, where it can."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from bot.errors import FletcherError, Unreachable
from bot.livekit.marks import MARK
from bot.livekit.words import quote
from bot.runbook import document as doc
from bot.runbook.inputs import fill
from bot.steps.contract import Memory, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.livekit.seen import ApiDispatch, ApiRoom
    from bot.steps.contract import Doing, Task

#: As `metadata`: what the room's first dispatch for this agent was made with, which is read there and written down nowhere.
AS_BEFORE: Final = "as-before"


class Dispatch:
    """CreateDispatch. The server answers 200 whether or not there is such a worker, so that an agent comes is proven later."""

    def remember(self, task: Task, doing: Doing) -> Memory:
        """The dispatches that the room has. Raises FletcherError when the room is not alive."""
        room, agent = _asked(task)
        began = doing.world.now()
        found = _room(room, doing)
        ids = [d.id for d in found.dispatches or () if d.agent_name == agent]
        return Memory(began_ns=began, facts={"room_id": found.id, "before": json.dumps(ids)})

    def perform(self, task: Task, memory: Memory, doing: Doing) -> Outcome:
        """Ask for the agent, unless it has been asked for already; only in the very room that was there before."""
        room, agent = _asked(task)
        began = doing.world.now()

        def outcome(state: str, says: str, ident: str = "") -> Outcome:
            facts = {"room": room, "room_id": memory.facts["room_id"], "agent": agent, "dispatch": ident}
            return Outcome(state=state, says=says, began_ns=began, ended_ns=doing.world.now(), facts=facts)  # type: ignore[arg-type]  # one of its words

        found = _room(room, doing)
        if found.id != memory.facts["room_id"]:
            return outcome("failed", f"the room {quote(room)} is another one than was looked at; plan again")
        if ours := _ours(task, memory, found):
            return outcome("done", f"{quote(agent)} had been asked for in {quote(room)} already", ours.id)
        if _new(agent, memory, found):
            return outcome(
                "failed",
                f"somebody else asked for {quote(agent)} in {quote(room)} meanwhile, so nobody was sent after it; plan again",
            )
        try:
            ident = doing.world.create_dispatch(room, agent, _metadata(task, memory, found))
        except FletcherError as problem:
            return self._lost(task, memory, doing, str(problem), outcome)
        return outcome("done", f"{quote(agent)} was asked for in {quote(room)}", ident)

    @staticmethod
    def _lost(task: Task, memory: Memory, doing: Doing, why: str, outcome: Callable[..., Outcome]) -> Outcome:
        """What came of a call without an answer: the server may have done it all the same."""
        room, agent = _asked(task)
        try:
            ours = _ours(task, memory, _room(room, doing))
        except FletcherError as problem:
            return outcome(
                "unknown", f"whether {quote(agent)} was asked for in {quote(room)} is not known: {why}; then {problem}"
            )
        if ours is None:
            return outcome("failed", f"{quote(agent)} was not asked for in {quote(room)}: {why}")
        return outcome(
            "done", f"{quote(agent)} was asked for in {quote(room)}, though the answer was lost ({why})", ours.id
        )

    def settled(self, task: Task, memory: Memory, doing: Doing) -> bool | None:
        """By the room's dispatches; a room that has ended needs none any more, and a new attempt says so."""
        try:
            found = doing.world.api((_asked(task)[0],))
        except FletcherError:
            return None
        room = next((r for r in found.rooms if r.name == _asked(task)[0]), None)
        if room is None:
            return False
        return None if room.dispatches is None else _ours(task, memory, room) is not None

    def undo(self, task: Task, memory: Memory, doing: Doing) -> Outcome | None:  # noqa: ARG002  # every kind's form
        """Nothing: an agent that was sent for is not sent away, and a dispatch that found none is harmless."""
        return None


def _asked(task: Task) -> tuple[str, str]:
    """Room and agent."""
    block = _block(task)
    return fill(block.room, task.inputs), fill(block.agent, task.inputs)


def _block(task: Task) -> doc.Dispatch:
    if not isinstance(task.block, doc.Dispatch):
        raise Unreachable(f"{task.step.name} is no dispatch; plan again")
    return task.block


def _metadata(task: Task, memory: Memory, room: ApiRoom) -> str:
    """What the agent is handed, with our mark in it where it is a JSON object, or nothing."""
    metadata = fill(_block(task).metadata, task.inputs)
    if metadata == AS_BEFORE:
        _, agent = _asked(task)
        before = set(json.loads(memory.facts["before"]))
        own = [d for d in room.dispatches or () if d.agent_name == agent and d.id in before]
        first = min(own, key=lambda d: d.created or 0.0, default=None)
        metadata = first.metadata if first is not None else ""
    return _marked(metadata, _mark(task))


def _mark(task: Task) -> str:
    return f"{task.run}/{task.step.name}"


def _marked(metadata: str, mark: str) -> str:
    """Metadata is the agent's to read: what is no JSON object stays as it is."""
    try:
        told = json.loads(metadata) if metadata else {}
    except (ValueError, RecursionError):
        return metadata
    return json.dumps({**told, MARK: mark}, separators=(",", ":")) if isinstance(told, dict) else metadata


def _room(name: str, doing: Doing) -> ApiRoom:
    """The room, alive and with its dispatches; anything else is an error."""
    seen = doing.world.api((name,))
    room = next((room for room in seen.rooms if room.name == name), None)
    if room is None:
        raise Unreachable(
            f"the room {quote(name)} is not there any more, so nobody was asked for: a new room asks by its token, or by CreateRoom"
        )
    if room.dispatches is None:
        why = "; ".join(seen.unread) or "it does not say why"
        raise Unreachable(f"the server does not tell the dispatches of {quote(name)}: {why}")
    return room


def _ours(task: Task, memory: Memory, room: ApiRoom) -> ApiDispatch | None:
    """The dispatch that this step made: by its mark, or, where none could be set, one for the agent that was not there before."""
    if room.id != memory.facts["room_id"]:
        return None
    agent, metadata = _asked(task)[1], _metadata(task, memory, room)
    return next((d for d in _new(agent, memory, room) if d.metadata == metadata), None)


def _new(agent: str, memory: Memory, room: ApiRoom) -> list[ApiDispatch]:
    """The dispatches for the agent that were not there before."""
    before = set(json.loads(memory.facts["before"]))
    return [d for d in room.dispatches or () if d.agent_name == agent and d.id not in before]
