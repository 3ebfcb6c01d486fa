"""Does it hold? A new room, the dispatch that a new token would ask for, the server's word and the agent in the room.

The outcome is one of three: it holds, it is refuted, or it cannot be told. Only what is refuted is undone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bot.engine.since import Heard, Said, hear
from bot.engine.values import Point, Proof
from bot.errors import FletcherError
from bot.livekit.marks import CANARY
from bot.livekit.words import quote
from bot.runbook import document as doc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.engine.values import Run
    from bot.livekit.seen import ApiRoom
    from bot.steps.contract import Doing
    from bot.world.contract import World

SECOND: Final = 1_000_000_000  # nanoseconds
_POLL: Final = 0.5  # seconds between two looks; the API is asked gently
_LOADED: Final = 6.0  # seconds after its registration from which on a worker's reported load is its own
_JOINS: Final = 12.0  # seconds in which an agent that is assigned becomes ACTIVE; a cold name lookup alone takes 5
_EMPTY: Final = 30  # seconds after which the server ends the room by itself, should nobody do it
_DEAD: Final = frozenset({"exited", "dead", "removing"})


@dataclass(slots=True)
class _Case:
    """One proof while it is made."""

    run: Run
    doing: Doing
    block: doc.Verify
    what: doc.Joined
    since_ns: int
    deadline_ns: int
    agent: str
    rebuilt: bool
    asked: tuple[str, ...] | None
    deaf: bool = False  # the server's log does not tell what decides
    points: list[Point] = field(default_factory=list)

    @property
    def world(self) -> World:
        return self.doing.world

    def add(self, name: str, says: str, ok: bool | None) -> None:  # noqa: FBT001  # three-valued, and named wherever it is written out
        self.points.append(Point(name, ok, self.doing.redactor.text(says)))
        self.doing.tell(says)

    def left(self) -> bool:
        """Whether there is time left."""
        return self.world.now() < self.deadline_ns and not self.doing.stop.is_set()

    def proof(self, result: str, says: str) -> Proof:
        return Proof(result=result, points=tuple(self.points), says=self.doing.redactor.text(says))  # type: ignore[arg-type]  # one of three


class Prover:
    """Proves what a runbook's verify blocks ask for."""

    def prove(self, run: Run, doing: Doing) -> Proof:
        """Whether the steps that were done made a failing state a working one."""
        proofs = [self._block(run, block, doing) for block in _blocks(run)]
        if not proofs:
            return Proof(result="not-needed", says="the runbook asks for no proof of what was done")
        points = tuple(point for proof in proofs for point in proof.points)
        for result in ("refuted", "cannot-tell"):
            for proof in proofs:
                if proof.result == result:
                    return Proof(result=proof.result, points=points, says=proof.says)
        return Proof(result="holds", points=points, says=proofs[-1].says)

    def prove_undone(self, run: Run, doing: Doing) -> Proof:
        """Whether what ran before runs again: the worker that was rebuilt has registered under its old name."""
        undone = [row for row in run.steps if row.undo is not None]
        failed = next((row for row in undone if row.undo is not None and row.undo.state != "done"), None)
        if failed is not None and failed.undo is not None:
            return Proof(
                result="refuted",
                points=(Point(failed.name, False, failed.undo.says),),
                says=f"{failed.name} could not be undone",
            )
        built = [row for row in undone if _action(run, row.name) == "build" and row.undo is not None]
        if not built:
            return Proof(
                result="holds",
                points=tuple(Point(row.name, True, row.undo.says if row.undo else "") for row in undone),
                says="everything is as it was",
            )
        since = max(row.undo.began_ns for row in built if row.undo is not None)
        block = next(iter(_blocks(run)), None)
        seconds = block.timeout if block is not None else 60.0
        joined = doc.Joined()
        case = _Case(
            run,
            doing,
            block or doc.Verify(name="undone", line=0, evidence=joined),
            joined,
            since,
            doing.world.now() + int(seconds * SECOND),
            "",
            True,
            None,
        )
        found = _registered(case, any_name=True)
        if isinstance(found, Proof):
            return found
        return case.proof("holds", "the code that ran before runs again, and its worker has registered")

    def _block(self, run: Run, block: doc.Verify, doing: Doing) -> Proof:
        if not isinstance(block.evidence, doc.Joined):
            point = Point(block.name, None, "only proofs about LiveKit are made so far")
            return Proof(
                result="cannot-tell", points=(point,), says=f"{block.name} asks for a proof that is not made yet"
            )
        since = _since(run, block)
        agent = (
            ""
            if run.plan is not None and run.plan.remedy == "auto-dispatch"
            else (run.plan.agent if run.plan is not None else "")
        )
        case = _Case(
            run, doing, block, block.evidence, since, doing.world.now() + int(block.timeout * SECOND), agent,
            any(_action(run, row.name) == "build" and row.state == "done" for row in run.steps), _claimed(run),
        )  # fmt: skip
        proof = _joined(case)
        return proof if proof.result != "holds" else _besides(case, proof)


