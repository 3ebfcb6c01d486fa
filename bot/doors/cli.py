"""The command line: arguments in, text or JSON and an exit code out."""

from __future__ import annotations

import argparse
import re
import sys
from typing import TYPE_CHECKING, NoReturn

from bot import __version__
from bot.doors import (
    answers,
    config,
    demo,
    doctor,
    engine,
    given,
    patch,
    plan,
    probes,
    run,
    runbooks,
    runs,
    serve,
    switch,
    target,
    watch,
)
from bot.doors.slack import doctor as slack
from bot.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bot.diagnose import Diagnosis

EXIT = {"healthy": 0, "cause": 1, "inconclusive": 3}

_OPTION = re.compile(r"--[a-z-]+")
_EPILOG = """\
examples:
  fletcher diagnose                                  what runs here: Docker, the LiveKit API, the workers
  fletcher diagnose --follow                         go on watching, and tell each room's verdict
  fletcher workers                                   the workers there are now
  fletcher doctor                                    what stands in the way, and what mends it
  fletcher demo                                      a recorded incident, diagnosed
  fletcher run agent-never-joins --room X            mend it: look, ask, act, prove, else take it back
  fletcher runbooks                                  what Fletcher can mend, and how
  fletcher diagnose livekit.log agent.log --room X   why has room X no agent?
  docker compose logs | fletcher diagnose -          the same from everything at once
  fletcher diagnose --project .                      do worker and dispatch agree?

exit codes: 0 healthy or done, 1 cause found or not mended, 2 wrong usage or document, 3 inconclusive,
            4 refused, or something needed is not reachable, 70 a bug in Fletcher
"""
_VERBS = {
    "diagnose": "say why a room has no agent, from what runs or from the files at hand",
    "plan": "show everything that a runbook would do, and do nothing",
    "run": "carry out a runbook: look, ask, act, prove, and take back what does not hold",
    "approve": "say yes to the plan of a run",
    "deny": "say no to the plan of a run",
    "cancel": "end a run before its next step, and take back what it did",
    "resume": "let a run go on that waits because a step's outcome is not known",
    "status": "tell who carries out runs, and which are open",
    "hold": "let nothing begin that changes something, until it is released",
    "release": "let everything go on that is held",
    "runs": "list the newest runs",
    "show": "show a run, or search what its steps printed",
    "logs": "tell what happened in a run, and with -f what happens",
    "report": "report a run: what was wrong, what was done, by whom, and whether it holds",
    "probes": "tell how the probes stand, or one of them with all that is known",
    "mute": "tell nobody of a probe for a while",
    "unmute": "tell of a probe again",
    "acknowledge": "say that you see to a probe that is not healthy",
    "serve": "carry out what is ordered, until it is ended",
    "audit": "check the audit's chain, or export it",
    "watch": "send an agent to people who wait without one",
    "patch": "show what a remedy changes in source and configuration, and write it",
    "workers": "list the workers there are now, and where each was seen",
    "demo": "diagnose a recorded incident that comes with Fletcher",
    "schema": "print the JSON Schema of --json",
    "config": "check fletcher.toml, and tell what is set from where",
    "init": "write a fletcher.toml into this folder",
    "runbooks": "list, show, lint, begin and try runbooks",
    "doctor": "look whether Fletcher can see what it needs, and say what mends it",
    "slack": "look whether Slack lets Fletcher do what it needs, or print the app's manifest",
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see `{self.prog} --help`")


def main(argv: Sequence[str]) -> int:
    """Answer one command line (without the program's name) and return the exit code."""
    parser = _Parser(
        prog="fletcher", description="Says why a LiveKit room has no agent, with the log lines that prove it.", epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"fletcher {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=_Parser)
    verb = next((a for a in argv if not a.startswith("-")), None)
    if verb is not None and verb not in _VERBS:
        raise UsageError(f"unknown verb {verb!r}{_nearest(verb, _VERBS)}; see `fletcher --help`")
    for name, text in _VERBS.items():
        sub = verbs.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name == verb:  # the others' options are not needed for this call
            _OPTIONS[name](sub)
    end = argv.index("--") if "--" in argv else len(argv)
    args, unknown = parser.parse_known_args(argv[:end])
    # argparse takes the files of one place only; those behind an option's value come back as unknown.
    files = [word for word in unknown if word == "-" or not word.startswith("-")] + list(argv[end + 1 :])
    unknown = [word for word in unknown if word != "-" and word.startswith("-")]
    call = f"fletcher {args.verb}" if args.verb else "fletcher"
    if unknown:
        option = unknown[0].split("=")[0]  # not its value, which nobody asked for
        known = ["--help", *_OPTION.findall((verbs.choices[args.verb] if args.verb else parser).format_usage())]
        raise UsageError(f"unknown option {option!r}{_nearest(option, known)}; see `{call} --help`")
    if files and "files" not in args:
        raise UsageError(f"`{call}` takes no files: {files[0]!r} is one; see `{call} --help`")
    if files:
        args.files += files
    if args.verb is None:
        parser.print_help()
        return 0
    return _RUN[args.verb](args)


def _nearest(word: str, known: Sequence[str] | dict[str, str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, list(known), 1, 0.5)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _diagnose_options(p: argparse.ArgumentParser) -> None:
    p.epilog = (
        "With nothing given it looks at what runs: the compose project of this folder, the LiveKit API, the workers.\n"
        "Every source may be repeated, in any order; a file's kind is recognised by its content, the flag is a hint.\n"
        "Logs may be in any form people have them in: console or JSON, with the prefixes of docker, compose, kubectl\n"
        "or journalctl, compressed, cut off, or lines pasted into a note."
    )
    given.options(p)
    p.add_argument("--live", action="store_true", help="look at what runs too (the default when nothing else is given)")
    p.add_argument("--follow", action="store_true", help="keep watching what runs; Ctrl-C ends with a summary")
    target.options(p)
    _answer_options(p)


def _answer_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("--json", action="store_true", help="the answer as JSON (see `fletcher schema`)")
    p.add_argument("--utc", action="store_true", help="times in UTC instead of the log's own zone")


def _workers_options(p: argparse.ArgumentParser) -> None:
    p.epilog = "Node's workers do not tell their load; Python's endpoint does."
    target.options(p)
    _answer_options(p)


def _diagnose(args: argparse.Namespace) -> int:
    from contextlib import ExitStack

    from bot.diagnose import diagnose
    from bot.doors import terminal
    from bot.evidence.look import Question

    files = given.files(args)
    if args.follow:
        if files or args.until is not None:
            raise UsageError("--follow watches what runs: it takes no files and no --until; leave one of them out")
        from bot.doors import follow

        watched = target.chosen(args)
        question = Question((), tuple(args.room), args.since, None, watched)
        return follow.run(question, watched, as_json=args.json, utc=args.utc)
    question = given.question(args, files)
    with ExitStack() as held:
        with terminal.patience("still looking" if question.target else "still reading what was given"):
            answer = held.enter_context(diagnose(question, planned=True))
        _tell(answer, args)
        return EXIT[answer.verdicts.overall]


def _tell(answer: Diagnosis, args: argparse.Namespace) -> None:
    if args.json:
        from bot.report.document import pieces

        for piece in pieces(answer, utc=args.utc):
            sys.stdout.buffer.write(piece)
        return
    from bot.doors import terminal
    from bot.report.terminal import lines

    for line in lines(answer, utc=args.utc, colour=terminal.colour(), width=terminal.width()):
        print(line)


def _workers(args: argparse.Namespace) -> int:
    from contextlib import ExitStack

    from bot.doors import terminal
    from bot.evidence.look import Question, look
    from bot.livekit.roster import workers_now
    from bot.report.roster import document, lines

    with ExitStack() as opened:
        with terminal.patience("still looking"):
            seen = look(Question(target=target.chosen(args)), opened)
        rows = workers_now(seen.seen)
        if args.json:
            sys.stdout.buffer.write(document(seen, rows, utc=args.utc))
        else:
            for line in lines(seen, rows, utc=args.utc, width=terminal.width()):
                print(line)
    return 0 if any(row.there for row in rows) else 3


def _demo(args: argparse.Namespace) -> int:
    from bot.diagnose import diagnose
    from bot.evidence.look import Question
    from bot.report.demo import FILES, INTRODUCTION, ROOM, folder

    here = folder()
    if not args.json:
        print(INTRODUCTION.format(folder=here))
    with diagnose(Question(tuple((kind, str(here / name)) for kind, name in FILES), (ROOM,)), planned=True) as answer:
        _tell(answer, args)
    return 0 if args.json else demo.carried_out(fix_fails=args.fix_fails)


def _schema(_args: argparse.Namespace) -> int:
    import json

    from bot.report.document import schema

    print(json.dumps(schema(), indent=2))
    return 0


_OPTIONS: dict[str, Callable[[argparse.ArgumentParser], object]] = {
    "diagnose": _diagnose_options,
    "workers": _workers_options,
    "demo": demo.options,
    "schema": lambda p: p.add_argument("--json", action="store_true", help="changes nothing: the schema is JSON"),
    "config": config.config_options,
    "init": config.init_options,
    "runbooks": runbooks.options,
    "doctor": doctor.options,
    "slack": slack.options,
    "patch": patch.options,
    "plan": plan.options,
    "run": run.options,
    "approve": answers.options,
    "deny": answers.options,
    "cancel": engine.one_options,
    "resume": engine.one_options,
    "status": engine.options,
    "hold": switch.hold_options,
    "release": engine.options,
    "runs": engine.options,
    "show": runs.show_options,
    "logs": runs.logs_options,
    "report": runs.report_options,
    "probes": probes.options,
    "mute": probes.mute_options,
    "unmute": probes.one_options,
    "acknowledge": probes.one_options,
    "serve": serve.options,
    "audit": serve.audit_options,
    "watch": watch.options,
}
_RUN: dict[str, Callable[[argparse.Namespace], int]] = {
    "diagnose": _diagnose,
    "workers": _workers,
    "demo": _demo,
    "schema": _schema,
    "config": config.config,
    "init": config.init,
    "runbooks": runbooks.runbooks,
    "doctor": doctor.doctor,
    "slack": slack.slack,
    "patch": patch.patch,
    "plan": plan.plan,
    "run": run.run,
    "approve": answers.approve,
    "deny": answers.deny,
    "cancel": answers.cancel,
    "resume": answers.resume,
    "status": runs.status,
    "hold": switch.hold,
    "release": switch.release,
    "runs": runs.runs,
    "show": runs.show,
    "logs": runs.logs,
    "report": runs.report,
    "probes": probes.probes,
    "mute": probes.mute,
    "unmute": probes.unmute,
    "acknowledge": probes.acknowledge,
    "serve": serve.serve,
    "audit": serve.audit,
    "watch": watch.watch,
}
