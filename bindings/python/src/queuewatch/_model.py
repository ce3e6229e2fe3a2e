"""The values that the library returns: immutable, independent of the library, safe to keep and to pickle."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from enum import IntEnum
from typing import Union

from . import _abi

Number = Union[int, float]
Json = Union[None, bool, int, float, str, list["Json"], dict[str, "Json"]]


def moment(second: int | None) -> datetime | None:
    """Return a second of the epoch as a datetime in UTC; None if it is unknown or beyond the years of one."""
    if second is None:
        return None
    try:
        return datetime.fromtimestamp(second, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None


class State(IntEnum):
    """A service state; its value is the exit code of a plugin, its text the word."""

    OK = _abi.QW_STATE_OK
    WARNING = _abi.QW_STATE_WARNING
    CRITICAL = _abi.QW_STATE_CRITICAL
    UNKNOWN = _abi.QW_STATE_UNKNOWN

    @classmethod
    def _missing_(cls, value: object) -> State | None:
        # A state of a newer library: nothing that this version could call well.
        return cls.UNKNOWN if isinstance(value, int) else None

    def __str__(self) -> str:
        return self.name

    def __format__(self, spec: str) -> str:
        # Python 3.11 made format() of an IntEnum its number; here it is the word in every version.
        return format(self.name, spec)


class Quality(IntEnum):
    """The quality of a figure."""

    EXACT = _abi.QW_QUALITY_EXACT
    """Everything that the figure depends on was read."""
    AT_LEAST = _abi.QW_QUALITY_AT_LEAST
    """Something could not be read: the figure is a lower bound."""
    UNKNOWN = _abi.QW_QUALITY_UNKNOWN
    """The figure is not known."""

    @classmethod
    def _missing_(cls, value: object) -> Quality | None:
        # As for State.
        return cls.UNKNOWN if isinstance(value, int) else None

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)


@dataclass(frozen=True)
class Measure:
    """What a measure is in a snapshot."""

    name: str
    value: Number | None
    """None if `quality` is UNKNOWN; an int where it is whole."""
    quality: Quality
    detail: str
    """The domain or sender that has most, or why it is unknown; else empty."""

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        if self.quality is Quality.UNKNOWN:
            return f"{self.name} is unknown{detail}"
        bound = "at least " if self.quality is Quality.AT_LEAST else ""
        return f"{self.name} is {bound}{self.value}{detail}"


@dataclass(frozen=True)
class Problem:
    """Something that a scan could not read, or a damaged queue file."""

    message: str
    """What and why; printable ASCII."""
    remedy: str | None
    path: str | None
    kind: str
    """directory, file, damaged, instance, misowned or misplaced."""
    queue: str | None
    errno: int | None

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}" if self.remedy else self.message


@dataclass(frozen=True)
class Instance:
    """An instance of Postfix that was scanned; `NAME/MEASURE` is a measure of it alone."""

    name: str
    config_directory: str | None
    """None if its spool was given by queue_directory; as JSON documents spell it."""
    queue_directory: str | None
    """As JSON documents spell it."""
    complete: bool
    """Whether everything could be read."""


@dataclass(frozen=True)
class Finding:
    """What one rule found."""

    measure: str
    range: str
    value: Number | None
    """None if `quality` is UNKNOWN."""
    quality: Quality
    state: State
    text: str
    """As the programs word it: `deferred.messages is 5200 (critical 2000)`."""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Delay:
    """Why a recipient waits, as Postfix logged it."""

    status: str
    """The enhanced status code, for example `4.4.1`."""
    reason: bytes
    """What mailq prints in brackets."""
    address: bytes
    """The address that was tried, quoted; another than the recipient's where mail is redirected."""

    @property
    def reason_text(self) -> str:
        """The reason as text; bytes that are not UTF-8 become surrogate escapes."""
        return self.reason.decode("utf-8", "surrogateescape")

    def __str__(self) -> str:
        return f"{self.status} {self.reason_text}"


