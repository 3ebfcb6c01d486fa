"""The steps of a runbook as they would be done: files with their edits, commands with their environment, effects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.livekit import counts
from bot.livekit.words import quote
from bot.plan import tools
from bot.plan.free import free_edit
from bot.plan.sides import SideResult, token_side, told, want, worker_side
from bot.plan.undo import undoing
from bot.plan.values import Command, Skipped, Step
from bot.runbook import document as doc
from bot.runbook.inputs import fill

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from bot.evidence.look import Look
    from bot.livekit.names import Names
    from bot.livekit.proposal import Proposal
    from bot.livekit.seen import Verdict
    from bot.plan.facts import Facts
    from bot.plan.values import Checked, Tool
    from bot.runbook.document import AnyBlock, Approval, Effect, Runbook


@dataclass(slots=True)
class _Made:
    steps: list[Step] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    verification: list[Step] = field(default_factory=list)
    rollback: list[str] = field(default_factory=list)
    undo: tuple[Step, ...] = ()
    tools: list[Tool] = field(default_factory=list)
    approvals: list[Approval] = field(default_factory=list)
    sides: dict[str, SideResult] = field(default_factory=dict)
    needless: set[str] = field(
        default_factory=set
    )  # steps that would change nothing, so that others are verified instead
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """What became of the runbook's blocks; `refused` says why its patches cannot be made, "" when they can; `server` is the LiveKit server's service."""

    steps: tuple[Step, ...]
    skipped: tuple[Skipped, ...]
    verification: tuple[Step, ...]
    rollback: tuple[str, ...]
    undo: tuple[Step, ...]
    tools: tuple[Tool, ...]
    approvals: tuple[Approval, ...]
    sides: Mapping[str, SideResult]
    refused: str
    server: str


class Maker:
    """Goes through the blocks of a runbook, in their order."""

    def __init__(
        self, runbook: Runbook, inputs: Mapping[str, str], look: Look, facts: Facts, names: Names, row: Verdict | None, proposal: Proposal
    ) -> None:  # fmt: skip
        self.runbook, self.inputs, self.look, self.facts = runbook, inputs, look, facts
        self.names, self.row, self.proposal = names, row, proposal
        self.made = _Made()

    def make(self, checks: Mapping[str, Checked]) -> Made:
        """Every step that applies, and why the others do not."""
        for block in self.runbook.blocks:
            if isinstance(block, doc.Check | doc.Rollback | doc.Verify):
                continue
            applies, why = self._applies(block, checks)
            if not applies:
                self.made.skipped.append(Skipped(block.name, why))
                continue
            self._block(block, why)
        included = {step.name for step in self.made.steps}
        if included:
            changed = included | self.made.needless
            for block in self.runbook.blocks:
                if isinstance(block, doc.Verify) and (not block.after or changed & set(block.after)):
                    self._verify(block, included, checks)
        self._undo(included)
        m = self.made
        return Made(
            tuple(m.steps), tuple(m.skipped), tuple(m.verification), tuple(m.rollback), m.undo, tuple(m.tools), tuple(m.approvals), m.sides, m.refused, self._service("livekit"),
        )  # fmt: skip

    def _applies(self, block: AnyBlock, checks: Mapping[str, Checked]) -> tuple[bool, str]:
        """Whether a block's conditions hold, and what it still hangs on, or why they do not."""
        waiting = []
        for reference, wanted in (*((r, True) for r in block.when), *((r, False) for r in block.unless)):
            check = checks.get(reference.name)
            if check is None:
                continue
            if check.result == "waiting":
                waiting.append(
                    f"{'only if' if wanted != reference.negated else 'unless'} the check {reference.name} matches when it is run"
                )
                continue
            if check.result == "inconclusive":
                return False, f"the check {reference.name} is inconclusive: {check.says}"
            if (check.result == "matched") != (wanted != reference.negated):
                return (
                    False,
                    check.says
                    or f"the check {reference.name} {'matches' if check.result == 'matched' else 'does not match'}",
                )
        return True, "; ".join(waiting)

    def _block(self, block: AnyBlock, condition: str) -> None:
        match block:
            case doc.Patch():
                self._patch(block, condition)
            case doc.Compose():
                self._compose(block, condition)
            case doc.Dispatch():
                self._dispatch(block, condition)
            case doc.TokenStep() | doc.ShellStep():
                self._script(block, condition)
            case _:
                return

    def _add(self, block: AnyBlock, does: str, condition: str, *, effect: Effect | None = None, **more: object) -> None:
        rollback = getattr(block, "rollback", "")
        made = Step(
            name=block.name, kind=type(block).__name__.lower().removesuffix("step"), line=block.line, heading=block.heading, does=does,
            effect=effect or block.effect, timeout=block.timeout, retries=block.retries, condition=condition, rollback=rollback, **more,  # type: ignore[arg-type]  # files or a command
        )  # fmt: skip
        self.made.steps.append(made)
        if block.approval != doc.ASKED[block.effect]:
            self.made.approvals.append(block.approval)

    # --- patches -------------------------------------------------------------------------------

    def _patch(self, block: doc.Patch, condition: str) -> None:
        side = self._side(block)
        self.made.sides[block.name] = side
        if side.refused:
            self.made.refused = self.made.refused or side.refused
            self.made.skipped.append(Skipped(block.name, f"refused: {side.refused}"))
        elif side.edits:
            files = tuple(one for one in side.files if one.outcome == "edit")
            self._add(
                block, "; ".join(f"patches {one.file}: {one.reason}" for one in files), condition, files=side.files
            )
        else:
            why = side.agrees or "; ".join(f"{one.file}: {one.reason}" for one in side.files)
            self.made.skipped.append(Skipped(block.name, f"nothing to do: {why}"))

    def _side(self, block: doc.Patch) -> SideResult:
        body, projects = block.change.body, self.look.projects
        given = self._given(block.change.file)
        match body:
            case doc.Worker():
                return worker_side(projects, self._now(), want(body, self.inputs), given, self.near)
            case doc.Token():
                odd = (self.row.agent if self.row is not None else None) or ""
                return token_side(projects, self.look.seen, self.row, want(body, self.inputs), odd, given, self.near)
        path = self._path(block)
        raw = self.facts.files.get(path, "is not at hand")
        if isinstance(raw, str):
            return SideResult(refused=f"{path} {raw}")
        edited = free_edit(raw, path, body, self.inputs)
        one = told(self.near(path), raw, edited)
        refused = (
            f"{path}{f':{edited.line}' if edited.line else ''}: {edited.reason}" if edited.outcome == "refused" else ""
        )
        return SideResult((one,), refused, edited.reason if edited.outcome == "unchanged" else "")

    def near(self, path: str) -> str:
        """A file as it is called in the project's folder, where it lies in it."""
        return path.removeprefix(f"{self.facts.named.rstrip('/')}/") if self.facts.named else path

    def _whole(self, file: str) -> str:
        """The path of a file that `near` has shortened."""
        path = f"{self.facts.named.rstrip('/')}/{file}"
        return path if any(path in project.found for project in self.look.projects) else file

    def _now(self) -> tuple[str, ...]:
        """The names that the worker in question may have now."""
        cause, running = (self.row.cause if self.row is not None else None), self.names.running
        if cause == "worker-unnamed" and "" in running:
            return ("",)
        return (self.proposal.agent,) if self.proposal.agent in running else running

    def _given(self, file: str) -> str:
        """The file of a patch where a person named it; the runbook's own default is only an example."""
        name = file.removeprefix("$")
        declared = self.runbook.input(name) if file.startswith("$") else None
        value = fill(file, self.inputs)
        return "" if declared is not None and value == (declared.default or "") else value

    def _path(self, block: doc.Patch) -> str:
        return tools.patched_file(self.runbook, block.change, self.inputs, self.look.seen)

    # --- commands ------------------------------------------------------------------------------

    def _compose(self, block: doc.Compose, condition: str) -> None:
        unneeded = self._unneeded(block)
        if unneeded:
            self.made.needless.add(block.name)
            self.made.skipped.append(Skipped(block.name, unneeded))
            return
        services = [self._service(service) for service in block.command.services]
        command = self.composed(block.command)
        effect = self._disruption(services)
        does = f"{'rebuilds and recreates' if block.command.action == 'build' else 'restarts'} {', '.join(services)}"
        hangs = [condition, self._guessed(block.command)]
        if not self.facts.composed:
            hangs.append("in the folder of the compose file, which is not at hand (--project DIR)")
        condition = "; ".join(part for part in hangs if part)
        self._add(
            block,
            does,
            condition,
            effect=max(effect, block.effect, key=doc.EFFECTS.index),
            command=command,
            images={s: self.facts.images[s] for s in services if s in self.facts.images},
        )
        self.made.tools.extend(tools.needed(("docker", "docker compose"), block.name, self.facts))

    def composed(self, asked: doc.Composed) -> Command:
        """The command, with this deployment's names of its services, project and files."""
        does = ("up", "-d", "--build") if asked.action == "build" else ("restart",)
        environment = {}
        if self.facts.project:
            environment["COMPOSE_PROJECT_NAME"] = self.facts.project
        if self.facts.compose_files:
            environment["COMPOSE_FILE"] = ":".join(self.facts.compose_files)
        words = ("docker", "compose", *does, *map(self._service, asked.services))
        return Command(argv=words, cwd=self.facts.folder, environment=environment)

    def _unneeded(self, block: doc.Compose) -> str:
        """Why a rebuild would change nothing; "" when it may."""
        blocks = (b for b in self.runbook.blocks if isinstance(b, doc.Patch))
        patches = [b.name for b in blocks if isinstance(b.change.body, doc.Worker)]
        if block.command.action != "build" or not patches:
            return ""
        worker = [self.made.sides[name] for name in patches if name in self.made.sides]
        if not worker and not any(step.files for step in self.made.steps):
            return "nothing is patched, so a new build would be the same as the one that runs"
        if not worker or any(side.edits or side.refused for side in worker):
            return ""
        if self.proposal.remedy == "real-load":
            return "the source has no load function of its own, so that nothing is taken away"
        wanted = self.proposal.agent if self.proposal.remedy == "explicit-dispatch" else ""
        if self.proposal.remedy in {"auto-dispatch", "explicit-dispatch"} and set(self.names.running) <= {wanted}:
            return "the worker is not changed: it runs as it should"
        return ""

    def _service(self, service: str) -> str:
        """The service of this deployment that a runbook means by its usual name: what was said, what runs, what builds it."""
        said = (self.inputs[i.name] for i in self.runbook.inputs if i.type == "service" and i.default == service)
        given = next((value for value in said if value not in {"", service}), "")
        return given or self._deployed(service) or service

    def _deployed(self, service: str) -> str:
        """The service by what runs or builds it; "" when neither tells."""
        usual = {"livekit": "livekit", "voice-agent": "agent"}.get(service, "")
        patched = [self._whole(one.file) for side in self.made.sides.values() for one in side.files]
        built = tools.built_from(self.look.projects, patched) if usual == "agent" else ""
        return self.facts.services.get(usual, "") or built

    def _guessed(self, command: doc.Composed) -> str:
        """What to say of services that are only taken to have their usual names."""
        guessed = [s for s in command.services if self._service(s) == s and not self._deployed(s)]
        inputs = [i.name for i in self.runbook.inputs if i.type == "service" and i.default in guessed]
        return f"if that is its service's name, else --input {inputs[0]}=NAME" if inputs else ""

    def _disruption(self, services: list[str]) -> Effect:
        """What a restart of these services does to sessions; unknown counts as many."""
        told_of = counts.sessions(
            self.look.seen, cut_off(services, self._service("livekit"), self.names, self.proposal)
        )
        return "change" if told_of.rooms == 0 else "disrupt"

    def _dispatch(self, block: doc.Dispatch, condition: str) -> None:
        room, agent = fill(block.room, self.inputs), fill(block.agent, self.inputs)
        hangs = [condition, "only if the room is still open then", self.facts.can_dispatch]
        does = f"asks the LiveKit API for {quote(agent)} in room {quote(room)} (CreateDispatch)"
        self._add(block, does, "; ".join(part for part in hangs if part))

    def _script(self, block: doc.TokenStep | doc.ShellStep, condition: str) -> None:
        missing = tools.missing_script(block, self.facts)
        if missing and isinstance(block, doc.TokenStep):
            self.made.skipped.append(Skipped(block.name, missing))
            return
        folder = next(
            (self.facts.scripts[name] for name in tools.scripts(block) if self.facts.scripts.get(name)),
            self.facts.folder,
        )
        command = Command(
            argv=(*tools.SHELLS[block.language], block.text), cwd=folder, environment=self.environment(block.text)
        )
        what = (
            "makes a token with the project's own script; only who asked for it gets it"
            if isinstance(block, doc.TokenStep)
            else "runs a script"
        )
        self._add(block, what, condition, command=command)
        self.made.tools.extend(tools.needed(tools.programs(block), block.name, self.facts))

    def environment(self, text: str) -> dict[str, str]:
        """The inputs that a script asks for, as a plan shows them."""
        return {
            declared.variable: self._shown(declared) for declared in self.runbook.inputs if declared.variable in text
        }

    def _shown(self, declared: doc.Input) -> str:
        value = self.inputs.get(declared.name, "")
        return "[redacted]" if declared.secret and value else value

    # --- afterwards ----------------------------------------------------------------------------

    def _verify(self, block: doc.Verify, included: set[str], checks: Mapping[str, Checked]) -> None:
        applies, why = self._applies(block, checks)
        known = all(checks[r.name].result != "inconclusive" for r in (*block.when, *block.unless) if r.name in checks)
        if not applies and known:  # where it cannot be told whether it has to be proven, it is
            self.made.skipped.append(Skipped(block.name, why))
            return
        after = [name for name in block.after if name in included] or [step.name for step in self.made.steps][-1:]
        step = Step(
            name=block.name, kind="verify", condition=why, line=block.line, heading=block.heading, does=_proof(block, after, self.inputs), effect=block.effect,
            timeout=block.timeout,
        )  # fmt: skip
        self.made.verification.append(step)

    def _undo(self, included: set[str]) -> None:
        patched = [one.file for step in self.made.steps for one in step.files if one.outcome == "edit"]
        if patched:
            self.made.rollback.append(
                f"every patch is taken back first, the last one first, where the file still has the hash that was written: {', '.join(dict.fromkeys(patched))}"
            )
        self.made.undo = tuple(undoing(self, included))
        self.made.rollback.extend(f"{step.name} {step.does}" for step in self.made.undo)


