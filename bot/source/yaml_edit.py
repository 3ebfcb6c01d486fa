"""A merge patch on a YAML file: the lines that have to change, and no other."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from bot.source.edit import Edited, RefusedError
from bot.source.lines import first_change
from bot.source.yaml_data import NOTHING, data, patched
from bot.source.yaml_places import spliced, style_of
from bot.source.yaml_splice import Splicer
from bot.source.yaml_tree import Node, tree_of
from bot.source.yaml_write import Value, value_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.source.yaml_places import Splice
    from bot.source.yaml_tree import Tree

NOT_AS_MEANT = "the edit would not be read as it is meant"


def merge(raw: bytes, source: str, patch: Mapping[str, object]) -> Edited:
    """Patch a YAML file as RFC 7396 says: null removes a key, a map is gone into, anything else is put in its place.

    A key that is missing is added as the last one of its map. Refused is what cannot be edited in one place without
    being seen in another: what comes through `<<` or an alias, what an anchor gives to others; and any file of several
    documents, that does not parse, or that has a key twice.
    """
    try:
        start, text = decoded(raw)
        asked = value_of(patch)
        tree = tree_of(text)
        splices, notes = patching(tree, asked if isinstance(asked, dict) else {})
    except RefusedError as refusal:
        return Edited("refused", raw, refusal.reason, refusal.line)
    return outcome(raw, start, tree, splices, notes, f"{', '.join(patch)} of {source} is as asked for")


def decoded(raw: bytes) -> tuple[bytes, str]:
    """The byte order mark of a file and its text.

    Raises:
        RefusedError: it is no UTF-8.
    """
    start = codecs.BOM_UTF8 if raw.startswith(codecs.BOM_UTF8) else b""
    try:
        return start, raw[len(start) :].decode()
    except UnicodeDecodeError as error:
        raise RefusedError("the file is not UTF-8 text", raw.count(b"\n", 0, len(start) + error.start) + 1) from None


def patching(tree: Tree, patch: dict[str, Value]) -> tuple[list[Splice], list[str]]:
    """The splices that make a patch true, proved by reading what they give, and notes for the person.

    Raises:
        RefusedError: the file must not be edited so.
    """
    splicer = Splicer(tree, style_of(tree))
    splicer.start(patch)
    root = tree.root
    wanted = patched(tree, root if root is not None and root.kind == "map" else Node("map", 0, 0, "map"), patch)
    prove(tree, splicer.splices, (NOTHING if not wanted[2] else wanted))
    return splicer.splices, splicer.notes


def prove(tree: Tree, splices: list[Splice], wanted: tuple[str, str, tuple[object, ...]]) -> None:
    """Refuse splices whose result does not say what is wanted."""
    if not splices:
        return
    try:
        root = tree_of(spliced(tree.text, splices)).root
    except RefusedError:
        root = None
    said = data(root) if root is not None else NOTHING
    if (said if said[2] else NOTHING) != wanted:
        raise RefusedError(NOT_AS_MEANT, tree.line(min(splice.start for splice in splices)))


def outcome(raw: bytes, start: bytes, tree: Tree, splices: list[Splice], notes: list[str], reason: str) -> Edited:
    """What came of splices of a file's text; `reason` says what they make true."""
    after = start + spliced(tree.text, splices).encode()
    if after == raw:
        return Edited("unchanged", raw, f"{reason} already", notes=tuple(notes))
    return Edited("edit", after, reason, first_change(raw, after), tuple(notes))
