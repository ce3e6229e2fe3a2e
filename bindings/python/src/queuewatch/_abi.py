"""include/queuewatch.h for ctypes, one to one: constants, structs, prototypes. Nothing else.

tests/test_abi.py compares all of it with the header. Each handle has a pointer type of its own, so that
ctypes refuses a handle of another kind with an ArgumentError instead of passing it on.
"""

from __future__ import annotations

import ctypes
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char_p,
    c_double,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any

QW_ABI_VERSION = 1
QW_VERSION_MAJOR = 0
QW_VERSION_MINOR = 1
QW_VERSION_PATCH = 0
QW_VERSION = "0.1.0"

QW_NUL = c_size_t(-1).value

QW_OK = 0
QW_END = 1
QW_ERR_INVALID = 10
QW_ERR_SYNTAX = 11
QW_ERR_NOT_FOUND = 12
QW_ERR_DENIED = 20
QW_ERR_IO = 21
QW_ERR_NOT_A_SPOOL = 22
QW_ERR_TIMEOUT = 23
QW_ERR_CANCELLED = 24
QW_ERR_STATE = 30
QW_ERR_UNSUPPORTED = 31
QW_ERR_PANIC = 40

QW_STATE_OK = 0
QW_STATE_WARNING = 1
QW_STATE_CRITICAL = 2
QW_STATE_UNKNOWN = 3

QW_QUALITY_EXACT = 0
QW_QUALITY_AT_LEAST = 1
QW_QUALITY_UNKNOWN = 2

QW_QUEUE_NONE = -1
QW_QUEUE_ACTIVE = 0
QW_QUEUE_DEFERRED = 1
QW_QUEUE_INCOMING = 2
QW_QUEUE_HOLD = 3
QW_QUEUE_MAILDROP = 4
QW_QUEUE_CORRUPT = 5

QW_PROBLEM_DIRECTORY = 0
QW_PROBLEM_FILE = 1
QW_PROBLEM_DAMAGED = 2
QW_PROBLEM_INSTANCE = 3
QW_PROBLEM_MISOWNED = 4
QW_PROBLEM_MISPLACED = 5

QW_SHAPE_ALL = 1
QW_SHAPE_SENDERS = 2
QW_SHAPE_PARENTS = 4

QW_EVENT_ARRIVED = 0
QW_EVENT_MOVED = 1
QW_EVENT_LEFT = 2
QW_EVENT_CHANGED = 3
QW_EVENT_RESCANNED = 4
QW_EVENT_BLIND = 5
QW_EVENT_DROPPED = 6

QW_TAKES_NOTHING = 0
QW_TAKES_ONE = 1
QW_TAKES_MANY = 2

QW_LOG_ERROR = 1
QW_LOG_WARN = 2
QW_LOG_INFO = 3
QW_LOG_DEBUG = 4
QW_LOG_TRACE = 5


class qw_options(Structure):
    """Opaque."""


class qw_snapshot(Structure):
    """Opaque."""


class qw_messages(Structure):
    """Opaque."""


class qw_reasons(Structure):
    """Opaque."""


class qw_shape(Structure):
    """Opaque."""


class qw_shape_rows(Structure):
    """Opaque."""


class qw_verdict(Structure):
    """Opaque."""


class qw_watch(Structure):
    """Opaque."""


class qw_text(Structure):
    """Opaque."""


class qw_error(Structure):
    """Opaque."""


class qw_bytes(Structure):
    """Borrowed bytes; `data` is None where they are absent."""

    _fields_ = (("data", c_void_p), ("len", c_size_t))


class qw_problem(Structure):
    """A row of qw_snapshot_problem."""

    _fields_ = (
        ("path", qw_bytes),
        ("message", qw_bytes),
        ("remedy", qw_bytes),
        ("kind", c_int32),
        ("queue", c_int32),
        ("os_errno", c_int32),
        ("reserved", c_int32),
    )


class qw_message(Structure):
    """A row of qw_messages_next."""

    _fields_ = (
        ("instance", qw_bytes),
        ("queue_id", qw_bytes),
        ("sender", qw_bytes),
        ("arrival", c_int64),
        ("next_retry", c_int64),
        ("size", c_uint64),
        ("recipients", c_uint64),
        ("done", c_uint64),
        ("queue", c_int32),
        ("mode", c_uint32),
        ("damaged", c_int32),
        ("forced_expire", c_int32),
        ("origin_by", qw_bytes),
        ("login", qw_bytes),
        ("client", qw_bytes),
        ("client_name", qw_bytes),
        ("helo", qw_bytes),
        ("user", c_int64),
    )


class qw_delay(Structure):
    """A row of qw_messages_delay."""

    _fields_ = (("status", qw_bytes), ("reason", qw_bytes), ("address", qw_bytes))


class qw_reason(Structure):
    """A row of qw_reasons_next."""

    _fields_ = (
        ("domain", qw_bytes),
        ("code", qw_bytes),
        ("reason", qw_bytes),
        ("recipients", c_uint64),
        ("oldest", c_int64),
        ("cause", qw_bytes),
        ("acts", qw_bytes),
        ("next_hop", qw_bytes),
    )


