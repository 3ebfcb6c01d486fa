"""What a look at the present makes of a verdict: the API, the containers, and logs that say little or nothing."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from bot.evidence.look import Question, look
from bot.livekit.answer import judge
from bot.livekit.seen import ApiDispatch, ApiParticipant, ApiRoom, ApiSeen, Endpoint, Machine, Seen, Token
from bot.livekit.setup import Dispatcher, Place, Setup, TokenMaker, WorkerSetup
from bot.livekit.story import Story
from tests.test_stories import BEGIN, call, full, given, joins, later, registered, room, say, served, silent, start

if TYPE_CHECKING:
    from pathlib import Path

    from bot.livekit.seen import Verdict, Verdicts
    from tests.test_stories import Line

T0 = BEGIN.timestamp()
HERE = Place("here", 1, "as it was told")


def user(at: float = 10.0, who: str = "u") -> ApiParticipant:
    """A user who joined so many seconds after the server's start."""
    return ApiParticipant(who, agent=False, state="ACTIVE", agent_name="", joined=T0 + at)


def agent(name: str = "", state: str = "ACTIVE", at: float = 11.0, job: str = "AJ_9") -> ApiParticipant:
    """An agent who joined then."""
    return ApiParticipant(f"agent-{job}", agent=True, state=state, agent_name=name, joined=T0 + at)


def waits(name: str, at: float = 10.0, jobs: int = 0) -> ApiDispatch:
    """A dispatch that was made then."""
    return ApiDispatch(f"AD_{name}", name, "", T0 + at, jobs, ())


def alive(
    *people: ApiParticipant, waits_for: tuple[ApiDispatch, ...] | None = (), at: float = 10.0, name: str = "desk"
) -> ApiRoom:
    """A living room that was made then."""
    return ApiRoom(name, f"RM_{name}", T0 + at, people, waits_for, HERE)


def container(state: str = "running", role: str = "agent", **more: Any) -> Machine:  # noqa: ANN401  # any field
    """A container."""
    plain: dict[str, Any] = {
        "health": "", "exit_code": 0, "oom_killed": False, "restarts": 0, "created": T0, "started": T0, "finished": None
    }  # fmt: skip
    place = Place(f"container {role}-1", 1, state)
    return Machine(role=role, service=role, name=f"{role}-1", state=state, place=place, **(plain | more))  # type: ignore[arg-type]


def source(name: str | None) -> WorkerSetup:
    """A worker as the source tells it."""
    return WorkerSetup(HERE, "typescript", name, "source", HERE, "JT_ROOM", None, None, None, None, None)


def endpoint(name: str) -> Endpoint:
    """A worker as its endpoint tells it."""
    return Endpoint(name, "JT_ROOM", "", "1.9.0", 0, None, HERE)


def own(sec: float, message: str, **fields: object) -> Line:
    """A line of the worker's own log."""
    head = {"level": 30, "time": int((T0 + sec) * 1000), "pid": 1, "hostname": "h", "version": "1.9.0"}
    return sec, json.dumps({**head, **fields, "msg": message}, separators=(",", ":")) + "\n"


def own_registered(name: str, sec: float = 2.0) -> Line:
    """The worker says that it registered."""
    return own(sec, "registered worker", id="AW_1", agentName=name, deployment="")


def token(*names: str, who: str = "u", place: str = "desk") -> Token:
    """A token that asks for these agents."""
    return Token(place, who, tuple((n, "") for n in names), HERE)


