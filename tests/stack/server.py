"""The LiveKit server: built from modules pinned by their hashes, kept, and used again after its own hash was checked."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from tests.stack.places import CACHE, HERE, digest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stack.progress import Phase

_PROGRAM = "github.com/livekit/livekit-server/cmd/server"


def binary(phase: Phase, version: str) -> Path:
    """Return the server's program of this version, built if it is not there (two minutes on two cores)."""
    kept = _kept(version)
    if is_kept(version):
        return kept
    CACHE.mkdir(parents=True, exist_ok=True)
    fresh = kept.with_name(f"{kept.name}.{os.getpid()}")
    phase.run(
        *("nice", "go", "build", "-mod=readonly", "-trimpath", "-ldflags", "-s -w", "-o", fresh, _PROGRAM),
        cwd=_pin(version),
        env={"CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"},
    )
    _known(kept).write_text(_sha256(fresh), encoding="utf-8")
    fresh.rename(kept)
    return kept


def is_kept(version: str) -> bool:
    """Tell whether this version was built before, and is still what was built."""
    kept = _kept(version)
    return kept.is_file() and _known(kept).is_file() and _known(kept).read_text(encoding="utf-8") == _sha256(kept)


def _pin(version: str) -> Path:
    return HERE / "livekit" / version


def _kept(version: str) -> Path:
    key = digest(_pin(version) / "go.mod", _pin(version) / "go.sum")[:16]
    return CACHE / f"livekit-server-{version}-{key}"


def _known(kept: Path) -> Path:
    return kept.with_name(kept.name + ".sha256")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
