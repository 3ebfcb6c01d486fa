"""What the readers find in one file, with the spans that an edit would need."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.livekit.setup import Language, Unread, Via
    from bot.source.text import Spot
    from bot.source.values import Table, Value


@dataclass(frozen=True, slots=True)
class FoundWorker:
    """A registration: `options` is None when they cannot be told, `why` then says so.

    `table` is the literal (or the merged literals) from which the options come; its entries have
    the spans of the properties. In Python the options of the AgentServer come before the session's.
    """

    language: Language
    spot: Spot
    options: Table | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class FoundDispatch:
    """A place that asks for an agent; `spot` is the innermost call or object that names it.

    `conditional` is None when it only depends on the agent's name being there.
    """

    spot: Spot
    via: Via
    name: Value
    conditional: bool | None
    deployment: Value


@dataclass(slots=True)
class FoundToken:
    """A call that makes an access token."""

    spot: Spot
    dispatches: bool = False
    joins: bool = True


@dataclass(slots=True)
class Found:
    """All that one file says."""

    workers: list[FoundWorker] = field(default_factory=list)
    dispatches: list[FoundDispatch] = field(default_factory=list)
    tokens: list[FoundToken] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
