"""Whether this process does what it is there for: what `/healthz` tells and the dead man's switch depends on."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLate
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bot.errors import FletcherError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bot.doors.slack.connect import State
    from bot.engine.front import Front
    from bot.engine.measured import Measured

PATIENCE: Final = 2.0  # seconds that anybody is kept waiting for the store
_BEAT: Final = 15.0  # seconds; what carries runs out sees to what others want many times in each of them
_SILENT: Final = 60.0  # seconds after which a slot should be written down, and one that is due be taken
_AHEAD: Final = 300.0  # seconds that the clock of another replica may be before ours

_log = logging.getLogger("fletcher.http")


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that is looked at: whether it is as it should be, and a sentence without anything secret."""

    ok: bool
    says: str


@dataclass(frozen=True, slots=True)
class Report:
    """All of it. `parts` decide whether the process is well; `held` and `slack` (None: not used) do not."""

    parts: dict[str, Part]
    last_slot_age: float | None = None
    held: bool = False
    slack: bool | None = None

    @property
    def ok(self) -> bool:
        """Whether everything is as it should be."""
        return all(part.ok for part in self.parts.values())

    @property
    def trouble(self) -> str:
        """What is not, as a sentence; "" when all is."""
        return " ".join(part.says for part in self.parts.values() if not part.ok)


class Health:
    """Looks at one front; `slack` is how things stand with it, None where it is not used."""

    def __init__(self, front: Front, slack: State | None) -> None:
        self._front, self._slack = front, slack
        self._asked = _Asked(front.measured)

    @property
    def slack(self) -> bool | None:
        """Whether this process is connected to Slack, None where it need not be."""
        return None if self._slack is None else self._slack.open > 0

    def measured(self, patience: float = PATIENCE) -> Measured:
        """The figures of the deployment. Raises TooLate, and FletcherError where the store cannot be read."""
        return self._asked(patience)

    def report(self) -> Report:
        """How things are now, within PATIENCE."""
        beat = self._front.beat()
        acts = beat is not None and beat < _BEAT
        executor = Part(acts, "Runs are carried out." if acts else "Nothing is carried out by this process.")
        try:
            now = self.measured()
        except TooLate:
            store = Part(ok=False, says=f"The store did not answer within {PATIENCE:g} s.")
        except FletcherError:
            store = Part(ok=False, says="The store cannot be read.")
        except Exception:  # noqa: BLE001  # whoever asks gets an answer
            _log.exception("the store could not be measured")
            store = Part(ok=False, says="The store could not be measured, which is a bug in Fletcher.")
        else:
            slots = max(now.newest.values(), default=0)
            parts = {"executor": executor, "store": Part(ok=True, says="The store is readable."), "clock": _clock(now)}
            age = round(now.at - slots, 1) if slots else None
            return Report(parts, age, now.hold is not None, self.slack)
        clock = Part(ok=False, says="Whether the clock goes is not known.")
        return Report({"executor": executor, "store": store, "clock": clock}, slack=self.slack)


def _clock(now: Measured) -> Part:
    """Whether what is due is written down, and looked."""
    from bot.probes.slots import between

    if not now.standings:
        return Part(ok=True, says="No probe is declared.")
    ahead = [name for name, known in now.known.items() if known > now.at + _AHEAD]
    if ahead:
        says = f"The clock is silent: this machine's was ahead, so that {_some(ahead)} would not be due for long; start `fletcher serve` anew."
        return Part(ok=False, says=says)
    until = now.at - _SILENT
    silent = [one.probe.name for one in now.standings if between(one.probe, now.known[one.probe.name], until).newest]
    if silent:
        return Part(ok=False, says=f"The clock is silent: {_some(silent)} was due and is not written down.")
    if now.due is not None and now.due < until:
        return Part(ok=False, says=f"Nobody looks: a probe has been due for {now.at - now.due:.0f} s.")
    return Part(ok=True, says=f"The clock goes for {len(now.standings)} {'probe' if len(now.standings) == 1 else 'probes'}.")  # fmt: skip


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


class _Asked:
    """Something that may hang is asked in a thread; whoever asks meanwhile waits for the same answer, and never for long."""

    def __init__(self, ask: Callable[[], Measured]) -> None:
        self._ask, self._lock = ask, threading.Lock()
        self._answer: Future[Measured] | None = None

    def __call__(self, patience: float) -> Measured:
        """The answer, of a question that is asked now or still open. Raises TooLate, and what the question raises."""
        with self._lock:
            if self._answer is None or self._answer.done():
                asked: Future[Measured] = Future()
                threading.Thread(target=self._run, args=(asked,), name="measures", daemon=True).start()
                self._answer = asked  # only now: where no thread could be had, the next one asks anew
            answer = self._answer
        return answer.result(patience)

    def _run(self, answer: Future[Measured]) -> None:
        try:
            answer.set_result(self._ask())
        except BaseException as problem:  # noqa: BLE001  # it is raised where it was asked
            answer.set_exception(problem)


@contextmanager
def watched(front: Front, slack: State | None, listen: tuple[str, int] | None, ping: str) -> Iterator[None]:
    """Answer over HTTP and call the dead man's switch while the context lasts, where either is wanted.

    Raises Unreachable where nothing can listen.
    """
    if listen is None and not ping:
        yield
        return
    # Loaded before there is a second thread: SQLAlchemy is not to be used while another one loads the rest of it.
    from bot.engine import executor, measured  # noqa: F401

    health = Health(front, slack)
    with ExitStack() as held:
        if listen is not None:
            from bot.doors.http import answering

            held.enter_context(answering(health, *listen))
        if ping:
            from bot.doors.ping import pinging

            held.enter_context(pinging(health, ping))
        yield
