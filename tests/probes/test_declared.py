"""`[[probe]]` and `[probes]` of a fletcher.toml: what is wrong is told with its line and what would be right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import settings_file, settings_probes
from bot.errors import UsageError, WrongDocument
from bot.probes.declared import probes
from bot.probes.slots import moments
from bot.settings import targets

if TYPE_CHECKING:
    from bot.probes.values import Probe

HEAD = "---\nrunbook: 1\nid: {id}\ntitle: A runbook\n{more}---\n\n"
CHECK = "```sh { check name=bad }\ntrue\n```\n"
BOOKS = {
    "every": HEAD.format(id="every", more="schedule: {every: 5m, fail: 3, recover: 2}\n") + CHECK,
    "cron": HEAD.format(id="cron", more="schedule: 0 7 * * mon\n") + CHECK,
    "odd": HEAD.format(id="odd", more="schedule: 0 27 * * mon\n") + CHECK,
    "quick": HEAD.format(id="quick", more="schedule: 100ms\n") + CHECK,
    "never": HEAD.format(id="never", more="") + CHECK,
    "asks": HEAD.format(id="asks", more="schedule: 5m\ninputs:\n  word: {type: string, required: true}\n  port: {type: integer}\n") + CHECK,
    "hides": HEAD.format(id="hides", more="schedule: 5m\ninputs:\n  pin: {type: string, required: true, secret: true}\n") + CHECK,
    "secret": HEAD.format(id="secret", more="schedule: 5m\ninputs:\n  pin: {type: string, secret: true}\n") + CHECK,
    "room": HEAD.format(id="room", more="inputs:\n  room: {type: string, required: true}\n") + CHECK,
    "empty": HEAD.format(id="empty", more="") + "Nothing to see.\n",
    "verifies": HEAD.format(id="verifies", more="schedule: 5m\n") + "```sh { verify name=good }\ntrue\n```\n",
}  # fmt: skip


@pytest.fixture
def books(here: Path) -> Path:
    """A folder with these runbooks."""
    (here / "books").mkdir()
    for name, text in BOOKS.items():
        (here / "books" / f"{name}.md").write_text(text)
    return here


def declared(folder: Path, text: str) -> tuple[Probe, ...]:
    """The probes that a fletcher.toml with these runbooks declares."""
    (folder / "fletcher.toml").write_text(f'runbooks = ["books"]\n{text}')
    return probes(targets({}, folder), folder)


def test_a_probe_is_its_runbook_with_what_the_file_says(books: Path) -> None:
    """The file goes before the runbook; names are the runbooks', with the target where one is taken."""
    found = declared(books, """
[targets.live]
[targets."far.off"]
[[probe]]
runbook = "every"
target = "live"
[[probe]]
runbook = "books/every.md"
target = "far.off"
every = "90s"
fail = 1
orders = "nothing"
timeout = "10s"
channel = "C0000000B"
[[probe]]
runbook = "asks"
name = "Asks.1"
target = "live"
cron = "0 9 * * *"
inputs = {word = "hello", port = 80}
orders = "room"
[[probe]]
runbook = "cron"
target = "live"
zone = "America/New_York"
[probes]
zone = "Europe/Berlin"
alert-in = "C0000000A"
""")  # fmt: skip
    told = [(p.name, p.target, p.schedule.every, p.schedule.cron, p.zone, p.schedule.fail, p.schedule.recover, p.orders, p.channel, p.seconds) for p in found]  # fmt: skip
    assert told == [
        ("every", "live", 300.0, "", "Europe/Berlin", 3, 2, "diagnose", "", 30.0),
        ("every-far.off", "far.off", 90.0, "", "Europe/Berlin", 1, 2, "", "C0000000B", 10.0),
        ("Asks.1", "live", None, "0 9 * * *", "Europe/Berlin", 1, 1, "room", "", 30.0),
        ("cron", "live", None, "0 7 * * mon", "America/New_York", 1, 1, "diagnose", "", 30.0),
    ]
    assert (found[2].inputs, found[2].here) == ({"word": "hello", "port": "80"}, str(books))


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ('runbook = "evry"', 3, "no runbook `evry` (did you mean `every`?)"),
        ('runbook = "books/gone.md"', 3, "no such file"),
        ('runbook = "empty"\nevery = "5m"', 3, "empty has nothing to look at; a probe needs a `check`"),
        ('runbook = "never"', 3, 'does not say when it is due; write every = "5m"'),
        ('runbook = "odd"', 3, "the schedule of the runbook odd has 27 for the hour"),
        ('runbook = "quick"', 3, "which must be whole seconds"),
        ('runbook = "hides"', 3, "needs the secret pin, and nobody is there to give it"),
        ('runbook = "secret"\ninputs = {pin = "1234"}', 4, "the input pin is a secret, which belongs into no file"),
        ('runbook = "asks"', 2, 'needs the input word: inputs = {word = "…"}'),
        ('runbook = "asks"\n[probe.inputs]\nword = "a"\nprt = 1', 6, "has no input `prt` (did you mean `port`?)"),
        ('runbook = "asks"\ninputs = {word = "a", port = "x"}', 4, "the input port must be a whole number; it is `x`"),
        ('runbook = "every"\norders = "diagnos"', 4, "`diagnos` is none (did you mean `diagnose`?)"),
        ('runbook = "every"\norders = "asks"', 4, "the runbook asks needs word, which a probe cannot tell it"),
        ('runbook = "every"\n[[probe]]\nrunbook = "every"', 4, "the name `every` is taken by the [[probe]] of line 2"),
        ('runbook = "every"\nname = "a"\n[[probe]]\nrunbook = "cron"\nname = "a"', 7, "the name `a` is taken"),
        ('runbook = "every"\n[targets.a]\n[targets.b]', 2, 'there are several targets (a, b); write target = "a"'),
        ('runbook = "every"\n[probes]\nquiet = [{cron = "* * * * *", for = "1m", probes = "evry"}]', 5, "no [[probe]] is called so (did you mean `every`?)"),
    ],
)  # fmt: skip
def test_what_its_runbook_does_not_let_it_be_is_told(books: Path, text: str, line: int, says: str) -> None:
    """One problem, at its line."""
    with pytest.raises(WrongDocument) as raised:
        declared(books, f"[[probe]]\n{text}\n")
    (problem,) = raised.value.lines
    assert problem.startswith(str(books / f"fletcher.toml:{line}: "))
    assert says in problem


