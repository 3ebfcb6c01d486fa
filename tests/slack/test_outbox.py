"""What goes to Slack, over HTTP and with a clock that only the tests move: few calls, none lost, none in another's way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.doors.slack.failures import Failure, backoff, pause
from bot.doors.slack.outbox import Outbox, Sent
from bot.engine.front import Front
from bot.report.slack.message import Message, Upload
from tests.doubles.slack import ADA, ARCHIVED, BOT_TOKEN, DEV, OPS, OUTSIDE, Slack, says
from tests.doubles.slack_clock import Clock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

Json = dict[str, Any]
FILE = Upload("plan-1.md", "The plan", "first line\n" + "a line\n" * 900, "The whole plan")


class Desk:
    """An outbox at a Slack of its own, with a journal on disk and a clock that stands still."""

    def __init__(self, slack: Slack, front: Front) -> None:
        self.slack, self.front = slack, front
        self.clock = Clock()
        self.boxes: list[Outbox] = []
        self.another()

    def another(self) -> Outbox:
        """An outbox of another process on the same journal."""
        self.clock.outbox = self.box = Outbox(
            AsyncWebClient(BOT_TOKEN, self.slack.url, proxy=""), self.front, self.clock
        )
        self.boxes.append(self.box)
        return self.box

    def calls(self, method: str) -> list[Json]:
        """What a method was called with, in order."""
        return [call.args for call in self.slack.journal if call.method == method]

    async def posted(self, content: Message | Upload, key: str = "card 1", channel: str = OPS, **more: Any) -> Sent:  # noqa: ANN401  # options of `post`
        """Post it and let as much time pass as that takes."""
        task = asyncio.ensure_future(self.box.post(channel, more.pop("thread", None), content, key, **more))
        return await self.came(task)

    async def updated(self, ts: str, message: Message, channel: str = OPS) -> Sent:
        """Update it and let as much time pass as that takes."""
        return await self.came(self.box.update(channel, ts, message))

    async def came(self, future: asyncio.Future[Sent]) -> Sent:
        """What comes of it, however long it takes on the clock."""
        for _ in range(100):
            await self.clock.forward(10)
            if future.done():
                return future.result()
        raise AssertionError("nothing came of it in 1000 s")


@pytest.fixture
def slack() -> Iterator[Slack]:
    """A workspace."""
    with Slack() as slack:
        yield slack


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    """A place where a journal is kept."""
    with Front(tmp_path / ".fletcher") as front:
        yield front


@pytest.fixture
def at_desk(slack: Slack, front: Front) -> Callable[[Callable[[Desk], Awaitable[None]]], None]:
    """Do something at a desk, in a loop of its own."""

    def do(work: Callable[[Desk], Awaitable[None]]) -> None:
        async def whole() -> None:
            desk = Desk(slack, front)
            try:
                await work(desk)
            finally:
                for box in desk.boxes:
                    await box.close(0.1)

        asyncio.run(whole())

    return do


At = "Callable[[Callable[[Desk], Awaitable[None]]], None]"


def card(text: str, *, button: bool = False) -> Message:
    """A message, with a button if it is to have one."""
    blocks: list[Json] = [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]
    if button:
        one = {
            "type": "button",
            "action_id": "approve",
            "text": {"type": "plain_text", "text": "Approve"},
            "value": "1",
        }
        blocks.append({"type": "actions", "elements": [one]})
    return Message(text, tuple(blocks))


# --- few calls -----------------------------------------------------------------------------------


def test_a_storm_of_progress_is_a_few_calls_and_the_last_word_is_shown(at_desk: Any) -> None:  # noqa: ANN401
    """200 changes in 5 s are at most one update in 1.2 s, each newer than the one before, and the last one is there."""

    async def work(desk: Desk) -> None:
        sent = await desk.posted(card("step 0"))
        for step in range(1, 201):
            desk.box.update(sent.channel, sent.ts, card(f"step {step}"))
            await desk.clock.forward(5 / 200)
        await desk.clock.forward(1.2)
        shown = [int(one["text"].split()[1]) for one in desk.calls("chat.update")]
        assert len(shown) <= 5 / 1.2 + 2
        assert shown == sorted(set(shown))
        assert says(desk.slack.card()) == "step 200\nstep 200"

    at_desk(work)


def test_what_somebody_waits_for_goes_at_once(at_desk: Any) -> None:  # noqa: ANN401
    """An urgent update waits for no turn, and takes the place of what waited for the same message."""

    async def work(desk: Desk) -> None:
        sent = await desk.posted(card("asks", button=True))
        desk.box.update(sent.channel, sent.ts, card("one"))
        desk.box.update(sent.channel, sent.ts, card("two"))
        desk.box.update(sent.channel, sent.ts, card("approved"), urgent=True)
        await desk.clock.rest()  # the clock has not moved
        assert says(desk.slack.card()) == "approved\napproved"
        assert len(desk.calls("chat.update")) <= 2

    at_desk(work)


def test_posts_in_a_channel_are_paced(at_desk: Any) -> None:  # noqa: ANN401
    """A few at once, then one in a second; another run's card goes before what is only said in threads."""

    async def work(desk: Desk) -> None:
        root = await desk.posted(card("root"))
        await desk.clock.forward(60)
        tasks = [asyncio.ensure_future(desk.box.post(OPS, root.ts, card(f"{at}"), f"part {at}")) for at in range(20)]
        await desk.clock.rest()
        burst = len(desk.slack.thread(OPS, root.ts))
        assert 1 <= burst <= 5
        await desk.box.post(OPS, None, card("another run"), "card 2")
        assert len(desk.slack.thread(OPS, root.ts)) == burst
        await desk.clock.forward(20)
        assert {one["text"] for one in desk.slack.thread(OPS, root.ts)} == {f"{at}" for at in range(20)}
        assert all(task.done() for task in tasks)

    at_desk(work)


