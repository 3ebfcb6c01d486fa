"""What a step needs on this machine: programs, scripts, the file that is patched."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final

from bot.plan.values import Tool
from bot.runbook import document as doc
from bot.runbook.inputs import fill
from bot.source.surroundings import within

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from bot.evidence.project import Project
    from bot.livekit.seen import Seen
    from bot.plan.facts import Facts
    from bot.runbook.document import Runbook

#: What runs a script, which is its last argument: the first command that fails ends it.
SHELLS: Final = {"sh": ("sh", "-euc"), "bash": ("bash", "-euo", "pipefail", "-c"), "python": ("python3", "-c")}
_SCRIPT: Final = re.compile(r"[\w./@-]+\.(?:[cm]?[jt]sx?|py|sh)")
_MEND: Final = {
    "bun": "install bun (https://bun.sh), or make the token as you usually do",
    "docker": "install Docker, or run Fletcher where it is",
    "docker compose": "install the compose plugin of Docker (docker-compose-plugin)",
}
_WORDS: Final = {
    "if",
    "then",
    "else",
    "fi",
    "for",
    "do",
    "done",
    "while",
    "case",
    "esac",
    "set",
    "export",
    "cd",
    "echo",
    "test",
    "[",
    "true",
    "exit",
    "{",
    "}",
}


def programs(block: doc.TokenStep | doc.ShellStep) -> tuple[str, ...]:
    """The programs that a script plainly calls: the first word of each of its lines, as far as that is a name."""
    if block.language == "python":
        return ("python3",)
    found = []
    for line in block.text.splitlines():
        try:
            words = shlex.split(line, comments=True)
        except ValueError:  # a quote that goes on in the next line
            continue
        word = next((word for word in words if "=" not in word), "")
        if re.fullmatch(r"[A-Za-z][\w.+-]*", word) and word not in _WORDS:
            found.append(word)
    return tuple(dict.fromkeys(found))


def scripts(block: doc.TokenStep | doc.ShellStep) -> tuple[str, ...]:
    """The files of the project that a script plainly runs."""
    return tuple(dict.fromkeys(_SCRIPT.findall(block.text)))


def missing_script(block: doc.TokenStep | doc.ShellStep, facts: Facts) -> str:
    """Which of its files is not there; "" when all are."""
    for path in scripts(block):
        if not facts.scripts.get(path):
            return f"{path} is not in {facts.folder or 'a folder at hand'}; make the token as you usually do"
    return ""


def needed(names: Sequence[str], by: str, facts: Facts) -> Iterator[Tool]:
    """The programs, with where they are."""
    for name in names:
        path = facts.tools.get(name, "")
        yield Tool(name, path, by, "" if path else _MEND.get(name, f"install {name}"))


def built_from(projects: Iterable[Project], files: Collection[str]) -> str:
    """The one service of the compose files at hand whose image is built from these files' folder; "" when none or several."""
    names: set[str] = set()
    for project in projects:
        for file in files:
            near = [s for s in project.around.services if s.folder is not None and within(file, s.folder)]
            deepest = max((len(s.folder or "") for s in near), default=0)
            names.update(s.name for s in near if len(s.folder or "") == deepest)
    return names.pop() if len(names) == 1 else ""


def patched_file(runbook: Runbook, change: doc.FileChange, inputs: Mapping[str, str], seen: Seen) -> str:
    """The file that a patch without syntax of its own is about; livekit.yaml is where it was found."""
    file = change.file
    value = fill(file, inputs)
    declared = runbook.input(file.removeprefix("$")) if file.startswith("$") else None
    is_default = declared is not None and value == (declared.default or "")
    body = change.body
    if (
        is_default
        and isinstance(body, doc.Merge)
        and any(one.path[0] == "agents" for one in body.assignments)
        and seen.setup.server
    ):
        return seen.setup.server[0].place.source
    return value
