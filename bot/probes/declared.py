"""The probes of a fletcher.toml with the runbooks that they look with, read as strictly as the file itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from bot.cron import cron
from bot.errors import FletcherError, Problem, UsageError, WrongDocument
from bot.probes.values import Probe
from bot.runbook import inputs, shelf
from bot.runbook.document import Schedule
from bot.runbook.troubles import named, nearest
from bot.settings_probes import DIAGNOSE, NOTHING, name_trouble
from bot.spans import spoken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bot.runbook.document import Runbook
    from bot.settings import Targets
    from bot.settings_file import Document
    from bot.settings_probes import Declared

_ODD: Final = re.compile(r"[^A-Za-z0-9._-]")
_ROOM: Final = "room"  # the input that a finding gives


def probes(found: Targets, here: Path, config: str = "") -> tuple[Probe, ...]:
    """The probes that are declared in what was found from a folder, in their order; `config` names the file, "" the usual one.

    Raises WrongDocument with every problem, each with its line, and UsageError for a folder of runbooks that is not there.
    """
    document = found.document
    if document is None or not document.probes:
        return ()
    reading = _Reading(found, document, here, config)
    made = [reading.probe(one) for one in document.probes]
    whole = [(one, probe) for one, probe in zip(document.probes, made, strict=True) if probe is not None]
    reading.check_names(whole)
    if reading.problems:
        raise WrongDocument(tuple(sorted(reading.problems, key=lambda p: p.line)))
    return tuple(reading.names[index] for index in range(len(whole)))


class _Reading:
    """One reading of a file's probes; what is wrong is noted."""

    def __init__(self, found: Targets, document: Document, here: Path, config: str) -> None:
        self.problems: list[Problem] = []
        self.names: list[Probe] = []
        self._found, self._document, self._here, self._config = found, document, here, config
        for folder in document.runbooks:
            if not folder.is_dir():
                raise UsageError(f"no such folder: {folder}, which `runbooks` in {document.path} names")
        self._shelf = shelf.shelf(document.runbooks)
        self._read: dict[str, Runbook | str] = {}

    def add(self, line: int, sentence: str) -> None:
        self.problems.append(Problem(str(self._document.path), line, sentence))

    # --- one probe -------------------------------------------------------------------------------

    def probe(self, one: Declared) -> Probe | None:
        """The probe, named as it would be if it were alone; None where something is wrong with it."""
        before = len(self.problems)
        runbook = self._runbook(one.runbook)
        if isinstance(runbook, str):
            self.add(one.line("runbook"), runbook)
            return None
        if not runbook.looks:
            self.add(one.line("runbook"), f"the runbook {runbook.id} has nothing to look at; a probe needs a `check`, or a `verify` without steps")  # fmt: skip
        schedule = self._schedule(one, runbook)
        self._check_inputs(one, runbook)
        self._check_orders(one)
        self._check_target(one)
        if len(self.problems) > before or schedule is None:
            return None
        return Probe(
            name=one.name or runbook.id, runbook=runbook, schedule=schedule, zone=one.zone or self._document.watch.zone,
            inputs=dict(one.inputs), config=self._config, target=one.target, here=str(self._here.absolute()),
            orders="" if one.orders == NOTHING else one.orders, channel=one.channel, seconds=one.timeout,
        )  # fmt: skip

    def _runbook(self, asked: str) -> Runbook | str:
        """The runbook of this id or path (from the folder of the file), or what is wrong with it."""
        if asked not in self._read:
            path = self._document.path.parent / asked
            try:
                known = path if path.is_file() else self._shelf.find(asked).path
                self._read[asked] = shelf.read(known.absolute())
            except WrongDocument as wrong:
                first = wrong.problems[0]
                self._read[asked] = (
                    f"the runbook {named(asked)} is wrong: {first.source}:{first.line}: {first.sentence}"
                )
            except FletcherError as problem:
                self._read[asked] = str(problem)
        return self._read[asked]

    def _schedule(self, one: Declared, runbook: Runbook) -> Schedule | None:
        """When it looks: as the file says, else as the runbook does."""
        theirs = runbook.schedule or Schedule()
        mine = one.every is not None or one.cron
        every, expression = (one.every, one.cron) if mine else (theirs.every, theirs.cron)
        if every is None and not expression:
            self.add(
                one.line("runbook"),
                f'the runbook {runbook.id} does not say when it is due; write every = "5m" into this [[probe]]',
            )
            return None
        if expression and isinstance(trouble := cron(expression), str):
            self.add(one.line("runbook"), f"the schedule of the runbook {runbook.id} {trouble}")
            return None
        if every is not None and (every < 1 or every % 1):
            self.add(one.line("runbook"), f'the runbook {runbook.id} is due every {every:g} s, which must be whole seconds; write every = "5m" into this [[probe]]')  # fmt: skip
            return None
        fail = theirs.fail if one.fail is None else one.fail
        return Schedule(every=every, cron=expression, fail=fail, recover=theirs.recover if one.recover is None else one.recover)  # fmt: skip

    def _check_inputs(self, one: Declared, runbook: Runbook) -> None:
        known = {declared.name: declared for declared in runbook.inputs}
        for name, value in one.inputs.items():
            at = one.line(f"inputs.{name}")
            if name not in known:
                self.add(at, f"the runbook {runbook.id} has no input {named(name)}{nearest(name, known)}")
            elif known[name].secret:
                self.add(
                    at,
                    f"the input {name} is a secret, which belongs into no file; a runbook that needs one cannot be a probe",
                )
            elif trouble := inputs.why_not(known[name], value):
                self.add(at, f"the input {name} {trouble}")
        for name, declared in known.items():
            if declared.required and name not in one.inputs:
                if declared.secret:
                    self.add(one.line("runbook"), f"the runbook {runbook.id} needs the secret {name}, and nobody is there to give it; it cannot be a probe")  # fmt: skip
                else:
                    self.add(one.line("inputs"), f'the runbook {runbook.id} needs the input {name}: inputs = {{{name} = "…"}}')  # fmt: skip

    def _check_orders(self, one: Declared) -> None:
        if one.orders in {DIAGNOSE, NOTHING}:
            return
        at = one.line("orders")
        known = [DIAGNOSE, NOTHING, *(entry.glance.id for entry in self._shelf.runbooks if entry.glance.id)]
        if one.orders not in known:
            self.add(at, f"`orders` is diagnose, nothing or the id of a runbook, and {named(one.orders)} is none{nearest(one.orders, known)}")  # fmt: skip
            return
        ordered = self._runbook(one.orders)
        if isinstance(ordered, str):
            self.add(at, f"`orders`: {ordered}")
            return
        missing = [declared.name for declared in ordered.inputs if declared.required and declared.name != _ROOM]
        if missing:
            self.add(
                at,
                f"`orders`: the runbook {ordered.id} needs {', '.join(missing)}, which a probe cannot tell it; write diagnose or nothing",
            )

    def _check_target(self, one: Declared) -> None:
        if not one.target and self._found.undecided:
            self.add(one.line("target"), f'there are several targets ({", ".join(self._found.names)}); write target = "{self._found.names[0]}" into this [[probe]]')  # fmt: skip

    # --- names -----------------------------------------------------------------------------------

    def check_names(self, whole: list[tuple[Declared, Probe]]) -> None:
        """Give each its name: what is said, else the runbook's id, with its target where that is taken."""
        taken: dict[str, int] = {}
        for one, _ in whole:  # names that are said go before those that are made
            if one.name:
                self._take(taken, one.name, one)
        for one, probe in whole:
            name = probe.name
            if not one.name:
                if name in taken and one.target:
                    name = f"{name}-{_ODD.sub('-', one.target)}"
                if trouble := name_trouble(name):
                    self.add(one.line(""), f"the name {named(name)} of this [[probe]] {trouble}; give it a name")
                self._take(taken, name, one)
            self.names.append(replace(probe, name=name))
        for window in self._document.watch.quiet:
            for name in window.probes:
                if name not in taken and len(whole) == len(self._document.probes):
                    self.add(window.line, f"a maintenance window is about {named(name)}, and no [[probe]] is called so{nearest(name, taken)}")  # fmt: skip

    def _take(self, taken: dict[str, int], name: str, one: Declared) -> None:
        if name in taken:
            self.add(one.line("name"), f"the name {named(name)} is taken by the [[probe]] of line {taken[name]}; give this one another name")  # fmt: skip
        taken.setdefault(name, one.line(""))


def told(found: Targets, here: Path, config: str = "") -> Iterator[str]:
    """Each probe in a line for a person. Raises as `probes`."""
    for one in probes(found, here, config):
        plan = one.schedule
        when = f"every {spoken(plan.every)}" if plan.every is not None else f"at `{plan.cron}` ({one.zone})"
        where = f" on {one.target}" if one.target else ""
        whose = "" if one.name == one.runbook.id else f" with {one.runbook.id}"
        ordered = {DIAGNOSE: "a diagnosis", "": "nothing"}.get(one.orders, one.orders)
        yield (
            f"{one.name}: looks{whose}{where} {when}; degraded after {plan.fail}, healthy after {plan.recover}; {ordered} is ordered then"
        )
