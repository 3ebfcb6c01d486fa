"""Makes each incident once, asks about it while it is fresh, and keeps its logs and the project for later."""

from __future__ import annotations

import json
import shutil
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from subprocess import SubprocessError
from typing import TYPE_CHECKING

from bot.livekit.answer import runbook_for
from tests.live.incidents import Incident
from tests.live.sweeping import swept
from tests.live.ways import WAYS, Way, ask_files, ask_live, ask_plan
from tests.stack.places import CHECKOUT, digest
from tests.stack.progress import StackError
from tests.stack.stack import Stack

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fletcher import Reply
    from tests.live.sweeping import Swept

NAME = f"fletcher-test-{digest(str(CHECKOUT))[:6]}"  # of the stacks: the engine may serve another checkout too


@dataclass(frozen=True, slots=True)
class Scene:
    """One incident that was made: `livekit.log`, `agent.log` and `project` in its folder, and what was said live and by the sweep."""

    incident: Incident
    folder: Path
    said: dict[str, Reply]
    swept: Swept

    def ask(self, way: Way) -> Reply:
        """What Fletcher says of it: from the copies now, or what it said while it was fresh."""
        return self.said[way.name] if way.live else ask_files(way, self.incident.name, self.folder)


@dataclass
class Scenes:
    """All incidents of this run, each made when it is first asked for; a stack is kept for as long as it serves."""

    folder: Path
    name: str = NAME
    _made: dict[str, Scene | StackError | SubprocessError] = field(default_factory=dict)
    _stack: Stack | None = None
    _fresh: bool = False  # no incident has spoilt the stack yet

    def of(self, incident: Incident) -> Scene:
        """Make this incident, unless it was made before.

        Raises:
            StackError: it could not be made; nobody tries it twice.
            SubprocessError: an answer took too long.

        """
        if incident.name not in self._made:
            try:
                self._made[incident.name] = self._make(incident)
            except (StackError, SubprocessError) as problem:
                self._made[incident.name] = problem
                self._fresh = False
        made = self._made[incident.name]
        if isinstance(made, Exception):
            raise made
        return made

    def lent(self, failure: str, *, settled: bool = False) -> Stack:
        """The stack with this failure made anew, for a test that changes it."""
        stack = self._stack_for(Incident(failure, failure, failure, settled=settled))
        self._fresh = False  # for the next one
        return stack

    def close(self) -> None:
        """Remove the stack."""
        if self._stack is not None:
            self._stack.down()

    def _make(self, incident: Incident) -> Scene:
        stack = self._stack_for(incident)
        with stack.progress.phase(f"incident {incident.name}") as phase, ExitStack() as visit:
            folder = self.folder / incident.name
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            self._fresh = not incident.spoils
            visitor = visit.enter_context(incident.room(stack, incident.name))
            time.sleep(incident.mature)
            if (came := visitor.agent_came(0)) is not (incident.verdict == "healthy"):
                raise StackError(f"{incident.name} was not made: an agent {'came' if came else 'did not come'}")
            found = swept(stack, incident)
            said = {way.name: ask_live(way, incident.name, stack, folder) for way in WAYS if way.live}
            if (runbook := runbook_for(incident.cause)) is not None and incident.tells == "cause":
                said["plan"] = ask_plan(runbook, incident.name, stack)
            visit.close()  # for files, time ends with their last line: the visitor's leave
            time.sleep(0.5)
            stack.copy_logs(folder)
            shutil.copytree(
                stack.project, folder / "project", symlinks=True, ignore=shutil.ignore_patterns("node_modules")
            )
            phase.log.write_text(json.dumps({name: reply.out for name, reply in said.items()}), encoding="utf-8")
        return Scene(incident, folder, said, found)

    def _stack_for(self, incident: Incident) -> Stack:
        """Give the stack as this incident needs it, with as little made anew as possible."""
        stack = self._stack
        if stack is None or (stack.version, stack.level) != (incident.version, incident.level):
            if stack is not None:
                self._stack = None
                stack.down()
            stack = Stack(
                name=self.name,
                version=incident.version,
                level=incident.level,
                fail_first=incident.fail,
                settle=incident.settled,
            )
            try:
                self._stack, self._fresh = stack.up(), True
            except BaseException:
                stack.down()
                raise
        elif stack.failure != incident.fail or not self._fresh:
            stack.fail(incident.fail, settle=incident.settled)
            self._fresh = True
        return stack
