"""Who may run and approve what, from which door, and what is asked for at last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.engine.values import Person
from bot.policy import Auto, Grant, Policy, approvable, declared, needed, why_not_approve, why_not_run
from bot.runbook.document import Approval, Effect, Limit
from bot.settings import targets

if TYPE_CHECKING:
    from pathlib import Path

ADA, GRACE = Person("ada", "terminal"), Person("grace", "slack", "ops")
ALL = Grant()


@pytest.mark.parametrize(
    ("policy", "who", "said"),
    [
        (None, ADA, ""),
        (None, GRACE, "the slack may only look"),
        (Policy(run=(ALL,)), GRACE, ""),
        (Policy(run=(Grant(who=("ada",)),)), GRACE, "grace may not run mend from the slack"),
        (Policy(run=(Grant(who=("ada",)), Grant(channels=("ops",)))), GRACE, ""),
        (Policy(run=(Grant(doors=("slack",), runbooks=("other",)),)), GRACE, "may not run"),
        (Policy(run=(Grant(doors=("slack",)),)), ADA, "may not run"),
    ],
)
def test_who_may_run(policy: Policy | None, who: Person, said: str) -> None:
    """Every part of a line that is given must fit, and one line suffices."""
    why = why_not_run(policy, who, "mend")
    assert said in why
    assert bool(why) is bool(said)


@pytest.mark.parametrize(
    ("policy", "who", "requester", "need", "said"),
    [
        (None, ADA, ADA, "confirm", ""),
        (None, Person("eve", "terminal"), ADA, "confirm", "ada has to confirm this"),
        (Policy(approve=(ALL,), vouching=("slack",)), GRACE, ADA, "peer", ""),
        (Policy(approve=(ALL,), vouching=("slack",)), Person("ada", "slack"), ADA, "peer", "another person has to approve"),
        (Policy(approve=(ALL,)), GRACE, ADA, "peer", "the slack does not"),
        (Policy(approve=(Grant(who=("ada",)),), vouching=("slack",)), GRACE, ADA, "peer", "may not approve"),
        (Policy(approve=(ALL,)), GRACE, ADA, "confirm", ""),
    ],
)  # fmt: skip
def test_who_may_approve(policy: Policy | None, who: Person, requester: Person, need: Approval, said: str) -> None:
    """A peer is another person, through a door that vouches for him; the terminal's own user confirms what he asked for."""
    why = why_not_approve(policy, who, requester, "mend", need)
    assert said in why
    assert bool(why) is bool(said)


AUTO = Policy(auto=(Auto("mend", Limit(2, 100)),))


@pytest.mark.parametrize(
    ("policy", "asked", "effect", "acted", "need", "switch"),
    [
        (None, "confirm", "change", (), "confirm", ""),
        (None, "peer", "disrupt", (), "confirm", ""),
        (None, "peer", "destroy", (), "peer", ""),
        (Policy(effects={"disrupt": "peer"}), "peer", "disrupt", (), "peer", ""),
        (Policy(effects={"change": "peer"}), "confirm", "change", (), "peer", ""),
        (Policy(effects={"change": "none"}), "confirm", "change", (), "confirm", ""),
        (Policy(effects={"change": "peer"}, single_operator=True), "confirm", "change", (), "confirm", "single-operator"),
        (AUTO, "confirm", "change", (1.0, 200.0), "none", "auto: mend"),
        (AUTO, "confirm", "change", (1.0, 2.0), "confirm", ""),
        (AUTO, "peer", "destroy", (), "peer", ""),
    ],
)  # fmt: skip
def test_what_is_asked_for(
    policy: Policy | None, asked: Approval, effect: Effect, acted: tuple[float, ...], need: Approval, switch: str
) -> None:
    """The policy raises what a plan asks for; only its two switches lower it, and are named."""
    told = needed(policy, (asked, "so"), effect, ADA, "mend", acted)
    assert told.need == need
    assert bool(told.switches) is bool(switch)
    assert all(one.startswith(switch) for one in told.switches)
    assert bool(told.refused) is (need == "peer")


SLACK = Grant(doors=("slack",))


@pytest.mark.parametrize(
    ("approve", "refused"),
    [
        ((), True),
        ((Grant(doors=("terminal",)),), True),
        ((Grant(who=("ada",)),), True),
        ((Grant(doors=("slack",), runbooks=("other",)),), True),
        ((Grant(doors=("slack",), effects=("read", "disrupt")),), True),
        ((Grant(who=("ada",)), Grant(who=("grace",), doors=("slack",))), False),
        ((SLACK,), False),
        ((ALL,), False),
    ],
)
def test_what_nobody_may_approve_is_not_asked_for(approve: tuple[Grant, ...], refused: bool) -> None:  # noqa: FBT001  # a column of the table
    """Where no line lets another person, it is refused at once, with the line that would let one."""
    policy = Policy(run=(ALL,), approve=approve, effects={"change": "peer"}, vouching=("slack",))
    told = needed(policy, ("confirm", "so"), "change", ADA, "mend", ())
    assert told.need == "peer"
    assert bool(told.refused) is refused
    assert ('`approve = [{who = ["NAME"], doors = ["slack"]}]`' in told.refused) is refused


@pytest.mark.parametrize("need", ["confirm", "peer"])
def test_whoever_asked_may_approve_where_his_word_is_enough(need: Approval) -> None:
    """A line for him alone lets him confirm, and nobody be his peer."""
    own = Policy(approve=(Grant(who=("ada",), doors=("slack",)),))
    assert approvable(own, "ada", "mend", "change", need, "slack") is (need == "confirm")
    assert not approvable(Policy(run=(ALL,)), "ada", "mend", "change", need, "slack")


@pytest.mark.parametrize("verb", ["run", "approve"])
def test_the_line_that_would_allow_it_does(tmp_path: Path, verb: str) -> None:
    """A door that may only look is told a line; below [policy] it allows just that."""

    def ask(policy: Policy | None, who: Person) -> str:
        if verb == "run":
            return why_not_run(policy, who, "mend")
        return why_not_approve(policy, who, ADA, "mend", "confirm")

    line = ask(None, GRACE).split("`")[-2]
    file = tmp_path / "fletcher.toml"
    file.write_text(f'[[person]]\nname = "grace"\nslack = "U012AB3CD"\n[policy]\n{line}\n', encoding="utf-8")
    document = targets({}, tmp_path, file).document
    assert document is not None
    assert document.rules is not None
    policy = declared(document.rules, ("slack",))
    assert ask(policy, GRACE) == ""
    assert "may not" in ask(policy, Person("eve", "slack"))
