"""Runbook × look × verdicts × facts → the plan: everything that will happen, or why nothing can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot import policy, spans
from bot.livekit import counts
from bot.livekit.answer import runbook_for
from bot.livekit.rest import level_too_high
from bot.livekit.waiting import STARTS, now_of, serves_all, stands
from bot.livekit.words import listed, quote
from bot.plan import left, steps
from bot.plan.guards import job_type_guards, load_guards, name_guards
from bot.plan.subject import LOAD_REMEDIES
from bot.plan.values import Asked, Checked, Disrupts, Guard, Plan, sealed, shown
from bot.runbook import document as doc
from bot.runbook.weigh import weigh_causes, weigh_inputs
from bot.source.remedies import REMEDIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bot.evidence.look import Look
    from bot.plan.facts import Facts
    from bot.plan.subject import Subject
    from bot.runbook.document import Effect, Runbook

_WAY_BACK = ("real-load", "job-type-participant")  # asked for by a person, whatever the verdict is


def build(
    runbook: Runbook, given: Mapping[str, str], look: Look, subject: Subject, facts: Facts, *, anyway: bool = False
) -> Plan:
    """The plan for one room; pure. With `anyway` it is made whatever the diagnosis says."""
    return _Builder(runbook, given, look, subject, facts, anyway=anyway).plan()


class _Builder:
    """One plan while it is put together."""

    def __init__(
        self, runbook: Runbook, given: Mapping[str, str], look: Look, subject: Subject, facts: Facts, *, anyway: bool
    ) -> None:
        self.runbook, self.given, self.look, self.facts = runbook, given, look, facts
        self.anyway = anyway
        self.row, self.names = subject.row, subject.names
        self.proposal, self.inputs = subject.proposal, subject.inputs
        self.checks = {check.name: check for check in self._checks()}

    def plan(self) -> Plan:
        """All of it."""
        runbook, look, proposal = self.runbook, self.look, self.proposal
        agent = self._agent()
        maker = steps.Maker(runbook, self.inputs, look, self.facts, self.names, self.row, proposal)
        made = maker.make(self.checks)
        guards = (*self._guards(agent), *self._log_level(made))
        refused, instead = self._refused(made, guards)
        effect: Effect = max((s.effect for s in made.steps), key=doc.EFFECTS.index, default="read")
        need, why = policy.approval(effect, runbook.policy.approval, made.approvals)
        remedy = REMEDIES.get(proposal.remedy)
        plan = Plan(
            runbook=runbook.id, title=runbook.title, revision=runbook.sha256, target=self.facts.target,
            room=look.name(self.row.room or "") if self.row else "", cause=(self.row.cause or "") if self.row else "", agent=look.name(agent),
            remedy=proposal.remedy, anyway=self.anyway, why=proposal.why, refused=refused, inputs=self._shown_inputs(), checks=tuple(self.checks.values()),
            steps=() if refused else made.steps, skipped=made.skipped, verification=() if refused else made.verification,
            rollback=() if refused else made.rollback, undo=() if refused else made.undo, effect="read" if refused else effect,
            approval=Asked("none", "nothing will be done") if refused else Asked(need, why),
            disrupts=() if refused else self._disrupts(made), guards=guards, tools=() if refused else made.tools,
            side_effects=remedy.effects if remedy is not None and not refused else (),
            left_over=() if refused else tuple(left.over(look.seen, proposal, made, maker.near)), instead=instead,
        )  # fmt: skip
        secret = frozenset(self.inputs[one.name] for one in runbook.inputs if one.secret) - {""}
        return sealed(shown(plan, look.redactor.with_secrets(secret).text if secret else look.plain))

    # --- what it is about ----------------------------------------------------------------------

    def _agent(self) -> str:
        if self.proposal.agent:
            return self.proposal.agent
        if self.row is not None and self.row.agent is not None and self.row.cause != "worker-unnamed":
            return self.row.agent
        return next(iter(self.names.running), "")

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
            case doc.Causes() if self.anyway:
                return Checked(block.name, "matched", "it is to be done anyway, whatever the diagnosis says")
            case doc.Causes() as asked:
                weighed = weigh_causes(asked, (self.row,) if self.row is not None else ())
            case doc.Chosen() as asked:
                weighed = weigh_inputs(asked, self.inputs)
                if weighed.word == "matched":
                    said = ", ".join(f"{name} is {value}" for name, value in asked.values.items())
                    return Checked(block.name, weighed.word, said)
            case doc.Abandoned():
                return self._abandoned(block.name)
            case doc.Shell():
                return Checked(block.name, "waiting", "a script; it is run after the approval")
            case _:
                return self.facts.checks.get(
                    block.name, Checked(block.name, "inconclusive", "checks of this kind are not made for a plan")
                )
        return Checked(block.name, weighed.word, weighed.why)

    def _abandoned(self, name: str) -> Checked:
        """Whether people wait in the room for an agent that is not there and not on its way, by the API."""
        api, asked = self.look.seen.api, self.inputs.get("room", "")
        found = next((room for room in api.rooms if room.name == asked), None) if api is not None else None
        if api is None:
            return Checked(name, "inconclusive", "the LiveKit API was not asked")
        if found is None:
            return Checked(name, "not-matched", "the room is over" if asked else "no room was named")
        starts = spans.duration(self.inputs.get("starts", ""))
        told = stands(
            found, now_of(api), wanted=self.inputs.get("agent_name"), serves=serves_all(api),
            starts=starts if isinstance(starts, float) else STARTS,
        )  # fmt: skip
        words = {"lacks": "matched", "unknown": "inconclusive"}
        return Checked(name, words.get(told.state, "not-matched"), told.says)  # type: ignore[arg-type]  # one of three words

    # --- may it be done ------------------------------------------------------------------------

    def _guards(self, agent: str) -> tuple[Guard, ...]:
        if self.proposal.remedy in LOAD_REMEDIES:
            return load_guards(self.look.seen, agent, self.proposal.remedy)
        if self.proposal.remedy in {"auto-dispatch", "explicit-dispatch"}:
            return name_guards(self.names, self.proposal.agent)
        return job_type_guards(self.look.seen) if self.proposal.remedy == "job-type-participant" else ()

    def _log_level(self, made: steps.Made) -> Iterator[Guard]:
        """What to know beforehand of a server whose log does not tell what would prove it."""
        blocks = (self.runbook.block(step.name) for step in made.verification)
        reads = any(isinstance(b, doc.Verify) and isinstance(b.evidence, doc.Joined) and b.evidence.log for b in blocks)
        if reads and level_too_high(self.look.seen) is not None:
            yield Guard(
                "note",
                "the server's log has no line of level info, so that it will not show what proves it: the API alone decides then",
            )

    def _refused(self, made: steps.Made, guards: tuple[Guard, ...]) -> tuple[str, tuple[str, ...]]:
        """Why nothing will be done, "" when something will; and what can be done instead."""
        asked = self.given.get("remedy", "")
        if self.runbook.causes and asked not in _WAY_BACK and not self.anyway:
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