def _blocks(run: Run) -> Iterator[doc.Verify]:
    """The verify blocks that the plan names."""
    names = {step.name for step in run.plan.verification} if run.plan is not None else set()
    return (block for block in run.runbook.blocks if isinstance(block, doc.Verify) and block.name in names)


def _since(run: Run, block: doc.Verify) -> int:
    """When the step began after which lines count; without one of those that were done, the last that was."""
    began = {row.name: row.outcome.began_ns for row in run.steps if row.outcome is not None and row.state == "done"}
    own = [began[name] for name in block.after if name in began]
    return max(own or list(began.values()) or [0])


def _action(run: Run, name: str) -> str:
    block = run.runbook.block(name)
    return block.command.action if isinstance(block, doc.Compose) else ""


def _claimed(run: Run) -> tuple[str, ...] | None:
    """The agents that the new token asks for; None where no token was made."""
    for row in reversed(run.steps):
        told = row.outcome.facts.get("claims") if row.outcome is not None else None
        if told:
            claims = json.loads(told)
            config = claims.get("roomConfig") or {}
            return tuple(str(one.get("agentName", "")) for one in config.get("agents", []))
    return None


# --- the proof itself ----------------------------------------------------------------------------------------------------


def _joined(case: _Case) -> Proof:
    kind = "JT_ROOM"
    if case.rebuilt:
        found = _registered(case, any_name=False)
        if isinstance(found, Proof):
            return found
        kind = found.type or kind
        ready = found.at_ns + int(_LOADED * SECOND)
        while case.world.now() < ready and case.left():  # before its first report a bad worker looks idle
            case.world.wait(_POLL)
    if not case.what.canary:
        return _watched(case, case.run.plan.room if case.run.plan is not None else "", case.since_ns, kind)
    if kind != "JT_ROOM":
        case.add(
            "room",
            f"a {kind} worker starts only when somebody joins or publishes, so a room made for it proves nothing; a real join was waited for",
            ok=None,
        )
        return _watched(case, "", case.since_ns, kind)
    return _canary(case, kind)


def _besides(case: _Case, proof: Proof) -> Proof:
    """What stays as it was although the fix holds: tokens that were handed out, and the room of the complaint."""
    plan = case.run.plan
    if plan is not None and plan.remedy in {"auto-dispatch", "explicit-dispatch"}:
        case.add(
            "earlier tokens",
            "tokens that were issued before keep the dispatch that they were made with until they expire",
            ok=None,
        )
    room = plan.room if plan is not None else ""
    if room and case.what.canary:
        case.add("own room", *_own(case, room))
    return Proof(result=proof.result, points=tuple(case.points), says=proof.says)


def _own(case: _Case, room: str) -> tuple[str, bool | None]:
    """How it stands with the room of the complaint, in a sentence, and whether its agent is there."""
    try:
        found = next((one for one in case.world.api((room,)).rooms if one.name == room), None)
    except FletcherError as problem:
        return f"room {quote(room)} was not looked at again: {problem}", None
    people = sum(not p.agent for p in found.participants or ()) if found is not None else 0
    if found is None or not people:
        return f"room {quote(room)} is over; its next session is a new room", True
    if _active(found, case.agent):
        return f"room {quote(room)} has its agent now", True
    ways = f"let everybody leave and join again, or dispatch into it: `fletcher run agent-never-joins --room {room} --input remedy=create-dispatch`"
    return (
        f"room {quote(room)} is still open without an agent ({people} inside), since agents are asked for when a room is made: {ways}",
        None,
    )


