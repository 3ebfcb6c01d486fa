"""Do several slow things at once, and be able to leave when somebody has had enough."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

T = TypeVar("T")


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


def begun(call: Callable[[], T]) -> Future[T]:
    """What a call will come to, which is made in a daemon of its own: whoever has had enough of it just leaves."""
    from concurrent.futures import Future

    made: Future[T] = Future()

    def run() -> None:
        try:
            found = call()
        except BaseException as error:  # noqa: BLE001  # it is raised where it is waited for
            made.set_exception(error)
        else:
            made.set_result(found)

    threading.Thread(target=run, daemon=True).start()
    return made
