"""Whether this process is the one that says things in Slack by itself: of several on one database only one does."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.engine.front import Front


def leads(front: Front) -> bool:
    """Whether it is; it may wait for the database. Where several share one, who does not act yet or any more is not."""
    lease = front.lease
    return not front.shared if lease is None else lease.leads("slack")
