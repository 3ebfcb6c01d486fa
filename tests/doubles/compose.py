"""What `docker compose` does to the engine's double: builds, recreates and restarts the containers that are there."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.doubles.engine import Engine


class Compose:
    """Its calls, and by the word (build, up, restart) what goes wrong: an exit code with words, seconds, anything."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.calls: list[dict[str, Any]] = []
        self.fails: dict[str, tuple[int, str]] = {}
        self.says: dict[str, str] = {}
        self.takes: dict[str, float] = {}
        self.first: dict[str, Callable[[], None]] = {}
        self.changes = True  # whether a build makes another image
        self.starts = ("running", 0)  # how a new container is, with its exit code
        self.config_hash = ""  # of what a new container is made
        self._images = 0
        engine.command = self._called

    @property
    def words(self) -> list[str]:
        """What was called, without `docker compose`."""
        return [" ".join(call["argv"][1:]) for call in self.calls]

    def _called(self, call: dict[str, Any]) -> dict[str, Any]:
        self.calls.append(call)
        word = call["argv"][1]
        if word in self.first:
            self.first[word]()
        code, says = self.fails.get(word, (0, self.says.get(word, word)))
        if code == 0 and word not in self.takes:
            self._do(word, {w for w in call["argv"][2:] if not w.startswith("-")})
        return {"code": code, "says": says, "seconds": self.takes.get(word, 0)}

    def _do(self, word: str, services: set[str]) -> None:
        now = datetime.fromtimestamp(time.time(), UTC).isoformat().replace("+00:00", "Z")
        state, code = self.starts
        if word == "build":
            self._images += self.changes
        for box in [box for box in self.engine.boxes if box.service in services]:
            image = f"sha256:new{self._images}" if self._images else box.image_id
            if word == "up" and image != box.image_id:
                self.engine.recreate(
                    box, image_id=image, config_hash=self.config_hash, created=now, started=now, state=state, exit_code=code
                )  # fmt: skip
            elif word == "restart":
                box.started, box.state, box.exit_code = now, state, code