def _registered(case: _Case, *, any_name: bool) -> Said | Proof:
    """The registration of the new worker, or why there is none."""
    wanted = quote(case.agent)
    dead = 0
    heard = Heard()
    while True:
        heard = hear(case.world, "livekit", case.since_ns)
        own = list(heard.of("worker-registered"))
        if not own:
            own = list(hear(case.world, "agent", case.since_ns).of("w-registered"))
            case.deaf = bool(own)  # the server wrote nothing of it: its level is too high, or its log cannot be read
        mine = [said for said in own if any_name or said.name in {case.agent, None}]
        if mine:
            last = mine[-1]
            case.add(
                "registration",
                f"the worker registered as {quote(last.name or '')}, {last.type or 'type not shown'}",
                ok=True,
            )
            return last
        machines = case.world.machines("agent")
        dead = (
            dead + 1 if machines and all(machine.state in _DEAD or machine.restarts > 1 for machine in machines) else 0
        )
        if dead > 3:
            state = ", ".join(f"{m.name} {m.state}, exit code {m.exit_code}, {m.restarts} restarts" for m in machines)
            case.add("registration", f"the worker ended before it registered: {state}", ok=False)
            return case.proof("refuted", "the new worker does not stay alive")
        if not case.left():
            break
        case.world.wait(_POLL)
    if own and not any_name:
        names = ", ".join(sorted({quote(said.name or "") for said in own}))
        case.add("registration", f"the worker registered as {names}, not as {wanted}", ok=False)
        return case.proof("refuted", "the new worker has another name than it should")
    if heard.why:
        case.add("registration", f"the server's log cannot be read: {heard.why}", ok=None)
        return case.proof("cannot-tell", "whether the new worker registered cannot be seen")
    if case.doing.stop.is_set():
        return case.proof("refuted", "it was cancelled while the new worker was waited for")
    case.add("registration", f"no worker registered as {wanted} within {case.block.timeout:g} s", ok=False)
    return case.proof("refuted", "the new worker never registered")


def _canary(case: _Case, kind: str) -> Proof:
    """A room of its own, made as a new token would make it; ended in any case."""
    room = f"{CANARY}{case.run.id[:8]}-{case.world.now() % 100_000:05d}"
    agent: str | None = case.agent
    if case.asked is None:
        case.add(
            "dispatch",
            f"no new token was made, so the room asks for {quote(case.agent)} by itself: only the worker is proven",
            ok=None,
        )
    elif set(case.asked) != ({case.agent} - {""}):
        told = ", ".join(map(quote, case.asked)) or "nobody"
        case.add("dispatch", f"the new token asks for {told}, the worker is {quote(case.agent)}", ok=False)
        agent = case.asked[0] if case.asked else None
    else:
        case.add(
            "dispatch",
            f"the room is made as the new token makes it: it asks for {quote(case.agent) if case.agent else 'nobody'}",
            ok=True,
        )
    agent = agent or None  # a worker without a name gets the rooms that ask for nobody
    marked = json.dumps({"fletcher": case.run.id, "canary": True})
    begun = case.world.now()
    try:
        case.world.create_room(room, agent=agent, metadata=marked, empty_timeout=_EMPTY)
        return _watched(case, room, begun, kind)
    except FletcherError as problem:
        case.add("room", f"no room could be made: {problem}", ok=None)
        return case.proof("cannot-tell", "the LiveKit API made no room to prove it in")
    finally:
        try:
            case.world.delete_room(room)
        except FletcherError as problem:
            case.doing.tell(f"the room {room} could not be ended ({problem}); it ends by itself after {_EMPTY} s")


