"""The audit's chain: each row holds the hash of the one before, and the newest hash is kept outside the store too.

What the chain proves: no row was edited, removed or put in between, and none was cut off at the end, unless somebody may
write both the store and the head beside it and computes everything anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from bot.engine.written import encoded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FIRST: Final = "0" * 64  # what the first row has for the hash before it


class Entry(Struct, frozen=True, kw_only=True):
    """What is written down: who did what through which door, to which plan, and what came of it.

    `what` is rendered, `reference` leads to redacted output; `at` is in seconds since the epoch, `account` who the person
    is at that door where a name does not say it, such as a Slack member id.
    """

    at: float
    run: str
    person: str
    door: str
    what: str
    digest: str = ""
    decision: str = ""
    outcome: str = ""
    reference: str = ""
    account: str = ""


class Row(Struct, frozen=True, kw_only=True):
    """An entry in its place of the chain; `seq` counts from 1."""

    seq: int
    entry: Entry
    before: str
    hash: str


class Head(Struct, frozen=True):
    """The newest row that is known outside the store."""

    seq: int
    hash: str


def hashed(seq: int, entry: Entry, before: str) -> str:
    """The hash of a row."""
    said = msgspec.to_builtins(entry)
    if not entry.account:  # rows of before there were accounts keep their hashes
        del said["account"]
    told = encoded([seq, before, said], order="sorted")
    return hashlib.sha256(told).hexdigest()


def chained(entry: Entry, last: Head | None) -> Row:
    """The entry as the row after `last`."""
    seq, before = (last.seq + 1, last.hash) if last is not None else (1, FIRST)
    return Row(seq=seq, entry=entry, before=before, hash=hashed(seq, entry, before))


def problems(rows: Iterable[Row], head: Head | None) -> Iterator[str]:
    """What was done to the rows that should not have been, a sentence each."""
    last: Head | None = None
    known = None
    for row in rows:
        expected = last.seq + 1 if last is not None else 1
        if row.seq != expected:
            yield f"row {expected} is missing" if row.seq > expected else f"row {row.seq} is there twice"
        elif row.before != (last.hash if last is not None else FIRST):
            yield f"row {row.seq} does not follow the row before it: one of both was edited"
        if hashed(row.seq, row.entry, row.before) != row.hash:
            yield f"row {row.seq} was edited: its hash is another"
        last = Head(row.seq, row.hash)
        if head is not None and row.seq == head.seq:
            known = row.hash
    if head is None:
        if last is not None:
            yield "the head that is kept beside the store is gone, so that rows may have been cut off at the end"
    elif last is None or last.seq < head.seq:
        yield f"rows were cut off at the end: the head beside the store knows {head.seq}, the store has {last.seq if last else 0}"
    elif known is not None and known != head.hash:
        yield f"row {head.seq} is not the one that the head beside the store knows"


def read_head(path: Path) -> Head | None:
    """The head beside the store; None where there is none, or what is there is none."""
    try:
        return msgspec.json.decode(path.read_bytes().strip(), type=Head)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


@contextmanager
def head_file(path: Path) -> Iterator[int]:
    """The head's file, for one writer at a time."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def write_head(path: Path, head: Head) -> None:
    """Keep the newest head; an older one than what is there is not written, since several processes write."""
    with head_file(path) as descriptor:
        raw = os.pread(descriptor, 200, 0).strip()
        try:
            known = msgspec.json.decode(raw, type=Head).seq if raw else 0
        except msgspec.DecodeError:
            known = 0
        if head.seq > known:
            # One sector in one write, always of the same length: after a power cut it is the old one or the new one.
            os.pwrite(descriptor, msgspec.json.encode(head).ljust(120) + b"\n", 0)
