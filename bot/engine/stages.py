"""What a run does at each recorded point before it acts: look and plan, be decided about, enter. Each may be done anew."""

from __future__ import annotations

import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from bot import spans
from bot.engine import breaker, private, rows
from bot.engine.changed import changes
from bot.engine.values import DIAGNOSE, Asked, Decision, Event
from bot.errors import FletcherError, UsageError
from bot.policy import CLOCK, EXPIRES, needed, why_not_look, why_not_run
from bot.runbook import shelf

if TYPE_CHECKING:
    from bot.engine.contract import Parts
    from bot.engine.store import Change, Store
    from bot.engine.values import Looked, Run, RunState
    from bot.plan.values import Plan
    from bot.policy import Needed, Policy

_LATER: Final = 0.01  # seconds after which a question that expires has expired
WORD: Final = "understood"  # what is typed where a guard warns


class Ahead(Struct, frozen=True):
    """Where a run goes on: it has ended ("out"), asks and waits ("ask"), or acts ("act") in these steps."""

    way: str
    steps: tuple[str, ...] = ()


class Stages:
    """The stages of one store's runs."""

    def __init__(self, store: Store, parts: Parts) -> None:
        self.store, self.parts = store, parts

    # --- look and plan ---------------------------------------------------------------------------

    def look(self, run_id: str) -> Ahead:
        """Look, judge and plan with the runbook as it was pinned; then whether anything is to be done, and who is asked."""
        run = self.store.run(run_id)
        if run.state not in {"queued", "looking"} or run.asked is not None:
            return self._ahead(run)
        if run.cancelled_by is not None:
            return self._out(run, "cancelled", f"{run.cancelled_by.name} cancelled it before anything was done.")
        order = run.order
        if trouble := _why_not_look(self.parts.policy, run):
            return self._out(run, "refused", f"{trouble}.")
        with self.store.change() as change:
            change.go(run_id, "looking")
        try:
            sight = self.parts.eyes.look(order, run.runbook, self._given(run))
        except UsageError as problem:
            return self._out(run, "refused", str(problem))
        except FletcherError as problem:
            return self._out(run, "inconclusive", *problem.lines)
        # Before the plan is written down: a crash in between leaves a value that nobody asks for, and no plan without it.
        private.keep(self.store.home.folder(run_id), sight.masked)
        kept = msgspec.structs.replace(order, inputs=private.hidden(order.inputs, sight.masked))
        return self._planned(msgspec.structs.replace(run, order=kept), sight.looked)

    def _planned(self, run: Run, looked: Looked) -> Ahead:
        plan = looked.plan
        if looked.runbook is not None:
            run = msgspec.structs.replace(run, runbook=looked.runbook)
        skipped = tuple((one.name, "skipped", one.why) for one in plan.skipped)
        with self.store.change() as change:
            rows.put(
                change.c, run.id, looked=rows.text(looked), target=plan.target, room=plan.room or next(iter(run.order.rooms), ""),
                fix=breaker.fix_of(plan), pinned=rows.text(run.runbook), runbook=run.runbook.id, order=rows.text(run.order),
            )  # fmt: skip
            rows.plan_steps(change.c, run.id, (*((step.name, "planned", "") for step in plan.steps), *skipped))  # type: ignore[arg-type]  # states by their names
            change.audit(run.id, run.order.person, f"planned {plan.title}: {_told(plan)}", digest=plan.digest)
            if (by := rows.run(change.c, run.id).cancelled_by) is not None:  # while it was looked at
                return _leave(change, run, "cancelled", f"{by.name} cancelled it before anything was done.")
            if run.order.dry_run and plan.steps:
                return self._tried(change, run, plan)
            if stop := self._stop(change, run, looked):
                return _leave(change, run, *stop)
            if trouble := why_not_run(self.parts.policy, run.order.person, run.runbook.id, plan.effect):
                return _leave(change, run, "refused", f"{trouble}.")
            need = self._needed(change, run, plan)
            if need.refused:
                return _leave(change, run, "refused", f"{need.refused}.")
            return self._ask(change, run, plan, need)

    def _stop(self, change: Change, run: Run, looked: Looked) -> tuple[RunState, str] | None:
        """Why nothing is to be done, and as what the run ends then."""
        plan = looked.plan
        if run.runbook == DIAGNOSE:
            return ("done" if looked.verdict == "cause" else looked.verdict), _diagnosed(looked)
        if not plan.steps:
            state: RunState = "refused"
            if looked.verdict != "cause":
                state = looked.verdict
            return state, "; ".join([plan.refused or "nothing is to be done", *plan.instead])
        before = self._acted(change, run, plan)
        stop = breaker.stops(run.runbook.policy, run.runbook.id, breaker.fix_of(plan), before, change.now)
        return ("refused", f"{stop}.") if stop else None

    def _tried(self, change: Change, run: Run, plan: Plan) -> Ahead:
        """End a dry run, with what would be asked of whom."""
        need = self._needed(change, run, plan)
        asked = Asked(need=need.need, why=need.why, until=change.now, switches=need.switches)
        rows.put(change.c, run.id, asked=rows.text(asked))
        why = why_not_run(self.parts.policy, run.order.person, run.runbook.id, plan.effect) or need.refused
        refused = (f"For real it would be refused: {why}.",) if why else ()
        return _leave(change, run, "done", "This was a dry run: the plan is made, nothing of it was done.", *refused)

    def _needed(self, change: Change, run: Run, plan: Plan) -> Needed:
        before = self._acted(change, run, plan)
        acted = [change.now - one.acted_at for one in before if one.runbook == run.runbook.id]
        asked = (plan.approval.need, plan.approval.why)
        return needed(self.parts.policy, asked, plan.effect, run.order.person, run.runbook.id, acted)

    def _acted(self, change: Change, run: Run, plan: Plan) -> tuple[rows.Before, ...]:
        """What acted on the target before, as far back as anything counts it."""
        auto = self.parts.policy.auto if self.parts.policy is not None else ()
        return rows.acted(change.c, plan.target, change.now - breaker.back(run.runbook.policy, auto), run.id)

    def _ask(self, change: Change, run: Run, plan: Plan, need: Needed) -> Ahead:
        """Ask whoever has to be asked; what the order itself answers is decided at once."""
        seconds = self.parts.policy.expires if self.parts.policy else EXPIRES
        warned = any(guard.level == "warning" for guard in plan.guards)
        asked = Asked(
            need=need.need if not warned or need.need == "peer" else "confirm", why=need.why, until=change.now + seconds,
            word=WORD if warned else "", switches=need.switches,
        )  # fmt: skip
        rows.put(change.c, run.id, asked=rows.text(asked))
        if need.switches:
            change.audit(
                run.id, run.order.person, f"asks for less than usual: {'; '.join(need.switches)}", digest=plan.digest
            )
            for switch in need.switches:
                change.tell(run.id, Event(kind="says", at=change.now, text=f"LOWERED by {switch}"))
        if asked.need == "none":
            return Ahead("act", _names(plan))
        if run.order.yes and asked.need == "confirm":
            if trouble := _not_covered(run, plan, warned=warned):
                return _leave(change, run, "refused", trouble)
            given = Decision(kind="yes", person=run.order.person, digest=plan.digest, at=change.now, reason="--yes")
            rows.ask(change.c, run.id, plan.digest, asked.until)
            rows.answer(change.c, run.id, given)
            change.audit(run.id, given.person, "approved by --yes", digest=plan.digest, decision="yes")
            return Ahead("act", _names(plan))
        if rows.ask(change.c, run.id, plan.digest, asked.until):
            whom = "somebody who may approve it" if run.order.person.door == CLOCK else run.order.person.name
            change.go(
                run.id, "waiting", f"Waits for {'another person' if asked.need == 'peer' else whom}: {asked.why}."
            )
        return Ahead("ask", _names(plan))

    @staticmethod
    def _ahead(run: Run) -> Ahead:
        """Where a run goes on of which the look was written down, but not recorded."""
        if run.state == "waiting":
            return Ahead("ask", _names(run.plan))
        return Ahead("out") if run.ended else Ahead("act", _names(run.plan))

    # --- the decision ----------------------------------------------------------------------------

    def decided(self, run_id: str) -> str | float:
        """What became of the question: "yes", "out" when the run has ended, seconds until it expires while it is open."""
        run = self.store.run(run_id)
        if run.state != "waiting" or run.asked is None:
            return "out" if run.ended else "yes"
        if run.cancelled_by is not None:
            self._out(run, "cancelled", f"{run.cancelled_by.name} cancelled it before anything was done.")
            return "out"
        left = run.asked.until - time.time()
        if run.decision is None and left >= 0:
            return left + _LATER
        with self.store.change() as change:
            given = rows.decision(change.c, run_id)
            if given is None:
                given = Decision(kind="expired", person=run.order.person, digest=run.digest, at=change.now)
                rows.answer(change.c, run_id, given)
                change.audit(run_id, given.person, "nobody answered in time", digest=run.digest, decision="expired")
            if given.kind == "yes":
                return "yes"
            if given.kind == "expired":
                _leave(change, run, "expired", "Nobody answered in time, so nothing was done.")
            else:
                why = f": {given.reason}" if given.reason else ""
                _leave(change, run, "declined", f"Declined by {given.person.name}{why}. Nothing was done.")
        return "out"

    # --- entering --------------------------------------------------------------------------------

    def enter(self, run_id: str) -> str:
        """Take the target's lock, look again and compare; "in", or "out" when the run has ended."""
        run = self.store.run(run_id)
        if run.state not in {"waiting", "looking"} or run.looked is None:
            return "out" if run.ended else "in"
        if run.cancelled_by is not None:
            self._out(run, "cancelled", f"{run.cancelled_by.name} cancelled it before anything was done.")
            return "out"
        if late := self._late(run):
            self._out(run, "expired", late)
            return "out"
        plan = run.looked.plan
        with self.store.change() as change:
            holder = rows.lock(change.c, plan.target, run_id, run.order.person.name, change.now)
            before = self._acted(change, run, plan)
            if holder is not None:
                _leave(
                    change,
                    run,
                    "refused",
                    f"Run {holder[0]} of {holder[1]} is acting on {plan.target}; order it again when that has ended.",
                )
                return "out"
            if stop := breaker.stops(run.runbook.policy, run.runbook.id, breaker.fix_of(plan), before, change.now):
                _leave(change, run, "refused", f"{stop}.")
                return "out"
            if unasked := self._asks_by_now(change, run, plan):
                _leave(change, run, "refused", unasked)
                return "out"
        counted = self._unchanged(run, plan)
        if counted is None:
            return "out"
        with self.store.change() as change:
            rows.put(change.c, run_id, acted_at=change.now)
            change.go(run_id, "running", *counted)
            change.audit(run_id, run.order.person, f"began to act on {plan.target}", digest=plan.digest)
        return "in"

    def _asks_by_now(self, change: Change, run: Run, plan: Plan) -> str:
        """Why a run that was planned to go unasked has to ask by now, "" when it has not: others were quicker since."""
        if run.asked is None or run.asked.need != "none":
            return ""
        need = self._needed(change, run, plan)
        return (
            f"It was planned to go unasked, and {run.runbook.id} goes unasked no more: {need.why}. Nothing was done; order it "
            "again, and somebody is asked."
            if need.need != "none"
            else ""
        )

    def _late(self, run: Run) -> str:
        """Why an approval counts no more, "" when it does: nobody expects what was approved long ago to begin now."""
        seconds = self.parts.policy.expires if self.parts.policy else EXPIRES
        given = run.decision
        if given is None or given.kind != "yes" or time.time() <= given.at + seconds:
            return ""
        return (
            f"It was approved, and nothing carried it out within {spans.spoken(seconds)}, so the approval has expired and "
            "nothing was done. Order it again."
        )

    def _unchanged(self, run: Run, plan: Plan) -> tuple[str, ...] | None:
        """What is counted now, a sentence each; None when what was approved is not what would be done, and the run ended."""
        try:
            text = self._runbook_now(run)
            looked, masked = self.parts.eyes.look(run.order, run.runbook, self._given(run))
        except FletcherError as problem:
            self._out(
                run, "refused", f"Before acting it was looked at again, which failed, so nothing was done. {problem}"
            )
            return None
        now, known = looked.plan, private.secret_inputs(self.store.home.folder(run.id))
        others = (f"the input {name}" for name, value in masked.items() if known.get(name) != value)
        places = run.looked.places if run.looked is not None else {}
        led = (f"the file {f}, which leads to {to} now" for f, to in looked.places.items() if places.get(f, to) != to)
        changed = tuple(dict.fromkeys((*text, *changes(plan, now), *others, *led)))
        if changed:
            approved = (
                "What was approved is no longer so" if run.decision is not None else "What was planned is no longer so"
            )
            self._out(
                run,
                "refused",
                f"{approved}, so nothing was done. Changed: {', '.join(changed)}. Order it again to see the new plan.",
            )
            return None
        return tuple(
            f"Counted again: {one.who}, {one.rooms if one.rooms is not None else 'an unknown number of'} room(s), "
            f"{one.people if one.people is not None else 'an unknown number of'} people ({one.by})."
            for one in now.disrupts
        )

    def _given(self, run: Run) -> dict[str, str]:
        known = private.secret_inputs(self.store.home.folder(run.id))
        if gone := private.lost(run.order.inputs, known):
            raise private.not_kept(gone)
        return {**run.order.inputs, **{name: known[name] for name in run.order.inputs if name in known}}

    @staticmethod
    def _runbook_now(run: Run) -> tuple[str, ...]:
        raw = shelf.raw_of(Path(run.order.here, run.runbook.path))
        return () if sha256(raw).hexdigest() == run.runbook.sha256 else ("the runbook's text",)

    def _out(self, run: Run, state: RunState, *says: str) -> Ahead:
        with self.store.change() as change:
            return _leave(change, run, state, *says)


