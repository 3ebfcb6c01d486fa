"""What every kind of step can do, so that the engine needs to know none of them.

A step is done at least once: a crash may come between its work and the record of it. So what undoing needs is remembered
(and recorded by the engine) before it is done, and `settled` recognises work that is finished already.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from msgspec import Struct

from bot.plan.values import Step  # noqa: TC001  # the values are made of it
from bot.runbook.document import AnyBlock  # noqa: TC001  # the values are made of it

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from threading import Event

    from bot.redact import Redactor
    from bot.world.contract import World


class Task(Struct, frozen=True, kw_only=True):
    """One step to be carried out: as it was planned, and as the runbook has it, with the inputs' values.

    `folder` is the project's on this machine. `roots` are the folders and files that the look read (as given), from which
    an edit is computed again.
    """

    run: str
    step: Step
    block: AnyBlock
    inputs: dict[str, str]
    folder: str
    roots: tuple[str, ...] = ()


class Memory(Struct, frozen=True, kw_only=True):
    """What must be known to undo a step, or to recognise its work; written down before it is done.

    `files` are (path, SHA-256 before, SHA-256 after, path of the before-image). `facts` are of the kind's own, such as the
    image that a container ran before.
    """

    began_ns: int
    files: tuple[tuple[str, str, str, str], ...] = ()
    facts: dict[str, str] = {}


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of a step. `says` is a sentence for a person; `output` the file with its whole output, "" for none.

    "unknown" is what may or may not have been done; times are the engine's, in nanoseconds. `facts` are what later steps
    and the proof need, such as the claims of a new token.
    """

    state: Literal["done", "failed", "unknown"]
    says: str
    began_ns: int
    ended_ns: int
    output: str = ""
    facts: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Doing:
    """With what a step is done: the outside, the run's own folder (0700), where its progress is told, and a way to stop it.

    `tell` gets each line of output, redacted. `stop` is set when the run is cancelled or the process is to end.
    """

    world: World
    scratch: Path
    redactor: Redactor
    tell: Callable[[str], None]
    stop: Event


class Kind(Protocol):
    """One kind of step. Every method may raise FletcherError: nothing was changed then, and its sentence says why."""

    def remember(self, task: Task, doing: Doing) -> Memory:
        """What undoing will need; changes nothing but files in the run's own folder."""

    def perform(self, task: Task, memory: Memory, doing: Doing) -> Outcome:
        """Do it; work of its own that is finished already is found and not done twice."""

    def settled(self, task: Task, memory: Memory, doing: Doing) -> bool | None:
        """After a crash: whether its work is done (True), not begun or safe to begin anew (False), or cannot be told (None)."""

    def undo(self, task: Task, memory: Memory, doing: Doing) -> Outcome | None:
        """Take it back; None where there is nothing to take back."""
