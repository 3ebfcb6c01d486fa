"""What is asked of Slack to see whether Fletcher will work there: each answer is a sentence, with what mends it."""

from __future__ import annotations

import re
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web import WebClient

from bot import __version__
from bot.doctor.found import Check
from bot.doors.slack.failures import DEAD, failure
from bot.doors.slack.sample import shown
from bot.policy import approvers
from bot.report.slack.message import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from bot.doors.slack.tokens import Tokens
    from bot.policy import Policy
    from bot.settings_policy import Declared

_PATIENCE: Final = 15  # seconds for one call
_MADE: Final = "Create the app from `fletcher slack manifest` and install it to the workspace (docs/slack.md)"
_AGAIN: Final = "Set the app's manifest to what `fletcher slack manifest` prints, then install it again"
#: What mends an error that Slack names; others are told as they are.
_MENDS: Final = {
    "invalid_auth": "Copy SLACK_BOT_TOKEN anew from OAuth & Permissions, SLACK_APP_TOKEN from Basic Information",
    "not_authed": "Set SLACK_BOT_TOKEN (OAuth & Permissions) and SLACK_APP_TOKEN (Basic Information)",
    "account_inactive": _MADE,
    "token_revoked": "Install the app again, and copy both tokens anew",
    "token_expired": "Install the app again, and copy both tokens anew",
    "not_allowed_token_type": "SLACK_BOT_TOKEN begins with xoxb-, SLACK_APP_TOKEN with xapp-: they may be the wrong way round",
    "missing_scope": _AGAIN,
    "channel_not_found": "Take the channel's id from its details; in a private channel type `/invite @fletcher` first",
    "not_in_channel": "Type `/invite @fletcher` in the channel",
    "is_archived": "Take another channel, or bring this one back",
    "user_not_found": "Take the member id from the person's profile: … → Copy member ID",
    "ratelimited": "Try again in a minute",
}
_GUESTS: Final = ("deleted", "is_bot", "is_restricted", "is_ultra_restricted", "is_stranger")


def manifest() -> str:
    """The app's manifest, as it is pasted into Slack."""
    return (files("bot.doors.slack") / "manifest.yaml").read_text(encoding="utf-8")


def scopes() -> frozenset[str]:
    """The scopes that the manifest asks for."""
    asked = manifest().partition("\n  scopes:\n")[2].partition("\nsettings:")[0]
    return frozenset(re.findall(r"^ +- (\S+)", asked, re.MULTILINE))


