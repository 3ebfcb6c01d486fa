"""Cutting out of a text so that neither a hole nor a stray comma is left: bytes in, bytes out, in any language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.source.splice import BLANK, BOM, LINE_END, Splice, tail_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.source.splice import Listed, Span

_OPENING, _CLOSING = b"([{", (b")", b"]", b"}")


class Cut:
    """Takes items and statements out of one text, so that neither a hole nor a stray comma is left.

    What is taken out takes the comments behind it on its line along; a comment in a line above stays. `comments` are
    the spans of all comments of the text.
    """

    def __init__(self, data: bytes, comments: Iterable[Span]) -> None:
        self._data = data
        self._comments = tuple(comments)
        self._gone = bytearray(len(data))

    def splices(self) -> list[Splice]:
        """All that is cut out."""
        found: list[Splice] = []
        at = self._gone.find(1)
        while at >= 0:
            end = self._gone.find(0, at)
            end = len(self._data) if end < 0 else end
            found.append(Splice(at, end, b""))
            at = self._gone.find(1, end)
        return found

    def statement(self, start: int, end: int) -> None:
        """Take out what is no item of a list; its lines go when nothing else is in them."""
        stop = tail_of(self._data, end, self._comments)
        self._take(start, stop)
        if self._tidy_lines(start, stop):
            return
        front = self._back(start)
        if self._at_line_start(front) or not self._at_line_end(self._forward(stop)):
            self._take(stop, self._forward(stop))
        else:
            self._take(front, start)

    def items(self, of: Listed, which: Iterable[int]) -> None:
        """Take out items of a list by their numbers."""
        left = dict(enumerate(of.items))
        for number in sorted(which):
            start, end = left.pop(number)
            before = max((item[1] for at, item in left.items() if at < number), default=None)
            after = min((item[0] for at, item in left.items() if at > number), default=None)
            self._item(of, (start, end), before, after)
        if not left and self._is_blank(of.start, of.end):
            self._take(of.start, of.end)

    # --- items -------------------------------------------------------------------------------

    def _item(self, of: Listed, item: Span, before: int | None, after: int | None) -> None:
        start, end = item
        limit = of.end if after is None else after
        own = next((comma for comma in of.commas if end <= comma < limit and not self._gone[comma]), None)
        lead = None
        if before is not None:
            lead = next((at for at in reversed(of.commas) if before <= at < start and not self._gone[at]), None)
        own_first = own is not None and b"\n" in self._left(end, own)
        if own_first or (own is None and after is None):
            # The comma stands before its item, or this is the last one and has none: the one before goes.
            self._without_lead(item, own if lead is None else None, lead)
            return
        behind = end if own is None else own + 1
        if after is not None and b"\n" not in self._left(behind, after):
            self._take(start, self._forward(behind))
            return
        stop = tail_of(self._data, behind, self._comments)
        self._take(start, stop)
        if self._tidy_lines(start, stop):
            return
        if after is not None and before is None and not self._left(stop, after).strip():
            self._take(start, after)
        elif self._at_line_end(self._forward(stop)) or before is not None:
            self._take(self._back(start), start)

    def _without_lead(self, item: Span, own: int | None, lead: int | None) -> None:
        start, end = item
        stop = tail_of(self._data, end, self._comments)
        self._take(start, stop)
        if own is not None:
            self._take(own, self._forward(own + 1))
        if lead is not None:
            self._take(lead, lead + 1)
            if self._at_line_start(self._back(lead)) and not self._left(lead, start).strip():
                self._take(lead, start)
                start = lead
        if self._tidy_lines(start, stop):
            return
        if lead is not None and not self._left(lead, start).strip() and not self._at_line_end(self._forward(stop)):
            self._take(lead, start)
        elif not self._at_line_start(self._back(start)):
            self._take(self._back(start), start)
        else:
            self._take(stop, self._forward(stop))

    # --- lines -------------------------------------------------------------------------------

    def _tidy_lines(self, start: int, stop: int) -> bool:
        """Take the lines of what was taken out, if nothing else is in them; whether that was so."""
        front, back = self._back(start), self._forward(stop)
        if not self._at_line_start(front) or not self._at_line_end(back):
            return False
        behind = self._next_line(back)
        if behind >= len(self._data) and not self._data.endswith(b"\n"):
            # The last line had no end: neither has the one that is the last now.
            while front > 0 and self._data[front - 1] in LINE_END:
                front -= 1
            self._take(front, behind)
            return True
        self._take(front, behind)
        above, below = self._line_above(front), self._line_below(behind)
        hole = above is None or not above.strip() or above.rstrip()[-1] in _OPENING
        if below is not None and not below.strip() and hole:
            self._take(behind, self._next_line(self._forward(behind)))
        elif above is not None and not above.strip() and (below is None or below.lstrip().startswith(_CLOSING)):
            self._take(self._start_above(front), front)
        return True

    def _line_above(self, at: int) -> bytes | None:
        start = self._start_above(at)
        found = self._left(start, at)
        return None if start == at or found == BOM else found

    def _start_above(self, at: int) -> int:
        seen = 0
        while at > 0:
            if not self._gone[at - 1] and self._data[at - 1] == ord("\n"):
                seen += 1
                if seen > 1:
                    break
            at -= 1
        return at

    def _line_below(self, at: int) -> bytes | None:
        end = at
        while end < len(self._data) and (self._gone[end] or self._data[end] != ord("\n")):
            end += 1
        found = self._left(at, end)
        return None if end >= len(self._data) and not found.strip() else found

    def _next_line(self, at: int) -> int:
        while at < len(self._data):
            at += 1
            if not self._gone[at - 1] and self._data[at - 1] == ord("\n"):
                break
        return at

    # --- bytes -------------------------------------------------------------------------------

    def _take(self, start: int, end: int) -> None:
        if end > start:
            self._gone[start:end] = b"\x01" * (end - start)

    def _left(self, start: int, end: int) -> bytes:
        return bytes(byte for at, byte in enumerate(self._data[start:end], start) if not self._gone[at])

    def _is_blank(self, start: int, end: int) -> bool:
        return not self._left(start, end).strip(b", \t\f\v\r\n")

    def _back(self, at: int) -> int:
        """Before the blanks that end here; what is gone counts as a blank."""
        while at > 0 and (self._gone[at - 1] or self._data[at - 1] in BLANK):
            at -= 1
        return at

    def _forward(self, at: int) -> int:
        while at < len(self._data) and (self._gone[at] or self._data[at] in BLANK):
            at += 1
        return at

    def _at_line_start(self, at: int) -> bool:
        return at == 0 or self._data[at - 1] == ord("\n") or self._data[:at] == BOM

    def _at_line_end(self, at: int) -> bool:
        return at >= len(self._data) or self._data[at] in LINE_END
