"""From a command in Slack to a healed room with nothing faked but Slack: a served project, a real engine, server and worker."""

from __future__ import annotations

import json
import re
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.doubles.slack import ADA, APP_TOKEN, BOT_TOKEN, GRACE, OPS, Slack, buttons, markup, says
from tests.doubles.slack_store import Memory
from tests.live.healing import AGENT_SOURCE, NEVER, REFUSED, SABOTAGE, Desk, container, waiting
from tests.stack.project import SECRET
from tests.stack.stack import AGENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.live.healing import Row
    from tests.live.scenes import Scenes

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

Json = dict[str, Any]

GUIDE = Path(__file__).parent.parent.parent / "docs" / "slack.md"
#: Who is who in the guide's fletcher.toml, and here.
MEANT = {"U012AB3CD": ADA, "U045EF6GH": GRACE, "C0123ABCD": OPS}
#: A place with its number: a line of a log, or of a file.
PLACE = r"\S:\d+: "
ASSIGNED = re.compile(r"(\d{4}-\d\d-\d\dT[\d:.]+Z) .*assigned job to worker \{.*")
#: What is in no message and in no log: the stack's secret, Slack's own, and whatever lets somebody into a room.
SECRETS = re.compile("|".join([re.escape(SECRET), re.escape(BOT_TOKEN), re.escape(APP_TOKEN), r"eyJ[\w-]{8,}\.[\w-]+"]))


@dataclass
class Chat:
    """A channel of people beside a project that is served. When they see something of a run is told, in seconds."""

    desk: Desk
    slack: Slack
    rooms: int = 0
    began: float = 0.0

    def broken(self, failure: str) -> str:
        """Let this fail, and name a new room."""
        stack = self.desk.stack
        if self.rooms or stack.failure != failure:
            stack.fail(failure, settle=failure.startswith("load"))
        self.rooms += 1
        return f"slack-{self.rooms}-{failure}"

    def asked(self, room: str) -> Json:
        """Let ada ask about a room; its card, once it waits for another person's word."""
        self.began = time.monotonic()
        print(f"/fletcher diagnose {room}", flush=True)
        self.slack.slash(f"diagnose {room}", ADA).ack()
        self.slack.until(lambda: self._newest(room), why="a card")
        self._told("the card is there")
        return self.card(room, "WAITING FOR APPROVAL", 30)

    def approved(self, card: Json) -> None:
        """Let ada press Approve, which changes nothing, and then grace, after whom nobody can press it."""
        assert f"<@{GRACE}>" in markup(card)  # who may
        known = len(self.slack.whispers(ADA))
        self.slack.click(card, "approve", ADA).ack()
        (refused,) = self.slack.until(lambda: self.slack.whispers(ADA)[known:], why="ada is refused")
        assert "ada asked for this, so another person has to approve it" in says(refused)
        assert "approve" in buttons(self._now(card))
        self.began = time.monotonic()
        print("Approve", flush=True)
        self.slack.click(card, "approve", GRACE).ack()
        self.slack.until(lambda: "approve" not in buttons(self._now(card)), 3, "the buttons vanish")
        self._told("the buttons are gone")

    def card(self, room: str, words: str, within: float = 120) -> Json:
        """The message of the newest run about a room, once it says that."""
        found = self.slack.until(
            lambda: card if (card := self._newest(room)) and words in says(card) else None,
            within, lambda: f"{words!r}; there is {says(self._newest(room) or {})}",
        )  # fmt: skip
        self._told(f"it says {words}")
        return found

    def thread(self, card: Json, file: str) -> str:
        """All that stands below a message and in its files, once one begins so: the last of them."""

        def whole() -> str:
            said = self.slack.thread(OPS, card["ts"])
            files = [one for message in said for one in message.get("files") or ()]
            there = any(one["name"].startswith(file) for one in files)
            return "\n".join([*map(says, said), *(self.slack.uploaded(one["id"]) for one in files)]) if there else ""

        found = self.slack.until(whole, 30, lambda: f"{file}; there is {self.slack.thread(OPS, card['ts'])}")
        self._told("its thread is whole")
        return found

    def run(self, state: str) -> Row:
        """The newest run, which has ended so by the word of both, as the audit has it; what its phases took is told."""
        run = self.desk.ended(self.desk.call("show", self.desk.id, "--json"), None)
        assert run["state"] == state
        self._audited(run["order"]["id"])
        return run

    def sent(self) -> str:
        """Everything that Slack was ever told."""
        assert isinstance(self.slack.store, Memory)
        files = [raw.decode() for raw in self.slack.store.uploads.values()]
        return "\n".join([*(json.dumps(call.args) for call in self.slack.journal), *files])

    def _audited(self, run: str) -> None:
        """Who asked and who said yes are in the audit by their ids in Slack, nobody has edited it, and it keeps no secret."""
        assert self.desk.call("audit", "verify").code == 0
        exported = self.desk.call("audit", "export").out
        rows = [row for line in exported.splitlines() if (row := json.loads(line)["entry"])["run"] == run]
        ordered = [row["account"] for row in rows if row["what"].startswith("ordered")]
        said_yes = [row["account"] for row in rows if row["decision"] == "yes"]
        assert (ordered, said_yes, SECRETS.search(exported)) == ([ADA], [GRACE], None)

    def _told(self, what: str) -> None:
        print(f"  {time.monotonic() - self.began:6.2f} s  {what}", flush=True)

    def _newest(self, room: str) -> Json | None:
        return next((one for one in reversed(self.slack.roots(OPS)) if room in says(one)), None)

    def _now(self, card: Json) -> Json:
        return next(one for one in self.slack.roots(OPS) if one["ts"] == card["ts"])


