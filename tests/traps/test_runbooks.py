"""Traps into which executable documents of others fell, by their number in our list of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.errors import WrongDocument
from bot.runbook.compile import compile_runbook
from bot.runbook.document import Runbook, ShellStep
from tests.fletcher import fletcher

if TYPE_CHECKING:
    from pathlib import Path

FRONT = "---\nrunbook: 1\nid: trap\ntitle: {title}\n{more}---\n\n# Trap\n\n"
VERIFY = "\n```yaml { verify name=back }\nlivekit: {agent: active}\n```\n"
TOUCH = "$(touch x)"


def runbook(body: str, more: str = "", title: str = "Trap") -> Runbook:
    """The runbook with this body and a verification."""
    return compile_runbook("trap.md", (FRONT.format(title=title, more=more) + body + VERIFY).encode())


def step(script: str, fence: str = "```") -> str:
    """A block with this script."""
    return f"{fence}bash {{ step name=run }}\n{script}{fence}\n"


@pytest.mark.parametrize(
    "text",
    [
        FRONT.format(title=f"'{TOUCH}'", more=f"summary: '{TOUCH}'\nowner: '`touch x`'\n") + f"{TOUCH}\n",
        FRONT.format(title="A", more=f"inputs: {{a: {{type: string, default: '{TOUCH}'}}}}\n")
        + step(f"echo {TOUCH} `touch x`\n")
        + VERIFY,
        FRONT.format(title="A", more="") + f"```sh {{ step name={TOUCH} }}\necho\n```\n",
        FRONT.format(title="A", more="")
        + f"```yaml {{ check name=a }}\nlogs: {{service: '{TOUCH}'}}\nrequire: ['{TOUCH}']\n```\n",
        FRONT.format(title="A", more="") + f"```sh {{ compose name=a }}\ndocker compose restart {TOUCH}\n```\n",
        FRONT.format(title="A", more="")
        + f"```python {{ check name=a }}\n__import__('os').system('touch x')\n```\n{TOUCH}\n",
        FRONT.format(title="A", more="") + f"```sh {{ token name=a }}\necho {TOUCH}\n```\n",
        FRONT.format(title="A", more=f"cwd: {TOUCH}\n")
        + f"```dotenv {{ patch name=a file={TOUCH} }}\nA={TOUCH}\n```\n",
    ],
    ids=["front matter", "script", "attribute", "check", "compose", "shell check", "token", "patch"],
)
def test_T9_nothing_in_a_runbook_runs_when_it_is_looked_at(text: str, here: Path) -> None:
    """A command substitution stays text wherever it stands, whatever is asked about the runbook."""
    (here / "trap.md").write_text(text)
    for action in ("show", "lint", "test"):
        assert fletcher("runbooks", action, "trap.md").code in {0, 1, 2}
    assert fletcher("runbooks", "list", "--runbooks", ".").code == 0
    assert not (here / "x").exists()


@pytest.mark.parametrize(
    ("info", "column", "said"),
    [
        ('sh { step name="a b" }', 19, "`name` has a blank in its value"),
        ('sh { step name="a }', 19, "the quotes of `name` are not closed"),
        ('sh { step name="a"b }', 19, "the quotes of `name` are not closed, or something follows them"),
        ("sh { step name=a timeout }", 21, "`timeout` has no value"),
        ("sh { step name=a =5s }", 21, "`=5s` is no attribute"),
        ("sh { step name=a name=b }", 21, "`name` stands here a second time"),
        ("sh { step name=a } name=b }", 23, "nothing may follow the first closing brace"),
        ("sh { step name=a when={b} }", 26, "`{` cannot stand in a value"),
        ("sh { step name=a", 20, "the closing brace is missing"),
        ("sh { step name=a;b }", 19, "`;` cannot stand in a value"),
    ],
)
def test_T12_a_malformed_attribute_is_told_where_it_is(info: str, column: int, said: str) -> None:
    """Quotes, blanks and braces are never guessed at: each is a problem with its line and column."""
    with pytest.raises(WrongDocument) as told:
        runbook(f"```{info}\necho\n```\n")
    assert any(p.line == 9 and p.column == column and p.sentence.startswith(said) for p in told.value.problems), (
        told.value.lines
    )


def test_T13_a_comment_is_inert() -> None:
    """Quoted words, blocks and settings in an HTML comment are no part of the runbook."""
    comment = '<!-- expected_similarity=1.0 "Registered" -->\n<!--\n```sh { step name=gone effect=destroy }\nrm -rf /\n```\n-->\n\n'
    assert [b.name for b in runbook(comment + step("echo Registered\n") + comment).blocks] == ["run", "back"]


HEREDOC = "cat > a <<'EOF'\n\nfirst\n\n\n\tlast  \n   \nEOF\n\n\necho done\n\n"


@pytest.mark.parametrize("fence", ["```", "~~~", "````"])
def test_T14_a_script_stays_as_it_is_written_to_the_byte(fence: str) -> None:
    """Blank lines, blanks at the end of a line and tabs of a script are kept."""
    found = runbook(step(HEREDOC, fence)).block("run")
    assert found is not None
    assert found.text == HEREDOC


@pytest.mark.parametrize(
    "script",
    [
        'echo "${VAR:-x}" "${HOME}" "$IN_WINDOW" ${#a[@]} "${a[@]:1}"\n',
        "echo `date` $(date) $((1 + 1)) \\${x} '{{ braces }}' {% if %} {a,b}\n",
        "awk '{ print $1 }' <<< \"${IN_WINDOW}\"\n",
    ],
)
def test_T15_the_text_of_a_script_is_never_filled(script: str) -> None:
    """What other languages would take for a template is shell, and stays what it is."""
    found = runbook(step(script), "inputs: {window: {type: duration, default: 15m}}\n").block("run")
    assert isinstance(found, ShellStep)
    assert found.text == script
