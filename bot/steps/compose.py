"""`compose` blocks: services are built and recreated, or restarted, with Docker's own program.

A build is made first and by itself, so that one that fails has touched nothing: the old container runs on. What is shown
and approved is the one command that does the same.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

import msgspec

from bot.errors import FletcherError, Unreachable
from bot.plan.values import Command
from bot.steps.contract import Memory, Outcome
from bot.steps.output import Output
from bot.steps.scripts import into
from bot.world.contract import Instance

if TYPE_CHECKING:
    from bot.steps.contract import Doing, Task
    from bot.steps.scripts import Ran

_UP: Final = ("docker", "compose", "up", "-d", "--build")
_RESTART: Final = ("docker", "compose", "restart")
_LEAST: Final = 30.0  # seconds for `up` behind a build that took nearly all the time
_NO_FILE: Final = "no configuration file provided"  # Compose's own words
#: docker compose, of a variable that its file takes from the environment: it goes on with "" in its place.
_UNSET: Final = re.compile(r'The \\?"(\w+)\\?" variable is not set')
_HASH: Final = re.compile(r"^(\S+) (\S+)$", re.MULTILINE)  # docker compose config --hash


class Compose:
    """Services of a compose project. What has been done is told by their containers, before and after."""

    def remember(self, task: Task, doing: Doing) -> Memory:
        """The containers as they are. Raises FletcherError where the engine does not tell."""
        began, services = doing.world.now(), services_of(task)
        found = doing.world.instances(services)
        facts = {name: msgspec.json.encode([i for i in found if i.service == name]).decode() for name in services}
        return Memory(began_ns=began, facts=facts)

    def perform(self, task: Task, memory: Memory, doing: Doing) -> Outcome:
        """Do it, unless the containers show that it has been done."""
        services, before = services_of(task), _remembered(memory)
        if _finished(task, before, doing.world.instances(services)):
            now = doing.world.now()
            return Outcome(state="done", says=f"{_listed(services)} had been replaced already", began_ns=memory.began_ns, ended_ns=now)  # fmt: skip
        return self._done(task, services, before, doing)

    def settled(self, task: Task, memory: Memory, doing: Doing) -> bool | None:
        """By the containers; to build and to start again what is as it was does no harm."""
        try:
            return _finished(task, _remembered(memory), doing.world.instances(services_of(task)))
        except FletcherError:
            return None

    def undo(self, task: Task, memory: Memory, doing: Doing) -> Outcome | None:
        """Run it again, on the files as they were. One with a rollback of its own is undone by that block instead."""
        before = _remembered(memory)
        again = self._done(task, services_of(task), _remembered(self.remember(task, doing)), doing)
        if again.state == "failed" and before and _unharmed(before, doing):
            says = f"{again.says}; the container that ran before this run was never replaced, so nothing had to be taken back"
            return msgspec.structs.replace(again, state="done", says=says)
        return again

    def _done(self, task: Task, services: tuple[str, ...], before: list[Instance], doing: Doing) -> Outcome:
        command, began = _command(task), doing.world.now()
        builds, replaced = command.argv[: len(_UP)] == _UP, began
        with Output(doing, task.step.name, doing.redactor) as output:
            output.say(f"$ {' '.join(command.argv)}")
            if builds:
                ran = into(output, _with(command, "build", *services), doing, task.step.timeout)
                if why := _stops(ran, task, before, output, doing):
                    failed = _failed(why, ran, services, before, doing, began)
                    # One image that could not be built: its name, too, leads where it led before.
                    return _untouched(failed) if not ran.good and len(services) == 1 else failed
                replaced = doing.world.now()
                left = max(_LEAST, task.step.timeout - (replaced - began) / 1e9)
                ran = into(output, _with(command, "up", "-d", *services), doing, left)
            else:
                ran = into(output, command, doing, task.step.timeout)
        if not ran.good:
            what = "the new container could not be started: docker compose up" if builds else "docker compose restart"
            why = _no_file(ran, task) or f"{what} {ran.told(task.step.timeout)}"
            return _failed(why, ran, services, before, doing, began)
        return _looked_at(services, before, ran, doing, began, replaced)


def services_of(task: Task) -> tuple[str, ...]:
    """The services that a step is about, as this deployment calls them."""
    argv = _command(task).argv
    for words in (_UP, _RESTART):
        if argv[: len(words)] == words and len(argv) > len(words):
            return argv[len(words) :]
    raise Unreachable(f"the step {task.step.name} was planned as another command ({' '.join(argv)}); plan again")


def _command(task: Task) -> Command:
    if task.step.command is None:
        raise Unreachable(f"the step {task.step.name} was planned without a command; plan again")
    return task.step.command


def _with(command: Command, *words: str) -> Command:
    return Command(argv=("docker", "compose", *words), cwd=command.cwd, environment=command.environment)


def _remembered(memory: Memory) -> list[Instance]:
    return [i for text in memory.facts.values() for i in msgspec.json.decode(text, type=list[Instance])]


def _finished(task: Task, before: list[Instance], now: tuple[Instance, ...]) -> bool:
    """Whether every service runs, and none of its containers is one that was there before, or (a restart) as it was."""
    builds = _command(task).argv[: len(_UP)] == _UP
    old = {i.id if builds else (i.id, i.started_ns) for i in before}
    new = all((i.id if builds else (i.id, i.started_ns)) not in old and i.state == "running" for i in now)
    return new and {i.service for i in now} == set(services_of(task))


def _stops(ran: Ran, task: Task, before: list[Instance], output: Output, doing: Doing) -> str:
    """Why nothing may be replaced after a build; "" when it may."""
    if not ran.good:
        return _no_file(ran, task) or f"the build {ran.told(task.step.timeout)}"
    if doing.stop.is_set():
        return "the run was stopped after the build"
    unset = list(dict.fromkeys(name for line in output.head for name in _UNSET.findall(line)))
    if not unset or _as_before(task, before, doing):
        return ""
    return (
        f"the compose file takes {', '.join(unset)} from the environment, where Fletcher has none, and the service would be "
        f"set up otherwise than it runs: write it into the project's .env (`{unset[0]}=` where it is to be empty)"
    )


def _no_file(ran: Ran, task: Task) -> str:
    """That Compose finds no file of its own, with what to do; "" where that is not why it failed."""
    if _NO_FILE not in ran.last:
        return ""
    return f"there is no compose file in {_command(task).cwd} or above it: name the folder that has one with --project"


def _as_before(task: Task, before: list[Instance], doing: Doing) -> bool:
    """Whether compose would set the services up as those are that run: what is missing is another's, or always was."""
    said = bytearray()
    command = _with(_command(task), "config", "--hash", ",".join(services_of(task)))
    doing.world.run(command, seconds=_LEAST, tell=said.extend, stop=doing.stop)
    found = dict(_HASH.findall(said.decode("utf-8", "replace")))
    return bool(before) and all(i.config and found.get(i.service) == i.config for i in before)


