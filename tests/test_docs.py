"""What the documents claim about causes and forms."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.engine.values import ENDED, RunState, exit_code
from bot.livekit.events import kind_of
from bot.livekit.lines import Tally, records
from bot.livekit.remedies import REMEDY, RUNBOOK
from bot.livekit.skim import chunk_of
from tests.fletcher import fletcher

DOCS = Path(__file__).parent.parent / "docs"
SOURCES = [p.read_text(encoding="utf-8") for p in sorted((DOCS.parent / "bot").rglob("*.py"))]
QUOTED = re.findall(
    r"^\| `([^`]+)` \|", (DOCS / "attach.md").read_text("utf-8").partition("| it says |")[2], re.MULTILINE
)
CAUSES = (DOCS / "causes.md").read_text(encoding="utf-8")
FORMS = (DOCS / "forms.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```log (\S+)\n(.*?)^```$", FORMS, re.MULTILINE | re.DOTALL)


SECTIONS = dict(re.findall(r"^### ([a-z-]+)$(.*?)(?=^#|\Z)", CAUSES, re.MULTILINE | re.DOTALL))


def point(cause: str, name: str) -> str:
    """What stands at one point of a cause's section, on one line."""
    found = re.search(rf"^\* \*\*{name}:\*\* (.*?)(?=^\*|\Z)", SECTIONS[cause], re.MULTILINE | re.DOTALL)
    assert found, f"{cause} has no {name}"
    return " ".join(found[1].split())


def test_every_cause_has_its_section() -> None:
    """docs/causes.md and the remedies name the same causes, and runbooks treat known ones."""
    assert set(SECTIONS) == set(REMEDY)
    assert set(RUNBOOK) <= set(SECTIONS)


@pytest.mark.parametrize("cause", REMEDY)
def test_a_section_says_what_the_answer_says(cause: str) -> None:
    """A section proposes the remedy and names the runbook that the answer does, and weighs them."""
    assert point(cause, "Do") == " ".join(REMEDY[cause].split())
    runbook = RUNBOOK.get(cause)
    assert point(cause, "Runbook") == (f"`{runbook}`" if runbook else "none")
    assert re.match(r"(?:high|medium|low)\b", point(cause, "Confidence"))
    assert point(cause, "Mistaken for")


@pytest.mark.parametrize("cause", REMEDY)
def test_a_proof_quotes_a_line_that_is_read(cause: str) -> None:
    """What is said to prove a cause names the message of at least one record that the reader knows."""
    quoted = re.findall(r"`([^`]+)`", point(cause, "Proof"))
    assert any(kind_of(text.split(" …")[0].encode()) for text in quoted)


def test_the_code_gives_no_cause_that_is_not_documented() -> None:
    """Every id that stands as a cause in the decision procedure is in docs/causes.md."""
    source = "".join(p.read_text(encoding="utf-8") for p in (DOCS.parent / "bot" / "livekit").glob("*.py"))
    given = set(re.findall(r'"([a-z]+(?:-[a-z]+)+)",\s+0\.\d', source))
    assert given
    assert given <= set(REMEDY)


@pytest.mark.parametrize(("kind", "text"), EXAMPLES, ids=lambda value: value[:24])
def test_every_example_of_a_form_is_read_as_it_claims(kind: str, text: str) -> None:
    """Each example in docs/forms.md gives exactly the record above it; prose gives none."""
    found = [record.kind for record, _line, _offset in records([chunk_of(text.encode())], Tally())]
    assert found == ([] if kind == "none" else [kind])


def test_attach_quotes_what_may_be_said() -> None:
    """The table of what may be said quotes it, a line each."""
    assert len(QUOTED) == 5


@pytest.mark.parametrize("sentence", QUOTED)
def test_a_sentence_that_is_quoted_is_printed(sentence: str) -> None:
    """What docs/attach.md says that Fletcher says stands in its code, with something else at each `…`."""
    holes = r"\{[^{}\n]+\}".join(re.escape(part).replace("\\ ", " ") for part in sentence.split("…"))
    assert [text for text in SOURCES if re.search(holes, text)]


@pytest.mark.parametrize("name", sorted(set(re.findall(r"--[a-z][a-z-]+", (DOCS / "attach.md").read_text("utf-8")))))
def test_an_option_that_is_told_is_there(name: str) -> None:
    """Every option that docs/attach.md names is one of a verb's, or of docker's or compose's command."""
    own = "".join(fletcher(verb, "--help").out for verb in ("diagnose", "workers", "doctor", "init"))
    assert name in own or name in {"--build", "--docker"}


def test_runs_are_told_as_they_are() -> None:
    """docs/runs.md names every verb about runs with options that are there, and every end of a run beside its exit code."""
    text = (DOCS / "runs.md").read_text(encoding="utf-8")
    verbs = ("run", "approve", "deny", "cancel", "resume", "status", "runs", "show", "logs", "report", "serve", "audit")
    assert [
        verb for verb in verbs if not re.search(rf"`(?:fletcher )?{verb}\b|^fletcher {verb}\b", text, re.MULTILINE)
    ] == []
    known = {option for verb in verbs for option in re.findall(r"--[a-z-]+", fletcher(verb, "--help").out)}
    assert set(re.findall(r"--[a-z][a-z-]+", text)) <= known
    rows = dict(re.findall(r"^\| (\d) \| (.*) \|$", text, re.MULTILINE))
    waits: RunState = "unknown"
    assert {state: exit_code(state) for state in (*ENDED, waits)} == {
        state: int(code) for code, row in rows.items() for state in re.findall(r"`([a-z-]+)`", row)
    }
