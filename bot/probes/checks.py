"""The checks of any other runbook with a schedule, made as `fletcher plan` and a proof make them: none must match.

Of a runbook without steps each `verify` must hold, too. What cannot be told is unknown.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bot.asking.ask import LOOKED_AT, ask
from bot.asking.outside import Outside
from bot.errors import FletcherError
from bot.evidence.secrets import secrets_of
from bot.plan.facts import roles
from bot.plan.values import Checked
from bot.probes.values import Result
from bot.redact import Redactor
from bot.runbook import document as doc
from bot.runbook.weigh import weigh_causes, weigh_inputs
from bot.steps import check
from bot.steps.contract import Doing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bot.evidence.attach import Attached
    from bot.evidence.docker import Containers
    from bot.findings import Finding
    from bot.probes.values import Probe
    from bot.settings import Target
    from bot.world.contract import World

_Block = doc.Check | doc.Verify
_SAID: Final = {"matched": True, "not-matched": False, "contradicted": False}


def made(
    probe: Probe, inputs: Mapping[str, str], target: Target, world: World, scratch: Path, stop: Callable[[], bool]
) -> Result:
    """What its checks came to. Raises FletcherError for what stands in the way of all of them."""
    return _Making(probe, inputs, target, world, scratch, stop).all()


class _Stop(threading.Event):
    """A stop that asks somebody else."""

    def __init__(self, asked: Callable[[], bool]) -> None:
        super().__init__()
        self._asked = asked

    def is_set(self) -> bool:
        return self._asked()


class _Making:
    """All checks of one runbook while they are made."""

    def __init__(
        self, probe: Probe, inputs: Mapping[str, str], target: Target, world: World, scratch: Path,
        stop: Callable[[], bool],
    ) -> None:  # fmt: skip
        self.probe, self.inputs, self.target, self.world, self.stop = probe, inputs, target, world, stop
        self.blocks = probe.runbook.looks
        attached = self._attached()
        folder = next((f for f in (target.project, attached.working_dir if attached else "") if f and Path(f).is_dir()), probe.here)  # fmt: skip
        self.folder = str(Path(folder).absolute())
        self.services = roles(attached) if attached is not None else {}
        self.redactor = Redactor.of(self._secrets(attached))
        self.doing = Doing(world, scratch, self.redactor, lambda _line: None, _Stop(stop))
        self.findings: tuple[Finding, ...] = ()
        self.results: dict[str, Checked] = {}

    def all(self) -> Result:
        """Ask all that is declared at once, then each script; weigh what they say together."""
        declared = [block for block in self.blocks if isinstance(block.evidence, LOOKED_AT)]
        if declared:
            self.results |= ask(declared, self.inputs, self._outside())
        if any(isinstance(block.evidence, doc.Causes) for block in self.blocks):
            self.results |= self._diagnosed()
        for block in self.blocks:
            if self.stop():
                return Result(light="skipped", says="it was asked to stop")
            if (skipped := self._skipped(block)) is not None:
                self.results[block.name] = skipped
            elif isinstance(block.evidence, doc.Chosen):
                weighed = weigh_inputs(block.evidence, self.inputs)
                self.results[block.name] = Checked(block.name, weighed.word, weighed.why)
            elif isinstance(block.evidence, doc.Shell):
                self.results[block.name] = self._script(block)
        return self._result()

    def _result(self) -> Result:
        asked = [block for block in self.blocks if not isinstance(block.evidence, doc.Chosen)]
        red = [block for block in asked if self._bad(block) is True]
        unknown = [block for block in asked if self._bad(block) is None]
        if red or unknown:
            says = "; ".join(self._told(red or unknown))
            return Result(light="red" if red else "unknown", says=self.redactor.text(says), findings=self.findings)
        names = ", ".join(block.name for block in asked)
        return Result(light="green", says=f"all is well: {names}", findings=self.findings)

    def _told(self, blocks: Sequence[_Block]) -> Iterator[str]:
        words = {"matched": "matches", "not-matched": "does not hold", "contradicted": "does not hold"}
        for block in blocks:
            result = self.results[block.name]
            where = f" ({block.heading})" if block.heading else ""
            why = f": {result.says}" if result.says else ""
            yield f"{block.name}{where} {words.get(result.result, 'cannot be told')}{why}"

    def _bad(self, block: _Block) -> bool | None:
        """Whether it is as it should not be; None where that cannot be told."""
        said = _SAID.get(self.results[block.name].result)
        if self._skipped(block) is not None:
            return False
        return said if said is None or isinstance(block, doc.Check) else not said

    def _skipped(self, block: _Block) -> Checked | None:
        """What it comes to where its `when` or `unless` says that it is not asked."""
        for references, wanted in ((block.when, True), (block.unless, False)):
            for one in references:
                result = self.results.get(one.name)
                said = _SAID.get(result.result) if result is not None else None
                if said is None:
                    continue  # it cannot be told: then it is asked
                if (said is not one.negated) is not wanted:
                    return Checked(
                        block.name, "not-matched", f"not asked, since {one} {'does not match' if wanted else 'matches'}"
                    )
        return None

    # --- what is asked ---------------------------------------------------------------------------

    def _script(self, block: _Block) -> Checked:
        try:
            return check.ask(block, self.inputs, self.probe.runbook.inputs, self.folder, self.doing)
        except FletcherError as problem:
            return Checked(block.name, "inconclusive", self.redactor.text(str(problem)))

    def _diagnosed(self) -> dict[str, Checked]:
        from bot.diagnose import diagnose
        from bot.evidence.look import Question
        from bot.findings import findings

        room = self.inputs.get("room", "")
        question = Question(rooms=(room,) if room else (), target=self.target, counted=True, here=self.probe.here)
        with diagnose(question) as answer:
            rows = [row for row in answer.verdicts.rows if row.room is not None or row.cause is not None]
            self.findings = findings(answer)
            asked = {b.name: weigh_causes(b.evidence, rows) for b in self.blocks if isinstance(b.evidence, doc.Causes)}
        return {name: Checked(name, weighed.word, weighed.why) for name, weighed in asked.items()}

    def _outside(self) -> Outside:
        def docker() -> tuple[Containers, str]:
            engine, attached = self.world.docker()
            return engine, attached.project

        return Outside(docker, self.world.now(), self.folder, self.services, self.redactor)

    def _attached(self) -> Attached | None:
        with suppress(FletcherError):  # told by whichever check asks for it
            return self.world.docker()[1]
        return None

    def _secrets(self, attached: Attached | None) -> frozenset[str]:
        containers = (*attached.livekit, *attached.agents) if attached is not None else ()
        found = frozenset[str]().union(*(one.secrets() for one in containers))
        with suppress(FletcherError, OSError):
            found |= secrets_of(self.folder)
        return found | ({self.target.api_secret} if self.target.api_secret else set())
