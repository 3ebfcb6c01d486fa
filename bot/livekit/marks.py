"""How rooms are called that Fletcher makes itself, so that a diagnosis leaves them out, and how it marks what it sends."""

from typing import Final

CANARY: Final = "fletcher-canary-"
LOOK: Final = f"{CANARY}look-"  # of a probe's look, which ends it within a minute; others are a run's proof
MARK: Final = "fletcher"  # the key of our mark in a dispatch's metadata, and in a room's
