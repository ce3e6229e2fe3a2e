"""Long calls, which the handler of a signal can end.

Python runs the handlers of signals on the main thread, between two bytecodes. It runs none while that thread
is in the library. So a long call of the main thread runs on a helper thread, and the main thread waits for it
in Python. If a handler raises (KeyboardInterrupt), qw_cancel stops the call, and the exception goes on after
the call has ended.
"""

from __future__ import annotations

import threading
from typing import Any, Callable

from ._handle import Handle
from ._library import lib

WAKE = 0.05
"""Seconds between two looks, where a platform does not end the wait of a lock for a signal."""


def run(options: Handle, function: Any, pointer: Any, free: Callable[[Any], None], *arguments: Any) -> Handle:
    """Return what Handle.made does; `options` are those of the call."""
    if threading.get_ident() != threading.main_thread().ident:
        return Handle.made(function, pointer, free, *arguments)
    made: list[Handle] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            made.append(Handle.made(function, pointer, free, *arguments))
        except BaseException as error:
            failed.append(error)

    helper = threading.Thread(target=work, name="queuewatch", daemon=True)
    try:
        helper.start()
        while helper.is_alive():
            helper.join(WAKE)
    except BaseException:
        lib.qw_cancel(options)
        if helper.ident is not None:
            helper.join()
        raise
    if failed:
        raise failed[0]
    return made[0]
