"""Do several slow things at once, and be able to leave when somebody has had enough."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def together(calls: Sequence[Callable[[], object]]) -> None:
    """Make all calls in threads of their own, and wait for them; the first error of any is raised then.

    The threads are daemons, since a pool's would be waited for at Ctrl-C until each has its answer.
    """
    errors: list[BaseException] = []

    def run(call: Callable[[], object]) -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001  # it is raised where it can be caught
            errors.append(error)

    threads = [threading.Thread(target=run, args=(call,), daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
