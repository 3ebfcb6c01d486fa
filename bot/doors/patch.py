"""`fletcher patch`: what a remedy makes of files, as diffs; written when none is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bot.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from bot.patch import FilePatch
    from bot.source.remedies import RemedyWord


def options(p: argparse.ArgumentParser) -> None:
    """The options of `fletcher patch`."""
    from bot.source.remedies import REMEDIES

    p.epilog = (
        "remedies:\n"
        + "\n".join(f"  {one.word:22}{one.does}" for one in REMEDIES.values())
        + (
            "\n\nexamples:\n"
            "  fletcher patch src/agent.ts scripts/generate-token.ts --remedy auto-dispatch --dry-run\n"
            "  fletcher patch agent.py --remedy explicit-dispatch --agent-name support\n\n"
            "exit codes: 0 done or nothing to do, 1 a file is refused (then none is written), 2 wrong usage"
        )
    )
    p.add_argument(
        "files", nargs="*", metavar="FILE", help="source of a worker or of tokens, .env, compose file, livekit.yaml"
    )
    p.add_argument("--remedy", metavar="REMEDY", help="one of the remedies below")
    p.add_argument("--agent-name", metavar="NAME", help="the agent's name, where the files do not tell it")
    p.add_argument("--dry-run", action="store_true", help="show what would be written, and write nothing")
    p.add_argument("--json", action="store_true", help="the outcome of each file as JSON")


def patch(args: argparse.Namespace) -> int:
    """Tell what each file becomes, write it, and return the exit code."""
    from bot.patch import patches

    word = _remedy(args.remedy)
    if not args.files:
        raise UsageError(f"which files? `fletcher patch FILE … --remedy {word}`")
    if args.agent_name is not None and not args.agent_name:
        raise UsageError("--agent-name is empty; for a worker without a name take --remedy auto-dispatch")
    done = patches(args.files, word, args.agent_name)
    refused = any(one.outcome == "refused" for one in done)
    edits = [one for one in done if one.outcome == "edit"]
    if edits and not refused and not args.dry_run:
        from bot.steps.patch import Change, write_all

        write_all([Change(Path(one.file), one.before, one.after) for one in edits])
    if args.json:
        import json

        plain = _plain(done)
        told = json.dumps([_row(one, plain) for one in done], indent=2, ensure_ascii=False)
        sys.stdout.buffer.write(told.encode("utf-8", "backslashreplace") + b"\n")  # a file's name may be no UTF-8
    else:
        for line in _told(done, word, dry=args.dry_run):
            print(line)
    return 1 if refused else 0


def _remedy(given: str | None) -> RemedyWord:
    from bot.source.remedies import WORDS

    listed = ", ".join(WORDS)
    if given is None:
        raise UsageError(f"--remedy is missing: one of {listed}")
    word = next((word for word in WORDS if word == given), None)
    if given == "create-dispatch":
        raise UsageError(
            "create-dispatch is a call and changes no file: `fletcher plan agent-never-joins --input remedy=create-dispatch`"
        )
    if word is None:
        from difflib import get_close_matches

        near = get_close_matches(given, WORDS, 1, 0.5)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise UsageError(f"unknown remedy {given!r}{hint}; the remedies are {listed}")
    return word


def _plain(done: Sequence[FilePatch]) -> Callable[[str], str]:
    """What keeps the files' secrets out of a text, also those that no name tells for secret."""
    from bot.evidence.secrets import written_in
    from bot.redact import Redactor

    return Redactor.of(found for one in done for found in written_in(one.before.decode("utf-8", "replace"))).text


def _row(one: FilePatch, plain: Callable[[str], str]) -> dict[str, object]:
    return {
        "file": one.file, "outcome": one.outcome, "reason": plain(one.reason), "line": one.line or None, "diff": _diff(one, plain),
        "notes": [plain(note) for note in one.notes],
    }  # fmt: skip


def _diff(one: FilePatch, plain: Callable[[str], str]) -> str:
    from bot.source.diff_edit import unified

    return plain(unified(one.before, one.after, one.file)) if one.outcome == "edit" else ""


def _told(done: Sequence[FilePatch], word: RemedyWord, *, dry: bool) -> Iterator[str]:
    from bot.source.remedies import REMEDIES

    plain = _plain(done)
    for one in done:
        at = f"{one.file}:{one.line}" if one.line else one.file
        yield f"{at}: {one.outcome}: {plain(one.reason)}"
        if one.outcome == "edit":
            yield _diff(one, plain).rstrip("\n")
    for note in dict.fromkeys(note for one in done for note in one.notes):
        yield f"Note: {plain(note)}"
    remedy = REMEDIES[word]
    if any(one.outcome == "edit" for one in done):
        yield f"{word}: {remedy.does}. What it brings along:"
        yield from (f"  - {effect}" for effect in remedy.effects)
    yield _ending(done, dry=dry)


def _ending(done: Sequence[FilePatch], *, dry: bool) -> str:
    edited = [one.file for one in done if one.outcome == "edit"]
    refused = [one.file for one in done if one.outcome == "refused"]
    if refused:
        return f"Nothing was written: {', '.join(refused)} {'is' if len(refused) == 1 else 'are'} refused."
    if not edited:
        return "Nothing is to be written."
    return (
        f"Nothing was written (--dry-run): {', '.join(edited)} would be." if dry else f"Written: {', '.join(edited)}."
    )
