"""What Slack keeps, in memory: messages with their threads, views, files; each method answers as the Web API does."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.doubles.slack_methods import Refused
from tests.doubles.slack_views import Views
from tests.doubles.slack_workspace import (
    APP,
    BOT,
    BOT_ID,
    TEAM,
    Channel,
    channels,
    fresh,
    kept,
    named,
    stamp,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]


@dataclass
class Memory(Views):
    """The workspace. `messages` are by channel and ts, `uploads` the files' bytes."""

    channels: dict[str, Channel] = field(default_factory=channels)
    messages: dict[str, dict[str, Json]] = field(default_factory=dict)
    files: dict[str, Json] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)

    async def call(self, method: str, args: Json) -> Json:
        """What the method answers."""
        handler: Callable[[Json], Json] | None = getattr(self, "_" + re.sub(r"\W", "_", method), None)
        if handler is None:
            return {"ok": False, "error": "unknown_method", "req_method": method}
        try:
            return {"ok": True, **handler(args)}
        except Refused as refused:
            return refused.answer

    async def read(self, channel: str) -> list[Json]:
        """Every message of a channel as it is now."""
        return deepcopy([*self.messages.get(channel, {}).values()])

    async def put(self, channel: str, message: Json) -> None:
        """Keep a message that a person wrote."""
        message["ts"] = stamp()
        self._put(channel, {**message})

    async def direct(self, user: str) -> Channel:
        """The direct message of the app with a person."""
        return self._direct(user)

    async def close(self) -> None:
        """There is nothing to give back."""

    def _direct(self, user: str) -> Channel:
        made = self.channels.setdefault(f"D{user[1:]}", Channel(f"D{user[1:]}", "", im=user))
        self.messages.setdefault(made.id, {})
        return made

    def _channel(self, channel: str, *, write: bool = False) -> Channel:
        """The channel. Raises Refused with the words of Slack where it is none, or the bot may not write in it."""
        if channel.startswith("U") and channel in self.users:
            return self._direct(channel)
        found = self.channels.get(channel)
        if found is None or (found.private and not found.member):
            raise Refused("channel_not_found")
        if write and found.archived:
            raise Refused("is_archived")
        if write and not found.member:
            raise Refused("not_in_channel")
        return found

    def _message(self, channel: str, ts: str) -> Json:
        """A message as it is now. Raises Refused where there is none."""
        found = self.messages.get(channel, {}).get(ts)
        if found is None:
            raise Refused("message_not_found")
        return found

    def _put(self, channel: str, message: Json) -> Json:
        """Keep a message, and count it in its thread."""
        root = self.messages.setdefault(channel, {}).get(message.get("thread_ts", ""))
        self.messages[channel][message["ts"]] = message
        if root is not None:
            root.setdefault("thread_ts", root["ts"])
            root["reply_count"] = root.get("reply_count", 0) + 1
        return message

    # --- chat --------------------------------------------------------------------------------------

    def _chat_postMessage(self, args: Json) -> Json:  # noqa: N802  # Slack's own name
        channel = self._channel(args["channel"], write=True)
        return self._told(channel.id, self._put(channel.id, self._of_the_app(args)))

    def _of_the_app(self, args: Json) -> Json:
        made: Json = {
            "type": "message", "user": BOT, "bot_id": BOT_ID, "app_id": APP, "team": TEAM, "ts": stamp(), "text": kept(args.get("text") or ""),
        }  # fmt: skip
        if args.get("blocks"):
            made["blocks"] = named(args["blocks"])
        return made | {name: args[name] for name in ("thread_ts", "metadata", "files") if args.get(name)}

    def _told(self, channel: str, message: Json) -> Json:
        return {"channel": channel, "ts": message["ts"], "message": message}

    def _chat_update(self, args: Json) -> Json:
        channel = self._channel(args["channel"])
        message = self._message(channel.id, args.get("ts", ""))
        if message.get("user") != BOT:
            raise Refused("cant_update_message")
        if channel.archived:
            raise Refused("is_archived")
        if args.get("text") is not None:
            message["text"] = kept(args["text"])
        if "blocks" in args:  # what is not said stays as it was
            message["blocks"] = named(args["blocks"] or [])
        if args.get("metadata"):
            message["metadata"] = args["metadata"]
        message["edited"] = {"user": BOT, "ts": stamp()}
        return {"channel": channel.id, "ts": message["ts"], "text": message["text"], "message": message}

    def _chat_delete(self, args: Json) -> Json:
        channel = self._channel(args["channel"])
        message = self._message(channel.id, args.get("ts", ""))
        if message.get("user") != BOT:
            raise Refused("cant_delete_message")
        del self.messages[channel.id][message["ts"]]
        return {"channel": channel.id, "ts": message["ts"]}

    def _chat_postEphemeral(self, args: Json) -> Json:  # noqa: N802  # Slack's own name
        channel = self._channel(args["channel"], write=True)
        if args.get("user") not in self.users:
            raise Refused("user_not_in_channel")
        return {"message_ts": self._of_the_app(args | {"channel": channel.id})["ts"]}

    def _chat_getPermalink(self, args: Json) -> Json:  # noqa: N802  # Slack's own name
        message = self._message(self._channel(args["channel"]).id, args.get("message_ts", ""))
        link = f"https://fletcher.slack.com/archives/{args['channel']}/p{message['ts'].replace('.', '')}"
        return {"channel": args["channel"], "permalink": link}

    # --- conversations and people ------------------------------------------------------------------

    def _conversations_info(self, args: Json) -> Json:
        return {"channel": self._channel(args["channel"]).told()}

    def _conversations_list(self, args: Json) -> Json:  # noqa: ARG002  # the form of all of them
        seen = [c.told() for c in self.channels.values() if not c.im and (c.member or not c.private)]
        return {"channels": seen, "response_metadata": {"next_cursor": ""}}

    def _conversations_open(self, args: Json) -> Json:
        user = str(args.get("users", ""))
        if user not in self.users:
            raise Refused("user_not_found")
        if self.users[user].flags.get("deleted") or self.users[user].flags.get("is_bot"):
            raise Refused("user_disabled" if self.users[user].flags.get("deleted") else "cannot_dm_bot")
        return {"channel": {"id": self._direct(user).id}}

    def _conversations_history(self, args: Json) -> Json:
        found = self.messages.get(self._channel(args["channel"]).id, {}).values()
        roots = [m for m in found if m.get("thread_ts", m["ts"]) == m["ts"]]
        return {"messages": roots[::-1], "has_more": False}

    def _conversations_replies(self, args: Json) -> Json:
        found = self.messages.get(self._channel(args["channel"]).id, {}).values()
        thread = [m for m in found if args.get("ts") in {m["ts"], m.get("thread_ts")}]
        if not thread:
            raise Refused("thread_not_found")
        return {"messages": thread, "has_more": False}

    def _users_info(self, args: Json) -> Json:
        if args.get("user") not in self.users:
            raise Refused("user_not_found")
        return {"user": self.users[args["user"]].told()}

    def _usergroups_users_list(self, args: Json) -> Json:
        if args.get("usergroup") not in self.groups:
            raise Refused("no_such_subteam")
        return {"users": self.groups[args["usergroup"]]}

    # --- files -------------------------------------------------------------------------------------

    def _files_getUploadURLExternal(self, args: Json) -> Json:  # noqa: N802  # Slack's own name
        if not args.get("filename") or int(args.get("length") or 0) < 1:
            raise Refused("invalid_arguments")
        made = fresh("F")
        self.files[made] = {"id": made, "name": args["filename"], "size": int(args["length"]), "user": BOT}
        return {"file_id": made, "upload_url": f"/upload/{made}"}  # the gateway knows where it listens

    def _files_completeUploadExternal(self, args: Json) -> Json:  # noqa: N802  # Slack's own name
        given = args.get("files") or []
        for one in given:
            if one["id"] not in self.uploads or len(self.uploads[one["id"]]) != self.files[one["id"]]["size"]:
                raise Refused("file_not_found")
            self.files[one["id"]]["title"] = one.get("title") or self.files[one["id"]]["name"]
        made = [self.files[one["id"]] for one in given]
        where = args.get("channel_id") or args.get("channels")
        if where:
            channel = self._channel(where, write=True)
            said = {
                "text": args.get("initial_comment") or "",
                "thread_ts": args.get("thread_ts"),
                "files": made,
                "blocks": args.get("blocks"),
            }
            self._put(channel.id, self._of_the_app(said))
        return {"files": made}
