"""Text of others' making, so that it stays text: no terminal, page or document takes any of it for an instruction."""

from __future__ import annotations


def plain(said: str) -> str:
    """On one line, and what cannot be seen (escape sequences, what turns the direction of text) written as its number."""
    return _seen(" ".join(said.split()))


def block(said: str) -> str:
    """The same for text that keeps its lines, such as a diff; tabs become blanks."""
    return "\n".join(_seen(line.expandtabs(4)) for line in said.split("\n")).rstrip()


def _seen(said: str) -> str:
    return said if said.isprintable() else "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in said)
