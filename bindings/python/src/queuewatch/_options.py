"""Converts keywords to options. The library checks the names and values of the options."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import isfinite
from typing import Any, TypedDict, Union

from . import _abi
from ._call import call
from ._errors import InvalidArgument, NotFound, UnknownOption
from ._handle import Handle
from ._library import lib

Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
Value = Union[Path, int, float, datetime, timedelta]
Option = Union[Value, Sequence[Value], None]
Texts = Union[str, bytes, Sequence[Union[str, bytes]], None]
Rules = Union[str, bytes, int, float, Sequence[Union[str, bytes, int, float]], None]
Ages = Union[str, int, float, timedelta, Sequence[Union[str, int, float, timedelta]], None]
Duration = Union[str, int, float, timedelta, None]


class RuleOptions(TypedDict, total=False):
    """The options of a check."""

    warning: Rules
    critical: Rules
    defaults: bool | None


class PlaceOptions(TypedDict, total=False):
    """What to read, as of when, and with how much effort."""

    config_directory: Path | None
    queue_directory: Path | None
    all_instances: bool | None
    instance: Texts
    exclude: Texts
    now: str | int | float | datetime | None
    readers: int | None
    gentle: bool | None


class FigureOptions(RuleOptions, PlaceOptions, total=False):
    """The options of scans and watches; `check_postfix_queue --help` explains each.

    Those from `recipient` on are filters: they pick which rows `messages` gives. `not_sender=...` leaves out
    what `sender=...` picks, and so on.
    """

    exclude_domain: Texts
    exclude_sender: Texts
    counts: bool | None
    measure: Texts
    causes: Path | None
    metrics_domain: Texts
    metrics_top: int | None
    recipient: Texts
    sender: Texts
    domain: Texts
    reason: Texts
    cause: Texts
    next_hop: Texts
    login: Texts
    client: Texts
    subject: Texts
    older: Ages
    younger: Ages
    expiring: Ages
    larger: Rules
    not_recipient: Texts
    not_sender: Texts
    not_domain: Texts
    not_reason: Texts
    not_cause: Texts
    not_next_hop: Texts
    not_login: Texts
    not_client: Texts
    not_subject: Texts
    not_older: Ages
    not_younger: Ages
    not_expiring: Ages
    not_larger: Rules


class ScanOptions(FigureOptions, total=False):
    """The options of a scan."""

    timeout: Duration
    previous: str | bytes | None


class WatchOptions(FigureOptions, total=False):
    """The options of a watch."""

    poll: Duration


class ShapeOptions(PlaceOptions, total=False):
    """The options of a shape; those from `bucket_count` on define its columns."""

    timeout: Duration
    bucket_count: int | None
    bucket_time: float | None
    linear: bool | None


SPELLING = b"queue_directory="
"""How texts of the library spell options."""

Settings = dict[str, tuple[bytes, ...]]


def settings(options: Mapping[str, object]) -> Settings:
    """Return the values by the names of the programs' long options; TypeError names a wrong value."""
    return {keyword.replace("_", "-"): _values(keyword, value) for keyword, value in options.items()}


def _values(keyword: str, value: Any) -> tuple[bytes, ...]:
    if value is None:
        return ()
    if isinstance(value, (list, tuple)):
        return tuple(encoded(keyword, one) for one in value)
    return (encoded(keyword, value),)


def encoded(name: str, value: Any) -> bytes:
    """Return one value in the form that the library reads."""
    if isinstance(value, bool):
        return b"yes" if value else b"no"
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, datetime):
        # One without a time zone is local time, as everywhere in Python.
        value = value.timestamp()
    if isinstance(value, (int, float)):
        return _decimal(name, value)
    if isinstance(value, (str, bytes, os.PathLike)):
        return fsencoded(name, value)
    raise TypeError(
        f"{name}: a str, bytes, path, number, bool, datetime, timedelta, or a list of them, "
        f"not {type(value).__name__}"
    )


def _decimal(name: str, value: float) -> bytes:
    """Return a number in digits, because the library reads no exponents."""
    if isinstance(value, int):
        return str(value).encode("ascii")
    if not isfinite(value):
        raise InvalidArgument(f"{name}: {value} is not a finite number")
    digits = f"{value:.9f}".rstrip("0").rstrip(".")
    # A smaller number must not become 0.
    if float(digits) == 0 and value != 0:
        digits = "0.000000001" if value > 0 else "-0.000000001"
    return digits.encode("ascii")


def refuse_others(what: str, options: Mapping[str, object], taken: type) -> None:
    """Raise TypeError for a keyword that `what` does not take."""
    for keyword in options:
        if keyword not in taken.__annotations__:
            known = ", ".join(taken.__annotations__)
            raise UnknownOption(f"{what} takes {known}, and not {keyword}")


def refuse_unused(what: str, options: Mapping[str, object], taken: type) -> None:
    """Raise TypeError for an option of other calls alone; the library refuses those that are of none."""
    others = (ScanOptions, WatchOptions, ShapeOptions)
    for keyword, value in options.items():
        name = keyword.replace("-", "_")
        known = any(name in other.__annotations__ for other in others)
        if value is not None and known and name not in taken.__annotations__:
            raise UnknownOption(f"{what} has no use for {name}")


def fsencoded(name: str, value: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> bytes:
    """Return the bytes of a text or path in the encoding of the file system, as `open` takes them."""
    try:
        return os.fsencode(value)
    except UnicodeEncodeError as why:
        raise InvalidArgument(f"{name}: {why}; give it as bytes") from why


def handle(settings: Settings) -> Handle:
    """Return a `qw_options` with these settings."""
    options = Handle.made(lib.qw_options_new, _abi.options_p, lib.qw_options_free)
    call(lib.qw_options_spell, options, SPELLING, len(SPELLING))
    for name, values in settings.items():
        spelled = fsencoded("option", name)
        for value in values:
            try:
                call(lib.qw_options_set, options, spelled, len(spelled), value, len(value))
            except NotFound as why:
                if why.errno is not None:
                    raise
                raise UnknownOption(str(why), why.code, remedy=why.remedy) from None
    return options
