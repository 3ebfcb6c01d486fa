"""The calls that are made to Slack for what is to last, each once; what fails raises one of TROUBLES."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import aiohttp
from slack_sdk.errors import SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

if TYPE_CHECKING:
    from bot.report.slack.message import Message, Upload

_PATIENCE: Final = 30  # seconds for one call
_KEPT_OPEN: Final = 10.0  # seconds: shorter than Slack does, so that no call meets a connection that is being closed
TROUBLES: Final = (SlackClientError, aiohttp.ClientError, OSError, TimeoutError)


class Calls:
    """Calls with a session of their own, in whichever loop makes the first one.

    `client` says where Slack is and who we are; its own retries are not used, since what waits becomes newer.
    """

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = AsyncWebClient(
            token=client.token, base_url=client.base_url, timeout=_PATIENCE, ssl=client.ssl, proxy=client.proxy, headers=client.headers,
            retry_handlers=[], logger=client._logger,  # noqa: SLF001  # there is no other way to it
        )  # fmt: skip
        self._client.proxy = client.proxy  # which it would look for anew where there is to be none
        self._closed = False

    async def close(self) -> None:
        """Give the connections back; no call is made any more."""
        self._closed = True
        if self._client.session is not None:
            await self._client.session.close()

    async def direct(self, account: str) -> str:
        """The channel of direct messages with a member."""
        answer = await self._connected().conversations_open(users=account)
        return str(answer["channel"]["id"])

    async def post(self, channel: str, thread: str | None, message: Message, key: str) -> tuple[str, str]:
        """Post a message; its channel and ts. `key` is put beside it, by which it can be found."""
        answer = await self._connected().chat_postMessage(
            channel=channel, thread_ts=thread, text=message.text, blocks=list(message.blocks) or None, unfurl_links=False, unfurl_media=False,
            metadata={"event_type": "fletcher", "event_payload": {"key": key}},
        )  # fmt: skip
        return str(answer["channel"]), str(answer["ts"])

    async def upload(self, file: Upload) -> str:
        """Give Slack a file, which nobody sees before it is shared; its id."""
        client, data = self._connected(), file.text.encode()
        where = await client.files_getUploadURLExternal(filename=file.name, length=len(data))
        assert client.session is not None  # noqa: S101  # _connected has made it
        async with client.session.post(
            str(where["upload_url"]), data=data, proxy=client.proxy, ssl=client.ssl or True, raise_for_status=True
        ):
            return str(where["file_id"])

    async def share(self, channel: str, thread: str | None, file: Upload, file_id: str) -> None:
        """Post a file that Slack has."""
        await self._connected().files_completeUploadExternal(
            files=[{"id": file_id, "title": file.title}], channel_id=channel, thread_ts=thread, initial_comment=file.says or None
        )  # fmt: skip

    async def update(self, channel: str, ts: str, message: Message) -> None:
        """Change a message.

        Slack knows no word against unfurling here: what is only edited is not unfurled. Without blocks those before
        would stay.
        """
        await self._connected().chat_update(channel=channel, ts=ts, text=message.text, blocks=list(message.blocks))

    async def publish(self, account: str, view: dict[str, Any]) -> None:
        """Show an App Home."""
        await self._connected().views_publish(user_id=account, view=view)

    async def found(self, channel: str, thread: str | None, key: str) -> str | None:
        """The ts of the message with this key among the newest of a channel or thread, None where there is none.

        Slack allows it in direct messages, elsewhere only with `channels:history` and `groups:history`.
        """
        asked: dict[str, Any] = {"channel": channel, "include_all_metadata": True, "limit": 100}
        client = self._connected()
        if thread:
            answer = await client.conversations_replies(ts=thread, **asked)
        else:
            answer = await client.conversations_history(**asked)
        messages: list[dict[str, Any]] = answer.get("messages", [])
        for message in messages:
            if message.get("metadata", {}).get("event_payload", {}).get("key") == key:
                return str(message["ts"])
        return None

    def _connected(self) -> AsyncWebClient:
        """Our client, with a session that was made in this loop."""
        if self._closed:
            raise ConnectionAbortedError("closed")
        if self._client.session is None:
            self._client.session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(keepalive_timeout=_KEPT_OPEN), timeout=aiohttp.ClientTimeout(_PATIENCE)
            )
        return self._client