@dataclass(frozen=True)
class Look:
    """One live look, and what must be concluded of the room `desk` (or of no room)."""

    says: str  # the cause, or the verdict where there is none
    server: tuple[Line, ...] = ()
    worker: tuple[Line, ...] = ()
    rooms: tuple[ApiRoom, ...] | None = ()
    machines: tuple[Machine, ...] = ()
    more: dict[str, Any] = field(default_factory=dict)
    live: float = 300.0
    text: str = ""
    sure: tuple[float, float] = (0.0, 1.0)
    of: str | None = "desk"
    cloud: bool = False
    skew: float | None = None

    def seen(self, tmp_path: Path) -> Seen:
        """All that was looked at."""
        api = ApiSeen("http://here:7880", T0 + self.live, self.rooms or (), self.cloud, self.skew)
        given = []
        for kind, lines in (("server", self.server), ("agent", self.worker)):
            if lines:
                path = tmp_path / f"{kind}.log"
                path.write_text("".join(text for _, text in sorted(lines, key=lambda line: line[0])))
                given.append((kind, str(path)))
        seen = Seen(story=Story())
        with ExitStack() as opened:
            if given:
                seen = look(Question(tuple(given)), opened).seen  # type: ignore[arg-type]
        told = {"live": T0 + self.live, "api": None if self.rooms is None else api, "machines": self.machines}
        return replace(seen, **(told | self.more))

    def verdicts(self, tmp_path: Path) -> Verdicts:
        """The answer."""
        return judge(self.seen(tmp_path))

    def row(self, tmp_path: Path) -> Verdict:
        """The one row of the room that this is about."""
        (row,) = [r for r in self.verdicts(tmp_path).rows if r.room == self.of and r.room_id != "RM_new"]
        return row


