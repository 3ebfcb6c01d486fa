"""One fenced block into its value: which attributes each kind has, what they default to, and how its body is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypedDict

from bot import spans
from bot.runbook.changes import MODES, composed, read_body, read_compose
from bot.runbook.document import (
    APPROVALS,
    ASKED,
    EFFECTS,
    Check,
    Compose,
    Dispatch,
    FileChange,
    Patch,
    Reference,
    Rollback,
    Shell,
    ShellStep,
    TokenStep,
    Verify,
)
from bot.runbook.evidence import read_evidence
from bot.runbook.keys import either, read_keys
from bot.runbook.troubles import named, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.runbook.document import AnyBlock, Approval, Effect, Evidence, Language
    from bot.runbook.markdown import Fence
    from bot.runbook.marker import Marker
    from bot.runbook.troubles import T, Troubles

_SHELLS: Final[tuple[Language, ...]] = ("sh", "bash", "python")
_NAME: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_READ, _CHANGE, _MOST = 30.0, 300.0, 86_400.0  # seconds that a step may take unless it says otherwise, and at most
_RETRIES: Final = 10


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of block: the languages it may have, and its attributes beside `name` and those that all have."""

    languages: tuple[str, ...]
    attributes: tuple[str, ...]
    effect: Effect = "change"


_ALWAYS: Final = ("name", "timeout", "effect", "approval", "ignore")  # `ignore` is Runme's
KINDS: Final = {
    "check": _Kind(("yaml", *_SHELLS), ("retries", "when"), "read"),
    "patch": _Kind(("diff", "yaml", "dotenv"), ("file", "mode", "when", "unless")),
    "step": _Kind(_SHELLS, ("retries", "when", "unless", "rollback")),
    "compose": _Kind(("sh", "bash"), ("when", "unless", "rollback")),
    "dispatch": _Kind(("yaml",), ("when", "unless")),
    "token": _Kind(("sh", "bash"), ("when", "unless")),
    "verify": _Kind(("yaml", *_SHELLS), ("after", "interval", "settle", "when", "unless"), "read"),
    "rollback": _Kind((*_SHELLS, "diff", "yaml", "dotenv"), ("for", "file", "mode")),
}


class Common(TypedDict):
    """What every block has, as arguments of its value."""

    name: str
    line: int
    column: int
    heading: str
    text: str
    effect: Effect
    approval: Approval
    timeout: float
    retries: int
    when: tuple[Reference, ...]
    unless: tuple[Reference, ...]


