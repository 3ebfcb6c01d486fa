"""The emulator as the store behind our gateway: messages, threads, views and files are its own.

What it lacks stays the gateway's: Socket Mode, commands and clicks, limits, tokens that are none, channels in which the app is
not, and of a person what makes him a guest or a stranger.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import ClientSession

from tests.doubles.slack import BOT_TOKEN
from tests.doubles.slack_methods import SCOPES
from tests.doubles.slack_workspace import (
    ADA,
    APP,
    BOT,
    BOT_ID,
    DEV,
    GRACE,
    LIN,
    OPS,
    Channel,
    User,
    channels,
    people,
)

if TYPE_CHECKING:
    from tests.doubles.slack_workspace import Json

READER = "xoxb-1-who-reads-back"  # another app, which may read everything
_READS = ("channels:read", "channels:history", "im:read", "im:history", "users:read", "chat:write", "im:write")


def seed() -> Json:
    """What is in it at first: the people, two channels, and the app with the scopes of its manifest, which are enforced."""
    app = {
        "app_id": APP,
        "name": "Fletcher",
        "bot_id": BOT_ID,
        "bot_user_id": BOT,
        "bot_name": "fletcher",
        "scopes": [*SCOPES],
    }
    app |= {"client_id": "1.1", "client_secret": "made-up", "redirect_uris": []}
    tokens = [
        {
            "token": BOT_TOKEN,
            "type": "bot",
            "user_id": BOT,
            "bot_id": BOT_ID,
            "bot_user_id": BOT,
            "app_id": APP,
            "scopes": [*SCOPES],
        }
    ]
    tokens += [{"token": READER, "type": "user", "user": "ada", "scopes": [*_READS]}]
    known = people()
    return {
        "users": [{"name": known[one].name, "real_name": known[one].name.title()} for one in (ADA, GRACE, LIN)],
        "channels": [{"name": channels()[one].name} for one in (OPS, DEV)],
        "oauth_apps": [app], "tokens": tokens, "strict_scopes": True,
    }  # fmt: skip


@dataclass
class Emulated:
    """Calls the emulator at `url`. People and channels have its ids; those of the tests lead to them too."""

    url: str
    users: dict[str, User] = field(default_factory=people)
    channels: dict[str, Channel] = field(default_factory=channels)
    session: ClientSession | None = None
    known: dict[str, list[Json]] = field(
        default_factory=dict
    )  # since it was last written to: it takes 5000 calls in an hour

    async def call(self, method: str, args: Json) -> Json:
        """What the method answers, in the name of the app."""
        self.known = {}
        answer = await self._asked(method, args, BOT_TOKEN)
        for name in ("unfurl_links", "unfurl_media"):  # what was asked for is no part of a message
            answer.get("message", {}).pop(name, None)
        if method == "users.info" and answer["ok"]:
            answer["user"] |= self.users[args["user"]].told()
        if method == "conversations.info" and answer["ok"]:
            answer["channel"] |= self.channels[args["channel"]].told()
        return answer

    async def trigger(self, user: str) -> str:
        """A trigger id of the emulator's own."""
        made: str = (await self._asked("views.generateTriggerId", {"user_id": user}, BOT_TOKEN))["trigger_id"]
        return made

    async def read(self, channel: str) -> list[Json]:
        """Every message as the emulator has it, the oldest first."""
        found, known = self.known.get(channel), self.known
        if found is None:
            found = []
            answer = await self._asked("conversations.history", {"channel": channel, "limit": 200}, READER)
            for root in reversed(answer.get("messages", [])):
                replies = await self._asked("conversations.replies", {"channel": channel, "ts": root["ts"]}, READER)
                found += replies["messages"]
            known[channel] = found  # of the time before, where it was written to meanwhile
        return deepcopy(found)

    async def put(self, channel: str, message: Json) -> None:
        """What a person wrote; here all of it is ada's."""
        self.known = {}
        given = {"channel": channel, "text": message["text"]}
        if "thread_ts" in message:
            given["thread_ts"] = message["thread_ts"]
        message["ts"] = (await self._asked("chat.postMessage", given, READER))["ts"]

    async def direct(self, user: str) -> Channel:
        """The direct message of the app with a person."""
        answer = await self._asked("conversations.open", {"users": user}, BOT_TOKEN)
        made = Channel(answer["channel"]["id"], "", im=user)
        return self.channels.setdefault(made.id, made)

    async def close(self) -> None:
        """Give back the connection."""
        if self.session is not None:
            await self.session.close()

    async def learn(self) -> None:
        """Take over its ids of people and channels."""
        users = {one["name"]: one["id"] for one in (await self._asked("users.list", {}, READER))["members"]}
        listed = {one["name"]: one["id"] for one in (await self._asked("conversations.list", {}, READER))["channels"]}
        for name, user in [*self.users.items()]:
            if user.name in users and name != BOT:
                self.users[name] = self.users[users[user.name]] = User(users[user.name], user.name, flags=user.flags)
        for name, channel in [*self.channels.items()]:
            if channel.name in listed:
                self.channels[name] = self.channels[listed[channel.name]] = Channel(listed[channel.name], channel.name)

    async def _asked(self, method: str, args: Json, token: str) -> Json:
        if self.session is None:
            self.session = ClientSession()
        headers = {"Authorization": f"Bearer {token}"}
        async with self.session.post(f"{self.url}/api/{method}", json=args, headers=headers) as response:
            answer: Json = await response.json()
            return answer
