"""queuewatch: is mail stuck in a Postfix queue?

>>> import queuewatch
>>> snap = queuewatch.scan(queue_directory="spool", now=1795461304)
>>> snap["deferred.messages"], snap["deferred.oldest"]
(194, 500000)
>>> verdict = snap.check(warning=["deferred.oldest=4h"], critical=["deferred.oldest=2d", "hold.messages=5"])
>>> print(verdict.state, int(verdict.state))
CRITICAL 2
>>> print(", ".join(str(finding) for finding in verdict.findings))
deferred.oldest is 5d 18h (critical 2d), hold.messages is 7 (critical 5)
>>> for message in snap.messages(queue="hold"):
...     if len(message.recipients) > 2:
...         print(message.queue_id, message.sender_text, *message.recipients_text)
9C34299497D orig@sender.example keep@alpha.example del@alpha.example ok@ok.example

>>> for reason in snap.reasons("deferred")[:2]:
...     print(reason.recipients, reason.domain_text, reason.code, reason.reason)
95 alpha.example 4.4.1 connect to IP[IP]:1: Connection refused
83 greylist.example 4.7.1 Greylisted, please try again in N seconds
>>> shape = queuewatch.shape(queue_directory="spool", now=1795461304)
>>> [row.total for row in shape.rows("deferred") if row.domain == b"TOTAL"]
[1922]

A thin layer over libqueuewatch. Measures, rules, options and texts are those of `check_postfix_queue --help`.
All errors are QueuewatchError; most are also a builtin, so that for example PermissionError catches
AccessDenied. A part of the spool that could not be read is not an error: it is in `snap.problems`.
The package prints nothing and logs nothing; log_to passes the log records to `logging`.
"""

from ._abi import QW_VERSION as __version__
from ._call import TRACE, log_to
from ._errors import (
    AccessDenied,
    Cancelled,
    Closed,
    Incomplete,
    InvalidArgument,
    LibraryBug,
    NotADirectory,
    NotASpool,
    NotFound,
    OutOfOrder,
    PathNotFound,
    QueuewatchError,
    ReadFailed,
    SyntaxProblem,
    TimedOut,
    UnknownOption,
    Unsupported,
)
from ._lists import CauseInfo, MeasureInfo, OptionInfo, causes, measures, options
from ._model import (
    Delay,
    Event,
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
)
from ._objects import Messages, Shape, Snapshot, Verdict, check, scan, shape
from ._options import Option
from ._watch import Watch, watch

__all__ = [
    "TRACE",
    "AccessDenied",
    "Cancelled",
    "CauseInfo",
    "Closed",
    "Delay",
    "Event",
    "Finding",
    "Incomplete",
    "Instance",
    "InvalidArgument",
    "Json",
    "LibraryBug",
    "Measure",
    "MeasureInfo",
    "Message",
    "Messages",
    "NotADirectory",
    "NotASpool",
    "NotFound",
    "Number",
    "Option",
    "OptionInfo",
    "OutOfOrder",
    "PathNotFound",
    "Problem",
    "Quality",
    "QueuewatchError",
    "ReadFailed",
    "Reason",
    "Shape",
    "ShapeRow",
    "Snapshot",
    "State",
    "SyntaxProblem",
    "TimedOut",
    "UnknownOption",
    "Unsupported",
    "Verdict",
    "Watch",
    "__version__",
    "causes",
    "check",
    "log_to",
    "measures",
    "options",
    "scan",
    "shape",
    "watch",
]

# Tracebacks and pickles say the public names; what the files inside are called may change.
for _name in __all__:
    if isinstance(globals()[_name], type):
        globals()[_name].__module__ = __name__
del _name