BORN = (start(), registered(1, "a"), joins(10, "u", 0, "a"))
LATE = (room(100, "participant active", participant="v"), later(120))  # a log that begins after the room's birth
CRASH = (*BORN, given(10.2, "a"))
LOOKS = {
    # the logs leave it open, the API does not
    "the log begins later, an agent is there": Look("healthy", LATE, rooms=(alive(user(), agent("a")),), text='"a" is active'),
    "an old server tells no name, nobody else was dispatched": Look(
        "healthy", CRASH, rooms=(alive(user(), agent(), waits_for=(waits("a"),)),), live=12.0
    ),
    "an agent of another name is not the one": Look(
        "inconclusive", CRASH, rooms=(alive(user(), agent("b"), waits_for=(waits("a"), waits("b"))),), live=12.0
    ),
    "by its job it is the one": Look("healthy", CRASH, rooms=(alive(user(), agent(job="AJ_1"), waits_for=None),), live=12.0),
    "it is joining": Look("inconclusive", CRASH, rooms=(alive(agent("a", "JOINED", 11.0)),), live=13.0, text="just joining"),
    "it has been joining for long": Look(
        "inconclusive", LATE, rooms=(alive(agent("a", "JOINED", 11.0)),), live=130.0, text="for 119 s and is not active"
    ),
    "the server's clock counts": Look(
        "inconclusive", LATE, rooms=(alive(agent("a", "JOINED", 230.0)),), live=200.0, skew=32.0, text="just joining"
    ),
    "another room of that name is another room": Look(
        "load-refused", (*BORN, full(10.2, "a"), later()), rooms=(replace(alive(agent("a"), at=200), id="RM_new"),),
    ),
    # a cause that was made good
    "it came by a later call": Look(
        "healthy", (*BORN, full(10.2, "a"), later()), rooms=(alive(user(), agent("a")),), text="At first none came (load-refused)"
    ),
    "nobody asked, then somebody did": Look(
        "healthy", (start(), registered(1, "a"), joins(10, "u", 0), later()), more={"rooms": ("desk",)},
        rooms=(alive(agent("a", at=90)),), text="is active",
    ),
    "one is on its way after all": Look(
        "load-refused", (*BORN, full(10.2, "a"), later()), rooms=(alive(agent("a", "JOINED", 299)),), text="JOINED and not active yet"
    ),
    "one that asks for another stays": Look(
        "name-mismatch", (start(), registered(1, "b"), joins(10, "u", 0, "a"), silent(15, "a"), later()),
        rooms=(alive(agent("b"), waits_for=(waits("a"), waits("b"))),),
    ),
    "a killed worker's agent lingers": Look(
        "worker-died",
        (*CRASH, say(12, "last worker deregistered", {"jobType": "JT_ROOM", "agentName": "a", "workerID": "AW_1"}), later(14)),
        rooms=(alive(agent("a", job="AJ_1")),), live=20.0,
    ),
    # what was healthy stays so
    "the agent has left since": Look("healthy", (*BORN, *served(10, "a")), rooms=(alive(user()),)),
    "the room has gone since": Look("healthy", (*BORN, *served(10, "a"))),
    "nobody is there": Look(
        "inconclusive", LATE, rooms=(alive(user(), waits_for=None),), text="By the API no agent is in it now"
    ),
    # rooms that no log shows
    "only the API": Look("healthy", rooms=(alive(user(), agent("a"), waits_for=(waits("a"),)),), sure=(0.85, 0.95)),
    "only the API, connecting": Look("inconclusive", rooms=(alive(user(), agent("a", "JOINING", 299)),), text="just joining"),
    "only the API, young": Look("inconclusive", rooms=(alive(user(), waits_for=(waits("a"),)),), live=15.0, text="too young"),
    "only the API, a dispatch": Look(
        "inconclusive", rooms=(alive(user(), waits_for=(waits("a"),)),), text="which workers there are is not known"
    ),
    "the worker has another name": Look(
        "name-mismatch", worker=(own_registered("b"),), rooms=(alive(user(), waits_for=(waits("a"),)),), sure=(0.6, 0.8)
    ),
    "the endpoint has another name": Look(
        "name-mismatch", rooms=(alive(user(), waits_for=(waits("A"),)),), more={"endpoints": (endpoint("a"),)}, text="upper and lower"
    ),
    "the source has another name": Look(
        "name-mismatch", rooms=(alive(user(), waits_for=(waits("a"),)),), more={"setup": Setup(workers=(source("b"),))}, sure=(0.5, 0.65)
    ),
    "the worker has no name": Look(
        "worker-unnamed", worker=(own_registered(""),), rooms=(alive(user(), waits_for=(waits("a"),)),), sure=(0.6, 0.8)
    ),
    "the log begins later and shows the other name": Look(
        "name-mismatch", (*LATE, registered(1, "b")), rooms=(alive(user(), waits_for=(waits("a"),)),), sure=(0.6, 0.8)
    ),
    "the right name, still time": Look(
        "inconclusive", worker=(own_registered("a"),), rooms=(alive(user(), waits_for=(waits("a"),)),), live=30.0, text="too young"
    ),
    "the right name, and nothing came": Look(
        "inconclusive", worker=(own_registered("a"),), rooms=(alive(user(), waits_for=(waits("a"),)),), text="no agent came in 25.0 s"
    ),
    "the worker's key is refused": Look(
        "worker-auth",
        worker=(own(5, "failed to connect to LiveKit server, retrying in 2 seconds: (1/10)", error={"message": "Unexpected server response: 401"}),),
        rooms=(alive(user(), waits_for=(waits("a"),)),),
    ),
    "no worker runs": Look(
        "no-worker", rooms=(alive(user(), waits_for=(waits("a"),)),), text="exited (exit code 137, out of memory, 4 restarts)",
        machines=(container("exited", exit_code=137, oom_killed=True, restarts=4),),
    ),
    "a second worker's container runs": Look(
        "inconclusive", rooms=(alive(user(), waits_for=(waits("a"),)),), machines=(container("exited"), container()),
    ),
    "a worker took it, and runs no more": Look(
        "inconclusive", rooms=(alive(user(), waits_for=(waits("a", jobs=1),)),), machines=(container("exited", exit_code=1),), text="A worker took the job"
    ),
    "a worker of another name is known, yet one took it": Look(
        "inconclusive", worker=(own_registered("b"),), rooms=(alive(user(), waits_for=(waits("a", jobs=1),)),), text="A worker took the job"
    ),
    "a worker just took it": Look(
        "inconclusive", rooms=(alive(user(), waits_for=(waits("a", jobs=1),)),), live=20.0, text="too young"
    ),
    "automatic dispatch was taken": Look(
        "inconclusive", worker=(own_registered("a"),), rooms=(alive(user(), waits_for=(waits("", jobs=1),)),), text="automatic dispatch",
        more={"tokens": (token(),)},
    ),
    "the worker ran when the room was made": Look(
        "inconclusive", rooms=(alive(user(), waits_for=(waits("a"),)),), machines=(container("exited", finished=T0 + 100),)
    ),
    "the worker ran when the room was made, after restarts long ago": Look(
        "inconclusive", rooms=(alive(user(), waits_for=(waits("a"),)),), machines=(container("exited", finished=T0 + 100, restarts=5),)
    ),
    "the worker only ever crashed": Look(
        "no-worker", rooms=(alive(user(), waits_for=(waits("a"),)),),
        machines=(container("restarting", started=T0 + 290, finished=T0 + 292, restarts=9, exit_code=1),),
    ),
    "the worker is paused": Look(
        "inconclusive", rooms=(alive(user(), waits_for=(waits("a"),)),), machines=(container("paused"),)
    ),
    "the worker runs elsewhere": Look(
        "name-mismatch", (*LATE, registered(1, "b")), rooms=(alive(user(), waits_for=(waits("a"),)),), machines=(container("exited", finished=T0 + 5),)
    ),
    # nothing asks for it
    "the token asks for nobody": Look(
        "dispatch-missing", worker=(own_registered("a"),), rooms=(alive(user(), waits_for=(waits(""),)),), more={"tokens": (token(),)}
    ),
    "the source asks for nobody": Look(
        "dispatch-missing", worker=(own_registered("a"),), rooms=(alive(user(), waits_for=(waits(""),)),),
        more={"rooms": ("desk",), "setup": Setup(workers=(source("a"),), token_makers=(TokenMaker(HERE, dispatches=False),))},
    ),
    "the source asks for it somewhere": Look(
        "inconclusive", worker=(own_registered("a"),), rooms=(alive(user(), waits_for=(waits(""),)),), text="Either",
        more={"rooms": ("desk",), "setup": Setup((source("a"),), (Dispatcher(HERE, "token", "a"),), (TokenMaker(HERE, dispatches=True),))},
    ),
    "perhaps nobody is meant to come": Look(
        "inconclusive", worker=(own_registered("a"),), rooms=(alive(user(), waits_for=(waits(""),)),), text="meant to have none"
    ),
    "the room is older than the join": Look(
        "room-already-existed", rooms=(alive(user(60), waits_for=(waits(""),)),), more={"tokens": (token("a"),)}, text="50.0 s before u joined"
    ),
    "the join is too young": Look(
        "inconclusive", rooms=(alive(user(60), waits_for=(waits(""),)),), more={"tokens": (token("a"),)}, live=63.0, text="too young"
    ),
    "a worker of that name came later": Look(
        "inconclusive", (*LATE, registered(101, "a")), (own_registered("b"),), rooms=(alive(user(), waits_for=(waits("a"),)),)
    ),
    "the join may have made the room": Look(
        "inconclusive", rooms=(alive(user(10.2), waits_for=(waits(""),)),), more={"tokens": (token("a"),)}
    ),
    "an unnamed worker should have come": Look(
        "inconclusive", worker=(own_registered(""),), rooms=(alive(user(), waits_for=(waits(""),)),), text="though a worker without a name"
    ),
    "the API did not tell of dispatches": Look("inconclusive", rooms=(alive(user(), waits_for=None),), text="did not tell"),
    "the API did not tell of the room": Look(
        "inconclusive", rooms=(replace(alive(), participants=None),), more={"rooms": ("RM_desk",)}, text="did not tell"
    ),
    # jobs that only the worker's log shows
    "offered, and there": Look(
        "healthy", worker=(own_registered("a"), own(10.3, "received job request", jobId="AJ_9", room_id="RM_desk", agentName="a")),
        rooms=(alive(user(), agent("a")),), of="desk",
    ),
    # rooms that are not there
    "asked for and gone": Look(
        "inconclusive", (start(), later()), more={"rooms": ("desk",)}, text="not alive now", rooms=(alive(name="other"),)
    ),
    "asked for, no log": Look("inconclusive", more={"rooms": ("desk",)}, text="not alive now"),
    "no room at all": Look(
        "inconclusive", (start(), registered(1, "a"), later()), of=None, text='No room was made in the time looked at and none is alive (the worker that is there: "a")'
    ),
    "no room, no API": Look("inconclusive", (start(), later()), rooms=None, of=None, text="join a room and ask again"),
    # containers without rooms
    "the worker's container ended": Look(
        "no-worker", (start(), later()), of=None, machines=(container("restarting", exit_code=1, restarts=9),), text="restarting (exit code 1, 9 restarts)"
    ),
    "the worker's container ended, and its log says why": Look(
        "worker-auth", (start(), later()), (own(5, "failed to connect to LiveKit server, retrying in 2 seconds: (1/10)", error={"message": "Unexpected server response: 401"}),),
        of=None, machines=(container("exited", exit_code=1),),
    ),
    "no worker ran when the room was born": Look(
        "no-worker", (start(), joins(10, "u", 0), later()), machines=(container("exited", finished=T0 + 5, exit_code=1),), rooms=None,
        more={"rooms": ("desk",)},
    ),
    "the server does not run": Look(
        "inconclusive", rooms=None, of=None, machines=(container("exited", "livekit", exit_code=1),), text="The server does not run"
    ),
    # how long a live look waits
    "a job may take longer": Look("inconclusive", CRASH, rooms=None, live=34.0),
    "a silent server's room grows old": Look("inconclusive", BORN, rooms=None, live=16.0, text="too young"),
    "and is judged then": Look("inconclusive", BORN, rooms=None, live=60.0, text="no line says what became"),
}  # fmt: skip


