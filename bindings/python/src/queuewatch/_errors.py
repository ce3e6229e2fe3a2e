"""The exceptions: one tree, whose classes are also the builtin that a caller would expect."""

from __future__ import annotations

import os
from errno import ENOTDIR
from typing import Any

from . import _abi
from ._library import lib
from ._model import Measure


class QueuewatchError(Exception):
    """Something failed; the text names what, why and, if known, the remedy.

    Attributes:
        code: the status of the C library (`QW_ERR_...`); None for an error of this package.
        errno: the errno of the system, or None.
        path: the file or directory in question, or None.
        remedy: what to do about it, or None; also part of the text.
        offset: the byte of the text given (a rule, a measure) where it goes wrong, or None.

    """

    def __init__(
        self,
        message: str,
        code: int | None = None,
        errno: int | None = None,
        path: str | None = None,
        remedy: str | None = None,
        offset: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.errno = errno
        self.path = path
        self.remedy = remedy
        self.offset = offset
        if isinstance(self, OSError) and errno is not None:
            system: Any = self
            system.strerror = os.strerror(errno)
            system.filename = path

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        # OSError keeps errno outside of __dict__: a copy or a pickle is made from all of it.
        fields = (self.code, self.errno, self.path, self.remedy, self.offset)
        return type(self), (self.args[0], *fields)


class InvalidArgument(QueuewatchError, ValueError):
    """Options that contradict each other, or an argument that no caller may pass."""


class SyntaxProblem(QueuewatchError, ValueError):
    """A rule, a measure, an option or main.cf that does not parse; see `offset`."""


class NotFound(QueuewatchError, LookupError):
    """There is no such option, instance, measure or queue."""


class PathNotFound(NotFound, FileNotFoundError):
    """There is no such file or directory."""


class NotADirectory(PathNotFound, NotADirectoryError):
    """A part of the path is a file."""


class UnknownOption(NotFound, TypeError):
    """There is no such keyword."""


class Cancelled(QueuewatchError):
    """Another thread stopped the call."""


class AccessDenied(QueuewatchError, PermissionError):
    """The system refused access; never change modes or ACLs of queue files."""


class ReadFailed(QueuewatchError, OSError):
    """The system failed in another way."""


class NotASpool(QueuewatchError, OSError):
    """The directory is there but holds no Postfix queues."""


class TimedOut(QueuewatchError, TimeoutError):
    """The deadline passed."""


class OutOfOrder(QueuewatchError, RuntimeError):
    """A call at the wrong time, or in the wrong thread."""


class Closed(OutOfOrder, ValueError):
    """A snapshot, cursor or verdict was used after its close."""


class Unsupported(QueuewatchError, NotImplementedError):
    """Known, but not available in this build, on this system or in this snapshot."""


class LibraryBug(QueuewatchError, RuntimeError):
    """A bug in queuewatch; please report the text."""


class Incomplete(QueuewatchError, LookupError):
    """A figure is not known exactly; `measure` holds what is known of it."""

    def __init__(self, measure: Measure) -> None:
        super().__init__(f"{measure}; measure({measure.name!r}) gives what is known")
        self.measure = measure

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.measure,)


_CLASSES: dict[int, type[QueuewatchError]] = {
    _abi.QW_ERR_INVALID: InvalidArgument,
    _abi.QW_ERR_SYNTAX: SyntaxProblem,
    _abi.QW_ERR_NOT_FOUND: NotFound,
    _abi.QW_ERR_DENIED: AccessDenied,
    _abi.QW_ERR_IO: ReadFailed,
    _abi.QW_ERR_NOT_A_SPOOL: NotASpool,
    _abi.QW_ERR_TIMEOUT: TimedOut,
    _abi.QW_ERR_CANCELLED: Cancelled,
    _abi.QW_ERR_STATE: OutOfOrder,
    _abi.QW_ERR_UNSUPPORTED: Unsupported,
    _abi.QW_ERR_PANIC: LibraryBug,
}


def problem(status: int, error: Any) -> QueuewatchError:
    """Return the exception for a status and the `qw_error` that came with it, which stays the caller's."""
    if not error:
        return _CLASSES.get(status, QueuewatchError)(f"status {status} of libqueuewatch", status)
    code: int = lib.qw_error_code(error)
    errno = lib.qw_error_errno(error) or None
    message = lib.qw_error_message(error).decode("utf-8", "replace")
    remedy = lib.qw_error_remedy(error)
    path = _abi.copied(lib.qw_error_path(error))
    offset = lib.qw_error_offset(error)
    kind = _CLASSES.get(code, QueuewatchError)
    if kind is NotFound and errno is not None:
        kind = NotADirectory if errno == ENOTDIR else PathNotFound
    return kind(
        message,
        code,
        errno,
        None if path is None else os.fsdecode(path),
        None if remedy is None else remedy.decode("utf-8", "replace"),
        None if offset == _abi.QW_NUL else offset,
    )
