"""Lists the options, measures and causes of the library, for help texts and menus."""

from __future__ import annotations

from ctypes import byref, sizeof
from dataclasses import dataclass
from typing import Any

from . import _abi
from ._call import call
from ._library import lib


@dataclass(frozen=True)
class OptionInfo:
    """An option of scan, check, shape or watch."""

    keyword: str
    value: str | None
    """The placeholder of its value in help texts; None for an option that is on or off."""
    repeatable: bool
    help: str


@dataclass(frozen=True)
class MeasureInfo:
    """A measure; QUEUE in its spelling stands for a queue, `backlog` or `total`."""

    spelling: str
    unit: str
    """`s`, `B`, `%`, `1/min`, or empty for a plain number."""
    help: str


@dataclass(frozen=True)
class CauseInfo:
    """A cause of delays."""

    name: str
    acts: str
    """Who acts by default: us, them, both, nobody or unknown."""


def _rows(count: Any, info: Any, row: Any) -> Any:
    for index in range(count()):
        call(info, index, byref(row), sizeof(row))
        yield row


def _text(borrowed: _abi.qw_bytes) -> str:
    return (_abi.copied(borrowed) or b"").decode("ascii", "replace")


def options() -> tuple[OptionInfo, ...]:
    """Return the options, in the order of help texts."""
    return tuple(
        OptionInfo(
            keyword=_text(row.name).replace("-", "_"),
            value=_text(row.value) if row.value.data else None,
            repeatable=row.takes == _abi.QW_TAKES_MANY,
            help=_text(row.help),
        )
        for row in _rows(lib.qw_option_count, lib.qw_option_info, _abi.qw_option())
    )


def measures() -> tuple[MeasureInfo, ...]:
    """Return the measures, in the order of the catalogue."""
    return tuple(
        MeasureInfo(_text(row.spelling), _text(row.unit), _text(row.help))
        for row in _rows(lib.qw_measure_count, lib.qw_measure_info, _abi.qw_measure())
    )


def causes() -> tuple[CauseInfo, ...]:
    """Return the causes: what is ours first."""
    return tuple(
        CauseInfo(_text(row.name), _text(row.acts))
        for row in _rows(lib.qw_cause_count, lib.qw_cause_info, _abi.qw_cause())
    )
