"""A value as a text, with what the environment around its file says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.source.values import ABSENT, Changed, Either, Env, Join, Lit, Made, Or, Ref, Unknown, Value, apply

if TYPE_CHECKING:
    from bot.livekit.setup import NameOrigin, Place
    from bot.source.surroundings import Surroundings


@dataclass(frozen=True, slots=True)
class Text:
    """A text as far as it is known: `value` None means that it is not.

    `variable` is the environment variable that decides, `default` what holds when nothing sets it,
    `choices` the texts of which it is one, `place` where the deciding setting stands.
    """

    value: str | None
    origin: NameOrigin
    variable: str | None = None
    default: str | None = None
    choices: tuple[str, ...] = ()
    place: Place | None = None
    note: str = ""


def text_of(value: Value, around: Surroundings, source: str, depth: int = 0) -> Text:
    """A value as a text, with the variables as the file `source` sees them."""
    if depth > 20:
        return Text(None, "unknown", note="it is too involved to follow")
    match value:
        case Lit(value=str(known)):
            return Text(known, "source")
        case Lit(value=None):
            return Text("", "default")
        case Env():
            return _variable(value, around, source, depth)
        case Or(first=first, second=second, loose=loose):
            return _fallback(first, second, around, source, depth, loose=loose)
        case Changed(how=how, value=inner):
            found = text_of(inner, around, source, depth + 1)
            known_text = apply(how, found.value) if found.value is not None else None
            fallback = apply(how, found.default) if found.default is not None else None
            return Text(known_text, found.origin, found.variable, fallback, (), found.place, found.note)
        case Join(parts=parts):
            return _joined([text_of(part, around, source, depth + 1) for part in parts], parts)
        case Either(options=several):
            return _one_of([text_of(option, around, source, depth + 1) for option in several])
        case Unknown(why=why):
            # Not there in one of several objects: then the worker has no name, or the dispatch asks for none.
            return Text("", "default") if value is ABSENT else Text(None, "unknown", note=why)
        case Ref(module=module, path=path):
            name = ".".join(path)
            note = f"`{name}` comes from `{module}`" if module else f"`{name}` is not defined in a file at hand"
            return Text(None, "unknown", note=note)
        case Made(callee=callee):
            return Text(None, "unknown", note=f"it is what `{'.'.join(callee.path)}` gives")
    return Text(None, "unknown", note="it is no text")


def _variable(value: Env, around: Surroundings, source: str, depth: int) -> Text:
    standard = text_of(value.default, around, source, depth + 1) if value.default is not None else None
    found = around.variable(source, value.name)
    if found.value is not None and (found.value or not value.loose):
        return Text(found.value, "env", value.name, place=found.place)
    if found.known and found.value is not None and standard is not None:
        # Set, but empty: the default is what holds.
        return Text(standard.value, "env", value.name, standard.value, standard.choices, found.place, standard.note)
    note = found.note or f"the environment variable `{value.name}` decides, and nothing at hand sets it"
    default = standard.value if standard is not None and standard.value is not None else None
    if default is None and standard is not None:
        default = standard.default
    return Text(None, "env", value.name, default, note=note, place=found.place)


def _fallback(first: Value, second: Value, around: Surroundings, source: str, depth: int, *, loose: bool) -> Text:
    known = text_of(first, around, source, depth + 1)
    if known.value is not None and (known.value or not loose):
        return known
    other = text_of(second, around, source, depth + 1)
    if known.value is not None:
        return other
    default = known.default if known.default is not None else other.value if other.value is not None else other.default
    return Text(None, known.origin, known.variable or other.variable, default, known.choices, known.place, known.note)


def _joined(parts: list[Text], values: tuple[Value, ...]) -> Text:
    pieces: list[str] = []
    for part, value in zip(parts, values, strict=True):
        known = part.value
        if isinstance(value, Lit) and isinstance(value.value, float):
            known = str(int(value.value)) if value.value.is_integer() else str(value.value)
        if known is None or (isinstance(value, Lit) and value.value is None):
            return Text(None, part.origin, part.variable, note=part.note or "a part of it is only known at run time")
        pieces.append(known)
    variable = next((part.variable for part in parts if part.variable), None)
    place = next((part.place for part in parts if part.place is not None), None)
    return Text("".join(pieces), "env" if variable else "source", variable, place=place)


def _one_of(several: list[Text]) -> Text:
    values = list(dict.fromkeys(text.value for text in several))
    if len(values) == 1 and values[0] is not None:
        return several[0]
    known = tuple(value for value in values if value is not None)
    unknown = next((text for text in several if text.value is None), None)
    if not known and unknown is not None:
        return unknown
    listed = ", ".join(f"'{value}'" for value in known)
    note = f"it is one of {listed}, and what decides is only known at run time"
    if unknown is not None and known == ("",):
        note = unknown.note
    elif unknown is not None:
        note = f"it may be {listed}; else {unknown.note}"
    variable = next((text.variable for text in several if text.variable), None)
    return Text(None, "unknown", variable, choices=known, note=note)