def _watched(case: _Case, room: str, begun_ns: int, kind: str) -> Proof:
    """Watch a room ("" is any new one) until the agent is there and stays, or it is clear that it will not come."""
    limit = min(case.deadline_ns, begun_ns + int(_JOINS * SECOND)) if case.what.canary and room else case.deadline_ns
    active_at = 0
    assigned: Said | None = None
    api_why = ""
    while True:
        heard = hear(case.world, "livekit", begun_ns)
        assigned = assigned or next(
            (
                s
                for s in heard.of("assigned", begun_ns)
                if (not room or s.room == room) and (s.name or "") == case.agent
            ),
            None,
        )
        refused = _refusals(heard, case.agent, kind, room, begun_ns)
        where = room or (assigned.room if assigned is not None else "")
        there, api_why = _there(case, where) if where else (False, "")
        now = case.world.now()
        active_at = (active_at or now) if there else 0
        if refused and not there:
            case.add("assignment", refused[0].text, ok=False)
            return case.proof(
                "refuted", f"the server refuses {quote(case.agent)} still: {len(refused)} lines of its own type since"
            )
        if (
            there
            and now - active_at >= int(case.block.settle * SECOND)
            and (assigned or case.deaf or heard.why or heard.quiet or not case.what.log)
        ):
            break
        if (
            (not there and now >= limit)
            or now >= case.deadline_ns + int(case.block.settle * SECOND)
            or case.doing.stop.is_set()
        ):
            return _absent(case, heard, assigned, api_why, seconds=(now - begun_ns) / SECOND)
        case.world.wait(_POLL)
    _found(case, heard, assigned, (active_at - begun_ns) / SECOND, kind)
    return case.proof(
        "holds", f"the agent is ACTIVE in the room after {(active_at - begun_ns) / SECOND:.1f} s, and stayed"
    )


def _refusals(heard: Heard, agent: str, kind: str, room: str, begun_ns: int) -> list[Said]:
    """Lines that count against it: of this agent's name, of its own type, of this room where they name one."""
    lines = (*heard.of("request-failed", begun_ns), *heard.of("not-dispatching", begun_ns))
    return [
        s
        for s in lines
        if (s.name or "") == agent and s.type in {kind, ""} and (not s.room or not room or s.room == room)
    ]


def _there(case: _Case, room: str) -> tuple[bool, str]:
    """Whether the agent is ACTIVE in the room, and why that cannot be told."""
    try:
        api = case.world.api((room,))
    except FletcherError as problem:
        return False, str(problem)
    found = next((one for one in api.rooms if one.name == room), None)
    return found is not None and _active(found, case.agent), ""


def _active(room: ApiRoom, agent: str) -> bool:
    agents = [p for p in room.participants or () if p.agent and p.state == "ACTIVE"]
    named = [p for p in agents if p.agent_name]
    return any(p.agent_name == agent for p in named) if named and agent else bool(agents)


def _absent(case: _Case, heard: Heard, assigned: Said | None, api_why: str, *, seconds: float) -> Proof:
    """Nobody came in time: refuted where both log and API could have shown it, else it cannot be told."""
    if case.doing.stop.is_set():
        return case.proof("refuted", "it was cancelled while the agent was waited for")
    if assigned is not None:
        case.add("assignment", assigned.text, ok=True)
    if api_why:
        case.add("agent", f"the LiveKit API does not tell who is in the room: {api_why}", ok=None)
        return case.proof("cannot-tell", "whether the agent is in the room cannot be seen")
    if not case.what.canary or any(point.name == "room" and point.ok is None for point in case.points):
        case.add("agent", f"nobody's agent became ACTIVE within {seconds:.0f} s; nobody may have joined", ok=None)
        return case.proof("cannot-tell" if assigned is None else "refuted", "no agent came into the room in that time")
    if assigned is None and not (case.deaf or heard.why or heard.quiet):
        case.add("assignment", f"the server assigned no job to {quote(case.agent)} in {seconds:.0f} s", ok=False)
    case.add("agent", f"no agent became ACTIVE in the room within {seconds:.0f} s", ok=False)
    return case.proof("refuted", "the agent does not join a new room")


def _found(case: _Case, heard: Heard, assigned: Said | None, seconds: float, kind: str) -> None:
    if assigned is not None:
        case.add("assignment", assigned.text, ok=True)
    else:
        why = heard.why or ("its level is too high" if case.deaf or heard.quiet else "it did not show it")
        case.add("assignment", f"the server's log does not tell ({why}); the API does", ok=None)
    case.add("agent", f"the agent was ACTIVE after {seconds:.1f} s", ok=True)
    noise = sum(s.type not in {kind, ""} for s in heard.of("not-dispatching"))
    if noise:
        case.add(
            "harmless",
            f"{noise} lines `not dispatching …` of other job types will go on: the server tries all three types",
            ok=True,
        )


def sweep(world: World) -> tuple[str, ...]:
    """End the rooms that a proof left behind when it was killed; their names."""
    left = tuple(room.name for room in world.api(None).rooms if room.name.startswith(CANARY))
    for name in left:
        world.delete_room(name)
    return left
