"""Slack as people use it: commands, clicks and messages over a real websocket, and what is really done for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.doubles.slack import ADA, GRACE, OPS, Slack, buttons, says
from tests.slack.served import Served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MENDED = ["set-value", "set-other", "note", "build", "prove"]


@pytest.fixture
def slack() -> Iterator[Slack]:
    """A workspace."""
    with Slack() as made:
        yield made


@pytest.fixture
def served(here: Path, slack: Slack) -> Iterator[Served]:
    """Somebody serves this folder, in that workspace."""
    with Served(here, slack) as made:
        yield made


def test_a_diagnosis_is_ordered_approved_and_mends(served: Served, slack: Slack) -> None:
    """One types, the message shows the plan, another one presses Approve, and the message ends at fixed."""
    run, card = served.waiting()
    assert run.order.person.name == "ada"
    assert served.place.done == []
    slack.click(card, "approve", GRACE).ack()
    run = served.later(run.id)
    assert run.state == "fixed"
    assert run.decision is not None
    assert run.decision.person.name == "grace"
    assert served.place.done == MENDED
    slack.until(lambda: "fixed" in says(slack.card(OPS)).lower())
    assert "approve" not in buttons(slack.card(OPS))
    assert len(slack.roots(OPS)) == 1
    assert [row.entry.account for row in served.front.trail() if row.entry.decision == "yes"] == [GRACE]
    assert run.order.person.account == ADA
