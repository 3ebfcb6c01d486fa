"""Blocks of Slack's Block Kit. Text of others' making stands only where Slack reads no markup: rich text and plain_text."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from bot.report.slack.budget import SECTION, clean, clip, texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bot.engine.values import Person
    from bot.report.slack.message import Block

Element = dict[str, Any]  # a part of a block

_MEMBER: Final = re.compile(r"[UW][A-Z0-9]{2,20}")
_MENTION: Final = re.compile(r"<([@#])([UWCG][A-Z0-9]{2,20})(?:\|[^<>]*)?>")

# --- rich text -------------------------------------------------------------------------------------


def rich(block_id: str, *parts: Element | None) -> Iterator[Block]:
    """A block of rich text with these parts; none where all of them are empty."""
    kept: list[Element] = []
    for part in parts:
        if part is None:
            continue
        last = kept[-1] if kept else None
        if (
            last is not None
            and part["type"] == last["type"] == "rich_text_section"
            and _size(last) + _size(part) < SECTION
        ):
            # Whether two sections are two lines is nowhere promised; a line feed is.
            kept[-1] = {**last, "elements": [*last["elements"], word("\n"), *part["elements"]]}
        else:
            kept.append(part)
    if kept:
        yield {"type": "rich_text", "block_id": clip(block_id, 255), "elements": kept}


def line(*elements: Element) -> Element | None:
    """A line of text."""
    return {"type": "rich_text_section", "elements": list(elements)} if elements else None


def bullets(items: Iterable[list[Element]], style: Literal["bullet", "ordered"] = "bullet") -> Element | None:
    """A list, a line each."""
    listed = [{"type": "rich_text_section", "elements": one} for one in items if one]
    return {"type": "rich_text_list", "style": style, "elements": listed} if listed else None


def pre(text: str) -> Element | None:
    """Text as it is, in letters of one width; it is cut and clean already."""
    return {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": text}]} if text else None


def pres(lines: Iterable[str]) -> Iterator[Element]:
    """Many lines as they are, in as many parts as it takes."""
    held: list[str] = []
    for one in lines:
        if held and sum(map(len, held)) + len(held) + len(one) > SECTION:
            yield from filter(None, [pre("\n".join(held))])
            held = []
        held.append(one)
    yield from filter(None, [pre("\n".join(held))])


def word(text: str, *, bold: bool = False, code: bool = False) -> Element:
    """A text of ours, not empty."""
    style = {name: True for name, on in (("bold", bold), ("code", code)) if on}
    return {"type": "text", "text": text, **({"style": style} if style else {})}


def emoji(name: str) -> Element:
    """An emoji by Slack's name for it."""
    return {"type": "emoji", "name": name}


def said(text: str, limit: int = SECTION) -> list[Element]:
    """Anybody's text, in which only backticks mean something: what stands between two is code."""
    parts = clean(text, limit).split("`")
    if len(parts) % 2 == 0:  # one of them has no partner
        parts = ["`".join(parts)]
    return [word(part, code=at % 2 == 1) for at, part in enumerate(parts) if part]


def addressed(text: str, limit: int = SECTION) -> list[Element]:
    """A sentence of our own, in which `<@ID>` and `<#ID>` name a person and a channel; not escaped."""
    out: list[Element] = []
    at = 0
    shown = clean(text, limit)
    for found in _MENTION.finditer(shown):
        out += said(shown[at : found.start()]) and [word(shown[at : found.start()])]
        kind = ("user", "user_id") if found[1] == "@" else ("channel", "channel_id")
        out.append({"type": kind[0], kind[1]: found[2]})
        at = found.end()
    return [*out, word(shown[at:])] if shown[at:] else out


def _size(part: Element) -> int:
    return sum(map(len, texts(part)))


# --- the small line below ----------------------------------------------------------------------------


def context(block_id: str, *elements: Element | None) -> Iterator[Block]:
    """A small line of at most ten elements; none where all of them are empty."""
    kept = [one for one in elements if one is not None][:10]
    if kept:
        yield {"type": "context", "block_id": clip(block_id, 255), "elements": kept}


def note(text: str, limit: int = 300) -> Element | None:
    """Anybody's text, for `context`."""
    shown = clean(text, limit)
    return plain_text(shown) if shown else None


def who(verb: str, person: Person, at: float | None = None) -> Iterator[Element]:
    """What somebody did, and when, for `context`: mentioned where Slack knows him."""
    when = f" {moment(at)}" if at is not None else ""
    if person.door == "slack" and _MEMBER.fullmatch(person.account):
        yield marked(f"{verb} <@{person.account}>{when}")
        return
    yield plain_text(f"{verb} {clean(person.name, 80)} ({person.door})")
    if when:
        yield marked(when.strip())


def moment(at: float) -> str:
    """A time in its reader's zone, for mrkdwn; seconds since the epoch."""
    try:
        said_so = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return "at an unknown time"
    return f"<!date^{int(at)}^{{date_short_pretty}} {{time}}|{said_so}>"


def marked(text: str) -> Element:
    """Markup of our own, without anybody's text in it."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def plain_text(text: str, limit: int = SECTION) -> Element:
    """Text without markup, in which `:smile:` stays what it is."""
    return {"type": "plain_text", "text": clip(text, limit), "emoji": False}


# --- buttons -----------------------------------------------------------------------------------------


def button(action_id: str, text: str, value: str, *, style: str = "", confirm: Element | None = None) -> Element:
    """A button; `value` comes back with the click."""
    given: Element = {
        "type": "button",
        "action_id": action_id,
        "text": plain_text(text, 75),
        "value": clip(value, 2000),
    }
    if style:
        given["style"] = style
    if confirm is not None:
        given["confirm"] = confirm
    return given


def sure(title: str, text: str, yes: str, no: str) -> Element:
    """The question before something dangerous; `text` is anybody's."""
    return {
        "title": plain_text(title, 100), "text": plain_text(clean(text, 300), 300), "confirm": plain_text(yes, 30),
        "deny": plain_text(no, 30), "style": "danger",
    }  # fmt: skip


def buttons(block_id: str, *given: Element) -> Iterator[Block]:
    """A row of buttons; none where there is none."""
    if given:
        yield {"type": "actions", "block_id": clip(block_id, 255), "elements": list(given)}
