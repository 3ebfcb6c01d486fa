"""Whatever a runbook holds: it is one, or every problem is told; never anything else."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from bot import spans
from bot.errors import Problem, WrongDocument
from bot.runbook import patterns
from bot.runbook.compile import compile_runbook
from bot.runbook.document import EFFECTS, Input, Runbook
from bot.runbook.glance import glance
from bot.runbook.inputs import fill, why_not

KINDS = ["check", "patch", "step", "compose", "dispatch", "token", "verify", "rollback", "stepp"]
FRONT = "---\nrunbook: 1\nid: any\ntitle: Any\n{}---\n\n# Any\n\n{}"

words = st.sampled_from(
    ["name=a", "name=b", 'name="a b"', "effect=disrupt", "timeout=5m", "timeout=5", "when=a", "unless=!a,b", "after=a", "for=b", "file=$x",
     "mode=merge", "mode=livekit-worker", "retries=3", "rollback=c", "{", "}", '"', "=", "x", "settle=1h1s"]
)  # fmt: skip
bodies = st.one_of(
    st.text(max_size=80),
    st.sampled_from(
        ["livekit: {cause: [load-refused]}", "livekit: {canary: true}", "logs: {service: a}\nrequire: [x]", "input: {x: y}", "remove: [agentName]",
         "set: {dispatch: $x}", "-a\n+b", "A=1", "docker compose restart a", "room: $x\nagent: y", "fix: [a]\ntcp: a:1", "a: *b", "? [a]\n: b", "[" * 60]
    ),
)  # fmt: skip


@st.composite
def blocks(draw: st.DrawFn) -> str:
    """A fence that is nearly right."""
    language = draw(st.sampled_from(["sh", "yaml", "diff", "dotenv", "python", "", "ruby x"]))
    kind = draw(st.sampled_from(KINDS))
    said = " ".join(draw(st.lists(words, max_size=5)))
    fence = draw(st.sampled_from(["```", "~~~", "````", "  ```", "> ```", "- ```", "\t```", "<!-- ```"]))
    end = draw(st.sampled_from([fence.strip("> -\t<!"), "", "```"]))
    return f"{fence}{language} {{ {kind} {said} }}\n{draw(bodies)}\n{end}\n\n"


def judged(text: str) -> Runbook | None:
    """The runbook in a text, None when it has problems; each of which has a place in it and a sentence."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    problems: tuple[Problem, ...] = ()
    found = None
    try:
        found = compile_runbook("any.md", text.encode("utf-8", "surrogatepass"))
    except WrongDocument as wrong:
        problems = wrong.problems
    assert bool(problems) == (found is None)
    for problem in problems:
        assert problem.sentence
        assert "\n" not in str(problem)
        assert 1 <= problem.line <= len(lines)
        assert problem.column >= 1
    return found


@given(st.text())
def test_any_text_gives_a_runbook_or_problems(text: str) -> None:
    """No text at all makes it stumble, read in full or at a glance."""
    judged(text)
    glance(text)


@given(st.text(alphabet=st.sampled_from("abr:1-[]{}'\"\n #&*!|>?,$"), max_size=60))
def test_any_front_matter_gives_a_runbook_or_problems(more: str) -> None:
    """Neither does any front matter."""
    judged(FRONT.format(more, ""))
    glance(FRONT.format(more, ""))


@given(st.lists(blocks(), max_size=5))
def test_any_blocks_give_a_runbook_or_problems(fences: list[str]) -> None:
    """What is nearly right is right or told; and what is right can be written down and read again, and is as glanced at."""
    text = FRONT.format("inputs: {x: {type: path}}\n", "".join(fences))
    found = judged(text)
    if found is not None:
        assert msgspec.json.decode(msgspec.json.encode(found), type=Runbook) == found
        assert glance(text).causes == found.causes
        assert glance(text).effect == max(
            [b.effect for b in found.blocks if b.effect != "read"], key=EFFECTS.index, default="read"
        )


@given(st.text(max_size=40), st.text(max_size=60))
def test_any_pattern_is_right_or_told(pattern: str, text: str) -> None:
    """A pattern compiles or is refused; looking for it ends either way."""
    if not patterns.why_not(pattern):
        patterns.found(pattern, text, 0.5)


def test_no_pattern_hangs() -> None:
    """A pattern that would take for ever is given up."""
    assert patterns.found(r"(a|aa)+$", "a" * 60 + "b", 0.05) is None
    assert patterns.found(r"b$", "a" * 60 + "b", 5) is True


@given(st.floats(min_value=0, max_value=10**7))
def test_a_duration_is_read_as_it_is_spoken(seconds: float) -> None:
    """What is said of a duration is that duration, to the millisecond."""
    again = spans.duration(spans.spoken(seconds))
    assert isinstance(again, float)
    assert abs(again - round(seconds, 3)) < 1e-3


@given(st.text(), st.text(), st.text())
def test_a_value_is_never_looked_into(before: str, value: str, after: str) -> None:
    """An input's value is put where it is asked for as it stands, whatever it looks like."""
    if "$" not in before + after:
        assert fill(f"{before}${{x}}{after}", {"x": value, "y": "no"}) == f"{before}{value}{after}"


@given(st.text(), st.sampled_from(["string", "integer", "boolean", "duration", "path", "service", "host", "url"]))
def test_any_value_of_an_input_is_right_or_told(value: str, kind: str) -> None:
    """No value makes an input stumble."""
    declared = msgspec.convert({"name": "x", "line": 1, "type": kind, "under": "deploy", "maximum": 60.0}, Input)
    why_not(declared, value)
