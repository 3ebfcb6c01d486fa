"""The proof by a check that must match afterwards: asked again and again, until it matches and holds for a while.

It holds when it matched within the block's `timeout` and then went on matching for `settle`. What still does not match at
the end is refuted; where nobody could tell (no container, no line, a log that is not whole) it cannot be told.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from bot import spans
from bot.asking.ask import ask
from bot.asking.outside import Outside
from bot.engine.case import SECOND, Case
from bot.errors import FletcherError
from bot.plan.facts import roles
from bot.plan.values import Checked
from bot.runbook import document as doc
from bot.runbook.weigh import weigh_inputs
from bot.steps import check

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.engine.values import Proof
    from bot.evidence.docker import Containers

_LEAST: Final = 1.0  # seconds that one look may take, however little is left


def held(case: Case, inputs: Mapping[str, str]) -> Proof:
    """Ask until it matches and holds, is refuted for good, or the time is over."""
    block, settle = case.block, int(case.block.settle * SECOND)
    matched_at, before = 0, ""
    while True:
        told = _asked(case, inputs)
        now = case.world.now()
        if told.says != before:
            before = told.says
            case.tell(f"{block.name}: {told.result}{f', {before}' if before else ''}")
        if told.result == "matched":
            matched_at = matched_at or now
            if now - matched_at >= settle:
                return _holds(case, told)
        else:
            matched_at = 0
        until = matched_at + settle if matched_at else case.deadline_ns
        if case.stopped or now >= until or (told.result == "contradicted" and _for_good(block.evidence)):
            return _not(case, told)
        case.wait_until(min(until, now + int(block.interval * SECOND)), f"until {block.name} is asked again")


def _holds(case: Case, told: Checked) -> Proof:
    name, settle = case.block.name, case.block.settle
    says = f"{name} matches{f', and did for {spans.spoken(settle)}' if settle else ''}"
    case.add(name, f"{says}{f': {told.says}' if told.says else ''}", ok=True)
    return case.proof("holds", says)


def _not(case: Case, told: Checked) -> Proof:
    name, time = case.block.name, spans.spoken(case.block.timeout)
    if case.stopped:
        case.add(name, told.says, ok=None)
        return case.proof("refuted", f"it was cancelled while {name} was waited for")
    if told.result in {"inconclusive", "waiting"}:
        case.add(name, f"inconclusive: {told.says}", ok=None)
        return case.proof("cannot-tell", f"{name} is inconclusive: {told.says}")
    how = "is contradicted" if told.result == "contradicted" else f"does not match within {time}"
    case.add(name, f"{told.result}: {told.says}", ok=False)
    return case.proof("refuted", f"{name} {how}: {told.says}")


def _for_good(evidence: doc.Evidence) -> bool:
    """Whether what is contradicted once stays so: a line that is forbidden does not leave a log again."""
    return isinstance(evidence, doc.Logs) and all(one.count.operator in {">=", ">"} for one in evidence.lines.forbid)


# --- one look ------------------------------------------------------------------------------------


def _asked(case: Case, inputs: Mapping[str, str]) -> Checked:
    run, evidence = case.run, case.block.evidence
    hard = case.deadline_ns + int(case.block.settle * SECOND)
    block = msgspec.structs.replace(case.block, timeout=max((hard - case.world.now()) / SECOND, _LEAST))
    folder = run.looked.folder if run.looked is not None else ""
    match evidence:
        case doc.Shell():
            return check.ask(block, inputs, run.runbook.inputs, folder, case.doing)
        case doc.Chosen():
            weighed = weigh_inputs(evidence, inputs)
            return Checked(block.name, weighed.word, weighed.why)
    return ask([block], inputs, _outside(case, folder))[block.name]


def _outside(case: Case, folder: str) -> Outside:
    """Where it is asked, with the services by their names here; an engine that is away is told by whoever asks it."""
    services = dict[str, str]()
    if isinstance(case.block.evidence, doc.Logs | doc.Containers):
        with suppress(FletcherError):
            services = roles(case.world.docker()[1])

    def docker() -> tuple[Containers, str]:
        engine, attached = case.world.docker()
        return engine, attached.project

    return Outside(docker, case.world.now(), folder, services, case.doing.redactor, case.since_ns)
