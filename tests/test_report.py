"""Reports of runs, in each medium: what they say, and that nobody's text becomes anything but text."""

from __future__ import annotations

from html.parser import HTMLParser
from itertools import groupby
from typing import TYPE_CHECKING, get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from msgspec.structs import replace

from bot.engine.values import DIAGNOSE, ENDED, Asked, Decision, Looked, Point, Proof, RunState, StepRow
from bot.report.run import document, html, lines, markdown
from bot.report.told import STATES
from bot.steps.contract import Outcome
from tests.doubles.runs import ANN, AT, plan, run

if TYPE_CHECKING:
    from bot.engine.values import Run

EVERY = get_args(RunState)
NOTHING = Outcome(state="failed", says="the disk is full", began_ns=0, ended_ns=0, facts={"untouched": "1"})


def media(one: Run) -> dict[str, str]:
    """The report in every medium."""
    return {"terminal": "\n".join(lines(one)), "markdown": markdown(one), "html": html(one)}


class Page(HTMLParser):
    """The elements of a page and the text in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


# --- what it says --------------------------------------------------------------------------------


@pytest.mark.parametrize("medium", ["terminal", "markdown", "html"])
def test_it_tells_the_whole_story(medium: str) -> None:
    """What was wrong with its lines, what was done with its diff, who said yes, the proof, and what goes on."""
    said = " ".join(media(run())[medium].split()).replace("\\", "").replace("&#34;", '"').replace("&#39;", "'")
    for part in (
        "FIXED", "Agent never joins", "1a2b3c4d", "dispatch-missing", "livekit.log:7 not dispatching", "-  agentName: 'x',".replace("  ", " "),
        "2.0 s", "asked for by ann (terminal)", "approved by ann (terminal)", "needed: confirm (live sessions may be cut off)",
        "1 room, 2 people", "takes every room without being asked for by name", "no new token was made", "ACTIVE after 0.4 s",
        "server.ts:3 asks for it", "tokens that were issued before", "was not looked at again", "remedy=create-dispatch",
    ):  # fmt: skip
        assert part in said, part
    assert "hush" not in said


@pytest.mark.parametrize("state", EVERY)
def test_nothing_is_called_fixed_unless_it_is(state: RunState) -> None:
    """Each state has its own word in every medium, and only one of them is `fixed`."""
    assert set(STATES) == set(EVERY)
    one = run(state=state, says=(), proof=None)
    for said in media(one).values():
        assert STATES[state][0] in said
        assert ("fixed" in said.lower()) is (state == "fixed")


@pytest.mark.parametrize("state", sorted(ENDED - {"fixed", "done", "not-verified"}))
def test_what_was_not_done_goes_on_as_nothing(state: RunState) -> None:
    """Where nothing was changed in the end, nothing is said of what goes on."""
    assert "What goes on" not in media(run(state=state))["terminal"]


def test_a_diagnosis_that_no_runbook_treats_was_not_carried_out() -> None:
    """It says that a cause was found, and gives no command for a runbook that does not exist."""
    one = run(state="done", runbook=DIAGNOSE, steps=(), decision=None, proof=None)
    assert one.looked is not None
    said = media(replace(one, looked=replace(one.looked, plan=plan(steps=()))))["terminal"]
    assert said.startswith("CAUSE FOUND")
    assert "carried out" not in said
    assert "What goes on" not in said


def test_a_roll_back_tells_what_was_refuted_and_what_runs_again() -> None:
    """Points that failed stand out, each step says that it was taken back, and the second proof has its own part."""
    took = Outcome(state="done", says="agent.ts is as it was", began_ns=0, ended_ns=1)
    one = run(
        state="rolled-back", proof=Proof(result="refuted", points=(Point("agent", False, "no agent became ACTIVE"),), says="it does not join"),
        undone=Proof(result="holds", points=(Point("registration", True, "the old worker registered"),), says="the old code runs again"),
        steps=tuple(replace(row, state="undone", undo=took) if row.outcome else row for row in run().steps),
    )  # fmt: skip
    said = media(one)["terminal"]
    for part in (
        "[NO]  agent: no agent became ACTIVE",
        "plain-worker: taken back",
        "taken back: agent.ts is as it was",
        "After it was taken back",
    ):
        assert part in said
    assert said.index("it does not join") < said.index("the old code runs again")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"asked": Asked(need="none", why="x", until=AT, switches=("auto: x goes unasked",))}, "LOWERED by auto: x goes unasked"),
        ({"decision": Decision(kind="no", person=ANN, digest="", at=AT, reason="not now")}, "declined by ann (terminal)"),
        ({"decision": Decision(kind="yes", person=ANN, digest="", at=AT, word="understood")}, 'a guard was answered with "understood"'),
        ({"cancelled_by": ANN}, "cancelled by ann (terminal)"),
        ({"state": "unknown"}, "`fletcher resume 1a2b3c4d`"),
        ({"state": "waiting"}, "`fletcher approve 1a2b3c4d`"),
        ({"state": "done", "order": replace(run().order, anyway=True)}, "deliberately (--anyway)"),
        ({"state": "done", "order": replace(run().order, dry_run=True)}, "DRY RUN"),
        ({"steps": (StepRow(name="x", state="unknown"),)}, "x: NOT KNOWN"),
    ],
)  # fmt: skip
def test_what_a_person_must_know_is_said(more: dict[str, object], said: str) -> None:
    """Switches that lower, refusals with their reason, deliberate changes and open ends stand in the report."""
    assert said in media(run(**more))["terminal"]


WAITED = ("Waits for ann: files are changed.", "It holds.")
NOT_BEGUN = (StepRow(name="plain-worker", state="planned"),)


@pytest.mark.parametrize(
    ("there", "gone", "said"),
    [
        ({}, {"state": "failed", "steps": (StepRow(name="plain-worker", state="failed", outcome=NOTHING, attempts=1),)}, "-  agentName"),
        ({"state": "waiting", "says": WAITED}, {"says": WAITED}, "Waits for ann"),
        ({}, {"looked": Looked(plan=plan(cause=""), verdict="cause")}, "was not looked at again"),
        ({"state": "cancelled"}, {"state": "cancelled", "steps": NOT_BEGUN}, "--step NAME"),
    ],
)  # fmt: skip
def test_what_is_not_so_is_not_said(there: dict[str, object], gone: dict[str, object], said: str) -> None:
    """No diff of what was never written, nobody who is waited for when it is over, no way that a runbook has not."""
    assert said in media(run(**there))["terminal"]
    assert said not in media(run(**gone))["terminal"]


def test_a_run_without_a_plan_has_a_report() -> None:
    """A run that has only been ordered, and one that was refused, can be told."""
    for one in (
        run(state="queued", looked=None, asked=None, decision=None, steps=(), proof=None),
        run(looked=Looked(plan=plan(refused="no", steps=()), verdict="cause")),
    ):
        assert all(media(one).values())


def test_it_fits_into_a_narrow_terminal() -> None:
    """In 60 columns no sentence runs over, as long as its words are short enough."""
    assert max(map(len, lines(run(), width=60))) <= 60


def test_the_page_needs_nothing_else() -> None:
    """No address, no script, light and dark, and a phone's width."""
    page = html(run())
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page
    assert "default-src 'none'" in page
    assert not {tag for tag, _ in Page(page).tags} & {"script", "link", "img", "iframe", "a"}


