"""How rooms are called that Fletcher makes itself, so that a diagnosis leaves them out."""

from typing import Final

CANARY: Final = "fletcher-canary-"
