"""What `edit` makes of a file that stands in a case, with what stands around it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bot.livekit.setup import Place, SdkVersion
from bot.source import python, python_edit, typescript, typescript_edit
from bot.source.edit import Want
from bot.source.surroundings import EnvFile, Setting, Surroundings
from bot.source.text import SourceText, source_text
from bot.source.versions import PACKAGES

if TYPE_CHECKING:
    from bot.source.edit import Edited
    from bot.source.evaluate import Evaluator


@dataclass(frozen=True)
class Beside:
    """What stands around a file: variables of its `.env`, installed versions, modules by the name they are imported by."""

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
            SdkVersion(package, self.versions[package], True, Place("package-lock.json", 1, ""))
            for package in PACKAGES
            if package in self.versions
        )
        return Surroundings((EnvFile("", 0, settings),), (), versions)

    def load(self, source: str, spec: str) -> Evaluator | None:
        """The module that a file imports under a name."""
        text = self.modules.get(spec)
        if text is None:
            return None
        if source.endswith(".py"):
            return python.parse(SourceText(spec.strip(".") + ".py", text.encode()), self.load)
        return typescript.parse(SourceText(spec.removeprefix("./") + ".ts", text.encode()), self.load)


def beside(case: dict[str, Any]) -> Beside:
    """The part of a case that says what stands around."""
    return Beside(case.get("env", {}), case.get("versions", {}), case.get("modules", {}))


def edited(name: str, raw: bytes, want: Want, beside: Beside | None = None) -> Edited:
    """What comes of a file; a file that is no text is the caller's to refuse."""
    beside = beside or Beside()
    text = source_text(name, raw)
    assert isinstance(text, SourceText)
    if name.endswith(".py"):
        return python_edit.edit(text, raw, python.parse(text, beside.load), want, beside.around())
    return typescript_edit.edit(text, raw, typescript.parse(text, beside.load), want, beside.around())


def wanted(given: dict[str, Any]) -> Want:
    """The part of a case that says what is wanted."""
    return Want(**{key: given[key] for key in ("name", "dispatch", "load", "job_type") if key in given})
