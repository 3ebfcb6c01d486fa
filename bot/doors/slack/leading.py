"""Whether this process is the one that says things in Slack by itself: of several on one database only one does."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.engine.front import Front


def leads(front: Front) -> bool:
    """Whether it is; a process that shares its database with no other always is. It may ask the database."""
    lease = getattr(front, "lease", None)
    return lease is None or bool(lease.leads("slack"))
