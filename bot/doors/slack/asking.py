"""Where a run's cards belong, and who may approve it there. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from bot.policy import CLOCK, approvers, why_not_approve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bot.engine.values import Person, Run
    from bot.policy import Policy


@dataclass(frozen=True, slots=True)
class Place:
    """Where a card belongs: `kind` "card" is where the run was ordered, "ask" where it waits for a peer.

    `to` is the Slack member who gets it where the channel does not take it, "" for nobody.
    """

    kind: str
    channel: str
    to: str = ""


def places(
    run: Run, policy: Policy | None, members: Mapping[str, str], at: str = "", alerted: str = ""
) -> Iterator[Place]:
    """The places of a run as it is now. One that waits for a peer where no peer sees it is asked about in `ask-in`, too.

    Where that takes nothing, the first approver gets it whom the policy names. `members` are Slack's ids by names; `at` is
    the channel in which its card is, where that is known: it may have become a direct message. `alerted` is where probes are
    told of, `ask-in` where they are not: what the clock asked for is shown there once it asks for something, or does something.
    """
    person, asked = run.order.person, policy.ask_in if policy else ""
    own, waits = "", run.state == "waiting" and run.asked is not None and run.asked.need == "peer"
    if person.door == "slack" and person.channel:
        own = person.channel
        yield Place("card", own, person.account)
    elif person.door == CLOCK and not run.order.dry_run and (run.asked or any(row.attempts for row in run.steps)):
        own, waits = alerted or asked, run.state == "waiting"  # nobody is asked himself, so that anybody has to see it
        if own:
            yield Place("card", own, _first(run, policy, members))
    if waits and asked and asked != own and not (own and _seen(run, policy, at or own)):
        yield Place("ask", asked, _first(run, policy, members))


def _first(run: Run, policy: Policy | None, members: Mapping[str, str]) -> str:
    """The first approver whom the policy names, and who is no requester; "" for none."""
    found = approvers(policy, run.runbook.id, run.plan.effect, "slack") if run.plan else None
    others = (
        members[name] for name in (found[0] if found else ()) if name in members and name != run.order.person.name
    )
    return next(others, "")


def may_approve(run: Run, policy: Policy | None, members: Mapping[str, str]) -> str:
    """Who may approve a run that waits, as a sentence; "" for one that does not. `members` are Slack's ids by names."""
    if run.state != "waiting" or run.asked is None or run.plan is None:
        return ""
    found = approvers(policy, run.runbook.id, run.plan.effect, "slack")
    if found is None:
        return "Nobody may approve this in Slack: no line `approve` of [policy] in fletcher.toml allows it."
    names, channels = found
    requester = run.order.person.name
    others = [name for name in names if name != requester] if run.asked.need == "peer" else list(names)
    if names and not others:
        return f"Nobody may approve this: {requester} asked for it, and [policy] lets nobody else."
    who = ", ".join(f"<@{members[name]}>" if name in members else name for name in others) or "Anybody"
    if run.asked.need == "peer" and not names:
        who += f" but {requester}"
    return f"{who} may approve it{f' in {_channels(channels)}' if channels else ''}."


def waits_for(run: Run, policy: Policy | None, person: Person) -> bool:
    """Whether a run waits for this person, wherever in Slack he may say so."""
    if run.state != "waiting" or run.asked is None or run.plan is None or run.decision is not None:
        return False
    found = approvers(policy, run.runbook.id, run.plan.effect, "slack")
    asked, effect = run.asked.need, run.plan.effect
    return found is not None and any(
        not why_not_approve(policy, replace(person, channel=channel), run.order.person, run.runbook.id, asked, effect)
        for channel in found[1] or (person.channel,)
    )


def _seen(run: Run, policy: Policy | None, channel: str) -> bool:
    """Whether a peer may approve in this channel, where its card is: in a direct message nobody else is."""
    found = approvers(policy, run.runbook.id, run.plan.effect, "slack") if run.plan else None
    return not channel.startswith("D") and (found is None or not found[1] or channel in found[1])


def _channels(ids: tuple[str, ...]) -> str:
    return " or ".join(f"<#{one}>" for one in ids)
