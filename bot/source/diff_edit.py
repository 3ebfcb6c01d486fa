"""A unified diff as a person writes it in a runbook: applied where it fits once, and written of what changed."""

from __future__ import annotations

import codecs
import difflib
import re
from dataclasses import dataclass, field
from itertools import pairwise

from bot.source.edit import Edited, RefusedError
from bot.source.lines import first_change

CONTEXT = 3
_HUNK = re.compile(r"@@(?: .*)?$")
_PLAIN_NAME = re.compile(r'[^"\\\x00-\x1f\x7f]+')
_NO_LINE_END = "\\ No newline at end of file\n"


@dataclass
class _Hunk:
    """Lines without their ends: `old` as they stand in the file, `new` as they shall; `kept` pairs those that stay.

    `at` is the line of the diff where it begins.
    """

    at: int
    old: list[bytes] = field(default_factory=list)
    new: list[bytes] = field(default_factory=list)
    kept: list[tuple[int, int]] = field(default_factory=list)

    def take(self, mark: str, line: bytes) -> None:
        if mark == " ":
            self.kept.append((len(self.old), len(self.new)))
        if mark != "+":
            self.old.append(line)
        if mark != "-":
            self.new.append(line)


def apply_diff(raw: bytes, source: str, diff: str) -> Edited:
    """Apply a diff, with or without its headers, where each of its hunks fits exactly once.

    The numbers of a hunk's header are not looked at. The lines of the file keep their ends, and the blanks at the end
    of those that stay; a hunk that fits nowhere as it is may differ from the file in such blanks. What has been applied
    already is left alone.
    """
    try:
        after = _patched(raw, _hunks(diff))
    except RefusedError as refusal:
        return Edited("refused", raw, refusal.reason, refusal.line)
    if after == raw:
        return Edited("unchanged", raw, f"{source} is as the diff makes it already")
    return Edited("edit", after, "the diff fits", first_change(raw, after))


def _patched(raw: bytes, hunks: list[_Hunk]) -> bytes:
    start = codecs.BOM_UTF8 if raw.startswith(codecs.BOM_UTF8) else b""
    if b"\0" in raw:
        raise RefusedError("the file is not plain text")
    after = _applied(raw[len(start) :], hunks)
    if start + after != raw and _applied(after, hunks) != after:
        raise RefusedError("the diff would fit again once it is applied; it needs more lines around the change")
    return start + after


def _hunks(diff: str) -> list[_Hunk]:
    """The hunks of a diff.

    Raises:
        RefusedError: it is none, or of more than one file; the sentence names the diff's own line.
    """
    lines = [line.rstrip("\r") for line in diff.removesuffix("\n").split("\n")]
    # Two lines with nothing behind them are a change of lines that begin with dashes.
    heads = [
        at for at, (one, two) in enumerate(pairwise(lines[:-1])) if one.startswith("--- ") and two.startswith("+++ ")
    ]
    if len(heads) > 1 and any(_HUNK.match(lines[at + 2]) for at in heads[1:] if at + 2 < len(lines)):
        raise RefusedError(f"the diff is of more than one file: see its line {heads[1] + 1}")
    # What git says before the file names is for people.
    first = heads[0] + 2 if heads and all(_is_preamble(line) for line in lines[: heads[0]]) else 0
    hunks = [_Hunk(first + 1)]
    empty = 0
    for at, line in enumerate(lines[first:], first + 1):
        # Empty lines within a hunk are lines of the file whose blank was lost; around it they are for its looks.
        if not line:
            empty += 1
        elif _HUNK.match(line):
            hunks.append(_Hunk(at))
            empty = 0
        elif line[0] not in "\\ +-":
            raise RefusedError(f"line {at} of the diff begins with none of blank, + and -")
        elif line[0] != "\\":
            for _ in range(empty if hunks[-1].old or hunks[-1].new else 0):
                hunks[-1].take(" ", b"")
            hunks[-1].take(line[0], line[1:].encode("utf-8", "replace"))
            empty = 0
    hunks = [hunk for hunk in hunks if len(hunk.kept) < max(len(hunk.old), len(hunk.new))]
    if not hunks:
        raise RefusedError("the diff changes nothing")
    return hunks


def _is_preamble(line: str) -> bool:
    return not line or line.startswith(("diff ", "index ", "old mode ", "new mode ", "similarity "))


