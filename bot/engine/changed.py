"""What has changed between the plan that was approved and the one that a second look makes. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.runbook.document import EFFECTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.plan.values import Plan, Step


def changes(before: Plan, after: Plan) -> tuple[str, ...]:
    """Everything that is another one, a clause each; "the plan" when it is nothing that has a name."""
    if before.digest == after.digest:
        return ()
    return tuple(dict.fromkeys(_changes(before, after))) or ("the plan",)


def _changes(before: Plan, after: Plan) -> Iterator[str]:
    if before.revision != after.revision:
        yield "the runbook's text"
    if after.refused and not before.refused:
        yield f"it is refused now: {after.refused}"
        return
    for name in before.inputs.keys() | after.inputs.keys():
        if before.inputs.get(name) != after.inputs.get(name):
            yield f"the input {name}"
    if before.cause != after.cause:
        yield f"the cause (it was {before.cause or 'none'}, it is {after.cause or 'none'})"
    if before.target != after.target:
        yield f"the target (it was {before.target}, it is {after.target})"
    if before.effect != after.effect:
        graver = EFFECTS.index(after.effect) > EFFECTS.index(before.effect)
        yield f"its effect has {'risen' if graver else 'fallen'} from {before.effect} to {after.effect}"
    if [g.level for g in before.guards] != [g.level for g in after.guards]:
        yield "; ".join(["a guard says something else", *(g.says for g in after.guards if g not in before.guards)])
    yield from _steps(before.steps, after.steps)
    yield from _steps(before.undo, after.undo)


def _steps(before: tuple[Step, ...], after: tuple[Step, ...]) -> Iterator[str]:
    known, now = {step.name: step for step in before}, {step.name: step for step in after}
    for name in known.keys() - now.keys():
        yield f"the step {name} is gone"
    for name in now.keys() - known.keys():
        yield f"the step {name} is new"
    for name in known.keys() & now.keys():
        files = {one.file: one.before for one in known[name].files}
        for one in now[name].files:
            if files.get(one.file, one.before) != one.before:
                yield f"the file {one.file}"
        images = known[name].images
        yield from (f"the image of {s}" for s, image in now[name].images.items() if images.get(s, image) != image)
        if known[name].command != now[name].command:
            yield f"the command of {name}"
