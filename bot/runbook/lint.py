"""What only the whole document shows: references to nothing, steps that nobody verifies, dangers that nobody can see."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from bot.runbook import inputs, probed
from bot.runbook.document import (
    EFFECTS,
    Check,
    Chosen,
    Compose,
    Dispatch,
    FileChange,
    Logs,
    Patch,
    Rollback,
    Shell,
    ShellStep,
    Token,
    TokenStep,
    Verify,
    Worker,
)
from bot.runbook.troubles import named, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bot.runbook.document import AnyBlock, Runbook
    from bot.runbook.markdown import Fence, Page
    from bot.runbook.marker import Marker
    from bot.runbook.troubles import Troubles

_VARIABLE: Final = re.compile(r"\$\{?(IN_[A-Z0-9_]+)")
_STEPS: Final = ("patch", "step", "compose", "dispatch", "token")


@dataclass(frozen=True, slots=True)
class Read:
    """One block as it stands in the text, and its value where it has one."""

    fence: Fence
    said: Marker
    block: AnyBlock | None


class _Lint:
    def __init__(self, runbook: Runbook, read: Sequence[Read], page: Page, troubles: Troubles) -> None:
        self.runbook, self.read, self.page, self.troubles = runbook, read, page, troubles
        self.at = {one.said.value("name"): (index, one) for index, one in reversed([*enumerate(read)])}

    def attribute(self, one: Read, key: str, part: str, sentence: str) -> None:
        """Note a problem at a part of an attribute's value."""
        known = one.said.attributes[key]
        self.troubles.add(one.fence.line, known.value_column + max(known.value.find(part), 0), sentence)

    def within(self, one: Read, text: str, sentence: str) -> None:
        """Note a problem where a text first stands in a block's body."""
        for line, column in _places(one.fence, text):
            self.troubles.add(line, column, sentence)
            return
        self.troubles.add(one.fence.line, one.said.column, sentence)

    def names(self) -> None:
        """No name stands twice."""
        for index, one in enumerate(self.read):
            name = one.said.value("name")
            first = self.at[name][1] if name else one
            if self.at[name][0] != index and name:
                self.attribute(one, "name", name, f"the name {named(name)} is taken by line {first.fence.line}")

    def target(self, one: Read, key: str, name: str, kinds: tuple[str, ...], *, earlier: bool) -> None:
        """An attribute names a block of one of these kinds."""
        fitting = [known for known, (_, of) in self.at.items() if of.said.kind in kinds and known]
        what = "check" if kinds == ("check",) else "rollback" if kinds == ("rollback",) else "step"
        if name not in self.at:
            self.attribute(
                one, key, name, f"`{key}` names {named(name)}, and no {what} has that name{nearest(name, fitting)}"
            )
        elif name not in fitting:
            self.attribute(
                one, key, name, f"`{key}` must name a {what}, and {named(name)} is a {self.at[name][1].said.kind}"
            )
        elif earlier and self.at[name][1].fence.line >= one.fence.line:
            self.attribute(one, key, name, f"`{key}` names {named(name)}, which must stand before this block")

    def references(self, one: Read) -> None:
        """Everything that a block names is there."""
        for key in ("when", "unless"):
            for part in one.said.value(key).split(","):
                if part.strip("!"):
                    self.target(one, key, part.removeprefix("!"), ("check",), earlier=True)
        for name in filter(None, one.said.value("after").split(",")):
            self.target(one, "after", name, _STEPS, earlier=True)
        if name := one.said.value("rollback"):
            self.target(one, "rollback", name, ("rollback",), earlier=False)
            undone = self.at[name][1].said.value("for") if name in self.at else ""
            if undone and undone != one.said.value("name"):
                self.attribute(
                    one, "rollback", name, f"{named(name)} is the rollback of {named(undone)}, not of this step"
                )
        if undone := one.said.value("for"):
            self.target(one, "for", undone, _STEPS, earlier=False)
        block = one.block
        for name in block.fix if isinstance(block, Check) else ():
            kind = self.at[name][1].said.kind if name in self.at else ""
            if kind not in _STEPS:
                steps = [known for known, (_, of) in self.at.items() if of.said.kind in _STEPS]
                said = f"is a {kind}, not a step" if kind else f"is no step of this runbook{nearest(name, steps)}"
                self.within(one, name, f"`fix` names {named(name)}, which {said}")
        if isinstance(block, Check | Verify) and isinstance(block.evidence, Logs):
            step = block.evidence.since.removeprefix("step:")
            if step != block.evidence.since and step not in self.at:
                self.within(
                    one,
                    block.evidence.since,
                    f"`since` names {named(step)}, and no step has that name{nearest(step, self.at)}",
                )

    def asked(self, one: Read) -> None:
        """Every input that a block asks for is declared, and asked for in the way that its kind has."""
        known = {declared.name: declared for declared in self.runbook.inputs}
        for text in _texts(one.block):
            for name in inputs.wanted(text):
                if name not in known:
                    self.within(one, text, f"no input {named(name)} is declared{nearest(name, known)}")
        file = one.said.value("file")
        if "$" in file:
            name = file[1:]
            declared = known.get(name)
            if not file.startswith("$") or "$" in name:
                self.attribute(one, "file", "$", "an input stands alone as the whole value of `file`")
            elif declared is None:
                self.attribute(one, "file", file, f"no input {named(name)} is declared{nearest(name, known)}")
            elif declared.type != "path":
                self.attribute(
                    one,
                    "file",
                    file,
                    f"the input {named(name)} is a {declared.type}, and a file needs one of type path",
                )
        if isinstance(one.block, Check | Verify) and isinstance(one.block.evidence, Chosen):
            for name, value in one.block.evidence.values.items():
                if name not in known:
                    self.within(one, name, f"no input {named(name)} is declared{nearest(name, known)}")
                elif trouble := inputs.why_not(known[name], value):
                    self.within(one, value, f"{named(name)} {trouble}")
        if _is_script(one.block):
            self.script(one)

    def script(self, one: Read) -> None:
        """A script gets its inputs as environment variables."""
        variables = {declared.variable: declared.name for declared in self.runbook.inputs}
        for variable in dict.fromkeys(_VARIABLE.findall(one.fence.body)):
            if variable not in variables:
                self.within(one, variable, f"no input is declared for {named(variable)}{nearest(variable, variables)}")
        for variable, name in variables.items():
            if f"${{{name}}}" in one.fence.body:
                self.within(one, f"${{{name}}}", f'an input never becomes a part of a command: write "${variable}"')

    def verified(self, one: Read) -> None:
        """What changes something is verified by a block behind it."""
        # A token changes nothing that runs; what it says is part of the verification.
        if (
            one.said.kind not in _STEPS
            or one.said.kind == "token"
            or (one.block is not None and one.block.effect == "read")
        ):
            return
        for other in self.read:
            if other.said.kind != "verify" or other.fence.line < one.fence.line:
                continue
            after = other.said.value("after")
            steps = [self.at[name][1].fence.line for name in after.split(",") if name in self.at]
            if not after or any(line >= one.fence.line for line in steps):
                return
        self.troubles.add(
            one.fence.line,
            one.said.column,
            "nothing verifies this step: no verify follows it, or follows a step behind it",
        )

    def visible(self, one: Read) -> None:
        """What disrupts can be seen on the page to do so, as attributes cannot."""
        block = one.block
        grave = block is not None and EFFECTS.index(block.effect) >= EFFECTS.index("disrupt")
        restarts = isinstance(block, Compose) and block.command.action == "restart"
        if not (grave or restarts):
            return
        seen = {one.fence.section[:depth] for depth in range(2, len(one.fence.section) + 1)} | {one.fence.section}
        if not seen & self.page.alerts:
            said = f"its effect is {block.effect}" if grave and block is not None else "it restarts what is in use"
            self.troubles.add(
                one.fence.line,
                one.said.column,
                f"{said}, and its section shows no callout > [!CAUTION] or > [!WARNING]",
            )


