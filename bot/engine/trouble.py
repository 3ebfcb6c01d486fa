"""What is said where the store cannot be read or written at present."""

from __future__ import annotations

from bot.errors import Unreachable


class StoreTrouble(Unreachable):
    """The store cannot be read or written at present; nothing of the change is in it."""
