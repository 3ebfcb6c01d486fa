"""What the engine is given: how to look, to act and to prove; and who listens to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from bot.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from bot.engine.values import Decision, Event, Looked, Order, Proof, Run
    from bot.plan.values import Checked
    from bot.policy import Policy
    from bot.probes.values import Result, Standing
    from bot.redact import Redactor
    from bot.runbook.document import AnyBlock, Check, Input, Runbook, Verify
    from bot.steps.contract import Doing, Kind
    from bot.world.contract import World


class Sight(NamedTuple):
    """What a look came to, as it may be written down; and the values of inputs that its plan masks, which may not."""

    looked: Looked
    masked: dict[str, str]


class Eyes(Protocol):
    """How a run looks, before it asks and again before it acts. Each method raises FletcherError."""

    def look(self, order: Order, runbook: Runbook, inputs: dict[str, str]) -> Sight:
        """Look, judge and plan; `inputs` are those that were given, with their secret values.

        What of the inputs the plan masks is in `Sight.masked`, and nowhere in what is looked at.
        """

    def redactor(self, order: Order, looked: Looked) -> Redactor:
        """Who masks the secrets of what was looked at; made anew after a restart, since secrets are not written down."""


class Prover(Protocol):
    """Tells whether what was done holds. Done at least once: a crash in the middle begins it anew.

    `run` has the rows of its steps, with what each remembered and came to. FletcherError means that it cannot be told.
    """

    def prove(self, run: Run, doing: Doing) -> Proof:
        """Whether the steps that were done made a failing state a working one."""

    def prove_undone(self, run: Run, doing: Doing) -> Proof:
        """Whether, after everything was taken back, what ran before runs again as it was."""


class Herald(Protocol):
    """A door while it attends a run: it asks its person, and shows what happens."""

    def ask(self, run: Run) -> Decision | None:
        """The person's answer to the plan; None leaves the question open, for somebody else or for later."""

    def tell(self, event: Event) -> None:
        """Show it."""

    def hand(self, folder: Path, token: str) -> str:
        """Give a new token to this person, who asked for it; the file that it is in, "" where it is only shown.

        `folder` is the run's own (0700). The token is written down nowhere else. Raises FletcherError.
        """


def nobody(_order: Order) -> None:
    """Nobody is here who could take a token."""


def blind(_standing: Standing, _stop: Callable[[], bool]) -> Result:
    """Nobody is here who could look."""
    raise Unreachable("this process cannot look with a runbook")


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything outside the engine, so that a demo and tests bring their own.

    `kind` finds what carries out a block; `ask` runs the script of a check and says what it came to. `hand` is how a new
    token gets to who ordered the run, None where he is not here. `probe` makes one look of a probe: given how it stands, and
    what says whether the look should stop.
    """

    eyes: Eyes
    make_world: Callable[[Order], World]
    kind: Callable[[AnyBlock], Kind]
    ask: Callable[[Check | Verify, Mapping[str, str], Iterable[Input], str, Doing], Checked]
    prover: Prover
    policy: Policy | None = None
    hand: Callable[[Order], Callable[[str], str] | None] = nobody
    probe: Callable[[Standing, Callable[[], bool]], Result] = blind
