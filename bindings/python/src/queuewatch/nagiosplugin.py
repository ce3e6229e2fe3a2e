"""Queues as a Resource of the package nagiosplugin, for plugins that check more than queues.

>>> from nagiosplugin import Check, ScalarContext
>>> from queuewatch.nagiosplugin import PostfixQueue, Rules
>>> options = {"queue_directory": "spool", "now": 1795461304, "critical": "deferred.oldest=2d"}
>>> queue = PostfixQueue("hold.messages", **options)
>>> check = Check(queue, Rules(), ScalarContext("hold.messages", "5", "20"))
>>> check()
>>> print(check.name, check.state)
POSTFIX QUEUE critical
>>> [str(result).split(" (")[0] for result in check.results]
['deferred.oldest is 5d 18h', 'hold.messages is 7']

A plugin calls `check.main()`. For the queues alone the ready program check_postfix_queue is the better one.

nagiosplugin stops a check by a signal, which Python only sees when a scan is over: give PostfixQueue a
`timeout` too, below the one of `check.main`, so that it reports what was read by then.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import Incomplete, Option, QueuewatchError, State, Verdict, scan

try:
    import nagiosplugin
except ImportError as error:
    raise ImportError(
        "queuewatch.nagiosplugin needs the package nagiosplugin; install it with "
        "`pip install queuewatch[nagiosplugin]`",
        name="nagiosplugin",
    ) from error

__all__ = ["PostfixQueue", "Rules"]

_STATES = {
    State.OK: nagiosplugin.Ok,
    State.WARNING: nagiosplugin.Warn,
    State.CRITICAL: nagiosplugin.Critical,
    State.UNKNOWN: nagiosplugin.Unknown,
}
_RULES = "postfix_queue"


class PostfixQueue(nagiosplugin.Resource):
    """The queues that the options name, judged by their rules `warning` and `critical`, else by the defaults.

    The judgement is one metric, for the context Rules, which must be in the check. Each measure named beside
    it is a metric for a context of its name, such as a ScalarContext. A measure that is not known exactly
    makes the check UNKNOWN, because a range cannot tell a lower bound from a figure; a rule can.
    """

    name = "POSTFIX QUEUE"

    def __init__(self, *measures: str, **options: Option) -> None:
        super().__init__()
        self.measures = measures
        self.options = options
        self.verdict: Verdict | None = None

    def probe(self) -> Iterator[nagiosplugin.Metric]:
        """Scan, judge, and yield the metrics."""
        try:
            given: Any = self.options
            with scan(**given) as snapshot:
                self.verdict = snapshot.check()
                # Before any measure: the result of the rules counts even if a measure is not known.
                yield nagiosplugin.Metric(_RULES, self.verdict)
                figures = [(name, snapshot[name]) for name in self.measures]
        except Incomplete as error:
            raise nagiosplugin.CheckError(str(error.measure)) from error
        except QueuewatchError as error:
            raise nagiosplugin.CheckError(str(error)) from error
        for name, value in figures:
            yield nagiosplugin.Metric(name, value)


class Rules(nagiosplugin.Context):
    """The result of the rules of a PostfixQueue, in the texts and performance data of the plugin."""

    def __init__(self) -> None:
        super().__init__(_RULES)

    def evaluate(self, metric: nagiosplugin.Metric, resource: nagiosplugin.Resource) -> nagiosplugin.Result:
        """Return the state with its reasons."""
        verdict: Verdict = metric.value
        _, _, reasons = verdict.summary.partition(": ")
        return nagiosplugin.Result(_STATES[verdict.state], reasons, metric)

    def performance(self, metric: nagiosplugin.Metric, resource: nagiosplugin.Resource) -> str:
        """Return all the items as one text, which nagiosplugin accepts."""
        verdict: Verdict = metric.value
        return verdict.perfdata
