"""What it means that Slack did not do what it was asked. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from slack_sdk.errors import SlackApiError, SlackClientError

_WAIT: Final = frozenset(
    {"ratelimited", "rate_limited", "message_limit_exceeded", "internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"}
)  # fmt: skip
_ODD: Final = frozenset({"internal_error", "fatal_error"})
#: The message, or the thread that it belongs to, is no longer there.
_GONE: Final = frozenset({"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"})
#: The channel does not take it, whatever it says; each with what a person is told.
_PLACE: Final = {
    "channel_not_found": "I am not in it (`/invite @fletcher` there)",
    "not_in_channel": "I am not in it (`/invite @fletcher` there)",
    "is_archived": "it is archived",
    "restricted_action": "this workspace does not let me post in it",
    "restricted_action_read_only_channel": "it is read-only",
    "restricted_action_thread_only_channel": "it takes only replies",
    "restricted_action_non_threadable_channel": "it takes no replies",
    "cannot_reply_to_message": "that message takes no replies",
    "posting_to_general_channel_denied": "this workspace does not let me post in it",
    "team_access_not_granted": "this app has no access to its workspace",
    "messages_tab_disabled": "direct messages to this app are switched off",
}
#: Fletcher's access has ended, or was never there: nothing is sent until somebody sees to it.
DEAD: Final = frozenset(
    {"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "app_uninstalled", "team_not_found", "org_login_required", "ekm_access_denied"}
)  # fmt: skip
_LONGEST: Final = 60.0  # seconds between two tries


@dataclass(frozen=True, slots=True)
class Failure:
    """What came in place of an answer.

    `wait`: it may be tried again after `seconds`, where Slack said so. `gone`: there is no such message. `place`: the
    channel refuses, `says` is why, for a person. `dead`: nothing can be sent. `content`: this message is refused.
    `doubtful` is whether it may have been done all the same, `odd` that it may be this message that Slack trips over.
    """

    kind: Literal["wait", "gone", "place", "dead", "content"]
    error: str
    seconds: float | None = None
    doubtful: bool = False
    odd: bool = False
    says: str = ""


def failure(error: Exception) -> Failure:
    """What an exception of a call means."""
    if not isinstance(error, SlackApiError):
        # Cut off or too late; or (SlackRequestError) a file that was not taken, which is tried again as a whole.
        return Failure("wait", type(error).__name__, doubtful=not isinstance(error, SlackClientError))
    code, status = _code(error), _status(error)
    if status == 429 or status >= 500 or code in _WAIT:
        return Failure("wait", code or str(status), seconds=_after(error), doubtful=status != 429, odd=code in _ODD)
    if code in _GONE:
        return Failure("gone", code)
    if code in _PLACE:
        return Failure("place", code, says=_PLACE[code])
    return Failure("dead" if code in DEAD else "content", code or f"HTTP {status}")


def pause(failed: Failure, tries: int) -> float:
    """Seconds before the next try: as long as Slack says, else twice as long each time."""
    return max(failed.seconds, 1.0) if failed.seconds is not None else backoff(tries, 1.0, _LONGEST)


def backoff(tries: int, first: float, longest: float) -> float:
    """Seconds before the next try after so many that failed: twice as long each time, up to the longest."""
    return min(first * 2.0 ** min(tries, 30), longest)  # days without a network are more tries than a float can tell


def _code(error: SlackApiError) -> str:
    data = getattr(error.response, "data", None)
    return str(data.get("error", "")) if isinstance(data, dict) else ""


def _status(error: SlackApiError) -> int:
    """The status of an answer, which is aiohttp's own where it is no JSON."""
    return int(getattr(error.response, "status_code", 0) or getattr(error.response, "status", 0))


def _after(error: SlackApiError) -> float | None:
    headers = getattr(error.response, "headers", None) or {}
    said = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    return float(said) if str(said).isdigit() else None
