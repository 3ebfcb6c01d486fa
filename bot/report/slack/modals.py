"""Views that open over a conversation: a reason for no, a word where a guard warns, the whole plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bot.report.slack import pieces
from bot.report.slack.blocks import line, plain_text, rich, said, word
from bot.report.slack.budget import clean, clip, weight

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.engine.values import Run
    from bot.report.slack.message import Block

View = dict[str, Any]

_BLOCKS: Final = 90  # of a view; Slack takes 100
_CHARACTERS: Final = 40_000  # of a view; Slack takes 250 kB, and a letter may be four bytes and its escape six


def deny(run_id: str, digest: str) -> View:
    """Asks why not: the reason is `state.values.reason.reason.value`."""
    says = rich(
        "says", line(*said(f"The plan of run {run_id} is not carried out, and everybody here reads the reason.", 300))
    )
    field = _field("reason", "Reason", "What speaks against it?", most=500, several=True)
    return _asks("deny", "Deny this plan", "Deny", run_id, digest, (*says, field))


def approve_word(run_id: str, digest: str, word: str, says: str) -> View:
    """Says what a guard warns of and asks for the word: it is `state.values.word.word.value`."""
    warning = rich(
        "says", line(*said(says, 2000)), line(*said(f"To approve run {run_id} all the same, type `{word}`.", 300))
    )
    return _asks(
        "approve_word",
        "Approve all the same",
        "Approve",
        run_id,
        digest,
        (*warning, _field("word", f"Type {word}", word, most=100)),
    )


def plan(run: Run) -> View:
    """The whole plan, as far as a view takes it."""
    if run.plan is None:
        return note("Plan", f"Run {run.id} has no plan.")
    blocks: list[Block] = list(
        rich("title", line(*_bold(run.plan.title)), line(*said(f"on {run.plan.target}, run {run.id}", 300)))
    )
    every = list(pieces.whole(run.plan))
    for at, piece in enumerate(every):
        block = list(rich(f"plan {at}", piece))
        if len(blocks) == _BLOCKS or weight(blocks) + weight(block) > _CHARACTERS:
            blocks += rich(
                "more", line(*said(f"… {len(every) - at} more parts; `fletcher show {run.id}` has all of it.", 300))
            )
            break
        blocks += block
    return _view("Plan", blocks)


def loading(title: str) -> View:
    """What is shown at once, until the rest is known."""
    return note(title, "One moment…")


def note(title: str, says: str) -> View:
    """A sentence."""
    return _view(title, rich("says", line(*said(says) or [word("There is nothing to say.")])))


def _asks(callback_id: str, title: str, submit: str, run_id: str, digest: str, blocks: Iterable[Block]) -> View:
    return {
        **_view(title, blocks), "callback_id": callback_id, "submit": plain_text(submit, 24), "close": plain_text("Not now", 24),
        "private_metadata": clip(f"{run_id} {digest}".strip(), 3000),
    }  # fmt: skip


def _field(name: str, label: str, hint: str, *, most: int, several: bool = False) -> Block:
    entry = {
        "type": "plain_text_input",
        "action_id": name,
        "max_length": most,
        "placeholder": plain_text(clean(hint, 150) or name, 150),
    }
    if several:
        entry["multiline"] = True
    return {"type": "input", "block_id": name, "label": plain_text(clean(label, 200) or name, 200), "element": entry}


def _view(title: str, blocks: Iterable[Block]) -> View:
    return {
        "type": "modal",
        "title": plain_text(clean(title, 24) or "Fletcher", 24),
        "close": plain_text("Close", 24),
        "blocks": list(blocks),
    }


def _bold(text: str) -> list[dict[str, Any]]:
    shown = clean(text, 300)
    return [word(shown, bold=True)] if shown else []