def leave(change: Change, run: Run, state: RunState, *says: str) -> None:
    """End a run: its state and its row in the audit."""
    if change.go(run.id, state, *says):
        change.audit(
            run.id,
            run.order.person,
            f"ended {run.runbook.title}",
            digest=run.digest,
            outcome=f"{state}: {' '.join(says)}",
        )


def _leave(change: Change, run: Run, state: RunState, *says: str) -> Ahead:
    leave(change, run, state, *says)
    return Ahead("out")


def _why_not_look(policy: Policy | None, run: Run) -> str:
    """Why this order is not even looked into: a diagnosis changes nothing, and what a runbook would change shows its plan."""
    if run.runbook == DIAGNOSE or policy is None:
        return why_not_look(policy, run.order.person)
    return why_not_run(policy, run.order.person, run.runbook.id)


def _diagnosed(looked: Looked) -> str:
    """What a diagnosis came to, of which no runbook treats anything."""
    first = next(iter(looked.findings), None)
    if first is None:
        return "Nothing was seen that could be judged."
    return f"{first.summary} {first.advice}".strip()


def _not_covered(run: Run, plan: Plan, *, warned: bool) -> str:
    """Why `--yes` does not answer this plan, "" when it does."""
    if warned:
        said = next(guard.says for guard in plan.guards if guard.level == "warning")
        return f"--yes does not answer a guard: {said}. Run it in a terminal, without --yes."
    if plan.effect == "disrupt" and not run.order.allow_disrupt:
        return "Live sessions may be cut off, which --yes does not cover; --allow-disrupt beside it does."
    if plan.effect == "destroy":
        return "Data may be lost, which --yes does not cover; run it in a terminal, without --yes."
    return ""


def _names(plan: Plan | None) -> tuple[str, ...]:
    return tuple(step.name for step in plan.steps) if plan is not None else ()


def _told(plan: Plan) -> str:
    return "; ".join(step.does for step in plan.steps) or plan.refused or "nothing to do"