class qw_shape_row(Structure):
    """A row of qw_shape_rows_next."""

    _fields_ = (
        ("domain", qw_bytes),
        ("counts", POINTER(c_uint64)),
        ("columns", c_size_t),
        ("total", c_uint64),
    )


class qw_finding(Structure):
    """A row of qw_verdict_finding."""

    _fields_ = (
        ("measure", qw_bytes),
        ("range", qw_bytes),
        ("text", qw_bytes),
        ("value", c_double),
        ("state", c_int32),
        ("quality", c_int32),
    )


class qw_event(Structure):
    """A row of qw_watch_next."""

    _fields_ = (
        ("instance", qw_bytes),
        ("queue_id", qw_bytes),
        ("reason", qw_bytes),
        ("arrival", c_int64),
        ("size", c_uint64),
        ("recipients", c_uint64),
        ("kind", c_int32),
        ("queue", c_int32),
        ("from_queue", c_int32),
        ("reserved", c_int32),
        ("sender", qw_bytes),
        ("recipient", qw_bytes),
        ("origin_by", qw_bytes),
        ("origin", qw_bytes),
        ("cause", qw_bytes),
    )


class qw_option(Structure):
    """A row of qw_option_info."""

    _fields_ = (
        ("name", qw_bytes),
        ("value", qw_bytes),
        ("help", qw_bytes),
        ("takes", c_int32),
        ("reserved", c_int32),
    )


class qw_measure(Structure):
    """A row of qw_measure_info."""

    _fields_ = (("spelling", qw_bytes), ("unit", qw_bytes), ("help", qw_bytes))


class qw_cause(Structure):
    """A row of qw_cause_info."""

    _fields_ = (("name", qw_bytes), ("acts", qw_bytes))


class qw_instance(Structure):
    """A row of qw_snapshot_instance."""

    _fields_ = (
        ("name", qw_bytes),
        ("config_directory", qw_bytes),
        ("queue_directory", qw_bytes),
        ("complete", c_int32),
        ("reserved", c_int32),
    )


options_p = POINTER(qw_options)
snapshot_p = POINTER(qw_snapshot)
messages_p = POINTER(qw_messages)
reasons_p = POINTER(qw_reasons)
shape_p = POINTER(qw_shape)
shape_rows_p = POINTER(qw_shape_rows)
verdict_p = POINTER(qw_verdict)
watch_p = POINTER(qw_watch)
text_p = POINTER(qw_text)
error_p = POINTER(qw_error)

qw_log_fn = CFUNCTYPE(None, c_void_p, c_int32, qw_bytes, qw_bytes)

_status = c_int32
_error_out = POINTER(error_p)
_text_out = POINTER(text_p)
_name = (c_char_p, c_size_t)

