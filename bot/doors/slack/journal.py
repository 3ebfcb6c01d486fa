"""Where each message is, kept beside the runs; what cannot be read or written is in the log, and the message goes out."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from bot.errors import FletcherError

if TYPE_CHECKING:
    from bot.engine.front import Front

_log = logging.getLogger("fletcher.slack")


class Journal:
    """The places of messages by their keys: a channel and a ts."""

    def __init__(self, front: Front) -> None:
        self._front = front

    async def place(self, key: str) -> tuple[str, str] | None:
        """Where the message with this key is, None where it is nowhere."""
        try:
            kept = await asyncio.to_thread(self._front.kept, "slack", key)
        except FletcherError as trouble:  # then it may be posted twice, which is better than never
            _log.warning("%s", trouble)
            return None
        channel, ts, *_ = (*kept.get(key, "").split(" "), "")
        return (channel, ts) if ts else None

    async def keep(self, key: str, channel: str = "", ts: str = "") -> None:
        """Keep where it is; without a place, that it is nowhere any more."""
        try:
            await asyncio.to_thread(self._front.keep, "slack", key, f"{channel} {ts}".strip())
        except FletcherError as trouble:
            _log.warning("%s", trouble)
