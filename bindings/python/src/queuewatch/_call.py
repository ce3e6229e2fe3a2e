"""Every call that can fail goes through here: errors become exceptions, log records go to `logging`.

The function that the library calls with a record only stores it. The record reaches the logger after the call
has returned, because that function may not call the library. So a handler may use queuewatch, also in a
finalizer, and an exception of a filter or a handler comes out of the call that logged.
"""

from __future__ import annotations

import logging
import sys
import threading
from ctypes import byref
from typing import Any

from . import _abi
from ._errors import problem
from ._library import lib

TRACE = 5
"""The level below logging.DEBUG, for which `logging` has no name."""

_LEVELS = {
    _abi.QW_LOG_ERROR: logging.ERROR,
    _abi.QW_LOG_WARN: logging.WARNING,
    _abi.QW_LOG_INFO: logging.INFO,
    _abi.QW_LOG_DEBUG: logging.DEBUG,
    _abi.QW_LOG_TRACE: TRACE,
}

_logger: logging.Logger | None = None


class _Kept(threading.local):
    """The records of the current call of this thread. A child forked by another thread has none of them."""

    def __init__(self) -> None:
        self.records: list[tuple[logging.Logger, int, str, str]] = []
        self.interrupt: BaseException | None = None


_kept = _Kept()


def log_to(logger: logging.Logger | None, level: int | None = None) -> None:
    """Pass the log records of the library to `logger`; None ends that. By default nothing is logged.

    `level` is one of `logging`, by default the one that the logger has now. The library makes no records
    below it. A record has the part of the library in its attribute `target`.
    """
    global _logger
    if logger is None:
        call(lib.qw_log_set, _abi.qw_log_fn(), None, 0)
        _logger = None
        return
    if not isinstance(logger, logging.Logger):
        raise TypeError(f"logger: a logging.Logger or None, not {type(logger).__name__}")
    lowest = logger.getEffectiveLevel() if level is None else level
    wanted = [ours for ours, theirs in _LEVELS.items() if theirs >= lowest]
    _logger = logger
    call(lib.qw_log_set, _keep, None, max(wanted, default=_abi.QW_LOG_ERROR))


def call(function: Any, *arguments: Any) -> int:
    """Call a function of the library whose last parameter is `qw_error **`; raise if it fails."""
    error = _abi.error_p()
    failure = None
    try:
        run = function if _logger is None else _interruptible(function)
        status: int = run(*arguments, byref(error))
        if status > _abi.QW_END:
            failure = problem(status, error)
    finally:
        if error:
            lib.qw_error_free(error)
    try:
        if _kept.records or _kept.interrupt:
            _deliver()
    finally:
        # What a handler raised is its context then, and not lost.
        if failure is not None:
            raise failure
    return status


@_abi.qw_log_fn  # type: ignore[untyped-decorator,unused-ignore]
def _keep(_user: int | None, level: int, target: _abi.qw_bytes, message: _abi.qw_bytes) -> None:
    try:
        if _logger is not None:
            words = [(_abi.copied(text) or b"").decode("utf-8", "replace") for text in (target, message)]
            _kept.records.append((_logger, _LEVELS.get(level, logging.ERROR), words[0], words[1]))
    except BaseException as error:
        # ctypes would print it and go on.
        _kept.interrupt = error


def _deliver() -> None:
    records, _kept.records = _kept.records, []
    interrupt, _kept.interrupt = _kept.interrupt, None
    try:
        for logger, level, target, message in records:
            logger.log(level, "%s", message, extra={"target": target})
    finally:
        if interrupt is not None:
            raise interrupt


def _interruptible(function: Any) -> Any:
    """Return `function`, such that an interrupt during the call is raised after it.

    The handlers of signals run at the next step of Python in the main thread. That is the first of `_keep`,
    before its `try`: what they raise (KeyboardInterrupt) ctypes would print by sys.unraisablehook, and go on.
    """
    if threading.get_ident() != threading.main_thread().ident:
        return function

    def run(*arguments: Any) -> Any:
        before = sys.unraisablehook

        def caught(unraisable: Any) -> None:
            here = threading.get_ident() == threading.main_thread().ident
            if here and "ctypes callback" in (unraisable.err_msg or ""):
                _kept.interrupt = unraisable.exc_value
            else:
                before(unraisable)

        sys.unraisablehook = caught
        try:
            return function(*arguments)
        finally:
            if sys.unraisablehook is caught:
                sys.unraisablehook = before

    return run
