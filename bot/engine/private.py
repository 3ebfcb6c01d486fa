"""Secret inputs of a run: in a file of its folder that nobody else may read, never in the store, gone when it has ended."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

    from bot.runbook.document import Runbook

_NAME: Final = "inputs.secret"
HIDDEN: Final = "[redacted]"


def hidden(runbook: Runbook, inputs: dict[str, str]) -> dict[str, str]:
    """The inputs as they may be stored, without the values of secret ones."""
    secret = _secret(runbook, inputs)
    return {name: HIDDEN if name in secret else value for name, value in inputs.items()}


def keep(folder: Path, runbook: Runbook, inputs: dict[str, str]) -> None:
    """Put the values of secret inputs into the run's folder."""
    secret = _secret(runbook, inputs)
    if not secret:
        return
    descriptor = os.open(folder / _NAME, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(secret))
        file.flush()
        os.fsync(file.fileno())


def _secret(runbook: Runbook, inputs: dict[str, str]) -> dict[str, str]:
    return {one.name: inputs[one.name] for one in runbook.inputs if one.secret and inputs.get(one.name)}


def secret_inputs(folder: Path) -> dict[str, str]:
    """The secret inputs by name; {} where there are none, or where the run has ended."""
    try:
        return msgspec.json.decode((folder / _NAME).read_bytes(), type=dict[str, str])
    except FileNotFoundError:
        return {}


def forget(folder: Path) -> None:
    """Remove them."""
    with contextlib.suppress(OSError):
        (folder / _NAME).unlink()
