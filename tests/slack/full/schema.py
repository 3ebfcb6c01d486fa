"""Slack's published types as a judge: what they refuse in a payload, but for what Slack itself does and they do not know."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from jsonschema import Draft7Validator
from jsonschema.exceptions import best_match

from tests.slack.full.parts import SCHEMAS

if TYPE_CHECKING:
    from tests.slack.full.parts import Parts

Json = dict[str, Any]

#: What is taken out before a payload is judged: where it stands, the value where only that is meant, and why it is right.
ALLOWED: tuple[tuple[str, str, object, str], ...] = (
    ("Says", "enterprise", None, "Slack sends null where there is no enterprise"),
    ("Says", "context_enterprise_id", None, "the same, in events"),
    ("submit", "user.username", ..., "Slack sends it with views as with clicks"),
    ("click", "actions.style", ..., "Slack sends the button as it was"),
    ("click", "actions.confirm", ..., "the same"),
    ("dm", "event.app_id", ..., "Slack sends it with what an app says"),
    ("Answers", "view.previous_view_id", None, "Slack sends null for a view that came after none"),
    ("Answers", "view.close", None, "and for a text that was not given"),
    ("Answers", "view.submit", None, "the same"),
    ("Answers", "view.state.values", ..., "what is filled in, which the type of the event has"),
)
#: What judges an envelope's payload: the type of the envelope, of its event or of the payload itself.
KINDS = {
    "slash_commands": "slash", "block_actions": "click", "view_submission": "submit", "message_action": "shortcut",
    "app_mention": "mention", "message": "dm", "app_home_opened": "home",
}  # fmt: skip


class Types:
    """The judge; each method returns what is wrong, "" when nothing is."""

    def __init__(self, parts: Parts) -> None:
        self._schemas = {name: parts.schema(name) for name in SCHEMAS}
        self._known: dict[str, str] = {}  # what was said of a block
        self._judges: dict[tuple[str, str], Draft7Validator] = {}

    def asked(self, method: str, args: Json) -> str:
        """What is wrong with the arguments of a method (or an `ack`, a `modal` or a `home`).

        Its blocks are judged one by one, as those that Slack knows: where a type has blocks, it takes anything for one.
        """
        given = deepcopy(args)
        blocks = []
        for owner in (given, given.get("view")):
            if isinstance(owner, dict) and owner.get("blocks"):
                blocks += owner["blocks"]
                owner["blocks"] = []
        told = self._judged("Asks" if method in self._listed("Asks") else "Finds", method, given)
        return told or next(filter(None, map(self._block, blocks)), "")

    def _block(self, block: Json) -> str:
        text = json.dumps(block, sort_keys=True)
        if text not in self._known:
            self._known[text] = self._judged("Asks", "blocks", [block])
        return self._known[text]

    def said(self, envelope: Json) -> str:
        """What is wrong with something that Slack sends."""
        payload: Json = envelope["payload"]
        named = payload.get("event", payload) if envelope["type"] != "slash_commands" else envelope
        inner = str(named["type"])
        return self._judged("Says", KINDS[inner], payload)

    def answered(self, method: str, answer: Json) -> str:
        """What is wrong with the answer of a method."""
        return self._judged("Answers", method, answer)

    def _listed(self, name: str) -> Json:
        schema = self._schemas[name]
        listed: Json = schema.get("definitions", {}).get(name, schema)["properties"]
        return listed

    def _judged(self, name: str, what: str, value: Json | list[Json]) -> str:
        if what not in self._listed(name):
            return f"{what} is not among the types that judge"
        judge = self._judges.get((name, what))
        if judge is None:
            definitions = self._schemas[name].get("definitions", {})
            judge = Draft7Validator({"allOf": [self._listed(name)[what]], "definitions": definitions})
            self._judges[name, what] = judge
        given = without_allowed(name, what, value)
        if judge.is_valid(given):
            return ""
        trouble = best_match(judge.iter_errors(given))
        assert trouble is not None
        return f"{what}: {trouble.json_path}: {trouble.message[:300]}"


def without_allowed(name: str, what: str, value: Json | list[Json]) -> Json | list[Json]:
    """The payload without what ALLOWED names."""
    made = deepcopy(value)
    for kind, path, only, _ in ALLOWED:
        if kind in {name, what}:
            _drop(made, path.split("."), only)
    return made


def _drop(node: Any, path: list[str], only: object) -> None:  # noqa: ANN401  # any part of a JSON document
    if isinstance(node, list):
        for one in node:
            _drop(one, path, only)
    elif isinstance(node, dict) and path[0] in node:
        if len(path) > 1:
            _drop(node[path[0]], path[1:], only)
        elif only is ... or node[path[0]] == only:
            del node[path[0]]
