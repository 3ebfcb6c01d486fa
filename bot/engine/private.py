"""Inputs of a run that must not be shown: in a file of its folder that nobody else may read, gone when it has ended.

These are the inputs that the runbook calls secret, and those whose value a plan would mask. The store, the plan and the
report have a mask in their place.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

import msgspec

from bot.engine.database import StoreTrouble
from bot.errors import Unreachable
from bot.redact import MASK, masked, redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from bot.runbook.document import Runbook

_NAME: Final = "inputs.secret"


def secret(runbook: Runbook, inputs: Mapping[str, str]) -> dict[str, str]:
    """Those of the inputs that were given whose value must not be shown."""
    declared = {one.name for one in runbook.inputs if one.secret}
    return {name: value for name, value in inputs.items() if value and (name in declared or redact(value) != value)}


def hidden(inputs: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """The inputs as they may be stored, without the values of these."""
    return {**inputs, **{name: MASK for name in names if name in inputs}}


def keep(folder: Path, values: Mapping[str, str]) -> None:
    """Put such values into the run's folder, beside those that are there."""
    if not values:
        return
    known = {**secret_inputs(folder), **values}
    beside = folder / f"{_NAME}.new"
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(known))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(folder / _NAME)
    except OSError as problem:
        raise StoreTrouble(f"{folder} could not be written: {(problem.strerror or '').lower()}") from None


def secret_inputs(folder: Path) -> dict[str, str]:
    """Their values by name; {} where there are none, or where the run has ended."""
    try:
        return msgspec.json.decode((folder / _NAME).read_bytes(), type=dict[str, str])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}


def lost(shown: Mapping[str, str], known: Mapping[str, str]) -> tuple[str, ...]:
    """The inputs of which only a mask is left."""
    return tuple(name for name, value in shown.items() if masked(value) and name not in known)


def not_kept(names: Iterable[str]) -> Unreachable:
    """What to say of values that are not there any more."""
    told = ", ".join(names)
    return Unreachable(f"the value of {told} is a secret that is not kept any more; order the run again with it")


def forget(folder: Path) -> None:
    """Remove them."""
    for name in (_NAME, f"{_NAME}.new"):
        with contextlib.suppress(OSError):
            (folder / name).unlink()