@pytest.mark.parametrize("name", LOOKS)
def test_what_is_seen_now_decides(name: str, tmp_path: Path) -> None:
    """Each look gives the verdict, the confidence and the words that its facts allow, and no more."""
    looked = LOOKS[name]
    row = looked.row(tmp_path)
    assert (row.cause or row.verdict, row.summary) == (looked.says, row.summary)
    assert looked.text in row.summary
    assert looked.sure[0] <= row.confidence <= looked.sure[1]
    assert row.verdict == "inconclusive" or row.evidence
    assert row.verdict != "inconclusive" or row.missing


@pytest.mark.parametrize(
    ("name", "until"),
    [
        ("it is joining", 26.0),
        ("only the API, young", 17.0),
        ("the right name, still time", 35.0),
        ("a job may take longer", 35.2),
        ("a silent server's room grows old", 17.0),
    ],
)
def test_a_young_room_says_when_it_can_be_judged(name: str, until: float, tmp_path: Path) -> None:
    """By the server's clock, from the moment that counts."""
    assert LOOKS[name].row(tmp_path).judged_from == pytest.approx(T0 + until)


NOTES = {
    "cloud": (Look("", cloud=True, more={"setup": Setup(workers=(source("a"),))}), "LiveKit Cloud keeps its server log to itself"),
    "unlooked": (Look("", rooms=(alive(), replace(alive(name="b"), participants=None, dispatches=None))), "1 more room(s) are alive"),
    "restarts": (Look("", machines=(container(restarts=12),)), "agent-1 runs, but was restarted 12 times"),
    "server": (Look("", rooms=None, machines=(container("exited", "livekit", exit_code=2),)), "livekit-1 is exited (exit code 2)"),
}  # fmt: skip