def _applied(data: bytes, hunks: list[_Hunk]) -> bytes:
    pieces = data.split(b"\n")
    lines = [piece.removesuffix(b"\r") for piece in pieces]
    ends = [piece[len(line) :] + b"\n" for piece, line in zip(pieces, lines, strict=True)]
    ends[-1] = ends[-1][:-1]
    if not pieces[-1]:
        del lines[-1], ends[-1]
    places = [_place(lines, hunk) for hunk in hunks]
    standing = [(at, hunk) for at, hunk in zip(places, hunks, strict=True) if at is not None]
    for (one, hunk), (two, after) in pairwise(standing):
        if one + len(hunk.old) > two:
            raise RefusedError(
                f"the hunk in line {after.at} of the diff fits before or within the one above it", two + 1
            )
    for at, hunk in reversed(standing):
        _put(lines, ends, at, hunk)
    return b"".join(line + end for line, end in zip(lines, ends, strict=True))


def _place(lines: list[bytes], hunk: _Hunk) -> int | None:
    """Where a hunk fits; None when it has been applied."""
    if not hunk.old and lines and not _found(lines, hunk.new, loose=False):
        raise RefusedError(f"the hunk in line {hunk.at} of the diff has no line that says where it belongs")
    for loose in (False, True):
        done = _found(lines, hunk.new, loose=loose)
        spans = [(at, at + len(hunk.new)) for at in done if len(hunk.new) > len(hunk.old)]
        found = [
            at
            for at in _found(lines, hunk.old, loose=loose)
            if not any(begin <= at and at + len(hunk.old) <= end for begin, end in spans)
        ]
        if len(found) > 1:
            raise RefusedError(f"the hunk in line {hunk.at} of the diff fits in {len(found)} places", found[1] + 1)
        if found:
            if spans:
                reason = f"the hunk in line {hunk.at} of the diff fits here, and has been applied in another place"
                raise RefusedError(reason, found[0] + 1)
            return found[0]
        if done:
            return None
    raise RefusedError(f"the hunk in line {hunk.at} of the diff fits nowhere", _nearest(lines, hunk))


def _found(lines: list[bytes], wanted: list[bytes], *, loose: bool) -> list[int]:
    """The places where lines stand one after another; nothing at all stands at the beginning."""
    if not wanted:
        return [0]
    if loose:
        lines, wanted = [line.rstrip() for line in lines], [line.rstrip() for line in wanted]
    span = len(wanted)
    return [at for at in range(len(lines) - span + 1) if lines[at] == wanted[0] and lines[at : at + span] == wanted]


def _nearest(lines: list[bytes], hunk: _Hunk) -> int:
    """The 1-based line of the file that is most like the first one that a hunk changes; 0 when none is."""
    kept = {old for old, _ in hunk.kept}
    changed = next((line for at, line in enumerate(hunk.old) if at not in kept), b"")
    wanted = (changed or b"".join(hunk.old[:1])).strip().decode("utf-8", "replace")
    texts = [line.strip().decode("utf-8", "replace") for line in lines[:20_000]]
    close = difflib.get_close_matches(wanted[:500], {text[:500] for text in texts}, n=1, cutoff=0.5)
    return next((at for at, text in enumerate(texts, 1) if close and text[:500] == close[0]), 0)


def _put(lines: list[bytes], ends: list[bytes], at: int, hunk: _Hunk) -> None:
    """Put a hunk's new lines in place of its old ones; those that stay are not touched."""
    kept = {new: at + old for old, new in hunk.kept}
    stop = at + len(hunk.old)
    beside = ends[at:stop] + ends[max(0, at - 1) : at] + ends[:1]
    usual = next((end for end in beside if end), b"\n")
    new_lines = [lines[kept[index]] if index in kept else line for index, line in enumerate(hunk.new)]
    new_ends = [ends[kept[index]] if index in kept else usual for index in range(len(hunk.new))]
    # A file whose last line has no end keeps that.
    if stop == len(lines) and ends and not ends[-1] and new_ends:
        new_ends = [end or usual for end in new_ends[:-1]] + [b""]
    lines[at:stop], ends[at:stop] = new_lines, new_ends


def unified(before: bytes, after: bytes, source: str) -> str:
    """The unified diff between two versions of a file, for people; "" when they are equal.

    `git apply` and `patch -p1` take it: each line ends as it does in the file, also with CR LF.
    Bytes that are no UTF-8 are shown as replaced.
    """
    old, new = _shown(before), _shown(after)
    name = source.lstrip("/")
    lines = difflib.unified_diff(old, new, _name(f"a/{name}"), _name(f"b/{name}"), n=CONTEXT)
    return "".join(line if line.endswith("\n") else f"{line}\n{_NO_LINE_END}" for line in lines)


def _shown(data: bytes) -> list[str]:
    lines = data.decode("utf-8", "replace").split("\n")
    return [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _name(name: str) -> str:
    """A file's name as git writes it: with a tab behind it when it has a blank, in quotes when that is not enough."""
    if not _PLAIN_NAME.fullmatch(name):
        escaped = "".join(f"\\{ord(char):03o}" if ord(char) < 32 or char in '"\\\x7f' else char for char in name)
        return f'"{escaped}"'
    return name + "\t" if " " in name else name
