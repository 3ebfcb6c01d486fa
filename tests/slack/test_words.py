"""What people type in Slack, as Slack hands it over, and what it is taken for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.doors.slack.words import (
    Cancel,
    Decide,
    Diagnose,
    Help,
    Hold,
    List,
    Release,
    Run,
    Said,
    Show,
    Unknown,
    evidence,
    understood,
)
from bot.errors import UsageError

LINE = "2026-11-23T02:46:11.000Z INFO livekit room=x not dispatching"

UNDERSTOOD: list[tuple[str, Said]] = [
    ("", Help()),
    ("  help me", Help()),
    ("HELP", Help()),
    ("diagnose", Diagnose()),
    ("/diagnose my-room", Diagnose("my-room")),
    ("diagnose standup-10:30", Diagnose("standup-10:30")),
    ('diagnose "my room" target=prod', Diagnose("my room", "prod")),
    ("diagnose “my room” target=„prod“", Diagnose("my room", "prod")),
    ("diagnose target=prod my-room", Diagnose("my-room", "prod")),
    ("diagnose room='two words'", Diagnose("two words")),
    ("diagnose <#C0123ABCD|general>", Diagnose("#general")),
    ("diagnose <http://livekit.example|livekit.example>", Diagnose("livekit.example")),
    # What looks like lines of a log is never a room's name.
    (f"diagnose {LINE}", Diagnose(pasted=LINE)),
    (f"diagnose {LINE}\n{LINE}", Diagnose(pasted=f"{LINE}\n{LINE}")),
    (f"diagnose\nlivekit-1\n{LINE}", Diagnose(pasted=f"livekit-1\n{LINE}")),
    (f"diagnose my-room\n{LINE}", Diagnose("my-room", pasted=LINE)),
    (f"diagnose target=prod\n{LINE}", Diagnose(target="prod", pasted=LINE)),
    (f"diagnose my-room target=prod ```{LINE}\n{LINE}```", Diagnose("my-room", "prod", f"{LINE}\n{LINE}")),
    (f"diagnose please look at ```\n{LINE}\n``` thank you ```\nmore\n```", Diagnose(pasted=f"{LINE}\nmore")),
    ('diagnose {"level":"error","msg":"x"}', Diagnose(pasted='{"level":"error","msg":"x"}')),
    # Escapes are undone once, and forms that only look like Slack's stay.
    ("diagnose ```a &lt;b&gt; &amp;amp; &lt;!channel&gt;```", Diagnose(pasted="a <b> &amp; <!channel>")),
    ("diagnose ```from <@U0ADA00001|ada> &lt;3```", Diagnose(pasted="from @ada <3")),
    ("run agent-never-joins", Run("agent-never-joins")),
    ("run mend room=x note=“two words” url=<https://a.example/?b&amp;c>", Run("mend", (("room", "x"), ("note", "two words"), ("url", "https://a.example/?b&c")))),
    ("run mend text=it’s a='b=c'", Run("mend", (("text", "it’s"), ("a", "b=c")))),
    ("run mend value=$(x)", Run("mend", (("value", "$(x)"),))),
    ("runbooks", List("runbooks")),
    ("status", List("status")),
    ("workers target=prod", List("workers", "prod")),
    ("approve 1a2b", Decide("yes", "1a2b")),
    ("approve 1a2b understood,  since\nit is night", Decide("yes", "1a2b", "understood, since it is night")),
    ("deny 1a2b not &lt;now&gt;", Decide("no", "1a2b", "not <now>")),
    ("cancel 1a2b", Cancel("1a2b")),
    ("show 1a2b", Show("1a2b")),
    ("hold", Hold()),
    ("HOLD  until the\ncluster is moved", Hold("until the cluster is moved")),
    ("release", Release()),
]  # fmt: skip

REFUSED = [
    ("diagnos my-room", "did you mean `diagnose`?"),
    ("release 1a2b", "`release` takes nothing more"),
    ("restart", "'restart' is nothing that Fletcher does"),
    ("aprove 1a2b", "did you mean `approve`?"),
    ("diagnose two words", "log lines are pasted whole"),
    ("diagnose target=", "takes one value"),
    ("diagnose target=a target=b", "takes one value"),
    ("diagnose a room=b", "two rooms"),
    (f"diagnose {'x' * 300}", "at most 256"),
    ("run", "which runbook?"),
    ("run room=x", "which runbook?"),
    ("run mend x", "'x' has no value"),
    ("run mend =x", "'=x' has no value"),
    ("run mend a=1 a=2", "a is given twice"),
    ("status now", "takes nothing more"),
    ("approve", "which run?"),
    ("cancel", "one run at a time"),
    ("show a b", "one run at a time"),
]


@pytest.mark.parametrize(("text", "said"), UNDERSTOOD)
def test_what_is_typed_is_understood(text: str, said: Said) -> None:
    """Each verb with what belongs to it, however Slack and its keyboards write it."""
    assert understood(text) == said


@pytest.mark.parametrize(("text", "why"), REFUSED)
def test_what_is_not_understood_is_said_in_a_sentence(text: str, why: str) -> None:
    """What was meant, or how it is written."""
    with pytest.raises(UsageError) as refused:
        understood(text)
    assert why in str(refused.value)


def test_a_word_that_is_no_verb_is_told_apart() -> None:
    """With the nearest one, so that it can be shown."""
    with pytest.raises(Unknown) as slip:
        understood("workrs")
    assert (slip.value.typed, slip.value.nearest) == ("workrs", "workers")


@pytest.mark.parametrize(
    ("text", "pasted"),
    [
        (f"look at this\n```{LINE}```\nwhat is it?", LINE),
        (f"{LINE}\n{LINE}", f"{LINE}\n{LINE}"),
        ("", ""),
        ("``` ```", ""),
    ],
)
def test_a_message_is_evidence(text: str, pasted: str) -> None:
    """Its code where it has some, else all of it."""
    assert evidence(text) == Diagnose(pasted=pasted)


@given(
    st.text(max_size=300)
    | st.lists(
        st.sampled_from(["diagnose ", "run ", "```", "<", ">", "|", "=", '"', "“", "\n", "a", "&lt;", "room="])
    ).map("".join)
)
def test_whatever_is_typed_there_is_an_answer(text: str) -> None:
    """A value or a refusal, and no bug."""
    try:
        understood(text)
    except UsageError as refused:
        assert str(refused)  # noqa: PT017  # a refusal is as good as a value
