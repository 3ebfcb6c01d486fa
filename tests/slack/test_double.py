"""The Slack of the tests, judged by an app that is made of nothing but Slack's own packages."""

from __future__ import annotations

import asyncio
import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler, AsyncServerErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from tests.doubles.slack import (
    ADA,
    APP_TOKEN,
    ARCHIVED,
    BOT_TOKEN,
    DEV,
    GRACE,
    OPS,
    OUTSIDE,
    SECRET,
    Slack,
    buttons,
    markup,
    says,
)  # fmt: skip
from tests.doubles.slack_methods import SCOPES

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

Json = dict[str, Any]
MANIFEST = Path(__file__).resolve().parents[2] / "bot" / "doors" / "slack" / "manifest.yaml"
BUTTON: Json = {
    "type": "button",
    "action_id": "approve",
    "text": {"type": "plain_text", "text": "Approve"},
    "value": "RUN",
}
CARD: list[Json] = [
    {"type": "section", "text": {"type": "mrkdwn", "text": "a & b"}},
    {"type": "actions", "block_id": "a", "elements": [BUTTON]},
]
REASON: Json = {"type": "plain_text_input", "action_id": "reason"}
MODAL: Json = {
    "type": "modal", "callback_id": "deny", "title": {"type": "plain_text", "text": "Deny"},
    "submit": {"type": "plain_text", "text": "Deny"}, "private_metadata": "RUN",
    "blocks": [{"type": "input", "block_id": "why", "label": {"type": "plain_text", "text": "Why"}, "element": REASON}],
}  # fmt: skip


