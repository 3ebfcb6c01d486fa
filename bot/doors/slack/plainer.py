"""What is said where Slack does not take the whole, or the channel takes nothing."""

from __future__ import annotations

import logging
from typing import Final

from bot.report.slack.message import Block, Message, Upload
from bot.report.slack.rules import broken

NOTE: Final = "(Slack did not take the whole of this: `/fletcher show` and the terminal have it.)"
_TEXT: Final = 2800  # characters: below a section's limit, and so below every one of a message's text
_LINES: Final = 2500  # characters of a file's beginning

_log = logging.getLogger("fletcher.slack")


def breaks(message: Message) -> bool:
    """Whether a message is beyond Slack's limits as we know them; the log has how, since it should never be."""
    troubles = broken(message)
    if troubles:
        _log.error("a message breaks Slack's limits and is said plainly: %s", "; ".join(troubles))
    return bool(troubles)


def plainer(content: Message | Upload) -> Message:
    """The same in few words and without blocks; of a file its beginning."""
    if isinstance(content, Message):
        return Message(f"{_cut(content.text)} {NOTE}")
    text = content.text
    if len(text) > _LINES:
        text = text[: text.rfind("\n", 0, _LINES) + 1 or _LINES]
        text += f"\n… {content.text.count(chr(10), len(text))} more lines"
    said = _cut(content.says or content.title)
    blocks: tuple[Block, ...] = (
        {"type": "section", "text": {"type": "mrkdwn", "text": said}},
        {"type": "rich_text", "elements": [{"type": "rich_text_preformatted", "elements": [{"type": "text", "text": text or " "}]}]},
    )  # fmt: skip
    return Message(f"{said} {NOTE}", blocks)


def moved(message: Message, channel: str, why: str = "") -> Message:
    """The same for a person, with why it is not where it was asked for; `channel` is the id, `why` text of ours."""
    where = f"This belongs in <#{channel}>, which does not take it{f': {why}' if why else ''}."
    first: Block = {"type": "section", "text": {"type": "mrkdwn", "text": where}}
    return Message(f"{where} {message.text}", (first, *message.blocks) if message.blocks else ())


def _cut(said: str) -> str:
    """A text that is escaped already, cut between two words, and in none of Slack's own <…>."""
    if len(said) <= _TEXT:
        return said
    kept = said[:_TEXT]
    kept = kept[: kept.rfind(" ")] if " " in kept else kept
    if kept.rfind("<") > kept.rfind(">"):
        kept = kept[: kept.rfind("<")]
    return f"{kept.rstrip()} …"
