"""Who may do what, and who must say yes: from a plan's effect, the runbook's wish, the deployment's policy, the door. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from bot.runbook.document import APPROVALS, ASKED, Limit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bot.runbook.document import Approval, Effect
    from bot.settings_policy import Allowed, Declared, Rules

EXPIRES: Final = 15 * 60.0  # seconds that a question is open where the policy says nothing
KEEP: Final = 30 * 86400.0  # seconds that outputs are kept where the policy says nothing

#: The door through which nobody comes: what it asks for, a probe's schedule has asked for.
CLOCK: Final = "clock"

_BY_EFFECT = {
    "read": "nothing is changed",
    "change": "files or containers are changed",
    "disrupt": "live sessions may be cut off",
    "destroy": "data may be lost",
}
# The OS user could do all this by hand, so that his confirmation of the shown plan is as good as a peer's.
_TERMINAL = "in the terminal your confirmation of the shown plan suffices"


def approval(effect: Effect, asked: Approval | None, blocks: tuple[Approval, ...]) -> tuple[Approval, str]:
    """The approval that a plan needs, and why.

    `asked` is the runbook's policy, `blocks` what its single steps ask for; the strictest wins.
    """
    need, why = ASKED[effect], _BY_EFFECT[effect]
    if asked is not None and APPROVALS.index(asked) > APPROVALS.index(need):
        need, why = asked, "the runbook's policy asks for it"
    strictest = max(blocks, key=APPROVALS.index, default=need)
    if APPROVALS.index(strictest) > APPROVALS.index(need):
        need, why = strictest, "a step asks for it"
    if need == "peer" and effect == "disrupt":
        why = f"{why}; {_TERMINAL}"
    return need, why


class Who(Protocol):
    """Somebody at a door; the same person has the same `name` at each."""

    @property
    def name(self) -> str:
        """The name that fletcher.toml declares, else the account's own."""

    @property
    def door(self) -> str:
        """The door: "terminal", "slack", "clock" or "web"."""

    @property
    def channel(self) -> str:
        """Where in the door, "" where it has no such parts."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Something that is allowed; what is left empty allows every person, door, channel, runbook or effect."""

    who: tuple[str, ...] = ()
    doors: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    runbooks: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()

    def allows(self, who: Who, runbook: str, effect: Effect | None) -> bool:
        """Whether this person may, from where he is, with this runbook; an effect of None is not known yet."""
        if self.effects and effect is not None and effect not in self.effects:
            return False
        asked = (self.who, who.name), (self.doors, who.door), (self.channels, who.channel), (self.runbooks, runbook)
        return all(not allowed or value in allowed for allowed, value in asked)


@dataclass(frozen=True, slots=True)
class Auto:
    """A runbook that needs no approval, as long as it was not carried out more often than `limit` says."""

    runbook: str
    limit: Limit


@dataclass(frozen=True, slots=True)
class Policy:
    """A deployment's rules. `effects` raise what is asked for an effect; `single_operator` and `auto` lower it.

    `vouching` are the doors that know who somebody is, through which alone a peer may approve. `ask_in` is the
    channel in which plans that were asked for elsewhere wait for a peer. Spans are in seconds.
    """

    run: tuple[Grant, ...] = ()
    approve: tuple[Grant, ...] = ()
    effects: Mapping[Effect, Approval] = field(default_factory=dict)
    single_operator: bool = False
    auto: tuple[Auto, ...] = ()
    vouching: tuple[str, ...] = ()
    ask_in: str = ""
    expires: float = EXPIRES
    keep: float = KEEP


@dataclass(frozen=True, slots=True)
class Needed:
    """The approval that is asked for at last, why, and what lowered it; `refused` says why nobody can give it, else ""."""

    need: Approval
    why: str
    switches: tuple[str, ...] = ()
    refused: str = ""


def declared(rules: Rules, vouching: tuple[str, ...] = ()) -> Policy:
    """The policy that a fletcher.toml declares, with the doors that are there and know who somebody is."""
    return Policy(
        run=tuple(map(_grant, rules.run)),
        approve=tuple(map(_grant, rules.approve)),
        effects=rules.effects,
        single_operator=rules.single_operator,
        auto=tuple(Auto(runbook, Limit(times, within)) for runbook, times, within in rules.auto),
        vouching=vouching,
        ask_in=rules.ask_in,
        expires=EXPIRES if rules.expires is None else rules.expires,
        keep=KEEP if rules.keep is None else rules.keep,
    )