class _Reader:
    """Reads one block; every attribute that is asked for here is known, whatever is left is not."""

    def __init__(self, fence: Fence, said: Marker, troubles: Troubles) -> None:
        self.fence, self.said, self.troubles = fence, said, troubles
        self.kind = KINDS[said.kind]

    def add(self, key: str, sentence: str) -> None:
        """Note a problem at an attribute's value, or at the kind where it is missing."""
        known = self.said.attributes.get(key)
        self.troubles.add(self.fence.line, known.value_column if known else self.said.column, sentence)

    def attributes(self) -> None:
        """Tell the language and the attributes that this kind does not have."""
        known = (*_ALWAYS, *self.kind.attributes)
        for key, attribute in self.said.attributes.items():
            if key not in known:
                sentence = f"unknown key {named(key)} of a {self.said.kind}{nearest(key, known)}"
                self.troubles.add(self.fence.line, attribute.column, sentence)
        language = self.said.language
        if language and language not in self.kind.languages:
            near = nearest(language, self.kind.languages)
            sentence = f"a {self.said.kind} is {either(self.kind.languages)}, and this is {named(language)}{near}"
            self.troubles.add(self.fence.line, self.fence.info_column, sentence)

    def common(self) -> Common:
        """What every kind of block has."""
        name = self.said.value("name")
        if "name" not in self.said.attributes:
            self.add("name", f"a {self.said.kind} needs a name: {{ {self.said.kind} name=… }}")
        elif name and not _NAME.fullmatch(name):
            self.add("name", f"a name is small letters, digits and single hyphens, and this is {named(name)}")
        effect = self.one_of("effect", EFFECTS) or self.kind.effect
        if self.kind.effect == "read" and effect != "read":
            self.add("effect", f"a {self.said.kind} changes nothing: its effect is read")
        if self.said.kind in {"patch", "compose", "dispatch", "token"} and effect == "read":
            self.add("effect", f"a {self.said.kind} changes something: its effect is not read")
        return Common(
            name=name,
            line=self.fence.line,
            column=self.fence.indent + 1,
            heading=self.fence.heading,
            text=self.fence.body,
            effect=effect,
            approval=self.one_of("approval", APPROVALS) or ASKED[effect],
            timeout=self.duration("timeout", _READ if effect == "read" else _CHANGE),
            retries=self.retries(effect),
            when=self.references("when"),
            unless=self.references("unless"),
        )

    def retries(self, effect: Effect) -> int:
        """How often it is tried again."""
        text = self.said.value("retries")
        if not text:
            return 2 if effect == "read" and self.said.kind == "check" else 0
        if not re.fullmatch(r"\d{1,2}", text) or int(text) > _RETRIES:
            self.add("retries", f"`retries` is a number from 0 to {_RETRIES}, and this is {named(text)}")
            return 0
        if int(text) and effect != "read" and not self.said.value("unless"):
            self.add(
                "retries",
                "what changes something is tried again only with `unless`, a check that tells when it is done",
            )
        return int(text)

    def duration(self, key: str, default: float) -> float:
        """Seconds of an attribute."""
        text = self.said.value(key)
        if not text:
            return default
        seconds = spans.duration(text)
        if isinstance(seconds, str):
            self.add(key, f"`{key}`: {seconds}")
            return default
        if seconds > _MOST or (seconds <= 0 and key != "settle"):
            self.add(key, f"`{key}` must be more than nothing and at most a day")
        return seconds

    def one_of(self, key: str, known: Iterable[T]) -> T | None:
        """One of a few words, None where none is given."""
        text = self.said.value(key)
        words = list(known)
        found = next((word for word in words if word == text), None)
        if text and found is None:
            self.add(key, f"`{key}` must be {either(words)}, and is {named(text)}{nearest(text, words)}")
        return found

    def references(self, key: str) -> tuple[Reference, ...]:
        """The checks that an attribute names."""
        text = self.said.value(key)
        parts = text.split(",") if text else []
        if "" in parts or "!" in parts:
            self.add(key, f"`{key}` names checks with commas between them, and one of them is empty")
        return tuple(Reference(part.removeprefix("!"), part.startswith("!")) for part in parts if part.strip("!"))

    def names(self, key: str) -> tuple[str, ...]:
        """The blocks that an attribute names."""
        return tuple(name for name in self.said.value(key).split(",") if name)

    def language(self) -> Language:
        """The language of a script, whose body must not be empty."""
        if not self.fence.body.strip():
            self.troubles.add(self.fence.line, self.said.column, "there is nothing in this block")
        return next((known for known in _SHELLS if known == self.said.language), "sh")

    def evidence(self) -> tuple[Evidence | None, tuple[str, ...]]:
        """What a check or a verification looks at, and what mends it."""
        if self.said.language in _SHELLS:
            return Shell(self.language()), ()
        keys = read_keys(self.fence.body, self.troubles, self.fence.line, self.fence.indent)
        if keys is None:
            return None, ()
        verifies = self.said.kind == "verify"
        found = read_evidence(keys, verifies=verifies)
        fix = () if verifies else tuple(item.text for item in keys.texts("fix"))
        if found is not None:
            keys.rest(f"of a {self.said.kind}")
        return found, fix

    def change(self) -> FileChange | None:
        """The change of a patch, or of a rollback that is one."""
        language = self.said.language
        modes = {mode for mode, of in MODES.items() if of == language}
        mode = self.said.value("mode") or (next(iter(modes)) if len(modes) == 1 else "")
        if "file" not in self.said.attributes:
            self.add("file", f"a patch needs its file: {{ {self.said.kind} name=… file=… }}")
        if not mode and "mode" not in self.said.attributes:
            self.add("mode", f"a patch in yaml needs its mode: {either(sorted(modes) or MODES)}")
        elif mode and mode not in MODES:
            self.add("mode", f"unknown mode {named(mode)}{nearest(mode, MODES)}; the modes are {', '.join(MODES)}")
        elif mode and language in MODES.values() and mode not in modes:
            self.add("mode", f"mode={mode} is {MODES[mode]}, and this is {language}")
        elif mode:
            body = read_body(mode, self.fence.body, self.troubles, self.fence.line, self.fence.indent)
            return FileChange(file=self.said.value("file"), body=body) if body is not None else None
        return None


def read_block(fence: Fence, said: Marker, troubles: Troubles) -> AnyBlock | None:
    """The value of one block; None when it is not known well enough to be one, which is told."""
    read = _Reader(fence, said, troubles)
    read.attributes()
    common = read.common()
    match said.kind:
        case "check" | "verify":
            evidence, fix = read.evidence()
            if evidence is None:
                return None
            if said.kind == "check":
                return Check(**common, evidence=evidence, fix=fix)
            return Verify(
                **common,
                evidence=evidence,
                after=read.names("after"),
                interval=read.duration("interval", 3),
                settle=read.duration("settle", 0),
            )
        case "patch":
            change = read.change()
            return Patch(**common, change=change) if change is not None else None
        case "step":
            return ShellStep(**common, language=read.language(), rollback=said.value("rollback"))
        case "compose":
            command = read_compose(fence.body, troubles, fence.line + 1, fence.indent + 1)
            return Compose(**common, command=command, rollback=said.value("rollback")) if command is not None else None
        case "dispatch":
            return _dispatch(read, common)
        case "token":
            return TokenStep(**common, language=read.language())
    return _rollback(read, common)


def _dispatch(read: _Reader, common: Common) -> Dispatch | None:
    keys = read_keys(read.fence.body, read.troubles, read.fence.line, read.fence.indent)
    if keys is None:
        return None
    room, agent, metadata = (keys.text(name) for name in ("room", "agent", "metadata"))
    for name, text in (("room", room), ("agent", agent)):
        if not text:
            keys.add(keys.mapping, f"a dispatch needs `{name}`")
    keys.rest("of a dispatch")
    return Dispatch(**common, room=room, agent=agent, metadata=metadata)


def _rollback(read: _Reader, common: Common) -> Rollback | None:
    undoes = read.said.value("for")
    if "for" not in read.said.attributes:
        read.add("for", "a rollback needs the step that it undoes: { rollback name=… for=… }")
    if read.said.language in MODES.values():
        change = read.change()
        return Rollback(**common, undoes=undoes, action=change) if change is not None else None
    language = read.language()
    command = composed(read.fence.body) if language != "python" else None
    return Rollback(**common, undoes=undoes, action=command or Shell(language))
