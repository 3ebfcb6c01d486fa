"""Which kind of step does what a step is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.errors import Unreachable
from bot.steps.compose import Compose
from bot.steps.dispatch import Dispatch
from bot.steps.patching import Patching
from bot.steps.shell import Shell
from bot.steps.token import TokenStep

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.plan.values import Step
    from bot.steps.contract import Kind

_KINDS: Mapping[str, Kind] = {
    "shell": Shell(), "patch": Patching(), "compose": Compose(), "dispatch": Dispatch(), "token": TokenStep(),
}  # fmt: skip


def kind_of(step: Step) -> Kind:
    """The kind that carries out a step. Raises Unreachable for a step of a newer Fletcher."""
    kind = _KINDS.get(step.kind)
    if kind is None:
        raise Unreachable(
            f"this Fletcher cannot do a step of the kind {step.kind} ({step.name}): it was planned by a newer one"
        )
    return kind