@pytest.fixture(scope="module")
def chat(scenes: Scenes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chat]:
    """The project served by the fletcher.toml of docs/slack.md."""
    stack = scenes.lent("dispatch-missing")
    (settings,) = re.findall(r"```toml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    for theirs, ours in MEANT.items():
        settings = settings.replace(theirs, ours)
    file = stack.project / "fletcher.toml"
    file.write_text(settings, encoding="utf-8")
    try:
        with Slack() as slack, Desk(stack, tmp_path_factory.mktemp("home"), more=slack.environment) as desk:
            process = desk.serve()
            slack.connected(2)
            chat = Chat(desk, slack)
            yield chat
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=60)
            assert process.returncode == 0, log
            assert "connected to Slack" in log
            assert SECRETS.search(log + chat.sent()) is None
    finally:
        file.unlink()


@pytest.mark.parametrize(
    ("failure", "runbook", "removed"),
    [("dispatch-missing", NEVER, f"agentName: '{AGENT}',"), ("load-refused", REFUSED, "loadFunc: async () => 0.93,")],
    ids=["part 1", "part 2"],
)
def test_what_is_asked_in_slack_is_approved_there_and_fixed(
    chat: Chat, failure: str, runbook: str, removed: str
) -> None:
    """The verdict with its lines and the diff, another person's word, a patched file, a new container, and the server's word."""
    stack, room = chat.desk.stack, chat.broken(failure)
    source, before = stack.sources / AGENT_SOURCE, container(stack)
    with waiting(stack, room):
        card = chat.asked(room)
        assert re.search(PLACE, says(card))
        for part in (
            f"{failure} in room",
            f"-  {removed}",
            str(AGENT_SOURCE),
            "docker compose up -d --build voice-agent",
        ):
            assert part in says(card), part
        assert removed in source.read_text(encoding="utf-8")
        chat.approved(card)
        card = chat.card(room, "FIXED")
    thread = chat.thread(card, "report-")
    run = chat.run("fixed")
    assert run["runbook"]["id"] == runbook
    assert removed not in source.read_text(encoding="utf-8")
    assert (now := container(stack)).split()[0] != before.split()[0]
    for told in (says(card), thread):
        (at,) = {*ASSIGNED.findall(told)}
        assert at > now.split()[-1]  # when the new container was started
        assert "The agent is ACTIVE in the room" in told
    for part in (f"Verdict: {failure} in room", f"-  {removed}", "Approved by grace", "rebuild-agent: done"):
        assert part in thread.replace("\n", ""), part
    assert len(re.findall(PLACE, thread)) > 1


def test_code_that_does_not_start_is_taken_back(chat: Chat) -> None:
    """The card and its thread say so, and that what ran before runs again; nothing is quoted as a success."""
    room = chat.broken("dispatch-missing")
    source = chat.desk.stack.sources / AGENT_SOURCE
    source.write_text(source.read_text(encoding="utf-8") + SABOTAGE, encoding="utf-8")
    before = source.read_bytes()
    with waiting(chat.desk.stack, room):
        chat.approved(chat.asked(room))
        card = chat.card(room, "ROLLED BACK")
    thread = chat.thread(card, "report-")
    chat.run("rolled-back")
    assert source.read_bytes() == before
    for told in (says(card), thread):
        assert "It did not hold: the new worker does not stay alive. Everything was taken back." in told
        assert "The code that ran before runs again, and its worker has registered." in told
        assert not ASSIGNED.search(told)
    for part in ("rebuild-agent: done", "rebuild-agent: taken back", f'the worker registered as "{AGENT}", JT_ROOM'):
        assert part in thread.replace("\n", ""), part
    assert not {"approve", "deny", "cancel"} & buttons(card).keys()