@dataclass(frozen=True)
class Reason:
    """Recipients of one domain that wait for one reason."""

    domain: bytes
    code: str
    """The enhanced status code that Postfix logged."""
    reason: str
    """The delay reason; ADDRESS, HOST, IP, URL, ID, TIME and N stand for what changes."""
    recipients: int
    oldest: int | None
    """Second of the epoch in which the oldest of their messages arrived."""
    cause: str
    """Such as `filter` or `greylisted`."""
    acts: str
    """Who acts: `us`, `them`, `nobody`, `both` or `unknown`."""
    next_hop: bytes
    """The server, socket or name that the reason is about; empty if it names none."""

    @property
    def oldest_time(self) -> datetime | None:
        """`oldest` in UTC."""
        return moment(self.oldest)

    @property
    def domain_text(self) -> str:
        """The domain as text; bytes that are not UTF-8 become surrogate escapes."""
        return self.domain.decode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class ShapeRow:
    """A row of a shape."""

    domain: bytes
    """`TOTAL` for the sum; a parent domain begins with a dot."""
    total: int
    counts: tuple[int, ...]
    """By column."""

    @property
    def domain_text(self) -> str:
        """The domain as text; bytes that are not UTF-8 become surrogate escapes."""
        return self.domain.decode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class Message:
    """A message in a queue. Addresses are the bytes of the queue file."""

    instance: str
    queue: str
    queue_id: str
    sender: bytes
    """Empty for the null sender, which Postfix's tools show as MAILER-DAEMON."""
    recipients: tuple[bytes, ...]
    """Those still to be delivered."""
    delays: tuple[Delay | None, ...]
    """For each of them why it waits; None if the delay log has no entry."""
    done: int
    """The number of recipients that need no more delivery."""
    size: int
    """In bytes, as mailq prints it."""
    arrival: int | None
    """Second of the epoch."""
    next_retry: int | None
    """Second of the epoch; None unless deferred."""
    mode: int
    """Permission bits of the file."""
    damaged: bool
    forced_expire: bool
    origin_by: str = "unknown"
    """Which kind of origin is known: login, client, user or unknown."""
    login: bytes | None = None
    """The SASL login."""
    client: bytes | None = None
    """The address of the client."""
    client_name: bytes | None = None
    helo: bytes | None = None
    """The name that the client gave in HELO or EHLO."""
    user: int | None = None
    """The local user who submitted it."""

    @property
    def arrival_time(self) -> datetime | None:
        """`arrival` in UTC; None, too, for a year that a queue file invents."""
        return moment(self.arrival)

    @property
    def next_retry_time(self) -> datetime | None:
        """`next_retry` in UTC."""
        return moment(self.next_retry)

    @property
    def sender_text(self) -> str:
        """The sender as text; bytes that are not UTF-8 become surrogate escapes."""
        return self.sender.decode("utf-8", "surrogateescape")

    @property
    def recipients_text(self) -> tuple[str, ...]:
        """The recipients as text; bytes that are not UTF-8 become surrogate escapes."""
        return tuple(address.decode("utf-8", "surrogateescape") for address in self.recipients)


@dataclass(frozen=True)
class Event:
    """An event of a watch."""

    kind: str
    """arrived, moved, left or changed, of a message; rescanned, blind or dropped, of the watch itself."""
    instance: str
    queue: str | None
    """Where the message is, or was when it left."""
    moved_from: str | None
    """Where a moved message was before."""
    queue_id: str
    """Empty for an event of the watch itself."""
    recipients: int
    """Still to be delivered."""
    size: int
    """In bytes, as mailq prints it."""
    arrival: int | None
    """Second of the epoch."""
    reason: str
    """Why, for an event of the watch itself."""
    sender: bytes | None = None
    """Empty for the null sender; None, as the fields below, if the message could not be read."""
    recipient: bytes | None = None
    """The first one that waits."""
    origin_by: str | None = None
    """Which kind of origin is known: login, client, user or unknown."""
    origin: bytes | None = None
    """That login, client address or user ID; empty if the queue file has none."""
    cause: str | None = None
    """Why its first recipient waits, if it is deferred with a reason."""

    @property
    def arrival_time(self) -> datetime | None:
        """`arrival` in UTC."""
        return moment(self.arrival)

    def __str__(self) -> str:
        place = f"{self.moved_from} to {self.queue}" if self.moved_from else self.queue
        return f"{self.kind} {self.queue_id} {place}" if self.queue_id else f"{self.kind}: {self.reason}"


EVENTS = {
    _abi.QW_EVENT_ARRIVED: "arrived",
    _abi.QW_EVENT_MOVED: "moved",
    _abi.QW_EVENT_LEFT: "left",
    _abi.QW_EVENT_CHANGED: "changed",
    _abi.QW_EVENT_RESCANNED: "rescanned",
    _abi.QW_EVENT_BLIND: "blind",
    _abi.QW_EVENT_DROPPED: "dropped",
}
QUEUES = {
    _abi.QW_QUEUE_ACTIVE: "active",
    _abi.QW_QUEUE_DEFERRED: "deferred",
    _abi.QW_QUEUE_INCOMING: "incoming",
    _abi.QW_QUEUE_HOLD: "hold",
    _abi.QW_QUEUE_MAILDROP: "maildrop",
    _abi.QW_QUEUE_CORRUPT: "corrupt",
}
PROBLEM_KINDS = {
    _abi.QW_PROBLEM_DIRECTORY: "directory",
    _abi.QW_PROBLEM_FILE: "file",
    _abi.QW_PROBLEM_DAMAGED: "damaged",
    _abi.QW_PROBLEM_INSTANCE: "instance",
    _abi.QW_PROBLEM_MISOWNED: "misowned",
    _abi.QW_PROBLEM_MISPLACED: "misplaced",
}


def number(value: float) -> Number:
    """Return an int for a whole number, as a person would write it."""
    return int(value) if value.is_integer() else value


def known(value: float, quality: Quality) -> Number | None:
    """Return the number, or None if `quality` says that it means nothing."""
    return None if quality is Quality.UNKNOWN else number(value)
