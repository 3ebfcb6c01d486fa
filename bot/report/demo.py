"""The recorded incident that comes with Fletcher, and what to say before it is diagnosed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import bot

if TYPE_CHECKING:
    from bot.evidence.files import Kind

ROOM: Final = "ganglia-b8f13c"
FILES: Final[tuple[tuple[Kind, str], ...]] = (
    ("log", "livekit.log"),
    ("agent", "agent.log"),
    ("config", "livekit.yaml"),
    ("project", "agent"),
    ("endpoint", "worker-endpoint.json"),
    ("token", "token.json"),
)
INTRODUCTION: Final = """\
A real incident, recorded on livekit-server 1.11.0 with an agents-js 1.9.0 worker: the agent registered, other rooms
got it, and one user waits in a room alone. This is what Fletcher answers from the files in {folder}:
"""


def folder() -> Path:
    """Where the recorded incident lies, in a checkout as in an installed package."""
    here = Path(bot.__file__).parent / "demo"
    return here.relative_to(Path.cwd()) if here.is_relative_to(Path.cwd()) else here
