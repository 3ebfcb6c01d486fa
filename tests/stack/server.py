"""The LiveKit server: built from modules pinned by their hashes, kept, and used again after its own hash was checked."""

from __future__ import annotations

import hashlib
import os
import shutil
from typing import TYPE_CHECKING

from tests.stack.places import CACHE, HERE, digest
from tests.stack.progress import Phase, StackError

if TYPE_CHECKING:
    from pathlib import Path

_PROGRAM = "github.com/livekit/livekit-server/cmd/server"


def binary(phase: Phase, version: str) -> Path:
    """Return the server's program of this version, built if it is not there (two minutes on two cores)."""
    pin = HERE / "livekit" / version
    key = digest(pin / "go.mod", pin / "go.sum")[:16]
    kept = CACHE / f"livekit-server-{version}-{key}"
    known = kept.with_name(kept.name + ".sha256")
    if kept.is_file() and known.is_file() and known.read_text(encoding="utf-8") == _sha256(kept):
        return kept
    if not shutil.which("go"):
        raise StackError("building the LiveKit server needs Go 1.26 or newer")
    CACHE.mkdir(parents=True, exist_ok=True)
    fresh = kept.with_name(f"{kept.name}.{os.getpid()}")
    phase.run(
        *("nice", "go", "build", "-mod=readonly", "-trimpath", "-ldflags", "-s -w", "-o", fresh, _PROGRAM),
        cwd=pin,
        env={"CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"},
    )
    known.write_text(_sha256(fresh), encoding="utf-8")
    fresh.rename(kept)
    return kept


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
