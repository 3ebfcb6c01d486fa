"""What is left when a process dies, or a disk takes only a part, in a place where it hurts."""

from __future__ import annotations

import io
import logging
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, NoReturn

import pytest

from bot.engine import events, front, log
from bot.engine.acting import Acting
from bot.engine.anew import steadily
from bot.engine.values import Event, Proof
from tests.engine.staged import ME, Door, Place

if TYPE_CHECKING:
    from pathlib import Path


class Killed(BaseException):
    """The process dies here."""


def test_one_word_lets_a_step_be_done_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed while it is done on somebody's word, it is looked at anew at the next start: the word counts no more."""
    place = Place(tmp_path)
    with place.front() as door:
        run = door.submit(place.order())
        with door._store.change() as change:
            for state in ("looking", "running", "unknown"):
                change.go(run, state)
        door.resume(run, ME)
        heard: list[bool] = []

        def taken(*_: object, told: bool) -> NoReturn:
            heard.append(told)
            raise Killed

        acting = Acting(door._store, place.parts)
        monkeypatch.setattr(acting, "_taken", taken)
        for _start in range(3):
            with pytest.raises(Killed):
                acting.take_told(run, "note")
        assert heard == [True, False, False]


def test_what_is_interrupted_before_it_can_be_carried_out_was_never_ordered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while the engine is loaded: the next run or server does not find it, and does nothing of it."""

    def interrupted() -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(front, "_executor", interrupted)
    place = Place(tmp_path)
    with place.front() as door:
        with pytest.raises(KeyboardInterrupt):
            door.run_here(place.parts, place.order(yes=True, allow_disrupt=True), Door())
        assert door.runs() == ()


def test_a_run_may_wait_through_any_number_of_starts(tmp_path: Path) -> None:
    """It is found again each time, and goes on when it is told to."""
    place = Place(tmp_path)
    with place.front() as door:
        run = door.submit(place.order())
        with front._executor()(door._store, place.parts) as executor:
            while run not in executor._durable._bells:  # it waits
                time.sleep(0.005)
        place.sql("update workflow_status set recovery_attempts = 1000")
        assert door.go_on_here(place.parts, run, ME, Door()).state == "fixed"


class Case:
    """A proof whose engine does not always answer."""

    def __init__(self, *answers: object) -> None:
        self.answers, self.since_ns, self.stopped = list(answers), 0, False
        self.world, self.points = SimpleNamespace(machines=self.machines), [1]

    def machines(self, _: str) -> object:
        from bot.errors import Unreachable

        answer = self.answers.pop(0)
        if answer is None:
            raise Unreachable("docker is busy")
        return answer

    def left(self) -> bool:
        return False

    def proof(self, result: str, says: str) -> Proof:
        return Proof(result=result, says=says)  # type: ignore[arg-type]  # its words

    def tell(self, _: str) -> None:
        """Nobody listens."""


SERVER = [SimpleNamespace(name="livekit", started=1.0, state="running")]
AGAIN = [SimpleNamespace(name="livekit", started=9.0, state="running")]


@pytest.mark.parametrize(
    ("answers", "result"),
    [((None, SERVER), "refuted"), ((SERVER, None), "refuted"), ((SERVER, SERVER), "refuted"), ((SERVER, AGAIN), "cannot-tell")],
)  # fmt: skip
def test_an_engine_that_does_not_answer_is_no_restart(answers: tuple[object, ...], result: str) -> None:
    """Only a server that was seen to start anew takes a refuted proof back."""
    assert steadily(Case(*answers), lambda _: Proof(result="refuted")).result == result  # type: ignore[type-var]  # as much of a case as it asks for


def test_an_event_that_was_cut_off_hides_no_other(tmp_path: Path) -> None:
    """A disk took a part of a line: what comes later is read, and that line is not."""
    events.write(tmp_path, Event(kind="says", at=1, text="first"))
    with (tmp_path / events.NAME).open("ab") as file:
        file.write(b'{"kind":"says","at":2,"te')
    events.write(tmp_path, Event(kind="says", at=3, text="third"))
    assert [event.text for event in events.read(tmp_path, lambda: True)] == ["first", "third"]


def test_nobody_who_can_be_warned_stops_nothing() -> None:
    """Whoever watches writes to the same full disk; what is done goes on."""

    def tell(_: str) -> NoReturn:
        raise OSError(28, "No space left on device")

    with log.logged(io.StringIO(), tell):
        logging.getLogger("fletcher.engine").warning("the disk is full")
