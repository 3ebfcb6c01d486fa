"""Answers that only who asked sees, by whichever way reaches him: the command's own, beside the message, a direct message."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.doors.slack.who import TROUBLES, code

if TYPE_CHECKING:
    import aiohttp
    from slack_sdk.web.async_client import AsyncWebClient

    from bot.report.slack.message import Message

_QUIET: Final[dict[str, Any]] = {"unfurl_links": False, "unfurl_media": False}

_log = logging.getLogger("fletcher.slack")


@dataclass(frozen=True, slots=True)
class Spot:
    """Where and by whom something was said or pressed.

    `team` is the workspace of the account, "" where the event does not tell it; `thread` the message in whose thread it
    was, `message` the one with the button; `posted` is whether Fletcher is known to be in the channel; `response_url`
    answers there without being in it.
    """

    user: str
    team: str = ""
    channel: str = ""
    thread: str = ""
    response_url: str = ""
    posted: bool = False
    message: str = ""

    @property
    def direct(self) -> bool:
        """Whether it was said to Fletcher alone."""
        return self.posted and self.channel.startswith("D")


class Replies:
    """Tells people what they asked for, or why not; what cannot be told is in the log."""

    def __init__(self, client: AsyncWebClient, session: aiohttp.ClientSession) -> None:
        self._client, self._session = client, session

    async def tell(self, spot: Spot, message: Message) -> None:
        """Tell it to him alone."""
        for way in (self._back, self._beside, self._alone):
            try:
                if await way(spot, message):
                    return
            except TROUBLES as trouble:
                _log.warning("an answer could not be given %s: %s", way.__name__.strip("_"), code(trouble))

    async def _back(self, spot: Spot, message: Message) -> bool:
        if not spot.response_url:
            return False
        hook = AsyncWebhookClient(
            spot.response_url, session=self._session, proxy=self._client.proxy, logger=self._client._logger,  # noqa: SLF001  # it has no other
            retry_handlers=self._client.retry_handlers,
        )  # fmt: skip
        answer = await hook.send(response_type="ephemeral", replace_original=False, **_content(message), **_QUIET)
        return answer.status_code == 200

    async def _beside(self, spot: Spot, message: Message) -> bool:
        if not spot.channel or spot.direct:
            return False
        await self._client.chat_postEphemeral(
            channel=spot.channel, user=spot.user, thread_ts=spot.thread or None, **_content(message)
        )
        return True

    async def _alone(self, spot: Spot, message: Message) -> bool:
        channel = spot.channel
        if not spot.direct:
            channel = (await self._client.conversations_open(users=[spot.user]))["channel"]["id"]
        await self._client.chat_postMessage(
            channel=channel, thread_ts=spot.thread or None if spot.direct else None, **_content(message), **_QUIET
        )
        return True


def _content(message: Message) -> dict[str, Any]:
    return {"text": message.text, **({"blocks": list(message.blocks)} if message.blocks else {})}
