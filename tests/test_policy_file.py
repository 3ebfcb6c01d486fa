"""Who may do what: a fletcher.toml in, an answer in words out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec import Struct

from bot import settings_file, settings_policy
from bot.policy import declared, name_of, needed, why_not_approve, why_not_look, why_not_run
from bot.runbook.document import APPROVALS, ASKED, EFFECTS

if TYPE_CHECKING:
    from bot.policy import Policy
    from bot.runbook.document import Approval, Effect

PEOPLE = (
    '[[person]]\nname = "ann"\nos = "ann"\nslack = "U1"\n[[person]]\nname = "bob"\nslack = ["U2", "U3"]\n[policy]\n'
)
DISRUPTS: tuple[Approval, str] = ("peer", "live sessions may be cut off")


class Who(Struct, frozen=True):
    """Somebody at a door."""

    name: str
    door: str = "terminal"
    channel: str = ""


ANN, BOB = Who("ann"), Who("bob", "slack", "C1")


def policy(text: str | None, *vouching: str) -> Policy | None:
    """The policy of a fletcher.toml with two persons."""
    rules = settings_file.parse(Path("f"), (PEOPLE + (text or "")).encode()).rules
    return declared(rules, vouching) if text is not None and rules is not None else None


def test_the_words_are_those_of_runbooks() -> None:
    """Effects and approvals are called in fletcher.toml as they are in a runbook, in the same order."""
    assert (settings_policy.EFFECTS, settings_policy.APPROVALS) == (EFFECTS, APPROVALS)
    assert settings_policy.ASKED == ASKED


@pytest.mark.parametrize(
    ("kind", "account", "name"),
    [
        ("os", "ann", "ann"),
        ("slack", "U1", "ann"),
        ("slack", "U3", "bob"),
        ("os", "carol", "carol"),
        ("os", "bob", "bob (os)"),  # called so, and not declared: nobody becomes a person by a name
        ("slack", "ann", "ann (slack)"),
    ],
)
def test_a_person_is_known_by_the_accounts(kind: str, account: str, name: str) -> None:
    """The same person through another door is the same person, and nobody else is."""
    persons = settings_file.parse(Path("f"), PEOPLE.encode()).persons
    assert name_of(persons, kind, account) == name


@pytest.mark.parametrize(
    ("text", "who", "effect", "why"),
    [
        (None, ANN, "disrupt", ""),
        (None, BOB, "read", ""),
        (None, BOB, "change", 'this line below [policy] would allow it, with a [[person]] of that name: `run = [{who = ["bob"]'),
        ('run = [{who = "ann"}]', ANN, "destroy", ""),
        ('run = [{who = "bob"}]', ANN, None, "ann may not run x from the terminal: no line `run` of [policy] allows it"),
        ('run = [{who = "bob", channels = "C1"}]', BOB, None, ""),
        ('run = [{who = "bob", channels = "C2"}]', BOB, None, "bob may not run x from the slack"),
        ('run = [{runbooks = "y"}]', ANN, None, "may not run x"),
        ('run = [{effects = ["read", "change"]}]', ANN, None, ""),
        ('run = [{effects = ["read", "change"]}]', ANN, "disrupt", "may not run x from the terminal where live sessions may be cut off"),
        ('run = [{effects = "read"}, {who = "ann", effects = "disrupt"}]', ANN, "disrupt", ""),
    ],
)  # fmt: skip
def test_who_may_run(text: str | None, who: Who, effect: Effect | None, why: str) -> None:
    """Persons, doors, channels, runbooks and effects each have to fit one line; without lines the terminal may."""
    said = why_not_run(policy(text), who, "x", effect)
    assert (said == "") is (why == "")
    assert why in said


@pytest.mark.parametrize(
    ("text", "who", "asker", "why"),
    [
        ("approve = [{}]", BOB, ANN, ""),
        ("approve = [{}]", Who("ann", "slack"), ANN, "ann asked for this, so another person has to approve it"),
        ("approve = [{}]", Who("bob"), ANN, "a peer must come through a door that knows who somebody is"),
        ('approve = [{who = "ann"}]', BOB, ANN, "bob may not approve x from the slack"),
        ('approve = [{effects = "change"}]', BOB, ANN, "bob may not approve x from the slack where live sessions"),
        (None, BOB, ANN, "the slack may only look"),
    ],
)
def test_who_may_approve_as_a_peer(text: str | None, who: Who, asker: Who, why: str) -> None:
    """The requester is never his own peer, whatever door he comes back through, and a peer is somebody who is known."""
    said = why_not_approve(policy(text, "slack"), who, asker, "x", "peer", "disrupt")
    assert (said == "") is (why == "")
    assert why in said


CLOCK = Who("clock", "clock")


@pytest.mark.parametrize(
    ("text", "effect", "need", "switch", "refused"),
    [
        (None, "read", "none", "", ""),
        (None, "change", "confirm", "", ""),
        ("", "disrupt", "confirm", "", ""),
        ('run = [{who = "ann"}]', "disrupt", "confirm", "", ""),
        ('approve = [{who = "bob", doors = "slack"}]', "disrupt", "confirm", "", ""),
        ('approve = [{who = "bob", effects = "change"}]', "disrupt", "confirm", "", "no line `approve` of [policy] lets anybody"),
        ('approve = [{who = "bob", doors = "web"}]', "change", "confirm", "", "no line `approve` of [policy] lets anybody"),
        ('effects = {disrupt = "peer"}\napprove = [{who = "bob"}]', "disrupt", "peer", "", ""),
        ('effects = {disrupt = "peer"}\nsingle-operator = true', "disrupt", "confirm", "single-operator: any approver's", ""),
        ('approve = [{who = "bob"}]', "destroy", "peer", "", ""),
        ("", "destroy", "peer", "", "no line `approve` of [policy] lets one"),
        ('auto = {x = "2/1h"}', "disrupt", "none", "auto", ""),
        ('auto = {x = "2/1h"}\napprove = [{doors = "web"}]', "disrupt", "none", "auto", ""),
        ('auto = {x = "1/1h"}', "disrupt", "confirm", "", ""),
        ('auto = {x = "1/1h"}\napprove = [{doors = "web"}]', "disrupt", "confirm", "", "no line `approve`"),
        ('auto = {x = "2/1h"}\napprove = [{who = "bob"}]', "destroy", "peer", "", ""),
    ],
)  # fmt: skip
def test_what_is_asked_for_what_a_probe_asks_for(text: str | None, effect: Effect, need: Approval, switch: str, refused: str) -> None:  # fmt: skip
    """It may always ask; one person who may approve suffices unless the policy raised that, and without one it is refused."""
    asked = {"read": ("none", "so"), "change": ("confirm", "so")}.get(effect, DISRUPTS)
    rules = policy(text, "slack")
    assert (why_not_look(rules, CLOCK), why_not_run(rules, CLOCK, "x", effect)) == ("", "")
    found = needed(rules, asked, effect, CLOCK, "x", acted=[60.0, 7200.0])  # type: ignore[arg-type]  # its words
    assert (found.need, bool(found.refused)) == (need, bool(refused))
    assert refused in found.refused
    assert [one[: len(switch)] for one in found.switches] == ([switch] if switch else [])


@pytest.mark.parametrize(
    ("text", "who", "need", "why"),
    [
        (None, ANN, "confirm", ""),
        ("", BOB, "confirm", "the slack may only look"),
        ("approve = [{}]", ANN, "confirm", ""),
        ("approve = [{}]", BOB, "confirm", ""),
        ("approve = [{}]", Who("eve", "web"), "confirm", "the web does not"),
        ("approve = [{}]", ANN, "peer", "a peer must come through a door that knows who somebody is"),
        ("approve = [{}]", BOB, "peer", ""),
        ('approve = [{who = "bob"}]', ANN, "confirm", "ann may not approve x"),
    ],
)
def test_who_may_approve_what_a_probe_asks_for(text: str | None, who: Who, need: Approval, why: str) -> None:
    """Any one person whom the policy lets, in a terminal or through a door that knows who he is."""
    said = why_not_approve(policy(text, "slack"), who, CLOCK, "x", need, "disrupt")
    assert (said == "") is (why == "")
    assert why in said


@pytest.mark.parametrize(
    ("text", "effect", "need", "switch", "refused"),
    [
        (None, "disrupt", "confirm", "", False),
        ("", "disrupt", "confirm", "", False),
        ('effects = {disrupt = "peer"}', "disrupt", "peer", "", True),
        ('effects = {change = "peer"}', "change", "peer", "", True),
        ('effects = {change = "peer"}\nsingle-operator = true', "change", "confirm", "single-operator", False),
        ('auto = {x = "2/1h"}', "disrupt", "none", "auto", False),
        ('auto = {x = "1/1h"}', "disrupt", "confirm", "", False),
        ('auto = {y = "2/1h"}', "disrupt", "confirm", "", False),
        ('auto = {x = "2/1h"}', "destroy", "peer", "", True),
    ],
)
def test_what_is_asked(text: str | None, effect: Effect, need: Approval, switch: str, refused: bool) -> None:  # noqa: FBT001
    """Effects raise; the two named switches lower, say so, and keep to their limit; what nobody can give is refused."""
    asked: tuple[Approval, str] = ("confirm", "files or containers are changed") if effect == "change" else DISRUPTS
    found = needed(policy(text), asked, effect, ANN, "x", acted=[60.0, 7200.0])
    assert (found.need, bool(found.refused)) == (need, refused)
    assert [one.partition(":")[0] for one in found.switches] == ([switch] if switch else [])
