"""Who speaks in Slack, and where: a person of this workspace by the name that fletcher.toml declares, or why not.

Only the member id counts, and only in this workspace: names can be changed by whoever bears them. What Slack does not
answer is not guessed: nobody is let through whom it does not vouch for.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from slack_sdk.errors import SlackClientError

from bot.engine.values import Person
from bot.errors import Unreachable
from bot.policy import name_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from slack_sdk.web.async_client import AsyncWebClient

    from bot.settings_policy import Declared

FRESH: Final = 60.0  # seconds for which an answer of Slack counts
_KEPT: Final = 5000  # answers that are kept at most
_REFUSED: Final = (
    ("deleted", "this account is deactivated"),
    ("is_bot", "a bot gives no orders and no approvals"),
    ("is_workflow_bot", "a workflow gives no orders and no approvals"),
    ("is_stranger", "you belong to another organisation, and Fletcher serves only this workspace"),
    ("is_restricted", "guests of this workspace may not use Fletcher; ask one of its members"),
    ("is_ultra_restricted", "guests of this workspace may not use Fletcher; ask one of its members"),
)
TROUBLES: Final = (SlackClientError, aiohttp.ClientError, TimeoutError)  # how Slack may fail to answer


@dataclass(frozen=True, slots=True)
class Place:
    """A channel; `here` is whether Fletcher can post in it, `why_not` why nothing is done from it, "" when it is fine."""

    channel: str
    here: bool = True
    why_not: str = ""


class Who:
    """Knows people and channels of one workspace, each for a minute at most."""

    def __init__(
        self,
        client: AsyncWebClient,
        team: str,
        persons: tuple[Declared, ...],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._team, self._persons, self._clock = client, team, persons, clock
        self._known: dict[tuple[str, str], tuple[float, Any]] = {}

    async def person(self, user: str, team: str, channel: str) -> Person:
        """Who this is; `team` is the workspace of the account as the event tells it, "" where it does not.

        Raises Unreachable for a guest, a stranger, a bot, and where Slack does not say who it is.
        """
        if not user or user == "USLACKBOT":
            raise Unreachable("a bot gives no orders and no approvals.")
        known = await self._fresh(("user", user), lambda: self._user(user))
        for flag, sentence in _REFUSED:
            if known.get(flag):
                raise Unreachable(f"{sentence}.")
        if known.get("team_id") != self._team or team not in {"", self._team}:
            raise Unreachable("this account belongs to another workspace, and Fletcher serves only this one.")
        return Person(name_of(self._persons, "slack", user), "slack", channel, user)

    async def place(self, channel: str, user: str, *, posted: bool) -> Place:
        """What channel this is; `posted` is whether Fletcher is known to be in it, as where its own message is clicked on.

        Raises Unreachable where Slack does not say.
        """
        if channel.startswith("D"):  # to look into one would need one more permission
            own = posted or await self._fresh(("dm", user), lambda: self._dm(user)) == channel
            return Place(channel, here=own)
        place: Place = await self._fresh(("channel", channel), lambda: self._channel(channel))
        return place

    # --- what Slack says -------------------------------------------------------------------------

    async def _fresh(self, key: tuple[str, str], ask: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401  # each its own
        until, known = self._known.get(key, (0.0, None))
        if self._clock() < until:
            return known
        try:
            answer = await ask()
        except TROUBLES as trouble:
            raise Unreachable(
                f"Slack does not say just now {'who you are' if key[0] == 'user' else 'which channel this is'} ({code(trouble)}), and nothing is done for somebody "
                "who is not known; try again in a minute."
            ) from None
        while len(self._known) >= _KEPT:
            self._known.pop(next(iter(self._known)))
        self._known[key] = (self._clock() + FRESH, answer)
        return answer

    async def _user(self, user: str) -> dict[str, Any]:
        answer = await self._client.users_info(user=user)
        found: dict[str, Any] = answer.get("user") or {}
        return found

    async def _dm(self, user: str) -> str:
        answer = await self._client.conversations_open(users=[user])
        channel: str = (answer.get("channel") or {}).get("id", "")
        return channel

    async def _channel(self, channel: str) -> Place:
        try:
            answer = await self._client.conversations_info(channel=channel)
        except SlackClientError as trouble:
            if code(trouble) == "channel_not_found":  # a private one, in which Fletcher is not
                return Place(channel, here=False)
            if code(trouble) == "missing_scope":  # of all kinds the manifest leaves out only this one
                return Place(channel, why_not="Fletcher does nothing in group messages; use a channel.")
            raise
        info: dict[str, Any] = answer.get("channel") or {}
        if info.get("is_mpim"):
            return Place(channel, why_not="Fletcher does nothing in group messages; use a channel.")
        if info.get("is_ext_shared"):
            return Place(
                channel,
                why_not="this channel is shared with another organisation, so Fletcher does nothing in it; use another one.",
            )
        return Place(channel, here=bool(info.get("is_member")))


def code(trouble: BaseException) -> str:
    """What went wrong with a call, in Slack's word for it, else by the kind of trouble."""
    if isinstance(trouble, SlackClientError) and (response := getattr(trouble, "response", None)) is not None:
        try:
            return str(response["error"])
        except (KeyError, TypeError, ValueError):
            return f"HTTP {getattr(response, 'status_code', '?')}"
    return "no answer in time" if isinstance(trouble, asyncio.TimeoutError) else type(trouble).__name__