def _untouched(outcome: Outcome) -> Outcome:
    """The outcome, marked where nothing of the services was changed."""
    if outcome.state != "failed" or outcome.facts.get("recreated") != "no":
        return outcome
    return msgspec.structs.replace(outcome, facts={**outcome.facts, "untouched": "yes"})


def _failed(
    why: str, ran: Ran, services: tuple[str, ...], before: list[Instance], doing: Doing, began: int
) -> Outcome:  # fmt: skip
    """What has become of the containers: it is looked at, not assumed."""
    state, facts = "failed", dict[str, str]()
    try:
        now = doing.world.instances(services)
    except FletcherError as problem:
        state = "unknown"
        says = (
            f"{why}; and whether {_listed(services)} was replaced is not known, since the engine does not tell ({problem}). "
            "Look with `docker compose ps` once it is back"
        )
    else:
        facts = _facts(before, now)
        says = f"{why}; {_still(services, before, now)}"
        state = "unknown" if ran.ended is None else "failed"
    return Outcome(
        state=state, says=says, began_ns=began, ended_ns=doing.world.now(), output=ran.output, facts=facts  # type: ignore[arg-type]  # one of its words
    )  # fmt: skip


def _still(services: tuple[str, ...], before: list[Instance], now: tuple[Instance, ...]) -> str:
    """Whether what ran before still runs."""
    if before and _same(before, now):
        return f"the old container of {_listed(services)} is untouched and runs on"
    return "; ".join(f"{i.name} is {_state(i)} now" for i in now) or f"{_listed(services)} has no container now"


def _same(before: list[Instance], now: tuple[Instance, ...]) -> bool:
    running = {(i.id, i.started_ns) for i in now if i.state == "running"}
    return all((i.id, i.started_ns) in running for i in before)


def _unharmed(before: list[Instance], doing: Doing) -> bool:
    try:
        return _same(before, doing.world.instances(tuple({i.service for i in before})))
    except FletcherError:
        return False


def _looked_at(
    services: tuple[str, ...], before: list[Instance], ran: Ran, doing: Doing, began: int, replaced: int
) -> Outcome:
    """What compose says went well, as the engine has it. From `replaced_ns` on a new worker can have logged."""
    try:
        now = doing.world.instances(services)
    except FletcherError as problem:
        says = f"docker compose ended with 0, but the engine does not tell what runs now ({problem})"
        return Outcome(state="unknown", says=says, began_ns=began, ended_ns=doing.world.now(), output=ran.output)
    facts = {**_facts(before, now), "replaced_ns": str(replaced)}
    bad = [i for i in now if i.state != "running"]
    missing = [name for name in services if name not in {i.service for i in now}]
    state = "failed" if bad or missing else "done"
    if state == "failed":
        says = "; ".join(
            [
                *(f"{i.name} is {_state(i)} right after its start" for i in bad),
                *(f"{s} has no container" for s in missing),
            ]
        )
    elif _same(before, now) and before:
        says = (
            f"docker compose found nothing to change: the container of {_listed(services)} is the one that ran before"
        )
    else:
        says = f"{_listed(services)} runs anew" + _otherwise(before, now)
    return Outcome(state=state, says=says, began_ns=began, ended_ns=doing.world.now(), output=ran.output, facts=facts)  # type: ignore[arg-type]  # one of its words


def _otherwise(before: list[Instance], now: tuple[Instance, ...]) -> str:
    """What to say of services that are set up in another way than before: then not only what was patched is new."""
    was = {(i.service, i.config) for i in before if i.config}
    names = dict.fromkeys(i.service for i in now if i.config and was and (i.service, i.config) not in was)
    if not names:
        return ""
    return (
        f", and {', '.join(names)} is set up otherwise than before: the compose file or the project's .env has changed since, "
        "or it was started with variables in the environment that Fletcher does not have"
    )


def _facts(before: list[Instance], now: tuple[Instance, ...]) -> dict[str, str]:
    """What the proof and the report need: the containers and images before and after."""
    ids = {"before": [(i.name, i.id, i.image) for i in before], "after": [(i.name, i.id, i.image) for i in now]}
    return {"recreated": "no" if before and _same(before, now) else "yes", "containers": json.dumps(ids)}


def _state(instance: Instance) -> str:
    return f"exited (exit code {instance.exit_code})" if instance.state == "exited" else instance.state


def _listed(services: tuple[str, ...]) -> str:
    return ", ".join(services)
