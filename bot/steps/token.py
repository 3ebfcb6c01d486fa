"""`token` blocks: the project's own script makes a token. What it prints is a secret, and is written down nowhere.

The script gets what the project's `.env.local` and `.env` say about LiveKit, and nothing of Fletcher's own environment:
so the token is made with the project's keys, whoever runs Fletcher.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bot.errors import FletcherError, Unreachable, UsageError
from bot.plan.values import Command
from bot.steps.contract import Memory, Outcome
from bot.steps.scripts import command_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.livekit.seen import Token
    from bot.steps.contract import Doing, Task

_JWT: Final = re.compile(rb"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+")
_LARGEST: Final = 1 << 20  # bytes of output that are looked at
_MISSING: Final = 127  # a shell's exit code for a program that is not there
_OPTIONAL: Final = {"optional": "yes"}


class TokenStep:
    """A token for a new room. Nothing hangs on it: whatever goes wrong, the command is told, and the run goes on."""

    def remember(self, task: Task, doing: Doing) -> Memory:  # noqa: ARG002  # every kind's form
        return Memory(began_ns=doing.world.now())

    def perform(self, task: Task, memory: Memory, doing: Doing) -> Outcome:  # noqa: ARG002  # every kind's form
        """Run the script, read what its token asks for, and hand it over or forget it."""
        began, said, again = doing.world.now(), bytearray(), doing.redactor.text(by_hand(task))

        def outcome(state: str, says: str, **facts: str) -> Outcome:
            return Outcome(
                state=state, says=says, began_ns=began, ended_ns=doing.world.now(),  # type: ignore[arg-type]  # one of its words
                facts={**_OPTIONAL, "command": again, **facts},
            )  # fmt: skip

        def failed(why: str) -> Outcome:
            return outcome("failed", f"no new token: {why}. Make one with: {again}")

        try:
            command, _ = command_of(task)
            command = Command(
                argv=command.argv, cwd=command.cwd, environment={**_of_project(task), **command.environment}
            )
            ended = doing.world.run(
                command, seconds=task.step.timeout, tell=lambda data: said.extend(data[: _LARGEST - len(said)]), stop=doing.stop
            )  # fmt: skip
        except FletcherError as problem:
            return failed(str(problem).rstrip("."))
        if ended.code is None:
            why = f"did not end within {task.step.timeout:g} s" if ended.why == "timeout" else "was ended with the run"
            return failed(f"the script {why}")
        if ended.code == _MISSING:
            return failed("a program that the script calls is not installed here (exit code 127)")
        if ended.code:
            return failed(f"the script ended with exit code {ended.code}")
        found = list(dict.fromkeys(_JWT.findall(bytes(said))))
        if not found:
            return failed("the script ended well, but printed no token")
        return self._made(task, doing, found[-1].decode(), outcome, failed)

    @staticmethod
    def _made(
        task: Task, doing: Doing, jwt: str, outcome: Callable[..., Outcome], failed: Callable[[str], Outcome]
    ) -> Outcome:
        try:
            claims = claims_of(jwt)
        except UsageError as problem:
            return failed(f"what the script printed is no readable token ({problem})")
        kept = {"claims": json.dumps(claims)}
        if doing.hand is None:
            says = f"a token was made and discarded, since nobody is here to take it. Make one with: {doing.redactor.text(by_hand(task))}"
            return outcome("done", says, **kept)
        try:
            file = doing.hand(jwt)
        except (FletcherError, OSError) as problem:
            return failed(f"it could not be handed over ({problem})")
        return outcome(
            "done", f"a new token is in {file}" if file else "a new token was handed over", file=file, **kept
        )

    def settled(self, task: Task, memory: Memory, doing: Doing) -> bool | None:  # noqa: ARG002  # every kind's form
        """A token whose maker has died is lost; another one does no harm."""
        return False

    def undo(self, task: Task, memory: Memory, doing: Doing) -> Outcome | None:  # noqa: ARG002  # every kind's form
        """Nothing: a token cannot be taken back."""
        return None


def claims_of(jwt: str) -> dict[str, object]:
    """What a token asks for: room, agents (none: it asks for nobody), and until when it is good.

    Raises UsageError when it cannot be read.
    """
    from bot.evidence.token import jwt_claims, token_of

    claims = jwt_claims(jwt, "the output")
    token: Token = token_of(claims, "the output", raw=b"")
    expires = claims.get("exp")
    return {
        "room": token.room, "agents": [name for name, _ in token.agents],
        "expires": expires if isinstance(expires, int | float) and not isinstance(expires, bool) else None,
    }  # fmt: skip


def by_hand(task: Task) -> str:
    """The exact command for a person, with the inputs as a plan shows them."""
    command = task.step.command
    if command is None:
        return ""
    words = [f"{name}={shlex.quote(value)}" for name, value in command.environment.items()]
    line = " ".join([*words, shlex.join(command.argv)])
    return f"cd {shlex.quote(command.cwd)} && {line}" if command.cwd else line


def into_file(path: Path) -> Callable[[str], str]:
    """A way to hand a token over: as a file that nobody else may read, in place of one that is there."""

    def hand(jwt: str) -> str:
        beside = path.with_name(f".{path.name}.new")
        try:
            beside.unlink(missing_ok=True)
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(jwt + "\n")
            beside.replace(path)
        except OSError as problem:
            raise Unreachable(f"{path} cannot be written: {(problem.strerror or 'unwritable').lower()}") from problem
        return str(path)

    return hand


def _of_project(task: Task) -> dict[str, str]:
    """What the project's own env files say about LiveKit. Raises UsageError for one that cannot be read."""
    from bot.settings import around

    found = around({}, Path(task.folder)) if task.folder else {}
    return {name: value.text for name, value in found.items() if name.startswith("LIVEKIT_")}
