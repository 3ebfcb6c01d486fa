"""What Fletcher needs to speak with Slack, as the environment and its files set it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bot.errors import UsageError
from bot.settings_file import url_trouble

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.settings import Value

_API: Final = "https://slack.com/api/"
_BEGINS: Final = {"SLACK_BOT_TOKEN": "xoxb-", "SLACK_APP_TOKEN": "xapp-"}


@dataclass(frozen=True, slots=True)
class Tokens:
    """The bot's token, the app's, and the address of Slack's Web API."""

    bot: str = field(repr=False)
    app: str = field(repr=False)
    url: str = _API


def tokens(known: Mapping[str, Value]) -> Tokens | None:
    """What is set; None where neither token is. Raises UsageError where one is missing or no such token."""
    given = {name: known[name] for name in _BEGINS if name in known}
    if not given:
        return None
    for name, begins in _BEGINS.items():
        if name not in given:
            other = next(iter(given))
            raise UsageError(
                f"{other} is set ({given[other].origin}) and {name} is not; Slack needs both (docs/slack.md)"
            )
        if not given[name].text.startswith(begins):
            raise UsageError(
                f"{name} ({given[name].origin}) is no such token: one begins with {begins} (docs/slack.md)"
            )
    address = known.get("SLACK_API_URL")
    if address is not None and (trouble := url_trouble(address.text, ("https", "http"))):
        raise UsageError(f"SLACK_API_URL ({address.origin}) {trouble}")
    return Tokens(given["SLACK_BOT_TOKEN"].text, given["SLACK_APP_TOKEN"].text, address.text if address else _API)