def test_one_that_leads_no_more_writes_over_nothing(
    at_desk: Any,  # noqa: ANN401
    front: Front,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may have slept, and another process have shown something newer; what somebody has clicked is shown all the same."""

    async def work(desk: Desk) -> None:
        sent = await desk.posted(card("red"))
        monkeypatch.setattr("bot.doors.slack.outbox.leads", lambda of: of is not front)
        assert (await desk.updated(sent.ts, card("red ×17"))).trouble == "other"
        assert says(desk.slack.card()) == "red\nred"
        assert not (await desk.came(desk.box.update(sent.channel, sent.ts, card("green"), asked=True))).trouble
        assert says(desk.slack.card()) == "green\ngreen"

    at_desk(work)


# --- nobody in another's way ------------------------------------------------------------------------


def test_a_storm_in_one_channel_delays_nobody_elsewhere(at_desk: Any) -> None:  # noqa: ANN401
    """While one channel is told to wait for 30 s, another's card is posted and its buttons vanish, with no time passing."""

    async def work(desk: Desk) -> None:
        busy = await desk.posted(card("busy"), "card 0", DEV)
        for method in ("chat.postMessage", "chat.update"):
            desk.slack.fail(method, status=429, after=30, times=None, channel=DEV)
        posts = [asyncio.ensure_future(desk.box.post(DEV, busy.ts, card(f"{at}"), f"part {at}")) for at in range(50)]
        updates = [desk.box.update(DEV, f"1.{at}", card("x"), urgent=True) for at in range(50)]
        await desk.clock.rest()
        now = desk.clock.now()
        sent = await desk.box.post(OPS, None, card("asks", button=True), "card 9")
        await desk.box.update(OPS, sent.ts, card("approved"), urgent=True)
        assert (desk.clock.now(), says(desk.slack.card(OPS))) == (now, "approved\napproved")
        assert not any(one.done() for one in (*posts, *updates))
        desk.slack.heal()
        await desk.clock.forward(100)
        assert len(desk.slack.thread(DEV, busy.ts)) == 50

    at_desk(work)


def test_channels_take_turns_with_what_nobody_waits_for(at_desk: Any) -> None:  # noqa: ANN401
    """Thirty runs that stream in one channel leave the only one of another channel every second turn."""

    async def work(desk: Desk) -> None:
        many = [await desk.posted(card("a"), f"card {at}", DEV) for at in range(30)]
        one = await desk.posted(card("b"), "card x", OPS)
        for sent in many:
            desk.box.update(DEV, sent.ts, card("moved"))
        desk.box.update(OPS, one.ts, card("moved"))
        await desk.clock.forward(2.4)
        assert says(desk.slack.card(OPS)) == "moved\nmoved"

    at_desk(work)


# --- what goes wrong for a while -----------------------------------------------------------------------

FAULTS = [{"status": 429, "after": 7}, {"status": 500}, {"status": 503}, {"error": "internal_error"}, {"lost": True}]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.parametrize(
    "method", ["chat.postMessage", "chat.update", "conversations.open", "files.getUploadURLExternal", "files.completeUploadExternal", "views.publish"]
)  # fmt: skip
def test_what_fails_for_a_while_is_sent_once_it_can_be(at_desk: Any, method: str, fault: Json) -> None:  # noqa: ANN401
    """Each method after each trouble, twice; a 429 is not asked again before its time.

    A file that may be there already is given a second time, and no third.
    """
    once = method == "files.completeUploadExternal" and fault.get("status") != 429

    async def work(desk: Desk) -> None:
        if method == "chat.update":
            sent = await desk.posted(card("before"))
        desk.slack.fail(method, times=1 if once else 2, **fault)
        began = desk.clock.now()
        if method == "chat.postMessage":
            assert (await desk.posted(card("told"))).trouble == ""
            assert says(desk.slack.card()) == "told\ntold"
        elif method == "chat.update":
            assert (await desk.updated(sent.ts, card("after"))).trouble == ""
            assert says(desk.slack.card()) == "after\nafter"
        elif method == "conversations.open":
            assert (await desk.posted(card("told"), channel=OUTSIDE, to=ADA)).channel == f"D{ADA[1:]}"
        elif method == "views.publish":
            view = {"type": "home", "blocks": list(card("home").blocks)}
            assert (await desk.came(desk.box.home(ADA, view))).trouble == ""
            assert says(desk.slack.homes[ADA]).strip() == "home"
        else:
            assert (await desk.posted(FILE)).trouble == ""
            told, *more = [m for m in desk.slack.messages() if m.get("files")]
            assert not more or fault.get("lost")  # nobody may look for a file, and twice is better than never
            assert desk.slack.uploaded(told["files"][0]["id"]) == FILE.text
        if fault.get("status") == 429:
            at = [call.status for call in desk.slack.journal if call.method == method]
            assert at == [429, 429, 200]
            assert desk.clock.now() - began >= 14

    at_desk(work)


def test_a_file_of_which_slack_never_says_that_it_took_it_is_not_posted_again_and_again(at_desk: Any) -> None:  # noqa: ANN401
    """It is there twice at most, and its beginning is said in words, since it may not be there at all."""

    async def work(desk: Desk) -> None:
        desk.slack.fail("files.completeUploadExternal", lost=True, times=None)
        assert (await desk.posted(FILE)).trouble == ""
        assert len(desk.calls("files.completeUploadExternal")) == 2
        assert len([m for m in desk.slack.messages() if m.get("files")]) == 2
        assert "first line" in says(desk.slack.messages()[-1])

    at_desk(work)


@pytest.mark.parametrize("tries", [0, 6, 1100, 10**6])
def test_after_days_without_slack_the_next_try_is_still_near(tries: int) -> None:
    """Each pause is twice the one before, up to the longest, however many tries there were."""
    assert pause(Failure("wait", "x"), tries) == (1.0 if tries == 0 else 60.0)
    assert backoff(tries, 0.1, 30.0) == (6.4 if tries == 6 else 0.1 if tries == 0 else 30.0)


def test_what_becomes_newer_while_slack_is_busy_is_what_is_sent(at_desk: Any) -> None:  # noqa: ANN401
    """After a 429 the state of then is sent, not the one of before, and whoever waited for the first knows it."""

    async def work(desk: Desk) -> None:
        sent = await desk.posted(card("queued"))
        desk.slack.fail("chat.update", status=429, after=30)
        first = desk.box.update(OPS, sent.ts, card("step 1"))
        await desk.clock.rest()
        desk.box.update(OPS, sent.ts, card("step 2"))
        desk.box.update(OPS, sent.ts, card("fixed"), urgent=True)
        assert (await desk.came(first)).trouble == ""
        assert [one["text"] for one in desk.calls("chat.update")] == ["step 1", "fixed"]

    at_desk(work)


def test_a_message_whose_answer_was_cut_off_is_looked_for(at_desk: Any, slack: Slack) -> None:  # noqa: ANN401
    """Where Slack lets us look, what was taken is not posted twice, in a channel and in a thread."""
    slack.scopes.add("channels:history")

    async def work(desk: Desk) -> None:
        desk.slack.fail("chat.postMessage", lost=True)
        root = await desk.posted(card("root"))
        desk.slack.fail("chat.postMessage", lost=True)
        await desk.posted(card("part"), "part 1", thread=root.ts)
        assert [one["text"] for one in desk.slack.messages()] == ["root", "part"]

    at_desk(work)


def test_what_cannot_be_sent_for_long_is_given_up(at_desk: Any) -> None:  # noqa: ANN401
    """After ten minutes it is said to be lost, and nothing of it is kept."""

    async def work(desk: Desk) -> None:
        desk.slack.fail("chat.postMessage", status=503, times=None)
        assert (await desk.posted(card("never"))).trouble == "lost"
        assert (desk.box._lanes, desk.box._going) == ({}, {})

    at_desk(work)


# --- what Slack refuses ----------------------------------------------------------------------------------


@pytest.mark.parametrize("error", ["msg_blocks_too_long", "invalid_blocks", "msg_too_long", "an_error_of_tomorrow"])
def test_a_picture_that_slack_refuses_is_told_in_words(at_desk: Any, error: str) -> None:  # noqa: ANN401
    """Posting and updating go on with the text alone, and the blocks of before are gone."""

    async def work(desk: Desk) -> None:
        desk.slack.fail("chat.postMessage", error)
        sent = await desk.posted(card("the whole", button=True))
        assert desk.slack.card()["text"].startswith("the whole (Slack did not take the whole")
        await desk.updated(sent.ts, card("a picture", button=True))
        assert desk.slack.card()["blocks"]
        desk.slack.fail("chat.update", error)
        assert (await desk.updated(sent.ts, card("a new one", button=True))).trouble == ""
        assert (desk.slack.card()["text"].split(" (")[0], desk.slack.card()["blocks"]) == ("a new one", [])

    at_desk(work)


@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
def test_a_message_that_slack_trips_over_is_told_in_words(at_desk: Any, method: str) -> None:  # noqa: ANN401
    """What is an error of Slack's own each time does not keep the others waiting for long."""

    async def work(desk: Desk) -> None:
        sent = await desk.posted(card("before"))
        desk.slack.fail(method, "internal_error", times=4)
        if method == "chat.update":
            await desk.updated(sent.ts, card("the whole"))
        else:
            await desk.posted(card("the whole"), "card 2")
        assert desk.slack.card()["text"].startswith("the whole (Slack did not")

    at_desk(work)


def test_what_breaks_the_limits_is_not_even_tried(at_desk: Any) -> None:  # noqa: ANN401
    """A text above 4000 characters and 60 blocks are cut to words before they are sent."""

    async def work(desk: Desk) -> None:
        many = Message("word " * 1200, tuple({"type": "divider"} for _ in range(60)))
        sent = await desk.posted(many)
        await desk.updated(sent.ts, many)
        for call in (*desk.calls("chat.postMessage"), *desk.calls("chat.update")):
            assert len(call["text"]) < 3000
        assert all(call.status == 200 and call.answer["ok"] for call in desk.slack.journal)

    at_desk(work)


@pytest.mark.parametrize("channel", [OUTSIDE, ARCHIVED, "C0NOWHERE1"])
def test_where_the_channel_takes_nothing_the_person_gets_it(at_desk: Any, channel: str) -> None:  # noqa: ANN401
    """He gets the whole as a direct message that says why; what follows it is found there after a restart, too."""

    async def work(desk: Desk) -> None:
        sent = await desk.posted(card("asks", button=True), channel=channel, to=ADA)
        (told,) = desk.slack.messages(f"D{ADA[1:]}")
        assert told["text"].startswith(f"This belongs in <#{channel}>, which does not take it: ")
        assert told["blocks"][-1]["type"] == "actions"
        again = await desk.another().post(channel, None, card("asks"), "card 1", to=ADA)
        assert (again, again.ts) == (sent, told["ts"])
        assert (await desk.posted(card("nobody"), "card 2", channel)).trouble == "gone"

    at_desk(work)


def test_files_that_slack_does_not_take_are_told_in_part(at_desk: Any, slack: Slack) -> None:  # noqa: ANN401
    """Without the scope for files their beginning is said, and how much is missing."""
    slack.scopes.discard("files:write")

    async def work(desk: Desk) -> None:
        root = await desk.posted(card("root"))
        assert (await desk.posted(FILE, "part 1", thread=root.ts)).trouble == ""
        (told,) = desk.slack.thread(OPS, root.ts)
        assert "first line" in says(told)
        assert "more lines" in says(told)

    at_desk(work)


def test_a_message_that_was_deleted_is_said_to_be_gone(at_desk: Any) -> None:  # noqa: ANN401
    """So that its owner can post it anew, under the same key once that is forgotten."""

    async def work(desk: Desk) -> None:
        assert (await desk.updated("1.000001", card("x"))).trouble == "gone"
        first = await desk.posted(card("x"))
        await desk.box.forget("card 1")
        assert (await desk.posted(card("x"))).ts != first.ts

    at_desk(work)


@pytest.mark.parametrize("error", ["invalid_auth", "token_revoked", "account_inactive"])
def test_without_access_nothing_is_tried_again_and_again(at_desk: Any, error: str) -> None:  # noqa: ANN401
    """What comes once the access is back is sent."""

    async def work(desk: Desk) -> None:
        desk.slack.fail("chat.postMessage", error, times=1)
        assert (await desk.posted(card("x"), to=ADA)).trouble == "lost"
        assert len(desk.slack.journal) == 1
        assert (await desk.posted(card("x"))).trouble == ""

    at_desk(work)


# --- once ------------------------------------------------------------------------------------------------


def test_a_key_is_posted_once(at_desk: Any) -> None:  # noqa: ANN401
    """Whoever asks for it at the same time, later, or in another process gets the place of the first."""

    async def work(desk: Desk) -> None:
        first = await asyncio.gather(*(desk.box.post(OPS, None, card("x"), "card 1") for _ in range(5)))
        again = await desk.another().post(OPS, None, card("x"), "card 1")
        assert len(desk.calls("chat.postMessage")) == 1
        assert {*first, again} == {first[0]}

    at_desk(work)


def test_nothing_is_unfurled(at_desk: Any) -> None:  # noqa: ANN401
    """Every message says so, in whatever form and place it is sent."""

    async def work(desk: Desk) -> None:
        root = await desk.posted(card("https://example.com/once"))
        await desk.posted(card("part"), "part 1", thread=root.ts)
        desk.slack.fail("chat.postMessage", "invalid_blocks")
        await desk.posted(card("plain"), "card 2")
        await desk.posted(card("direct"), "card 3", ARCHIVED, to=ADA)
        told = desk.calls("chat.postMessage")
        assert len(told) == 6
        assert {(one["unfurl_links"], one["unfurl_media"]) for one in told} == {(False, False)}

    at_desk(work)


def test_a_proxy_that_is_not_to_be_used_is_not(at_desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401
    """The client that is given decides, not the environment."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    async def work(desk: Desk) -> None:
        client = AsyncWebClient(BOT_TOKEN, desk.slack.url)
        client.proxy = None
        box = Outbox(client, desk.front, desk.clock)
        desk.boxes.append(box)
        assert (await box.post(OPS, None, card("x"), "card 1")).trouble == ""

    at_desk(work)


def test_nothing_is_left_behind(at_desk: Any) -> None:  # noqa: ANN401
    """After a thousand messages there are no more lanes, keys and paces in memory than after one."""

    async def work(desk: Desk) -> None:
        for at in range(0, 200, 20):
            await asyncio.gather(
                *(desk.box.post(OPS, None, card("x"), f"card {at + more}") for more in range(20))
            )  # fmt: skip
            await desk.clock.forward(300)
        assert (desk.box._lanes, desk.box._going) == ({}, {})
        assert len(desk.box._paces) == 1

    at_desk(work)
