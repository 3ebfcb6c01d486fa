"""The recorded incident that comes with Fletcher, and what to say before it is diagnosed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import bot

if TYPE_CHECKING:
    from bot.evidence.files import Kind

ROOM: Final = "fletcher-dev"
FILES: Final[tuple[tuple[Kind, str], ...]] = (
    ("log", "livekit.log"), ("agent", "agent.log"), ("config", "livekit.yaml"), ("project", "project"), ("token", "token.json"),
)  # fmt: skip
INTRODUCTION: Final = """\
A real incident, recorded on livekit-server 1.13.5 with an agents-js 1.9.0 worker: the agent registered, and never
joins a room. This is what Fletcher answers from the files in {folder}, and what it would do:
"""


def folder() -> Path:
    """Where the recorded incident lies, in a checkout as in an installed package."""
    here = Path(bot.__file__).parent / "demo"
    return here.relative_to(Path.cwd()) if here.is_relative_to(Path.cwd()) else here
