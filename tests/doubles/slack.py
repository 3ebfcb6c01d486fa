"""Slack, for tests: people type, click and fill in, and what they see can be read. Everything goes over a real websocket."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from tests.doubles import slack_workspace as workspace
from tests.doubles.slack_gateway import APP_TOKEN, BOT_TOKEN, Gateway
from tests.doubles.slack_store import Memory
from tests.doubles.slack_wire import Sent
from tests.doubles.slack_workspace import (
    ADA,
    ARCHIVED,
    BOT,
    DEV,
    GONE,
    GRACE,
    GUEST,
    LIN,
    OPS,
    OUTSIDE,
    ROBOT,
    SECRET,
    SHARED,
    STRANGER,
    Channel,
    Json,
    User,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "ADA", "APP_TOKEN", "ARCHIVED", "BOT", "BOT_TOKEN", "DEV", "GONE", "GRACE", "GUEST", "LIN", "OPS", "OUTSIDE", "ROBOT",
    "SECRET", "SHARED", "STRANGER", "Channel", "Sent", "Slack", "User", "buttons", "markup", "says",
]  # fmt: skip


class Slack(Gateway):
    """A workspace with one app. What a person does is sent at once; `ack()` of what comes back waits for the answer.

    with Slack() as slack:
        slack.slash("diagnose my-room").ack()
        card = slack.card(OPS)
        slack.click(card, "approve", GRACE)
        slack.until(lambda: "fixed" in says(slack.card(OPS)))
    """

    # --- what people do ----------------------------------------------------------------------------

    def slash(self, text: str = "", user: str = ADA, channel: str = OPS, command: str = "/fletcher") -> Sent:
        """Type a command."""
        who, where = self.store.users[user], self._channel(channel)
        return self.send(
            "slash_commands",
            workspace.command(who, where, text, self._trigger(user), self.response_url(who.id), command),
        )

    def click(self, message: Json, action_id: str, user: str = GRACE) -> Sent:
        """Press a button of a message (or a view) as `message` showed it, whatever has become of it since."""
        pressed = buttons(message).get(action_id)
        assert pressed is not None, f"there is no button {action_id}, only {[*buttons(message)]}"
        who = self.store.users[user]
        if "root_view_id" in message:
            return self.send("interactive", workspace.click_in_view(who, message, pressed, self._trigger(user)))
        channel, now = self._found(message["ts"])
        return self.send(
            "interactive",
            workspace.click(who, channel, now or message, pressed, self._trigger(user), self.response_url(who.id)),
        )

    def choose(self, message: Json, action_id: str, value: str, user: str = GRACE) -> Sent:
        """Choose from a menu of a message, as `message` showed it."""
        found = next(
            (block, node) for block in message["blocks"] for node in _nodes(block) if node.get("action_id") == action_id
        )
        block, menu = found
        option = next(one for one in menu["options"] if one["value"] == value)
        chosen = {
            "type": menu["type"],
            "action_id": action_id,
            "block_id": block["block_id"],
            "selected_option": option,
        }
        channel, now = self._found(message["ts"])
        who = self.store.users[user]
        return self.send(
            "interactive",
            workspace.click(who, channel, now or message, chosen, self._trigger(user), self.response_url(who.id)),
        )

    def submit(self, view: Json, values: dict[str, str], user: str = GRACE) -> Sent:
        """Send a view off; `values` are by block id or action id of its inputs."""
        filled: dict[str, Json] = {}
        for block in view["blocks"]:
            if block["type"] != "input":
                continue
            element = block["element"]
            value = values.get(block["block_id"], values.get(element["action_id"]))
            assert value or block.get("optional"), f"Slack does not send it off without {block['block_id']}"
            filled[block["block_id"]] = {element["action_id"]: {"type": element["type"], "value": value}}
        return self.send("interactive", workspace.submission(self.store.users[user], view, filled, self._trigger(user)))

    def mention(self, text: str, user: str = ADA, channel: str = OPS, thread: str = "") -> Sent:
        """Write a message that mentions the app."""
        said = self.write(f"<@{BOT}> {text}", user, channel, thread)
        return self.send("events_api", self._event(said | {"type": "app_mention"}, channel))

    def dm(self, text: str, user: str = ADA) -> Sent:
        """Write to the app."""
        channel = self._direct(user)
        return self.send("events_api", self._event(self.write(text, user, channel) | {"channel_type": "im"}, channel))

    def home_opened(self, user: str = ADA, tab: str = "home") -> Sent:
        """Open the app's home."""
        who, channel = self.store.users[user].id, self._direct(user)
        what: Json = {"type": "app_home_opened", "user": who, "channel": channel, "tab": tab}
        if who in self.homes:
            what["view"] = self.homes[who]
        return self.send("events_api", workspace.event(what | {"event_ts": workspace.stamp()}))

    def shortcut(self, message: Json, callback_id: str = "diagnose_message", user: str = ADA) -> Sent:
        """Use a shortcut of a message."""
        channel, now = self._found(message["ts"])
        payload = workspace.shortcut(
            self.store.users[user],
            channel,
            now or message,
            callback_id,
            self._trigger(user),
            self.response_url(self.store.users[user].id),
        )
        return self.send("interactive", payload)

    def again(self, sent: Sent, retry: int = 0) -> Sent:
        """Deliver an envelope once more: the very same, or as an event whose delivery is tried again."""
        envelope = sent.envelope
        same = "" if retry else envelope["envelope_id"]
        return self.send(envelope["type"], envelope["payload"], envelope_id=same, retry=retry)

    def write(self, text: str, user: str = ADA, channel: str = OPS, thread: str = "", **more: object) -> Json:
        """Write a message that the app is not told of; `more` are fields of it, such as blocks, files or attachments."""
        where = self._channel(channel)
        said: Json = workspace.written(self.store.users[user], where, text, thread) | more
        self.run(self.store.put(where.id, said))
        return said

    def erase(self, message: Json) -> None:
        """Delete a message, as an administrator may."""
        assert isinstance(self.store, Memory)
        kept, (channel, _) = self.store.messages, self._found(message["ts"])
        self.see(lambda: kept[channel.id].pop(message["ts"]))

    # --- what people see ---------------------------------------------------------------------------

    def messages(self, channel: str = OPS) -> list[Json]:
        """Every message of a channel as it is now, the oldest first, those in threads too."""
        return self.run(self.store.read(self._channel(channel).id))

    def roots(self, channel: str = OPS) -> list[Json]:
        """The messages of the app that begin a thread, or could."""
        told = self.messages(channel)
        return [m for m in told if m.get("user") == BOT and m.get("thread_ts", m["ts"]) == m["ts"]]

    def card(self, channel: str = OPS, within: float = 10.0, says_: str = "") -> Json:
        """Wait for the newest message of the app in a channel, with a text in it where that is asked for."""
        return self.until(
            lambda: next((m for m in reversed(self.roots(channel)) if says_ in says(m)), None),
            within, lambda: f"a message in {channel} that says {says_!r}; there is {[*map(says, self.roots(channel))]}",
        )  # fmt: skip

    def thread(self, channel: str, ts: str) -> list[Json]:
        """The messages below another, the oldest first."""
        return [m for m in self.messages(channel) if m.get("thread_ts") == ts and m["ts"] != ts]

    def whispers(self, user: str) -> list[Json]:
        """What only this person was shown, the oldest first."""
        ways, to = {"chat.postEphemeral", "response_url"}, self.store.users[user].id
        told = [call for call in [*self.journal] if call.method in ways and call.args.get("user") == to]
        return [call.args for call in told if call.answer["ok"]]

    def whisper(self, user: str, says_: str = "", within: float = 10.0) -> Json:
        """Wait for something that only this person is shown, with a text in it."""
        return self.until(
            lambda: next((m for m in reversed(self.whispers(user)) if says_ in says(m)), None),
            within, lambda: f"a word to {user} that says {says_!r}; there is {[*map(says, self.whispers(user))]}",
        )  # fmt: skip

    def modal(self, says_: str = "", within: float = 10.0) -> Json:
        """Wait for a dialog with a text in it; the newest."""

        def shown() -> Json | None:
            views = self.see(lambda: deepcopy([*self.views.values()]))
            return next((v for v in reversed(views) if v["type"] == "modal" and says_ in says(v)), None)

        return self.until(shown, within, f"a dialog that says {says_!r}")

    def uploaded(self, file_id: str) -> str:
        """A file's text."""
        assert isinstance(self.store, Memory)
        return self.store.uploads[file_id].decode()

    # --- within ------------------------------------------------------------------------------------

    def _channel(self, channel: str) -> Channel:
        if channel.startswith("D") and channel not in self.store.channels:
            return self.run(self.store.direct(f"U{channel[1:]}"))
        return self.store.channels[channel]

    def _direct(self, user: str) -> str:
        return self.run(self.store.direct(self.store.users[user].id)).id

    def _found(self, ts: str) -> tuple[Channel, Json]:
        for channel in {one.id: one for one in [*self.store.channels.values()]}.values():
            for message in self.messages(channel.id):
                if message["ts"] == ts:
                    return channel, message
        raise AssertionError(f"there is no message {ts}")

    def _trigger(self, user: str) -> str:
        return self.run(self.store.trigger(self.store.users[user].id))

    def _event(self, said: Json, channel: str) -> Json:
        return workspace.event(said | {"event_ts": said["ts"]}, shared=self._channel(channel).shared)


