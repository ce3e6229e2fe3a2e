"""The Python face of the parity test: answers the questions that answer.c describes."""

from __future__ import annotations

import os
import sys

import queuewatch

SPOOL, NOW = sys.argv[1:]
SNAP = queuewatch.scan(queue_directory=SPOOL, now=NOW, metrics_top=2)


def options(words: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for word in words:
        name, _, value = word.partition("=")
        found.setdefault(name, []).append(value)
    return found


def fields(kind: str, words: list[str]) -> list[object]:
    if kind == "measure":
        measure = SNAP.measure(words[0] if words else "")
        value = "-" if measure.value is None else f"{float(measure.value):.17g}"
        return [value, int(measure.quality), measure.detail]
    if kind == "metrics":
        return [SNAP.openmetrics()]
    if kind == "messages":
        sums = [0] * 8
        for message in SNAP.messages(words[0]):
            delays = [delay for delay in message.delays if delay]
            texts = [message.sender, message.queue_id, *message.recipients]
            texts += [text for delay in delays for text in (delay.status, delay.reason)]
            row = [1, len(message.recipients), message.size, message.done]
            row += [message.arrival or 0, message.next_retry or 0, len(delays), sum(map(len, texts))]
            sums = [one + other for one, other in zip(sums, row)]
        return list(sums)
    if kind == "pick":
        picked = queuewatch.scan(**{"queue_directory": [SPOOL], "now": [NOW], **options(words)})
        return ["".join(message.queue_id + " " for message in picked.messages())]
    verbosity = int(words[0]) if kind == "check" else 0
    given = (
        {"queue_directory": [SPOOL], "now": [NOW], **options(words[1:])}
        if kind == "check"
        else options(words)
    )
    verdict = queuewatch.check(**given)
    return [int(verdict.state), verdict.output(verbosity)]


for question in sys.stdin:
    kind, *words = question.rstrip("\n").split("\t")
    try:
        answer = fields(kind, words)
    except queuewatch.QueuewatchError as error:
        path = None if error.path is None else os.fsencode(error.path).decode("latin-1")
        answer = ["error", error.code, error.errno or 0, error.offset, path, str(error), error.remedy]
    print("\t".join("" if one is None else str(one).replace("\n", "\\n") for one in answer))
