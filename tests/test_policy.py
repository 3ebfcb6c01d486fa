"""Who may run and approve what, from which door, and what is asked for at last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.engine.values import Person
from bot.policy import Auto, Grant, Policy, declared, needed, why_not_approve, why_not_run
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


@pytest.mark.parametrize("verb", ["run", "approve"])
def test_the_line_that_would_allow_it_does(tmp_path: Path, verb: str) -> None:
    """A door that may only look is told a line; below [policy] it allows just that."""

    def ask(policy: Policy | None, who: Person) -> str:
        if verb == "run":
            return why_not_run(policy, who, "mend")
        return why_not_approve(policy, who, ADA, "mend", "confirm")

    line = ask(None, GRACE).rpartition(": ")[2].strip("`")
    file = tmp_path / "fletcher.toml"
    file.write_text(f'[[person]]\nname = "grace"\nslack = "U012AB3CD"\n[policy]\n{line}\n', encoding="utf-8")
    document = targets({}, tmp_path, file).document
    assert document is not None
    assert document.rules is not None
    policy = declared(document.rules, ("slack",))
    assert ask(policy, GRACE) == ""
    assert "may not" in ask(policy, Person("eve", "slack"))
