"""Ask everything that was given, a failure being evidence too → one value of all that was seen."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bot.errors import Unreachable, UsageError
from bot.evidence import excerpts, files, worker_http
from bot.evidence.live import BACK, look_live, nothing
from bot.evidence.moments import moment
from bot.evidence.sources import Source
from bot.evidence.token import is_token, read_token, token_in
from bot.livekit.forms import clean
from bot.livekit.lines import Tally, records
from bot.livekit.seen import LogSource, Seen
from bot.livekit.setup import Setup
from bot.livekit.story import Story
from bot.redact import Redactor, redact

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack

    from bot.evidence.files import Kind, LogFile
    from bot.evidence.live import Live
    from bot.evidence.project import Project
    from bot.livekit.seen import Cite, Endpoint, Token
    from bot.settings import Target

_LARGE: Final = 64 << 20  # bytes; beyond it only the rooms that were asked for are read in full
_SHORT: Final = 2000  # lines up to which standard input is taken for a paste
_TWICE: Final = re.compile(rb"^\S+Z (?=\d{4}-\d\d-\d\dT|\{)")  # the engine's time before a line that has its own
_TEXT: Final = 600  # characters of a cited line that are shown


@dataclass(frozen=True, slots=True)
class Question:
    """What was given on the command line: (flag's kind, path) in order, rooms, and the window as text.

    With a `target` what runs is looked at too; `counted` asks its API who is in every room, not only in those asked for.
    `meant` is how the rooms are called in which an agent is meant to come, whatever they ask for (`*` is every room).
    """

    given: tuple[tuple[Kind, str], ...] = ()
    rooms: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None
    target: Target | None = None
    counted: bool = False
    here: str = "."  # the folder in which it is asked, where compose's and settings' files lie
    meant: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """All that was seen, and the texts behind it: logs that can be quoted, projects whose files can be edited."""

    seen: Seen
    logs: tuple[LogFile, ...]
    sources: tuple[Source, ...]
    redactor: Redactor
    live: Live | None = None
    projects: tuple[Project, ...] = ()
    masked: dict[str, list[str]] = field(default_factory=dict)  # names by what is left of them without their secrets

    def plain(self, text: str) -> str:
        """One of our own sentences without a secret in it; most are the same for many rooms."""
        return _plain(self.redactor, text)

    def name(self, text: str) -> str:
        """What a room or an agent is called, without a secret in it; names that differ stay different."""
        shown = _plain(self.redactor, text)
        if shown == text:
            return text
        alike = self.masked.setdefault(shown, [])
        if text not in alike:
            alike.append(text)
        number = alike.index(text) + 1
        return shown if number == 1 else f"{shown} ({number})"

    def quote(self, cite: Cite) -> tuple[str, int, str]:
        """Source, line and redacted text of what decided."""
        if cite.place is not None:
            return self.plain(cite.place.source), cite.place.line, self.plain(cite.place.text)
        source, line, offset = self.seen.story.ledger.where(cite.mark)
        log = self.logs[source]
        text = log.line_at(offset)
        if self.live is not None and log in self.live.logs:
            text = _TWICE.sub(b"", text, 1)
        return self.plain(log.name), line, shown(text, self.redactor)


@lru_cache(maxsize=4096)
def _plain(redactor: Redactor, text: str) -> str:
    text = redactor.text(text)
    # A file's name may hold bytes that are no UTF-8; JSON cannot.
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def shown(line: bytes, redactor: Redactor) -> str:
    """A log line as it may be shown: no colours, secrets redacted, not longer than anyone reads."""
    line = clean(line)
    asked = line.find(b'"CreateRoom"')
    if asked > 0 and b'"participantInit"' in line[:asked]:  # of the session's 10 to 40 kB, what it asks for decides
        line = line[: line.find(b'"participantInit"')] + b"\xe2\x80\xa6 " + line[asked:]
    elif (candidates := line.find(b'"publisherCandidates"')) > 0:  # addresses and clients decide nothing
        line = line[:candidates] + b"\xe2\x80\xa6"
    text = redactor.text(line.decode("utf-8", "replace").replace("\t", "  "))
    return text if len(text) <= _TEXT else text[: _TEXT - 1] + "…"


def look(question: Question, opened: ExitStack, live: Live | None = None) -> Look:
    """Read everything that was given, and what runs; logs stay open, for quoting, until `opened` is closed.

    `live` is what was seen of what runs, where somebody has looked already. Raises UsageError or Unreachable as the
    single readers do, NothingFound when nothing is there.
    """
    followed = live is not None
    if live is None and question.target is not None:
        live = look_live(
            question.target, () if question.counted else question.rooms, opened, here=Path(question.here).absolute()
        )
    logs: list[LogFile] = []
    tokens: list[Token] = []
    endpoints: list[Endpoint] = []
    setups: list[Setup] = []
    projects: list[Project] = []
    secrets: frozenset[str] = frozenset()
    sources: list[Source] = []
    done: set[str] = set()
    for hint, path in sorted(question.given, key=lambda given: given[0] == "any"):  # a flag says more than none
        real = path if path == "-" or worker_http.is_url(path) or is_token(path, hint) else os.path.realpath(path)
        if real in done:
            continue
        done.add(real)
        if path == "-":
            logs.append(_opened("-", opened))
            continue
        if is_token(path, hint):
            name = f"the token given ({len(tokens) + 1})" if tokens else "the token given"
            tokens.append(token_in(path.encode("utf-8", "replace"), name))
            sources.append(Source(name, "token", records=1))
            continue
        if worker_http.is_url(path):
            _ask(path, endpoints, sources)
            continue
        kind = files.recognise(path, hint)
        if kind == "log":
            logs.append(_opened(path, opened))
        elif kind == "token":
            tokens.append(read_token(path))
            sources.append(Source(path, "token", records=1))
        elif kind == "endpoint":
            endpoints.append(worker_http.read_endpoint(path))
            sources.append(Source(path, "worker endpoint", records=1))
        else:
            setups.append(_setup(path, kind, projects))
            from bot.evidence.secrets import secrets_of  # with the readers of source: only where there is any

            secrets |= secrets_of(path)
            sources.append(_told(path, kind, setups[-1]))
    if live is not None:
        endpoints += live.endpoints
        if live.folder and os.path.realpath(live.folder) not in done:
            setups.append(live.setup)
            projects += live.projects
        secrets |= live.secrets
        sources += live.sources
    given, logs = bool(logs), [*logs, *(live.logs if live is not None else ())]
    if not (logs or tokens or endpoints or setups or followed or (live is not None and not live.empty)):
        if live is not None:
            raise nothing(live)
        raise Unreachable(next((s.note for s in sources if s.note), "nothing was given to look at"))
    logs = _distinct(logs, sources)
    story, read, since, until, partial = _read(logs, question, live, windowed=live is not None and not given)
    sources = [*_logs_told(logs, read), *sources]
    seen = Seen(
        story=story, logs=tuple(read), setup=_merged(setups), tokens=tuple(tokens), endpoints=tuple(endpoints),
        rooms=tuple(dict.fromkeys(question.rooms)), since=since, until=until, partial=partial,
        live=live.at if live is not None else None, api=live.api if live is not None else None, machines=live.machines if live is not None else (),
        events=live.events if live is not None else (), meant=question.meant,
    )  # fmt: skip
    return Look(seen, tuple(logs), tuple(sources), Redactor.of(secrets | _written(projects)), live, tuple(projects))


def _written(projects: Sequence[Project]) -> frozenset[str]:
    """The API secrets that stand in the sources themselves."""
    if not projects:
        return frozenset()
    from bot.evidence.secrets import written_in

    raws = (project.raws[path] for project in projects for path in project.found if path in project.raws)
    return frozenset(secret for raw in raws for secret in written_in(raw.decode("utf-8", "replace")))


def _opened(path: str, opened: ExitStack) -> LogFile:
    log = files.open_log(path)
    opened.callback(log.close)
    return log


def _distinct(logs: Sequence[LogFile], sources: list[Source]) -> list[LogFile]:
    """Each content once: a copy under another name, packed or not, would show every job and every line twice."""
    if len(logs) < 2:
        return list(logs)
    first: dict[tuple[int, bytes], LogFile] = {}
    distinct = []
    for log in logs:
        found = log.print()
        same = first.setdefault(found, log) if found[0] else log  # empty ones are no copies of each other
        if same is log:
            distinct.append(log)
            continue
        name = "standard input" if same.name == "-" else same.name
        sources.append(Source(log.name, "copy", note=f"the same lines as {name}: read once"))
    return distinct


def _ask(url: str, endpoints: list[Endpoint], sources: list[Source]) -> None:
    try:
        endpoints.append(worker_http.ask(url))
    except Unreachable as problem:
        sources.append(Source(redact(url), "worker endpoint", note=str(problem)))
    else:
        sources.append(Source(redact(url), "worker endpoint", records=1))


def _setup(path: str, kind: Kind, projects: list[Project]) -> Setup:
    from bot.evidence.project import open_project, read_livekit_config

    if kind == "config":
        return Setup(server=(read_livekit_config(Path(path)),))
    projects.append(open_project(Path(path)))
    return projects[-1].setup


def _merged(setups: Sequence[Setup]) -> Setup:
    if not setups:
        return Setup()
    from bot.evidence.project import merge

    return merge(setups)


def _told(path: str, kind: Kind, setup: Setup) -> Source:
    if kind == "config":
        return Source(path, "server configuration", records=1)
    parts = [f"{len(setup.workers)} worker(s)", f"{len(setup.dispatchers)} dispatching place(s)"]
    unread = f"; not read: {', '.join(sorted({u.source for u in setup.unread})[:5])}" if setup.unread else ""
    return Source(path, "project", records=len(setup.workers) + len(setup.dispatchers), note=", ".join(parts) + unread)


def _read(
    logs: list[LogFile], question: Question, live: Live | None, *, windowed: bool
) -> tuple[Story, list[LogSource], float | None, float | None, bool]:
    story = Story()
    running = live.logs if live is not None else ()
    now = live.at if live is not None else None
    until = None
    if question.until is not None:
        tallies = []
        for log in logs:
            tally = Tally()
            for _ in records(log.chunks(), tally):
                pass
            tallies.append(tally)
        until = moment(question.until, tallies, "--until", now)
    only: tuple[bytes, ...] = ()
    if question.rooms and sum(log.size() for log in logs) > _LARGE:
        only = tuple(json.dumps(name, ensure_ascii=False)[1:-1].encode() for name in question.rooms)
    foreign: list[str] = []
    tallies_of: dict[int, Tally] = {}
    for index, log in sorted(enumerate(logs), key=lambda item: _begins(item[1])):  # what is earlier first
        tally = tallies_of[index] = Tally()
        for record, line, offset in records(log.chunks(), tally, only):
            if until is None or record.at is None or record.at <= until:
                story.feed(record, index, line, offset)
        if until is not None and tally.last is not None:
            tally.last = min(tally.last, until)
        agents = ("agent", log.name) in question.given
        if (
            log not in running
            and not tally.server_hits + tally.worker_hits + tally.server_lines
            and not _ours(log, agents=agents, tally=tally, only=len(logs) == 1)
        ):
            foreign.append(log.name)
    told = dict.fromkeys(foreign, "no line of it is of a LiveKit server or an agents worker")
    if foreign and (len(foreign) == len(logs) or any(_dated(log) for log in logs if log.name in told)):
        name = "standard input" if foreign[0] == "-" else foreign[0]
        raise UsageError(f"{name}: {told[foreign[0]]}; expected one of their logs, or lines of one")
    read = [LogSource(log.name, tallies_of[i], told.get(log.name, log.note)) for i, log in enumerate(logs)]
    since = None
    if question.since is not None:
        since = moment(question.since, [r.tally for r in read], "--since", now)
    elif live is not None and windowed:  # logs that were given are looked at as a whole
        since = _window(story, question.rooms, live.at - BACK)
    if since is not None and until is not None and since > until:
        raise UsageError("--since is later than --until")
    return story, read, since, until, bool(only)


def _window(story: Story, rooms: tuple[str, ...], begin: float) -> float | None:
    """From when on rooms are told when nothing else is asked; a room that was asked for is told however old it is."""
    asked = [r for r in story.rooms.values() if r.name in rooms or r.id in rooms]
    return begin if any(r.last is None or r.last >= begin for r in asked) or not asked else None


_DATE: Final = re.compile(
    rb"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d|\d\d/[A-Z][a-z]{2}/\d{4}:\d\d|^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"
)


def _begins(log: LogFile) -> float:
    """The time of a log's first dated record; a log without one comes last."""
    for chunk in log.chunks():
        for record, _line, _offset in records([chunk], Tally()):
            if record.at is not None:
                return record.at
        break
    return float("inf")


def _dated(log: LogFile) -> bool:
    """Whether a text without a record of ours is a log all the same: another program's."""
    for _base, data, _end in log.chunks():
        return sum(bool(_DATE.search(line[:200])) for line in data.split(b"\n", 200)[:200]) > 2
    return False


_SUBJECTS: Final = (b"agent", b"worker", b"dispatch", b"participant", b"room", b"token", b"job")


def _ours(log: LogFile, *, agents: bool, tally: Tally, only: bool) -> bool:
    """Whether a text without one record is at least about LiveKit: then it is inconclusive, not a wrong file."""
    if tally.traces and (agents or not only):
        return True  # a worker that dies before its first record leaves only the program's own words
    found: set[bytes] = set()
    for _base, data, _end in log.chunks():
        text = data.lower()
        if any(word in text for word in (b"livekit", b"jt_room", b"jt_p", b"registered worker", b"job request")):
            return True
        found |= {word for word in _SUBJECTS if word in text}
        if (b"agent" in found and len(found) >= 2) or (log.name == "-" and found & {b"agent", b"worker", b"dispatch"}):
            return True
    return False


def _logs_told(logs: Sequence[LogFile], read: Sequence[LogSource]) -> list[Source]:
    out = []
    for log, source in zip(logs, read, strict=True):
        t = source.tally
        ours, theirs = t.server_hits + t.server_lines, t.worker_hits
        kind = "server and agent log" if ours and theirs else "server log" if ours else "agent log" if theirs else "log"
        note = source.note
        pasted = t.lines < _SHORT and (log.name == "-" or log.name.endswith((".md", ".txt")))
        if t.forms & {"excerpt", "open"} or (pasted and not excerpts.whole(log, t)):
            kind = "excerpt"
            note = "; ".join(part for part in (note, excerpts.told(t)) if part)
        taken = tuple(t.taken) if kind == "excerpt" else ()
        out.append(Source(log.name, kind, t.lines, t.server_hits + theirs, t.first, t.last, note, taken))
    return out
