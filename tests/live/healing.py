"""What the tests of healing share: somebody at the project who orders runs, and what each phase of a run took."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.fletcher import Reply
from tests.live.phases import phases
from tests.live.ways import surroundings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.stack.stack import Stack
    from tests.stack.visitor import Visitor

Row = dict[str, Any]

JUDGED = 8.5  # seconds after a room's birth from which on it can be judged
NEVER, REFUSED = "agent-never-joins", "no-servers-available"
AGENT_SOURCE = Path("apps/voice-agent/src/agent.ts")
#: Behind the worker's code it lets that end at once when it has lost its name.
SABOTAGE = "\nimport { readFileSync } from 'node:fs';\nif (!readFileSync(import.meta.filename, 'utf8').includes(\"agent\" + \"Name:\")) process.exit(7);\n"
_FLETCHER = (sys.executable, "-I", "-m", "bot")


@dataclass
class Desk:
    """Somebody who stands in the folder of a stack's project, with a store of his own in `home`, and with bun or without.

    `more` is set in his environment too.
    A context manager: what he has started does not stay.
    """

    stack: Stack
    home: Path
    bun: bool = True
    more: Mapping[str, str] = field(default_factory=dict)
    _started: list[subprocess.Popen[str]] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def call(self, *argv: str, seconds: float = 400) -> Reply:
        """Call `fletcher`, and wait for its end."""
        done = subprocess.run(
            [*_FLETCHER, *argv], cwd=self.stack.project, env=self._environment, capture_output=True, text=True, check=False, timeout=seconds
        )  # fmt: skip
        return Reply(done.returncode, done.stdout, done.stderr)

    def begin(self, *argv: str) -> subprocess.Popen[str]:
        """Start `fletcher`, and go on while it works."""
        process = subprocess.Popen(
            [*_FLETCHER, *argv], cwd=self.stack.project, env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        self._started.append(process)
        return process

    def serve(self) -> subprocess.Popen[str]:
        """Start `fletcher serve`, and wait until it does."""
        process = self.begin("serve")
        wait(lambda: self.call("serve", "--check").code == 0, "nothing serves", process)
        return process

    def run(self, runbook: str, *argv: str, code: int | None = 0) -> Row:
        """Carry out what a script orders; the run, once it has ended."""
        return self.ended(self.call(*ordered(runbook, *argv)), code)

    def ended(self, reply: Reply, code: int | None = 0, *, rest: str = "Fletcher itself") -> Row:
        """The run that a call printed, of which is told what its phases took; `rest` is what all else is called."""
        assert code is None or reply.code == code, f"{reply.out[-3000:]}\n{reply.err[-2000:]}"
        made: Row = reply.json
        room = next(iter(made["order"]["rooms"]), "no room")
        print(f"run {made['order']['runbook']} in {room}: {made['state']}", flush=True)
        for line in phases(made, self.events(), rest):
            print(f"  {line}", flush=True)
        return made

    # --- a run that is still going on ---------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The newest run here, "" for none."""
        runs = self.home / "runs"
        folders = sorted(runs.iterdir(), key=lambda folder: folder.stat().st_ctime) if runs.is_dir() else []
        return folders[-1].name if folders else ""

    def events(self) -> list[Row]:
        """What has happened in the newest run, the oldest first; each is whole, and has its parts in their order."""
        file = self.home / "runs" / self.id / "events.jsonl"
        lines = file.read_bytes().split(b"\n")[:-1] if self.id and file.exists() else []
        return [json.loads(line) for line in lines]

    def happens(self, words: str, process: subprocess.Popen[str], *, after: int = 0) -> None:
        """Wait until an event behind the first `after` has these words (`rebuild-agent done`, or a part of a line)."""

        def seen() -> bool:
            return any(words in " ".join(map(str, event.values())) for event in self.events()[after:])

        wait(seen, f"{words!r} did not happen", process)

    @property
    def _environment(self) -> dict[str, str]:
        own = {**self.stack.environment, "FLETCHER_HOME": str(self.home), **self.more}
        return surroundings({**own, "PATH": self.stack.path} if self.bun else own)


def ordered(runbook: str, *argv: str) -> tuple[str, ...]:
    """`fletcher run`, as a script calls it."""
    return ("run", runbook, *argv, "--yes", "--allow-disrupt", "--json")


def reply(process: subprocess.Popen[str], seconds: float = 300) -> Reply:
    """What a process said, once it has ended."""
    out, err = process.communicate(timeout=seconds)
    return Reply(process.returncode, out, err)


def kill(process: subprocess.Popen[str]) -> None:
    """End it with -9, and nothing of its family with it."""
    process.send_signal(signal.SIGKILL)
    process.wait(10)


def wait(happened: Callable[[], bool], problem: str, process: subprocess.Popen[str] | None = None, seconds: float = 90) -> None:  # fmt: skip
    """Look again and again; a process that ends meanwhile has something to say about it."""
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, problem
        if process is not None and process.poll() is not None:
            assert happened(), f"{problem}, and it ended: {reply(process)}"
            return
        time.sleep(0.02)


@contextmanager
def waiting(stack: Stack, room: str, token: str | None = None) -> Iterator[Visitor]:
    """Somebody is in a room and waits for an agent, long enough to be judged."""
    with stack.join(room, token=token, publish=True) as visitor:
        time.sleep(JUDGED)
        assert not visitor.agent_came(0), "the failure was not made"
        yield visitor


def comes(stack: Stack, room: str) -> bool:
    """Whether a new room that is joined with the project's own token gets its agent."""
    with stack.join(room, publish=True) as visitor:
        return visitor.agent_came(15)


def container(stack: Stack) -> str:
    """The worker's container as it runs: its id, and when it was started."""
    name = stack.container("voice-agent")
    return stack.docker("inspect", "--format", "{{.Id}} {{.State.Status}} {{.State.StartedAt}}", name)


def points(run: Row, proof: str = "proof") -> dict[str, tuple[bool | None, str]]:
    """The points of a run's proof, by name."""
    return {point["name"]: (point["ok"], point["says"]) for point in run[proof]["points"]}


def slowly(stack: Stack, seconds: int = 6) -> None:
    """Let a build take so long, once, that it can be broken off in its middle; what it makes is the same."""
    dockerfile = stack.sources / "Dockerfile"
    text = dockerfile.read_text(encoding="utf-8")
    pause = f"COPY scripts scripts\nRUN sleep {seconds} # {time.time_ns()}: no build before has done it"
    dockerfile.write_text(text.replace("COPY scripts scripts", pause), encoding="utf-8")