PROTOTYPES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "qw_version": (c_char_p, ()),
    "qw_abi_version": (c_uint32, ()),
    "qw_options_new": (_status, (POINTER(options_p), _error_out)),
    "qw_options_set": (_status, (options_p, *_name, c_char_p, c_size_t, _error_out)),
    "qw_options_spell": (_status, (options_p, *_name, _error_out)),
    "qw_cancel": (None, (options_p,)),
    "qw_progress": (c_uint64, (options_p,)),
    "qw_options_free": (None, (options_p,)),
    "qw_status_name": (c_char_p, (_status,)),
    "qw_state_name": (c_char_p, (c_int32,)),
    "qw_quality_name": (c_char_p, (c_int32,)),
    "qw_queue_name": (c_char_p, (c_int32,)),
    "qw_event_name": (c_char_p, (c_int32,)),
    "qw_problem_name": (c_char_p, (c_int32,)),
    "qw_cause_name": (c_char_p, (c_int32,)),
    "qw_option_count": (c_size_t, ()),
    "qw_option_info": (_status, (c_size_t, POINTER(qw_option), c_size_t, _error_out)),
    "qw_measure_count": (c_size_t, ()),
    "qw_measure_info": (_status, (c_size_t, POINTER(qw_measure), c_size_t, _error_out)),
    "qw_cause_count": (c_size_t, ()),
    "qw_cause_info": (_status, (c_size_t, POINTER(qw_cause), c_size_t, _error_out)),
    "qw_snapshot_instance_count": (c_size_t, (snapshot_p,)),
    "qw_snapshot_instance": (
        _status,
        (snapshot_p, c_size_t, POINTER(qw_instance), c_size_t, _error_out),
    ),
    "qw_printable": (c_size_t, (qw_bytes, c_char_p, c_size_t)),
    "qw_scan": (_status, (options_p, POINTER(snapshot_p), _error_out)),
    "qw_snapshot_complete": (c_int32, (snapshot_p,)),
    "qw_snapshot_now": (c_int64, (snapshot_p,)),
    "qw_snapshot_measure": (
        _status,
        (snapshot_p, *_name, POINTER(c_double), POINTER(c_int32), _error_out),
    ),
    "qw_snapshot_measure_detail": (_status, (snapshot_p, *_name, _text_out, _error_out)),
    "qw_snapshot_problem_count": (c_size_t, (snapshot_p,)),
    "qw_snapshot_problem": (
        _status,
        (snapshot_p, c_size_t, POINTER(qw_problem), c_size_t, _error_out),
    ),
    "qw_snapshot_json": (_status, (snapshot_p, _text_out, _error_out)),
    "qw_snapshot_openmetrics": (_status, (snapshot_p, _text_out, _error_out)),
    "qw_snapshot_state": (_status, (snapshot_p, _text_out, _error_out)),
    "qw_snapshot_free": (None, (snapshot_p,)),
    "qw_messages_open": (_status, (snapshot_p, *_name, POINTER(messages_p), _error_out)),
    "qw_messages_next": (_status, (messages_p, POINTER(qw_message), c_size_t, _error_out)),
    "qw_messages_recipient": (_status, (messages_p, c_size_t, POINTER(qw_bytes), _error_out)),
    "qw_messages_delay": (_status, (messages_p, c_size_t, POINTER(qw_delay), c_size_t, _error_out)),
    "qw_messages_unreadable": (c_uint64, (messages_p,)),
    "qw_messages_free": (None, (messages_p,)),
    "qw_reasons_open": (_status, (snapshot_p, *_name, POINTER(reasons_p), _error_out)),
    "qw_reasons_next": (_status, (reasons_p, POINTER(qw_reason), c_size_t, _error_out)),
    "qw_reasons_others": (c_uint64, (reasons_p,)),
    "qw_reasons_free": (None, (reasons_p,)),
    "qw_shape_scan": (_status, (options_p, c_uint32, POINTER(shape_p), _error_out)),
    "qw_shape_complete": (c_int32, (shape_p,)),
    "qw_shape_text": (
        _status,
        (shape_p, *_name, c_uint32, c_double, c_double, _text_out, _error_out),
    ),
    "qw_shape_json": (_status, (shape_p, *_name, c_uint32, c_double, _text_out, _error_out)),
    "qw_shape_rows_open": (
        _status,
        (shape_p, *_name, c_uint32, c_double, POINTER(shape_rows_p), _error_out),
    ),
    "qw_shape_rows_next": (_status, (shape_rows_p, POINTER(qw_shape_row), c_size_t, _error_out)),
    "qw_shape_rows_free": (None, (shape_rows_p,)),
    "qw_shape_free": (None, (shape_p,)),
    "qw_check": (_status, (options_p, snapshot_p, POINTER(verdict_p), _error_out)),
    "qw_verdict_state": (c_int32, (verdict_p,)),
    "qw_verdict_summary": (_status, (verdict_p, _text_out, _error_out)),
    "qw_verdict_perfdata": (_status, (verdict_p, _text_out, _error_out)),
    "qw_verdict_output": (_status, (verdict_p, c_int32, _text_out, _error_out)),
    "qw_verdict_json": (_status, (verdict_p, _text_out, _error_out)),
    "qw_verdict_finding_count": (c_size_t, (verdict_p,)),
    "qw_verdict_finding": (
        _status,
        (verdict_p, c_size_t, POINTER(qw_finding), c_size_t, _error_out),
    ),
    "qw_verdict_free": (None, (verdict_p,)),
    "qw_watch_open": (_status, (options_p, POINTER(watch_p), _error_out)),
    "qw_watch_fd": (c_int32, (watch_p,)),
    "qw_watch_wait": (_status, (watch_p, c_int32, _error_out)),
    "qw_watch_dispatch": (_status, (watch_p, _error_out)),
    "qw_watch_next": (_status, (watch_p, POINTER(qw_event), c_size_t, _error_out)),
    "qw_watch_snapshot": (_status, (watch_p, POINTER(snapshot_p), _error_out)),
    "qw_watch_check": (_status, (watch_p, options_p, POINTER(verdict_p), _error_out)),
    "qw_watch_free": (None, (watch_p,)),
    "qw_text_bytes": (qw_bytes, (text_p,)),
    "qw_text_free": (None, (text_p,)),
    "qw_error_code": (_status, (error_p,)),
    "qw_error_errno": (c_int32, (error_p,)),
    "qw_error_message": (c_char_p, (error_p,)),
    "qw_error_remedy": (c_char_p, (error_p,)),
    "qw_error_path": (qw_bytes, (error_p,)),
    "qw_error_offset": (c_size_t, (error_p,)),
    "qw_error_free": (None, (error_p,)),
    "qw_log_set": (_status, (qw_log_fn, c_void_p, c_int32, _error_out)),
}


def bind(library: ctypes.CDLL) -> None:
    """Give every function of `library` its prototype; AttributeError if one is missing."""
    for name, (restype, argtypes) in PROTOTYPES.items():
        function = getattr(library, name)
        function.restype = restype
        function.argtypes = argtypes


def copied(borrowed: qw_bytes) -> bytes | None:
    """Copy `borrowed`, or None if it is absent."""
    if borrowed.data is None:
        return None
    return ctypes.string_at(borrowed.data, borrowed.len) if borrowed.len else b""
