"""JSON documents that were given: read as any program may have written them, and shown without a secret in them."""

from __future__ import annotations

import json
from typing import Any, Final

from bot.livekit.setup import TEXT_LIMIT
from bot.redact import redact

_ENOUGH: Final = 4 * TEXT_LIMIT  # characters of a value that can still be seen once its secrets are masked


def load(raw: bytes) -> Any:  # noqa: ANN401  # any JSON
    r"""The document; a half of a character (`\ud800`) becomes a sign that every encoding has. Raises ValueError."""
    try:
        value = json.loads(raw)
        if b"\\ud" in raw.lower():
            value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


def shown(value: object) -> str:
    """A part of a document as it may be shown: redacted, short."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "…"
    # Redaction comes before the cut: half a secret is not recognised as one.
    return redact(text[:_ENOUGH])[:TEXT_LIMIT]
