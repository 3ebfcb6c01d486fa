"""How a canary looks at what is around it: as `fletcher diagnose` does, at the deployment that its probe names."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bot.findings import Finding, findings

if TYPE_CHECKING:
    from bot.livekit.seen import Seen
    from bot.probes.values import Probe
    from bot.settings import Target


class Eyes(Protocol):
    """How a canary looks at what is around it. Each method raises FletcherError."""

    def seen(self) -> Seen:
        """What runs now, with its logs and its source."""

    def verdict(self, room: str) -> tuple[Finding, ...]:
        """What a diagnosis says of this room."""


@dataclass(frozen=True, slots=True)
class Looking:
    """The deployment that a probe names, looked at as `fletcher diagnose` does."""

    probe: Probe

    def seen(self) -> Seen:
        """What runs now."""
        from bot.evidence.look import Question, look

        with ExitStack() as opened:
            return look(Question(target=self._target(), here=self.probe.here), opened).seen

    def verdict(self, room: str) -> tuple[Finding, ...]:
        """What a diagnosis says of this room."""
        from bot.diagnose import diagnose
        from bot.evidence.look import Question

        with diagnose(Question(rooms=(room,), target=self._target(), here=self.probe.here)) as answer:
            return findings(answer)

    def _target(self) -> Target:
        from bot.settings import targets

        here, config = Path(self.probe.here), self.probe.config
        return targets(os.environ, here, here / config if config else None).choose(self.probe.target or None)
