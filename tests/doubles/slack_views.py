"""Views as Slack keeps them, in memory: opened with a trigger id that is good once, changed, and published as a home."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.doubles.slack_methods import Refused
from tests.doubles.slack_workspace import APP, BOT_ID, TEAM, fresh, named, people, stamp

if TYPE_CHECKING:
    from tests.doubles.slack_workspace import Json, User

_TRIGGER = 3.0  # seconds that a trigger id is good for


@dataclass
class Views:
    """`triggers` are until when they are good (of the monotonic clock), 0.0 when used; `homes` are by person."""

    users: dict[str, User] = field(default_factory=people)
    views: dict[str, Json] = field(default_factory=dict)
    homes: dict[str, Json] = field(default_factory=dict)
    triggers: dict[str, float] = field(default_factory=dict)

    async def trigger(self, user: str) -> str:  # noqa: ARG002  # here it is everybody's
        """A trigger id, good for three seconds and once."""
        made = fresh("1337.42.")
        self.triggers[made] = time.monotonic() + _TRIGGER
        return made

    def _views_open(self, args: Json) -> Json:
        trigger = args.get("trigger_id", "")
        if trigger not in self.triggers:
            raise Refused("invalid_trigger_id")
        if self.triggers[trigger] == 0.0:
            raise Refused("exchanged_trigger_id")
        if self.triggers[trigger] < time.monotonic():
            raise Refused("expired_trigger_id")
        self.triggers[trigger] = 0.0
        return {"view": self._shown(args["view"], fresh("V"))}

    def _shown(self, view: Json, view_id: str) -> Json:
        made = {
            "id": view_id, "team_id": TEAM, "app_id": APP, "app_installed_team_id": TEAM, "bot_id": BOT_ID, "hash": stamp(), "root_view_id": view_id,
            "previous_view_id": None, "state": {"values": {}}, "callback_id": "", "private_metadata": "", "external_id": "",
            "clear_on_close": False, "notify_on_close": False, **view, "blocks": named(view.get("blocks") or []),
        }  # fmt: skip
        if view.get("type") == "modal":
            made = {"title": None, "submit": None, "close": None} | made
        self.views[view_id] = made
        return made

    def _views_push(self, args: Json) -> Json:
        return self._views_open(args)

    def _views_update(self, args: Json) -> Json:
        there = self.views.get(args.get("view_id", ""))
        if there is None:
            there = next((v for v in self.views.values() if args.get("external_id") in {v["external_id"]} - {""}), None)
        if there is None:
            raise Refused("not_found")
        if args.get("hash") not in {None, "", there["hash"]}:
            raise Refused("hash_conflict")
        return {"view": self._shown(args["view"], there["id"])}

    def _views_publish(self, args: Json) -> Json:
        user = args.get("user_id", "")
        if user not in self.users:
            raise Refused("user_not_found")
        there = self.homes.get(user)
        if there is not None and args.get("hash") not in {None, "", there["hash"]}:
            raise Refused("hash_conflict")
        self.homes[user] = self._shown(args["view"], there["id"] if there else fresh("V"))
        return {"view": self.homes[user]}
