"""Patches that a runbook writes out: a diff, values of a YAML file, variables of an env file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.runbook import document as doc
from bot.runbook.inputs import fill
from bot.source import diff_edit, dotenv_edit, server_edit, yaml_edit
from bot.source.edit import Edited

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.runbook.document import Scalar


def free_edit(raw: bytes, path: str, body: object, inputs: Mapping[str, str]) -> Edited:
    """What such a patch makes of a file's bytes."""
    match body:
        case doc.Diff(hunks):
            return diff_edit.apply_diff(raw, path, _text(hunks))
        case doc.Merge(assignments):
            if [one.path for one in assignments] == [("agents", "target_load")] and isinstance(
                assignments[0].value, int | float
            ):
                return server_edit.target_load(raw, path, float(assignments[0].value))
            return yaml_edit.merge(raw, path, _nested(assignments, inputs))
        case doc.SetVariables(assignments):
            values = {
                one.path[-1]: None if one.value is None else str(_filled(one.value, inputs)) for one in assignments
            }
            return dotenv_edit.assign(raw, path, values)
    return Edited("refused", raw, "this kind of patch is not known")


def _text(hunks: tuple[doc.Hunk, ...]) -> str:
    return "".join(
        "@@\n" + "".join(f"-{line}\n" for line in hunk.before) + "".join(f"+{line}\n" for line in hunk.after)
        for hunk in hunks
    )


def _nested(assignments: tuple[doc.Assignment, ...], inputs: Mapping[str, str]) -> dict[str, object]:
    out: dict[str, object] = {}
    for one in assignments:
        at = out
        for key in one.path[:-1]:
            inner = at.setdefault(key, {})
            if not isinstance(inner, dict):
                break
            at = inner
        value = one.value
        at[one.path[-1]] = (
            [_filled(item, inputs) for item in value] if isinstance(value, tuple) else _filled(value, inputs)
        )
    return out


def _filled(value: Scalar | tuple[Scalar, ...], inputs: Mapping[str, str]) -> object:
    return fill(value, inputs) if isinstance(value, str) else value
