"""What is wrong with a fletcher.toml, in words that all of its readers share."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)` for a slip of the fingers, "" where nothing is near."""
    near = get_close_matches(word, list(known), 1, 0.6)
    return f" (did you mean '{near[0]}'?)" if near else ""


def unknown(key: str, known: Iterable[str]) -> str:
    """That a key is none, and which one may be meant."""
    return f"unknown key `{shown(key)}`{nearest(key, known)}"


def shown(key: str) -> str:
    """A key as it may be repeated to a person."""
    return key if len(key) <= 40 and key.isprintable() else "a key"


def kind(value: object) -> str:
    """What kind of value it is."""
    names = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "a table"}
    return names.get(type(value), "a date or time")


def text_trouble(value: object) -> str:
    """What is wrong with a value that must be a text, as the end of a sentence; "" when nothing is.

    The value itself is never repeated, since it may be a secret that landed in the wrong place.
    """
    if not isinstance(value, str):
        return f"must be a text in quotes, and is {kind(value)}"
    if not value.strip():
        return "is empty; give it a value or take the line out"
    return "" if value.isprintable() else "has a character that cannot be printed"