@pytest.mark.parametrize("name", NOTES)
def test_what_belongs_to_no_room_is_a_note(name: str, tmp_path: Path) -> None:
    """Said once, plainly."""
    looked, says = NOTES[name]
    assert sum(says in note for note in looked.verdicts(tmp_path).notes) == 1


def test_what_was_not_answered_is_told(tmp_path: Path) -> None:
    """A call that the API refused."""
    seen = Look("").seen(tmp_path)
    assert seen.api is not None
    seen = replace(seen, api=replace(seen.api, unread=('ListDispatch "r": 503',)))
    assert any('ListDispatch "r": 503' in note for note in judge(seen).notes)


def test_only_rooms_that_are_asked_for_are_answered(tmp_path: Path) -> None:
    """A living room that nobody asked about has no row."""
    looked = Look("", rooms=(alive(agent("a")), alive(name="other")), more={"rooms": ("desk",)})
    assert [r.room for r in looked.verdicts(tmp_path).rows] == ["desk"]


def test_a_healthy_row_keeps_what_the_api_said(tmp_path: Path) -> None:
    """However the answer stores its rows."""
    row = LOOKS["it came by a later call"].row(tmp_path)
    assert row.evidence[0].place == HERE


def test_an_agent_that_came_by_call_is_no_less_there(tmp_path: Path) -> None:
    """A room whose log and API agree has the log's row."""
    lines = (start(), registered(1, "a"), joins(10, "u", 0), call(20, "a"), *served(20, "a"), later())
    assert LOOKS["the room has gone since"].row(tmp_path).confidence == 0.95
    assert Look("healthy", lines, rooms=(alive(agent("a", job="AJ_1")),)).row(tmp_path).confidence == 0.95