def test_all_that_is_wrong_is_told_at_once(books: Path) -> None:
    """Of every probe, in the order of the file; a folder of runbooks that is gone is told before."""
    with pytest.raises(WrongDocument) as raised:
        declared(books, '[[probe]]\nrunbook = "evry"\n[[probe]]\nrunbook = "asks"\norders = "no"\n[[probe]]\nrunbook = "verifies"\n')  # fmt: skip
    assert [problem.split(":")[1] for problem in raised.value.lines] == ["3", "4", "6"]
    (books / "fletcher.toml").write_text('runbooks = ["gone"]\n[[probe]]\nrunbook = "a"\n')
    with pytest.raises(UsageError, match="no such folder"):
        probes(targets({}, books), books)


P = '[[probe]]\nrunbook = "x"\n'
WRONG = [
    ("[[probe]]\nfail = 2", 1, 'a [[probe]] needs a runbook, such as runbook = "stack-health"'),
    (f"{P}evry = 1", 3, "unknown key `evry` (did you mean 'every'?)"),
    (f'{P}alert-in = "C0123ABCD"', 3, "unknown key `alert-in`; it belongs below a line [probes]"),
    (f'{P}every = "5m"\ncron = "* * * * *"', 4, "has `every` or `cron`, and this one has both"),
    (f"{P}every = 5", 3, "`every` must be a text in quotes, and is a number"),
    (f'{P}every = "5"', 3, "`every` `5` has no unit"),
    (f'{P}every = "500ms"', 3, "must be whole seconds, and one at least"),
    (f'{P}every = "60d"', 3, "is more than 31d"),
    (f'{P}cron = "0 2 * *"', 3, "`cron` must be five fields"),
    (f'{P}cron = "0 2 * * foo"', 3, "`cron` has `foo` for the day of the week"),
    (f'{P}zone = "Europe/Berln"', 3, "names no time zone (did you mean 'Europe/Berlin'?)"),
    (f'{P}zone = "../etc/passwd"', 3, "names no time zone"),
    (f'{P}zone = "Europe"', 3, "names no time zone"),
    (f"{P}fail = 0", 3, "must be a whole number from 1 to 100, and is 0"),
    (f"{P}fail = true", 3, "must be a whole number from 1 to 100, and is true or false"),
    (f'{P}recover = "2"', 3, "and is a text"),
    (f'{P}name = "a b"', 3, "`name` must be letters, digits"),
    (f'{P}target = "x"', 3, "`target` names no target of this file"),
    (f'{P}channel = "#ops"', 3, "`channel` must be a channel's id such as C0123ABCD"),
    (f'{P}timeout = "2h"', 3, "`timeout` is more than 1h"),
    (f'{P}inputs = ["a"]', 3, "`inputs` must be a table"),
    (f"{P}inputs = {{a = 1.5}}", 3, "`a` of `inputs` must be a text in quotes, and is a number"),
    ('[probe]\nrunbook = "x"', 1, "`probe` must be tables such as [[probe]], and is a table"),
    ('[[probes]]\nrunbook = "x"', 1, "one probe is a [[probe]]"),
    ('[probes]\nrunbook = "x"', 2, "it belongs into a [[probe]]"),
    ('[probes]\nping_env = "https://x.example"', 2, "must be the name of an environment variable in capitals"),
    ('[probes]\nalert-in = "ops"', 2, "`alert-in` must be a channel's id such as C0123ABCD, and is ops"),
    ('[probes]\nzone = "Mars"', 2, "`zone` names no time zone"),
    ('[probes]\nquiet = {cron = "* * * * *"}', 2, "`quiet` must be a list such as"),
    ('[probes]\nquiet = [{cron = "* * * * *"}]', 2, "a maintenance window in `quiet` needs `for`"),
    ('[[probes.quiet]]\nfor = "1h"', 1, "a maintenance window in `quiet` needs `cron`"),
    ('[[probes.quiet]]\nfor = "1h"\ncron = "99 * * * *"', 3, "`cron` of `quiet` has 99 for the minute"),
    ('[[probes.quiet]]\ncron = "0 * * * *"\nfor = "8d"', 3, "`for` of `quiet` is more than 7d"),
    ('[[probes.quiet]]\ncron = "0 * * * *"\nfor = "1h"\nprobes = []', 4, "`probes` of `quiet` is empty"),
    ('[[probes.quiet]]\ncron = "0 * * * *"\nfor = "1h"\nwhen = 1', 4, "unknown key `when`"),
    ('every = "5m"', 1, "`every` belongs below a line [[probe]]"),
    ("alert-in = 1", 1, "`alert-in` belongs below a line [probes]"),
]


