"""How a run looks: as `fletcher diagnose` and `fletcher plan` do, at what the order names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from bot.diagnose import diagnose
from bot.engine.contract import Sight
from bot.engine.values import DIAGNOSE, Looked
from bot.errors import FletcherError
from bot.evidence.look import Question
from bot.evidence.secrets import secrets_of
from bot.findings import findings
from bot.livekit.answer import runbook_of
from bot.livekit.roster import workers_now
from bot.plan.subject import chosen, subject
from bot.propose import folder_of, propose
from bot.redact import Redactor
from bot.runbook import shelf
from bot.settings import targets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bot.diagnose import Diagnosis
    from bot.engine.values import Order
    from bot.evidence.files import Kind
    from bot.plan.values import Plan
    from bot.runbook.document import Runbook
    from bot.settings import Target

_KEPT: Final = 64  # runs of which the redactor is at hand; of others it is made anew
_QUOTED: Final = 12  # lines that decided and are kept with the run


class Looking:
    """The eyes of an executor; `environment` is where the targets' keys are, since no order holds them."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment
        self._redactors: dict[str, Redactor] = {}

    def look(self, order: Order, runbook: Runbook, inputs: dict[str, str]) -> Sight:
        """Look, judge and plan; where the order leaves the runbook open, with the one that treats what is found."""
        rooms = tuple(dict.fromkeys((*order.rooms, *filter(None, (inputs.get("room"),)))))
        with diagnose(self._question(order, rooms)) as answer:
            treats = runbook_of(answer.verdicts) if runbook == DIAGNOSE else None
            if treats is not None:
                runbook = shelf.read(shelf.shipped() / f"{treats}.md")
            plan = propose(runbook, inputs, answer.look, answer.verdicts, anyway=order.anyway, here=order.here)
            row = chosen(runbook, inputs, answer.verdicts)
            self._keep(order, answer.look.redactor)
            known = subject(runbook, inputs, answer.look, answer.verdicts).inputs
            masked = {name: value for name, value in known.items() if value != plan.inputs.get(name)}
            folder = _absolute(order, folder_of(answer.look) or order.here)
            looked = Looked(
                plan=plan, verdict=_verdict(answer, runbook, inputs, plan), folder=folder, places=_places(plan, folder),
                roots=tuple(_absolute(order, root) for root in _roots(answer)), job_type=_job_type(answer, plan),
                quotes=tuple(": ".join((f"{source}:{line}", text)) for source, line, text in map(answer.look.quote, row.evidence[:_QUOTED] if row else ())),
                findings=findings(answer), rooms=sum(row.room is not None for row in answer.verdicts.rows),
                notes=tuple(map(answer.look.plain, answer.verdicts.notes)), runbook=runbook if treats is not None else None,
            )  # fmt: skip
            return Sight(looked, masked)

    def redactor(self, order: Order, looked: Looked) -> Redactor:
        """Who masks the secrets of what was looked at, looked for anew after a restart."""
        known = self._redactors.get(order.id)
        if known is None:
            known = self._keep(order, self._again(order, looked))
        return known

    def _keep(self, order: Order, redactor: Redactor) -> Redactor:
        while len(self._redactors) >= _KEPT:
            self._redactors.pop(next(iter(self._redactors)), None)
        self._redactors[order.id] = redactor
        return redactor

    def _again(self, order: Order, looked: Looked) -> Redactor:
        paths = {*looked.roots, *(path for _, path in _files(order) if Path(path).exists())}
        found = frozenset[str]().union(*map(secrets_of, paths))
        try:
            with diagnose(self._question(order, order.rooms)) as answer:
                return answer.look.redactor.with_secrets(found)
        except FletcherError:  # what runs does not answer just now; its own secrets cannot turn up then
            return Redactor.of(found)

    def _question(self, order: Order, rooms: tuple[str, ...]) -> Question:
        running = target_of(order, self._environment) if order.live or not order.files else None
        return Question(
            _files(order), rooms, order.since or None, order.until or None, running, counted=True, here=order.here
        )


def _files(order: Order) -> tuple[tuple[Kind, str], ...]:
    """What was given, as it is called from the folder of this process: the order may come from another one."""
    if Path(order.here).absolute() == Path.cwd():
        return order.files
    return tuple((kind, _from(order.here, kind, name)) for kind, name in order.files)


def _from(here: str, kind: Kind, name: str) -> str:
    if kind in {"endpoint", "token"} and not os.path.lexists(Path(here, name)):  # an address, or the token itself
        return name
    return str(Path(here, name))


def _absolute(order: Order, path: str) -> str:
    """The path from the root on, since programs are run elsewhere; links keep their own name."""
    return os.path.abspath(Path(order.here, path)) if path else ""  # noqa: PTH100


def target_of(order: Order, environment: Mapping[str, str]) -> Target:
    """The deployment that an order names. Raises UsageError, WrongDocument."""
    here = Path(order.here)
    config = here / order.config if order.config else None
    return targets(environment, here, config).choose(order.target or None, **order.fields)


def _places(plan: Plan, folder: str) -> dict[str, str]:
    """Where the files' names lead that are to be changed: behind a link that was put there since is another file."""
    names = (one.file for step in plan.steps for one in step.files)
    return {name: os.path.realpath(there if (there := Path(folder, name)).exists() else name) for name in names}


def _verdict(
    answer: Diagnosis, runbook: Runbook, inputs: Mapping[str, str], plan: Plan
) -> Literal["cause", "healthy", "inconclusive"]:
    if runbook == DIAGNOSE:
        return answer.verdicts.overall
    if runbook.causes:
        row = chosen(runbook, inputs, answer.verdicts)
        return row.verdict if row is not None and row.verdict in {"cause", "healthy"} else "inconclusive"
    if plan.steps:
        return "cause"
    return "inconclusive" if any(check.result == "inconclusive" for check in plan.checks) else "healthy"


def _job_type(answer: Diagnosis, plan: Plan) -> str:
    """Of the worker that the plan is about; of the only type there is, where names do not tell."""
    there = [worker for worker in workers_now(answer.look.seen) if worker.there and worker.type]
    own = {worker.type for worker in there if answer.look.name(worker.name or "") == plan.agent}
    types = own or {worker.type for worker in there}
    return types.pop() if len(types) == 1 else ""


def _roots(answer: Diagnosis) -> Iterator[str]:
    for project in answer.look.projects:
        yield project.files.paths[0] if project.files.single else project.files.top