def test_json_keeps_secret_inputs_to_itself() -> None:
    """The whole run, but for the values of secret inputs."""
    assert b"hush" not in document(run())
    assert b'"remedy": "auto-dispatch"' in document(run())


# --- nobody's text becomes anything but text -----------------------------------------------------

NASTY = st.sampled_from([
    "<script>alert(1)</script>", "<img src=x onerror=y>", "&lt;", "\"'><b>", "{{ run }}", "{% x %}", "\x1b[31m", "\x1b]0;t\x07", "\x9b2J", "\u202e", "\u2066",
    "\u200f", "\ufeff", "\0", "\r", "\n# h", "\n- x", "\n```\n", "`", "``", "[a](b)", "![a](b)", "<http://x>", "*x*", "_x_", "| x |", "~~x~~", "\\", "1. x", "\n\n---\n",
    "  \n", "\u2028", "\u0085", "é", "漢字",
])  # fmt: skip
# What is stored is JSON, and so has no halves of characters.
TEXTS = st.lists(st.one_of(NASTY, st.text(st.characters(codec="utf-8"), max_size=5)), max_size=6).map("".join)
PLAIN = media(run())


@given(TEXTS)
@example("\x1b[2J\u202e<script>")
def test_no_medium_shows_what_cannot_be_seen(text: str) -> None:
    """No escape sequence, no control character, nothing that turns the direction of text, in any medium."""
    for said in media(run(text)).values():
        assert all(c.isprintable() or c == "\n" for c in said)


@given(TEXTS)
@example("</pre></bdi><script>")
def test_a_page_has_the_same_elements_whatever_is_in_it(text: str) -> None:
    """Markup in a name is shown as it is, and makes no element and no attribute; a diff's line more is a line more."""
    made, plain = ([tag for tag, _ in groupby(Page(page).tags)] for page in (html(run(text)), PLAIN["html"]))
    assert made == plain


@given(TEXTS)
@example("\n```\n# x")
@example("- - x")
def test_markdown_has_the_same_structure_whatever_is_in_it(text: str) -> None:
    """Markup in a name makes no heading, list, link, picture, emphasis or HTML."""

    def shape(said: str) -> list[str]:
        tokens = MarkdownIt("commonmark").parse(said)
        inside = [
            child.type
            for token in tokens
            for child in token.children or ()
            if child.type not in {"text", "text_special", "code_inline"}
        ]
        return [token.type for token in tokens] + inside

    assert shape(markdown(run(text))) == shape(PLAIN["markdown"])


@given(TEXTS)
def test_a_terminal_gets_one_line_for_one(text: str) -> None:
    """A name with line breaks in it makes no line of its own that looks like one of ours."""
    said = [
        line
        for line in lines(run(text.replace(" ", "")), width=10_000)
        if line.startswith(("FIXED", "  What was", "  What goes", "  Proof"))
    ]
    assert len(said) == 5