class Echo:
    """A small app on a loop of its own: it answers, and keeps what it heard."""

    def __init__(self, slack: Slack) -> None:
        self.slack = slack
        self.heard: list[Any] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.run(self._start)

    def run(self, what: Callable[[], Coroutine[Any, Any, Any]]) -> Any:  # noqa: ANN401  # what Slack answers
        """Do something on the app's loop."""

        async def done() -> Any:  # noqa: ANN401  # as above
            return await what()

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result(30)

    async def _start(self) -> None:
        retries = [AsyncRateLimitErrorRetryHandler(max_retry_count=2), AsyncServerErrorRetryHandler(max_retry_count=2)]
        self.client = AsyncWebClient(BOT_TOKEN, base_url=self.slack.url, retry_handlers=retries)
        app = AsyncApp(client=self.client)
        app.command("/fletcher")(self._command)
        app.action("approve")(self._clicked)
        app.view("deny")(self._submitted)
        app.event("app_mention")(self._event)
        app.event("message")(self._event)
        app.event("app_home_opened")(self._home)
        app.shortcut("diagnose_message")(self._shortcut)
        self._handler = AsyncSocketModeHandler(app, APP_TOKEN, ping_interval=1)
        await self._handler.connect_async()  # type: ignore[no-untyped-call]  # Bolt's

    async def _command(self, ack: Any, body: Any, client: AsyncWebClient, respond: Any) -> None:  # noqa: ANN401
        await ack()
        self.heard.append(body)
        await client.chat_postMessage(channel=body["channel_id"], text=f"heard {body['text']}", blocks=CARD)
        await respond("only you")

    async def _clicked(self, ack: Any, body: Any, client: AsyncWebClient) -> None:  # noqa: ANN401
        await ack()
        self.heard.append(body)
        await client.views_open(trigger_id=body["trigger_id"], view=MODAL)

    async def _submitted(self, ack: Any, body: Any, view: Any) -> None:  # noqa: ANN401
        self.heard.append(body)
        why = view["state"]["values"]["why"]["reason"]["value"]
        await (ack(response_action="errors", errors={"why": "too short"}) if len(why) < 4 else ack())

    async def _event(self, event: Any) -> None:  # noqa: ANN401
        self.heard.append(event)

    async def _home(self, event: Any, client: AsyncWebClient) -> None:  # noqa: ANN401
        await client.views_publish(user_id=event["user"], view={"type": "home", "blocks": CARD[:1]})

    async def _shortcut(self, ack: Any, body: Any) -> None:  # noqa: ANN401
        await ack()
        self.heard.append(body)

    async def _end(self) -> None:
        await self._handler.close_async()  # type: ignore[no-untyped-call]  # Bolt's
        left = asyncio.all_tasks() - {asyncio.current_task()}  # what a test did not wait for
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def close(self) -> None:
        """End it, and its thread."""
        self.run(self._end)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slack]:
    """A workspace."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "SLACK_BOT_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with Slack() as slack:
        yield slack


@pytest.fixture
def app(slack: Slack) -> Iterator[Echo]:
    """An app in it."""
    logging.getLogger("slack_bolt").setLevel(logging.CRITICAL)
    app = Echo(slack)
    yield app
    app.close()


def refused(app: Echo, what: Callable[[], Coroutine[Any, Any, Any]]) -> str:
    """The error that a call is refused with."""
    with pytest.raises(SlackApiError) as caught:
        app.run(what)
    return str(caught.value.response["error"])


def test_command_card_click_dialog_and_submission(slack: Slack, app: Echo) -> None:
    """A command is answered with a card, a click with a dialog, which says what is wrong with what was filled in."""
    assert slack.slash("diagnose a<b & <#C1|x>").ack() == {}
    card = slack.card(OPS, says_="heard")
    assert app.heard[0]["text"] == "diagnose a&lt;b &amp; <#C1|x>"
    assert [*buttons(card)] == ["approve"]
    assert says(card).splitlines()[1] == "a &amp; b"  # Slack hands back what it escaped
    slack.until(lambda: slack.calls("response_url", text="only you"))

    slack.click(card, "approve", GRACE).ack()
    modal = slack.modal()
    assert app.heard[1]["user"]["id"] == GRACE
    assert slack.submit(modal, {"why": "no"}).ack() == {"response_action": "errors", "errors": {"why": "too short"}}
    assert slack.submit(modal, {"reason": "not now"}).ack() == {}
    assert (
        refused(app, lambda: app.client.views_open(trigger_id=app.heard[1]["trigger_id"], view=MODAL))
        == "exchanged_trigger_id"
    )


def test_other_doors(slack: Slack, app: Echo) -> None:
    """Mentions, direct messages, shortcuts and the home reach the app, and its own words come back to it."""
    root = slack.write("it hangs", ADA)
    slack.mention("diagnose", ADA, thread=root["ts"]).ack()
    slack.dm("help", GRACE).ack()
    slack.shortcut(root).ack()
    slack.home_opened(GRACE).ack()
    slack.until(lambda: GRACE in slack.homes)
    mention, direct, shortcut = slack.until(lambda: app.heard if len(app.heard) == 3 else None)
    assert (mention["type"], mention["thread_ts"]) == ("app_mention", root["ts"])
    assert (direct["channel_type"], direct["text"]) == ("im", "help")
    assert shortcut["message"]["text"] == "it hangs"
    app.run(lambda: app.client.chat_postMessage(channel=direct["channel"], text="hello"))
    echo = slack.until(
        lambda: next((s for s in slack.sent if "bot_id" in s.envelope["payload"].get("event", {})), None)
    )
    echo.ack()
    assert len(app.heard) == 3  # Bolt keeps the app from hearing itself


def test_connections_end_and_are_made_anew(slack: Slack, app: Echo) -> None:
    """Whether asked or cut off, an app comes back; what is delivered twice arrives twice."""
    slack.disconnect()
    slack.slash("after a refresh").ack()
    slack.cut()
    slack.slash("after a cut").ack()
    assert [c.answer["ok"] for c in slack.calls("apps.connections.open")] == [True, True, True]
    again = slack.again(slack.slash("twice"))
    again.ack()
    slack.until(lambda: len(app.heard) == 4)
    assert app.heard[2] == app.heard[3]


def test_a_method_fails_as_often_as_it_should(slack: Slack, app: Echo) -> None:
    """Refusals for being too fast say when to come again, and only what is to fail fails."""
    slack.fail("chat.postMessage", status=429, after=1)
    slack.fail("chat.postMessage", status=503)
    app.run(lambda: app.client.chat_postMessage(channel=OPS, text="at last"))
    first, second, third = slack.calls("chat.postMessage")
    assert (first.status, second.status, third.status) == (429, 503, 200)
    assert second.at - first.at >= 1
    slack.fail("chat.postMessage", "msg_blocks_too_long", channel=DEV, times=None)
    assert refused(app, lambda: app.client.chat_postMessage(channel=DEV, text="x")) == "msg_blocks_too_long"
    app.run(lambda: app.client.chat_postMessage(channel=OPS, text="x"))
    slack.heal()
    app.run(lambda: app.client.chat_postMessage(channel=DEV, text="x"))


def test_lost_answer_and_rates(slack: Slack, app: Echo) -> None:
    """What is lost was done all the same; a rate is per channel."""
    slack.fail("chat.postMessage", lost=True)
    with pytest.raises(Exception, match="disconnected"):
        app.run(
            lambda: AsyncWebClient(BOT_TOKEN, base_url=slack.url, retry_handlers=[]).chat_postMessage(
                channel=OPS, text="x"
            )
        )
    assert len(slack.roots(OPS)) == 1
    slack.rate("chat.postMessage", 1, 1.0)
    app.run(lambda: app.client.chat_postMessage(channel=OPS, text="y"))
    app.run(lambda: app.client.chat_postMessage(channel=DEV, text="y"))
    assert [c.status for c in slack.calls("chat.postMessage")] == [200, 429, 200, 200]


def test_tokens_are_revoked(slack: Slack, app: Echo) -> None:
    """A revoked token and none are told apart."""
    slack.revoke()
    assert refused(app, lambda: app.client.chat_postMessage(channel=OPS, text="x")) == "token_revoked"
    assert refused(app, lambda: AsyncWebClient("", base_url=slack.url).auth_test()) == "not_authed"


@pytest.mark.parametrize(
    ("channel", "error"),
    [("C0NOWHERE1", "channel_not_found"), (OUTSIDE, "not_in_channel"), (ARCHIVED, "is_archived"), (SECRET, "channel_not_found"), ("#ops", "channel_not_found")],
)  # fmt: skip
def test_channels_that_cannot_be_written_in(app: Echo, channel: str, error: str) -> None:
    """Each is refused with its own word."""
    assert refused(app, lambda: app.client.chat_postMessage(channel=channel, text="x")) == error


def section(text: str) -> dict[str, Any]:
    """A block with a text."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


