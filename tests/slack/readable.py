"""What Slack shows of blocks, as text that a person can review: `[Approve]` is a button, `| ` stands before quoted text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bot.report.slack.message import Message

_DATE = re.compile(r"<!date\^\d+\^[^|>]*\|([^>]*)>")


def readable(content: Message | dict[str, Any]) -> str:
    """A message or a view as text."""
    blocks = content["blocks"] if isinstance(content, dict) else content.blocks
    return "\n".join(line.rstrip() for one in blocks for line in _block(one)) + "\n"


def _block(one: dict[str, Any]) -> Iterator[str]:
    match one["type"]:
        case "rich_text":
            for part in one["elements"]:
                yield from _part(part)
        case "context":
            yield f"({' · '.join(_plain(element) for element in one['elements'])})"
        case "actions":
            yield " ".join(_button(element) for element in one["elements"])
        case "input":
            yield f"{one['label']['text']}: ______ ({one['element']['placeholder']['text']})"
        case kind:
            raise AssertionError(f"no picture of {kind}")


def _part(part: dict[str, Any]) -> Iterator[str]:
    match part["type"]:
        case "rich_text_section":
            yield _line(part["elements"])
        case "rich_text_list":
            for number, item in enumerate(part["elements"], 1):
                yield f"{f'{number}.' if part['style'] == 'ordered' else ' •'} {_line(item['elements'])}"
        case "rich_text_preformatted":
            yield from (f"| {line}" for line in part["elements"][0]["text"].split("\n"))
        case kind:
            raise AssertionError(f"no picture of {kind}")


def _line(elements: Iterable[dict[str, Any]]) -> str:
    out = ""
    for one in elements:
        match one["type"]:
            case "text":
                style = one.get("style", {})
                mark = "`" if style.get("code") else "*" if style.get("bold") else ""
                inner = one["text"].strip() if mark == "*" else one["text"]
                out += one["text"].replace(inner, f"{mark}{inner}{mark}") if mark else one["text"]
            case "emoji":
                out += f":{one['name']}:"
            case "user":
                out += f"@{one['user_id']}"
            case "channel":
                out += f"#{one['channel_id']}"
    return out


def _plain(element: dict[str, Any]) -> str:
    said: str = element["text"]
    return _DATE.sub(r"\1", said) if element["type"] == "mrkdwn" else said


def _button(one: dict[str, Any]) -> str:
    if one["type"] == "overflow":
        return f"[… {' / '.join(option['text']['text'] for option in one['options'])}]"
    style = f" {one['style']}" if "style" in one else ""
    confirm = one.get("confirm")
    asks = f", asks: {confirm['title']['text']} {confirm['text']['text']}" if confirm else ""
    return f"[{one['text']['text']}{style}{asks}]"
