"""queuewatch: is mail stuck in a Postfix queue?

>>> import queuewatch
>>> snap = queuewatch.scan(queue_directory="spool", now=1795461304)
>>> snap["deferred.messages"], snap["deferred.oldest"]
(194, 500000)
>>> verdict = snap.check(warning=["deferred.oldest=4h"], critical=["deferred.oldest=2d", "hold.messages=5"])
>>> print(verdict.state, int(verdict.state))
CRITICAL 2
>>> print(verdict.summary)
POSTFIX QUEUE CRITICAL: deferred.oldest is 5d 18h (critical 2d), hold.messages is 7 (critical 5)
>>> for message in snap.messages(queue="hold"):
...     if len(message.recipients) > 2:
...         print(message.queue_id, message.sender_text, *message.recipients_text)
9C34299497D orig@sender.example keep@alpha.example del@alpha.example ok@ok.example

A thin layer over libqueuewatch: measures, rules and options are those of `check_postfix_queue --help`, the
same figures and the same words. All errors are QueuewatchError; most are a builtin too, so that for
example PermissionError catches AccessDenied. What could not be read is no error but `snap.problems`.
"""

from ._abi import QW_VERSION as __version__
from ._errors import (
    AccessDenied,
    Closed,
    Incomplete,
    InvalidArgument,
    LibraryBug,
    NotASpool,
    NotFound,
    OutOfOrder,
    PathNotFound,
    QueuewatchError,
    ReadFailed,
    SyntaxProblem,
    TimedOut,
    Unsupported,
)
from ._model import Finding, Measure, Message, Problem, Quality, State
from ._objects import Messages, Snapshot, Verdict, check, scan

__all__ = [
    "AccessDenied",
    "Closed",
    "Finding",
    "Incomplete",
    "InvalidArgument",
    "LibraryBug",
    "Measure",
    "Message",
    "Messages",
    "NotASpool",
    "NotFound",
    "OutOfOrder",
    "PathNotFound",
    "Problem",
    "Quality",
    "QueuewatchError",
    "ReadFailed",
    "Snapshot",
    "State",
    "SyntaxProblem",
    "TimedOut",
    "Unsupported",
    "Verdict",
    "__version__",
    "check",
    "scan",
]
