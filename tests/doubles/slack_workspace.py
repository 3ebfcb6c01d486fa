"""A Slack workspace as its app sees it: who is there, and what Slack sends when a person does something. Pure."""

from __future__ import annotations

import itertools
import re
import time
from dataclasses import dataclass, field
from typing import Any, Final

TEAM, APP, BOT, BOT_ID = "T0FLETCHER", "A0FLETCHER", "U0FLETCHER", "B0FLETCHER"
ADA, GRACE, LIN = "U0ADA00001", "U0GRACE001", "U0LIN00001"  # members of the workspace
GUEST, STRANGER, GONE, ROBOT = "U0GUEST001", "U0STRANGER", "U0GONE0001", "U0ROBOT001"
OPS, DEV, OUTSIDE, ARCHIVED, SHARED, SECRET = (
    "C0OPS00001", "C0DEV00001", "C0OUTSIDE1", "C0ARCHIVED", "C0SHARED01", "C0SECRET01",
)  # fmt: skip

Json = dict[str, Any]
_count = itertools.count(1)
_TOKEN: Final = re.compile(r"<(?:[@#!][^<>\n]+|https?://[^<>\n]+|mailto:[^<>\n]+)>")
_ENTITY: Final = re.compile(r"&(?!(?:amp|lt|gt);)")


@dataclass
class User:
    """A person or a bot; `flags` are fields of `users.info` that say otherwise, `team` is where he belongs."""

    id: str
    name: str
    team: str = TEAM
    flags: Json = field(default_factory=dict)

    def told(self) -> Json:
        """The user, as `users.info` has it."""
        plain: Json = dict.fromkeys(("deleted", "is_bot", "is_restricted", "is_ultra_restricted", "is_app_user"), False)
        told = plain | {"id": self.id, "team_id": self.team, "name": self.name, "real_name": self.name.title()}
        told |= {"tz": "Europe/Berlin", "is_admin": False, "is_owner": False, "is_primary_owner": False}
        told["profile"] = {"real_name": self.name.title(), "display_name": self.name, "team": self.team}
        return told | self.flags


@dataclass
class Channel:
    """A channel; the bot may write in it where it is a `member`. `im` is the person of a direct message."""

    id: str
    name: str
    member: bool = True
    archived: bool = False
    private: bool = False
    shared: bool = False
    im: str = ""

    def told(self) -> Json:
        """The channel, as `conversations.info` has it."""
        if self.im:
            return {"id": self.id, "is_im": True, "user": self.im, "is_archived": False, "is_ext_shared": False}
        return {
            "id": self.id, "name": self.name, "is_channel": not self.private, "is_group": self.private, "is_im": False,
            "is_private": self.private, "is_member": self.member, "is_archived": self.archived, "is_mpim": False,
            "is_shared": self.shared, "is_ext_shared": self.shared, "is_org_shared": False, "context_team_id": TEAM,
        }  # fmt: skip


def people() -> dict[str, User]:
    """Who is there at first."""
    made = (
        User(ADA, "ada"), User(GRACE, "grace"), User(LIN, "lin"), User(BOT, "fletcher", flags={"is_bot": True}),
        User(GUEST, "guest", flags={"is_restricted": True}), User(ROBOT, "robot", flags={"is_bot": True}),
        User(STRANGER, "stranger", team="T0STRANGER", flags={"is_stranger": True}), User(GONE, "gone", flags={"deleted": True}),
    )  # fmt: skip
    return {one.id: one for one in made}


def channels() -> dict[str, Channel]:
    """What channels there are at first."""
    made = (
        Channel(OPS, "ops"), Channel(DEV, "dev"), Channel(OUTSIDE, "outside", member=False), Channel(ARCHIVED, "old", archived=True),
        Channel(SHARED, "shared", shared=True), Channel(SECRET, "secret", member=False, private=True),
    )  # fmt: skip
    return {one.id: one for one in made}


def fresh(kind: str) -> str:
    """An id that nobody had before, of this kind (its first letters)."""
    return f"{kind}{next(_count):08d}"


def stamp() -> str:
    """A time as Slack writes it, which no other message has."""
    return f"{int(time.time())}.{next(_count) % 1_000_000:06d}"


def typed(text: str) -> str:
    """What a person types, as Slack hands it on: escaped, but for mentions, channels and links."""
    out, at = [], 0
    for found in _TOKEN.finditer(text):
        out += [_escaped(text[at : found.start()]), found[0]]
        at = found.end()
    return "".join([*out, _escaped(text[at:])])


def kept(text: str) -> str:
    """What an app sends, as Slack keeps it and hands it back: the rest of what has to be escaped is."""
    out, at = [], 0
    for found in _TOKEN.finditer(text):
        out += [_half(text[at : found.start()]), found[0]]
        at = found.end()
    return "".join([*out, _half(text[at:])])


