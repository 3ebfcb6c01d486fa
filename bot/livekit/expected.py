"""Lines of a text that says what a log should show → no evidence: nobody has seen them."""

from __future__ import annotations

import re
from typing import Final

_FENCES: Final = frozenset({b"```", b"~~~"})
_LINES: Final = 20  # of a block that only shows what is expected; a longer one is somebody's log
# Not `you will see`: people write it of what they do see, when they say how to get there.
_VERB: Final = rb"(?:should|ought to|would)\s+(?:now\s+|then\s+|also\s+|instead\s+)?(?:show|see|look like|print|say|read|contain|log|get)\b"
_WOULD: Final = re.compile(
    rb"\b" + _VERB + rb"[^.;\n]*(?::|\b(?:this|these|following|like))\W*$"
    rb"|\b(?:logs?|output|console)\s+" + _VERB + rb"\W*$"
    rb"|^[^a-z\n]*(?:expected|desired)(?: (?:log|logs|lines?|output|result|server|agent|worker|behaviou?r))*[^a-z\n]*$",
    re.IGNORECASE,
)  # fmt: skip
_BUT: Final = re.compile(
    rb"\b(?:but|however|yet|never|still|only|got|actual\w*|not|instead,? (?:i|we|it))\b|n(?:'|\xe2\x80\x99)t\b|\b(?:i|we) should\b",
    re.IGNORECASE,
)


class Expected:
    """Tells, line by line, whether a line stands in a fenced block below words such as `you should see`."""

    __slots__ = ("_inside", "_left", "_words", "fenced")

    def __init__(self) -> None:
        self.fenced = False  # whether any fence was seen
        self._inside = False
        self._words = b""
        self._left = 0  # lines that may still be passed over

    @property
    def active(self) -> bool:
        """Whether the line that comes next is one that is only expected."""
        return self._left > 0

    def passes(self, text: bytes) -> bool:
        """Whether this (cleaned) line is only what somebody expects."""
        flush = text.lstrip(b"> \t")
        if flush[:3] in _FENCES:
            self.fenced, self._inside = True, not self._inside
            told = _WOULD.search(self._words[-400:]) and not _BUT.search(self._words[-400:])
            self._left = _LINES if self._inside and told else 0
            self._words = b""
            return False
        if not self._inside and flush:
            self._words = flush
        if self._left:
            self._left -= 1
            return True
        return False