class Asking:
    """One round of questions to Slack with these tokens. `reached` is whether Slack answered at all."""

    def __init__(self, tokens: Tokens) -> None:
        self._client = WebClient(tokens.bot, tokens.url, timeout=_PATIENCE)
        self._app = tokens.app
        self.reached = False

    def checks(
        self, policy: Policy | None, persons: tuple[Declared, ...], channels: tuple[str, ...], alerted: tuple[str, ...] = ()
    ) -> Iterator[Check]:  # fmt: skip
        """All checks, in the order in which a newcomer goes about it; the rest only where Slack knows the bot.

        `channels` are posted in, `alerted` are those in which people are told of probes.
        """
        known = yield from self._bot()
        yield from self._connection()
        if not known:
            return
        yield from self._pictures()
        yield from self._persons(persons)
        yield from _policy(policy)
        for channel in dict.fromkeys((*_channels(policy), *alerted)):
            yield self._seen(channel)
        for channel in channels:
            yield self._posted(channel)

    # --- the app ---------------------------------------------------------------------------------

    def _bot(self) -> Generator[Check, None, bool]:
        """The bot's token; returns whether Slack knows it."""
        answer, trouble = self._asked("bot", self._client.auth_test)
        if answer is None:
            yield trouble
            return False
        yield Check("bot", "ok", f"SLACK_BOT_TOKEN is @{answer['user']}'s in the workspace {answer['team']}.")
        granted = {
            one.strip()
            for name, value in answer["headers"].items()
            if name.lower() == "x-oauth-scopes"
            for one in value.split(",")
        }
        yield _scopes(granted - {""})
        return True

    def _connection(self) -> Iterator[Check]:
        answer, trouble = self._asked("connection", lambda: self._client.apps_connections_open(app_token=self._app))
        yield (
            trouble
            if answer is None
            else Check("connection", "ok", "SLACK_APP_TOKEN opens connections of Socket Mode.")
        )

    def _pictures(self) -> Iterator[Check]:
        wrong, count = [], 0
        for name, one in shown():
            count += 1
            given: dict[str, Any] = (
                {"message": {"text": one.text, "blocks": list(one.blocks)}}
                if isinstance(one, Message)
                else {"view": one}
            )
            answer, trouble = self._asked("messages", partial(self._client.blocks_validate, **given))
            if answer is None and "invalid_" in trouble.sentence:
                wrong.append(f"{name} ({trouble.sentence})")
            elif answer is None:
                yield Check(
                    "messages", "unknown", f"Whether Slack takes what Fletcher shows is not known. {trouble.sentence}"
                )
                return
        if wrong:
            mend = (
                f"Report it with this text; Fletcher is {__version__}, and says such messages in plain words meanwhile"
            )
            yield Check(
                "messages",
                "bad",
                f"Slack would not take {len(wrong)} of {count} messages and views: {'; '.join(wrong)}",
                mend,
            )
        else:
            yield Check("messages", "ok", f"Slack takes all {count} kinds of messages and views that Fletcher shows.")

    # --- people and channels ---------------------------------------------------------------------

    def _persons(self, persons: tuple[Declared, ...]) -> Iterator[Check]:
        members = [(one.name, account) for one in persons for kind, account in one.accounts if kind == "slack"]
        if not members:
            yield Check(
                "persons", "warn", "No [[person]] of fletcher.toml has a member id of Slack.",
                'Write slack = ["U…"] below the [[person]] of each who is to order or approve (docs/slack.md)',
            )  # fmt: skip
        for name, account in members:
            answer, trouble = self._asked("persons", partial(self._client.users_info, user=account))
            if answer is None:
                yield Check(
                    "persons", trouble.status, f"{trouble.sentence} The person is {name}, {account}.", trouble.mend
                )
                continue
            user = answer["user"]
            flags = [flag for flag in _GUESTS if user.get(flag)]
            if flags:
                says = f"{name} ({account}) may do nothing here: Slack says {', '.join(flags)}."
                yield Check("persons", "warn", says, "Name an account that is a full member of this workspace")
            else:
                yield Check("persons", "ok", f"{name} is {account}, whom Slack calls {user.get('name', '?')}.")

    def _seen(self, channel: str) -> Check:
        answer, trouble = self._asked("channel", lambda: self._client.conversations_info(channel=channel))
        if answer is None:
            return Check("channel", trouble.status, f"{trouble.sentence} The channel is {channel}.", trouble.mend)
        info = answer["channel"]
        for flag, says, mend in (
            ("is_archived", "is archived", _MENDS["is_archived"]), ("is_ext_shared", "is shared with another organisation", "Take a channel of this workspace alone"),
        ):  # fmt: skip
            if info.get(flag):
                return Check("channel", "bad", f"{channel} (#{info.get('name', '?')}) {says}.", mend)
        if not info.get("is_member"):
            return Check(
                "channel", "bad", f"Fletcher is not in {channel} (#{info.get('name', '?')}).", _MENDS["not_in_channel"]
            )
        return Check("channel", "ok", f"Fletcher is in {channel} (#{info.get('name', '?')}).")

    def _posted(self, channel: str) -> Check:
        """Post in a channel, change that and take it back, as people would see it."""
        says = "Fletcher looks whether it can write here; this goes away at once."

        def all_three() -> Any:  # noqa: ANN401  # an answer of the SDK
            sent = self._client.chat_postMessage(channel=channel, text=says, unfurl_links=False, unfurl_media=False)
            self._client.chat_update(channel=sent["channel"], ts=sent["ts"], text=f"{says} It can.")
            return self._client.chat_delete(channel=sent["channel"], ts=sent["ts"])

        answer, trouble = self._asked("channel", all_three)
        if answer is None:
            return Check("channel", trouble.status, f"{trouble.sentence} The channel is {channel}.", trouble.mend)
        return Check("channel", "ok", f"A message in {channel} was posted, changed and deleted.")

    def _asked(self, name: str, ask: Callable[[], Any]) -> tuple[dict[str, Any] | None, Check]:
        """What Slack answers, with its `headers`; or None, and the check that says why not."""
        try:
            answer = ask()
        except (SlackClientError, OSError) as error:
            self.reached |= isinstance(error, SlackApiError)
            return None, _trouble(name, error)
        self.reached = True
        return {**answer.data, "headers": dict(answer.headers)}, Check(name, "ok", "")