@pytest.mark.parametrize(("text", "line", "says"), WRONG, ids=[str(n) for n in range(len(WRONG))])
def test_a_mistake_in_the_file_is_told_with_its_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    """Without any runbook being read."""
    with pytest.raises(WrongDocument) as raised:
        settings_file.parse(tmp_path / "fletcher.toml", text.encode())
    (problem,) = raised.value.lines
    assert problem.startswith(str(tmp_path / f"fletcher.toml:{line}: "))
    assert says in problem


def test_the_address_of_the_dead_mans_switch_is_never_repeated(tmp_path: Path) -> None:
    """Who knows it can call it."""
    with pytest.raises(WrongDocument) as raised:
        settings_file.parse(tmp_path / "fletcher.toml", b'[probes]\nping_env = "https://hc.example/s3cretpath"\n')
    assert "s3cretpath" not in "".join(raised.value.lines)


SAID = (
    st.text(max_size=12)
    | st.sampled_from(["5m", "90s", "1ms", "* * * * *", "0 2 * * mon-sun", "UTC", "Europe/Berlin", "C0123ABCD", "nothing", "PING"])
    | st.integers(-2, 200)
    | st.booleans()
    | st.lists(st.text(max_size=3), max_size=2)
)  # fmt: skip
KEYS = st.sampled_from([*settings_probes.PROBE, *settings_probes.PROBES, *settings_probes.QUIET, "else"])
TABLES = st.sampled_from(["[[probe]]", "[probes]", "[[probes.quiet]]", "[probe.inputs]", "[targets.a]", "[probe]"])


@given(st.lists(st.tuples(TABLES, st.dictionaries(KEYS, SAID, max_size=4)), max_size=4))
def test_anything_that_is_said_of_probes_is_taken_or_told_with_its_line(said: list[tuple[str, dict[str, object]]]) -> None:  # fmt: skip
    """Nothing else happens, and what is taken can be asked when it is due."""
    text = "".join(f"{table}\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items()) for table, keys in said)  # fmt: skip
    problems: tuple[str, ...] = ()
    found: tuple[settings_probes.Declared, ...] = ()
    zone = "UTC"
    try:
        document = settings_file.parse(Path("fletcher.toml"), text.encode())
        found, zone = document.probes, document.watch.zone
    except WrongDocument as wrong:
        problems = tuple(wrong.lines)
    assert all(1 <= int(problem.split(":")[1]) <= text.count("\n") + 1 for problem in problems)
    for one in found:
        assert one.runbook
        assert one.every is None or one.every >= 1
        if one.cron:
            moments(one.cron, one.zone or zone, 0, 86400)


def test_the_guide_names_every_key() -> None:
    """Of a probe, and of all of them."""
    guide = (Path(__file__).parent.parent.parent / "docs" / "probes.md").read_text(encoding="utf-8")
    rows = " ".join(line.split("|")[1] for line in guide.splitlines() if line.startswith("|"))
    assert [key for key in (*settings_probes.PROBE, *settings_probes.PROBES) if f"`{key}`" not in rows] == []
    assert [key for key in settings_probes.QUIET if f"`{key}`" not in guide] == []
