"""`fletcher runbooks`: list, show, lint, begin and try runbooks. Nothing of them is ever run here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bot.errors import FletcherError, UsageError, WrongDocument

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from pathlib import Path

    from bot.errors import Problem
    from bot.runbook.shelf import Entry, Shelf


def options(p: argparse.ArgumentParser) -> None:
    """The options of `fletcher runbooks`."""
    p.epilog = (
        "actions:\n"
        "  list              every runbook: what it treats and does; Markdown that is only documentation\n"
        "  show ID           one runbook: its sections, and each step with effect, approval and timeout\n"
        "  lint [ID|FILE …]  every problem at once, with its place; all runbooks where none is named\n"
        "  new ID            write one that lints clean into --runbooks DIR, else into ./runbooks\n"
        "  test [ID …]       try the checks on the runbook's fixtures\n\n"
        "An ID or a FILE may be given wherever one is asked for. docs/runbooks.md explains the format.\n"
        "exit codes: 0 all is well, 1 a test came out wrong, 2 a runbook has problems or the call is wrong"
    )
    p.add_argument("action", nargs="?", default="list", metavar="list|show|lint|new|test", help="default: list")
    p.add_argument("files", nargs="*", metavar="ID|FILE", help="the runbooks that are meant")
    p.add_argument(
        "--runbooks",
        action="append",
        default=[],
        metavar="DIR",
        help="a folder added to the shipped ones; may be repeated",
    )
    p.add_argument("--json", action="store_true", help="the answer as JSON")


def runbooks(args: argparse.Namespace) -> int:
    """Answer one call."""
    from pathlib import Path

    from bot.doors.shelves import folders
    from bot.runbook.shelf import shelf

    actions = [*_ACTIONS, "new"]
    if args.action not in actions:
        from bot.runbook.troubles import named, nearest

        raise UsageError(
            f"unknown action {named(args.action)}{nearest(args.action, actions)}; see `fletcher runbooks --help`"
        )
    least, most = _NAMES.get(args.action, (0, 1000))
    if not least <= len(args.files) <= most:
        wanted = "takes no names" if not most else "takes one ID"
        raise UsageError(f"`fletcher runbooks {args.action}` {wanted}; see `fletcher runbooks --help`")
    if args.action == "new":
        return _new(args, [Path(folder) for folder in args.runbooks])
    return _ACTIONS[args.action](args, shelf(folders(args.runbooks)))


def _list(args: argparse.Namespace, shelf: Shelf) -> int:
    from bot.report.runbooks import shelf_lines, shelf_rows

    doubles = list(shelf.doubles())
    if args.json:
        _print({"runbooks": shelf_rows(shelf), "problems": [str(problem) for problem in doubles]})
    else:
        for line in shelf_lines(shelf):
            print(line)
        for problem in doubles:
            print(f"note: {problem}")
    return 0


def _show(args: argparse.Namespace, shelf: Shelf) -> int:
    from bot.doors import terminal
    from bot.report.runbooks import problem_rows, runbook_lines, runbook_row
    from bot.runbook.shelf import read

    entry = shelf.find(args.files[0])
    if not entry.glance.runbook:
        raise UsageError(
            f"{entry.path} is documentation, which is never run; `fletcher runbooks lint {entry.path}` says how to begin"
        )
    try:
        runbook = read(entry.path)
    except WrongDocument as wrong:
        if args.json:
            _print({"id": entry.glance.id, "path": str(entry.path), "lint": problem_rows(wrong.problems)})
        else:
            _tell(wrong.problems)
        return WrongDocument.exit_code
    if args.json:
        _print({**runbook_row(runbook), "lint": [], "fixtures": entry.fixtures is not None})
        return 0
    for line in runbook_lines(runbook, terminal.width()):
        print(line)
    print(f"\nlint: no problems; fixtures: {'yes' if entry.fixtures else 'no'}")
    return 0


def _lint(args: argparse.Namespace, shelf: Shelf) -> int:
    from bot.report.runbooks import problem_rows
    from bot.runbook.shelf import read

    entries = _meant(args, shelf)
    doubles = {problem.source: problem for problem in shelf.doubles()}
    told: list[tuple[Entry, tuple[Problem, ...]]] = []
    for entry in entries:
        try:
            read(entry.path)
            problems: tuple[Problem, ...] = ()
        except WrongDocument as wrong:
            problems = wrong.problems
        double = doubles.get(str(entry.path))
        told.append((entry, (*problems, double) if double else problems))
    bad = [problem for _, problems in told for problem in problems]
    if args.json:
        _print(
            {"files": [{"path": str(e.path), "id": e.glance.id, "problems": problem_rows(found)} for e, found in told]}
        )
    else:
        _tell(bad)
        clean = sum(not problems for _, problems in told)
        print(f"{clean} of {len(told)} {'is' if clean == 1 else 'are'} without a problem.")
    return WrongDocument.exit_code if bad else 0


def _test(args: argparse.Namespace, shelf: Shelf) -> int:
    from bot.rehearsal import lacking, rehearse, untried
    from bot.report.runbooks import rehearsal_lines, rehearsal_rows
    from bot.runbook.shelf import read

    wrong = False
    rows = []
    for entry in _meant(args, shelf):
        runbook = read(entry.path)
        cases = rehearse(runbook, entry.fixtures)
        missing = () if untried(runbook) and not cases else tuple(lacking(cases))
        wrong = wrong or bool(missing) or not all(case.right for case in cases)
        rows.append({"id": entry.name, "cases": rehearsal_rows(cases), "missing": [*missing]})
        if not args.json:
            for line in rehearsal_lines(entry.name, cases):
                print(line)
            if not cases and not missing:
                print(f"-      {entry.name}  looks only at what runs: there is nothing to try it on")
            for sentence in missing:
                print(
                    f"WRONG  {entry.name}  {sentence}: fixtures/{entry.glance.id}/CASE/expected.yaml beside the runbook"
                )
    if args.json:
        _print({"runbooks": rows})
    return 1 if wrong else 0


def _new(args: argparse.Namespace, folders: list[Path]) -> int:
    from pathlib import Path

    from bot.runbook.front import ID
    from bot.runbook.shelf import shelf, shipped
    from bot.runbook.skeleton import skeleton
    from bot.runbook.troubles import named

    own = args.files[0]
    if not ID.fullmatch(own) or len(own) > 80:
        raise UsageError(
            f"an id is small letters, digits and single hyphens, such as agent-is-deaf; this is {named(own)}"
        )
    if len(folders) > 1:
        raise UsageError("`fletcher runbooks new` writes into one folder; give --runbooks once")
    folder = folders[0] if folders else Path("runbooks")
    taken = [e.path for e in shelf([folder] if folder.is_dir() else []).runbooks if e.glance.id == own]
    if taken:
        raise UsageError(f"the id {named(own)} is taken by {taken[0]}")
    path = folder / f"{own}.md"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(skeleton(own))
    except FileExistsError:
        raise UsageError(f"{path} is there already, and is not written over") from None
    except OSError as problem:
        raise FletcherError(f"cannot write {path}: {problem.strerror}") from None
    added = "" if folder.resolve() == shipped().resolve() else f" --runbooks {folder}"
    if args.json:
        _print({"path": str(path), "id": own})
    else:
        print(f"Wrote {path}.\nNext: edit it, then `fletcher runbooks lint {own}{added}`.")
    return 0


def _meant(args: argparse.Namespace, shelf: Shelf) -> list[Entry]:
    return [shelf.find(name) for name in args.files] if args.files else list(shelf.runbooks)


def _tell(problems: list[Problem] | tuple[Problem, ...]) -> None:
    for problem in problems:
        for line in problem.shown:
            print(line)


def _print(document: object) -> None:
    import json

    print(json.dumps(document, indent=2, ensure_ascii=False))


_ACTIONS: Final[dict[str, Callable[[argparse.Namespace, Shelf], int]]] = {
    "list": _list,
    "show": _show,
    "lint": _lint,
    "test": _test,
}
#: How many names an action takes at least and at most, where that is not any number.
_NAMES: Final = {"list": (0, 0), "show": (1, 1), "new": (1, 1)}
