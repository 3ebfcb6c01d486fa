"""What each verb does, for a person who is known: an order or a decision through the front, or an answer to read.

Everything here blocks, and is called in threads.
"""

from __future__ import annotations

import os
import secrets
import time
from collections import deque
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bot import __version__
from bot.doors import engine, probes, runs, switch
from bot.doors.shelves import folders
from bot.doors.slack import words
from bot.engine.values import DIAGNOSE, Decision, Order
from bot.errors import Unreachable, UsageError
from bot.policy import why_not_look, why_not_run
from bot.redact import redact
from bot.report.slack import answers
from bot.runbook import shelf
from bot.runbook.front import ID
from bot.settings import targets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bot.doors.slack.reply import Spot
    from bot.engine.front import Front
    from bot.engine.values import Person, Run
    from bot.policy import Policy
    from bot.report.slack.message import Message
    from bot.settings import Target

PASTED: Final = "pasted.log"  # what was pasted, in the run's folder
_ORDERS: Final = 60  # orders of one person in a minute
_MINUTE: Final = 60.0  # seconds
_WIDE: Final = 110  # columns of an answer


class Verbs:
    """The verbs over one front; `connected` says in a line how things stand with Slack."""

    def __init__(
        self, front: Front, policy: Policy | None, config: str | None, connected: Callable[[], str] = lambda: ""
    ) -> None:
        self._front, self._policy, self._config, self._connected = front, policy, config, connected
        self._placed: dict[str, deque[float]] = {}  # when each person has ordered, lately

    def order(self, said: words.Diagnose | words.Run, person: Person) -> str:
        """Place an order; the run's id. Raises FletcherError where it is none, or where this person may not."""
        self._not_too_fast(person)
        run = secrets.token_hex(4)
        made = self._diagnosis(run, said, person) if isinstance(said, words.Diagnose) else self._run(run, said, person)
        ordered = self._front.submit(made)
        if isinstance(said, words.Diagnose) and said.probe:  # only once it is a run, so that it can be looked at
            self._front.keep("slack", f"diagnosis {said.probe}", ordered)
        return ordered

    def answer(self, said: words.List | words.Show, person: Person) -> Message:
        """Tell what is asked for. Raises FletcherError."""
        if trouble := why_not_look(self._policy, person):
            raise Unreachable(f"{trouble}.")
        if isinstance(said, words.Show):
            return answers.shown(self.found(said.run))
        if said.what == "runbooks":
            return answers.runbooks(self._runbooks())
        if said.what == "workers":
            return answers.workers(_workers(self._target(said.target)))
        return answers.status((*runs.status_lines(self._front), self._connected(), f"This is Fletcher {__version__}."))

    def decide(self, said: words.Decide, person: Person, digest: str = "") -> Run:
        """Answer a plan: the one with this digest, which was seen, else the one that there is. Raises FletcherError."""
        run = self.found(said.run)
        word = run.asked.word if run.asked is not None and said.kind == "yes" else ""
        first, _, rest = said.said.partition(" ")
        typed, reason = (first, rest) if word and first == word else ("", said.said)
        decision = Decision(kind=said.kind, person=person, digest=digest or run.digest, at=time.time(), reason=redact(reason), word=typed)  # fmt: skip
        return self._front.decide(run.id, decision)

    def cancel(self, asked: str, person: Person) -> Run:
        """End a run. Raises FletcherError."""
        return self._front.cancel(self.found(asked).id, person)

    def switched(self, said: words.Hold | words.Release, person: Person) -> Message:
        """Hold or release everything that changes something. Raises FletcherError."""
        if isinstance(said, words.Release):
            return answers.sentence(switch.released(self._front, person))
        return answers.sentence(" ".join(switch.held(self._front, person, said.why)))

    def waits(self) -> str:
        """What to add where somebody approves while it is held, "" where it is not."""
        return switch.waits(self._front)

    def found(self, asked: str) -> Run:
        """The run of this id. Raises FletcherError."""
        return engine.found(self._front, asked)

    def looked_at(self, asked: str, person: Person) -> Run:
        """The same for somebody who wants to see it. Raises FletcherError where he may not."""
        if trouble := why_not_look(self._policy, person):
            raise Unreachable(f"{trouble}.")
        return self.found(asked)

    def watched(self, said: words.Watched, person: Person) -> Message:
        """Tell of probes, or do with them what is asked. Raises FletcherError."""
        match said:
            case words.Probes():
                return answers.probes(probes.lines(self._front, self._policy, said.name, person, _WIDE))
            case words.Mute():
                told = probes.muted(self._front, self._policy, (said.name, said.span, said.why), person)
            case words.Unmute():
                told = probes.unmuted(self._front, self._policy, said.name, person)
            case words.Ack():
                told = probes.acknowledged(self._front, self._policy, said.name, person)
        return answers.sentence(told)

    # --- views -----------------------------------------------------------------------------------

    def opens(self, view: str, spot: Spot) -> None:
        """Keep where the button is that opens a view."""
        self._front.keep("slack", f"view {view}", f"{spot.user} {spot.channel} {spot.message}")

    def opened(self, view: str, spot: Spot) -> Spot:
        """Where its button was, for the person who pressed it; for another one, and where it is forgotten, nowhere."""
        user, channel, message = self._front.kept("slack", f"view {view}").get(f"view {view}", "  ").split(" ")
        return replace(spot, channel=channel, message=message, posted=True) if user == spot.user else spot

    # --- orders ----------------------------------------------------------------------------------

    def _not_too_fast(self, person: Person) -> None:
        """A key that hangs, or a script in somebody's name, fills no queue."""
        now = time.monotonic()
        self._placed = {who: at for who, at in self._placed.items() if at and at[-1] > now - _MINUTE}
        placed = self._placed.setdefault(person.account, deque(maxlen=_ORDERS))
        if len(placed) == _ORDERS and placed[0] > now - _MINUTE:
            raise Unreachable(f"that is more than {_ORDERS} orders in a minute; wait a little.")
        placed.append(now)

    def _diagnosis(self, run: str, said: words.Diagnose, person: Person) -> Order:
        if trouble := why_not_look(self._policy, person):
            raise Unreachable(f"{trouble}.")
        if said.probe:
            return self._probed(run, said.probe, person)
        target = self._target(said.target)
        files = (("any", str(self._pasted(run, said.pasted))),) if said.pasted else ()
        return self._order(run, DIAGNOSE.id, person, rooms=(said.room,) if said.room else (), target=target.name, files=files)  # fmt: skip

    def _probed(self, run: str, name: str, person: Person) -> Order:
        """A diagnosis of what a probe found, unless one goes on already: of those who press at once, one orders it."""
        one = probes.found(self._front.probing.standings(), name)
        if one.state not in {"degraded", "unknown"}:
            raise Unreachable(f"the probe {name} is {one.state} now, so there is nothing to diagnose.")
        key = f"diagnosis {name}"
        before = self._front.kept("slack", key).get(key, "")
        if before and not self._ended(before):
            raise Unreachable(f"run {before} looks into it already; `/fletcher show {before}` shows it.")
        if not self._front.claim("slack", f"{key} {one.slot} {before}"):
            raise Unreachable("somebody has ordered it already; its message comes in a moment.")
        rooms = [
            found.room for found in (one.last.findings if one.last else ()) if found.room and found.verdict == "cause"
        ]
        probe = one.probe
        config = probe.config or self._config or ""
        return Order(
            id=run, runbook=DIAGNOSE.id, person=person, at=time.time(), here=str(Path(probe.here).absolute()), config=config,
            target=probe.target, rooms=tuple(rooms[:1]), live=True,
        )  # fmt: skip

    def _ended(self, run: str) -> bool:
        try:
            return self._front.show(run).ended
        except UsageError:  # it is forgotten
            return True

    def _run(self, run: str, said: words.Run, person: Person) -> Order:
        # A path would let anybody in Slack have any file read; only what is on the shelf has an id.
        if not ID.fullmatch(said.runbook):
            raise UsageError(f"{said.runbook[:40]!r} is no runbook's id; `runbooks` lists them")
        path = shelf.shelf(folders((), self._config)).find(said.runbook).path.absolute()
        inputs = dict(said.inputs)
        declared = {one.name for one in shelf.read(path).inputs}
        named = inputs.pop("target", "") if "target" not in declared else ""
        if self._policy is not None and (trouble := why_not_run(self._policy, person, said.runbook)):
            raise Unreachable(f"{trouble}.")
        rooms = (inputs["room"],) if inputs.get("room") else ()
        return self._order(run, str(path), person, inputs=inputs, rooms=rooms, target=self._target(named).name)

    def _order(self, run: str, runbook: str, person: Person, **more: object) -> Order:
        return Order(
            id=run, runbook=runbook, person=person, at=time.time(), here=str(Path.cwd()), config=self._config or "", live=True, **more  # type: ignore[arg-type]
        )  # fmt: skip

    def _target(self, name: str) -> Target:
        return targets(os.environ, Path(), Path(self._config) if self._config else None).choose(name or None)

    def _pasted(self, run: str, text: str) -> Path:
        """The lines that were pasted, in a file that nobody else may read, without secrets."""
        path = self._front.home.folder(run) / PASTED
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{redact(text)}\n")
        return path

    # --- answers ---------------------------------------------------------------------------------

    def _runbooks(self) -> Iterator[str]:
        from bot.report.runbooks import shelf_lines

        return shelf_lines(shelf.shelf(folders((), self._config)))


def _workers(target: Target) -> list[str]:
    from bot.evidence.look import Question, look
    from bot.livekit.roster import workers_now
    from bot.report.roster import lines

    with ExitStack() as opened:
        seen = look(Question(target=target), opened)
        return list(lines(seen, workers_now(seen.seen), utc=False, width=_WIDE))
