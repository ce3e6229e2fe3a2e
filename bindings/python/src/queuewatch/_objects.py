"""Snapshot, Messages and Verdict: the objects of the library as Python objects."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from ctypes import byref, c_double, c_int32, sizeof
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, NoReturn

from . import _abi, _options
from ._call import call
from ._errors import Closed, Incomplete, InvalidArgument, OutOfOrder, SyntaxProblem
from ._handle import Handle, text
from ._library import lib
from ._model import (
    PROBLEM_KINDS,
    QUEUES,
    Delay,
    Finding,
    Instance,
    Json,
    Measure,
    Message,
    Number,
    Problem,
    Quality,
    Reason,
    ShapeRow,
    State,
    known,
    moment,
)
from ._run import run

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._options import RuleOptions, ScanOptions, ShapeOptions


class _Closable:
    """An object that owns a handle until it is closed or garbage collected."""

    _held: Handle | None

    def __init__(self, handle: Handle) -> None:
        self._held = handle

    @property
    def _handle(self) -> Handle:
        held = self._held
        if held is None:
            raise Closed(f"this {type(self).__name__} is closed")
        return held

    @property
    def closed(self) -> bool:
        """True after close."""
        return self._held is None

    def close(self) -> None:
        """Free its memory and file descriptors as soon as no call uses them. A second call does nothing."""
        self._held = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} lives in this process only; pass on its values")

    def _described(self, words: Callable[[], str]) -> str:
        try:
            return f"<queuewatch.{type(self).__name__} {words()}>"
        except Closed:
            return f"<queuewatch.{type(self).__name__} closed>"


class Snapshot(_Closable):
    """The result of a scan. It does not change, and threads may share it."""

    def __init__(self, handle: Handle, settings: _options.Settings) -> None:
        super().__init__(handle)
        self._settings = settings

    def __enter__(self) -> Snapshot:
        return self

    def __repr__(self) -> str:
        def words() -> str:
            whole = "complete" if self.complete else "incomplete"
            count = lib.qw_snapshot_problem_count(self._handle)
            return f"now={self.now} {whole}, problems: {count}"

        return self._described(words)

    @property
    def complete(self) -> bool:
        """True if everything could be read. If not, figures are lower bounds."""
        return bool(lib.qw_snapshot_complete(self._handle))

    @property
    def now(self) -> int:
        """The time from which ages count, in seconds of the epoch."""
        return int(lib.qw_snapshot_now(self._handle))

    @property
    def now_time(self) -> datetime | None:
        """The same as a datetime in UTC."""
        return moment(self.now)

    def measure(self, name: str | bytes) -> Measure:
        """Return what is known of a measure, for example `deferred.older(4h)`."""
        spelled = _named("measure", name)
        value, quality = c_double(), c_int32()
        handle = self._handle
        call(lib.qw_snapshot_measure, handle, spelled, len(spelled), byref(value), byref(quality))
        detail = text(lib.qw_snapshot_measure_detail, handle, spelled, len(spelled))
        sure = Quality(quality.value)
        return Measure(os.fsdecode(spelled), known(value.value, sure), sure, detail)

    def __getitem__(self, name: str | bytes) -> Number:
        """Return the exact value of a measure; raise Incomplete if it is unknown or a lower bound."""
        measure = self.measure(name)
        if measure.value is None or measure.quality is not Quality.EXACT:
            raise Incomplete(measure)
        return measure.value

    def __contains__(self, name: object) -> bool:
        """Return True if `name` is a measure, known exactly or not."""
        if not isinstance(name, (str, bytes)):
            return False
        try:
            self.measure(name)
        except SyntaxProblem:
            return False
        return True

    # Measures with an argument have no end; `measures()` lists what there is.
    __iter__ = None

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What could not be read, damaged, misowned and misplaced files, and broken instances."""
        handle = self._handle
        count = lib.qw_snapshot_problem_count(handle)
        return tuple(self._problem(handle, index) for index in range(count))

    @staticmethod
    def _problem(handle: Handle, index: int) -> Problem:
        row = _abi.qw_problem()
        call(lib.qw_snapshot_problem, handle, index, byref(row), sizeof(row))
        path, remedy = _abi.copied(row.path), _abi.copied(row.remedy)
        return Problem(
            message=_words(row.message),
            remedy=None if remedy is None else _words(row.remedy),
            path=None if path is None else os.fsdecode(path),
            kind=PROBLEM_KINDS.get(row.kind, str(row.kind)),
            queue=QUEUES.get(row.queue),
            errno=row.os_errno or None,
        )

    def messages(self, queue: str | bytes | None = None) -> Messages:
        """Read the messages of a queue, of `backlog` or `total`, or of all queues from the spool again.

        The memory for a queue of any length is that of one message.
        """
        return Messages(
            Handle.made(
                lib.qw_messages_open, _abi.messages_p, lib.qw_messages_free, self._handle, *_queue(queue)
            )
        )

    def reasons(self, queue: str | bytes | None = None) -> tuple[Reason, ...]:
        """Return why the mail of a queue, of `backlog` or `total`, or of all queues waits, most first.

        Raises Unsupported if the scan was limited by `measure` and read no delay reasons.
        """
        cursor = Handle.made(
            lib.qw_reasons_open, _abi.reasons_p, lib.qw_reasons_free, self._handle, *_queue(queue)
        )
        row, rows = _abi.qw_reason(), []
        while call(lib.qw_reasons_next, cursor, byref(row), sizeof(row)) != _abi.QW_END:
            rows.append(
                Reason(
                    domain=_abi.copied(row.domain) or b"",
                    code=_words(row.code),
                    reason=_words(row.reason),
                    recipients=row.recipients,
                    oldest=row.oldest or None,
                    cause=_words(row.cause),
                    acts=_words(row.acts),
                    next_hop=_abi.copied(row.next_hop) or b"",
                )
            )
        return tuple(rows)

    @property
    def instances(self) -> tuple[Instance, ...]:
        """The instances of the scan."""
        handle = self._handle
        count = lib.qw_snapshot_instance_count(handle)
        return tuple(self._instance(handle, index) for index in range(count))

    @staticmethod
    def _instance(handle: Handle, index: int) -> Instance:
        row = _abi.qw_instance()
        call(lib.qw_snapshot_instance, handle, index, byref(row), sizeof(row))
        config = _abi.copied(row.config_directory)
        return Instance(
            name=_words(row.name),
            config_directory=None if config is None else os.fsdecode(config),
            queue_directory=os.fsdecode(_abi.copied(row.queue_directory) or b""),
            complete=bool(row.complete),
        )

    def json(self) -> dict[str, Json]:
        """Return the document of the snapshot, schema queuewatch/1."""
        return _document(text(lib.qw_snapshot_json, self._handle))

    def openmetrics(self) -> str:
        """Return the OpenMetrics text, with the domains of the options `metrics_domain` and `metrics_top`."""
        return text(lib.qw_snapshot_openmetrics, self._handle)

    def state(self) -> str:
        """Return what a later scan needs to compute growth: give it as `previous`."""
        return text(lib.qw_snapshot_state, self._handle)

    def check(self, **options: Unpack[RuleOptions]) -> Verdict:
        """Judge it by `warning` and `critical` rules, else by those of the scan, else by the defaults."""
        _options.refuse_others("Snapshot.check", options, _options.RuleOptions)
        handle = self._handle
        judged_by = _options.handle({**self._settings, **_options.settings(options)})
        return Verdict(Handle.made(lib.qw_check, _abi.verdict_p, lib.qw_verdict_free, judged_by, handle))


