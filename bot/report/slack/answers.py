"""Answers that only who asked sees: help, refusals, lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bot.report import run as reports
from bot.report.slack.blocks import bullets, emoji, line, pres, rich, said, word
from bot.report.slack.budget import clean, cut, escaped, rows
from bot.report.slack.message import Message
from bot.report.slack.phase import phase, sentences, subject

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.engine.values import Run

_VERBS: Final = (
    ("diagnose [ROOM] [target=NAME]", "says why a room has no agent, and asks before anything is repaired; log lines below it are read too"),
    ("run RUNBOOK [name=value …]", "carries a runbook out, after its plan is approved"),
    ("approve RUN, deny RUN [reason]", "answers a plan that waits, as its buttons do"),
    ("cancel RUN, show RUN", "ends a run and takes back what it did; shows one"),
    ("probes [NAME]", "how the probes stand, or all of one"),
    ("mute NAME|all SPAN [why], unmute NAME, ack NAME", "tells nobody of a probe for a while, or again; says that you see to it"),
    ("hold [why], release", "lets nothing begin that changes something, and lets it go on"),
    ("runbooks, status, workers", "what can be run, what runs now, which workers are registered"),
)  # fmt: skip
_LISTED: Final = 7500  # characters of a list in one message
_LINES: Final = 60  # lines of it


def help_() -> Message:
    """The verbs, two examples, who may approve and where help is."""
    verbs = bullets([word(f"/fletcher {verb}", code=True), word(f" {does}")] for verb, does in _VERBS)
    examples = line(
        word("For example "), word("/fletcher diagnose my-room", code=True), word(" or "), word("/fletcher run agent-never-joins room=my-room", code=True),
        word(". In a thread, where no command can be typed, mention me with the same words."),
    )  # fmt: skip
    approve = line(
        word(
            "Who may run and approve what stands below [policy] in fletcher.toml; a plan that waits names who may answer it."
        )
    )
    more = line(
        word("More: docs/slack.md; "), word("fletcher --help", code=True), word(" in a terminal has the same verbs.")
    )
    text = "Fletcher diagnoses and repairs LiveKit voice agents. Verbs: " + ", ".join(verb for verb, _ in _VERBS) + "."
    return Message(
        escaped(text),
        tuple(
            rich(
                "help",
                line(word("Fletcher diagnoses and repairs LiveKit voice agents.", bold=True)),
                verbs,
                examples,
                approve,
                more,
            )
        ),
    )


def unknown(typed: str, nearest: str = "") -> Message:
    """A word that is no verb, and the verb that is like it ("" for none)."""
    shown = clean(typed, 60).replace("`", "'") or "that"
    maybe = f" Did you mean `/fletcher {nearest}`?" if nearest else ""
    return sentence(f"I do not know `{shown}`.{maybe} `/fletcher help` lists what I know.")


def sentence(text: str) -> Message:
    """A sentence, such as a FletcherError's; what stands between backticks is code, and nothing else is markup."""
    elements = said(text) or [word("There is nothing to say.")]
    return Message(escaped(text) or "There is nothing to say.", tuple(rich("sentence", line(*elements))))


def listing(title: str, lines: Iterable[str]) -> Message:
    """Lines as they are under a title; what is too long is cut at the end of a line, and how many are left is said."""
    listed = rows("\n".join(lines))  # tables stay tables
    shown = pres(cut(listed, most=_LINES, limit=_LISTED).split("\n"))
    count = f"{len(listed)} {'line' if len(listed) == 1 else 'lines'}" if listed else "nothing"
    return Message(
        escaped(f"{title}: {count}. {' · '.join(clean(one, 400) for one in listed[:5])}".strip(), 1500),
        tuple(rich("listing", line(word(clean(title, 200) or "Fletcher", bold=True)), *shown)),
    )


def runbooks(lines: Iterable[str]) -> Message:
    """What can be run, a line each."""
    return _listed("Runbooks", lines, "There are no runbooks here.")


def status(lines: Iterable[str]) -> Message:
    """Who carries out runs, and which are open, a line each."""
    return _listed("Status", lines, "No run is open.")


def probes(lines: Iterable[str]) -> Message:
    """How the probes stand, or one of them."""
    return _listed("Probes", lines, "There are no probes.")


def workers(lines: Iterable[str]) -> Message:
    """The workers that were seen, a line each."""
    return _listed("Workers", lines, "No worker was seen.")


def shown(run: Run) -> Message:
    """One run with all that its report says, as far as it fits."""
    at = phase(run)
    lines = rows("\n".join(list(reports.lines(run, width=110))[1:]))
    head = line(emoji(at.emoji), word(f" {at.word}: ", bold=True), *said(subject(run), 250))
    return Message(
        escaped(sentences(run), 1500),
        tuple(rich("shown", head, *pres(cut(lines, most=_LINES, limit=_LISTED).split("\n")))),
    )


def _listed(title: str, lines: Iterable[str], none: str) -> Message:
    listed = list(lines)
    return listing(title, listed) if listed else sentence(none)