def _trouble(name: str, error: Exception) -> Check:
    if not isinstance(error, SlackApiError):
        why = getattr(error, "reason", None) or error
        return Check(
            name,
            "bad",
            f"Slack cannot be reached: {why}.",
            "See the network and the proxy (HTTPS_PROXY); slack.com has to be reachable",
        )
    word = failure(error).error
    told = (
        error.response.get("response_metadata", {}).get("messages", []) if isinstance(error.response.data, dict) else []
    )
    needed = error.response.get("needed", "") if word == "missing_scope" else ""
    says = f"Slack says {word}{f' ({needed})' if needed else ''}{': ' + '; '.join(map(str, told)) if told else ''}."
    if word == "missing_scope" and name == "connection":
        return Check(
            name, "bad", says, "Make an app-level token with connections:write: Basic Information → App-Level Tokens"
        )
    mend = _MENDS.get(word, _MADE if word in DEAD else "Slack's documentation of its methods says what this word means")
    return Check(name, "unknown" if failure(error).kind == "wait" else "bad", says, mend)


def _scopes(granted: set[str]) -> Check:
    wanted = scopes()
    if not granted:
        return Check("scopes", "unknown", "Slack did not say which scopes the token has.")
    if missing := sorted(wanted - granted):
        return Check("scopes", "bad", f"The token lacks {', '.join(missing)}.", _AGAIN)
    if extra := sorted(granted - wanted):
        return Check("scopes", "warn", f"The token has more than Fletcher uses: {', '.join(extra)}.", _AGAIN)
    return Check("scopes", "ok", f"The token has the {len(wanted)} scopes of the manifest, and no others.")


def _policy(policy: Policy | None) -> Iterator[Check]:
    if policy is None or not policy.run:
        what = "[policy] has no line `run`" if policy else "fletcher.toml has no [policy]"
        yield Check("policy", "warn", f"{what}, so in Slack Fletcher only looks.", "docs/slack.md has the lines")
        return
    may = approvers(policy, "", "disrupt", "slack")
    if may is None and not any("slack" in line.doors or not line.doors for line in policy.approve):
        yield Check(
            "policy",
            "warn",
            "No line `approve` of [policy] lets anybody approve in Slack.",
            "docs/slack.md has the lines",
        )
    else:
        yield Check("policy", "ok", "[policy] says who may run and who may approve in Slack.")
    lines = [line for line in policy.approve if "slack" in line.doors or not line.doors]
    if policy.ask_in and lines and all(line.channels and policy.ask_in not in line.channels for line in lines):
        yield Check(
            "policy", "warn", f"Plans are asked about in {policy.ask_in} (ask-in), and no line `approve` takes an answer from there.",
            "Add it to `channels` of a line `approve`, or name one of those channels in ask-in",
        )  # fmt: skip


def _channels(policy: Policy | None) -> tuple[str, ...]:
    """The channels that the policy names."""
    if policy is None:
        return ()
    named = [policy.ask_in, *(channel for line in (*policy.run, *policy.approve) for channel in line.channels)]
    return tuple(dict.fromkeys(filter(None, named)))
