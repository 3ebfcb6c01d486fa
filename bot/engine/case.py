"""One proof while it is made: what it is about, until when, and what was found so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bot.engine.values import Point, Proof

if TYPE_CHECKING:
    from bot.engine.values import Run
    from bot.runbook import document as doc
    from bot.steps.contract import Doing
    from bot.world.contract import World

SECOND: Final = 1_000_000_000  # nanoseconds
POLL: Final = 0.5  # seconds between two looks; the API is asked gently
_LONG: Final = 2.0  # seconds; a wait that is longer is told


@dataclass(slots=True, kw_only=True)
class Case:
    """`since_ns` is from when on lines count, `deadline_ns` until when it has to show; both by the engine's clock."""

    run: Run
    doing: Doing
    block: doc.Verify
    since_ns: int
    deadline_ns: int
    points: list[Point] = field(default_factory=list)

    @property
    def world(self) -> World:
        """The outside."""
        return self.doing.world

    @property
    def stopped(self) -> bool:
        """Whether the run was cancelled meanwhile."""
        return self.doing.stop.is_set()

    def add(self, name: str, says: str, ok: bool | None, at_ns: int = 0) -> None:  # noqa: FBT001  # three-valued, and named wherever it is written out
        """Keep a point, and tell it."""
        self.points.append(Point(name, ok, self.doing.redactor.text(says), at_ns))
        self.tell(says)

    def tell(self, says: str) -> None:
        """Tell what is seen, or waited for."""
        self.doing.tell(self.doing.redactor.text(says))

    def left(self) -> bool:
        """Whether there is time left."""
        return self.world.now() < self.deadline_ns and not self.stopped

    def pause(self, until_ns: int = 0) -> None:
        """Let time pass until the next look; no longer than until a moment that is waited for."""
        left = (until_ns - self.world.now()) / SECOND
        self.world.wait(min(POLL, left) if left > 0 else POLL)

    def wait_until(self, at_ns: int, what: str = "") -> None:
        """Let time pass, and tell `what` for if it is long; a run that is cancelled waits no longer."""
        seconds = (at_ns - self.world.now()) / SECOND
        if what and seconds > _LONG:
            self.tell(f"waiting {seconds:.0f} s {what}")
        while self.world.now() < at_ns and not self.stopped:
            self.world.wait(min(POLL, max((at_ns - self.world.now()) / SECOND, 0.01)))

    def proof(self, result: str, says: str) -> Proof:
        """What it all came to."""
        return Proof(result=result, points=tuple(self.points), says=self.doing.redactor.text(says))  # type: ignore[arg-type]  # one of three
