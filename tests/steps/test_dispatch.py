"""An agent asked for in a room that is alive, over a real socket."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bot.errors import Unreachable
from bot.runbook import document as doc
from bot.settings import Target
from bot.steps.dispatch import Dispatch
from tests.doubles.livekit_api import KEY, SECRET, LiveKit, dispatch, person
from tests.steps.doing import bench, task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bot.steps.contract import Task
    from tests.steps.doing import Bench


@pytest.fixture
def server() -> Iterator[LiveKit]:
    """A server with a room that waits."""
    with LiveKit() as server:
        server.room("lobby", participants=[person("uma")], dispatches=[dispatch("ganglia")])
        yield server


@pytest.fixture
def at(tmp_path: Path, server: LiveKit) -> Iterator[Bench]:
    """A bench with it, and without an engine."""
    target = Target(docker_host=f"unix://{tmp_path}/none.sock", livekit_url=server.url, api_key=KEY, api_secret=SECRET)
    with bench(tmp_path, target) as bench_:
        yield bench_


def ask(at: Bench, room: str = "lobby", metadata: str = "") -> Task:
    """The task of a dispatch block."""
    block = doc.Dispatch(name="again", line=1, room="$room", agent="$agent_name", metadata=metadata)
    return task(block, at, {"room": room, "agent_name": "ganglia"}, kind="dispatch")


@pytest.mark.parametrize(
    ("metadata", "sent"),
    [
        ("", {"fletcher": "r1/again"}),
        ('{"canary": true}', {"canary": True, "fletcher": "r1/again"}),
        ("plain words", None),
        ("[1]", None),
    ],
)
def test_an_agent_is_asked_for_once(at: Bench, server: LiveKit, metadata: str, sent: dict[str, object] | None) -> None:
    """The dispatch carries our mark where metadata can; after a crash it is recognised either way."""
    kind, planned = Dispatch(), ask(at, metadata=metadata)
    memory = kind.remember(planned, at.doing)
    assert kind.settled(planned, memory, at.doing) is False
    outcome = kind.perform(planned, memory, at.doing)
    assert (outcome.state, outcome.facts["agent"], outcome.facts["room"]) == ("done", "ganglia", "lobby")
    made = server.inside["lobby"][1][-1]
    assert outcome.facts["dispatch"] == made.id
    assert (json.loads(made.metadata) if sent is not None else made.metadata) == (sent or metadata)
    assert kind.settled(planned, memory, at.doing) is True
    again = kind.perform(planned, memory, at.doing)
    assert (again.state, again.facts["dispatch"]) == ("done", made.id)
    assert server.calls["CreateDispatch"] == 1
    assert kind.undo(planned, memory, at.doing) is None


@pytest.mark.parametrize(
    ("first", "sent"),
    [('{"customer": 7}', '{"customer":7,"fletcher":"r1/again"}'), ("plain words", "plain words"), ("", '{"fletcher":"r1/again"}')],
)  # fmt: skip
def test_an_agent_is_handed_what_the_first_was(at: Bench, server: LiveKit, first: str, sent: str) -> None:
    """It is read from the room, each time anew, and written down nowhere; later dispatches and other agents' are not it."""
    server.room("lobby", participants=[person("uma")],
                dispatches=[dispatch("clerk", created=1.0, metadata="another's"), dispatch("ganglia", created=2.0, metadata=first)])  # fmt: skip
    later = dispatch("ganglia", created=3.0, metadata='{"fletcher": "r0/again"}')
    later.id = "AD_later"
    server.inside["lobby"][1].append(later)
    kind, planned = Dispatch(), ask(at, metadata="as-before")
    memory = kind.remember(planned, at.doing)
    assert first == "" or first not in str(memory)
    outcome = kind.perform(planned, memory, at.doing)
    assert (outcome.state, server.inside["lobby"][1][-1].metadata) == ("done", sent)
    assert kind.settled(planned, memory, at.doing) is True
    assert kind.perform(planned, memory, at.doing).facts["dispatch"] == outcome.facts["dispatch"]
    assert server.calls["CreateDispatch"] == 1


@pytest.mark.parametrize("name", ["ganglia", "clerk"])
def test_who_was_sent_meanwhile_is_not_sent_again(at: Bench, server: LiveKit, name: str) -> None:
    """A run that goes on long after it was broken off: by then somebody else may have asked for this agent."""
    kind, planned = Dispatch(), ask(at)
    memory = kind.remember(planned, at.doing)
    other = dispatch(name, metadata='{"fletcher": "r0/again"}')
    other.id = "AD_other"
    server.inside["lobby"][1].append(other)
    outcome = kind.perform(planned, memory, at.doing)
    if name == "clerk":
        assert (outcome.state, server.calls["CreateDispatch"]) == ("done", 1)
    else:
        assert (outcome.state, server.calls["CreateDispatch"]) == ("failed", 0)
        assert "somebody else asked for" in outcome.says


def test_no_room_is_made_for_it(at: Bench, server: LiveKit) -> None:
    """CreateDispatch would make one: a room that has ended, or is another one by now, is an error."""
    kind, planned = Dispatch(), ask(at)
    memory = kind.remember(planned, at.doing)
    server.room("lobby", room_id="RM_another")
    assert kind.perform(planned, memory, at.doing).state == "failed"
    del server.rooms["lobby"]
    for attempt in (lambda: kind.perform(planned, memory, at.doing), lambda: kind.remember(planned, at.doing)):
        with pytest.raises(Unreachable, match="is not there any more, so nobody was asked for"):
            attempt()
    assert kind.settled(planned, memory, at.doing) is False
    assert server.calls["CreateDispatch"] == 0


def test_an_answer_that_is_lost_is_found_in_the_room(at: Bench, server: LiveKit) -> None:
    """Or is not, or nothing can be told."""
    kind, planned = Dispatch(), ask(at)
    memory = kind.remember(planned, at.doing)
    server.fails["CreateDispatch"] = (503, b"unavailable")
    outcome = kind.perform(planned, memory, at.doing)
    assert outcome.state == "failed"
    assert "was not asked for" in outcome.says
    del server.fails["CreateDispatch"]
    server.lost.add("CreateDispatch")
    outcome = kind.perform(planned, memory, at.doing)
    assert outcome.state == "done"
    assert "though the answer was lost" in outcome.says
    assert outcome.facts["dispatch"] == server.inside["lobby"][1][-1].id


def test_a_server_that_goes_away_in_the_middle_leaves_it_unknown(
    at: Bench, server: LiveKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step is looked at again when it is back."""
    kind, planned = Dispatch(), ask(at)
    memory = kind.remember(planned, at.doing)

    def gone(*_: object) -> str:
        server.fails["ListRooms"] = (503, b"unavailable")
        raise Unreachable("no answer in time")

    monkeypatch.setattr(at.world, "create_dispatch", gone)
    outcome = kind.perform(planned, memory, at.doing)
    assert outcome.state == "unknown"
    assert "whether “ganglia” was asked for" in outcome.says or "is not known" in outcome.says
    assert kind.settled(planned, memory, at.doing) is None
    server.fails.clear()
    assert kind.settled(planned, memory, at.doing) is False
