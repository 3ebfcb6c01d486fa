"""What a plan is about: the room, the remedy that is proposed for it and why, and the value of every input. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bot.livekit.names import names
from bot.livekit.proposal import Proposal, dispatch_proposal
from bot.livekit.waiting import promised
from bot.livekit.words import quote
from bot.plan.sides import sources
from bot.runbook import document as doc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.evidence.look import Look
    from bot.livekit.names import Names
    from bot.livekit.seen import Verdict, Verdicts
    from bot.runbook.document import Runbook

LOAD_REMEDIES: Final = ("zero-load", "target-load", "real-load")
_DEFAULT_TARGET: Final = 0.7  # agents.target_load of livekit-server 1.11.0 and newer (pkg/agent/config.go)


@dataclass(frozen=True, slots=True)
class Subject:
    """`row` is the room's verdict, None where there is no room; `inputs` are what was given, found out or the default."""

    row: Verdict | None
    names: Names
    proposal: Proposal
    inputs: Mapping[str, str]


def subject(runbook: Runbook, given: Mapping[str, str], look: Look, verdicts: Verdicts) -> Subject:
    """What the runbook would treat, with these inputs given."""
    row = chosen(runbook, given, verdicts)
    thought = _Thought(runbook, given, look, row, names(look.seen))
    proposal = thought.proposal()
    found = {
        "room": (row.room if row is not None else None) or "", "remedy": proposal.remedy, "agent_name": proposal.agent or _waited_for(runbook, look, row),
    }  # fmt: skip
    inputs = {
        declared.name: given.get(declared.name) or found.get(declared.name) or declared.default or ""
        for declared in runbook.inputs
    }
    return Subject(row, thought.names, proposal, inputs)


def _waited_for(runbook: Runbook, look: Look, row: Verdict | None) -> str:
    """Whom an abandoned room was promised, by the API; "" where the runbook treats none, or nothing tells."""
    if row is None or not any(
        isinstance(b, doc.Check) and isinstance(b.evidence, doc.Abandoned) for b in runbook.blocks
    ):
        return ""
    rooms = look.seen.api.rooms if look.seen.api is not None else ()
    found = next((room for room in rooms if room.name == row.room), None)
    return promised(found) if found is not None else ""


@dataclass(frozen=True, slots=True)
class _Thought:
    """All that a proposal hangs on."""

    runbook: Runbook
    given: Mapping[str, str]
    look: Look
    row: Verdict | None
    names: Names

    def proposal(self) -> Proposal:
        """The remedy, as it was asked for or as the cause asks for it; "" where there is none."""
        asked, name = self.given.get("remedy", ""), self.given.get("agent_name", "")
        cause = (self.row.cause if self.row is not None else None) or ""
        if not asked and cause not in self.runbook.causes:
            return Proposal("", name, None, "")
        if cause == "load-refused" or asked in LOAD_REMEDIES:
            return self._load_proposal(asked, name)
        found = dispatch_proposal(cause, (self.row.agent if self.row else None) or "", self.names) if cause else None
        if not asked and not name and found is not None:
            return self._at_hand(found, cause)
        if not asked:
            return found if found is not None and name == found.agent else self._named(name)
        if found is not None and asked == found.remedy and not name:
            return found
        return self._asked_for(asked, name, found)

    def _at_hand(self, found: Proposal, cause: str) -> Proposal:
        """The proposal; where either side could be changed, the one whose source is at hand."""
        wanted = (self.row.agent if self.row is not None else None) or ""
        hands = [side for side in ("token", "worker") if any(sources(self.look.projects, side))]
        if cause != "name-mismatch" or found.odd is not None or found.refusal or hands != ["worker"]:
            return found
        why = f"{found.why}, and of the two the worker's source is at hand"
        return Proposal("explicit-dispatch", wanted, "worker", why)

    @staticmethod
    def _named(name: str) -> Proposal:
        """The name was given, and is another than the one that would be proposed."""
        return Proposal("explicit-dispatch", name, None, f"the name {quote(name)} was asked for")

    def _asked_for(self, asked: str, name: str, found: Proposal | None) -> Proposal:
        """What a person chose; the name is the one that stays, unless another was said."""
        why = f"{asked} was asked for"
        if asked == "auto-dispatch":
            return Proposal(asked, "", None, why)
        wanted = (self.row.agent if self.row is not None else None) or ""
        if asked == "explicit-dispatch":
            served = next((n for n in self.names.served if n), "")
            agent = name or (found.agent if found is not None else "") or served or wanted
        else:
            agent = name or self._stays(wanted, found)
        if not agent and (asked == "explicit-dispatch" or "" not in self.names.running):
            refusal = "which name worker and tokens shall have is not known; say it with --input agent_name=NAME"
            return Proposal(asked, "", None, why, (found.refusal if found is not None else "") or refusal)
        return Proposal(asked, agent, None, why)

    def _stays(self, wanted: str, found: Proposal | None) -> str:
        """The name that the worker of this room has, and keeps; "" when it has none, or when it is not known."""
        cause = (self.row.cause if self.row is not None else None) or ""
        if cause == "name-mismatch" and found is not None and found.agent in self.names.running:
            return found.agent
        if cause in {"worker-unnamed", "name-mismatch"} or not wanted:
            return self.names.running[0] if len(self.names.running) == 1 else ""
        return wanted

    def _load_proposal(self, asked: str, name: str) -> Proposal:
        agent = name or (self.row.agent if self.row is not None else None) or next(iter(self.names.running), "")
        if asked:
            return Proposal(asked, agent, "worker", f"{asked} was asked for")
        low = next(
            (s for s in self.look.seen.setup.server if s.target_load is not None and s.target_load < _DEFAULT_TARGET),
            None,
        )
        if low is not None:
            why = f"{low.place.source}:{low.place.line} sets agents.target_load to {low.target_load}, lower than the server's own {_DEFAULT_TARGET}"
            return Proposal("target-load", agent, None, why)
        return Proposal("zero-load", agent, "worker", "the server refuses the worker for the load that it reports")


def chosen(runbook: Runbook, given: Mapping[str, str], verdicts: Verdicts) -> Verdict | None:
    """The room that the plan is about: the one that was asked for, else the newest that the runbook treats."""
    rows = [row for row in verdicts.rows if row.room is not None]
    if given.get("room"):
        rows = [row for row in rows if given["room"] in {row.room, row.room_id}]
    treated = [row for row in rows if row.cause in runbook.causes]
    for several in (
        treated,
        [row for row in rows if row.verdict == "cause"],
        [row for row in rows if row.verdict == "inconclusive"],
        rows,
    ):
        if several:
            return max(several, key=lambda row: row.at if row.at is not None else float("-inf"))
    return None