@pytest.mark.parametrize(
    ("blocks", "error"),
    [
        ([section("x")] * 51, "invalid_blocks"), ([section("x" * 3001)], "invalid_blocks"), ([section("")], "invalid_blocks"),
        ([{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}], "invalid_blocks"),
        ([section("x" * 2900)] * 5, "msg_blocks_too_long"), ([{"type": "sektion"}], "invalid_blocks"),
        ([{"type": "actions", "elements": [BUTTON, BUTTON]}], "invalid_blocks"),
        ([section("x") | {"block_id": "b"}] * 2, "invalid_blocks"),
        ([{"type": "actions", "elements": [BUTTON | {"value": "x" * 2001}]}], "invalid_blocks"),
        ([{"type": "actions", "elements": [BUTTON | {"style": "red"}]}], "invalid_blocks"),
    ],
)  # fmt: skip
def test_blocks_that_slack_refuses(app: Echo, blocks: list[Any], error: str) -> None:
    """What is too long, too much, doubled or unknown is refused, and by the validator too."""
    assert refused(app, lambda: app.client.chat_postMessage(channel=OPS, text="x", blocks=blocks)) == error
    if error == "invalid_blocks":
        assert refused(app, lambda: app.client.blocks_validate(blocks=blocks)) == error


def test_messages_are_changed_deleted_and_linked(slack: Slack, app: Echo) -> None:
    """Messages live as they do in Slack."""
    sent = app.run(
        lambda: app.client.chat_postMessage(channel=OPS, text="<!here> <x> & <https://e.vil|good>", blocks=CARD)
    )
    ts = sent["ts"]
    assert markup(slack.card(OPS)) == ["<!here>", "<https://e.vil|good>"]
    assert refused(app, lambda: app.client.chat_update(channel=OPS, ts=ts, text="x" * 4001)) == "msg_too_long"
    assert refused(app, lambda: app.client.chat_update(channel=OPS, ts="1.2", text="x")) == "message_not_found"
    app.run(lambda: app.client.chat_update(channel=OPS, ts=ts, text="new"))
    assert buttons(slack.card(OPS))  # blocks that are not named stay
    app.run(lambda: app.client.chat_update(channel=OPS, ts=ts, text="new", blocks=[]))
    assert not buttons(slack.card(OPS))
    app.run(lambda: app.client.chat_postMessage(channel=OPS, text="below", thread_ts=ts))
    assert [m["text"] for m in slack.thread(OPS, ts)] == ["below"]
    assert ts.replace(".", "") in app.run(lambda: app.client.chat_getPermalink(channel=OPS, message_ts=ts))["permalink"]
    app.run(lambda: app.client.chat_postEphemeral(channel=OPS, user=ADA, text="psst"))
    assert slack.whisper(ADA)["text"] == "psst"
    app.run(lambda: app.client.chat_delete(channel=OPS, ts=ts))
    assert not slack.roots(OPS)


def test_files_people_and_scopes(slack: Slack, app: Echo) -> None:
    """Files come in three steps, and what no scope allows is refused."""
    root = app.run(lambda: app.client.chat_postMessage(channel=OPS, text="root"))["ts"]
    app.run(
        lambda: app.client.files_upload_v2(
            channel=OPS, thread_ts=root, filename="plan.md", content="# Plan", title="Plan"
        )
    )
    (said,) = slack.thread(OPS, root)
    assert (said["files"][0]["title"], slack.uploaded(said["files"][0]["id"])) == ("Plan", "# Plan")
    assert app.run(lambda: app.client.users_info(user=ADA))["user"]["name"] == "ada"
    direct = app.run(lambda: app.client.conversations_open(users=ADA))["channel"]["id"]
    assert direct.startswith("D")
    assert refused(app, lambda: app.client.conversations_replies(channel=OPS, ts=root)) == "missing_scope"
    assert "chat:write" in app.run(app.client.auth_test).headers["x-oauth-scopes"]
    assert refused(app, lambda: app.client.api_call("no.such")) == "unknown_method"


def test_the_app_is_the_one_of_the_manifest() -> None:
    """Its scopes are those that are enforced here, so that nothing works in tests that Slack would refuse."""
    manifest = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    assert tuple(manifest["oauth_config"]["scopes"]["bot"]) == SCOPES
