"""Progress in a terminal: what stays, what is written anew, and that it fits."""

from __future__ import annotations

import re
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from bot.doors.progress import Live, _columns, cut, event_lines, folded
from bot.engine.values import Event, RunState, StepState

ESCAPE = re.compile(r"\x1b\[(\d*)([AJK])")


class Screen:
    """A terminal that understands what is written to it."""

    def __init__(self, width: int) -> None:
        self.width, self.rows, self.at = width, [""], 0
        self.writes = 0

    def write(self, text: str) -> None:
        """Take a write as a terminal does; a row that is too long would break."""
        self.writes += 1
        for piece in re.split(r"(\x1b\[\d*[AJK]|\n|\r)", text):
            if escape := ESCAPE.fullmatch(piece):
                if escape[2] == "A":
                    self.at -= int(escape[1])
                    assert self.at >= 0
                elif escape[2] == "J":
                    del self.rows[self.at + 1 :]
                    self.rows[self.at] = ""
            elif piece == "\n":
                self.at += 1
                if self.at == len(self.rows):
                    self.rows.append("")
            elif piece and piece != "\r":
                assert len(piece) < self.width
                assert piece.isprintable()
                self.rows[self.at] = piece


class Clock:
    """A clock that is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def live(width: int = 60) -> tuple[Live, Screen, Clock]:
    """Progress on a screen, with a clock that stands."""
    screen, clock = Screen(width), Clock()
    return Live(screen.write, lambda: width, clock), screen, clock


def test_a_step_has_a_line_with_a_clock_and_its_output_below() -> None:
    """What runs is written anew in its place; what is over stays with how long it took."""
    shown, screen, clock = live()
    shown.take(Event(kind="run", at=0, state="running"))
    shown.take(Event(kind="step", at=0, step="rebuild", state="running"))
    for number in range(5):
        shown.take(Event(kind="line", at=0, text=f"line {number}\x1b[2J"))
    clock.now = 12.6
    before = screen.writes
    shown.draw()
    assert screen.writes == before + 1
    assert screen.rows == ["> rebuild … 12 s", *(f"    | line {n}\\u001b[2J" for n in (2, 3, 4)), ""]
    shown.take(Event(kind="step", at=0, step="rebuild", state="done", text="built"))
    shown.take(Event(kind="run", at=0, state="fixed", text="It holds."))
    shown.pause()
    assert screen.rows == ["+ rebuild: done (12.6 s): built", "It holds.", ""]


EVENTS = st.builds(
    Event,
    kind=st.sampled_from(["run", "step", "line", "says"]),
    at=st.just(0.0),
    step=st.sampled_from(["", "a", "rebuild-agent"]),
    state=st.sampled_from([*get_args(RunState), *get_args(StepState)]),
    text=st.text(max_size=80),
)


@given(st.lists(EVENTS, max_size=20), st.integers(20, 80))
def test_whatever_happens_fits_and_leaves_nothing_behind(events: list[Event], width: int) -> None:
    """No row is as wide as the terminal, no control character gets through, and the cursor never leaves its part."""
    shown, screen, _ = live(width)
    for event in events:
        shown.take(event)
        shown.draw()
    shown.pause()
    assert not [row for row in screen.rows if row.startswith(("> ", "    | "))] or any(event.text for event in events)
    assert all(line.isprintable() for event in events for line in event_lines(event))


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), max_size=100), st.integers(10, 60))
def test_lines_are_cut_and_folded_to_the_width(text: str, width: int) -> None:
    """A cut line begins as it did; a folded one has every character but blanks at its ends, and no row is too wide."""
    assert text.startswith(cut(text, width).rstrip("…")) or "…" in text
    rows = folded(text, width)
    assert (rows[0] + "".join(row[4:] for row in rows[1:])).replace(" ", "") == text.replace(" ", "")
    assert all(_columns(row) < width for row in rows)


def test_a_sentence_is_folded_between_its_words() -> None:
    """Where a word would be cut in two, it begins the next row; one that fills a row is cut."""
    assert folded("It holds, and stays so for long.", 20) == ["It holds, and stays", "    so for long."]
    assert folded("a" * 25, 20) == ["a" * 19, f"    {'a' * 6}"]