def live(text: str) -> list[str]:
    """What Slack would make a mention, a channel or a link of."""
    return _TOKEN.findall(text)


def named(blocks: list[Json]) -> list[Json]:
    """Blocks as Slack hands them back: each has an id, and what has to be escaped is."""
    return [{"block_id": fresh("b"), **_kept(block)} for block in blocks]


def _kept(node: Any) -> Any:  # noqa: ANN401  # any part of a JSON document
    if isinstance(node, list):
        return [_kept(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {name: _kept(value) for name, value in node.items()}
    if made.get("type") in {"mrkdwn", "plain_text"}:
        made["text"] = kept(str(made.get("text") or ""))
    return made


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _half(text: str) -> str:
    return _ENTITY.sub("&amp;", text).replace("<", "&lt;").replace(">", "&gt;")


def command(user: User, channel: Channel, text: str, trigger: str, response_url: str, name: str = "/fletcher") -> Json:
    """A slash command."""
    return {
        "token": "old", "team_id": user.team, "team_domain": "fletcher", "channel_id": channel.id, "channel_name": channel.name or "directmessage",
        "user_id": user.id, "user_name": user.name, "command": name, "text": typed(text), "api_app_id": APP,
        "is_enterprise_install": "false", "response_url": response_url, "trigger_id": trigger,
    }  # fmt: skip


def _interactive(kind: str, user: User, trigger: str) -> Json:
    return {
        "type": kind, "team": {"id": TEAM, "domain": "fletcher"}, "enterprise": None, "is_enterprise_install": False,
        "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": user.team},
        "api_app_id": APP, "token": "old", "trigger_id": trigger,
    }  # fmt: skip


def click(user: User, channel: Channel, message: Json, pressed: Json, trigger: str, response_url: str) -> Json:
    """A click on a button of a message."""
    where = {"type": "message", "message_ts": message["ts"], "channel_id": channel.id, "is_ephemeral": False}
    if "thread_ts" in message:
        where["thread_ts"] = message["thread_ts"]
    return _interactive("block_actions", user, trigger) | {
        "container": where, "channel": {"id": channel.id, "name": channel.name or "directmessage"}, "message": message,
        "state": {"values": {}}, "response_url": response_url, "actions": [pressed | {"action_ts": stamp()}],
    }  # fmt: skip


def click_in_view(user: User, view: Json, pressed: Json, trigger: str) -> Json:
    """A click on a button of a view."""
    return _interactive("block_actions", user, trigger) | {
        "container": {"type": "view", "view_id": view["id"]}, "view": view, "actions": [pressed | {"action_ts": stamp()}],
    }  # fmt: skip


def submission(user: User, view: Json, values: Json, trigger: str) -> Json:
    """A view that is sent off, with what was filled in: values by block id and action id."""
    return _interactive("view_submission", user, trigger) | {
        "view": view | {"state": {"values": values}}, "response_urls": [],
    }  # fmt: skip


def shortcut(user: User, channel: Channel, message: Json, callback: str, trigger: str, response_url: str) -> Json:
    """A shortcut of a message."""
    told = _interactive("message_action", user, trigger)
    del told["api_app_id"]
    return told | {
        "callback_id": callback, "channel": {"id": channel.id, "name": channel.name or "directmessage"}, "message": message,
        "message_ts": message["ts"], "response_url": response_url, "action_ts": stamp(),
    }  # fmt: skip


def event(what: Json, *, shared: bool = False) -> Json:
    """An event of the Events API."""
    return {
        "token": "old", "team_id": TEAM, "context_team_id": TEAM, "context_enterprise_id": None, "api_app_id": APP,
        "event": what, "type": "event_callback", "event_id": fresh("Ev"), "event_time": int(time.time()),
        "authorizations": [{"enterprise_id": None, "team_id": TEAM, "user_id": BOT, "is_bot": True, "is_enterprise_install": False}],
        "is_ext_shared_channel": shared, "event_context": fresh("4-"),
    }  # fmt: skip


def written(user: User, channel: Channel, text: str, thread: str = "") -> Json:
    """A message that a person wrote."""
    said = {
        "type": "message",
        "user": user.id,
        "text": typed(text),
        "team": user.team,
        "channel": channel.id,
    }
    return said | ({"thread_ts": thread} if thread else {})


def echo(channel: Channel, message: Json, *, changed: bool) -> Json:
    """What the app is told of its own messages in a direct message, as of everybody's there."""
    common = {"type": "message", "channel": channel.id, "channel_type": "im", "event_ts": stamp()}
    if changed:
        return common | {
            "subtype": "message_changed",
            "message": message,
            "previous_message": message,
            "hidden": True,
            "ts": stamp(),
        }
    return common | message
