"""Each declarative check of a runbook → what it came to: everything is asked once and at the same time."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from bot import spans
from bot.asking import reach, state, text
from bot.errors import FletcherError, Unreachable
from bot.evidence.attach import by_service
from bot.evidence.look import shown
from bot.evidence.moments import moment
from bot.evidence.together import begun
from bot.plan.facts import service_here
from bot.plan.values import Checked
from bot.runbook import document as doc
from bot.runbook.evidence import MOST_LINES
from bot.runbook.inputs import asked_in, fill, wanted
from bot.runbook.weigh import Weighed, weigh_lines, weigh_presence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from bot.asking.outside import Outside
    from bot.asking.text import Line, Text
    from bot.evidence.containers import Container

LOOKED_AT: Final = (doc.Logs, doc.File, doc.Http, doc.Tcp, doc.Containers)
_TOLD: Final = 3  # deciding lines that are told
_LONGEST: Final = 200  # characters of such a line
_Key = tuple[str, ...]  # a source: its kind and its name
_Check = doc.Check | doc.Verify


def ask(checks: Sequence[_Check], inputs: Mapping[str, str], outside: Outside) -> dict[str, Checked]:
    """What each check came to that looks at logs, files, addresses or containers (`LOOKED_AT`); by the check's name.

    Only local files are looked at where nothing runs. What does not answer within the check's timeout is inconclusive,
    as everything is that cannot be read, and says why.
    """
    return _Asking(checks, inputs, outside).all()


class _Asking:
    """All checks of one runbook while they are made."""

    def __init__(self, checks: Sequence[_Check], inputs: Mapping[str, str], outside: Outside) -> None:
        self.checks, self.inputs, self.outside = checks, inputs, outside
        self.sources: dict[_Key, Future[object]] = {}
        self.began = time.monotonic()

    def all(self) -> dict[str, Checked]:
        """Begin with every source, then weigh each check as soon as its source is there."""
        refused = {check.name: why for check in self.checks if (why := self._why_not(check.evidence))}
        asked = [check for check in self.checks if check.name not in refused]
        for key, call in self._calls(asked).items():
            self.sources[key] = begun(call)
        made = {check.name: begun(partial(self._check, check)) for check in asked}
        return {
            check.name: self._told(check, made[check.name])
            if check.name in made
            else self._inconclusive(check, refused[check.name])
            for check in self.checks
        }

    def _told(self, check: _Check, made: Future[Checked]) -> Checked:
        try:
            return made.result(max(0.0, self.began + check.timeout - time.monotonic()))
        except TimeoutError:
            return self._inconclusive(check, f"there was no answer within {spans.spoken(check.timeout)}")
        except FletcherError as problem:
            return self._inconclusive(check, str(problem))

    def _inconclusive(self, check: _Check, why: str) -> Checked:
        return Checked(check.name, "inconclusive", self.outside.redactor.text(why))

    # --- what cannot be asked ------------------------------------------------------------------

    def _why_not(self, evidence: doc.Evidence) -> str:
        """Why a check is not made at all; "" when it is."""
        for name in (name for asked in asked_in(evidence) for name in wanted(asked)):
            if not self.inputs.get(name):
                return f"the input {name} has no value"
        if isinstance(evidence, doc.Logs) and evidence.since.startswith("step:") and self.outside.since_ns is None:
            return f"it is looked at after {evidence.since.removeprefix('step:')}"
        if isinstance(evidence, doc.File) or (isinstance(evidence, doc.Logs) and evidence.file):
            return ""
        return (
            "" if self.outside.now_ns is not None else "it is asked of what runs, and nothing that runs was looked at"
        )

    # --- the sources ---------------------------------------------------------------------------

    def _key(self, evidence: doc.Evidence) -> _Key:
        match evidence:
            case doc.Logs(service=service) if service:
                return ("service", self._service(service))
            case doc.Logs(container=container) if container:
                return ("container", self._fill(container))
            case doc.Logs(file=path) | doc.File(path=path):
                return ("file", self._fill(path))
            case doc.Http(url=url, status=status):
                return ("http", self._fill(url), "" if status in range(300, 400) else "follow")
            case doc.Tcp(host=host, port=port):
                return ("tcp", self._fill(host), self._fill(port))
        return ("containers",)

    def _calls(self, checks: Sequence[_Check]) -> dict[_Key, Callable[[], object]]:
        """How each source is read, once, for all checks that ask for it."""
        asking: dict[_Key, list[_Check]] = {}
        for check in checks:
            asking.setdefault(self._key(check.evidence), []).append(check)
        calls = {key: self._call(key, several) for key, several in asking.items()}
        if any(key[0] == "service" for key in calls):
            calls.setdefault(("containers",), self._containers)
        return dict(sorted(calls.items()))  # the containers come before the services that are among them

    def _call(self, key: _Key, checks: Sequence[_Check]) -> Callable[[], object]:
        seconds = max(check.timeout for check in checks)
        logs = [check.evidence for check in checks if isinstance(check.evidence, doc.Logs)]
        match key:
            case ("file", path):
                dated = any(log.since for log in logs) or (bool(logs) and self.outside.since_ns is not None)
                return partial(text.of_file, Path(self.outside.folder) / path, path, dated=dated)
            case ("http", url, follow):
                return partial(reach.get, url, seconds, follow=bool(follow))
            case ("tcp", host, port):
                return partial(reach.listens, host, port, seconds)
            case ("containers",):
                return self._containers
        return partial(self._log, key, logs)

    def _containers(self) -> dict[str, tuple[Container, ...]]:
        engine, project = self.outside.docker()
        return by_service(c for c in engine.containers(project) if not c.oneoff)

    def _log(self, key: _Key, logs: list[doc.Logs]) -> Text:
        kind, name = key
        engine, project = self.outside.docker()
        if kind == "container":
            one = engine.container(name)
            if one is None:
                raise Unreachable(f"there is no container {name}")
            containers: tuple[Container, ...] = (one,)
        else:
            services = cast("dict[str, tuple[Container, ...]]", self.sources[("containers",)].result())
            containers = services.get(name, ())
            if not containers:
                raise Unreachable(state.no_container(name, project, services))
        begins = [self._since(log, self._now()) for log in logs]
        earliest = None if None in begins else min(at for at in begins if at is not None)
        return text.of_containers(engine, containers, earliest, max(log.max_lines for log in logs))

    # --- the checks ----------------------------------------------------------------------------

    def _check(self, check: _Check) -> Checked:
        found = self.sources[self._key(check.evidence)].result(check.timeout)
        weighed, lines, more = self._weighed(check.evidence, found)
        redactor = self.outside.redactor.with_secrets(more)
        told = [f"{_place(line)} {shown(line.text.encode(), redactor)[:_LONGEST]}" for line in lines[:_TOLD]]
        says = [redactor.text(weighed.why), *told]
        return Checked(check.name, weighed.word, "; ".join(part for part in says if part))

    def _weighed(self, evidence: doc.Evidence, found: object) -> tuple[Weighed, list[Line], frozenset[str]]:
        """What was found weighed, the lines that decided, and secrets that may stand in them."""
        match evidence, found:
            case doc.File(), None:
                name = self._fill(evidence.path)
                return weigh_presence(evidence, name, there=False) or Weighed("inconclusive"), [], frozenset()
            case doc.File(), text.Text():
                present = weigh_presence(evidence, self._fill(evidence.path), there=True)
                return (present, [], frozenset()) if present else self._lines(evidence.lines, found, None, MOST_LINES)
            case doc.Logs(), text.Text():
                since = self._since(evidence, self._now(found))
                if since is not None and found.lines and all(line.at is None for line in found.lines):
                    return Weighed("inconclusive", f"no line of {found.lines[0].of} has a time"), [], frozenset()
                return self._lines(evidence.lines, found, since, evidence.max_lines)
            case doc.Http(), reach.Answer():
                return self._answer(evidence, found)
            case doc.Tcp(), bool():
                said = f"{'somebody' if found else 'nobody'} listens at {self._fill(evidence.host)}:{self._fill(evidence.port)}"
                return Weighed("matched" if found else "not-matched", said), [], frozenset()
            case doc.Containers(), dict():
                service = self._service(evidence.service)
                return state.weigh_state(evidence, service, found.get(service, ())), [], frozenset()
        return Weighed("inconclusive", f"{' '.join(self._key(evidence)[1:2])} is not there"), [], frozenset()

    def _lines(
        self, asked: doc.Lines, found: Text, since: int | None, most: int
    ) -> tuple[Weighed, list[Line], frozenset[str]]:
        lines, cut = found.within(since, most)
        weighed = weigh_lines(asked, (line.text for line in lines), self.inputs, truncated=cut)
        return weighed, [lines[number - 1] for number, _ in weighed.lines], found.secrets

    def _answer(self, asked: doc.Http, found: reach.Answer) -> tuple[Weighed, list[Line], frozenset[str]]:
        if not found.status:
            return Weighed("not-matched", "nobody listens there"), [], frozenset()
        if found.status != asked.status:
            return Weighed("not-matched", f"it answers {found.status}, not {asked.status}"), [], frozenset()
        if not (asked.lines.require or asked.lines.forbid):
            return Weighed("matched", f"it answers {found.status}"), [], frozenset()
        body = text.of_body(found.body, self._fill(asked.url), cut=found.cut)
        return self._lines(asked.lines, body, None, MOST_LINES)

    def _since(self, log: doc.Logs, now: int | None) -> int | None:
        """From when on lines count, in epoch nanoseconds; a duration is counted back from `now`. Raises UsageError."""
        said, least = self._fill(log.since), self.outside.since_ns
        if not said or said.startswith("step:"):
            return least
        back = spans.duration(said)
        if isinstance(back, float) and now is not None:
            since = now - int(back * 10**9)
        else:
            since = int(moment(said, (), "since", None if now is None else now / 10**9) * 10**9)
        return since if least is None else max(since, least)

    def _now(self, found: Text | None = None) -> int | None:
        """By the clock of the engine; where nothing runs, the last time in the text."""
        if self.outside.now_ns is not None:
            return self.outside.now_ns
        return next((line.at for line in reversed(found.lines) if line.at is not None), None) if found else None

    def _service(self, service: str) -> str:
        return service_here(self.outside.services, self._fill(service))

    def _fill(self, asked: str) -> str:
        return fill(asked, self.inputs)


def _place(line: Line) -> str:
    if line.number:
        return f"{line.of}:{line.number}:"
    return (
        f"{line.of} {time.strftime('%H:%M:%SZ', time.gmtime(line.at // 10**9))}:"
        if line.at is not None
        else f"{line.of}:"
    )
