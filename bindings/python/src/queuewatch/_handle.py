"""Ownership: what the library made is freed once, and never while a call still uses it."""

from __future__ import annotations

from ctypes import byref
from typing import Any, Callable
from weakref import finalize

from . import _abi
from ._call import call
from ._library import lib


class Handle:
    """A pointer of the library, freed when the last reference to this object goes.

    ctypes takes the object itself for an argument and holds it until the call returns. So a `close` in one
    thread only drops a reference, and the memory lives until a call in another thread has returned.
    """

    __slots__ = ("__weakref__", "_as_parameter_")

    def __init__(self, pointer: Any, free: Callable[[Any], None]) -> None:
        self._as_parameter_ = pointer
        # Not at exit: a daemon thread may be in the library then, and the memory goes anyway.
        finalize(self, free, pointer).atexit = False

    @classmethod
    def made(cls, function: Any, pointer_type: Any, free: Callable[[Any], None], *arguments: Any) -> Handle:
        """Return what `function` puts into its out parameter, which comes after `arguments`."""
        # Owned before it is there: an interrupt after the call, or a log handler that raises, leaks nothing.
        out = pointer_type()
        handle = cls(out, free)
        call(function, *arguments, byref(out))
        return handle


def text(function: Any, *arguments: Any) -> str:
    """Return the `qw_text` that `function` makes."""
    out = _abi.text_p()
    try:
        call(function, *arguments, byref(out))
        content = _abi.copied(lib.qw_text_bytes(out)) or b""
    finally:
        lib.qw_text_free(out)
    return content.decode("utf-8", "surrogateescape")
