"""Keywords to options. Which options there are and what they take, only the library knows."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Union

from . import _abi
from ._call import call
from ._errors import InvalidArgument
from ._handle import Handle
from ._library import lib

Value = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]", int, float]
Option = Union[Value, Sequence[Value], None]

Settings = dict[str, tuple[bytes, ...]]


def settings(options: Mapping[str, Option]) -> Settings:
    """Return what to set, by the names of the programs' long options; TypeError names a wrong value."""
    return {keyword.replace("_", "-"): _values(keyword, value) for keyword, value in options.items()}


def _values(keyword: str, value: Any) -> tuple[bytes, ...]:
    if value is None:
        return ()
    if isinstance(value, (list, tuple)):
        return tuple(encoded(keyword, one) for one in value)
    return (encoded(keyword, value),)


def encoded(name: str, value: Any) -> bytes:
    """Return one value as the library takes it."""
    if isinstance(value, bool):
        return b"yes" if value else b"no"
    if isinstance(value, (int, float)):
        return str(value).encode("ascii")
    if isinstance(value, (str, bytes, os.PathLike)):
        return fsencoded(name, value)
    raise TypeError(
        f"{name}: a str, bytes, path, number, bool, or a list of them, not {type(value).__name__}"
    )


def fsencoded(name: str, value: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> bytes:
    """Return the bytes of a text or path in the encoding of the file system, as `open` takes them."""
    try:
        return os.fsencode(value)
    except UnicodeEncodeError as why:
        raise InvalidArgument(f"{name}: {why}; give it as bytes") from why


def handle(settings: Settings) -> Handle:
    """Return a `qw_options` with these settings."""
    options = Handle.made(lib.qw_options_new, _abi.options_p, lib.qw_options_free)
    for name, values in settings.items():
        spelled = fsencoded("option", name)
        for value in values:
            call(lib.qw_options_set, options, spelled, len(spelled), value, len(value))
    return options
