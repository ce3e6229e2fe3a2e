"""Watch: the queues live, for a loop that waits for descriptors."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator
from ctypes import byref, sizeof
from datetime import timedelta
from math import ceil, inf, isnan
from typing import TYPE_CHECKING

from . import _abi, _options
from ._call import call
from ._errors import InvalidArgument, OutOfOrder
from ._handle import Handle
from ._library import lib
from ._model import EVENTS, QUEUES, Event
from ._objects import Snapshot, Verdict, _Closable, _here, _words
from ._run import run

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._options import RuleOptions, WatchOptions


class Watch(_Closable):
    """The live state of the queues by inotify, for the thread and the process that made it.

    `fileno()` is readable when `dispatch()` has something to do, so a Watch goes into selectors, select and
    `loop.add_reader`; `async for event in live` does that. It starts no thread.

    >>> import queuewatch
    >>> with queuewatch.watch(queue_directory="spool", now=1795461304) as live:
    ...     live.dispatch(), live.snapshot()["deferred.messages"]
    ((), 194)
    """

    def __init__(self, handle: Handle, settings: _options.Settings) -> None:
        super().__init__(handle)
        self._owner = _here()
        self._settings = settings

    def __enter__(self) -> Watch:
        return self

    def __repr__(self) -> str:
        if self._owner != _here():
            return "<queuewatch.Watch of another thread or process>"
        return self._described(lambda: f"fileno={self.fileno()}")

    @property
    def _handle(self) -> Handle:
        if self._owner != _here():
            raise OutOfOrder("this Watch belongs to another thread or process; call watch() in this one")
        return super()._handle

    def fileno(self) -> int:
        """Return the descriptor to wait for. It belongs to the watch: do not read or close it."""
        return int(lib.qw_watch_fd(self._handle))

    def wait(self, timeout: float | timedelta | None = None) -> bool:
        """Wait for at most `timeout` seconds; return True if there is something to do.

        Python runs the handlers of signals, Ctrl-C included, after the wait.
        """
        return self._wait(_milliseconds(timeout))

    def _wait(self, limit: int) -> bool:
        return call(lib.qw_watch_wait, self._handle, limit) != _abi.QW_END

    def dispatch(self) -> tuple[Event, ...]:
        """Process what has happened and return it. It waits for nothing except the disk."""
        handle = self._handle
        call(lib.qw_watch_dispatch, handle)
        row, events = _abi.qw_event(), []
        while call(lib.qw_watch_next, handle, byref(row), sizeof(row)) != _abi.QW_END:
            events.append(
                Event(
                    kind=EVENTS.get(row.kind, str(row.kind)),
                    instance=os.fsdecode(_abi.copied(row.instance) or b""),
                    queue=QUEUES.get(row.queue),
                    moved_from=QUEUES.get(row.from_queue),
                    queue_id=_words(row.queue_id),
                    recipients=row.recipients,
                    size=row.size,
                    arrival=row.arrival or None,
                    reason=_words(row.reason),
                    sender=_abi.copied(row.sender),
                    recipient=_abi.copied(row.recipient),
                    origin_by=_words(row.origin_by) or None,
                    origin=_abi.copied(row.origin),
                    cause=_words(row.cause) or None,
                )
            )
        return tuple(events)

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Yield the events as they happen, in the running asyncio loop; `break` ends it.

        async for event in live:
            print(event)
        """
        loop, fd = asyncio.get_running_loop(), self.fileno()
        ready = asyncio.Event()
        waiting: deque[Event] = deque(self.dispatch())
        loop.add_reader(fd, ready.set)
        try:
            while True:
                while waiting:
                    yield waiting.popleft()
                await ready.wait()
                ready.clear()
                waiting.extend(self.dispatch())
        finally:
            loop.remove_reader(fd)

    def snapshot(self) -> Snapshot:
        """Return the snapshot of this moment, equal to that of a `scan`."""
        return Snapshot(
            Handle.made(lib.qw_watch_snapshot, _abi.snapshot_p, lib.qw_snapshot_free, self._handle),
            self._settings,
        )

    def check(self, **options: Unpack[RuleOptions]) -> Verdict:
        """Judge this moment by the `warning` and `critical` rules, else by those of the watch.

        It costs the same for any number of messages. Its long output has no table of domains by age.
        """
        _options.refuse_others("Watch.check", options, _options.RuleOptions)
        settings = {**self._settings, **_options.settings(options)}
        rules = _options.handle(settings)
        return Verdict(
            Handle.made(lib.qw_watch_check, _abi.verdict_p, lib.qw_verdict_free, self._handle, rules)
        )


def _milliseconds(timeout: float | timedelta | None) -> int:
    """Return the timeout for qw_watch_wait; a negative one means no limit."""
    if timeout is None:
        return -1
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else float(timeout)
    if isnan(seconds):
        raise InvalidArgument("timeout: nan is not a time")
    if seconds == inf:
        return -1
    # Rounded up: a caller that waits again until its time is up does not spin.
    return min(max(ceil(min(seconds, 2**31) * 1000), 0), 2**31 - 1)


def watch(**options: Unpack[WatchOptions]) -> Watch:
    """Read the spools once and start to watch them.

    It takes the options of `scan` and `check` but `timeout` and `previous`, and `poll`. Other threads run
    meanwhile. An exception of a signal handler, such as that of Ctrl-C, ends it.
    """
    _options.refuse_unused("watch", options, _options.WatchOptions)
    settings = _options.settings(options)
    handle = _options.handle(settings)
    return Watch(run(handle, lib.qw_watch_open, _abi.watch_p, lib.qw_watch_free, handle), settings)