class Messages(_Closable, Iterator[Message]):
    """A cursor over messages, for the thread and the process that made it."""

    def __init__(self, handle: Handle) -> None:
        super().__init__(handle)
        self._owner = _here()
        self._row = _abi.qw_message()

    def __enter__(self) -> Messages:
        return self

    def __repr__(self) -> str:
        if self._owner != _here():
            return "<queuewatch.Messages of another thread or process>"
        return self._described(lambda: f"unreadable={self.unreadable}")

    @property
    def _handle(self) -> Handle:
        # Its place in a directory is shared with every copy that a fork makes, so that is refused too.
        if self._owner != _here():
            raise OutOfOrder(
                "this Messages belongs to another thread or process; call messages() in the one that reads"
            )
        return super()._handle

    def __next__(self) -> Message:
        row, handle = self._row, self._handle
        if call(lib.qw_messages_next, handle, byref(row), sizeof(row)) == _abi.QW_END:
            raise StopIteration
        return Message(
            instance=os.fsdecode(_abi.copied(row.instance) or b""),
            queue=QUEUES.get(row.queue, str(row.queue)),
            queue_id=_words(row.queue_id),
            sender=_abi.copied(row.sender) or b"",
            recipients=tuple(_recipient(handle, index) for index in range(row.recipients)),
            delays=tuple(_delay(handle, index) for index in range(row.recipients)),
            done=row.done,
            size=row.size,
            arrival=row.arrival or None,
            next_retry=row.next_retry or None,
            mode=row.mode,
            damaged=bool(row.damaged),
            forced_expire=bool(row.forced_expire),
            origin_by=_words(row.origin_by),
            login=_abi.copied(row.login),
            client=_abi.copied(row.client),
            client_name=_abi.copied(row.client_name),
            helo=_abi.copied(row.helo),
            user=row.user if row.user >= 0 else None,
        )

    @property
    def unreadable(self) -> int:
        """The number of directories and files that could not be read so far."""
        return int(lib.qw_messages_unreadable(self._handle))