def name_of(persons: Iterable[Declared], kind: str, account: str) -> str:
    """The name of whoever has this account ("os", "slack"): the declared one, else the account's own.

    An account that nobody declared does not get a declared name by being called so.
    """
    known = tuple(persons)
    for one in known:
        if (kind, account) in one.accounts:
            return one.name
    return f"{account} ({kind})" if any(one.name == account for one in known) else account


def why_not_look(policy: Policy | None, who: Who) -> str:
    """Why this person may not even ask what is wrong, "" when he may: whoever may run or approve something from here may."""
    grants = (*policy.run, *policy.approve) if policy and policy.run and who.door != CLOCK else ()
    if not grants or any(Grant(g.who, g.doors, g.channels).allows(who, "", None) for g in grants):
        return ""
    return f"{who.name} may not ask anything from the {who.door} here: no line `run` or `approve` of [policy] allows it"


def why_not_hold(policy: Policy | None, who: Who, *, releases: bool = False) -> str:
    """Why this person may not hold everything that changes something, "" when he may: whoever may run or approve something may.

    Who stops something need not be in the right channel; who lets it go on must be.
    """
    for grants in (policy.run, policy.approve) if policy else ((), ()):
        if not grants and who.door == "terminal":
            return ""
        if any(Grant(g.who, g.doors, g.channels if releases else ()).allows(who, "", None) for g in grants):
            return ""
    verb = "release" if releases else "hold"
    return f"{who.name} may not {verb} anything from the {who.door}: whoever may run or approve something there may, and no line of [policy] lets him"