def buttons(shown: Json) -> dict[str, Json]:
    """The buttons of a message or view, by action id, each with the id of its block."""
    found = ((block, node) for block in shown.get("blocks") or [] for node in _nodes(block))
    return {
        node["action_id"]: node | {"block_id": block.get("block_id", "")}
        for block, node in found
        if node.get("type") == "button" and "action_id" in node
    }


def says(shown: Json) -> str:
    """All that stands in a message or a view, as a person reads it: its text, then its blocks."""
    told = [
        str(shown.get("text") or ""),
        *(str(n["text"]) for n in _nodes(_seen(shown)) if isinstance(n.get("text"), str)),
    ]
    return "\n".join(told)


def markup(shown: Json) -> list[str]:
    """What of a message Slack would make live: mentions, channels and links, from wherever it parses text."""
    parsed = [str(shown.get("text") or "")]
    parsed += [str(n["text"]) for n in _nodes(_seen(shown)) if n.get("type") in {"mrkdwn", "markdown"}]
    live = [n["user_id"] for n in _nodes(_seen(shown)) if n.get("type") == "user" and "user_id" in n]
    return [f"<@{one}>" for one in live] + [m for text in parsed for m in workspace.live(text)]


def _seen(shown: Json) -> list[Any]:
    return [shown.get("title"), shown.get("blocks") or [], shown.get("attachments") or []]


def _nodes(node: Any) -> Iterator[Json]:  # noqa: ANN401  # any part of a JSON document
    if isinstance(node, list):
        for one in node:
            yield from _nodes(one)
    elif isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _nodes(value)