class Verdict(_Closable):
    """The judgement of a snapshot. It does not change, and threads may share it."""

    def __enter__(self) -> Verdict:
        return self

    def __repr__(self) -> str:
        return self._described(lambda: self.summary)

    @property
    def state(self) -> State:
        """The worst state; its value is the exit code of a plugin."""
        return State(lib.qw_verdict_state(self._handle))

    @property
    def summary(self) -> str:
        """The first line of the plugin, without performance data."""
        return text(lib.qw_verdict_summary, self._handle)

    @property
    def perfdata(self) -> str:
        """The performance data of the plugin."""
        return text(lib.qw_verdict_perfdata, self._handle)

    def output(self, verbosity: int = 0) -> str:
        """Return what `check_postfix_queue` prints, with that many `-v`."""
        return text(lib.qw_verdict_output, self._handle, _whole("verbosity", verbosity))

    def json(self) -> dict[str, Json]:
        """Return what `check_postfix_queue --format json` prints."""
        return _document(text(lib.qw_verdict_json, self._handle))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is not OK, worst first."""
        handle = self._handle
        count = lib.qw_verdict_finding_count(handle)
        return tuple(self._finding(handle, index) for index in range(count))

    @staticmethod
    def _finding(handle: Handle, index: int) -> Finding:
        row = _abi.qw_finding()
        call(lib.qw_verdict_finding, handle, index, byref(row), sizeof(row))
        quality = Quality(row.quality)
        return Finding(
            measure=_words(row.measure),
            range=_words(row.range),
            value=known(row.value, quality),
            quality=quality,
            state=State(row.state),
            text=_words(row.text),
        )


class Shape(_Closable):
    """Recipients and senders of every queue by domain and age. It does not change, like a Snapshot."""

    def __enter__(self) -> Shape:
        return self

    def __repr__(self) -> str:
        return self._described(lambda: "complete" if self.complete else "incomplete")

    @property
    def complete(self) -> bool:
        """True if everything could be read. If not, figures are lower bounds."""
        return bool(lib.qw_shape_complete(self._handle))

    def text(
        self,
        queue: str | bytes | None = None,
        *,
        senders: bool = False,
        parents: bool = False,
        min_subdomains: float = 5,
        width: float = 80,
    ) -> str:
        """Return the table that qshape prints; bytes that are not UTF-8 become surrogate escapes."""
        return text(
            lib.qw_shape_text,
            self._handle,
            *_queue(queue),
            _flags(senders, parents),
            _real("min_subdomains", min_subdomains),
            _real("width", width),
        )

    def rows(
        self,
        queue: str | bytes | None = None,
        *,
        senders: bool = False,
        parents: bool = False,
        min_subdomains: float = 5,
    ) -> tuple[ShapeRow, ...]:
        """Return the rows of that table in the same order, TOTAL included."""
        cursor = Handle.made(
            lib.qw_shape_rows_open,
            _abi.shape_rows_p,
            lib.qw_shape_rows_free,
            self._handle,
            *_queue(queue),
            _flags(senders, parents),
            _real("min_subdomains", min_subdomains),
        )
        row, rows = _abi.qw_shape_row(), []
        while call(lib.qw_shape_rows_next, cursor, byref(row), sizeof(row)) != _abi.QW_END:
            counts = tuple(row.counts[: row.columns])
            rows.append(ShapeRow(_abi.copied(row.domain) or b"", row.total, counts))
        return tuple(rows)

    def json(
        self,
        queue: str | bytes | None = None,
        *,
        senders: bool = False,
        parents: bool = False,
        min_subdomains: float = 5,
    ) -> dict[str, Json]:
        """Return the same as a document, schema queuewatch/1."""
        flags, least = _flags(senders, parents), _real("min_subdomains", min_subdomains)
        return _document(text(lib.qw_shape_json, self._handle, *_queue(queue), flags, least))


def shape(*, all: bool = False, **options: Unpack[ShapeOptions]) -> Shape:  # noqa: A002 (the word of the programs)
    """Count recipients and senders of every queue by domain and age, as qshape does.

    The options bucket_count, bucket_time and linear define the columns; `all` counts what qshape leaves out.
    """
    _options.refuse_unused("shape", options, _options.ShapeOptions)
    handle = _options.handle(_options.settings(options))
    flags = _abi.QW_SHAPE_ALL if all else 0
    return Shape(run(handle, lib.qw_shape_scan, _abi.shape_p, lib.qw_shape_free, handle, flags))


def scan(**options: Unpack[ScanOptions]) -> Snapshot:
    """Read the spools that the options name, the default instance if they name none.

    The keywords are the long options of the programs (`check_postfix_queue --help`) with `_` for `-`:
    queue_directory, config_directory, all_instances, instance, exclude, timeout, now, ... A list sets an
    option once for each value, True and False turn one on and off, None does not set it.

    Other threads run during the scan. An exception of a signal handler, such as that of Ctrl-C, ends it.
    """
    _options.refuse_unused("scan", options, _options.ScanOptions)
    settings = _options.settings(options)
    handle = _options.handle(settings)
    return Snapshot(run(handle, lib.qw_scan, _abi.snapshot_p, lib.qw_snapshot_free, handle), settings)


def check(**options: Unpack[ScanOptions]) -> Verdict:
    """Scan and judge in one call: takes the options of both."""
    with scan(**options) as snapshot:
        return snapshot.check()


def _here() -> tuple[int, int]:
    return os.getpid(), threading.get_ident()


def _named(what: str, name: Any) -> bytes:
    if not isinstance(name, (str, bytes)):
        raise TypeError(f"{what}: a str or bytes, not {type(name).__name__}")
    return _options.fsencoded(what, name)


def _whole(what: str, value: Any) -> int:
    # ctypes would cut off what a C int does not hold.
    if not isinstance(value, int):
        raise TypeError(f"{what}: an int, not {type(value).__name__}")
    if not -(2**31) <= value < 2**31:
        raise InvalidArgument(f"{what}: {value} is out of range")
    return value


def _real(what: str, value: Any) -> float:
    if not isinstance(value, (int, float)):
        raise TypeError(f"{what}: a number, not {type(value).__name__}")
    return float(value)


def _words(borrowed: _abi.qw_bytes) -> str:
    return (_abi.copied(borrowed) or b"").decode("utf-8", "surrogateescape")


def _recipient(handle: Handle, index: int) -> bytes:
    out = _abi.qw_bytes()
    call(lib.qw_messages_recipient, handle, index, byref(out))
    return _abi.copied(out) or b""


def _delay(handle: Handle, index: int) -> Delay | None:
    row = _abi.qw_delay()
    if call(lib.qw_messages_delay, handle, index, byref(row), sizeof(row)) == _abi.QW_END:
        return None
    return Delay(_words(row.status), _abi.copied(row.reason) or b"", _abi.copied(row.address) or b"")


def _queue(queue: str | bytes | None) -> tuple[bytes | None, int]:
    if queue is None:
        return None, 0
    spelled = _named("queue", queue)
    return spelled, len(spelled)


def _flags(senders: bool, parents: bool) -> int:
    return (_abi.QW_SHAPE_SENDERS if senders else 0) | (_abi.QW_SHAPE_PARENTS if parents else 0)


def _document(text: str) -> dict[str, Json]:
    document: dict[str, Json] = json.loads(text)
    return document
