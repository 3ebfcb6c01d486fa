"""What Slack tells us, heard with Bolt: acknowledged in the first line, done once, and decided on our side alone.

What comes back from a button or a view names a run and the plan that was seen, and is no more than a claim.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from typing import TYPE_CHECKING, Any, Final, Literal

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult

from bot.doors.slack import words
from bot.doors.slack.doing import files_of
from bot.doors.slack.reply import Spot
from bot.doors.slack.text import unescaped
from bot.doors.slack.who import TROUBLES, code
from bot.errors import FletcherError
from bot.report.slack import answers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from slack_bolt.context.ack.async_ack import AsyncAck
    from slack_sdk.web.async_client import AsyncWebClient

    from bot.doors.slack.doing import Doing
    from bot.doors.slack.reply import Replies
    from bot.engine.front import Front

Body = dict[str, Any]

_ANY: Final = re.compile(".*", re.DOTALL)
_MENTION: Final = re.compile(r"\A\s*<@[^>]*>[\s:,]*")
_PROBE: Final = re.compile(r"(-|\d{1,2}[hd]) (.{1,300})")
_NAMED: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._:-]{0,99})(?: ([0-9a-f]{64}))?")

#: The views that are sent off: which field, also its block, and what it says.
_ASKED: Final[dict[str, tuple[str, Literal["yes", "no"]]]] = {"deny": ("reason", "no"), "approve_word": ("word", "yes")}

_log = logging.getLogger("fletcher.slack")


def bolt(client: AsyncWebClient, workspace: Body) -> AsyncApp:
    """The app of one workspace, which is asked who we are only once; `workspace` is what auth.test said."""

    async def authorize(enterprise_id: str, team_id: str, user_id: str) -> AuthorizeResult:  # noqa: ARG001  # Bolt's
        return AuthorizeResult(
            enterprise_id=workspace.get("enterprise_id"), team_id=workspace.get("team_id"), bot_user_id=workspace.get("user_id"),
            bot_id=workspace.get("bot_id"), bot_token=client.token,
        )  # fmt: skip

    logger = logging.getLogger("fletcher.slack.bolt")
    logger.setLevel(logging.ERROR)  # its warnings print what people wrote
    return AsyncApp(
        name="fletcher", logger=logger, client=client, authorize=authorize, request_verification_enabled=False, ssl_check_enabled=False,
        url_verification_enabled=False, attaching_function_token_enabled=False,
    )  # fmt: skip


class Ears:
    """Everything that is listened to. It is acknowledged, and what there is to do goes on by itself."""

    def __init__(self, front: Front, doing: Doing, replies: Replies) -> None:
        self._front, self._doing, self._replies = front, doing, replies
        self._going: set[asyncio.Task[None]] = set()

    def listen(self, app: AsyncApp) -> None:
        """Listen to all that the manifest asks for; what nobody waits for is acknowledged, so that no person waits."""
        app.command(_ANY)(_heard(self._command))
        app.event("app_mention")(_heard(self._mentioned))
        app.event("message")(_heard(self._written))
        app.event("app_home_opened")(_heard(self._opened))
        app.event(_ANY)(_nothing)
        app.shortcut("diagnose_message")(_heard(self._shortcut))
        app.shortcut(_ANY)(_nothing)
        app.action(_ANY)(_heard(self._pressed))
        app.view(_ANY)(_heard(self._sent))
        app.view_closed(_ANY)(_nothing)
        app.options(_ANY)(_nothing)

    async def close(self, seconds: float = 5.0) -> None:
        """Let what goes on end, for so long at most."""
        if self._going:
            _, late = await asyncio.wait(self._going, timeout=seconds)
            for task in late:
                task.cancel()

    # --- listeners -------------------------------------------------------------------------------

    def _command(self, body: Body) -> None:
        spot = Spot(body["user_id"], body.get("team_id", ""), body["channel_id"], response_url=body.get("response_url", ""))  # fmt: skip
        self._take(body, spot, lambda at: self._doing.typed(body.get("text", ""), at))

    def _mentioned(self, body: Body) -> None:
        event = body["event"]
        if event.get("user") and not event.get("bot_id") and "edited" not in event:
            spot = Spot(event["user"], event.get("user_team") or event.get("team", ""), event["channel"], event.get("thread_ts", ""), posted=True)  # fmt: skip
            self._take(
                body,
                spot,
                lambda at: self._doing.typed(_MENTION.sub("", event.get("text", "")), at, files_of(event)),
            )

    def _written(self, body: Body) -> None:
        event = body["event"]
        said_by = event.get("user") and not event.get("bot_id") and event.get("subtype") in {None, "file_share"}
        if event.get("channel_type") == "im" and said_by:
            spot = Spot(event["user"], event.get("user_team") or event.get("team", ""), event["channel"], event.get("thread_ts", ""), posted=True)  # fmt: skip
            self._take(
                body,
                spot,
                lambda at: self._doing.typed(_MENTION.sub("", event.get("text", "")), at, files_of(event)),
            )

    def _opened(self, body: Body) -> None:
        event = body["event"]
        if event.get("tab") == "home":
            self._take(body, Spot(event["user"]), lambda _: self._doing.home(event["user"]))

    def _shortcut(self, body: Body) -> None:
        message = body.get("message") or {}
        spot = _spot(body, message.get("thread_ts", ""))
        self._take(body, spot, lambda at: self._doing.evidence(message, at))

    def _pressed(self, body: Body) -> None:
        doing = self._doing
        action = (body.get("actions") or [{}])[0]
        spot = _spot(body, (body.get("message") or {}).get("thread_ts", ""), posted=True)
        run, digest = _named(action.get("value"))
        do = {"approve": doing.approve, "deny": doing.deny, "show_plan": doing.plan, "cancel": doing.cancel}.get(action.get("action_id", ""))  # fmt: skip
        if do is not None and run:
            self._take(body, spot, lambda at: do(at, body.get("trigger_id", ""), run, digest))
        elif (said := _probed(action)) is not None:
            self._take(body, spot, lambda at: doing.probed(said, at))

    def _sent(self, body: Body) -> None:
        view = body["view"]
        run, digest = _named(view.get("private_metadata"))
        asked = _ASKED.get(view.get("callback_id"))
        if run and asked is not None:
            field, kind = asked
            said = str((view["state"]["values"].get(field, {}).get(field) or {}).get("value") or "")
            given = words.Decide(kind, run, unescaped(said))
            self._take(
                body, _spot(body), lambda at: self._doing.decided(at, given, digest), view.get("external_id") or ""
            )

    # --- once ------------------------------------------------------------------------------------

    def _take(self, body: Body, spot: Spot, do: Callable[[Spot], Awaitable[None]], view: str = "") -> None:
        """Do it, unless it was heard before: events by their id, all else by what Slack gives to each press and command.

        What a view sends off counts as said where that was opened.
        """
        key = str(body.get("event_id") or body.get("trigger_id") or body.get("envelope_id") or secrets.token_hex(8))
        self._spawn(self._once(key, spot, do, view))

    async def _once(self, key: str, spot: Spot, do: Callable[[Spot], Awaitable[None]], view: str) -> None:
        try:
            if await asyncio.to_thread(self._front.claim, "slack", f"heard {key}"):
                spot = await self._doing.opened(spot, view) if view else spot
                await do(spot)
        except words.Unknown as slip:
            await self._replies.tell(spot, answers.unknown(slip.typed, slip.nearest))
        except FletcherError as trouble:
            first, *more = trouble.lines
            await self._replies.tell(spot, answers.listing(first, more) if more else answers.sentence(first))
        except TROUBLES as trouble:
            _log.warning("Slack did not take what was to be shown: %s", code(trouble))
            await self._replies.tell(
                spot, answers.sentence(f"Slack did not take what was to be shown ({code(trouble)}); try it again.")
            )
        except Exception:  # noqa: BLE001  # a bug is told, and what others want goes on
            number = secrets.token_hex(4)
            _log.exception("a bug, told to %s as %s", spot.user, number)
            await self._replies.tell(
                spot, answers.sentence(f"That is a bug in Fletcher; its log has the trace under {number}.")
            )

    def _spawn(self, what: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(what)
        self._going.add(task)
        task.add_done_callback(self._going.discard)


def _heard(listener: Callable[[Body], None]) -> Callable[[AsyncAck, Body], Coroutine[Any, Any, None]]:
    """A listener that acknowledges first. What fails afterwards stays here: Bolt would take the acknowledgement back."""

    async def heard(ack: AsyncAck, body: Body) -> None:
        await ack()
        try:
            listener(body)
        except Exception:  # noqa: BLE001  # the next one is heard
            _log.exception("something of Slack's could not be read")

    return heard


async def _nothing(ack: AsyncAck) -> None:
    await ack()


def _spot(body: Body, thread: str = "", *, posted: bool = False) -> Spot:
    """Where something was pressed or sent off."""
    user = body.get("user") or {}
    container = body.get("container") or {}
    channel = (body.get("channel") or {}).get("id") or container.get("channel_id") or ""
    return Spot(
        user.get("id", ""), user.get("team_id", ""), channel, thread, body.get("response_url") or "", posted, container.get("message_ts", "")
    )  # fmt: skip


def _probed(action: Body) -> words.Watched | words.Diagnose | None:
    """What a button or a menu asks of a probe, which is no more than its name and a span; None for what we never wrote."""
    value = (action.get("selected_option") or action).get("value")
    found = _PROBE.fullmatch(value) if isinstance(value, str) else None
    span, name = (found[1], found[2]) if found else ("", "")
    match str(action.get("action_id", "")) if found else "":
        case "probe_mute" | "probe_menu":
            return words.Mute(name, span)
        case "probe_unmute":
            return words.Unmute(name)
        case "probe_ack":
            return words.Ack(name)
        case "probe_diagnose":
            return words.Diagnose(probe=name)
    return None


def _named(value: object) -> tuple[str, str]:
    """The run and the plan that a button or a view names; ("", "") for what we never wrote."""
    found = _NAMED.fullmatch(value) if isinstance(value, str) else None
    return (found[1], found[2] or "") if found else ("", "")
