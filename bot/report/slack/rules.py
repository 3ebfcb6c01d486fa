"""Slack's limits that its own libraries do not know, and ours, which are below them: what is wrong with a message or a view."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from bot.report.slack.budget import BLOCKS, TOTAL, texts, weight
from bot.report.slack.message import Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bot.report.slack.message import Block

_UPDATED: Final = 4000  # characters of `text` that chat.update takes
_VIEW: Final = 250_000 // 6  # characters of a view; Slack takes 250 kB, and a letter may be six bytes as JSON
_IDS: Final = ("block_id", "action_id", "callback_id", "external_id")
#: Where text of others' making must never stand, and what it could do there.
_MARKUP: Final = ("<!channel", "<!here", "<!everyone", "<!subteam")
_IN_MESSAGE: Final = frozenset({"actions", "context", "divider", "header", "rich_text", "section", "table"})
_IN_VIEW: Final = (_IN_MESSAGE | {"input"}) - {"table"}


def broken(payload: Message | dict[str, Any]) -> tuple[str, ...]:
    """What Slack would refuse in a message or a view, or we do not want in it: a sentence each, () when it is as it should be."""
    return tuple(_message(payload) if isinstance(payload, Message) else _view(payload))


def _message(message: Message) -> Iterator[str]:
    yield from _text("text", message.text, _UPDATED)
    if any(mark in message.text for mark in _MARKUP):
        yield "text mentions everybody"
    if len(message.blocks) > BLOCKS:
        yield f"{len(message.blocks)} blocks are more than {BLOCKS}"
    if (size := weight(message.blocks)) > TOTAL:
        yield f"{size} characters in all blocks are more than {TOTAL}"
    yield from _blocks(message.blocks, _IN_MESSAGE)


def _view(view: dict[str, Any]) -> Iterator[str]:
    blocks = view.get("blocks", [])
    if view.get("type") not in {"modal", "home"}:
        yield f"a view is a modal or a home, not {view.get('type')!r}"
    if not 1 <= len(blocks) <= 100:
        yield f"a view has 1 to 100 blocks, not {len(blocks)}"
    if (size := weight(blocks)) > _VIEW:
        yield f"{size} characters in all blocks are more than {_VIEW}"
    if view.get("type") == "modal":
        for name in ("title", "submit", "close"):
            if name in view or name == "title":
                yield from _text(name, view.get(name, {}).get("text", ""), 24)
        if any(one.get("type") == "input" for one in blocks) and "submit" not in view:
            yield "a view with an input needs submit"
    if len(view.get("private_metadata", "")) > 3000:
        yield "private_metadata is longer than 3000 characters"
    if len(view.get("callback_id", "")) > 255:
        yield "callback_id is longer than 255 characters"
    yield from _blocks(blocks, _IN_VIEW)


def _blocks(blocks: Iterable[Block], known: frozenset[str]) -> Iterator[str]:
    listed = list(blocks)
    for block_id, count in Counter(one["block_id"] for one in listed if "block_id" in one).items():
        if count > 1:
            yield f"block_id {block_id!r} is there {count} times"
    for at, one in enumerate(listed):
        where = f"block {at} ({one.get('type')})"
        if one.get("type") not in known:
            yield f"{where} is of a kind that does not belong there"
            continue
        yield from (f"{where}: {trouble}" for trouble in _block(one))


def _block(one: Block) -> Iterator[str]:
    for said in texts(one):
        if not said:
            yield "an empty text"
        if any("\ud800" <= letter <= "\udfff" for letter in said):
            yield "half a letter, which is no UTF-8"
    yield from _ids(one)
    elements = one.get("elements", [])
    match one["type"]:
        case "rich_text":
            yield from _rich(elements)
        case "section":
            yield from _section(one)
        case "header":
            yield from _text("header", one.get("text", {}).get("text", ""), 150)
        case "context":
            yield from _count("context", elements, 10)
            yield from (trouble for element in elements for trouble in _text("element", element.get("text", ""), 2900))
        case "actions":
            yield from _count("actions", elements, 25)
            yield from (trouble for element in elements for trouble in _button(element))
        case "input":
            yield from _text("label", one.get("label", {}).get("text", ""), 2000)
            yield from _field(one.get("element", {}))
        case "table":
            rows = one.get("rows", [])
            if len(rows) > 100 or any(len(row) > 20 for row in rows):
                yield "a table has at most 100 rows of 20 cells"


def _ids(value: Any) -> Iterator[str]:  # noqa: ANN401  # JSON
    """What is wrong with the ids in a block: too long, or an action_id that is there twice."""
    actions: Counter[str] = Counter()
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            for name in _IDS:
                if name in one and not 1 <= len(one[name]) <= 255:
                    yield f"{name} has 1 to 255 characters, not {len(one[name])}"
            if "action_id" in one:
                actions[one["action_id"]] += 1
            left += one.values()
        elif isinstance(one, list | tuple):
            left += one
    yield from (f"action_id {name!r} is there {count} times" for name, count in actions.items() if count > 1)


def _rich(elements: Iterable[dict[str, Any]]) -> Iterator[str]:
    listed = list(elements)
    if not listed:
        yield "rich text without a part"
    for part in listed:
        if not part.get("elements"):
            yield f"{part.get('type')} without an element"
        if (size := sum(map(len, texts(part)))) > 2900:
            yield f"{part.get('type')} has {size} characters, more than 2900"


def _section(one: Block) -> Iterator[str]:
    fields = one.get("fields", [])
    if "text" not in one and not fields:
        yield "a section without text or fields"
    if "text" in one:
        yield from _text("section", one["text"].get("text", ""), 2900)
    if len(fields) > 10:
        yield f"{len(fields)} fields are more than 10"
    yield from (trouble for field in fields for trouble in _text("field", field.get("text", ""), 2000))
    if "accessory" in one:
        yield from _button(one["accessory"])


def _button(one: dict[str, Any]) -> Iterator[str]:
    if one.get("type") == "overflow":
        yield from _count("a menu", one.get("options", []), 5)
        for option in one.get("options", []):
            yield from _text("an option", option.get("text", {}).get("text", ""), 75)
            yield from _text("an option's value", option.get("value", ""), 150)
    if one.get("type") != "button":
        return
    yield from _text("button", one.get("text", {}).get("text", ""), 75)
    if len(one.get("value", "")) > 2000:
        yield "a button's value is longer than 2000 characters"
    if len(one.get("url", "")) > 3000:
        yield "a button's url is longer than 3000 characters"
    confirm = one.get("confirm")
    if confirm is not None:
        for name, most in (("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)):
            yield from _text(f"confirm's {name}", confirm.get(name, {}).get("text", ""), most)
    if one.get("style") == "danger" and one.get("action_id") == "cancel" and confirm is None:
        yield "a dangerous button without confirm"


def _field(one: dict[str, Any]) -> Iterator[str]:
    if one.get("type") == "plain_text_input":
        yield from _text("placeholder", one.get("placeholder", {}).get("text", "-"), 150)
        if one.get("max_length", 3000) > 3000:
            yield "an input takes at most 3000 characters"


def _count(name: str, elements: Iterable[object], most: int) -> Iterator[str]:
    if not 1 <= (count := len(list(elements))) <= most:
        yield f"{name} has 1 to {most} elements, not {count}"


def _text(name: str, said: str, most: int) -> Iterator[str]:
    if not said.strip():
        yield f"{name} is empty"
    if len(said) > most:
        yield f"{name} has {len(said)} characters, more than {most}"
