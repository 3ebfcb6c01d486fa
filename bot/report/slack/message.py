"""What Slack is given: a message, a file or a view, as values; each is within Slack's limits when it is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Block = dict[str, Any]  # one block of Block Kit, as Slack's JSON has it


@dataclass(frozen=True, slots=True)
class Message:
    """A message: `text` is the whole of it as a sentence, for notifications and screen readers, escaped for Slack."""

    text: str
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class Upload:
    """A file for what is too long to be read in a message; `says` stands beside it, escaped for Slack."""

    name: str
    title: str
    text: str = field(repr=False)
    says: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One entry of a run's thread. It is said once: `key` tells it from the others, also after a restart."""

    key: str
    content: Message | Upload
