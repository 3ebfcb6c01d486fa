"""All checks of what was looked at, in their order, and the exit code that they come to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bot.doctor import reach, traps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bot.doctor.found import Check, Found

_CHECKS: Final[tuple[Callable[[Found], Iterator[Check]], ...]] = (
    reach.docker, reach.project, reach.services, reach.compose, reach.livekit, reach.keys, reach.clocks, traps.log_level, traps.server_version, traps.token_sdk, traps.agents_sdk, traps.job_type, traps.containers, traps.agent_name,
)  # fmt: skip


def checks(found: Found) -> tuple[Check, ...]:
    """All checks, in the order in which a person would go about it."""
    return tuple(check for one in _CHECKS for check in one(found))


def exit_code(found: Found, told: tuple[Check, ...]) -> int:
    """0 when nothing is bad, 1 when something is, 4 when neither Docker nor LiveKit could be reached."""
    if found.engine is None and not found.answered:
        return 4
    return 1 if any(check.status == "bad" for check in told) else 0