def cut_off(services: Collection[str], server: str, names: Names, proposal: Proposal) -> tuple[str, ...] | None:
    """The agents whose sessions end when these services are started anew, by the names that they have now; None: all.

    What has no name cannot be told from others in every room, and which agents a server serves is not asked.
    """
    if server in services:
        return None
    now = (proposal.agent,) if proposal.agent in names.running else names.running
    return now if now and "" not in now else None


def _proof(block: doc.Verify, steps: list[str], inputs: Mapping[str, str]) -> str:
    """What proves that it worked."""
    what = block.evidence
    after = f" after {', '.join(steps)}" if steps else ""
    held = f", and holds for {block.settle:g} s" if block.settle else ""
    if isinstance(what, doc.Joined):
        parts = [f"the server logs `{what.log}`{after}"] if what.log else []
        parts += [f"an agent is ACTIVE in the room{'' if parts else after}"] if what.agent else []
        where = (
            "in a room made for it"
            if what.canary
            else f"in room {quote(inputs.get('room', ''))}"
            if inputs.get("room")
            else "in the room"
        )
        return f"{where}: {' and '.join(parts)}{held}"
    if isinstance(what, doc.Shell):
        return f"the script of {block.name} ends with 0{after}{held}"
    return f"the check {block.name} matches{after}{held}"
