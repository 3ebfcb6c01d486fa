"""What the editor of Python files makes of a file that stands in a case, with what stands around it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bot.livekit.setup import Place, SdkVersion
from bot.source.edit import Want
from bot.source.python import parse
from bot.source.python_edit import edit
from bot.source.surroundings import EnvFile, Setting, Surroundings
from bot.source.text import SourceText, source_text
from bot.source.versions import PACKAGES

if TYPE_CHECKING:
    from bot.source.edit import Edited
    from bot.source.evaluate import Evaluator

WANTS = ("name", "dispatch", "load", "job_type")


@dataclass(frozen=True)
class Beside:
    """What stands around a file: variables of its `.env`, installed versions, modules by the name of their import."""

    env: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    modules: dict[str, str] = field(default_factory=dict)

    def around(self) -> Surroundings:
        """The same as the editor is given it."""
        settings = tuple(
            Setting(name, value, Place(".env", at, f"{name}={value}"))
            for at, (name, value) in enumerate(self.env.items(), 1)
        )
        versions = tuple(
            SdkVersion(package, self.versions[package], True, Place("uv.lock", 1, ""))
            for package in PACKAGES
            if package in self.versions
        )
        return Surroundings((EnvFile("", 0, settings),), (), versions)

    def load(self, _: str, spec: str) -> Evaluator | None:
        """The module that a file imports under a name."""
        text = self.modules.get(spec)
        return parse(SourceText(spec.strip(".") + ".py", text.encode()), self.load) if text is not None else None


def beside(case: dict[str, Any]) -> Beside:
    """The part of a case that says what stands around."""
    return Beside(**{key: case[key] for key in ("env", "versions", "modules") if key in case})


def edited(raw: bytes, want: Want, around: Beside | None = None) -> Edited:
    """What comes of a file; a file that is no text is the caller's to refuse."""
    around = around or Beside()
    text = source_text("case.py", raw)
    assert isinstance(text, SourceText)
    return edit(text, raw, parse(text, around.load), want, around.around())


def wanted(case: dict[str, Any]) -> Want:
    """The part of a case that says what is wanted."""
    return Want(**{key: case[key] for key in WANTS if key in case})


def difference(before: bytes, after: bytes) -> list[str]:
    """The lines that differ, as a unified diff marks them, without the lines around."""
    old, new = before.decode().splitlines(), after.decode().splitlines()
    return [
        line for line in difflib.unified_diff(old, new, n=0, lineterm="") if not line.startswith(("---", "+++", "@@"))
    ]