def approvers(
    policy: Policy | None, runbook: str, effect: Effect, door: str
) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Who may approve a plan of this runbook at that door, and in which channels; () for anybody, or any.

    Both are what the lines say together, to be told to people; who really may, `why_not_approve` says. None where no
    line lets anybody.
    """
    lines = [
        g for g in (policy.approve if policy else ())
        if (not g.doors or door in g.doors) and (not g.runbooks or runbook in g.runbooks) and (not g.effects or effect in g.effects)
    ]  # fmt: skip
    if not lines:
        return None
    names = () if any(not g.who for g in lines) else tuple(dict.fromkeys(name for g in lines for name in g.who))
    channels = () if any(not g.channels for g in lines) else tuple(dict.fromkeys(c for g in lines for c in g.channels))
    return names, channels


def approvable(policy: Policy | None, requester: str, runbook: str, effect: Effect, need: Approval, door: str) -> bool:
    """Whether any line lets somebody approve at that door what `requester` asked for; a peer is another person."""
    found = approvers(policy, runbook, effect, door)
    return found is not None and (need != "peer" or not found[0] or any(name != requester for name in found[0]))


def why_not_run(policy: Policy | None, who: Who, runbook: str, effect: Effect | None = None) -> str:
    """Why this person may not run this runbook from here, "" when he may; without an effect, before there is a plan.

    The clock may always ask: nothing that it asks for begins until somebody approves it, or `auto` says that nobody need.
    """
    if who.door == CLOCK:
        return ""
    return _why_not(policy.run if policy else None, who, runbook, "run", effect)


def why_not_approve(
    policy: Policy | None, who: Who, requester: Who, runbook: str, need: Approval, effect: Effect | None = None
) -> str:
    """Why this person may not approve what `requester` asked for, "" when he may."""
    if trouble := _why_not(policy.approve if policy else None, who, runbook, "approve", effect):
        return trouble
    if need == "peer":
        if who.name == requester.name:
            return f"{who.name} asked for this, so another person has to approve it"
        if policy is None or who.door not in policy.vouching:
            return f"a peer must come through a door that knows who somebody is, and the {who.door} does not"
    elif requester.door == CLOCK:
        if who.door not in ("terminal", *(policy.vouching if policy else ())):
            return f"this must be approved in a terminal or through a door that knows who somebody is, and the {who.door} does not"
    elif (
        who.name != requester.name and who.door == "terminal" and (policy is None or "terminal" not in policy.vouching)
    ):
        return f"{requester.name} has to confirm this; another person would have to come through a door that knows who somebody is"
    return ""


def needed(
    policy: Policy | None, asked: tuple[Approval, str], effect: Effect, who: Who, runbook: str, acted: Iterable[float]
) -> Needed:
    """What is asked for a plan: `asked` is what the plan itself says.

    `acted` are how many seconds ago the runbook was carried out on this target before.
    """
    need, why = asked[0], asked[1] if who.door == "terminal" else asked[1].removesuffix(f"; {_TERMINAL}")
    raised = policy.effects.get(effect, "none") if policy else "none"
    by_policy = raised == "peer"
    if APPROVALS.index(raised) > APPROVALS.index(need):
        need, why = raised, f"[policy] asks for it where {_BY_EFFECT[effect]}"
    switches = []
    if need == "peer" and policy is not None and policy.single_operator:
        need = "confirm"
        own = "any approver's" if who.door == CLOCK else "the requester's own"
        switches.append(f"single-operator: {own} confirmation suffices")
    if need == "peer" and not by_policy and who.door == "terminal" and effect != "destroy":
        need, why = "confirm", why if _TERMINAL in why else f"{why}; {_TERMINAL}"
    if need == "peer" and not by_policy and who.door == CLOCK and effect != "destroy":
        need, why = "confirm", f"{why}; a probe asks for it, so that any one approver suffices"
    if need != "none" and effect != "destroy" and (auto := _auto(policy, runbook, acted)):
        need = "none"
        switches.append(auto)
    refused = _peerless(policy, effect, who, runbook, why) if need == "peer" else ""
    if need == "confirm" and who.door == CLOCK:
        refused = _unconfirmed(policy, effect, runbook, why)
    return Needed(need, why, tuple(switches), refused)


def _peerless(policy: Policy | None, effect: Effect, who: Who, runbook: str, why: str) -> str:
    """Why no other person can approve what this one asks for, and what would let one, "" where one can."""
    if policy is None or not policy.vouching:
        return (
            f"another person has to approve this ({why}), through a door that knows who somebody is; there is none here, so it "
            "cannot be approved: `fletcher serve` with Slack is such a door (docs/slack.md), and single-operator = true in "
            "[policy] lets the requester confirm it himself"
        )
    if any(approvable(policy, who.name, runbook, effect, "peer", door) for door in policy.vouching):
        return ""
    line = f'approve = [{{who = ["NAME"], doors = ["{policy.vouching[0]}"]}}]'
    return (
        f"another person has to approve this ({why}), and no line `approve` of [policy] lets one; in fletcher.toml this one "
        f"would, with a [[person]] of that name: `{line}`"
    )


def _unconfirmed(policy: Policy | None, effect: Effect, runbook: str, why: str) -> str:
    """Why nobody can confirm what the clock asks for, "" where somebody can."""
    doors = ("terminal", *(policy.vouching if policy else ()))
    if policy is None or not policy.approve:  # then the terminal may
        return ""
    if any(approvers(policy, runbook, effect, door) is not None for door in doors):
        return ""
    return (
        f"a probe asks for it and somebody has to approve it ({why}), and no line `approve` of [policy] lets anybody; in "
        f'fletcher.toml this one would: `approve = [{{doors = ["terminal"], runbooks = ["{runbook}"]}}]`'
    )


def _grant(line: Allowed) -> Grant:
    return Grant(line.who, line.doors, line.channels, line.runbooks, line.effects)


def _why_not(grants: tuple[Grant, ...] | None, who: Who, runbook: str, verb: str, effect: Effect | None) -> str:
    if any(grant.allows(who, runbook, effect) for grant in grants or ()):
        return ""
    if grants:
        where = f" where {_BY_EFFECT[effect]}" if effect else ""
        return f"{who.name} may not {verb} {runbook} from the {who.door}{where}: no line `{verb}` of [policy] allows it"
    if who.door == "terminal" or effect == "read":
        return ""
    line = f'{verb} = [{{who = ["{who.name}"], doors = ["{who.door}"]}}]'
    return (
        f"the {who.door} may only look, since no [policy] says otherwise; in fletcher.toml this line below [policy] would "
        f"allow it, with a [[person]] of that name: `{line}`"
    )


def _auto(policy: Policy | None, runbook: str, acted: Iterable[float]) -> str:
    """The switch that lets a runbook go unasked now, "" where there is none or its limit is reached."""
    for auto in policy.auto if policy else ():
        if auto.runbook == runbook and sum(ago < auto.limit.within for ago in acted) < auto.limit.times:
            return f"auto: {runbook} goes unasked, at most {auto.limit.times} times in {auto.limit.within:g} s"
    return ""
