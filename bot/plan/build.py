"""Runbook × look × verdicts × facts → the plan: everything that will happen, or why nothing can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot import policy
from bot.livekit import counts
from bot.livekit.answer import runbook_for
from bot.livekit.names import names
from bot.livekit.proposal import Proposal, dispatch_proposal
from bot.livekit.words import listed, quote
from bot.plan import left, steps
from bot.plan.guards import job_type_guards, load_guards, name_guards
from bot.plan.sides import sources
from bot.plan.values import Asked, Checked, Disrupts, Guard, Plan, sealed, shown
from bot.runbook import document as doc
from bot.runbook.weigh import weigh_causes, weigh_inputs
from bot.source.remedies import REMEDIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bot.evidence.look import Look
    from bot.livekit.seen import Verdict, Verdicts
    from bot.plan.facts import Facts
    from bot.runbook.document import Effect, Runbook

LOAD_REMEDIES = ("zero-load", "target-load", "real-load")
_WAY_BACK = ("real-load", "job-type-participant")  # asked for by a person, whatever the verdict is


def build(runbook: Runbook, given: Mapping[str, str], look: Look, verdicts: Verdicts, facts: Facts) -> Plan:
    """The plan for one room; pure."""
    return _Builder(runbook, given, look, verdicts, facts).plan()


class _Builder:
    """One plan while it is put together."""

    def __init__(
        self, runbook: Runbook, given: Mapping[str, str], look: Look, verdicts: Verdicts, facts: Facts
    ) -> None:
        self.runbook, self.given, self.look, self.facts = runbook, given, look, facts
        self.row = chosen(runbook, given, verdicts)
        self.names = names(look.seen)
        self.proposal = self._proposal()
        self.inputs = self._inputs()
        self.checks = {check.name: check for check in self._checks()}

    def plan(self) -> Plan:
        """All of it."""
        runbook, look, proposal = self.runbook, self.look, self.proposal
        agent = self._agent()
        made = steps.Maker(runbook, self.inputs, look, self.facts, self.names, self.row, proposal).make(self.checks)
        guards = self._guards(agent)
        refused, instead = self._refused(made, guards)
        effect: Effect = max((s.effect for s in made.steps), key=doc.EFFECTS.index, default="read")
        need, why = policy.approval(effect, runbook.policy.approval, made.approvals)
        remedy = REMEDIES.get(proposal.remedy)
        plan = Plan(
            runbook=runbook.id, title=runbook.title, revision=runbook.sha256, target=self.facts.target,
            room=look.name(self.row.room or "") if self.row else "", cause=(self.row.cause or "") if self.row else "", agent=look.name(agent),
            remedy=proposal.remedy, why=proposal.why, refused=refused, inputs=self._shown_inputs(), checks=tuple(self.checks.values()),
            steps=() if refused else made.steps, skipped=made.skipped, verification=() if refused else made.verification,
            rollback=() if refused else made.rollback, effect="read" if refused else effect,
            approval=Asked("none", "nothing will be done") if refused else Asked(need, why),
            disrupts=() if refused else self._disrupts(made), guards=guards, tools=() if refused else made.tools,
            side_effects=remedy.effects if remedy is not None and not refused else (),
            left_over=() if refused else tuple(left.over(look.seen, proposal, made)), instead=instead,
        )  # fmt: skip
        return sealed(shown(plan, look.plain))

    # --- what it is about ----------------------------------------------------------------------

    def _agent(self) -> str:
        if self.proposal.agent:
            return self.proposal.agent
        if self.row is not None and self.row.agent is not None and self.row.cause != "worker-unnamed":
            return self.row.agent
        return next(iter(self.names.running), "")

    def _proposal(self) -> Proposal:
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
            (s for s in self.look.seen.setup.server if s.target_load is not None and s.target_load < DEFAULT_TARGET),
            None,
        )
        if low is not None:
            why = f"{low.place.source}:{low.place.line} sets agents.target_load to {low.target_load}, lower than the server's own {DEFAULT_TARGET}"
            return Proposal("target-load", agent, None, why)
        return Proposal("zero-load", agent, "worker", "the server refuses the worker for the load that it reports")

    def _inputs(self) -> dict[str, str]:
        """Every input's value: what was given, else what was found out, else its default."""
        found = {
            "room": (self.row.room if self.row is not None else None) or "", "remedy": self.proposal.remedy, "agent_name": self.proposal.agent,
        }  # fmt: skip
        return {
            declared.name: self.given.get(declared.name) or found.get(declared.name) or declared.default or ""
            for declared in self.runbook.inputs
        }

    def _shown_inputs(self) -> dict[str, str]:
        secret = {declared.name for declared in self.runbook.inputs if declared.secret}
        return {name: "[redacted]" if name in secret and value else value for name, value in self.inputs.items()}

    # --- checks --------------------------------------------------------------------------------

    def _checks(self) -> Iterator[Checked]:
        for block in self.runbook.blocks:
            if isinstance(block, doc.Check):
                yield self._check(block)

    def _check(self, block: doc.Check) -> Checked:
        match block.evidence:
            case doc.Causes() as asked:
                weighed = weigh_causes(asked, (self.row,) if self.row is not None else ())
            case doc.Chosen() as asked:
                weighed = weigh_inputs(asked, self.inputs)
                if weighed.word == "matched":
                    said = ", ".join(f"{name} is {value}" for name, value in asked.values.items())
                    return Checked(block.name, weighed.word, said)
            case doc.Shell():
                return Checked(block.name, "waiting", "a script; it is run after the approval")
            case _:
                return self.facts.checks.get(
                    block.name, Checked(block.name, "inconclusive", "checks of this kind are not made for a plan")
                )
        return Checked(block.name, weighed.word, weighed.why)

    # --- may it be done ------------------------------------------------------------------------

    def _guards(self, agent: str) -> tuple[Guard, ...]:
        if self.proposal.remedy in LOAD_REMEDIES:
            return load_guards(self.look.seen, agent, self.proposal.remedy)
        if self.proposal.remedy in {"auto-dispatch", "explicit-dispatch"}:
            return name_guards(self.names, self.proposal.agent)
        return job_type_guards(self.look.seen) if self.proposal.remedy == "job-type-participant" else ()

    def _refused(self, made: steps.Made, guards: tuple[Guard, ...]) -> tuple[str, tuple[str, ...]]:
        """Why nothing will be done, "" when something will; and what can be done instead."""
        asked = self.given.get("remedy", "")
        if self.runbook.causes and asked not in _WAY_BACK:
            if self.row is None:
                return "no room was seen that could be treated", (
                    "say which with --room NAME",
                    "give its logs, or run it where it runs",
                )
            if self.row.verdict == "inconclusive":
                return f"what is wrong with the room is not known: {self.row.summary}", tuple(
                    f"{m.source}: {m.would_settle}" for m in self.row.missing
                )
            if self.row.cause not in self.runbook.causes:
                what = f"its cause is {self.row.cause}" if self.row.cause else "it is healthy"
                other = runbook_for(self.row.cause)
                room = quote(self.row.room or "")
                return (
                    f"this runbook treats {', '.join(self.runbook.causes)}; of the room {room} {what}",
                    (f"the runbook that treats it: fletcher plan {other}",) if other else (),
                )
        guard = next((guard for guard in guards if guard.level == "refusal"), None)
        if self.proposal.refusal or guard is not None or made.refused:
            refusal = self.proposal.refusal or (guard.says if guard is not None else made.refused)
            return refusal, tuple(left.instead(self.proposal, made, self.row, self.look.seen))
        if not made.steps:
            return "nothing is left to do: no step of the runbook applies", tuple(
                dict.fromkeys(f"{s.name} is not done: {s.why}" for s in made.skipped)
            )
        return "", ()

    def _disrupts(self, made: steps.Made) -> tuple[Disrupts, ...]:
        found = []
        for step in made.steps:
            if step.effect != "disrupt":
                continue
            services = step.command.argv if step.kind == "compose" and step.command is not None else ()
            agents = steps.cut_off(services, made.server, self.names, self.proposal)
            who = (
                f"the sessions of {listed(agents)}"
                if agents is not None
                else "every session on this server"
                if made.server in services
                else "the sessions of the worker without a name, which are counted with all others"
            )
            told = counts.sessions(self.look.seen, agents)
            found.append(Disrupts(who=who, rooms=told.rooms, people=told.people, by=told.by))
        return tuple(dict.fromkeys(found))


DEFAULT_TARGET = 0.7  # agents.target_load of livekit-server 1.11.0 and newer (pkg/agent/config.go)


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
