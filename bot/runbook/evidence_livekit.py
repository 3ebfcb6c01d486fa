"""`livekit:` of a check and of a verify: what is asked of rooms, agents and of what runs, and all that is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.livekit.remedies import REMEDY
from bot.runbook.document import HEALTH, Abandoned, Causes, Health, Joined, Lacking
from bot.runbook.troubles import named, nearest
from bot.source.located import Sequence

if TYPE_CHECKING:
    from bot.runbook.document import Evidence
    from bot.runbook.keys import Keys


def judged(keys: Keys) -> Evidence | None:
    """`livekit` of a check: one of `cause`, `lacks-agent` and `abandoned`."""
    inner = keys.inner("livekit")
    if inner is None:
        return None
    asked = [name for name in ("cause", "lacks-agent", "abandoned") if inner.mapping.get(name) is not None]
    for verifies in ("health", "canary"):
        if inner.mapping.get(verifies) is not None:
            inner.get(verifies)
            inner.add(inner.key(verifies), f"`{verifies}` is for a verify, and this is a check")
            return None
    if len(asked) > 1:
        inner.add(inner.key(asked[1]), f"`{asked[0]}` and `{asked[1]}` are two checks; a block has one of them")
        return None
    if asked == ["lacks-agent"]:
        inner.one_of("lacks-agent", ("any",), "any")
        return _whole(inner, Lacking())
    if asked == ["abandoned"]:
        if not inner.truth("abandoned", default=True):
            inner.add(inner.mapping.get("abandoned") or inner.mapping, "`abandoned` can only be true")
        return _whole(inner, Abandoned())
    for name in ("lacks-agent", "abandoned"):
        inner.get(name)  # known from now on, so that a slip of the fingers is told as one
    return _causes(inner)


def _whole(inner: Keys, found: Evidence) -> Evidence:
    inner.rest("in `livekit`")
    return found


def _causes(inner: Keys) -> Evidence:
    causes = inner.texts("cause")
    for cause in causes:
        if cause.text not in REMEDY:
            inner.add(
                cause, f"unknown cause {named(cause.text)}{nearest(cause.text, REMEDY)}; docs/causes.md has them all"
            )
    if inner.mapping.get("cause") is None:
        inner.add(inner.mapping, "`livekit` needs `cause`, a list of causes; or `lacks-agent` or `abandoned`")
    return _whole(inner, Causes(tuple(dict.fromkeys(cause.text for cause in causes))))


def proved(keys: Keys) -> Evidence | None:
    """`livekit` of a verification: `log`, `agent` and `canary`, or `health`."""
    inner = keys.inner("livekit")
    if inner is None:
        return None
    for checks in ("lacks-agent", "abandoned"):
        if inner.mapping.get(checks) is not None:
            inner.get(checks)
            inner.add(inner.key(checks), f"`{checks}` is for a check, and this is a verify")
            return None
    if inner.mapping.get("health") is None:
        return _joined(inner)
    parts = inner.texts("health")
    for part in parts:
        if part.text not in HEALTH:
            inner.add(
                part, f"unknown part {named(part.text)}{nearest(part.text, HEALTH)}; there are {', '.join(HEALTH)}"
            )
    if not parts and isinstance(inner.mapping.get("health"), Sequence):
        inner.add(inner.key("health"), f"`health` needs one of {', '.join(HEALTH)}")
    inner.rest("beside `health`")
    asked = {part.text for part in parts}
    return Health(tuple(part for part in HEALTH if part in asked))


def _joined(inner: Keys) -> Evidence:
    found = Joined(
        canary=inner.truth("canary", default=False), log=inner.text("log"), agent=inner.one_of("agent", ("active",), "")
    )
    if not (found.canary or found.log or found.agent):
        inner.add(inner.mapping, "`livekit` of a verification needs `log`, `agent` or `canary`, or `health`")
    inner.rest("in `livekit` of a verification")
    return found