def lint(runbook: Runbook, read: Sequence[Read], page: Page, troubles: Troubles) -> Runbook:
    """Note what is wrong with the whole; the runbook with each step's rollback named on both sides."""
    looks = _Lint(runbook, read, page, troubles)
    looks.names()
    for one in read:
        looks.references(one)
        looks.asked(one)
        looks.verified(one)
        looks.visible(one)
        if isinstance(one.block, Check | Verify) and (key := probed.key(one.block.evidence)):
            for sentence in probed.why_not(runbook, one.block):
                looks.within(one, key, sentence)
    if sentence := probed.nothing(runbook, [one.said.kind for one in read]):
        line = next((n for n, text in enumerate(troubles.lines, 1) if text.startswith("schedule")), 1)
        troubles.add(line, 1, sentence)
    undoes = {block.undoes: block.name for block in runbook.blocks if isinstance(block, Rollback)}
    return msgspec.structs.replace(runbook, blocks=tuple(_undone(block, undoes) for block in runbook.blocks))


def _undone(block: AnyBlock, undoes: dict[str, str]) -> AnyBlock:
    if isinstance(block, ShellStep | Compose) and not block.rollback:
        return msgspec.structs.replace(block, rollback=undoes.get(block.name, ""))
    return block


def _places(fence: Fence, text: str) -> Iterator[tuple[int, int]]:
    for number, line in enumerate(fence.body.split("\n"), fence.line + 1):
        if (column := line.find(text)) >= 0:
            yield number, column + fence.indent + 1


def _is_script(block: AnyBlock | None) -> bool:
    evidence = isinstance(block, Check | Verify) and isinstance(block.evidence, Shell)
    undone = isinstance(block, Rollback) and isinstance(block.action, Shell)
    return evidence or undone or isinstance(block, ShellStep | TokenStep)


def _texts(block: AnyBlock | None) -> Iterator[str]:
    """The texts of a block into which inputs are put."""
    match block:
        case Dispatch(room=room, agent=agent, metadata=metadata):
            yield from (room, agent, metadata)
        case (
            Patch(change=FileChange(body=Worker(name=str(name))))
            | Rollback(action=FileChange(body=Worker(name=str(name))))
        ):
            yield name
        case (
            Patch(change=FileChange(body=Token(dispatch=name))) | Rollback(action=FileChange(body=Token(dispatch=name)))
        ):
            yield name
        case Check(evidence=evidence) | Verify(evidence=evidence):
            yield from inputs.asked_in(evidence)
