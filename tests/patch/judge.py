"""What holds for every edit of every case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.source.lines import first_change

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.source.edit import Edited
    from tests.patch.cases import Case


def judge(case: Case, edit: Callable[[bytes], Edited]) -> None:
    """An edit gives the outcome of its case, names the first line that changed, and does nothing the second time."""
    edited = edit(case.before)
    assert edited.data.decode() == case.after.decode(), edited
    assert edited.outcome == case.outcome.replace("after", "edit"), edited
    assert edited.reason
    assert not edited.reason.endswith(".")
    if case.outcome == "refused":
        assert (edited.line, edited.reason[: len(case.reason)]) == (case.line, case.reason)
    else:
        assert edited.line == first_change(case.before, case.after)
        again = edit(edited.data)
        assert (again.outcome, again.data) == ("unchanged", edited.data), again
