"""Whoever judges what Slack is given: our own rules, and the checks of Slack's library for Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slack_sdk.models.blocks import Block, BlockElement, ConfirmObject, TextObject
from slack_sdk.models.views import View

from bot.report.slack.message import Message, Upload
from bot.report.slack.rules import broken

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def faults(content: Message | Upload | dict[str, Any]) -> list[str]:
    """What is wrong with a message, a file or a view."""
    if isinstance(content, Upload):
        return list(_upload(content))
    blocks = content["blocks"] if isinstance(content, dict) else content.blocks
    out = [*broken(content), *(fault for one in blocks for fault in _sdk(one)), *_untrusted(blocks)]
    if isinstance(content, dict):
        out += _same("view", content, View(**content))
    else:
        out += ["`text` has a `<` that is not escaped"] * ("<" in content.text)
    return out


def marked(value: Any) -> Iterator[str]:  # noqa: ANN401  # JSON
    """Every text in which Slack reads markup."""
    if isinstance(value, dict):
        if value.get("type") == "mrkdwn":
            yield value["text"]
        for inner in value.values():
            yield from marked(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from marked(inner)


def _upload(file: Upload) -> Iterator[str]:
    if "<" in file.says or len(file.says) > 4000:
        yield "what is said beside the file has a `<`, or is too long"
    if not file.name or "/" in file.name or not file.text.strip():
        yield "a file needs a name and a text"
    file.text.encode()


def _untrusted(blocks: Iterable[dict[str, Any]]) -> Iterator[str]:
    for text in marked(list(blocks)):
        if not text.isascii() or "<!channel" in text or "<!here" in text:
            yield f"markup that is not ours: {text}"


def _sdk(one: dict[str, Any]) -> Iterator[str]:
    parsed = Block.parse(one)
    if parsed is None:
        yield f"Slack's library does not know {one['type']}"
        return
    yield from _same("block", one, parsed)
    for element in (*one.get("elements", []), *([one["element"]] if "element" in one else [])):
        made = TextObject.parse(element) if element["type"] in {"mrkdwn", "plain_text"} else BlockElement.parse(element)
        yield from _same("element", element, made)
        if "confirm" in element:
            yield from _same("confirm", element["confirm"], ConfirmObject.parse(element["confirm"]))


def _same(what: str, given: dict[str, Any], made: Any) -> Iterator[str]:  # noqa: ANN401  # an object of Slack's library
    if made is None:
        yield f"Slack's library does not know the {what} {given.get('type')}"
        return
    try:
        told = made.to_dict()
    except Exception as trouble:  # noqa: BLE001  # whatever the library says is a fault of what it was given
        yield f"Slack's library refuses the {what}: {trouble}"
        return
    if told != given:
        yield f"Slack's library reads the {what} as {told}"
