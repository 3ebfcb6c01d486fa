"""How rooms are called that Fletcher makes itself, so that a diagnosis leaves them out, and how it marks what it sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Container

CANARY: Final = "fletcher-canary-"
LOOK: Final = f"{CANARY}look-"  # of a probe's look, which ends it within a minute; others are a run's proof
MARK: Final = "fletcher"  # the key of our mark in a dispatch's metadata, and in a room's


def own(room: str, asked: Container[str] = ()) -> bool:
    """Whether a room is one that Fletcher made to prove something, and nobody asks about it."""
    return room.startswith(CANARY) and room not in asked
