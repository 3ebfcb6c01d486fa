"""Texts that somebody chose to do harm or that nobody thought of, put into every place of a run that others fill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.engine.values import Run

#: A secret by its shape, which nothing may show.
SECRET: Final = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEiLCJ2aWRlbyI6e319.c2lnbmF0dXJlLXRoYXQtaXMtbG9uZw"
#: What others wrote; it never stands where Slack reads markup.
EVIL: Final = "Ѐvil"

#: What only Fletcher writes: words of its own, ids, hashes, and the runbook that it ships.
_FIXED: Final = frozenset({
    "id", "door", "account", "kind", "digest", "state", "need", "verdict", "result", "effect", "outcome", "level", "runbook",
})  # fmt: skip
_PIECES: Final = (
    "<!channel>", "<!here|x>", "<@U0EVIL>", "<https://evil.example|https://good.example>", "```", "`", "*bold*", "_", "~", ":rotating_light:", "&amp;", "<", ">", "&",
    "\x1b[31m", "\x00", "\u202e", "\u2066", "\ud800", "\udfff", "\U0001f525", "👩‍💻", "שלום", "مرحبا", "\n", "\r\n", "\t", "\u2028", " ", "…", EVIL, SECRET,
    f"API_SECRET={SECRET}", "line\n" * 10_000, "x" * 12_000, "'", '"', "\\", "0", "a",
)  # fmt: skip

texts: Final = st.lists(st.sampled_from(_PIECES) | st.text(max_size=20), max_size=6).map("".join)


def filled(run: Run, text: Callable[[], str], times: int = 1) -> Run:
    """The run with every text that others make replaced by one of `text`, and so many times as much of everything."""

    def put(value: Any, key: str = "") -> Any:  # noqa: ANN401  # whatever a run is made of
        if isinstance(value, msgspec.Struct):
            inner = {name: put(getattr(value, name), name) for name in value.__struct_fields__}
            return msgspec.structs.replace(value, **inner)
        if key == "argv":
            return (*value[:-1], text())
        if isinstance(value, tuple):
            return tuple(put(one, key) for one in value) * times
        return text() if isinstance(value, str) and key not in _FIXED else value

    order = msgspec.structs.replace(run.order, person=put(run.order.person), rooms=(text(),))
    runbook = msgspec.structs.replace(run.runbook, title=text())
    parts = ("looked", "asked", "decision", "steps", "proof", "undone", "cancelled_by", "says")
    return msgspec.structs.replace(
        run, order=order, runbook=runbook, **{part: put(getattr(run, part)) for part in parts}
    )
